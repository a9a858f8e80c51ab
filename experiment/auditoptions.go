package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"

	"sobolev/nn"
	"sobolev/rundir"
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
	// Data is the training set: an .npz file, the images of a pair of IDX files or
	// their folder, CIFAR-10's archive or folder, or a name of dataset.Catalogue. Classes
	// to choose, in the order of the outputs, come behind a colon: "fashion-mnist:0,6".
	// Test is an .npz file; empty: the test set that Data brings, if any.
	Data, Test string
	// Mean and Std normalise the inputs to (x − Mean)/Std, one value for all
	// channels or one a channel; empty: 0 and 1. Bytes of images are divided by 255
	// first.
	Mean, Std []float64
	// Limit is the largest number of training samples that is used, a random subset
	// beyond it; 0: all.
	Limit int

	LearningRate float64
	BatchSize    int
	// Loss is "mse" (the default), "half-mse" or "cross-entropy", in whose units the
	// learning rate is; see nn.Loss. Sampling is "without-replacement" (the default),
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
	// Workers is the number of goroutines that share the work; 0: 1. The result does not
	// depend on it.
	Workers int
	// Seed is the root of the random streams: of a subset, and of estimates.
	Seed uint64
}

// auditFlags are the options that the keys of a configuration correspond to.
var auditFlags = map[string]string{
	"loss": "loss", "sgd.sampling": "sampling", "dataset.name": "data", "grid.learning_rate": "lr", "grid.batch_size": "batch",
	"measure.orders": "orders", "measure.radius": "radius", "dataset.preprocess.mean": "normalize", "dataset.preprocess.std": "normalize",
	"preprocess.mean": "normalize", "preprocess.std": "normalize", "memory": "memory",
}

// optionError gives a *rundir.ValueError about a configuration the key of the
// option that the value came from.
func optionError(err error) error {
	var v *rundir.ValueError
	if !errors.As(err, &v) {
		return err
	}
	for key, flag := range auditFlags {
		if strings.HasPrefix(v.Key, key) {
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
	if _, err := nn.ParseLoss(cmp.Or(o.Loss, "mse")); err != nil {
		return wrong("loss", "%v", err)
	}
	switch {
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
	case o.Test != "" && !isNPZ(o.Test):
		return wrong("test", "%q does not end in .npz; sets of the catalogue bring their own test set", o.Test)
	}
	loss := o.Loss
	if loss == nn.CrossEntropy.String() {
		loss = "" // no run has it
	}
	cfg := rundir.Config{
		Dataset: rundir.Dataset{Name: o.Data, Preprocess: rundir.Preprocess{Mean: o.Mean, Std: o.Std}},
		Loss:    loss,
		SGD:     rundir.SGD{Iterations: 1, Sampling: o.Sampling},
		Grid:    rundir.Grid{LearningRate: []float64{o.LearningRate}, BatchSize: []int{o.BatchSize}},
		Measure: rundir.Measure{Orders: o.Orders, Stability: true, Bounds: true, Radius: o.Radius},
	}
	cfg, err := cfg.Resolve()
	if o.Loss != loss {
		cfg.Loss = o.Loss
	}
	return cfg, optionError(err)
}
