package experiment

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"sobolev/curvature"
	"sobolev/dataset"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/stability"
)

// AuditOptions say which model is audited, on which data, and how it was trained.
type AuditOptions struct {
	// Model is the path of an .onnx file, or of the weights as .safetensors.
	Model string
	// Architecture is the YAML file of the layers that .safetensors weights belong
	// to. Without one they are a stack of dense layers whose sizes are those of the
	// tensors, with Activation between them: "relu", "tanh", "gelu", "softplus",
	// "sigmoid" or "identity".
	Architecture, Activation string
	// Data is the training set: an .npz file, or a name of dataset.Catalogue. Test is
	// an .npz file; empty: the test set that Data brings, if any.
	Data, Test string
	// Mean and Std normalise the inputs to (x − Mean)/Std, one value for all
	// channels or one a channel; empty: 0 and 1.
	Mean, Std []float64
	// Limit is the largest number of training samples that is used, a random subset
	// beyond it; 0: all.
	Limit int

	LearningRate float64
	BatchSize    int
	// Loss is "mse" (the default) or "half-mse", in whose units the learning rate is;
	// see nn.Loss. Sampling is "without-replacement" (the default),
	// "with-replacement" or "epochs".
	Loss, Sampling string

	// Orders are the k of moments and bounds; default 1, 2, 3.
	Orders []int
	// Radius δ is that of the balls around the samples, in ‖·‖₂ of the preprocessed
	// inputs; 0: bounds in balls are left out.
	Radius float64
	// Smoothness C_s and Approximation δ_approx are the constants of Definition 1, for
	// every order and perturbations of all parameters; 0: searched for. TargetBound
	// M₁ ≥ |f_c|, |f*_c| and TargetLipschitz M₂ ≥ ‖∇f*_c‖₂ are of the target function;
	// 0: from the data. They are taken at their word, and need a Radius.
	Smoothness, Approximation, TargetBound, TargetLipschitz float64
	// InterpolationTolerance is the largest Σ‖f−y‖²/Σ‖y‖² that counts as
	// interpolation; 0: 1e-3.
	InterpolationTolerance float64
	// Memory limits the bytes of working memory; 0: 2 GiB.
	Memory int64
	// Seed is the root of the random streams: of a subset, and of estimates.
	Seed uint64
}

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

// auditFlags are the options that the keys of a configuration correspond to.
var auditFlags = map[string]string{
	"loss": "loss", "sgd.sampling": "sampling", "dataset.name": "data", "grid.learning_rate": "lr", "grid.batch_size": "batch",
	"measure.orders": "orders", "measure.radius": "radius", "dataset.preprocess.mean": "normalize", "dataset.preprocess.std": "normalize",
	"preprocess.mean": "normalize", "preprocess.std": "normalize",
}

// optionError gives a *rundir.ValueError about a configuration the key of the
// option that the value came from.
func optionError(err error) error {
	var v *rundir.ValueError
	if !errors.As(err, &v) {
		return err
	}
	for key, flag := range auditFlags {
		if len(v.Key) >= len(key) && v.Key[:len(key)] == key {
			return &rundir.ValueError{Key: flag, Problem: v.Problem}
		}
	}
	return err
}

