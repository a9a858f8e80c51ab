package curvature

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"

	"sobolev/nn"
)

// interpolate returns the data with the network's outputs as targets.
func interpolate(t *testing.T, net *nn.Network[float64], data nn.Data[float64]) nn.Data[float64] {
	t.Helper()
	data.Y = make([]float64, data.N*net.Outputs())
	d, err := net.NewDifferential(data, nn.MSE, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	d.Residuals(data.Y)
	return data
}

// With one sample in a batch, one output and Gauss–Newton curvature every ratio is
// ‖a_i‖², so that the mean over the samples is Tr H, wherever the targets are; with
// all samples both definitions are the Rayleigh quotient of ∇L.
func TestBatchSharpnessInClosedForm(t *testing.T) {
	_, net, data := readGolden(t, "fnn-scalar")
	for i := range data.Y {
		data.Y[i] += 0.01 * float64(i+1)
	}
	for _, loss := range []nn.Loss{nn.HalfMSE, nn.MSE} {
		p, err := At(net, data, loss, 1<<26)
		if err != nil {
			t.Fatal(err)
		}
		stats, err := p.SampleStatistics()
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.BatchSharpness(t.Context(), SharpnessOptions{Batch: 1, MaxBatches: 20000}, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Warnings) > 0 || b.Curvature != "gauss-newton" || !(b.RatioMean.SE <= 0.005*b.RatioMean.Value) {
			t.Errorf("%+v", b)
		}
		near(t, "bs_ratio_mean", b.RatioMean.Value, stats.Trace, 0.02, 0) // four standard errors

		for _, full := range []bool{false, true} {
			b, err = p.BatchSharpness(t.Context(), SharpnessOptions{Batch: data.N, FullHessian: full}, rand.New(rand.NewPCG(1, 2)))
			if err != nil {
				t.Fatal(err)
			}
			h := p.GaussNewton()
			if full {
				h = p.Hessian()
			}
			g, hg := make([]float64, p.Parameters()), make([]float64, p.Parameters())
			p.gradient(g)
			h.Apply(hg, g)
			want := floats.Dot(g, hg) / floats.Dot(g, g)
			near(t, "bs_ratio_mean", b.RatioMean.Value, want, 1e-11, 0)
			near(t, "bs_ratio_of_means", b.RatioOfMeans.Value, want, 1e-11, 0)
			if b.RatioMean.Draws != 10 {
				t.Errorf("%d batches for a number without noise", b.RatioMean.Draws)
			}
		}
	}
}

// Both definitions and GNI against all batches of two samples, with and without
// replacement: the intervals cover them in about 95% of the cases. Those of ratios
// are a little too short for few batches.
func TestBatchSharpnessCoversAllBatches(t *testing.T) {
	p := randomPoint(t, 3)
	n := p.Samples()
	h, g, hg := p.Hessian(), make([]float64, p.Parameters()), make([]float64, p.Parameters())
	p.gradient(g)
	gradient := squares(g)
	for _, replacement := range []bool{false, true} {
		var ratio, form, norm, noise, batches float64
		for i := range n {
			for j := range n {
				if i == j && !replacement {
					continue
				}
				p.diff.Select([]int{i, j})
				p.gradient(g)
				h.Apply(hg, g)
				f := floats.Dot(g, hg)
				p.diff.Select(nil)
				h.Apply(hg, g)
				ratio, form, norm, noise, batches = ratio+f/squares(g), form+f, norm+squares(g), noise+floats.Dot(g, hg), batches+1
			}
		}
		opt := SharpnessOptions{Batch: 2, Replacement: replacement, FullHessian: true, MinBatches: 60, MaxBatches: 60}
		rng := rand.New(rand.NewPCG(7, 7))
		const repetitions, least = 100, 82 // six standard deviations below 95%
		var ratios, means, noises int
		for range repetitions {
			b, err := p.BatchSharpness(t.Context(), opt, rng)
			if err != nil {
				t.Fatal(err)
			}
			gni, _, err := p.GradientNoiseInteraction(t.Context(), opt, rng)
			if err != nil {
				t.Fatal(err)
			}
			ratios += covers(b.RatioMean, ratio/batches)
			means += covers(b.RatioOfMeans, form/norm)
			noises += covers(gni, noise/batches/gradient)
		}
		if ratios < least || means < least || noises < least {
			t.Errorf("replacement %v: of %d intervals %d cover bs_ratio_mean, %d bs_ratio_of_means, %d GNI", replacement, repetitions, ratios, means, noises)
		}
	}
}

// GNI of the whole data is the Rayleigh quotient of the gradient.
func TestGradientNoiseInteractionOfAllData(t *testing.T) {
	p := randomPoint(t, 5)
	rng := rand.New(rand.NewPCG(2, 2))
	gni, warnings, err := p.GradientNoiseInteraction(t.Context(), SharpnessOptions{Batch: p.Samples()}, rng)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	b, err := p.BatchSharpness(t.Context(), SharpnessOptions{Batch: p.Samples()}, rng)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "GNI", gni.Value, b.RatioMean.Value, 1e-11, 0)
}

// At exact interpolation gradients vanish and so does every reason for a number.
func TestSharpnessIsUndefinedAtInterpolation(t *testing.T) {
	_, net, data := readGolden(t, "fnn-tiny")
	data = interpolate(t, net, data)
	p, err := At(net, data, nn.MSE, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	opt := SharpnessOptions{Batch: 2, MaxBatches: 20}
	b, err := p.BatchSharpness(t.Context(), opt, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(b.Warnings) != 2 || !math.IsNaN(b.RatioMean.Value) || !math.IsNaN(b.RatioOfMeans.Value) {
		t.Errorf("%+v, %v; want NaN with two reasons", b, err)
	}
	gni, warnings, err := p.GradientNoiseInteraction(t.Context(), opt, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(warnings) != 1 || !math.IsNaN(gni.Value) {
		t.Errorf("GNI %+v, %q, %v; want NaN with a reason", gni, warnings, err)
	}
	// One sample off: the batches without it have no gradient.
	data.Y[0]++
	if p, err = At(net, data, nn.MSE, 1<<26); err != nil {
		t.Fatal(err)
	}
	opt.MaxBatches, opt.RelativeSE = 200, 0.1
	b, err = p.BatchSharpness(t.Context(), opt, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(b.Warnings) != 1 || !math.IsNaN(b.RatioMean.Value) || !(b.RatioOfMeans.Value > 0) {
		t.Errorf("%+v, %v; want a ratio of means alone", b, err)
	}
}

// Few batches leave a warning, and a batch that cannot be drawn panics.
func TestBatchSharpnessDoubts(t *testing.T) {
	p := randomPoint(t, 1)
	b, err := p.BatchSharpness(t.Context(), SharpnessOptions{Batch: 1, MinBatches: 2, MaxBatches: 2, RelativeSE: 1e-12}, rand.New(rand.NewPCG(1, 1)))
	if err != nil || len(b.Warnings) != 1 || b.RatioMean.Draws != 2 {
		t.Errorf("%+v, %v; want a warning", b, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a batch of more than n samples: no panic")
		}
	}()
	p.BatchSharpness(t.Context(), SharpnessOptions{Batch: p.Samples() + 1}, rand.New(rand.NewPCG(1, 1)))
}
