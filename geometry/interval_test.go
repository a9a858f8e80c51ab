package geometry

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/combin"
)

// binomialTail returns P(Bin(n, p) ≥ k) by summation.
func binomialTail(n, k int, p float64) float64 {
	var sum float64
	for i := k; i <= n; i++ {
		sum += math.Exp(combin.LogGeneralizedBinomial(float64(n), float64(i)) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

// The ends of the interval are where the tails of the binomial are 2.5%.
func TestClopperPearsonEnds(t *testing.T) {
	for _, n := range []int{1, 7, 50, 400} {
		for k := 0; k <= n; k += max(1, n/10) {
			ends, err := ClopperPearson(k, n, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 && ends[0] != 0 || k == n && ends[1] != 1 {
				t.Errorf("%d of %d: %v", k, n, ends)
			}
			if k > 0 && !near(binomialTail(n, k, ends[0]), 0.025, 1e-8) {
				t.Errorf("%d of %d: lower end %v has the tail %v", k, n, ends[0], binomialTail(n, k, ends[0]))
			}
			if k < n && !near(1-binomialTail(n, k+1, ends[1]), 0.025, 1e-8) {
				t.Errorf("%d of %d: upper end %v has the tail %v", k, n, ends[1], 1-binomialTail(n, k+1, ends[1]))
			}
		}
	}
	// 0 of n: 1 − 0.025^{1/n}, at the sizes of real test sets too.
	for _, n := range []int{10_000, 1_000_000} {
		if ends, err := ClopperPearson(0, n, 0.95); err != nil || !near(ends[1], -math.Expm1(math.Log(0.025)/float64(n)), 1e-7) {
			t.Errorf("0 of %d: %v, %v", n, ends, err)
		}
	}
	for _, c := range [][2]int{{0, 0}, {-1, 3}, {4, 3}} {
		if _, err := ClopperPearson(c[0], c[1], 0.95); err == nil {
			t.Errorf("%d of %d has an interval", c[0], c[1])
		}
	}
	if _, err := ClopperPearson(1, 3, math.NaN()); err == nil {
		t.Error("confidence NaN has an interval")
	}
}

func TestCoverIsStrict(t *testing.T) {
	c, err := CoverAt([]float64{0.5, 1, 1, 2}, 1)
	if err != nil || c.Uncovered != 1 || c.Epsilon != 0.25 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range [][]float64{nil, {math.NaN()}, {1, -1}, {math.Inf(1)}} {
		if _, err := CoverAt(bad, 1); err == nil || !strings.Contains(err.Error(), "distance") {
			t.Errorf("%v: %v", bad, err)
		}
		if _, err := RadiusAt(bad, 0.1); err == nil {
			t.Errorf("%v has a radius", bad)
		}
	}
	for _, bad := range []float64{0, math.NaN(), -2} {
		if _, err := CoverAt([]float64{1}, bad); err == nil {
			t.Errorf("δ = %v has a cover", bad)
		}
		if _, err := RadiusAt([]float64{1}, bad); err == nil {
			t.Errorf("ε = %v has a radius", bad)
		}
	}
}

// δ_ε is the smallest observed distance that at most εm distances exceed, and
// never a share that CoverAt calls larger than ε.
func TestRadiusIsTheQuantile(t *testing.T) {
	r := []float64{7, 1, 3, 2, 10, 9, 4, 5, 6, 8}
	for epsilon, want := range map[float64]float64{0.1: 9, 0.3: 7, 0.05: 10, 0.95: 1, 0.9: 1, 0.25: 8} {
		got, err := RadiusAt(r, epsilon)
		if err != nil || got.Value != want {
			t.Errorf("ε = %v: %+v, %v; want %v", epsilon, got, err, want)
		}
		if c, err := CoverAt(r, got.Value); err != nil || c.Epsilon > epsilon {
			t.Errorf("ε = %v: %+v, %v", epsilon, c, err)
		}
	}
	if got, err := RadiusAt([]float64{1, 2, 3}, 0.01); err != nil || got.CI95[0] != 2 || !math.IsInf(got.CI95[1], 1) {
		// P(Bin(3, 0.99) ≤ 1) = 0.0003 and P(≤ 2) = 0.030.
		t.Errorf("three distances and the 1%% radius: %+v, %v", got, err)
	}
}

// The intervals of ε and δ_ε cover the truth, of exponential distances, in 95% of
// repetitions or a little more (counts are discrete).
func TestCoverIntervalsCover(t *testing.T) {
	const repetitions, epsilon = 2000, 0.2
	radius := -math.Log(epsilon)
	random := generator(1)
	inCover, inRadius := 0, 0
	distances := make([]float64, 150)
	for range repetitions {
		for i := range distances {
			distances[i] = random.ExpFloat64()
		}
		c, err := CoverAt(distances, radius)
		if err != nil {
			t.Fatal(err)
		}
		if c.CI95[0] <= epsilon && epsilon <= c.CI95[1] {
			inCover++
		}
		r, err := RadiusAt(distances, epsilon)
		if err != nil {
			t.Fatal(err)
		}
		if r.CI95[0] <= radius && radius <= r.CI95[1] {
			inRadius++
		}
	}
	for name, in := range map[string]int{"ε": inCover, "δ": inRadius} {
		share := float64(in) / repetitions
		if !(share >= 0.935 && share <= 0.985) {
			t.Errorf("%s: %v of the intervals cover", name, share)
		}
	}
}
