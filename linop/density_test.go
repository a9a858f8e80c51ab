package linop

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

func power(exponent int) func(float64) float64 {
	return func(v float64) float64 { return math.Pow(v, float64(exponent)) }
}

func meanOf(spectrum []float64, f func(float64) float64) (mean float64) {
	for _, v := range spectrum {
		mean += f(v) / float64(len(spectrum))
	}
	return mean
}

// Each probe's quadrature is exact for its own moments vᵀ·A^q·v, q ≤ 2m − 1, by
// repeated products, and not for q = 2m.
func TestQuadratureIsGauss(t *testing.T) {
	a := withSpectrum(floats.Span(make([]float64, 60), -1, 1.5), seeded(1))
	const steps = 4
	d, err := StochasticLanczos(context.Background(), a, steps, 3, seeded(2))
	if err != nil {
		t.Fatal(err)
	}
	random := seeded(2)
	v, w := make([]float64, 60), make([]float64, 60)
	for _, q := range d.Probes {
		rademacher(v, random)
		floats.Scale(1/math.Sqrt(60), v)
		power := slices.Clone(v)
		for exponent := range 2*steps + 1 {
			var got float64
			for i, node := range q.Nodes {
				got += q.Weights[i] * math.Pow(node, float64(exponent))
			}
			off := math.Abs(got - floats.Dot(v, power))
			if exact := off <= 1e-13; exact != (exponent < 2*steps) {
				t.Errorf("moment %d is off by %v", exponent, off)
			}
			a.Apply(w, power)
			copy(power, w)
		}
	}
}

// Weights are a distribution on the range of the spectrum, for every spectrum.
func TestQuadratureWeights(t *testing.T) {
	for name, spectrum := range spectra() {
		a := withSpectrum(spectrum, seeded(3))
		d, err := StochasticLanczos(context.Background(), a, 50, 3, seeded(4))
		if err != nil {
			t.Fatal(err)
		}
		products := 0
		for _, q := range d.Probes {
			products += len(q.Nodes)
			if len(q.Weights) != len(q.Nodes) || !slices.IsSorted(q.Nodes) || !(floats.Min(q.Weights) >= 0) || !(math.Abs(floats.Sum(q.Weights)-1) <= 1e-14) {
				t.Errorf("%s: %+v", name, q)
			}
			rounded := 1e-13 * size(spectrum)
			if low, high := q.Nodes[0], q.Nodes[len(q.Nodes)-1]; !(low >= slices.Min(spectrum)-rounded) || !(high <= slices.Max(spectrum)+rounded) {
				t.Errorf("%s: nodes from %v to %v", name, low, high)
			}
		}
		if d.Products != products || name == "identity" && products != 3 {
			t.Errorf("%s: %d products, %d nodes", name, d.Products, products)
		}
	}
}

// The intervals hold tr(A^q)/n in 95% of the repetitions.
func TestMomentIntervalsCover(t *testing.T) {
	spectrum := floats.Span(make([]float64, 40), -1, 2)
	a := withSpectrum(spectrum, seeded(5))
	for exponent := 1; exponent <= 6; exponent++ {
		inside := coverage(t, meanOf(spectrum, power(exponent)), func(random *rand.Rand) (Estimate, error) {
			d, err := StochasticLanczos(context.Background(), a, 4, 8, random)
			if err != nil {
				return Estimate{}, err
			}
			return d.Integral(power(exponent)), nil
		})
		t.Logf("moment %d: %d of %d", exponent, inside, repetitions)
		if inside < fewestInside || inside > mostInside {
			t.Errorf("moment %d: %d of %d intervals hold it", exponent, inside, repetitions)
		}
	}
}

// Many probes, steps to the end: the density and the distribution are those of the
// eigenvalues within the error bars, and the bars are narrow.
func TestDensityAndDistribution(t *testing.T) {
	spectrum := slices.Concat(make([]float64, 20), floats.Span(make([]float64, 30), 1, 2), []float64{-1, 5})
	a := withSpectrum(spectrum, seeded(6))
	d, err := StochasticLanczos(context.Background(), a, len(spectrum), 200, seeded(7))
	if err != nil {
		t.Fatal(err)
	}
	const width = 0.2
	grid := floats.Span(make([]float64, 81), -2.97, 6.98)
	smoothed, cumulative := d.Smoothed(grid, width), d.Cumulative(grid)
	var mass float64
	for i, at := range grid {
		density := meanOf(spectrum, func(v float64) float64 {
			return math.Exp(-(v-at)*(v-at)/(2*width*width)) / math.Sqrt(2*math.Pi*width*width)
		})
		if e := smoothed[i]; !(math.Abs(e.Value-density) <= 4.5*e.SE+1e-12) || !(e.SE <= 0.02) {
			t.Errorf("density at %v: %v ± %v, want %v", at, e.Value, e.SE, density)
		}
		share := meanOf(spectrum, func(v float64) float64 {
			if v <= at {
				return 1
			}
			return 0
		})
		if e := cumulative[i]; !(math.Abs(e.Value-share) <= 4.5*e.SE+1e-12) || !(e.SE <= 0.01) {
			t.Errorf("share below %v: %v ± %v, want %v", at, e.Value, e.SE, share)
		}
		if mass += smoothed[i].Value * (grid[1] - grid[0]); i > 0 && !(cumulative[i].Value >= cumulative[i-1].Value) {
			t.Errorf("the distribution falls at %v", at)
		}
	}
	if !(math.Abs(mass-1) <= 1e-10) || cumulative[0].Value != 0 || !(math.Abs(cumulative[80].Value-1) <= 1e-13) {
		t.Errorf("mass %v, distribution from %v to %v", mass, cumulative[0].Value, cumulative[80].Value)
	}
}

// Fewer steps than eigenvalues are enough for a smooth density: the error of the
// quadrature falls below that of the probes.
func TestFewStepsSuffice(t *testing.T) {
	spectrum := floats.Span(make([]float64, 80), -1, 1)
	a := withSpectrum(spectrum, seeded(8))
	grid := floats.Span(make([]float64, 9), -1.2, 1.2)
	worst := func(steps int) (worst float64) {
		few, err := StochasticLanczos(context.Background(), a, steps, 5, seeded(9))
		if err != nil {
			t.Fatal(err)
		}
		all, err := StochasticLanczos(context.Background(), a, 80, 5, seeded(9))
		if err != nil {
			t.Fatal(err)
		}
		want := all.Smoothed(grid, 0.3)
		for i, e := range few.Smoothed(grid, 0.3) {
			worst = max(worst, math.Abs(e.Value-want[i].Value))
		}
		return worst
	}
	if five, twenty := worst(5), worst(20); !(twenty <= 1e-7) || !(five >= 1e-3) {
		t.Errorf("errors %v with 5 steps, %v with 20", five, twenty)
	}
}
