package experiment

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"math/rand/v2"

	"sobolev/rundir"
	"sobolev/sweep"
)

// TestMain lets the test binary stand in for a sobolev process that can be
// killed: with this variable set it runs the grid into that directory.
const childVariable = "SOBOLEV_TEST_RUN_GRID"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if err := runGrid(context.Background(), dir, smallGrid(), 2, silent{}); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// smallGrid trains some hundred milliseconds a point, on real images.
func smallGrid() rundir.Config {
	return rundir.Config{
		Name:    "small",
		Dataset: rundir.Dataset{Name: "fashion-mnist-mini", Classes: []int{0, 1}, PerClass: 15, TestPerClass: 10},
		Model:   rundir.Model{Hidden: []int{30, 20}},
		SGD:     rundir.SGD{Iterations: 800},
		Stop:    rundir.Stop{Loss: 4e-4},
		// The last learning rate diverges.
		Grid:        rundir.Grid{LearningRate: []float64{0.05, 0.2, 1e4}, BatchSize: []int{3, 10}},
		Repetitions: 2,
		Seed:        7,
	}
}

type silent struct{}

func (silent) Begin(int, int)             {}
func (silent) Progress(rundir.Point, int) {}
func (silent) End(rundir.Point, error)    {}

// interrupter cancels a while after the data are loaded and the points begin.
type interrupter struct {
	silent
	after  time.Duration
	cancel func()
}

func (i interrupter) Begin(int, int) { time.AfterFunc(i.after, i.cancel) }

func runGrid(ctx context.Context, path string, cfg rundir.Config, jobs int, watch sweep.Observer) error {
	cfg, err := cfg.Resolve()
	if err != nil {
		return err
	}
	exp, err := New(ctx, cfg, Options{Memory: 1 << 28, CheckpointInterval: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	dir, err := rundir.Create(path, cfg)
	if err != nil {
		return err
	}
	defer dir.Close()
	sum, err := sweep.Run(ctx, dir, cfg.Points(), exp.Run, sweep.Options{Jobs: jobs, Done: exp.Done, Observer: watch})
	if err != nil {
		return err
	}
	return sum.FirstError
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestGridEndsWithTheSameBytes(t *testing.T) {
	whole := t.TempDir()
	if err := runGrid(t.Context(), whole, smallGrid(), 1, silent{}); err != nil {
		t.Fatal(err)
	}
	want := readFile(t, whole, "results.csv")
	if n := strings.Count(want, "\n"); n != 1+12 {
		t.Fatalf("results.csv has %d lines, want 13:\n%s", n, want)
	}
	if n := strings.Count(want, "diverged"); n != 4 {
		t.Errorf("%d points diverged, want the 4 with η = 1e4:\n%s", n, want)
	}

	t.Run("any number of workers", func(t *testing.T) {
		dir := t.TempDir()
		if err := runGrid(t.Context(), dir, smallGrid(), 4, silent{}); err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, dir, "results.csv"); got != want {
			t.Errorf("with 4 workers:\n%s\nwith 1:\n%s", got, want)
		}
	})
	t.Run("any order and size of the grid", func(t *testing.T) {
		dir := t.TempDir()
		part := smallGrid()
		part.Grid.LearningRate, part.Grid.BatchSize, part.Repetitions = []float64{0.2}, []int{10}, 1
		if err := runGrid(t.Context(), dir, part, 1, silent{}); err != nil {
			t.Fatal(err)
		}
		turned := smallGrid()
		turned.Grid.LearningRate, turned.Grid.BatchSize = []float64{1e4, 0.2, 0.05}, []int{10, 3}
		if err := runGrid(t.Context(), dir, turned, 2, silent{}); err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, dir, "results.csv"); got != want {
			t.Errorf("extended and turned round:\n%s\nwant:\n%s", got, want)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		dir := t.TempDir()
		interruptions := runInterrupted(t, dir, smallGrid())
		if interruptions == 0 {
			t.Error("never interrupted: the test shows nothing")
		}
		if got := readFile(t, dir, "results.csv"); got != want {
			t.Errorf("interrupted %d times:\n%s\nwant:\n%s", interruptions, got, want)
		}
	})
	t.Run("killed", func(t *testing.T) {
		dir := t.TempDir()
		rng := rand.New(rand.NewPCG(3, 4))
		for range 10 {
			killGridAfter(t, dir, time.Duration(20+rng.IntN(150))*time.Millisecond)
		}
		if err := runGrid(t.Context(), dir, smallGrid(), 2, silent{}); err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, dir, "results.csv"); got != want {
			t.Errorf("killed ten times:\n%s\nwant:\n%s", got, want)
		}
		for _, p := range []string{"points/*/checkpoint*", "points/*/.*"} {
			if left, err := filepath.Glob(filepath.Join(dir, p)); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		}
	})
	t.Run("measured anew", func(t *testing.T) {
		again := smallGrid()
		again.Measure.Orders = []int{2, 4}
		if err := runGrid(t.Context(), whole, again, 2, silent{}); err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(readFile(t, whole, "results.csv"), "\n")
		if !strings.Contains(head, "g_W_4") || strings.Contains(head, "g_W_1,") {
			t.Errorf("columns after measuring orders 2 and 4: %s", head)
		}
		if err := runGrid(t.Context(), whole, smallGrid(), 2, silent{}); err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, whole, "results.csv"); got != want {
			t.Errorf("measured back:\n%s\nwant:\n%s", got, want)
		}
	})
}

