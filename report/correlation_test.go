package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol }

func TestSpearmanByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want float64
	}{
		{"monotone", []float64{1, 2, 3, 4}, []float64{1, 10, 11, 1000}, 1},
		{"reversed", []float64{1, 2, 3}, []float64{0, -1, -5}, -1},
		// No ties: 1 − 6 Σd²/(n(n²−1)) with d = (0, 1, −1, 0, 0).
		{"one exchange", []float64{1, 2, 3, 4, 5}, []float64{1, 3, 2, 4, 5}, 0.9},
		// Ranks (1.5, 1.5, 3, 4) and (1, 2, 3, 4): Σ = 4.5/√(4.5·5).
		{"a tie", []float64{7, 7, 8, 9}, []float64{1, 2, 3, 4}, 4.5 / math.Sqrt(22.5)},
		// Ranks (1.5, 1.5, 3.5, 3.5) and (1, 4, 2, 3): no association at all.
		{"balanced ties", []float64{0, 0, 1, 1}, []float64{1, 4, 2, 3}, 0},
	} {
		if got := Spearman(c.x, c.y); !near(got, c.want, 1e-15) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Whatever the number of points, ranks in the same order and in the opposite one have
// no rounding, and a line has none that shows.
func TestPerfectCorrelations(t *testing.T) {
	for n := 2; n <= 40; n++ {
		x, powers, line := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range n {
			x[i] = 0.1 * float64(i+1)
			powers[i], line[i] = -math.Exp(x[i]), 0.3-0.7*x[i]
		}
		if r := Spearman(x, x); r != 1 {
			t.Errorf("n = %d: %v, want 1", n, r)
		}
		if r := Spearman(x, powers); r != -1 {
			t.Errorf("n = %d: %v, want -1", n, r)
		}
		if r := decimal2(Pearson(x, line)); r != "−1.00" {
			t.Errorf("n = %d: a line correlates to %s", n, r)
		}
	}
	if r := decimal2(1 - 1e-9); r != "0.999" {
		t.Errorf("1 − 10⁻⁹ is %s", r)
	}
}

func TestUndefined(t *testing.T) {
	// 0.1 summed ten times has a mean that is not 0.1: rounding must not pass
	// for variance.
	flat := slices.Repeat([]float64{0.1}, 10)
	rising := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for name, v := range map[string]float64{
		"constant x": Pearson(flat, rising), "constant y": Spearman(rising, flat),
		"one point": Pearson([]float64{1}, []float64{2}), "none": Spearman(nil, nil),
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s: %v, want NaN", name, v)
		}
	}
}

func TestPearsonScale(t *testing.T) {
	x, y := []float64{1, 2, 4, 3}, []float64{2, 3, 9, 1}
	want := Pearson(x, y)
	for _, unit := range []float64{1e-200, 1e200} {
		u := make([]float64, len(x))
		for i := range x {
			u[i] = unit * x[i]
		}
		if got := Pearson(u, y); !near(got, want, 1e-12) {
			t.Errorf("in units of %g: %v, want %v", unit, got, want)
		}
	}
}

// sample draws pairs with many ties.
func tiedSample(t *rapid.T) (x, y []float64) {
	n := rapid.IntRange(2, 30).Draw(t, "n")
	for range n {
		x = append(x, float64(rapid.IntRange(-4, 4).Draw(t, "x")))
		y = append(y, float64(rapid.IntRange(-9, 9).Draw(t, "y")))
	}
	return x, y
}

func TestPearsonAgreesWithGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := tiedSample(t)
		got := Pearson(x, y)
		if math.IsNaN(got) {
			if slices.Min(x) < slices.Max(x) && slices.Min(y) < slices.Max(y) {
				t.Fatalf("undefined for %v, %v", x, y)
			}
			return
		}
		if want := stat.Correlation(x, y, nil); !near(got, want, 1e-12) {
			t.Fatalf("%v, gonum has %v", got, want)
		}
	})
}

// Weights must mean copies: that is how the bootstrap uses them.
func TestWeightsAreCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := tiedSample(t)
		var weight resampled
		var manyX, manyY []float64
		for i := range x {
			copies := rapid.IntRange(0, 3).Draw(t, "weight")
			if copies > 0 {
				weight.index, weight.times = append(weight.index, i), append(weight.times, float64(copies))
			}
			manyX = append(manyX, slices.Repeat(x[i:i+1], copies)...)
			manyY = append(manyY, slices.Repeat(y[i:i+1], copies)...)
		}
		s := paired{x: x, y: y}
		for name, pair := range map[string][2]float64{
			"Spearman": {spearmanOf(s)(weight), Spearman(manyX, manyY)},
			"Pearson":  {pearsonOf(s)(weight), Pearson(manyX, manyY)},
		} {
			if math.IsNaN(pair[0]) && math.IsNaN(pair[1]) {
				continue
			}
			if !near(pair[0], pair[1], 1e-12) {
				t.Fatalf("%s: %v weighted, %v with copies", name, pair[0], pair[1])
			}
		}
	})
}

func TestSpearmanInvariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := tiedSample(t)
		v := Spearman(x, y)
		if math.IsNaN(v) {
			return
		}
		bent := make([]float64, len(x))
		for i := range x {
			bent[i] = math.Exp(x[i])
		}
		if got := Spearman(bent, y); !near(got, v, 1e-12) {
			t.Fatalf("exp(x) changes it from %v to %v", v, got)
		}
		if got := Spearman(y, x); !near(got, v, 1e-12) {
			t.Fatalf("not symmetric: %v and %v", v, got)
		}
		if !(v >= -1 && v <= 1) {
			t.Fatalf("%v is outside [−1, 1]", v)
		}
		order := rand.New(rand.NewPCG(1, 1)).Perm(len(x))
		px, py := make([]float64, len(x)), make([]float64, len(x))
		for i, j := range order {
			px[i], py[i] = x[j], y[j]
		}
		if got := Spearman(px, py); !near(got, v, 1e-12) {
			t.Fatalf("the order of the points changes it from %v to %v", v, got)
		}
	})
}

func TestCorrelationText(t *testing.T) {
	for want, c := range map[string]Correlation{
		"Spearman −0.97, 95% interval [−0.99, −0.90]": {Method: "Spearman", Value: -0.971, Lower: -0.99, Upper: -0.9},
		"Pearson 0.50, no interval (2 grid cells)":    {Method: "Pearson", Value: 0.5, Lower: math.NaN(), Upper: math.NaN(), Reason: "2 grid cells"},
		"Pearson undefined (constant)":                {Method: "Pearson", Value: math.NaN(), Reason: "constant"},
		"Spearman 0.999, 95% interval [0.00, 1.00]":   {Method: "Spearman", Value: 0.9999, Lower: -1e-9, Upper: 1},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
