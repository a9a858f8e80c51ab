package experiment

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"sobolev/dataset"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/stability"
)

// Audit measures a network that was trained elsewhere as a run measures its own:
// fit, moments, curvature, stability of SGD at the learning rate and batch size of
// the options, and the bounds of Ma & Ying (2021). Everything is in float64; the
// inputs are the float32 values that the data are read as. Training of the result
// is nil. What does not apply is a warning, and an unstable network is a result
// like any other.
//
// An option that is wrong gives a *rundir.ValueError whose key is the option as
// the command line spells it; other errors are those of the files.
func Audit(ctx context.Context, opt AuditOptions) (*rundir.Result, error) {
	cfg, err := opt.config()
	if err != nil {
		return nil, err
	}
	a := &audit{AuditOptions: opt, config: cfg, memory: cmp.Or(opt.Memory, 2<<30), tolerance: cmp.Or(opt.InterpolationTolerance, interpolationTolerance)}
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	return a.measure(ctx)
}

// audit is an audit with its model and data in memory.
type audit struct {
	AuditOptions
	config    rundir.Config // its parts on training and measuring are resolved
	memory    int64
	tolerance float64

	model       *auditedModel
	net         *nn.Network[float64]
	train, test *dataset.Set // test is nil without one
	available   int          // training samples before the limit
	warnings    []string
}

// load reads the data and the model, and checks that they fit each other, the
// batch size and the memory.
func (a *audit) load(ctx context.Context) error {
	if err := a.loadData(ctx); err != nil {
		return err
	}
	var err error
	if a.model, err = a.readModel(a.train.Shape); err != nil {
		return err
	}
	a.warnings = append(a.warnings, a.model.warnings...)
	if a.net, err = a.model.network(); err != nil {
		return err
	}
	a.net.Workers = a.Workers
	for _, s := range []*dataset.Set{a.train, a.test} {
		if s == nil {
			continue
		}
		if err := a.fit(s); err != nil {
			return err
		}
	}
	if largest := largestInput(a.train.X); largest >= 100 {
		a.warnings = append(a.warnings, fmt.Sprintf("inputs go up to %g: if the model was trained on scaled images, say so, as in --normalize 0,255", largest))
	}
	if n := a.train.Len(); a.BatchSize > n {
		limit := ""
		if n < a.available {
			limit = " that --limit leaves"
		}
		return &rundir.ValueError{Key: "batch", Problem: fmt.Sprintf("%d is above %d, the number of samples%s", a.BatchSize, n, limit)}
	}
	return a.checkMemory()
}

// checkMemory takes off what stays in memory throughout, the data in both precisions,
// and requires of the rest what no measurement does without.
func (a *audit) checkMemory() error {
	values := len(a.train.X) + len(a.train.Y)
	if a.test != nil {
		values += len(a.test.X) + len(a.test.Y)
	}
	var err error
	if a.memory, err = workingMemory(a.memory, int64(values)*(4+8)); err != nil {
		return &rundir.ValueError{Key: "memory", Problem: err.Error() + ", or use fewer samples with --limit"}
	}
	if need := a.net.MeasuringBytes(a.train.Len()); need > a.memory {
		return &rundir.ValueError{Key: "memory", Problem: fmt.Sprintf("blocks of samples in the layers of %s need %.3g MB, and the limit leaves %.3g MB beside the data; raise it, or use fewer samples with --limit", a.Model, float64(need)/1e6, float64(a.memory)/1e6)}
	}
	return nil
}

// measure fills in the result. As in a run, what cannot be computed of these
// weights is a warning.
func (a *audit) measure(ctx context.Context) (*rundir.Result, error) {
	loss, err := nn.ParseLoss(a.config.Loss)
	if err != nil {
		return nil, err
	}
	orders, data := a.config.Measure.Orders, widenData(dataOf(a.train))
	r := &rundir.Result{
		Format: rundir.Format, Model: modelInfo(a.net), Convention: a.convention(loss),
		Data:    rundir.DataInfo{Samples: a.train.Len(), SHA256: digestData(dataOf(a.train), a.testData()), MinNorm: minNorms(a.net, data, orders)},
		Moments: []rundir.Moment{}, Warnings: append([]string{}, a.warnings...),
		MeasuredOrders: orders, MeasuredStability: a.config.Measure.StabilityOptions(),
	}
	if a.train.Len() < a.available {
		r.Data.Available = a.available
	}
	if r.MeasuredModel, err = rundir.FileDigest(a.Model); err != nil {
		return nil, err
	}
	if r.Data.Source, err = a.dataSource(); err != nil {
		return nil, err
	}
	if err := a.measureFit(r, data, loss); err != nil {
		return nil, err
	}
	g := newNorms(data.N, a.net.Outputs(), slices.Max(orders))
	if err := measureMoments(r, a.net, data, loss, orders, a.memory, g); err != nil {
		return nil, err
	}
	if err := a.measureStability(ctx, r, data, loss, g); err != nil {
		return nil, err
	}
	a.limitExactness(r)
	a.explainAbsent(r)
	return r, nil
}

