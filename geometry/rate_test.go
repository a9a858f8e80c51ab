package geometry

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// torus draws n points of a product of circles, in R^{2·dimension}: no edges, and
// flat on small scales.
func torus(n, dimension int, seed uint64) Points[float64] {
	random := generator(seed)
	x := Points[float64]{N: n, D: 2 * dimension, X: make([]float64, 0, 2*n*dimension)}
	for range n * dimension {
		s, c := math.Sincos(2 * math.Pi * random.Float64())
		x.X = append(x.X, s, c)
	}
	return x
}

func (p Points[T]) head(n int) Points[T] { return Points[T]{N: n, D: p.D, X: p.X[:n*p.D]} }

func (p Points[T]) tail(n int) Points[T] { return Points[T]{N: p.N - n, D: p.D, X: p.X[n*p.D:]} }

// On the cube of dimension D the radius falls like n^{−1/D}, up to the edges; the
// torus has none.
func TestCoverRateOnCubesAndTori(t *testing.T) {
	square, solid := cube(3548, 2, 5, generator(5)), cube(3548, 3, 5, generator(7))
	for _, c := range []struct {
		name    string
		d       float64
		x, test Points[float64]
		bias    float64 // of D, relative
	}{
		{"circle", 1, torus(2048, 1, 1), torus(1500, 1, 2), 0.01},
		{"torus", 2, torus(2048, 2, 3), torus(1500, 2, 4), 0.03},
		{"square", 2, square.head(2048), square.tail(2048), 0.1},
		{"cube", 3, solid.head(2048), solid.tail(2048), 0.15},
	} {
		r, err := CoverRate(c.x, c.test, 0.3, 4, 3, testMemory, generator(9))
		if err != nil {
			t.Fatal(err)
		}
		want := -1 / c.d
		if !(math.Abs(r.Exponent.Value-want) <= c.bias/c.d+3*r.Exponent.SE) || !near(r.Dimension.Value, -1/r.Exponent.Value, 1e-15) {
			t.Errorf("%s: exponent %+v, want %v", c.name, r.Exponent, want)
		}
		if !(r.Exponent.SE > 0 && r.Exponent.SE < 0.1/c.d) || !(r.Exponent.CI95[0] < r.Exponent.Value && r.Exponent.Value < r.Exponent.CI95[1]) {
			t.Errorf("%s: %+v", c.name, r.Exponent)
		}
		for j, level := range r.Levels {
			if level.N != 2048>>j || j > 0 && !(level.MeanLog > r.Levels[j-1].MeanLog) || !(level.Radius.CI95[0] <= level.Radius.Value && level.Radius.Value <= level.Radius.CI95[1]) {
				t.Errorf("%s: level %d is %+v", c.name, j, level)
			}
		}
		nearest, err := Nearest(c.x, c.test, 1, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		if whole, err := RadiusAt(nearest.Distance, 0.3); err != nil || whole != r.Levels[0].Radius || math.Log(whole.Value) != r.Levels[0].MeanLog {
			t.Errorf("%s: the whole set has the radius %+v, level 0 %+v, %v", c.name, whole, r.Levels[0], err)
		}
	}
}

// Over new data sets the interval covers −1/D about as often as it says. Nested
// subsets share points and all levels share the test points; an interval from the
// residuals of the line would not know.
func TestCoverRateInterval(t *testing.T) {
	const repetitions = 200
	covered := 0
	for seed := range uint64(repetitions) {
		x, test := torus(512, 1, 2*seed+100), torus(400, 1, 2*seed+101)
		r, err := CoverRate(x, test, 0.3, 3, 3, testMemory, generator(seed))
		if err != nil {
			t.Fatal(err)
		}
		if r.Exponent.CI95[0] <= -1 && -1 <= r.Exponent.CI95[1] {
			covered++
		}
	}
	share := float64(covered) / repetitions
	t.Logf("%v of the intervals cover", share)
	if !(share >= 0.91 && share <= 0.99) {
		t.Errorf("%v of the intervals cover", share)
	}
}

func TestSlopeOf(t *testing.T) {
	x := []float64{1, 2, 4, 7}
	y := []float64{3.5, 3, 2, 0.5}
	if got := slopeOf(x, y); !near(got, -0.5, 1e-15) {
		t.Errorf("slope %v of a line with −1/2", got)
	}
	if d := dimensionOf(Estimate{Value: -0.1, CI95: [2]float64{-0.2, 0.05}}); d.CI95[0] != 5 || !math.IsInf(d.CI95[1], 1) || d.Value != 10 {
		t.Errorf("an exponent that may be zero: %+v", d)
	}
}

func TestCoverRateRefuses(t *testing.T) {
	x, test := torus(64, 1, 1), torus(20, 1, 2)
	for name, c := range map[string]struct {
		test                 Points[float64]
		epsilon              float64
		levels, permutations int
		want                 string
	}{
		"one level":       {test, 0.1, 1, 2, "levels"},
		"one permutation": {test, 0.1, 2, 1, "permutations"},
		"too many levels": {test, 0.1, 7, 2, "64/2^7"},
		"ε = 0":           {test, 0, 2, 2, "ε"},
		"ε = NaN":         {test, math.NaN(), 2, 2, "ε"},
		"the same points": {x, 0.5, 2, 2, "test points are among them"},
	} {
		if _, err := CoverRate(x, c.test, c.epsilon, c.levels, c.permutations, testMemory, generator(1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := CoverRate(x, test, 0.1, 2, 2, 1000, generator(1)); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("a kilobyte of memory: %v", err)
	}
}

// On a circle of uniform points, the probability that a point has none of n others
// within the angle a is (1 − a/π)^n: the truth that resamples are tested against.
func TestConditions(t *testing.T) {
	const n = 40
	pool, test := torus(4000, 1, 1), torus(3000, 1, 2)
	angle := 2 * math.Asin(0.1/2)
	uncovered := math.Pow(1-angle/math.Pi, n) // 0.27, spread about 0.06 over samples
	random := generator(3)
	for factor, want := range map[float64]string{0.2: "fails", 3: "holds"} {
		c, err := CoveredCondition(pool, test, n, 0.1, factor*uncovered, 40, testMemory, random)
		if err != nil || c.N != n || c.Holds+c.Fails+c.Undecided != 40 {
			t.Fatalf("%+v, %v", c, err)
		}
		if want == "fails" && (c.Fails != 40 || !(c.Epsilon1[0] > 0.9)) || want == "holds" && (c.Holds != 40 || !(c.Epsilon1[1] < 0.1)) {
			t.Errorf("ε₂ = %v of the truth: %+v, want that it %s", factor, c, want)
		}
	}
	// Some of each: resamples differ.
	c, err := CoveredCondition(pool, test, n, 0.1, uncovered, 60, testMemory, random)
	if err != nil || c.Holds < 5 || c.Fails < 5 || !(c.Epsilon1[0] < 0.5 && c.Epsilon1[1] > 0.5) {
		t.Errorf("%+v, %v", c, err)
	}
	// 40 points on a circle: arcs of ±0.1 never hold 30 of them, and always 2.
	for k, want := range map[int]string{30: "holds", 1: "fails"} {
		c, err := ScatteredCondition(pool, n, 0.1, k, 30, 50, testMemory, random)
		if err != nil || want == "holds" && c.Holds != 30 || want == "fails" && c.Fails < 25 {
			t.Errorf("K = %d: %+v, %v, want that it %s", k, c, err, want)
		}
	}
	// The brackets of all resamples at K's neighbourhood never contradict the order.
	var holds []int
	for k := 1; k <= 10; k++ {
		c, err := ScatteredCondition(pool, n, 0.1, k, 20, 50, testMemory, generator(4))
		if err != nil {
			t.Fatal(err)
		}
		holds = append(holds, c.Holds)
	}
	if !slices.IsSorted(holds) {
		t.Errorf("holds in %v of 20 resamples at K = 1 … 10", holds)
	}
	for _, size := range []int{0, 4001} {
		if _, err := CoveredCondition(pool, test, size, 0.1, 0.5, 3, testMemory, random); err == nil || !strings.Contains(err.Error(), "resamples") {
			t.Errorf("resamples of %d points: %v", size, err)
		}
	}
	if _, err := ScatteredCondition(pool, n, 0.1, 0, 3, 5, testMemory, random); err == nil {
		t.Error("K = 0 is tested")
	}
	if _, err := CoveredCondition(pool, test, n, 0.1, math.NaN(), 3, testMemory, random); err == nil {
		t.Error("ε₂ = NaN is tested")
	}
}
