package linop

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// Repetitions of 95% intervals, and how often the truth may be inside: a band of
// four standard deviations, √(400·0.95·0.05) = 4.36.
const (
	repetitions  = 400
	fewestInside = 380 - 17
	mostInside   = 380 + 17
)

// coverage counts how many of the intervals hold the truth.
func coverage(t *testing.T, truth float64, draw func(random *rand.Rand) (Estimate, error)) (inside int) {
	t.Helper()
	for seed := range uint64(repetitions) {
		e, err := draw(seeded(1000 + seed))
		if err != nil {
			t.Fatal(err)
		}
		if e.CI95[0] <= truth && truth <= e.CI95[1] {
			inside++
		}
		if !(math.Abs((e.CI95[0]+e.CI95[1])/2-e.Value) <= 1e-12*math.Abs(e.Value)+1e-12*e.SE) || !(e.SE >= 0) {
			t.Fatalf("%+v", e)
		}
	}
	return inside
}

func TestTraceIntervalsCover(t *testing.T) {
	ctx := context.Background()
	for name, spectrum := range map[string][]float64{
		"uniform":  floats.Span(make([]float64, 40), -1, 2),
		"positive": floats.Span(make([]float64, 40), 1, 2),
		"spiked":   append(floats.Span(make([]float64, 40), 0, 1), 20, 40, 80),
		"decaying": spectra()["decaying"][40:],
	} {
		a, trace := withSpectrum(spectrum, seeded(1)), floats.Sum(spectrum)
		for _, draws := range []int{5, 30} {
			if name == "spiked" && draws == 5 {
				continue // three eigenvalues make a skew draw; see the type's remark
			}
			inside := coverage(t, trace, func(random *rand.Rand) (Estimate, error) { return Hutchinson(ctx, a, draws, random) })
			t.Logf("Hutchinson, %s, %d draws: %d of %d", name, draws, inside, repetitions)
			if inside < fewestInside || inside > mostInside {
				t.Errorf("Hutchinson, %s, %d draws: %d of %d intervals hold the trace", name, draws, inside, repetitions)
			}
		}
		inside := coverage(t, trace, func(random *rand.Rand) (Estimate, error) { return HutchPlusPlus(ctx, a, 6, 10, random) })
		t.Logf("Hutch++, %s: %d of %d", name, inside, repetitions)
		if inside < fewestInside || inside > mostInside {
			t.Errorf("Hutch++, %s: %d of %d intervals hold the trace", name, inside, repetitions)
		}
	}
}

// The remark on skew draws in Estimate's description: (aᵀx)² is nearly χ² with one
// degree of freedom. Bands of four standard deviations of 400 repetitions.
func TestSkewDrawsAreCoveredLess(t *testing.T) {
	a := withSpectrum(append(make([]float64, 39), 1), seeded(1))
	for draws, share := range map[int]float64{5: 0.83, 30: 0.91, 100: 0.94} {
		inside := coverage(t, 1, func(random *rand.Rand) (Estimate, error) {
			return Hutchinson(context.Background(), a, draws, random)
		})
		if band := 4 * math.Sqrt(share*(1-share)/repetitions); !(math.Abs(float64(inside)/repetitions-share) <= band) {
			t.Errorf("%d draws: %d of %d intervals hold the trace, want %v ± %v", draws, inside, repetitions, share, band)
		}
	}
}

// One draw has mean tr A and variance 2·Σ_{i≠j} A_ij² exactly: SE² is an unbiased
// estimate of the variance over the draws.
func TestHutchinsonVariance(t *testing.T) {
	a := withSpectrum(floats.Span(make([]float64, 30), -1, 3), seeded(2))
	var want float64
	for i, v := range a.a {
		if i%30 != i/30 {
			want += 2 * v * v
		}
	}
	e, err := Hutchinson(context.Background(), a, 40_000, seeded(3))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.SE * e.SE * 40_000; !(math.Abs(got-want) <= 0.04*want) {
		t.Errorf("variance %v, want %v", got, want)
	}
	if !(math.Abs(e.Value-30) <= 4*math.Sqrt(want/40_000)) {
		t.Errorf("trace %v ± %v, want 30", e.Value, e.SE)
	}
}

