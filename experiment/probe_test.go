package experiment

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"sobolev/curvature"
	"sobolev/encoding/safetensors"
	"sobolev/linop"
	"sobolev/nn"
	"sobolev/rundir"
)

func probedGrid() rundir.Config {
	cfg := onePoint(rundir.Model{Hidden: []int{8}})
	cfg.SGD.Iterations, cfg.Dataset.PerClass = 100, 20
	cfg.Grid.BatchSize = []int{1, 6}
	cfg.Measure.Probe, cfg.Measure.ProbeSamples = 40, 10
	return cfg
}

func histories(t *testing.T, dir string) map[string][]rundir.HistoryRow {
	t.Helper()
	run, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]rundir.HistoryRow{}
	for _, p := range run.Config.Points() {
		rows, err := run.Point(p).ReadHistory()
		if err != nil {
			t.Fatal(err)
		}
		all[p.Name()] = rows
	}
	return all
}

// Probes see the training on its way, and the last one the trained network.
func TestProbesOfARun(t *testing.T) {
	cfg, dir := probedGrid(), t.TempDir()
	if err := runGrid(t.Context(), dir, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	for name, rows := range histories(t, dir) {
		var probed []int64
		for _, r := range rows {
			if r.ProbeSamples > 0 {
				probed = append(probed, r.Step)
			} else if !math.IsNaN(r.LambdaMax) {
				t.Errorf("%s: a value without a probe: %+v", name, r)
			}
		}
		if want := []int64{0, 40, 80, 100}; !slices.Equal(probed, want) {
			t.Errorf("%s: probes after %v steps, want %v", name, probed, want)
		}
		last := rows[len(rows)-1]
		if !math.IsNaN(rows[0].BatchLoss) || last.Step != 100 || last.ProbeSamples != 10 {
			t.Errorf("%s: first row %+v, last row %+v", name, rows[0], last)
		}
		compareProbe(t, cfg, filepath.Join(dir, "points", name), last.Probe)
		for _, v := range []struct{ lower, value, upper float64 }{
			{last.RatioMeanLower, last.RatioMean, last.RatioMeanUpper}, {last.RatioOfMeansLower, last.RatioOfMeans, last.RatioOfMeansUpper}} {
			if !(v.lower <= v.value && v.value <= v.upper && v.value > 0) {
				t.Errorf("%s: batch sharpness %+v", name, v)
			}
		}
	}
}

// compareProbe measures the trained network on every second sample, which is what
// 10 of 20 are.
func compareProbe(t *testing.T, cfg rundir.Config, point string, got rundir.Probe) {
	t.Helper()
	cfg, err := cfg.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(t.Context(), cfg, Options{Memory: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	net, err := nn.New[float64](e.architecture)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.ReadFile(filepath.Join(point, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Load(f); err != nil {
		t.Fatal(err)
	}
	half, test := tenOf(e.train64()), tenOf(e.test64())
	if want := shareRight(net, half); got.TrainAccuracy != want {
		t.Errorf("training accuracy %v, want %v", got.TrainAccuracy, want)
	}
	if want := shareRight(net, test); got.TestAccuracy != want {
		t.Errorf("test accuracy %v, want %v", got.TestAccuracy, want)
	}
	p, err := curvature.At(net, half, nn.MSE, 1<<28)
	if err != nil {
		t.Fatal(err)
	}
	top, err := p.Leading(t.Context(), p.Hessian(), linop.Largest, 1, curvature.Options{}, generator(3))
	if err != nil {
		t.Fatal(err)
	}
	if want := top.Pairs[0].Value; !(math.Abs(got.LambdaMax-want) <= 1e-3*want) {
		t.Errorf("λ_max %v, want %v", got.LambdaMax, want)
	}
	samples, err := p.SampleStatistics()
	if err != nil {
		t.Fatal(err)
	}
	if !(math.Abs(got.Trace-samples.Trace) <= 1e-9*samples.Trace) || !(math.Abs(got.GW*got.GW-got.Trace) <= 1e-9*got.Trace) {
		t.Errorf("trace %v and g_W² %v of mse with two outputs, want %v", got.Trace, got.GW*got.GW, samples.Trace)
	}
}

// tenOf is ten samples of two classes of images, evenly from all.
func tenOf(all nn.Data[float64]) nn.Data[float64] {
	some := nn.Data[float64]{N: 10}
	for i := 0; i < all.N; i += all.N / 10 {
		some.X = append(some.X, all.X[i*784:(i+1)*784]...)
		some.Y = append(some.Y, all.Y[i*2:(i+1)*2]...)
	}
	return some
}

// shareRight counts the samples of two classes whose larger output is that of their class.
func shareRight(net *nn.Network[float64], data nn.Data[float64]) float64 {
	right := 0
	ws := net.NewWorkspace(1)
	for i := range data.N {
		net.SetInput(ws, 0, data.X[i*784:(i+1)*784])
		net.Forward(ws, 1)
		if f := net.Output(ws, 0); (f[1] > f[0]) == (data.Y[2*i+1] > data.Y[2*i]) {
			right++
		}
	}
	return float64(right) / float64(data.N)
}

// An interruption changes neither the weights nor what the probes saw.
func TestProbedTrainingsResumeWithTheSameBytes(t *testing.T) {
	cfg := probedGrid()
	cfg.SGD.Iterations, cfg.Measure.Probe = 3000, 500
	whole, dir := t.TempDir(), t.TempDir()
	if err := runGrid(t.Context(), whole, cfg, 2, silent{}); err != nil {
		t.Fatal(err)
	}
	if runInterrupted(t, dir, cfg) == 0 {
		t.Error("never interrupted: the test shows nothing")
	}
	for name := range histories(t, whole) {
		if readFile(t, dir, "points", name, "history.parquet") != readFile(t, whole, "points", name, "history.parquet") {
			t.Errorf("%s: another history", name)
		}
	}
	cfg.Measure.Probe, cfg.Measure.ProbeSamples = 0, 0
	plain := t.TempDir()
	if err := runGrid(t.Context(), plain, cfg, 2, silent{}); err != nil {
		t.Fatal(err)
	}
	if readFile(t, plain, "results.csv") != readFile(t, whole, "results.csv") {
		t.Error("probes change the results")
	}
}
