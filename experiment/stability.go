package experiment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"sobolev/curvature"
	"sobolev/dataset"
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
	point *curvature.Point
	net   *nn.Network[float64]
	data  nn.Data[float64]
	test  nn.Data[float64] // N = 0 without one
	// shape is that of one input, and preprocessing what was done to them.
	shape         []int
	preprocessing dataset.Preprocessing
	options       rundir.StabilityOptions
	eta           float64
	batch         int
	sampling      stability.Sampling
	memory        int64
	seed          uint64
	rng           *rand.Rand
	norms         *norms         // nil before they are measured
	given         givenConstants // of an audit
}

// measuredCopies is how often something of the size of the parameters is held in
// float64 throughout: they, a direction and products, each as they are and packed for
// the kernels.
const measuredCopies = 9

// measureStability fills in r's curvature and stability, as study.run does.
func (e *Experiment) measureStability(ctx context.Context, r *rundir.Result, net *nn.Network[float32], p rundir.Point, loss nn.Loss) error {
	s := &study{Result: r, net: nn.Float64(net), data: e.train64(), test: e.test64(), shape: e.shape, preprocessing: e.preprocessing, options: *e.config.Measure.StabilityOptions(),
		eta: p.LearningRate, batch: p.BatchSize, memory: e.memory, seed: stream(p.Seed, stabilityPurpose, p.Repetition)}
	if s.batch == 0 {
		s.batch = s.data.N
	}
	var err error
	if s.sampling, err = stability.ParseSampling(p.SGD.Sampling); err != nil {
		return err
	}
	s.warnOfMethod(p)
	return s.run(ctx, loss)
}

// run measures everything. What cannot be computed of these weights is a warning;
// errors are those of ctx alone.
func (s *study) run(ctx context.Context, loss nn.Loss) error {
	s.memory = max(0, s.memory-8*measuredCopies*int64(s.net.ParameterCount()))
	s.rng = generator(s.seed)
	var err error
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
	nc := s.point.Samples() * s.point.Outputs()
	// K, Q and what a threshold takes.
	need := stability.MeanSquareMemory(s.point.Samples(), s.point.Outputs()) + 2*8*int64(nc)*int64(nc)
	bracketed := nc > s.options.ExactLimit || need > s.memory
	var gradients *curvature.Gradients
	if bracketed {
		gradients = s.point.Gradients() // whose factors are most of what samples take
	}
	samples, err := s.point.SampleStatistics()
	if err != nil {
		return err
	}
	if !s.point.Loss().Squared() { // the moments are those of the outputs
		s.Curvature.Trace = rundir.Number(samples.Trace)
	}
	var ev stability.Evidence
	if bracketed {
		ev, err = s.bracketed(ctx, gradients, samples)
	} else {
		ev, err = s.exact(ctx)
	}
	if err != nil {
		return err
	}
	s.point.Release() // what follows multiplies with no gradients
	if err := s.residualShare(ctx); err != nil {
		return err
	}
	s.point.Release()
	sums, err := s.coordinates(ev)
	if err != nil {
		return err
	}
	s.orders(ev)
	g, err := s.gradientNorms(slices.Max(s.MeasuredOrders))
	if err != nil {
		return err
	}
	s.boundsOfStability(g, sums)
	if !s.options.Bounds {
		return nil
	}
	layers := s.firstLayers(g)
	s.boundsAtTheData(layers, g)
	if s.options.Radius == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.boundsAroundTheData(ctx, layers, g); err != nil && ctx.Err() == nil {
		s.warn("bounds around the data are left out: " + err.Error())
	}
	return ctx.Err()
}

// exact works in the full Gram matrix.
func (s *study) exact(ctx context.Context) (stability.Evidence, error) {
	var ev stability.Evidence
	k, err := s.point.Gram()
	if err != nil {
		return ev, err
	}
	gram := stability.Gram{N: s.point.Samples(), C: s.point.Outputs(), K: k, Workers: s.net.Workers}
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
	s.setFrontier(batches, brackets)
	return nil
}

