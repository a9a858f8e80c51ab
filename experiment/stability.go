package experiment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"sobolev/curvature"
	"sobolev/linop"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/stability"
)

// highestOrder is the largest order of stability that is decided.
const highestOrder = stability.MaxOrder

// study measures curvature and stability of one solution in float64, in units of
// the configured loss.
type study struct {
	*rundir.Result
	point    *curvature.Point
	net      *nn.Network[float64]
	data     nn.Data[float64]
	test     nn.Data[float64] // N = 0 without one
	options  rundir.StabilityOptions
	eta      float64
	batch    int
	sampling stability.Sampling
	memory   int64
	seed     uint64
	rng      *rand.Rand
	given    givenConstants // of an audit
}

// measureStability fills in r's curvature and stability. What cannot be computed
// of these weights is a warning; errors are those of ctx alone.
func (e *Experiment) measureStability(ctx context.Context, r *rundir.Result, net *nn.Network[float32], p rundir.Point, loss nn.Loss) error {
	s := &study{Result: r, net: nn.Float64(net), data: e.train64(), test: e.test64(), options: *e.config.Measure.StabilityOptions(),
		eta: p.LearningRate, batch: p.BatchSize, memory: e.memory, seed: stream(p.Seed, stabilityPurpose, p.Repetition)}
	if s.batch == 0 {
		s.batch = s.data.N
	}
	s.rng = generator(s.seed)
	var err error
	if s.sampling, err = stability.ParseSampling(p.SGD.Sampling); err != nil {
		return err
	}
	s.warnOfMethod(p)
	if s.point, err = curvature.At(s.net, s.data, loss, s.memory); err == nil {
		err = s.measure(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.warn("stability: " + err.Error())
		s.Stability = nil
	}
	return nil
}

func (s *study) warn(texts ...string) {
	for _, t := range texts {
		if !slices.Contains(s.Warnings, t) {
			s.Warnings = append(s.Warnings, t)
		}
	}
}

// warnAbout adds the warnings of one key of the result.
func (s *study) warnAbout(key string, texts []string) {
	for _, t := range texts {
		s.warn(key + ": " + t)
	}
}

// warnOfMethod says where the training was not the plain SGD of the theory.
func (s *study) warnOfMethod(p rundir.Point) {
	if p.Method != "sgd" && p.Method != "gd" || p.SGD.Momentum != 0 || p.SGD.WeightDecay != 0 {
		s.warn("stability is that of plain SGD at the same learning rate and batch size; the training had another method, momentum or weight decay")
	}
	if s.sampling == stability.Epochs {
		s.warn("stability: batches of an epoch depend on each other, which no exact theory describes; thresholds are those of independent batches without replacement")
	}
}

func (s *study) measure(ctx context.Context) error {
	samples, err := s.point.SampleStatistics()
	if err != nil {
		return err
	}
	nc := s.point.Samples() * s.point.Outputs()
	var ev stability.Evidence
	// K, Q and what a threshold takes.
	need := stability.MeanSquareMemory(s.point.Samples(), s.point.Outputs()) + 2*8*int64(nc)*int64(nc)
	if nc <= s.options.ExactLimit && need <= s.memory {
		ev, err = s.exact(ctx)
	} else {
		ev, err = s.bracketed(ctx, samples)
	}
	if err != nil {
		return err
	}
	if err := s.residualShare(ctx); err != nil {
		return err
	}
	sums, err := s.coordinates(ev.Upper)
	if err != nil {
		return err
	}
	s.orders(ev)
	g, err := s.newNorms(slices.Max(s.MeasuredOrders))
	if err != nil {
		return err
	}
	s.boundsOfStability(g, sums)
	if !s.options.Bounds {
		return nil
	}
	layers, err := s.firstLayers(g)
	if err != nil {
		return err
	}
	s.boundsAtTheData(layers, g)
	if s.options.Radius == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	return s.boundsAroundTheData(ctx, layers, g)
}

// exact works in the full Gram matrix.
func (s *study) exact(ctx context.Context) (stability.Evidence, error) {
	var ev stability.Evidence
	k, err := s.point.Gram()
	if err != nil {
		return ev, err
	}
	gram := stability.Gram{N: s.point.Samples(), C: s.point.Outputs(), K: k}
	span, err := stability.NewSpan(gram)
	if err != nil {
		return ev, err
	}
	if span.Rank == 0 {
		return ev, fmt.Errorf("all gradients are zero: every learning rate is stable, and there are no thresholds")
	}
	nonUniformity, err := span.NonUniformity()
	if err != nil {
		return ev, err
	}
	s.setCurvature(span.Lambda[0]/float64(gram.N), nonUniformity)
	s.Curvature.Rank = &span.Rank
	w := s.point.Parameters()
	ev.LambdaMax, ev.WholeSpace, ev.Upper = span.Lambda[0]/float64(gram.N), span.Rank == w, map[int]float64{}
	if ev.MeanSquare, err = span.MeanSquareThreshold(s.sampling, s.batch, s.memory); err != nil {
		return ev, err
	}
	ev.AllOrders = stability.AllOrdersThreshold(gram, ev.LambdaMax, s.sampling, s.batch)
	radius, err := span.SpectralRadius2(s.eta, s.sampling, s.batch, ev.MeanSquare, s.memory)
	if err != nil {
		return ev, err
	}
	proposition1, err := span.Proposition1Threshold(s.sampling, s.batch)
	if err != nil {
		return ev, err
	}
	for order := 3; order <= highestOrder; order++ {
		ev.Upper[order], _ = span.DirectionalThreshold(order, s.sampling, s.batch)
		if ctx.Err() != nil {
			return ev, ctx.Err()
		}
	}
	s.Spectrum = spectrum(span)
	if err := s.layerCurvature(ctx); err != nil {
		return ev, err
	}
	s.setThresholds(ev, span.MeanThreshold())
	s.Stability.SpectralRadius2 = rundir.Number(radius.Value)
	s.Stability.SpectralRadius2Full = rundir.Number(span.FullRadius(radius.Value, w))
	s.Stability.WuMaE.EtaProposition1 = rundir.BoundedValue{Value: rundir.Number(proposition1.Lower), Bound: true}
	s.warnAbout("spectral_radius_2", radius.Warnings)
	s.warnAbout("eta_proposition_1", proposition1.Warnings)
	if err := s.frontier(span); err != nil {
		return ev, err
	}
	s.lyapunov(span, ev.MeanSquare)
	return ev, ctx.Err()
}

// spectrumSize is the number of eigenvalues that a result lists.
const spectrumSize = 100

func spectrum(span *stability.Span) *rundir.Spectrum {
	var values []rundir.Number
	for _, l := range span.Lambda[:min(spectrumSize, span.Rank)] {
		values = append(values, rundir.Number(l/float64(span.N)))
	}
	return &rundir.Spectrum{Eigenvalues: values}
}

func (s *study) layerCurvature(ctx context.Context) error {
	for i, name := range s.point.Layers() {
		layer := s.point.Layer(i)
		top, err := layer.Leading(ctx, layer.GaussNewton(), linop.Largest, 1, curvature.Options{Tolerance: 1e-3}, s.rng)
		if err != nil {
			return err
		}
		s.Curvature.Layers = append(s.Curvature.Layers, rundir.LayerCurvature{Name: name, LambdaMax: rundir.Number(top.Pairs[0].Value)})
	}
	return nil
}

// frontier finds the mean-square thresholds of other batch sizes.
func (s *study) frontier(span *stability.Span) error {
	batches := frontierBatches(s.options.Frontier, span.N, s.batch)
	brackets, err := span.Frontier(s.sampling, batches, s.memory)
	if err != nil {
		return err
	}
	for i, b := range brackets {
		s.Stability.Frontier = append(s.Stability.Frontier, rundir.FrontierPoint{BatchSize: batches[i], Threshold: threshold(b)})
	}
	return nil
}

// frontierBatches returns the batch sizes that are asked for, or 1, 10, 100, …, and
// the point's own and n.
func frontierBatches(asked []int, n, batch int) []int {
	batches := []int{batch, n}
	for _, b := range asked {
		if b <= n {
			batches = append(batches, b)
		}
	}
	for b := 1; len(asked) == 0 && b < n; b *= 10 {
		batches = append(batches, b)
	}
	slices.Sort(batches)
	return slices.Compact(batches)
}

// lyapunovMultiples of η*_var are looked at beside the point's own learning rate:
// typical paths return beyond the mean-square threshold.
var lyapunovMultiples = []float64{1, 1.5, 2, 3}

func (s *study) lyapunov(span *stability.Span, meanSquare stability.Bracket) {
	etas := []float64{s.eta}
	if v := meanSquare.Value; v > 0 && !math.IsInf(v, 0) {
		for _, m := range lyapunovMultiples {
			etas = append(etas, m*v)
		}
	}
	for i, l := range span.LyapunovExponents(etas, s.sampling, s.batch, stability.LyapunovOptions{BurnIn: 500, Steps: 4000}, s.rng) {
		s.Stability.Lyapunov = append(s.Stability.Lyapunov, rundir.LyapunovExponent{LearningRate: rundir.Number(etas[i]), Estimate: rundir.Estimate{
			Value: rundir.Number(l.Value), SE: rundir.Number(l.SE), CI95: [2]rundir.Number{rundir.Number(l.CI95[0]), rundir.Number(l.CI95[1])},
			Draws: l.Draws, Seed: s.seed,
		}})
		s.warnAbout("lyapunov", l.Warnings)
	}
}

// krylovColumns is the size of the subspace that upper bounds come from where the
// Gram matrix is too large.
const krylovColumns = 12

// bracketed works with products, in time and memory linear in n.
func (s *study) bracketed(ctx context.Context, samples curvature.Samples) (stability.Evidence, error) {
	var ev stability.Evidence
	blocks, err := s.point.SampleBlocks()
	if err != nil {
		return ev, err
	}
	products := stability.Products{N: s.point.Samples(), C: s.point.Outputs(), W: s.point.Parameters(), Blocks: blocks, Gradients: s.point.Gradients()}
	bounds, err := products.MeanSquareBounds(krylovColumns, s.sampling, s.batch, s.memory, s.rng)
	if err != nil {
		return ev, err
	}
	covariance, err := s.point.Covariance()
	if err != nil {
		return ev, err
	}
	sigma, err := s.point.Leading(ctx, covariance, linop.Largest, 1, curvature.Options{Tolerance: 1e-3}, s.rng)
	if err != nil {
		return ev, err
	}
	s.setCurvature(bounds.Sharpness, math.Sqrt(math.Max(0, sigma.Pairs[0].Value)))
	ev = stability.Evidence{LambdaMax: bounds.Sharpness, MeanSquare: bounds.Bracket, Upper: map[int]float64{}}
	n, largest := float64(products.N), bounds.Sharpness+bounds.SharpnessResidual
	beta := samples.MaxNorm
	if s.sampling != stability.WithReplacement {
		beta = math.Min(beta, n/float64(s.batch)*largest)
	}
	ev.AllOrders = stability.Bracket{Value: bounds.Upper, Lower: 2 / beta, Upper: bounds.Upper}
	s.setThresholds(ev, 2/bounds.Sharpness)
	s.Stability.SpectralRadius2, s.Stability.SpectralRadius2Full = notKnown, notKnown
	s.Stability.WuMaE.EtaProposition1 = rundir.BoundedValue{Value: rundir.Number(bounds.Simple), Bound: true}
	s.warn(fmt.Sprintf("n·c = %d is above measure.exact_limit or too large for the memory: thresholds are brackets, eta_proposition_1 is the simple sufficient condition below it, and spectral_radius_2, frontier and lyapunov are left out",
		products.N*products.C))
	return ev, ctx.Err()
}

func (s *study) setCurvature(lambdaMax, nonUniformity float64) {
	l, u := rundir.Number(lambdaMax), rundir.Number(nonUniformity)
	s.Curvature.LambdaMax, s.Curvature.NonUniformity = &l, &u
}

func (s *study) setThresholds(ev stability.Evidence, mean float64) {
	s.Stability = &rundir.Stability{
		EtaMean:      rundir.Number(mean),
		EtaVar:       threshold(ev.MeanSquare),
		EtaAllOrders: rundir.Bracket{Lower: rundir.Number(ev.AllOrders.Lower), Upper: rundir.Number(ev.AllOrders.Upper), Exact: ev.AllOrders.Exact},
		WuMaE: rundir.WuMaE{
			SharpnessLimit:     rundir.Number(stability.SharpnessLimit(s.eta)),
			NonUniformityLimit: rundir.Number(stability.NonUniformityLimit(s.eta, s.point.Samples(), s.sampling, s.batch)),
		},
	}
	s.warnAbout("eta_var", ev.MeanSquare.Warnings)
	s.warnAbout("eta_all_orders", ev.AllOrders.Warnings)
}

func threshold(b stability.Bracket) rundir.Threshold {
	return rundir.Threshold{Value: rundir.Number(b.Value), Lower: rundir.Number(b.Lower), Upper: rundir.Number(b.Upper), Exact: b.Exact}
}

// residualShare measures how far the Gauss–Newton matrix is from the Hessian.
func (s *study) residualShare(ctx context.Context) error {
	l, err := s.point.Leading(ctx, s.point.Residual(), linop.LargestMagnitude, 1, curvature.Options{Tolerance: 1e-2}, s.rng)
	if err != nil {
		return err
	}
	share := rundir.Number(math.Abs(l.Pairs[0].Value) / float64(*s.Curvature.LambdaMax))
	s.Curvature.ResidualShare = &share
	if !s.Fit.Interpolates {
		s.warn(fmt.Sprintf("stability: the solution does not interpolate; thresholds are those of its Gauss–Newton matrix, from which the Hessian differs by a share of %.3g (residual_share)", float64(share)))
	}
	return nil
}

// coordinates lowers the upper bounds of the orders to the least threshold of a
// single parameter, and returns the sums of powers of J that they come from; nil
// where these need too much memory. η and J count in the product s·η·J² alone, so
// that J is as good as √s J with s·η.
func (s *study) coordinates(upper map[int]float64) ([]float64, error) {
	sums, err := s.net.CoordinateSums(s.data, highestOrder, s.memory)
	if err != nil {
		s.warn("stability: thresholds of single parameters are left out: " + err.Error())
		return nil, nil
	}
	w := len(sums) / highestOrder
	for order := 3; order <= highestOrder; order++ {
		eta, _, err := stability.CoordinateThreshold(sums, w, order, s.point.Samples(), s.sampling, s.batch)
		if err != nil {
			return nil, err
		}
		eta /= s.point.Scale()
		if had, ok := upper[order]; !ok || eta < had {
			upper[order] = eta
		}
	}
	return sums, nil
}

// orders decides every order from what is known.
func (s *study) orders(ev stability.Evidence) {
	for _, o := range stability.Orders(s.eta, highestOrder, ev) {
		out := rundir.Order{K: o.K, EtaLower: rundir.Number(o.EtaLower), EtaUpper: rundir.Number(o.EtaUpper), Exact: o.Exact}
		if o.Stable != stability.Undecided {
			stable, margin := o.Stable == stability.Stable, rundir.Number(o.Margin)
			out.Stable, out.Margin = &stable, &margin
		}
		s.Stability.Orders = append(s.Stability.Orders, out)
	}
}
