package experiment

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"sobolev/nn"
	"sobolev/rundir"
)

// onePoint is smallGrid with one training of a few steps.
func onePoint(m rundir.Model) rundir.Config {
	cfg := smallGrid()
	cfg.Model, cfg.Stop, cfg.SGD = m, rundir.Stop{}, rundir.SGD{Iterations: 30}
	cfg.Grid = rundir.Grid{LearningRate: []float64{0.02}, BatchSize: []int{6}}
	cfg.Repetitions = 1
	return cfg
}

// resultOf runs the only point of a configuration.
func resultOf(t *testing.T, cfg rundir.Config) *rundir.Result {
	t.Helper()
	dir := t.TempDir()
	if err := runGrid(t.Context(), dir, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	run, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	records, err := run.Records()
	if err != nil || len(records) != 1 || records[0].Result == nil {
		t.Fatal(records, err)
	}
	return records[0].Result
}

func hasWarning(r *rundir.Result, text string) bool {
	return strings.Contains(strings.Join(r.Warnings, "\n"), text)
}

// A frozen first layer makes features: parameters, first layer, norms and g_x
// are theirs, and the gradient with respect to the image is a number of its own.
func TestRandomFeatures(t *testing.T) {
	plain := resultOf(t, onePoint(rundir.Model{Hidden: []int{30, 20}}))
	r := resultOf(t, onePoint(rundir.Model{Hidden: []int{30, 20}, Frozen: 1}))
	want := rundir.ModelInfo{Parameters: 30*20 + 20 + 20*2 + 2, Frozen: 784*30 + 30, Inputs: 784, Features: 30, Outputs: 2,
		FirstLayer: rundir.FirstLayer{Kind: "linear", Rows: 20, Cols: 30}}
	if r.Model != want {
		t.Errorf("model %+v, want %+v", r.Model, want)
	}
	if m := plain.Model; m.Frozen != 0 || m.Features != 0 || m.Parameters != want.Parameters+want.Frozen {
		t.Errorf("without frozen layers: %+v", m)
	}
	m := r.Moments[0]
	if m.GImage == nil || !(*m.GImage > 0) || !(math.Abs(float64(*m.GImage)-math.Sqrt(float64(*m.SumImage))) <= 1e-12) || plain.Moments[0].GImage != nil {
		t.Errorf("image gradient %v, and without frozen layers %v", m.GImage, plain.Moments[0].GImage)
	}
	if len(m.Layers) != 2 || m.Layers[0].Name != "net.2" {
		t.Errorf("layers %+v; want those that train", m.Layers)
	}
	if a, b := plain.Data.MinNorm["2"], r.Data.MinNorm["2"]; a == b || !(b > 0) {
		t.Errorf("least norms %v of images and %v of features", a, b)
	}
}

func TestBatchNormIsMeasuredInEvaluationMode(t *testing.T) {
	r := resultOf(t, onePoint(rundir.Model{Kind: "resnet", Depth: 8, Width: 2}))
	if !hasWarning(r, "batch normalisation: everything here is of the network in evaluation mode") || !(r.Moments[0].GW > 0) {
		t.Errorf("moments %+v, warnings %q", r.Moments, r.Warnings)
	}
	if plain := resultOf(t, onePoint(rundir.Model{Hidden: []int{5}})); hasWarning(plain, "batch normalisation") {
		t.Errorf("a network without any: %q", plain.Warnings)
	}
}

// residualModel is a list with a residual block, batch normalisations and a
// convolution without a bias.
func residualModel() rundir.Model {
	conv := func(out, stride int) rundir.Layer {
		return rundir.Layer{Kind: "conv", Conv: rundir.Conv{Out: out, Kernel: 3, Padding: 1, Stride: stride, Bias: new(bool)}}
	}
	return rundir.Model{Kind: "layers", Layers: []rundir.Layer{
		conv(2, 2), {Kind: "batchnorm"}, {Kind: "relu"},
		{Kind: "residual", Residual: rundir.Residual{Stride: 2, Body: []rundir.Layer{conv(3, 2), {Kind: "batchnorm"}}}}, {Kind: "relu"},
		{Kind: "flatten"}, {Kind: "linear", Size: 2},
	}}
}

func TestBatchNormResumesWithTheSameBytes(t *testing.T) {
	cfg := onePoint(residualModel())
	cfg.SGD = rundir.SGD{Iterations: 100, SAMRadius: 0.05}
	cfg.Grid.Method = []string{"sgd", "gd", "sam"}
	whole, dir := t.TempDir(), t.TempDir()
	if err := runGrid(t.Context(), whole, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	if n := runInterrupted(t, dir, cfg); n == 0 {
		t.Error("never interrupted: the test shows nothing")
	}
	if got, want := readFile(t, dir, "results.csv"), readFile(t, whole, "results.csv"); got != want || strings.Count(want, "finished") != 3 {
		t.Errorf("interrupted:\n%s\nwant:\n%s", got, want)
	}
}

func TestArchitectureOfAList(t *testing.T) {
	arch, err := newArchitecture(residualModel(), []int{1, 28, 28}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !arch.Layers[0].NoBias || arch.Layers[3].Kind != nn.ResidualLayer || arch.Layers[3].Stride != 2 || len(arch.Layers[3].Body) != 2 {
		t.Errorf("%+v", arch.Layers)
	}
	// Frozen counts layers with weights: the convolution and the normalisation
	// here are entries 0 and 1, the block is entry 3.
	for frozen, want := range []int{0, 1, 2, 4} {
		m := residualModel()
		m.Frozen = frozen
		if arch, err = newArchitecture(m, []int{1, 28, 28}, 2); err != nil || arch.Frozen != want {
			t.Errorf("frozen: %d gives %d entries, want %d; %v", frozen, arch.Frozen, want, err)
		}
	}
}

func TestModelsThatDoNotFit(t *testing.T) {
	conv := rundir.Layer{Kind: "conv", Conv: rundir.Conv{Out: 2, Kernel: 3, Stride: 1}}
	for _, c := range []struct {
		change func(*rundir.Config)
		want   string
	}{
		{func(c *rundir.Config) {
			c.Dataset = rundir.Dataset{Name: "sphere"}
			c.Model = rundir.Model{Kind: "resnet", Depth: 8, Width: 2}
		}, "model.kind: a residual network on inputs of shape"},
		{func(c *rundir.Config) {
			c.Model = residualModel()
			c.SGD.InputPenalty, c.Grid.Method = 0.1, []string{"sgd", "input-penalty"}
		}, "grid.method[1]: input-penalty needs the gradients of single samples"},
		{func(c *rundir.Config) {
			c.Model = rundir.Model{Kind: "layers", Layers: []rundir.Layer{conv, {Kind: "relu"}, {Kind: "linear", Size: 2}}}
		}, "model.layers: layer 2 (linear) on inputs of shape [2, 26, 26]: it needs vectors: put flatten before it"},
		{func(c *rundir.Config) {
			c.Model = rundir.Model{Kind: "layers", Layers: []rundir.Layer{{Kind: "maxpool", Size: 30}, {Kind: "flatten"}, {Kind: "linear", Size: 2}}}
		}, "model.layers: layer 0 (maxpool) on inputs of shape [1, 28, 28]: the window of 30×30 is larger than the image"},
		{func(c *rundir.Config) {
			c.Model = rundir.Model{Kind: "layers", Layers: []rundir.Layer{
				{Kind: "residual", Residual: rundir.Residual{Stride: 1, Body: []rundir.Layer{conv}}}, {Kind: "flatten"}, {Kind: "linear", Size: 2}}}
		}, "model.layers: layer 0 (residual) on inputs of shape [1, 28, 28]: the body makes [2, 26, 26]"},
	} {
		cfg := onePoint(rundir.Model{Hidden: []int{5}})
		c.change(&cfg)
		cfg, err := cfg.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(context.Background(), cfg, Options{Memory: 1 << 28})
		var at *rundir.ValueError
		if !errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}
