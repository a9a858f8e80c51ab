package stability

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The thresholds solve their equation, with the expectation over all batches.
func TestScalarThresholdSolves(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 0))
	for range 300 {
		n := 1 + rng.IntN(7)
		batch, k, sampling := 1+rng.IntN(n), 1+rng.IntN(MaxOrder), Sampling(rng.IntN(2))
		if sampling == WithReplacement && math.Pow(float64(n), float64(batch)) > 2e4 {
			continue
		}
		q := wideRange(rng, n, 6*rng.Float64())
		eta := ScalarThreshold(q, k, sampling, batch)
		expectation := func(eta float64) (excess float64) {
			eachBatch(n, batch, sampling, func(samples []int, probability float64) {
				var s float64
				for _, i := range samples {
					s += q[i] / float64(batch)
				}
				excess += probability * (math.Pow(1-eta*s, float64(k)) - 1)
			})
			if k%2 == 1 {
				return -2 - excess
			}
			return excess
		}
		// The sign changes within 1e-11 of the root.
		if !(expectation(eta*(1-1e-11)) < 0 && expectation(eta*(1+1e-11)) > 0) {
			t.Errorf("n=%d B=%d k=%d %v: %v is not the root: %v, %v", n, batch, k, sampling, eta, expectation(eta*(1-1e-11)), expectation(eta*(1+1e-11)))
		}
	}
}

func TestScalarThresholdClosedForms(t *testing.T) {
	for k := 1; k <= MaxOrder; k++ {
		for _, sampling := range []Sampling{WithoutReplacement, WithReplacement} {
			if eta := ScalarThreshold([]float64{5, 5, 5}, k, sampling, 2); !(math.Abs(eta-0.4) <= 1e-12) {
				t.Errorf("k=%d: equal samples are stable up to %v, want 2/5", k, eta)
			}
		}
		if eta := ScalarThreshold([]float64{0, 0}, k, WithoutReplacement, 1); !math.IsInf(eta, 1) {
			t.Errorf("k=%d: no gradient is stable up to %v", k, eta)
		}
		// B = n is gradient descent, with the mean of q.
		if eta := ScalarThreshold([]float64{1e-6, 3, 900}, k, WithoutReplacement, 3); !(math.Abs(eta*903.000001/6-1) <= 1e-12) {
			t.Errorf("k=%d: B = n is stable up to %v", k, eta)
		}
	}
	// k = 2: 2 E s/E s² with E s² = (1−p) m_1² + p m_2.
	q, p := []float64{1, 2, 6}, WithoutReplacement.BatchVariance(3, 2)
	want := 2 * 3 / ((1-p)*9 + p*41/3)
	if eta := ScalarThreshold(q, 2, WithoutReplacement, 2); !(math.Abs(eta/want-1) <= 1e-14) {
		t.Errorf("k=2: %v, want %v", eta, want)
	}
	// Two samples, B = 1, one of them 0: half of all steps are (1−2ηm)^k: the root
	// is 1/m for even k; for odd k, 1 + (1−x)^k = −2.
	if eta := ScalarThreshold([]float64{0, 4}, 4, WithoutReplacement, 1); !(math.Abs(eta-0.5) <= 1e-14) {
		t.Errorf("k=4, one sample of two: %v", eta)
	}
	if eta := ScalarThreshold([]float64{0, 1}, 3, WithoutReplacement, 1); !(math.Abs(eta-(1+math.Cbrt(3))) <= 1e-14) {
		t.Errorf("k=3, one sample of two: %v", eta)
	}
}

// The gradient of log η on the sphere, by finite differences.
func TestDirectionGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(32, 0))
	for k := 1; k <= MaxOrder; k++ {
		for _, sampling := range []Sampling{WithoutReplacement, WithReplacement} {
			n, c := 7, 1+k%3
			s := newSpan(t, gramOf(randomGradients(rng, n, c, 9, 9), n, c, 9))
			d := newDirectionSearch(s, k, sampling, 3)
			v := randomUnit(s.Rank, rng)
			g := make([]float64, s.Rank)
			d.gradient(g, v, d.value(v))
			for range 4 {
				u, slope := randomUnit(s.Rank, rng), 0.0
				moved := func(step float64) float64 {
					x := make([]float64, len(v))
					for i := range x {
						x[i] = v[i] + step*u[i]
					}
					toUnit(x)
					return math.Log(d.value(x))
				}
				for i := range u {
					slope += u[i] * g[i]
				}
				const step = 1e-5
				difference := (moved(step) - moved(-step)) / (2 * step)
				if !(math.Abs(difference-slope) <= 1e-7*(1+math.Abs(slope))) {
					t.Errorf("k=%d %v: slope %v, finite difference %v", k, sampling, slope, difference)
				}
			}
		}
	}
}

// No direction, found or drawn, has a threshold below the exact one.
func TestDirectionsBoundTheThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 0))
	worst := 1.0
	for range 25 {
		s, j, w, sampling, batch := smallProblem(t, rng)
		sums := coordinateSums(j, s.N, s.C, w, 4)
		for k := 1; k <= 4; k++ {
			exact := lastStable(t, s, k, sampling, batch)
			found, v := s.DirectionalThreshold(k, sampling, batch)
			if !(found >= exact*(1-1e-9)) {
				t.Errorf("k=%d: direction %v has %v, exact %v", k, v, found, exact)
			}
			if own := ScalarThreshold(s.Curvatures(v), k, sampling, batch); own != found {
				t.Errorf("k=%d: the direction's threshold is %v, not %v", k, own, found)
			}
			single, _, err := CoordinateThreshold(sums, w, k, s.N, sampling, batch)
			if err != nil {
				t.Fatal(err)
			}
			if !(single >= exact*(1-1e-9)) {
				t.Errorf("k=%d: a coordinate has %v, exact %v", k, single, exact)
			}
			if !(single >= found*(1-1e-6)) {
				t.Errorf("k=%d: a coordinate has %v, below the search's %v", k, single, found)
			}
			if k%2 == 0 {
				worst = max(worst, found/exact)
			}
		}
	}
	if !(worst <= 1.15) {
		t.Errorf("the search stays %v above an exact threshold", worst)
	}
}