// Signs see the diagonal of a diagonal matrix exactly.
func TestHutchinsonOfDiagonal(t *testing.T) {
	a := NewDense(3, []float64{1, 0, 0, 0, -5, 0, 0, 0, 2})
	e, err := Hutchinson(context.Background(), a, 4, seeded(1))
	if want := (Estimate{Value: -2, CI95: [2]float64{-2, -2}, Draws: 4}); err != nil || e != want {
		t.Errorf("%+v, %v; want %+v", e, err, want)
	}
}

// A rank that the sketch can hold leaves nothing to chance; one more leaves
// something.
func TestHutchPlusPlusIsExactForLowRank(t *testing.T) {
	for rank := 1; rank <= 8; rank++ {
		spectrum := make([]float64, 50)
		for i := range rank {
			spectrum[i] = math.Pow(-3, float64(i))
		}
		a, trace, norm := withSpectrum(spectrum, seeded(uint64(rank))), floats.Sum(spectrum), size(spectrum)
		for sketch := 1; sketch <= 60; sketch += 1 + sketch/8 {
			calls := 0
			counted := Func{50, func(dst, x []float64) { calls++; a.Apply(dst, x) }}
			e, err := HutchPlusPlus(context.Background(), counted, sketch, 3, seeded(uint64(sketch)))
			if err != nil {
				t.Fatal(err)
			}
			exact := math.Abs(e.Value-trace) <= 1e-12*norm && e.SE <= 1e-12*norm
			if exact != (sketch >= rank) {
				t.Errorf("rank %d, sketch %d: %v ± %v, trace %v", rank, sketch, e.Value, e.SE, trace)
			}
			if calls > 2*sketch+3 || e.Draws != 3 {
				t.Errorf("rank %d, sketch %d: %d products, %d draws", rank, sketch, calls, e.Draws)
			}
		}
	}
	for _, spectrum := range [][]float64{{-3}, {0, 0, 0}, {1e-119, 2e-119}} {
		a := withSpectrum(spectrum, seeded(1))
		e, err := HutchPlusPlus(context.Background(), a, len(spectrum), 2, seeded(1))
		if want := floats.Sum(spectrum); err != nil || !(math.Abs(e.Value-want) <= 1e-14*size(spectrum)) {
			t.Errorf("%v: %+v, %v", spectrum, e, err)
		}
	}
}

// With as many products, Hutch++ is closer where few eigenvalues dominate.
func TestHutchPlusPlusGainsOnDecay(t *testing.T) {
	spectrum := spectra()["decaying"]
	a, trace := withSpectrum(spectrum, seeded(4)), floats.Sum(spectrum)
	var plain, plus float64
	for seed := range uint64(30) {
		h, err := Hutchinson(context.Background(), a, 60, seeded(seed))
		if err != nil {
			t.Fatal(err)
		}
		p, err := HutchPlusPlus(context.Background(), a, 20, 20, seeded(seed))
		if err != nil {
			t.Fatal(err)
		}
		plain += (h.Value - trace) * (h.Value - trace)
		plus += (p.Value - trace) * (p.Value - trace)
	}
	if !(plus <= plain/100) {
		t.Errorf("mean squared errors %v and %v", plain/30, plus/30)
	}
}

// Student's t against the printed tables.
func TestEstimateUsesStudentsT(t *testing.T) {
	for draws, table := range map[int]float64{2: 12.706, 3: 4.303, 10: 2.262, 30: 2.045, 1001: 1.962} {
		x := make([]float64, draws)
		for i := range x {
			x[i] = 5 + float64(i%2)
		}
		e := estimate(x)
		var square float64
		for _, v := range x {
			square += (v - floats.Sum(x)/float64(draws)) * (v - floats.Sum(x)/float64(draws))
		}
		se := math.Sqrt(square / float64(draws-1) / float64(draws))
		if !(math.Abs(e.SE-se) <= 1e-14) || !(math.Abs((e.CI95[1]-e.Value)/se-table) <= 6e-4) {
			t.Errorf("%d draws: %+v, want SE %v and quantile %v", draws, e, se, table)
		}
	}
}