// killGridAfter starts the grid in a process of its own and kills it.
func killGridAfter(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // ends with "signal: killed", or with success if it was faster
}

// runInterrupted runs a grid to its end and returns how often it was interrupted
// on the way: ever later, so that every attempt gets further than the one before.
func runInterrupted(t *testing.T, dir string, cfg rundir.Config) (interruptions int) {
	t.Helper()
	for {
		ctx, cancel := context.WithCancel(t.Context())
		err := runGrid(ctx, dir, cfg, 2, interrupter{after: time.Duration(1+4*interruptions) * time.Millisecond, cancel: cancel})
		cancel()
		if err == nil {
			return interruptions
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		interruptions++
	}
}

// The same for convolutions and for every method.
func TestConvolutionsAndMethodsResumeWithTheSameBytes(t *testing.T) {
	cfg := smallGrid()
	cfg.Model = rundir.Model{Kind: "layers", Init: "kaiming-fan-out", Layers: []rundir.Layer{
		{Kind: "conv", Conv: rundir.Conv{Out: 16, Kernel: 3, Padding: 1, Stride: 1}}, {Kind: "relu"}, {Kind: "maxpool", Size: 2},
		{Kind: "conv", Conv: rundir.Conv{Out: 16, Kernel: 3, Padding: 1, Stride: 1}}, {Kind: "relu"}, {Kind: "maxpool", Size: 2},
		{Kind: "flatten"}, {Kind: "linear", Size: 2},
	}}
	cfg.SGD = rundir.SGD{Iterations: 40, Momentum: 0.5, SAMRadius: 0.05, InputPenalty: 1e-3, LabelNoise: 0.1}
	cfg.Grid = rundir.Grid{Method: []string{"sgd", "gd", "sam", "input-penalty", "label-noise"}, LearningRate: []float64{0.02}, BatchSize: []int{4}}
	cfg.Repetitions = 1
	whole := t.TempDir()
	if err := runGrid(t.Context(), whole, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	want := readFile(t, whole, "results.csv")
	if n := strings.Count(want, "finished"); n != 5 {
		t.Fatalf("%d points finished, want 5:\n%s", n, want)
	}
	dir := t.TempDir()
	runInterrupted(t, dir, cfg)
	if got := readFile(t, dir, "results.csv"); got != want {
		t.Errorf("interrupted:\n%s\nwant:\n%s", got, want)
	}
}

// Paired comparison: the repetitions differ in weights and batches, the
// learning rates of one repetition do not, and the data depend on the seed alone.
func TestStreams(t *testing.T) {
	cfg, err := smallGrid().Resolve()
	if err != nil {
		t.Fatal(err)
	}
	exp, err := New(t.Context(), cfg, Options{Memory: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	start := func(lr float64, batch, rep int) []float32 {
		tr, err := exp.newTrainer(rundir.Point{Method: "sgd", Model: cfg.Model, Loss: cfg.Loss, SGD: cfg.SGD, LearningRate: lr, BatchSize: batch, Repetition: rep, Seed: cfg.Seed})
		if err != nil {
			t.Fatal(err)
		}
		w := make([]float32, tr.Network.ParameterCount())
		tr.Network.CopyParameters(w)
		return w
	}
	a, b, c := start(0.1, 3, 1), start(0.4, 10, 1), start(0.1, 3, 2)
	same := func(u, v []float32) bool {
		for i := range u {
			if u[i] != v[i] {
				return false
			}
		}
		return true
	}
	if !same(a, b) {
		t.Error("initial weights depend on η or B")
	}
	if same(a, c) {
		t.Error("two repetitions start from the same weights")
	}
	if stream(1, subsetPurpose, 0) == stream(1, initPurpose, 0) || stream(1, initPurpose, 1) == stream(2, initPurpose, 1) {
		t.Error("streams of different purposes or seeds agree")
	}
}

func TestResultSaysWhatItMeans(t *testing.T) {
	cfg := smallGrid()
	cfg.Grid = rundir.Grid{LearningRate: []float64{0.2}, BatchSize: []int{10}}
	cfg.Repetitions = 1
	dir := t.TempDir()
	if err := runGrid(t.Context(), dir, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	run, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	records, err := run.Records()
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	r := records[0].Result
	if got := float64(r.Convention.EffectiveLearningRate); got != 0.2 {
		t.Errorf("effective learning rate of mse with 2 outputs at η = 0.2: %v, want 2η/c = 0.2", got)
	}
	if r.Convention.Preprocessing != "x/255" || r.Data.Samples != 30 || r.Model.Inputs != 784 || r.Model.Outputs != 2 {
		t.Errorf("result describes %+v %+v %+v", r.Convention, r.Data, r.Model)
	}
	// mse = Σr²/(n c), relative = Σr²/Σy² and Σy² = n for one-hot targets.
	if got, want := float64(r.Fit.RelativeLoss), 2*float64(r.Fit.Loss); !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("relative loss %v, want c times the loss = %v", got, want)
	}
	if !r.Fit.Interpolates || !(float64(r.Fit.Loss) <= 4e-4) {
		t.Errorf("fit %+v, want a loss ≤ 4e-4 that interpolates", r.Fit)
	}
	m := r.Moments[0]
	if got, want := float64(r.Curvature.Trace), float64(m.SumW); !(math.Abs(got-want) <= 1e-12*want) {
		t.Errorf("trace %v, want (2/c)·sum_W = %v", got, want)
	}
}

// Files that were moved between points, and data that changed under a run, are
// noticed before they become results.
func TestForeignWeightsAndChangedDataAreRefused(t *testing.T) {
	cfg := smallGrid()
	cfg.Grid = rundir.Grid{LearningRate: []float64{0.1, 0.2}, BatchSize: []int{10}}
	cfg.Repetitions = 1
	dir := t.TempDir()
	if err := runGrid(t.Context(), dir, cfg, 2, silent{}); err != nil {
		t.Fatal(err)
	}
	points, err := filepath.Glob(filepath.Join(dir, "points", "*"))
	if err != nil || len(points) != 2 {
		t.Fatal(points, err)
	}
	foreign := readFile(t, points[0], modelFile)
	if err := os.WriteFile(filepath.Join(points[1], modelFile), []byte(foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(points[1], "result.json")); err != nil {
		t.Fatal(err)
	}
	if err := runGrid(t.Context(), dir, cfg, 1, silent{}); err == nil || !strings.Contains(err.Error(), "belongs to the point with the hash") {
		t.Errorf("a model of another point: %v", err)
	}

	resolved, err := cfg.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	exp, err := New(t.Context(), resolved, Options{Memory: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	exp.dataDigest = digestData(exp.train) // as if there had been no test set
	run := rundir.Dir{Path: dir, Config: resolved}
	record, err := run.Point(resolved.Points()[0]).Record()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exp.Done(record); err == nil || !strings.Contains(err.Error(), "have changed since") {
		t.Errorf("changed data: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*rundir.Config)
		want   string
	}{
		{"batch larger than n", func(c *rundir.Config) { c.Grid.BatchSize = []int{10, 31} }, "grid.batch_size[1]: 31 is above 30"},
		{"unknown data", func(c *rundir.Config) { c.Dataset.Name = "mnist" }, `dataset.name: "mnist" is not known`},
		{"class outside range", func(c *rundir.Config) { c.Dataset.Classes = []int{0, 11} }, "class"},
		{"layers that do not fit", func(c *rundir.Config) {
			c.Model = rundir.Model{Kind: "layers", Layers: []rundir.Layer{{Kind: "maxpool", Size: 30}, {Kind: "flatten"}, {Kind: "linear", Size: 2}}}
		}, "model.layers: layer 0 (maxpool) on inputs of shape [1, 28, 28]: the window of 30×30"},
		{"other outputs", func(c *rundir.Config) {
			c.Model = rundir.Model{Kind: "layers", Layers: []rundir.Layer{{Kind: "flatten"}, {Kind: "linear", Size: 7}}}
		}, "linear: 7 is the last layer, but the data have 2 outputs"},
		{"one class", func(c *rundir.Config) { c.Dataset.Classes = []int{3} }, "dataset.classes: one class alone"},
		{"rate below float32", func(c *rundir.Config) { c.Grid.LearningRate = []float64{0.1, 1e-50} }, "grid.learning_rate[1]: 1e-50 is outside"},
		{"too many parameters", func(c *rundir.Config) { c.Model.Hidden = []int{1 << 40, 1 << 40} }, "model.hidden"},
		{"accuracy of a function", func(c *rundir.Config) {
			c.Dataset = rundir.Dataset{Name: "function-1d"}
			c.Stop.Accuracy = 1
		}, "stop.accuracy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := smallGrid()
			c.change(&cfg)
			cfg, err := cfg.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			if _, err = New(t.Context(), cfg, Options{Memory: 1 << 28}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// The last points of a grid use the cores that the others have left.
func TestShareCores(t *testing.T) {
	for _, c := range []struct{ cores, jobs, points, want int }{
		{8, 8, 100, 1}, {8, 8, 1, 8}, {8, 8, 3, 2}, {8, 2, 100, 4}, {4, 8, 100, 1}, {4, 4, 0, 4},
	} {
		var e Experiment
		if e.ShareCores(c.cores, c.jobs, c.points); e.workers != c.want {
			t.Errorf("%+v: %d", c, e.workers)
		}
	}
}