// In the plane the search finds the least value that a fine scan of all angles
// finds.
func TestDirectionSearchInThePlane(t *testing.T) {
	rng := rand.New(rand.NewPCG(34, 0))
	for range 40 {
		n, c := 2+rng.IntN(8), 1+rng.IntN(2)
		s := newSpan(t, gramOf(randomGradients(rng, n, c, 4, 2), n, c, 4))
		batch, k, sampling := 1+rng.IntN(n), 1+rng.IntN(MaxOrder), Sampling(rng.IntN(2))
		scanned := math.Inf(1)
		for angle := 0.0; angle < math.Pi; angle += 1e-3 {
			scanned = min(scanned, ScalarThreshold(s.Curvatures([]float64{math.Cos(angle), math.Sin(angle)}), k, sampling, batch))
		}
		found, _ := s.DirectionalThreshold(k, sampling, batch)
		if !(found <= scanned*(1+1e-9) && found >= scanned*(1-1e-5)) {
			t.Errorf("n=%d c=%d B=%d k=%d %v: found %v, scan %v", n, c, batch, k, sampling, found, scanned)
		}
	}
}

// Against reference thresholds of orders 3 and 4: never below, and together with
// the bound by order 2 as near as was seen: 1.10 above η*_4, where the direction
// alone is up to 1.14 above.
func TestDirectionalGolden(t *testing.T) {
	for fixture, size := range map[string][2]int{"fnn-tiny": {10, 3}, "fnn-scalar": {8, 1}} {
		g := loadGoldenProblem(t, fixture, size[0], size[1])
		whole, first := newSpan(t, g.gram()), newSpan(t, g.output0().gram())
		for _, want := range g.Thresholds {
			s := whole
			if want.Problem == "output 0 only (C=1, a_i=J_i[0])" {
				s = first
			}
			found, _ := s.DirectionalThreshold(want.K, replacement(want.Replacement), want.B)
			// A single direction shows odd orders' lower end only, and that at k = 1
			// along the top eigenvector.
			most := map[int]float64{1: 1 + 1e-9, 3: math.Inf(1), 4: 1.14}[want.K]
			if want.K == 3 && want.SpanOnly < want.EtaTwo {
				most = 1.02
			}
			if !(found >= want.EtaStar*(1-1e-9) && found <= want.EtaStar*most) {
				t.Errorf("%s %s k=%d B=%d: %v, exact %v, ratio %v", fixture, want.Problem, want.K, want.B, found, want.EtaStar, found/want.EtaStar)
			}
			if want.K == 4 && !(min(found, want.EtaTwo) <= 1.1*want.EtaStar) {
				t.Errorf("%s k=4 B=%d: %v and order 2's %v, exact %v", fixture, want.B, found, want.EtaTwo, want.EtaStar)
			}
		}
	}
}

// Order 2 has reference thresholds for several outputs and a convolution. Rank-one
// tests are up to 1.36 above them at B = 1, however good the direction: descents
// from 300 random directions found none with less.
func TestDirectionalGoldenSecondOrder(t *testing.T) {
	for fixture, size := range map[string][2]int{"fnn-tiny": {10, 3}, "fnn-scalar": {8, 1}, "cnn-tiny": {6, 2}} {
		g := loadGoldenProblem(t, fixture, size[0], size[1])
		s := newSpan(t, g.gram())
		sums := coordinateSums(g.jacobian, g.n, g.c, g.w, 2)
		for _, want := range g.Second {
			sampling := replacement(want.Replacement)
			found, _ := s.DirectionalThreshold(2, sampling, want.B)
			if !(found >= want.EtaStar*(1-1e-9) && found <= 1.36*want.EtaStar) {
				t.Errorf("%s B=%d: %v, exact %v, ratio %v", fixture, want.B, found, want.EtaStar, found/want.EtaStar)
			}
			single, _, err := CoordinateThreshold(sums, g.w, 2, g.n, sampling, want.B)
			if err != nil || !(single >= found) {
				t.Errorf("%s B=%d: a coordinate has %v, the search %v (%v)", fixture, want.B, single, found, err)
			}
		}
	}
}

func BenchmarkDirectionalThreshold(b *testing.B) {
	rng := rand.New(rand.NewPCG(35, 0))
	const n, c = 200, 2
	s := newSpan(b, gramOf(randomGradients(rng, n, c, 500, 500), n, c, 500))
	for b.Loop() {
		s.DirectionalThreshold(4, WithoutReplacement, 20)
	}
}

// One of two samples has a gradient along v. Batches of one take the steps 1 and
// 1 − 4η in turn at random, and their fourth moment stays up to η = 1/2.
func ExampleScalarThreshold() {
	fmt.Printf("%.6f\n", ScalarThreshold([]float64{0, 4}, 4, WithoutReplacement, 1))
	// Output: 0.500000
}
