package attack

import (
	"math"
	"slices"
	"testing"

	"sobolev/nn"
)

// drawReverseWeibull draws from F(x) = exp(−((a − x)/b)^c) by its inverse.
func drawReverseWeibull(n int, a, b, c float64, seed uint64) []float64 {
	rng, v := generator(seed), make([]float64, n)
	for i := range v {
		v[i] = a - b*math.Pow(rng.ExpFloat64(), 1/c)
	}
	return v
}

// The fit recovers the distribution that a sample was drawn from, the better the
// larger the sample is.
func TestFitConverges(t *testing.T) {
	const a, b, c, repetitions = 5, 0.8, 3, 15
	previous := math.Inf(1)
	for _, n := range []int{60, 400, 2400} {
		location, scale, shape, rejected := 0.0, 0.0, 0.0, 0
		for r := range uint64(repetitions) {
			f := FitReverseWeibull(drawReverseWeibull(n, a, b, c, r), 1e-14)
			if math.IsInf(f.Location, 1) {
				f.Location, f.Scale, f.Shape = a+1, b+1, c+3 // only small samples look like that
			}
			location += math.Abs(f.Location-a) / repetitions
			scale += math.Abs(f.Scale-b) / repetitions
			shape += math.Abs(f.Shape-c) / repetitions
			if f.PValue < 0.05 {
				rejected++
			}
		}
		if !(location < 0.6*previous) || rejected > 2 {
			t.Errorf("n = %d: mean errors %v, %v, %v; %d of %d fits rejected", n, location, scale, shape, rejected, repetitions)
		}
		if previous = location; n == 2400 && !(location < 0.04 && scale < 0.04 && shape < 0.2) {
			t.Errorf("n = %d: mean errors %v, %v, %v", n, location, scale, shape)
		}
	}
}

// The log likelihood is the sum of the log density's values, the derivative of F,
// and no neighbour has a larger one.
func TestFitIsMaximum(t *testing.T) {
	likelihood := func(x []float64, a, b, c float64) float64 {
		sum := 0.0
		for _, v := range x {
			if v >= a {
				return math.Inf(-1)
			}
			z := (a - v) / b
			sum += math.Log(c/b) + (c-1)*math.Log(z) - math.Pow(z, c)
		}
		return sum
	}
	for seed := range uint64(10) {
		x := drawReverseWeibull(200, 2e-3, 1e-3, 2.5, seed)
		f := FitReverseWeibull(x, 1e-14)
		near(t, "log likelihood", f.LogLikelihood, likelihood(x, f.Location, f.Scale, f.Shape), 1e-9)
		for _, scale := range []float64{0.97, 1, 1.03} {
			for _, shape := range []float64{0.97, 1, 1.03} {
				for _, location := range []float64{-0.03, 0, 0.03} {
					other := likelihood(x, f.Location+location*f.Scale, f.Scale*scale, f.Shape*shape)
					if !(other <= f.LogLikelihood+1e-6) {
						t.Errorf("seed %d: a neighbour has %v, the fit %v", seed, other, f.LogLikelihood)
					}
				}
			}
		}
		moved := FitReverseWeibull(affine(x, 1e6, 3), 1e-14)
		near(t, "location of 1e6 x + 3", moved.Location, 1e6*f.Location+3, 1e-6)
		near(t, "shape of 1e6 x + 3", moved.Shape, f.Shape, 1e-4)
	}
}

func affine(x []float64, a, b float64) []float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] = a*y[i] + b
	}
	return y
}

