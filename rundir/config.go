package rundir

import (
	"fmt"
	"math"
	"slices"
)

// Config is one experiment: a grid of trainings that share everything but the
// method, the learning rate, the batch size and the repetition. A zero field
// means its documented default; Resolve fills the defaults in.
type Config struct {
	Name    string  `yaml:"name" json:"name"`
	Dataset Dataset `yaml:"dataset" json:"dataset"`
	Model   Model   `yaml:"model" json:"model"`
	// Loss is "mse" (the default; torch's mean over batch and outputs) or
	// "half-mse" (the paper's (1/2B) Σ ‖f−y‖²).
	Loss string `yaml:"loss" json:"loss"`
	SGD  SGD    `yaml:"sgd" json:"sgd"`
	Stop Stop   `yaml:"stop" json:"stop"`
	Grid Grid   `yaml:"grid" json:"grid"`
	// Repetitions is the number of independent initialisations and batch
	// orders per grid cell; default 1.
	Repetitions int `yaml:"repetitions" json:"repetitions"`
	// Seed is the root of every random stream. The subset of the data depends
	// on it alone, initialisation and batch order on it and the repetition.
	Seed    uint64  `yaml:"seed" json:"seed"`
	Measure Measure `yaml:"measure" json:"measure"`
}

// Dataset says which samples are trained on.
type Dataset struct {
	Name string `yaml:"name" json:"name"`
	// Classes are original labels; their order gives the output index. Empty: all.
	Classes []int `yaml:"classes,omitempty" json:"classes,omitempty"`
	// PerClass and TestPerClass limit the samples per class; 0: all.
	PerClass     int `yaml:"per_class,omitempty" json:"per_class,omitempty"`
	TestPerClass int `yaml:"test_per_class,omitempty" json:"test_per_class,omitempty"`
	// Draw is "seed" (the default: a random subset that depends on the seed)
	// or "first" (the first samples of each class in file order, the paper's).
	Draw       string     `yaml:"draw" json:"draw"`
	Preprocess Preprocess `yaml:"preprocess,omitempty" json:"preprocess"`
}

// Preprocess maps every input to (x·Scale − Mean)/Std.
type Preprocess struct {
	// Scale 0 means the data set's own: 1/255 for images, 1 otherwise.
	Scale float64 `yaml:"scale,omitempty" json:"scale,omitempty"`
	// Mean and Std hold one value per channel; empty: 0 and 1.
	Mean []float64 `yaml:"mean,omitempty" json:"mean,omitempty"`
	Std  []float64 `yaml:"std,omitempty" json:"std,omitempty"`
}

// Model is the architecture. Kind "fnn" is a stack of dense layers
// d–hidden…–c with the activation after every layer but the last.
type Model struct {
	Kind       string `yaml:"kind" json:"kind"`
	Hidden     []int  `yaml:"hidden" json:"hidden"`
	Activation string `yaml:"activation" json:"activation"`
	// Init is "pytorch" (the default), "he" or "xavier".
	Init string `yaml:"init" json:"init"`
}

// SGD is equation (8) of Ma & Ying (2021) and how its batches are drawn.
type SGD struct {
	Iterations int `yaml:"iterations" json:"iterations"`
	// Sampling is "without-replacement" (the default: a subset of B samples,
	// independent from step to step), "with-replacement" or "epochs".
	Sampling string  `yaml:"sampling" json:"sampling"`
	Momentum float64 `yaml:"momentum" json:"momentum"`
}

// Stop ends a training before its last iteration; a zero field does not.
type Stop struct {
	// Loss ends it when the loss over the whole training set is at most this.
	Loss float64 `yaml:"loss" json:"loss"`
	// Accuracy ends it when the training accuracy is at least this.
	Accuracy float64 `yaml:"accuracy,omitempty" json:"accuracy,omitempty"`
}

// Grid lists the values whose product is trained.
type Grid struct {
	Method       []string  `yaml:"method,flow" json:"method"`
	LearningRate []float64 `yaml:"learning_rate,flow" json:"learning_rate"`
	BatchSize    []int     `yaml:"batch_size,flow" json:"batch_size"`
}

// Measure says what is computed from a trained network. It does not change the
// weights, and so it is no part of a point's hash.
type Measure struct {
	// Orders are the k of the moments g_W, g_x of order 2k; default 1, 2, 3.
	Orders []int `yaml:"orders,flow" json:"orders"`
	// Every is the number of steps between two rows of history.parquet; 0:
	// about 200 rows over the whole training.
	Every int `yaml:"every" json:"every"`
}

// MaxOrder is the largest moment order k that is measured: at k = 16 the sum of
// g^{2k} already leaves the range of float64 for gradients of 10^9.
const MaxOrder = 16

// Resolve returns c with every default filled in, or an error that names the
// key, what it says and what would be right.
func (c Config) Resolve() (Config, error) {
	orDefault(&c.Name, "experiment")
	orDefault(&c.Dataset.Draw, "seed")
	orDefault(&c.Model.Kind, "fnn")
	orDefault(&c.Model.Activation, "relu")
	orDefault(&c.Model.Init, "pytorch")
	orDefault(&c.Loss, "mse")
	orDefault(&c.SGD.Sampling, "without-replacement")
	orDefault(&c.Repetitions, 1)
	if len(c.Grid.Method) == 0 {
		c.Grid.Method = []string{"sgd"}
	}
	if len(c.Measure.Orders) == 0 {
		c.Measure.Orders = []int{1, 2, 3}
	}
	slices.Sort(c.Measure.Orders)
	return c, c.check()
}

func orDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// check returns an error for the first value that no training could use.
func (c Config) check() error {
	checks := []error{
		named("name", c.Name),
		required("dataset.name", c.Dataset.Name),
		oneOf("dataset.draw", c.Dataset.Draw, "seed", "first"),
		atLeast("dataset.per_class", 0, c.Dataset.PerClass),
		atLeast("dataset.test_per_class", 0, c.Dataset.TestPerClass),
		atLeast("dataset.classes", 0, c.Dataset.Classes...),
		distinct("dataset.classes", c.Dataset.Classes),
		finite("dataset.preprocess.scale", c.Dataset.Preprocess.Scale),
		finite("dataset.preprocess.mean", c.Dataset.Preprocess.Mean...),
		positive("dataset.preprocess.std", c.Dataset.Preprocess.Std...),
		oneOf("model.kind", c.Model.Kind, "fnn"),
		atLeast("model.hidden", 1, c.Model.Hidden...),
		oneOf("model.activation", c.Model.Activation, "relu", "tanh", "gelu", "softplus", "identity"),
		oneOf("model.init", c.Model.Init, "pytorch", "he", "xavier"),
		oneOf("loss", c.Loss, "mse", "half-mse"),
		atLeast("sgd.iterations", 1, c.SGD.Iterations),
		oneOf("sgd.sampling", c.SGD.Sampling, "without-replacement", "with-replacement", "epochs"),
		within("sgd.momentum", c.SGD.Momentum, 0, 1),
		atLeastZero("stop.loss", c.Stop.Loss),
		atLeastZero("stop.accuracy", c.Stop.Accuracy),
		each("grid.method", c.Grid.Method, func(key, v string) error { return oneOf(key, v, "sgd") }),
		nonEmpty("grid.learning_rate", len(c.Grid.LearningRate), "[0.05, 0.1, 0.2]"),
		positive("grid.learning_rate", c.Grid.LearningRate...),
		distinct("grid.learning_rate", c.Grid.LearningRate),
		nonEmpty("grid.batch_size", len(c.Grid.BatchSize), "[20]"),
		atLeast("grid.batch_size", 1, c.Grid.BatchSize...),
		distinct("grid.batch_size", c.Grid.BatchSize),
		distinct("grid.method", c.Grid.Method),
		atLeast("repetitions", 1, c.Repetitions),
		atLeast("measure.orders", 1, c.Measure.Orders...),
		distinct("measure.orders", c.Measure.Orders),
		atLeast("measure.every", 0, c.Measure.Every),
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	if k := slices.Max(c.Measure.Orders); k > MaxOrder {
		return fmt.Errorf("measure.orders: %d is above %d, the largest order that float64 can hold", k, MaxOrder)
	}
	if c.Stop.Accuracy > 1 {
		return fmt.Errorf("stop.accuracy: %v is not a fraction; give a value in (0, 1]", c.Stop.Accuracy)
	}
	return nil
}

// A key in an error message is the dotted path that --set takes.

func required(key, v string) error {
	if v == "" {
		return fmt.Errorf("%s: missing", key)
	}
	return nil
}

// named refuses what would not be one folder below runs/.
func named(key, v string) error {
	for _, r := range v {
		ok := r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !ok {
			return fmt.Errorf("%s: %q has the character %q; use letters, digits, '-', '_' and '.'", key, v, r)
		}
	}
	if v == "." || v == ".." {
		return fmt.Errorf("%s: %q is not a name", key, v)
	}
	return nil
}

func oneOf(key, v string, known ...string) error {
	if !slices.Contains(known, v) {
		return fmt.Errorf("%s: %q is not known; one of %q", key, v, known)
	}
	return nil
}

func each[T any](key string, vs []T, check func(string, T) error) error {
	for _, v := range vs {
		if err := check(key, v); err != nil {
			return err
		}
	}
	return nil
}

func nonEmpty(key string, n int, example string) error {
	if n == 0 {
		return fmt.Errorf("%s: missing or empty; give a list such as %s", key, example)
	}
	return nil
}

func atLeast(key string, least int, vs ...int) error {
	return each(key, vs, func(key string, v int) error {
		if v < least {
			return fmt.Errorf("%s: %d is below %d", key, v, least)
		}
		return nil
	})
}

func finite(key string, vs ...float64) error {
	return each(key, vs, func(key string, v float64) error {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s: %v is not a finite number", key, v)
		}
		return nil
	})
}

func positive(key string, vs ...float64) error {
	return each(key, vs, func(key string, v float64) error {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%s: %v is not a positive number", key, v)
		}
		return nil
	})
}

func atLeastZero(key string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 0) {
		return fmt.Errorf("%s: %v is not a number ≥ 0", key, v)
	}
	return nil
}

func within(key string, v, least, below float64) error {
	if !(v >= least && v < below) {
		return fmt.Errorf("%s: %v is outside [%v, %v)", key, v, least, below)
	}
	return nil
}

func distinct[T comparable](key string, vs []T) error {
	seen := make(map[T]bool, len(vs))
	for _, v := range vs {
		if seen[v] {
			return fmt.Errorf("%s: %v appears twice", key, v)
		}
		seen[v] = true
	}
	return nil
}