func (s *study) setFrontier(batches []int, brackets []stability.Bracket) {
	for i, b := range brackets {
		s.Stability.Frontier = append(s.Stability.Frontier, rundir.FrontierPoint{BatchSize: batches[i], Threshold: threshold(b)})
	}
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
func (s *study) bracketed(ctx context.Context, gradients *curvature.Gradients, samples curvature.Samples) (stability.Evidence, error) {
	var ev stability.Evidence
	blocks, err := s.point.SampleBlocks()
	if err != nil {
		return ev, err
	}
	products := stability.Products{N: s.point.Samples(), C: s.point.Outputs(), W: s.point.Parameters(), Blocks: blocks, Gradients: gradients,
		Search:   func(samples []int) (stability.Gradients, error) { return s.point.Gradients32(samples) },
		Frontier: frontierBatches(s.options.Frontier, s.point.Samples(), s.batch), Workers: s.net.Workers}
	bounds, err := products.MeanSquareBounds(krylovColumns, s.sampling, s.batch, s.point.Memory(), s.rng)
	if err != nil {
		return ev, err
	}
	covariance, err := s.point.Covariance32()
	if err != nil {
		return ev, err
	}
	sigma, err := s.point.Leading(ctx, covariance, linop.Largest, 1, curvature.Options{Tolerance: 1e-3}, s.rng)
	if err != nil {
		return ev, err
	}
	s.warnOfEigenvalue("non_uniformity", sigma)
	s.setCurvature(bounds.Sharpness, math.Sqrt(math.Max(0, sigma.Pairs[0].Value)))
	// The rank is not known: with enough gradients it may be w.
	ev = stability.Evidence{LambdaMax: bounds.Sharpness, MeanSquare: bounds.Bracket, Upper: map[int]float64{},
		WholeSpace: products.W <= products.N*products.C}
	n, largest := float64(products.N), bounds.Sharpness+bounds.SharpnessResidual
	beta := samples.MaxNorm
	if s.sampling != stability.WithReplacement {
		beta = math.Min(beta, n/float64(s.batch)*largest)
	}
	ev.AllOrders = stability.Bracket{Value: bounds.Upper, Lower: 2 / beta, Upper: bounds.Upper}
	s.setThresholds(ev, 2/bounds.Sharpness)
	s.setFrontier(products.Frontier, bounds.Frontier)
	s.Stability.SpectralRadius2, s.Stability.SpectralRadius2Full = notKnown, notKnown
	s.Stability.WuMaE.EtaProposition1 = rundir.BoundedValue{Value: rundir.Number(bounds.Proposition1), Bound: true}
	s.warn(fmt.Sprintf("n·c = %d is above %d (measure.exact_limit) or too large for the memory: thresholds are brackets, eta_proposition_1 is a bound from below of it, and spectral_radius_2 and lyapunov are left out",
		products.N*products.C, s.options.ExactLimit))
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

// warnOfEigenvalue says where the memory left too few vectors for the digits of a
// leading eigenvalue, which the value of a key of the curvature is made of.
func (s *study) warnOfEigenvalue(key string, l *linop.LanczosResult) {
	if first := l.Pairs[0]; !l.Converged {
		s.warn(fmt.Sprintf("curvature.%s has not converged: its eigenvalue is within %.2g%% of one", key, 100*first.Residual/math.Abs(first.Value)))
	}
}

// residualTolerance is that of the residual part's eigenvector: the eigenvalue is off
// by its square over the gap to the next, a percent or so, and nothing is decided by it.
const residualTolerance = 5e-2

// residualShare measures how far the Gauss–Newton matrix is from the Hessian, in
// float32 unless something overflows there.
func (s *study) residualShare(ctx context.Context) error {
	opt := curvature.Options{Tolerance: residualTolerance}
	l, err := s.point.LeadingResidual(ctx, opt, s.rng)
	if err != nil && ctx.Err() == nil {
		l, err = s.point.Leading(ctx, s.point.Residual(), linop.LargestMagnitude, 1, opt, s.rng)
	}
	if err != nil && ctx.Err() == nil {
		s.warn("curvature.residual_share is left out: " + err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	s.warnOfEigenvalue("residual_share", l)
	share := rundir.Number(math.Abs(l.Pairs[0].Value) / float64(*s.Curvature.LambdaMax))
	s.Curvature.ResidualShare = &share
	if !s.Fit.Interpolates && s.point.Loss().Squared() {
		s.warn(fmt.Sprintf("stability: the solution does not interpolate; thresholds are those of its Gauss–Newton matrix, from which the Hessian differs by a share of %.3g (residual_share)", float64(share)))
	}
	return nil
}

// fewestSums is the least number of orders of CoordinateSums: where gradients are of
// the size of one, sums of three orders bound those of higher ones well.
const fewestSums = 3

// coordinates lowers the upper bounds of the orders to the least threshold of a
// single parameter, and returns the sums of powers of J that they come from, a row for
// each order that is measured and perhaps for more; nil where these need too much
// memory. Sums of higher orders are for those of a threshold that they may lower. η and
// J count in the product s·η·J² alone, so that J is as good as √s J with s·η.
func (s *study) coordinates(ev stability.Evidence) ([]float64, error) {
	w, n, scale := s.net.ParameterCount(), s.point.Samples(), s.point.Scale()
	orders := min(max(fewestSums, slices.Max(s.MeasuredOrders)), highestOrder)
	sums, err := s.net.CoordinateSums(s.data, s.point.Loss(), orders, s.memory)
	if err != nil {
		s.warn("stability: thresholds of single parameters are left out: " + err.Error())
		return nil, nil
	}
	for order := orders + 1; order <= highestOrder; order++ {
		if stability.CoordinatesAbove(sums, w, order, n, scale*upperEnd(ev, order)) {
			continue
		}
		if all, err := s.net.CoordinateSums(s.data, s.point.Loss(), highestOrder, s.memory); err != nil {
			s.warn(fmt.Sprintf("stability: thresholds of single parameters of orders above %d are left out: %v", orders, err))
		} else {
			sums, orders = all, highestOrder
		}
		break
	}
	for order := 3; order <= orders; order++ {
		eta, _, err := stability.CoordinateThreshold(sums, w, order, n, s.sampling, s.batch)
		if err != nil {
			return nil, err
		}
		ev.Upper[order] = min(eta/scale, upperEnd(ev, order))
	}
	return sums, nil
}

// upperEnd returns the upper bound of a threshold that is known of directions, or of the
// mean square: see stability.Orders.
func upperEnd(ev stability.Evidence, order int) float64 {
	if known, ok := ev.Upper[order]; ok {
		return known
	}
	if ev.WholeSpace || !(ev.MeanSquare.Upper > 0) {
		return math.Inf(1)
	}
	return ev.MeanSquare.Upper
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