// explainAbsent gives the reasons for sections that are not there.
func (a *audit) explainAbsent(r *rundir.Result) {
	r.Warnings = append(r.Warnings, "training is null: the model was trained elsewhere")
	if s := r.Stability; s != nil && math.IsInf(float64(s.WuMaE.NonUniformityLimit), 0) {
		r.Warnings = append(r.Warnings, "wu_ma_e.non_uniformity_limit is null: there is no limit, since a batch of all samples has no noise")
	}
	if r.Stability != nil && r.Spectrum == nil {
		r.Warnings = append(r.Warnings, "spectrum and rank are null: they come with exact thresholds alone")
	}
	if a.Radius == 0 {
		r.Warnings = append(r.Warnings, "seminorms, geometry, smoothness and robustness are null: they are about balls around the samples, whose radius was not given (--radius)")
	}
}

func (a *audit) convention(loss nn.Loss) rundir.Convention {
	return rundir.Convention{
		Loss:                  a.config.Loss,
		LearningRate:          rundir.Number(a.LearningRate),
		BatchSize:             a.BatchSize,
		EffectiveLearningRate: rundir.Number(loss.EffectiveLearningRate(a.LearningRate, a.net.Outputs())),
		Sampling:              a.config.SGD.Sampling,
		Preprocessing:         a.train.Preprocessing.String(),
		Precision:             "float64",
		Units:                 "learning rate of the configured loss",
	}
}

func (a *audit) measureFit(r *rundir.Result, data nn.Data[float64], loss nn.Loss) error {
	// Every worker has a block of its own.
	a.net.Workers = int(min(int64(a.Workers), a.memory/a.net.MeasuringBytes(data.N)))
	defer func() { a.net.Workers = a.Workers }()
	fit, err := a.net.NewEvaluator().Fit(data, loss)
	if err != nil {
		return fmt.Errorf("%s: %w", a.Data, err)
	}
	if math.IsNaN(fit.Loss) || math.IsInf(fit.Loss, 0) {
		return fmt.Errorf("%s: the loss on %s is not finite: the weights are too large for these inputs", a.Model, a.Data)
	}
	r.Fit = rundir.Fit{
		Loss: rundir.Number(fit.Loss), RelativeLoss: rundir.Number(fit.RelativeLoss), MaxResidual: rundir.Number(fit.MaxResidual),
		// Of targets that are all zero there is no relative loss, but a loss of 0.
		Interpolates: loss.Squared() && (fit.RelativeLoss <= a.tolerance || fit.Loss == 0),
	}
	if math.IsNaN(fit.RelativeLoss) {
		r.Warnings = append(r.Warnings, "fit.relative_loss is null: all targets are zero, and it is relative to them")
	}
	if data.Classification {
		accuracy := rundir.Number(fit.Accuracy)
		r.Fit.Accuracy = &accuracy
	}
	switch {
	case !loss.Squared():
		r.Warnings = append(r.Warnings, "cross-entropy: its gradients vanish nowhere, so that thresholds and curvature are those of a "+notInterpolating+"; relative_loss and max_residual are those of p − y, p = softmax(f), and moments those of the logits f")
	case !r.Fit.Interpolates && math.IsNaN(fit.RelativeLoss):
		r.Warnings = append(r.Warnings, fmt.Sprintf("not interpolating: the targets are zero and the loss is %.3g; the theory of linear stability is about solutions that fit their data", fit.Loss))
	case !r.Fit.Interpolates:
		r.Warnings = append(r.Warnings, fmt.Sprintf(
			"not interpolating: relative loss %.3g is above %g; the theory of linear stability is about solutions that fit their data", fit.RelativeLoss, a.tolerance))
	}
	return nil
}

// notInterpolating says what the thresholds of cross-entropy are.
const notInterpolating = "linearisation at a point that does not interpolate; Theorems 2–7 do not apply"

func (a *audit) measureStability(ctx context.Context, r *rundir.Result, data nn.Data[float64], loss nn.Loss, g *norms) error {
	sampling, err := stability.ParseSampling(a.config.SGD.Sampling)
	if err != nil {
		return err
	}
	s := &study{Result: r, net: a.net, data: data, test: widenData(a.testData()), shape: a.train.Shape, preprocessing: a.train.Preprocessing, options: *r.MeasuredStability,
		eta: a.LearningRate, batch: a.BatchSize, sampling: sampling, memory: a.memory, norms: g, seed: stream(a.Seed, stabilityPurpose, 1),
		given: givenConstants{smoothness: a.Smoothness, approximation: a.Approximation, bound: a.TargetBound, lipschitz: a.TargetLipschitz, tolerance: a.tolerance}}
	s.warn("stability is that of plain SGD with this learning rate and batch size; with momentum, weight decay or Adam the model was trained by another method")
	s.warnOfMethod(rundir.Point{Method: "sgd"})
	return s.run(ctx, loss)
}

// limitExactness takes the word exact back where a part of the data stands for all
// of them, or independent batches for those of an epoch.
func (a *audit) limitExactness(r *rundir.Result) {
	s, part := r.Stability, a.train.Len() < a.available
	epochs := a.config.SGD.Sampling == stability.Epochs.String() && a.BatchSize < a.train.Len()
	if s == nil || !part && !epochs {
		return
	}
	for i := range s.Orders {
		s.Orders[i].Exact = false
	}
	if !part {
		return // the rest knows of epochs
	}
	s.EtaVar.Exact, s.EtaAllOrders.Exact = false, false
	for i := range s.Frontier {
		s.Frontier[i].Exact = false
	}
}