// config checks the options and returns them as a resolved configuration.
func (o AuditOptions) config() (rundir.Config, error) {
	wrong := func(key, format string, args ...any) (rundir.Config, error) {
		return rundir.Config{}, &rundir.ValueError{Key: key, Problem: fmt.Sprintf(format, args...)}
	}
	switch {
	case o.Loss == "cross-entropy":
		return wrong("loss", "cross-entropy is not implemented: thresholds and bounds here are those of the squared losses mse and half-mse")
	case o.Limit < 0:
		return wrong("limit", "%d is below 0", o.Limit)
	case o.Memory < 0:
		return wrong("memory", "%d is below 0", o.Memory)
	case !(o.InterpolationTolerance >= 0) || math.IsInf(o.InterpolationTolerance, 0):
		return wrong("interpolation-tol", "%v is not a number ≥ 0", o.InterpolationTolerance)
	case (o.Smoothness > 0) != (o.Approximation > 0):
		return wrong("smoothness", "needs both C_s and δ_approx, positive")
	case !(o.Radius > 0) && (o.Smoothness != 0 || o.TargetBound != 0 || o.TargetLipschitz != 0):
		return wrong("radius", "missing: --smoothness, --target-bound and --target-lipschitz are about the balls of that radius")
	case o.Test != "" && filepath.Ext(o.Test) != ".npz":
		return wrong("test", "%q does not end in .npz; sets of the catalogue bring their own test set", o.Test)
	}
	cfg := rundir.Config{
		Dataset: rundir.Dataset{Name: o.Data, Preprocess: rundir.Preprocess{Mean: o.Mean, Std: o.Std}},
		Loss:    o.Loss,
		SGD:     rundir.SGD{Iterations: 1, Sampling: o.Sampling},
		Grid:    rundir.Grid{LearningRate: []float64{o.LearningRate}, BatchSize: []int{o.BatchSize}},
		Measure: rundir.Measure{Orders: o.Orders, Stability: true, Bounds: true, Radius: o.Radius},
	}
	cfg, err := cfg.Resolve()
	return cfg, optionError(err)
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
	if a.model.channelsLast && max(len(a.Mean), len(a.Std)) > 1 {
		return &rundir.ValueError{Key: "normalize", Problem: "the model takes images channels-last, for which only one mean and one standard deviation are applied; normalise the channels before the data are saved"}
	}
	for _, s := range []*dataset.Set{a.train, a.test} {
		if s == nil {
			continue
		}
		if err := a.fitInputs(s); err != nil {
			return err
		}
		if err := a.fitTargets(s); err != nil {
			return err
		}
	}
	if n := a.train.Len(); a.BatchSize > n {
		return &rundir.ValueError{Key: "batch", Problem: fmt.Sprintf("%d is above %d, the number of samples", a.BatchSize, n)}
	}
	return a.checkMemory()
}