// What is no reverse Weibull sample says so: equal values, values without an upper
// end (Gumbel), values that pile up at the largest, values in two heaps.
func TestFitDoubts(t *testing.T) {
	if f := FitReverseWeibull([]float64{2, 2, 2}, 1e-14); !f.Degenerate || f.Location != 2 || len(f.Warnings) != 0 {
		t.Errorf("equal values: %+v", f)
	}
	rng, gumbel, heaps := generator(1), make([]float64, 2000), make([]float64, 100)
	for i := range gumbel {
		gumbel[i] = -math.Log(rng.ExpFloat64())
	}
	if f := FitReverseWeibull(gumbel, 1e-14); !math.IsInf(f.Location, 1) || len(f.Warnings) == 0 {
		t.Errorf("a Gumbel sample: %+v", f)
	}
	for i := range heaps {
		heaps[i] = float64(i%2) + 1e-3*rng.Float64()
	}
	if f := FitReverseWeibull(heaps, 1e-14); !(f.PValue < 0.01) || len(f.Warnings) == 0 {
		t.Errorf("two heaps: %+v", f)
	}
	for i := range heaps {
		heaps[i] = min(1, 3*rng.Float64())
	}
	if f := FitReverseWeibull(heaps, 1e-14); f.Shape > 1.01 || len(f.Warnings) == 0 || !(math.Abs(f.Location-1) < 0.01) {
		t.Errorf("values that pile up: %+v", f)
	}
}

// Of n values at the quantiles (i + q)/n of F the distance is max(q, 1 − q)/n; the
// quantiles 1.3581 and 1.6276 of Kolmogorov's distribution are tabulated.
func TestKolmogorov(t *testing.T) {
	r := ReverseWeibull{Location: 1, Scale: 2, Shape: 1.7}
	for q, want := range map[float64]float64{0.2: 0.016, 0.5: 0.01, 0.9: 0.018} {
		x := make([]float64, 50)
		for i := range x {
			p := (float64(i) + q) / float64(len(x))
			x[i] = r.Location - r.Scale*math.Pow(-math.Log(p), 1/r.Shape)
		}
		near(t, "distance", r.distance(x), want, 1e-12)
	}
	const n = 1 << 40
	near(t, "p at 1.3581", kolmogorov(1.3581/math.Sqrt(n), n), 0.05, 1e-5)
	near(t, "p at 1.6276", kolmogorov(1.6276/math.Sqrt(n), n), 0.01, 1e-5)
	near(t, "p at 0.5", kolmogorov(0.5/math.Sqrt(n), n), 0.9639452437, 1e-6)
}

// tanh(w·x + b) is steepest at the point of the ball that is nearest to w·x + b = 0,
// which the sample maxima approach from below.
func TestCLEVEROfOneUnit(t *testing.T) {
	const d, delta = 3, 0.5
	rng := generator(2)
	net := dense[float64](t, rng, d, []int{1}, 1, nn.Tanh)
	// w = (1, 2, 2), b = −2, v = 1: at x = 0 the least |w·x + b| is 2 − 3δ.
	net.SetParameters([]float64{1, 2, 2, -2, 1, 0})
	steepest := 3 * nn.Tanh.Derivative(2-3*delta)
	a := attacker(t, net)
	previous := math.Inf(1)
	for _, size := range []int{10, 100, 1000} {
		got, err := a.CLEVER(make([]float64, d), []float64{1}, Ball{Radius: delta}, 100, size, rng)
		if err != nil {
			t.Fatal(err)
		}
		short := steepest - got.SampleMax
		if !(short >= 0 && short < previous) || got.SampleMax != slices.Max(got.Maxima) {
			t.Errorf("batches of %d: the sample maximum %v is not closer to %v", size, got.SampleMax, steepest)
		}
		previous = short
		if !(got.Lipschitz >= got.SampleMax) {
			t.Errorf("batches of %d: estimate %v below the sample maximum %v", size, got.Lipschitz, got.SampleMax)
		}
		if size == 1000 && !(math.Abs(got.Lipschitz-steepest) <= 0.05*steepest) {
			t.Errorf("estimate %v, the Lipschitz constant is %v", got.Lipschitz, steepest)
		}
	}
	found, err := a.LargestGradient(make([]float64, d), 1, Ball{Radius: delta}, Search{Steps: 30, Restarts: 1}, rng)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "largest gradient", found.Largest[0], steepest, 1e-3)
}
