package experiment

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sobolev/encoding/safetensors"
	"sobolev/rundir"
)

// trained runs onePoint's small network and returns its point's folder.
func trained(t *testing.T, cfg rundir.Config) (points []string) {
	t.Helper()
	dir := t.TempDir()
	if err := runGrid(t.Context(), dir, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	points, err := filepath.Glob(filepath.Join(dir, "points", "*"))
	if err != nil || len(points) == 0 {
		t.Fatal(points, err)
	}
	return points
}

func weights(t *testing.T, point string) []float64 {
	t.Helper()
	f, err := safetensors.ReadFile(filepath.Join(point, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	var all []float64
	for _, tensor := range f.Tensors {
		v, err := tensor.Float64s()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v...)
	}
	return all
}

// A fork begins at the weights of the other training after the given step: with
// a learning rate that moves nothing it ends there too.
func TestForksBeginWhereTheyShould(t *testing.T) {
	cfg := onePoint(rundir.Model{Hidden: []int{8}})
	source := trained(t, cfg)[0]
	early := cfg
	early.SGD.Iterations = 12
	resting := cfg
	resting.Grid.LearningRate = []float64{1e-37}
	for _, c := range []struct {
		step int
		want []float64
	}{{0, weights(t, source)}, {30, weights(t, source)}, {12, weights(t, trained(t, early)[0])}} {
		resting.Fork = rundir.Fork{From: source, Step: c.step}
		if got := weights(t, trained(t, resting)[0]); !slices.Equal(got, c.want) {
			t.Errorf("fork after %d steps begins elsewhere", c.step)
		}
	}
	moving := cfg
	moving.Fork = rundir.Fork{From: source}
	if slices.Equal(weights(t, trained(t, moving)[0]), weights(t, source)) {
		t.Error("the fork does not train")
	}
}

func TestForksResumeWithTheSameBytes(t *testing.T) {
	cfg := onePoint(rundir.Model{Hidden: []int{8}})
	cfg.SGD.Iterations = 2000
	source := trained(t, cfg)[0]
	cfg.Fork = rundir.Fork{From: source, Step: 500}
	cfg.Grid = rundir.Grid{LearningRate: []float64{0.02, 0.3}, BatchSize: []int{2, 6}}
	whole, dir := t.TempDir(), t.TempDir()
	if err := runGrid(t.Context(), whole, cfg, 2, silent{}); err != nil {
		t.Fatal(err)
	}
	if runInterrupted(t, dir, cfg) == 0 {
		t.Error("never interrupted: the test shows nothing")
	}
	if got, want := readFile(t, dir, "results.csv"), readFile(t, whole, "results.csv"); got != want || strings.Count(want, "finished") != 4 {
		t.Errorf("interrupted:\n%s\nwant:\n%s", got, want)
	}
}

func TestForksThatCannotBe(t *testing.T) {
	cfg := onePoint(rundir.Model{Hidden: []int{8}})
	source := trained(t, cfg)[0]
	forked := cfg
	forked.Fork.From = source
	second := trained(t, forked)[0]
	diverging := cfg
	diverging.Grid.LearningRate = []float64{1e6}
	diverged := trained(t, diverging)[0]
	untrained := filepath.Join(t.TempDir(), filepath.Base(source))
	if err := os.Mkdir(untrained, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(untrained, "point.yaml"), []byte(readFile(t, source, "point.yaml")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*rundir.Config)
		want   string
	}{
		{func(c *rundir.Config) { c.Fork.From = t.TempDir() }, "fork.from: open "},
		{func(c *rundir.Config) { c.Fork.From = untrained }, "the point must have been trained to its end"},
		{func(c *rundir.Config) { c.Fork = rundir.Fork{From: source, Step: 31} }, "fork.step: 31 is above 30, the number of steps of"},
		{func(c *rundir.Config) { c.Fork = rundir.Fork{From: diverged} }, "diverged; set fork.step"},
		{func(c *rundir.Config) { c.Fork = rundir.Fork{From: second, Step: 3} }, "fork.step: " + second + " is itself a fork"},
		{func(c *rundir.Config) { c.Fork, c.Model = rundir.Fork{From: source}, rundir.Model{Hidden: []int{9}} }, "has another model"},
		{func(c *rundir.Config) { c.Fork, c.Seed = rundir.Fork{From: source}, 8 }, "the data of fashion-mnist-mini have changed"},
	} {
		cfg := cfg
		c.change(&cfg)
		cfg, err := cfg.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(t.Context(), cfg, Options{Memory: 1 << 28})
		var at *rundir.ValueError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	if _, err := (rundir.Config{Dataset: cfg.Dataset, SGD: cfg.SGD, Grid: cfg.Grid, Fork: rundir.Fork{Step: 3}}).Resolve(); err == nil || !strings.Contains(err.Error(), "fork.from: missing") {
		t.Errorf("a step without a point: %v", err)
	}
}
