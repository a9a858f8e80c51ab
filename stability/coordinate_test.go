package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// coordinateSums returns the m×w power sums of gradients j, nc×w.
func coordinateSums(j []float64, n, c, w, orders int) []float64 {
	sums := make([]float64, orders*w)
	for p := range w {
		for i := range n {
			var q float64
			for o := range c {
				v := j[(i*c+o)*w+p]
				q += v * v
			}
			power := 1.0
			for m := range orders {
				power *= q
				sums[m*w+p] += power
			}
		}
	}
	return sums
}

// coordinateCurvatures returns (Σ_o J_{io,p}²) over the samples.
func coordinateCurvatures(j []float64, n, c, w, p int) []float64 {
	q := make([]float64, n)
	for i := range n {
		for o := range c {
			q[i] += j[(i*c+o)*w+p] * j[(i*c+o)*w+p]
		}
	}
	return q
}

func TestCoordinateThresholdIsTheLeast(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	for range 60 {
		n, c, w := 1+rng.IntN(12), 1+rng.IntN(3), 1+rng.IntN(40)
		batch, k, s := 1+rng.IntN(n), 1+rng.IntN(MaxOrder), Sampling(rng.IntN(2))
		j := randomGradients(rng, n, c, w, n*c)
		// Coordinates of very different sizes.
		for p := range w {
			scale := math.Pow(10, rng.NormFloat64())
			for row := range n * c {
				j[row*w+p] *= scale
			}
		}
		want, at := math.Inf(1), -1
		for p := range w {
			if eta := ScalarThreshold(coordinateCurvatures(j, n, c, w, p), k, s, batch); eta < want {
				want, at = eta, p
			}
		}
		got, p, err := CoordinateThreshold(coordinateSums(j, n, c, w, k), w, k, n, s, batch)
		if err != nil {
			t.Fatal(err)
		}
		if !(math.Abs(got/want-1) <= 1e-9) || p != at {
			t.Errorf("n=%d B=%d k=%d %v: %v at %d, want %v at %d", n, batch, k, s, got, p, want, at)
		}
	}
}

// What few orders say of the others is true, and they do say something.
func TestCoordinatesAbove(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	said := 0
	for range 200 {
		n, c, w := 1+rng.IntN(12), 1+rng.IntN(3), 1+rng.IntN(10)
		batch, s := 1+rng.IntN(n), Sampling(rng.IntN(2))
		few := 1 + rng.IntN(4)
		k := few + 1 + rng.IntN(MaxOrder-few)
		sums := coordinateSums(randomGradients(rng, n, c, w, n*c), n, c, w, k)
		threshold, _, err := CoordinateThreshold(sums, w, k, n, s, batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, eta := range []float64{threshold * (1 + 1e-6), threshold / 1.2, threshold / 5, threshold / 100} {
			above := CoordinatesAbove(sums[:few*w], w, k, n, eta)
			if above && !(eta <= threshold) {
				t.Fatalf("n=%d B=%d k=%d %v: %d orders show that %v is below %v", n, batch, k, s, few, eta, threshold)
			}
			if above {
				said++
			}
		}
		if !CoordinatesAbove(sums[:few*w], w, k, n, 1e-6*threshold) {
			t.Errorf("n=%d B=%d k=%d %v: %d orders do not say that almost nothing is below %v", n, batch, k, s, few, threshold)
		}
	}
	if said < 100 {
		t.Errorf("few orders said something %d times of 800", said)
	}
	if CoordinatesAbove([]float64{math.NaN()}, 1, 2, 4, 1) || CoordinatesAbove([]float64{1}, 1, 2, 4, math.NaN()) || CoordinatesAbove([]float64{0}, 1, 2, 4, math.Inf(1)) {
		t.Error("what is not a number shows something")
	}
}

func TestCoordinateThresholdRefuses(t *testing.T) {
	if eta, j, err := CoordinateThreshold(make([]float64, 6), 3, 2, 4, WithoutReplacement, 2); !math.IsInf(eta, 1) || j != -1 || err != nil {
		t.Errorf("zero gradients: %v, %d, %v", eta, j, err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), -1} {
		if _, _, err := CoordinateThreshold([]float64{1, 1, bad, 1}, 2, 2, 4, WithoutReplacement, 2); err == nil {
			t.Errorf("a power sum of %v passes", bad)
		}
	}
}

// A million coordinates: lognormal sizes, as those of a trained network are, and
// equal ones, where every coordinate has to be looked at.
func BenchmarkCoordinateThreshold(b *testing.B) {
	const w, n = 1_000_000, 1000
	for _, spread := range []float64{2, 0.05} {
		rng := rand.New(rand.NewPCG(6, 0))
		sums := make([]float64, MaxOrder*w)
		for p := range w {
			scale := math.Exp(spread * rng.NormFloat64())
			for range 10 {
				q, power := scale*rng.ExpFloat64(), 1.0
				for m := range MaxOrder {
					power *= q
					sums[m*w+p] += n / 10 * power
				}
			}
		}
		for _, k := range []int{4, 8} {
			b.Run(map[float64]string{2: "spread", 0.05: "equal"}[spread]+map[int]string{4: "/k=4", 8: "/k=8"}[k], func(b *testing.B) {
				for b.Loop() {
					if _, _, err := CoordinateThreshold(sums, w, k, n, WithoutReplacement, 64); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
