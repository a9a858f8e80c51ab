// Package rundirtest makes run directories for the tests and benchmarks of what
// reads them: with as many finished points as wanted, without training one.
package rundirtest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/parquet-go/parquet-go"

	"sobolev/rundir"
)

// measured is the result.json of a small network on FashionMNIST with everything
// that can be measured: moments, curvature, stability, bounds and balls.
//
//go:embed result.json
var measured []byte

// Grid is an experiment with n points, or a few more: up to 50 learning rates and 20
// batch sizes, and as many repetitions as it takes.
func Grid(t testing.TB, n int) rundir.Config {
	t.Helper()
	c := rundir.Config{
		Name:    "synthetic",
		Dataset: rundir.Dataset{Name: "fashion-mnist-mini", Classes: []int{0, 1}, PerClass: 50, TestPerClass: 10},
		Model:   rundir.Model{Hidden: []int{20, 20}},
		SGD:     rundir.SGD{Iterations: 3000},
		Measure: rundir.Measure{Stability: true, Bounds: true, Radius: 0.1},
	}
	for i := range min(50, max(1, n/2)) {
		eta, _ := strconv.ParseFloat(fmt.Sprintf("%.3g", 0.01*math.Pow(1.1, float64(i))), 64)
		c.Grid.LearningRate = append(c.Grid.LearningRate, eta)
	}
	for i := range min(20, max(1, n/len(c.Grid.LearningRate)/2)) {
		c.Grid.BatchSize = append(c.Grid.BatchSize, 1+i)
	}
	cells := len(c.Grid.LearningRate) * len(c.Grid.BatchSize)
	c.Repetitions = max(1, (n+cells-1)/cells)
	c, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Finished makes a run at path in which every point of the experiment has ended,
// one in 97 by diverging, with its indexes. Numbers follow the paper's law
// (gradients shrink as η grows) up to a deterministic scatter. edit, which may be
// nil, changes a point's result before it is written.
func Finished(t testing.TB, path string, c rundir.Config, edit func(rundir.Point, *rundir.Result)) *rundir.Dir {
	t.Helper()
	d, err := rundir.Create(path, c)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	points := c.Points()
	errs := make(chan error, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	for range cap(errs) {
		go func() {
			var err error
			for i := next.Add(1) - 1; err == nil && i < int64(len(points)); i = next.Add(1) - 1 {
				err = write(d.Point(points[i]), c, i%97 == 96, edit)
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		err = errors.Join(err, <-errs)
	}
	if err = errors.Join(err, d.WriteIndexes()); err != nil {
		t.Fatal(err)
	}
	return d
}

// write places the files of a point without waiting for the disk.
func write(d rundir.PointDir, c rundir.Config, diverged bool, edit func(rundir.Point, *rundir.Result)) error {
	r, err := result(d.Point, c, diverged)
	if err != nil {
		return err
	}
	if edit != nil {
		edit(d.Point, r)
	}
	point, err := yaml.Marshal(d.Point)
	if err != nil {
		return err
	}
	js, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	status, err := json.MarshalIndent(rundir.Status{
		Format: rundir.Format, State: rundir.Done, Attempts: 1, Steps: r.Training.Steps,
		Seconds: 3 + float64(d.Point.Repetition)/8, Host: "node1", Version: "(devel)", Kernel: "avx2",
	}, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return err
	}
	for name, data := range map[string][]byte{"point.yaml": point, "status.json": status, "result.json": js} {
		if err := os.WriteFile(d.File(name), data, 0o644); err != nil {
			return err
		}
	}
	return parquet.WriteFile(filepath.Join(d.Path, "history.parquet"), history(r))
}

// result is that of the template, scaled.
func result(p rundir.Point, c rundir.Config, diverged bool) (*rundir.Result, error) {
	r := new(rundir.Result)
	if err := json.Unmarshal(measured, r); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(p.Seed, uint64(p.Repetition)<<32|uint64(math.Float64bits(p.LearningRate*float64(p.BatchSize))>>32)))
	spread := func() float64 { return math.Exp(0.1 * random.NormFloat64()) }
	r.Convention.LearningRate, r.Convention.BatchSize = rundir.Number(p.LearningRate), p.BatchSize
	r.Convention.EffectiveLearningRate = rundir.Number(p.LearningRate)
	r.MeasuredOrders, r.MeasuredStability = c.Measure.Orders, c.Measure.StabilityOptions()
	r.Training.Steps = p.SGD.Iterations
	if diverged {
		nan := rundir.Number(math.NaN())
		*r.Training = rundir.Training{Status: "diverged", Steps: 17, TrainLoss: nan, TrainAccuracy: nan, TestLoss: nan, TestAccuracy: nan}
		r.Fit = rundir.Fit{Loss: nan, RelativeLoss: nan, MaxResidual: nan}
		r.Moments, r.Curvature, r.Stability, r.Bounds, r.Spectrum, r.OperatorNorms = nil, nil, nil, nil, nil, nil
		r.Seminorms, r.Geometry, r.Smoothness, r.Robustness = nil, nil, nil, nil
		r.Warnings = []string{"the training diverged after 17 steps: nothing is measured"}
		return r, nil
	}
	gradients := math.Pow(p.LearningRate/0.1, -0.3) * spread()
	scale(reflect.ValueOf(r.Moments), gradients)
	scale(reflect.ValueOf(r.Curvature), gradients)
	scale(reflect.ValueOf(r.Bounds), gradients)
	for i := range r.Bounds {
		for j := range r.Bounds[i].Hypotheses {
			h := &r.Bounds[i].Hypotheses[j]
			h.Evidence = lastNumber.ReplaceAllLiteralString(h.Evidence, fmt.Sprintf("%.4g", 0.15/gradients))
		}
	}
	scale(reflect.ValueOf(r.Stability), 1/gradients)
	for i := range r.Stability.Orders {
		decide(&r.Stability.Orders[i], p.LearningRate)
	}
	r.Training.TestLoss *= rundir.Number(spread())
	r.Training.TestAccuracy = rundir.Number(1 - 0.05*spread())
	return r, nil
}

var lastNumber = regexp.MustCompile(`[0-9.e-]+$`)

// decide gives the verdict of order k at η again, after its thresholds have moved.
func decide(o *rundir.Order, eta float64) {
	o.Stable, o.Margin = nil, nil
	stable, threshold := eta <= float64(o.EtaLower), o.EtaLower
	if !stable {
		threshold = o.EtaUpper
	}
	if stable || eta > float64(o.EtaUpper) {
		margin := threshold / rundir.Number(eta)
		o.Stable, o.Margin = &stable, &margin
	}
}

// scale multiplies every Number below v, so that what bounds another still does.
func scale(v reflect.Value, by float64) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			scale(v.Elem(), by)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			scale(v.Index(i), by)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			scale(v.Field(i), by)
		}
	case reflect.Float64:
		if v.Type() == reflect.TypeFor[rundir.Number]() {
			v.SetFloat(v.Float() * by)
		}
	}
}

// history is a loss that falls to the training loss at its end.
func history(r *rundir.Result) []rundir.HistoryRow {
	const rows = 200
	end := float64(r.Training.TrainLoss)
	h := make([]rundir.HistoryRow, rows)
	for i := range h {
		share := float64(i) / (rows - 1)
		h[i] = rundir.HistoryRow{Step: int64(share * float64(r.Training.Steps)), BatchLoss: 0.3 * math.Pow(end/0.3, share), Probe: rundir.NoProbe()}
	}
	h[0].BatchLoss = math.NaN()
	return h
}
