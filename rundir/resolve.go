package rundir

import (
	"fmt"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

const (
	// MaxOrder is the largest moment order k that is measured: at k = 16 the sum
	// of g^{2k} already leaves the range of float64 for gradients of 10^9.
	MaxOrder = 16
	// MaxPoints is the largest size of a grid, repetitions included. A larger one
	// is a slip of the pen: at a second a point it takes twelve days.
	MaxPoints = 1_000_000
	// defaultExactLimit: at n·c = 2,500 a threshold takes about a minute.
	defaultExactLimit = 2500
	// defaultProbeSamples: a probe then costs about as much as some thousand steps.
	defaultProbeSamples = 500
)

// A ValueError is a value that no training could use.
type ValueError struct {
	// Key is the dotted path that --set takes, with an index for an element of a
	// list: grid.learning_rate[1].
	Key string
	// Problem says what is wrong with the value and what would be right.
	Problem string
}

func (e *ValueError) Error() string { return e.Key + ": " + e.Problem }

// Resolve returns c with every default filled in, or a *ValueError for the first
// value that no training could use. It leaves c and what c points to as it is.
func (c Config) Resolve() (Config, error) {
	orDefault(&c.Name, "experiment")
	orDefault(&c.Dataset.Draw, "seed")
	orDefault(&c.Model.Kind, "fnn")
	if c.Model.Kind == "fnn" {
		orDefault(&c.Model.Activation, "relu")
	}
	orDefault(&c.Model.Init, "pytorch")
	orDefault(&c.Loss, "mse")
	orDefault(&c.SGD.Sampling, "without-replacement")
	orDefault(&c.Repetitions, 1)
	if err := c.checkUnused(); err != nil {
		return c, err
	}
	if len(c.Grid.Method) == 0 {
		c.Grid.Method = []string{"sgd"}
	}
	if len(c.Measure.Orders) == 0 {
		c.Measure.Orders = []int{1, 2, 3}
	}
	c.Measure.Orders = slices.Sorted(slices.Values(c.Measure.Orders))
	if c.Measure.Stability {
		orDefault(&c.Measure.ExactLimit, defaultExactLimit)
	}
	if c.Measure.Probe != 0 {
		orDefault(&c.Measure.ProbeSamples, defaultProbeSamples)
	}
	c.Measure.Frontier = noneIfEmpty(slices.Sorted(slices.Values(c.Measure.Frontier)))
	c.canonical()
	return c, c.check()
}

func orDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// canonical gives what means the same the same form, because the hash of a point
// tells -0 from 0 and an empty list from a missing one.
func (c *Config) canonical() {
	if c.Model.Hidden == nil {
		c.Model.Hidden = []int{}
	}
	c.Model.Input = noneIfEmpty(c.Model.Input)
	c.Model.Layers = canonicalLayers(c.Model.Layers)
	c.Grid.BatchSize = noneIfEmpty(c.Grid.BatchSize)
	c.Dataset.Classes = noneIfEmpty(c.Dataset.Classes)
	c.Dataset.Preprocess.Mean = slices.Clone(noneIfEmpty(c.Dataset.Preprocess.Mean))
	c.Dataset.Preprocess.Std = noneIfEmpty(c.Dataset.Preprocess.Std)
	c.Executor.Lines, c.Executor.Setup = noneIfEmpty(c.Executor.Lines), noneIfEmpty(c.Executor.Setup)
	zeros := []*float64{&c.Dataset.Preprocess.Scale, &c.SGD.Momentum, &c.Stop.Loss, &c.Stop.Accuracy,
		&c.SGD.WeightDecay, &c.SGD.SAMRadius, &c.SGD.InputPenalty, &c.SGD.LabelNoise}
	for i := range c.Dataset.Preprocess.Mean {
		zeros = append(zeros, &c.Dataset.Preprocess.Mean[i])
	}
	for _, p := range zeros {
		if *p == 0 {
			*p = 0 // also when it was -0
		}
	}
}

func noneIfEmpty[T any](vs []T) []T {
	if len(vs) == 0 {
		return nil
	}
	return vs
}

// check returns a *ValueError for the first value that no training could use.
func (c Config) check() error {
	checks := []error{
		one("name", c.Name, folderName),
		one("dataset.name", c.Dataset.Name, path),
		one("dataset.draw", c.Dataset.Draw, among("seed", "first")),
		one("dataset.per_class", c.Dataset.PerClass, atLeast(0)),
		one("dataset.test_per_class", c.Dataset.TestPerClass, atLeast(0)),
		list("dataset.classes", c.Dataset.Classes, atLeast(0)),
		distinct("dataset.classes", c.Dataset.Classes),
		one("dataset.preprocess.scale", c.Dataset.Preprocess.Scale, finite),
		list("dataset.preprocess.mean", c.Dataset.Preprocess.Mean, finite),
		list("dataset.preprocess.std", c.Dataset.Preprocess.Std, positive),
		one("model.kind", c.Model.Kind, among("fnn", "layers", "resnet")),
		c.Model.check(),
		one("model.frozen", c.Model.Frozen, atLeast(0)),
		one("model.init", c.Model.Init, among("pytorch", "he", "xavier", "kaiming-fan-out")),
		one("loss", c.Loss, trainingLoss),
		one("sgd.iterations", c.SGD.Iterations, atLeast(1)),
		one("sgd.sampling", c.SGD.Sampling, among("without-replacement", "with-replacement", "epochs")),
		one("sgd.momentum", c.SGD.Momentum, below1),
		one("sgd.weight_decay", c.SGD.WeightDecay, notNegative),
		one("sgd.sam_radius", c.SGD.SAMRadius, notNegative),
		one("sgd.input_penalty", c.SGD.InputPenalty, notNegative),
		one("sgd.label_noise", c.SGD.LabelNoise, notNegative),
		one("stop.loss", c.Stop.Loss, notNegative),
		one("stop.accuracy", c.Stop.Accuracy, fraction),
		list("grid.method", c.Grid.Method, among(methods...)),
		distinct("grid.method", c.Grid.Method),
		c.checkMethods(),
		one("grid.learning_rate", len(c.Grid.LearningRate), nonEmpty("[0.05, 0.1, 0.2]")),
		list("grid.learning_rate", c.Grid.LearningRate, positive),
		distinct("grid.learning_rate", c.Grid.LearningRate),
		c.checkBatchSizes(),
		list("grid.batch_size", c.Grid.BatchSize, atLeast(1)),
		distinct("grid.batch_size", c.Grid.BatchSize),
		one("repetitions", c.Repetitions, atLeast(1)),
		list("measure.orders", c.Measure.Orders, order),
		distinct("measure.orders", c.Measure.Orders),
		one("measure.radius", c.Measure.Radius, notNegative),
		one("measure.exact_limit", c.Measure.ExactLimit, atLeast(0)),
		list("measure.frontier", c.Measure.Frontier, atLeast(1)),
		distinct("measure.frontier", c.Measure.Frontier),
		c.Measure.checkStability(),
		one("measure.probe", c.Measure.Probe, atLeast(0)),
		one("measure.probe_samples", c.Measure.ProbeSamples, atLeast(0)),
		one("measure.every", c.Measure.Every, atLeast(0)),
		one("fork.step", c.Fork.Step, atLeast(0)),
		c.Fork.check(),
		c.Executor.check(),
		c.checkSize(),
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkStability returns a *ValueError for what would have no effect.
func (m Measure) checkStability() error {
	for key, set := range map[string]bool{"measure.exact_limit": m.ExactLimit != 0, "measure.frontier": len(m.Frontier) > 0, "measure.bounds": m.Bounds} {
		if set && !m.Stability {
			return &ValueError{key, "does nothing without measure.stability: true"}
		}
	}
	if m.Radius != 0 && !m.Bounds {
		return &ValueError{"measure.radius", "does nothing without measure.bounds: true"}
	}
	if m.ProbeSamples != 0 && m.Probe == 0 {
		return &ValueError{"measure.probe_samples", "does nothing without measure.probe"}
	}
	return nil
}

// StabilityOptions is what the measurement of stability depends on; nil where it
// is not asked for.
func (m Measure) StabilityOptions() *StabilityOptions {
	if !m.Stability {
		return nil
	}
	return &StabilityOptions{ExactLimit: m.ExactLimit, Frontier: m.Frontier, Bounds: m.Bounds, Radius: m.Radius}
}

func (c Config) checkBatchSizes() error {
	if !c.Grid.usesBatches() {
		return nil
	}
	return one("grid.batch_size", len(c.Grid.BatchSize), nonEmpty("[20]"))
}

// check returns a *ValueError for a fork without a point.
func (f Fork) check() error {
	if f.From == "" {
		if f.Step != 0 {
			return &ValueError{"fork.from", "missing; give the folder of the point whose weights are taken"}
		}
		return nil
	}
	return one("fork.from", f.From, path)
}

// checkSize counts in float64, which a product of any three ints fits.
func (c Config) checkSize() error {
	batches := 0
	for _, m := range c.Grid.Method {
		batches += len(c.Grid.batchSizes(m))
	}
	n := float64(batches) * float64(len(c.Grid.LearningRate)) * float64(c.Repetitions)
	switch {
	case !(float64(c.Repetitions) <= MaxPoints):
		return &ValueError{"repetitions", fmt.Sprintf("%d is above %d, the largest number of points", c.Repetitions, MaxPoints)}
	case !(n <= MaxPoints):
		return &ValueError{"grid", fmt.Sprintf("has %.0f points with all repetitions, above %d; make several runs of it", n, MaxPoints)}
	}
	return nil
}

// A rule says what is wrong with a value; "" is nothing.
type rule[T any] func(T) string

func one[T any](key string, v T, problem rule[T]) error {
	if p := problem(v); p != "" {
		return &ValueError{key, p}
	}
	return nil
}

func list[T any](key string, vs []T, problem rule[T]) error {
	for i, v := range vs {
		if err := one(fmt.Sprintf("%s[%d]", key, i), v, problem); err != nil {
			return err
		}
	}
	return nil
}

// distinct refuses a repeated value: the same point would be trained twice.
func distinct[T comparable](key string, vs []T) error {
	seen := make(map[T]bool, len(vs))
	for i, v := range vs {
		if seen[v] {
			return &ValueError{fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%v appears twice", v)}
		}
		seen[v] = true
	}
	return nil
}

// path refuses what cannot be shown on a line, and what YAML does not keep.
func path(v string) string {
	if v == "" {
		return "missing"
	}
	for _, r := range v {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return fmt.Sprintf("%q has the character %q, which cannot be printed", v, r)
		}
	}
	// The writer of YAML leaves some names without the quotes that they need.
	type named struct {
		Name string `yaml:"name"`
	}
	var back named
	if text, err := yaml.Marshal(named{v}); err != nil || readYAML("", text, &back) != nil || back.Name != v {
		return fmt.Sprintf("%q is not kept by YAML; rename the file", v)
	}
	return ""
}

// folderName refuses what would not be one folder below runs/.
func folderName(v string) string {
	for _, r := range v {
		if !nameRune(r) {
			return fmt.Sprintf("%q has the character %q; use letters, digits, '-', '_' and '.'", v, r)
		}
	}
	if v == "." || v == ".." {
		return fmt.Sprintf("%q is not a name", v)
	}
	return ""
}

func nameRune(r rune) bool {
	return r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func among(known ...string) rule[string] {
	return func(v string) string {
		if !slices.Contains(known, v) {
			return fmt.Sprintf("%q is not known; one of %q", v, known)
		}
		return ""
	}
}

// trainingLoss is among the losses that runs have.
func trainingLoss(v string) string {
	if v == "cross-entropy" {
		return "cross-entropy is a loss of audits alone: its solutions do not interpolate, which the theory needs; train with mse or half-mse"
	}
	return among("mse", "half-mse")(v)
}

func nonEmpty(example string) rule[int] {
	return func(n int) string {
		if n == 0 {
			return "missing or empty; give a list such as " + example
		}
		return ""
	}
}

func atLeast(least int) rule[int] {
	return func(v int) string {
		if v < least {
			return fmt.Sprintf("%d is below %d", v, least)
		}
		return ""
	}
}

func order(v int) string {
	if v > MaxOrder {
		return fmt.Sprintf("%d is above %d, the largest order that float64 can hold", v, MaxOrder)
	}
	return atLeast(1)(v)
}

func finite(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprintf("%v is not a finite number", v)
	}
	return ""
}

func positive(v float64) string {
	if !(v > 0) || math.IsInf(v, 0) {
		return fmt.Sprintf("%v is not a positive number", v)
	}
	return ""
}

func notNegative(v float64) string {
	if !(v >= 0) || math.IsInf(v, 0) {
		return fmt.Sprintf("%v is not a number ≥ 0", v)
	}
	return ""
}

func below1(v float64) string {
	if !(v >= 0 && v < 1) {
		return fmt.Sprintf("%v is outside [0, 1)", v)
	}
	return ""
}

func fraction(v float64) string {
	if !(v >= 0 && v <= 1) {
		return fmt.Sprintf("%v is not a fraction; give a value in (0, 1]", v)
	}
	return ""
}