// checkMemory counts what stays in memory throughout: the data in both precisions.
func (a *audit) checkMemory() error {
	values := len(a.train.X) + len(a.train.Y)
	if a.test != nil {
		values += len(a.test.X) + len(a.test.Y)
	}
	if need := int64(values) * (4 + 8); need > a.memory {
		return &rundir.ValueError{Key: "memory", Problem: fmt.Sprintf("the data alone take %.3g MB and the limit is %.3g MB; raise it, or use fewer samples with --limit", float64(need)/1e6, float64(a.memory)/1e6)}
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
	if r.MeasuredModel, err = digestFile(a.Model); err != nil {
		return nil, err
	}
	if r.Data.Source, err = a.dataSource(); err != nil {
		return nil, err
	}
	if err := a.measureFit(r, data, loss); err != nil {
		return nil, err
	}
	if err := measureMoments(r, a.net, data, loss, orders, a.memory); err != nil {
		return nil, err
	}
	if err := a.measureStability(ctx, r, data, loss); err != nil {
		return nil, err
	}
	a.limitExactness(r)
	a.refuteSmoothness(r)
	return r, nil
}

func (a *audit) convention(loss nn.Loss) rundir.Convention {
	return rundir.Convention{
		Loss:                  a.config.Loss,
		EffectiveLearningRate: rundir.Number(loss.EffectiveLearningRate(a.LearningRate, a.net.Outputs())),
		Sampling:              a.config.SGD.Sampling,
		Preprocessing:         a.train.Preprocessing.String(),
		Precision:             "float64",
		Units:                 "learning rate of the configured loss",
	}
}

func (a *audit) testData() nn.Data[float32] {
	if a.test == nil {
		return nn.Data[float32]{}
	}
	return dataOf(a.test)
}

// dataSource names the file of the data and its SHA-256.
func (a *audit) dataSource() (string, error) {
	if filepath.Ext(a.Data) != ".npz" {
		return a.train.Source.String(), nil
	}
	sum, err := digestFile(a.Data)
	return fmt.Sprintf("%s, SHA-256 %s", filepath.Base(a.Data), sum), err
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (a *audit) measureFit(r *rundir.Result, data nn.Data[float64], loss nn.Loss) error {
	fit, err := a.net.NewEvaluator().Fit(data, loss)
	if err != nil {
		return err
	}
	if math.IsNaN(fit.Loss) || math.IsInf(fit.Loss, 0) {
		return fmt.Errorf("%s: the loss on %s is not finite: the weights are too large for these inputs", a.Model, a.Data)
	}
	r.Fit = rundir.Fit{
		Loss: rundir.Number(fit.Loss), RelativeLoss: rundir.Number(fit.RelativeLoss), MaxResidual: rundir.Number(fit.MaxResidual),
		Interpolates: fit.RelativeLoss <= a.tolerance,
	}
	if !r.Fit.Interpolates {
		r.Warnings = append(r.Warnings, fmt.Sprintf(
			"not interpolating: relative loss %.3g is above %g; the theory of linear stability is about solutions that fit their data", fit.RelativeLoss, a.tolerance))
	}
	return nil
}

func (a *audit) measureStability(ctx context.Context, r *rundir.Result, data nn.Data[float64], loss nn.Loss) error {
	sampling, err := stability.ParseSampling(a.config.SGD.Sampling)
	if err != nil {
		return err
	}
	s := &study{Result: r, net: a.net, data: data, test: widenData(a.testData()), options: *r.MeasuredStability,
		eta: a.LearningRate, batch: a.BatchSize, sampling: sampling, memory: a.memory, seed: stream(a.Seed, stabilityPurpose, 1),
		given: givenConstants{smoothness: a.Smoothness, approximation: a.Approximation, bound: a.TargetBound, lipschitz: a.TargetLipschitz, tolerance: a.tolerance}}
	s.rng = generator(s.seed)
	s.warn("stability is that of plain SGD with this learning rate and batch size; with momentum, weight decay or Adam the model was trained by another method")
	s.warnOfMethod(rundir.Point{Method: "sgd"})
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

// limitExactness takes the word exact back where a part of the data stands for all
// of them.
func (a *audit) limitExactness(r *rundir.Result) {
	if a.train.Len() == a.available || r.Stability == nil {
		return
	}
	s := r.Stability
	s.EtaVar.Exact, s.EtaAllOrders.Exact = false, false
	for i := range s.Orders {
		s.Orders[i].Exact = false
	}
	for i := range s.Frontier {
		s.Frontier[i].Exact = false
	}
}

// refuteSmoothness warns where the search found more than the constant that was
// given.
func (a *audit) refuteSmoothness(r *rundir.Result) {
	for _, s := range r.Smoothness {
		if a.Smoothness > 0 && float64(s.Radius) <= a.Approximation && float64(s.Found) > a.Smoothness {
			r.Warnings = append(r.Warnings, fmt.Sprintf("--smoothness: C_s = %g is wrong for k = %d: a search within ‖V‖ ≤ %.3g found %.4g; what rests on it does not hold", a.Smoothness, s.K, float64(s.Radius), float64(s.Found)))
		}
	}
}

// loadData reads the training and the test set, and draws the subset.
func (a *audit) loadData(ctx context.Context) error {
	request := dataset.Request{Name: a.Data, Seed: stream(a.Seed, subsetPurpose, 0), Preprocessing: dataset.Preprocessing{Mean: a.Mean, Std: a.Std}}
	var err error
	if a.train, a.test, err = dataset.Load(ctx, request); err != nil {
		return requestError("data", err)
	}
	if a.Test != "" {
		request.Name = a.Test
		if a.test, _, err = dataset.Load(ctx, request); err != nil {
			return requestError("test", err)
		}
	}
	a.available = a.train.Len()
	if largest := largestInput(a.train.X); largest >= 100 {
		a.warnings = append(a.warnings, fmt.Sprintf("inputs go up to %g: if the model was trained on scaled images, say so, as in --normalize 0,255", largest))
	}
	if a.Limit == 0 || a.Limit >= a.available {
		return nil
	}
	drawn := generator(request.Seed).Perm(a.available)[:a.Limit]
	slices.Sort(drawn)
	a.train = a.train.Select(drawn)
	a.warnings = append(a.warnings, fmt.Sprintf("%d of %d training samples, drawn with seed %d (--limit): all numbers are those of this subset, and of SGD on it", a.Limit, a.available, a.Seed))
	return nil
}

func largestInput(x []float32) float64 {
	largest := 0.0
	for _, v := range x {
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	return largest
}

// requestError turns an error in what is asked of the data into one of an option.
func requestError(option string, err error) error {
	var r *dataset.RequestError
	if !errors.As(err, &r) {
		return err
	}
	if flag, ok := auditFlags[r.Key]; ok {
		option = flag
	}
	return &rundir.ValueError{Key: option, Problem: r.Problem}
}
