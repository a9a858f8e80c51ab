package curvature

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"sobolev/linop"
)

// SharpnessOptions say which batches are drawn and how many.
type SharpnessOptions struct {
	// Batch is B; batches are uniform subsets of B samples, or with Replacement B
	// independent samples.
	Batch       int
	Replacement bool
	// FullHessian takes H_B for the Hessian of the batch's loss; otherwise it is its
	// Gauss–Newton matrix. They agree near interpolation.
	FullHessian bool
	// Batches are drawn until the standard errors are below RelativeSE of the
	// estimates, at least MinBatches and at most MaxBatches of them; 0 means 10, 500
	// and 0.005.
	MinBatches, MaxBatches int
	RelativeSE             float64
}

func (o SharpnessOptions) resolved() SharpnessOptions {
	if o.MinBatches == 0 {
		o.MinBatches = 10
	}
	if o.MaxBatches == 0 {
		o.MaxBatches = max(500, o.MinBatches)
	}
	if o.RelativeSE == 0 {
		o.RelativeSE = 0.005
	}
	return o
}

// BatchSharpness holds both definitions of the sharpness that SGD's batches see,
// with the gradient g_B and the curvature H_B of the loss of a batch:
//
//	bs_ratio_mean     = E_B[g_Bᵀ H_B g_B / ‖g_B‖²],
//	bs_ratio_of_means = E_B[g_Bᵀ H_B g_B] / E_B[‖g_B‖²].
//
// Training at the edge of stochastic stability keeps it near 2/η (Andreyev &
// Beneventano, 2024, arXiv 2412.20553, whose text and code use one each). With
// B = 1, c = 1 and Gauss–Newton curvature the first is Tr H.
type BatchSharpness struct {
	RatioMean    linop.Estimate
	RatioOfMeans linop.Estimate
	// Curvature is "gauss-newton" or "hessian": what H_B is.
	Curvature string
	// Warnings say why a value is NaN, or that a standard error stayed large.
	Warnings []string
}

// BatchSharpness estimates them from random batches. The interval of the ratio of
// means is that of the delta method. A batch with g_B = 0 leaves the mean of ratios
// undefined: NaN. It fails where ctx is done or something is not finite.
func (p *Point) BatchSharpness(ctx context.Context, opt SharpnessOptions, random *rand.Rand) (BatchSharpness, error) {
	opt = opt.resolved()
	p.checkBatch(opt)
	defer p.diff.Select(nil)
	h, b := p.GaussNewton(), BatchSharpness{Curvature: "gauss-newton"}
	if opt.FullHessian {
		h, b.Curvature = p.Hessian(), "hessian"
	}
	draw := p.batches(opt, random)
	g, hg := make([]float64, p.Parameters()), make([]float64, p.Parameters())
	var forms, norms, ratios []float64
	zero, done := false, false
	for !done && len(forms) < opt.MaxBatches {
		if err := ctx.Err(); err != nil {
			return b, err
		}
		p.diff.Select(draw())
		p.gradient(g)
		h.Apply(hg, g)
		form, norm := floats.Dot(g, hg), squares(g)
		if math.IsNaN(form) || math.IsInf(form, 0) {
			return b, errors.New("a batch's gradient or curvature is not finite")
		}
		forms, norms, ratios = append(forms, form), append(norms, norm), append(ratios, form/norm)
		zero = zero || norm == 0
		if len(forms) >= opt.MinBatches {
			b.RatioMean, b.RatioOfMeans = meanOf(ratios), ratioOf(forms, norms)
			done = precise(b.RatioOfMeans, opt) && (zero || precise(b.RatioMean, opt))
		}
	}
	if zero {
		b.Warnings = append(b.Warnings, "a batch's gradient is zero: bs_ratio_mean is not defined")
	}
	if floats.Max(norms) == 0 {
		b.Warnings = append(b.Warnings, "every batch's gradient is zero: bs_ratio_of_means is not defined")
	} else if !done {
		b.Warnings = append(b.Warnings, "the standard error of batch sharpness is above its limit after the largest number of batches")
	}
	return b, nil
}

// GradientNoiseInteraction estimates GNI = E_B[g_Bᵀ ∇²L g_B]/‖∇L‖², with the gradients
// of batches and the Hessian (opt.FullHessian) or Gauss–Newton matrix of all data
// (Andreyev & Beneventano, 2024). It is NaN, with a warning, where ∇L is zero.
func (p *Point) GradientNoiseInteraction(ctx context.Context, opt SharpnessOptions, random *rand.Rand) (gni linop.Estimate, warnings []string, err error) {
	opt = opt.resolved()
	p.checkBatch(opt)
	defer p.diff.Select(nil)
	h := p.GaussNewton()
	if opt.FullHessian {
		h = p.Hessian()
	}
	draw := p.batches(opt, random)
	g, hg := make([]float64, p.Parameters()), make([]float64, p.Parameters())
	p.gradient(g)
	norm := squares(g)
	if norm == 0 {
		nan := math.NaN()
		return linop.Estimate{Value: nan, SE: nan, CI95: [2]float64{nan, nan}}, []string{"the gradient of the loss is zero: the gradient-noise interaction is not defined"}, nil
	}
	var values []float64
	for len(values) < opt.MaxBatches {
		if err := ctx.Err(); err != nil {
			return gni, nil, err
		}
		p.diff.Select(draw())
		p.gradient(g)
		p.diff.Select(nil)
		h.Apply(hg, g)
		v := floats.Dot(g, hg) / norm
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return gni, nil, errors.New("the gradient-noise interaction is not finite")
		}
		values = append(values, v)
		if len(values) < opt.MinBatches {
			continue
		}
		if gni = meanOf(values); precise(gni, opt) {
			return gni, nil, nil
		}
	}
	return gni, []string{"the standard error of the gradient-noise interaction is above its limit after the largest number of batches"}, nil
}

func (p *Point) checkBatch(opt SharpnessOptions) {
	if opt.Batch < 1 || !opt.Replacement && opt.Batch > p.Samples() {
		panic("curvature: a batch must have 1 to n samples")
	}
	if opt.MinBatches < 2 || opt.MaxBatches < opt.MinBatches || opt.RelativeSE < 0 {
		panic("curvature: at least two batches, and a limit above the least number of them")
	}
}

// batches returns a function that draws one batch after the other. The slice is
// used again.
func (p *Point) batches(opt SharpnessOptions, random *rand.Rand) func() []int {
	all, with := make([]int, p.Samples()), make([]int, opt.Batch)
	for i := range all {
		all[i] = i
	}
	return func() []int {
		if opt.Replacement {
			for i := range with {
				with[i] = random.IntN(len(all))
			}
			return with
		}
		for i := range opt.Batch {
			j := i + random.IntN(len(all)-i)
			all[i], all[j] = all[j], all[i]
		}
		return all[:opt.Batch]
	}
}

// gradient computes the gradient of the selected samples' loss in the parameters
// that count.
func (p *Point) gradient(dst []float64) {
	full := make([]float64, p.net.ParameterCount())
	p.diff.Gradient(full)
	copy(dst, full[p.from:p.to])
}

func precise(e linop.Estimate, opt SharpnessOptions) bool {
	return e.SE <= opt.RelativeSE*math.Abs(e.Value)
}

// meanOf is the mean of at least two draws with Student's interval.
func meanOf(draws []float64) linop.Estimate {
	mean, deviation := stat.MeanStdDev(draws, nil)
	return estimate(mean, deviation, len(draws))
}

// ratioOf is the ratio of the means of x and y. By the delta method its deviation is
// that of x − r y over the mean of y.
func ratioOf(x, y []float64) linop.Estimate {
	mean := stat.Mean(y, nil)
	r := stat.Mean(x, nil) / mean
	rest := make([]float64, len(x))
	for i := range rest {
		rest[i] = x[i] - r*y[i]
	}
	return estimate(r, stat.StdDev(rest, nil)/mean, len(x))
}

func estimate(value, deviation float64, draws int) linop.Estimate {
	se := deviation / math.Sqrt(float64(draws))
	reach := se * distuv.StudentsT{Sigma: 1, Nu: float64(draws - 1)}.Quantile(0.975)
	return linop.Estimate{Value: value, SE: se, CI95: [2]float64{value - reach, value + reach}, Draws: draws}
}
