package report

import (
	"math"
	"math/rand/v2"
	"testing"

	"sobolev/rundir"
)

// gridConfig is a resolved configuration over the given axes.
func gridConfig(etas []float64, batches []int, repetitions int) rundir.Config {
	c, err := rundir.Config{
		Name:    "synthetic",
		Dataset: rundir.Dataset{Name: "fashion-mnist", Classes: []int{0, 1, 2, 3, 4}, PerClass: 1000},
		Model:   rundir.Model{Hidden: []int{500, 500, 500}},
		SGD:     rundir.SGD{Iterations: 100_000},
		Grid:    rundir.Grid{LearningRate: etas, BatchSize: batches}, Repetitions: repetitions, Seed: 1,
	}.Resolve()
	if err != nil {
		panic(err)
	}
	return c
}

// result is that of a training whose moments fall with η/B as a power law with
// noise, g_x in proportion to g_W.
func result(p rundir.Point, random *rand.Rand) *rundir.Result {
	ratio := p.LearningRate / float64(p.BatchSize)
	r := &rundir.Result{Format: rundir.Format}
	r.Model = rundir.ModelInfo{Parameters: 896_005, Inputs: 784, Outputs: 5}
	r.Data.Samples = 5000
	r.Convention = rundir.Convention{Loss: p.Loss, EffectiveLearningRate: rundir.Number(0.4 * p.LearningRate),
		Sampling: p.SGD.Sampling, Preprocessing: "x/255", Precision: "float32", Units: "learning rate of the configured loss"}
	r.Fit = rundir.Fit{Loss: 2e-5, RelativeLoss: 1e-4, MaxResidual: 0.1, Interpolates: true}
	for k := 1; k <= 3; k++ {
		gW := 40 * math.Pow(ratio/0.005, -0.25) * math.Exp(0.06*random.NormFloat64()) / float64(k)
		gX := 0.02 * gW * math.Exp(0.08*random.NormFloat64())
		r.Moments = append(r.Moments, rundir.Moment{K: k, GW: rundir.Number(gW), GX: rundir.Number(gX)})
	}
	r.Training = &rundir.Training{Status: "finished", Steps: p.SGD.Iterations, TrainLoss: 2e-5, TrainAccuracy: 1,
		TestLoss: 0.04, TestAccuracy: rundir.Number(0.86 - 0.02*float64(r.Moments[0].GX) + 0.003*random.NormFloat64())}
	return r
}

// records is a finished run of cfg.
func records(cfg rundir.Config) []rundir.Record {
	random := rand.New(rand.NewPCG(3, 4))
	var rs []rundir.Record
	for _, p := range cfg.Points() {
		rs = append(rs, rundir.Record{Name: p.Name(), Point: p, Status: rundir.Status{State: rundir.Done}, Result: result(p, random)})
	}
	return rs
}

func diverge(r *rundir.Record) {
	r.Result.Training.Status = "diverged"
	r.Result.Training.TrainLoss = rundir.Number(math.NaN())
	r.Result.Fit = rundir.Fit{Loss: rundir.Number(math.Inf(1)), RelativeLoss: rundir.Number(math.NaN())}
	r.Result.Moments = nil
}

func noInterpolation(r *rundir.Record) { r.Result.Fit.Interpolates = false }

// onDisk writes a run directory with histories.
func onDisk(t *testing.T, cfg rundir.Config, rs []rundir.Record) *rundir.Dir {
	t.Helper()
	d, err := rundir.Create(t.TempDir()+"/run", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	random := rand.New(rand.NewPCG(5, 6))
	for _, r := range rs {
		p := d.Point(r.Point)
		if err := p.Prepare(); err != nil {
			t.Fatal(err)
		}
		if err := p.WriteStatus(r.Status); err != nil {
			t.Fatal(err)
		}
		if r.Result == nil {
			continue
		}
		if err := p.WriteResult(r.Result); err != nil {
			t.Fatal(err)
		}
		var rows []rundir.HistoryRow
		for step := int64(500); step <= 100_000; step += 500 {
			loss := 0.1/(1+float64(step)*r.Point.LearningRate/1000)*math.Exp(0.1*random.NormFloat64()) + 1e-5
			rows = append(rows, rundir.HistoryRow{Step: step, BatchLoss: loss})
		}
		if err := p.WriteHistory(rows); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// few draws keep the tests fast; the seed is the same.
const fewDraws = 200

// oddRuns are the runs that a report must survive.
func oddRuns() map[string]*Report {
	runs := map[string]*Report{}
	add := func(name string, cfg rundir.Config, change func([]rundir.Record)) {
		rs := records(cfg)
		if change != nil {
			change(rs)
		}
		runs[name] = fromRecords(cfg, rs, false, fewDraws)
	}
	four := gridConfig([]float64{0.05, 0.1, 0.2, 0.4}, []int{20}, 3)
	one := gridConfig([]float64{0.1}, []int{20}, 1)
	each := func(f func(*rundir.Record)) func([]rundir.Record) {
		return func(rs []rundir.Record) {
			for i := range rs {
				f(&rs[i])
			}
		}
	}
	add("ordinary", four, nil)
	add("batch sizes", gridConfig([]float64{0.1}, []int{5, 10, 20, 40}, 3), nil)
	add("both axes", gridConfig([]float64{0.1, 0.2, 0.4}, []int{5, 10, 20}, 2), nil)
	add("one point", one, nil)
	add("one cell", gridConfig([]float64{0.1}, []int{20}, 6), nil)
	add("two cells", gridConfig([]float64{0.1, 0.3}, []int{20}, 6), nil)
	add("one repetition", gridConfig([]float64{0.05, 0.1, 0.2, 0.4}, []int{20}, 1), nil)
	add("all diverged", four, each(diverge))
	add("none interpolates", four, each(noInterpolation))
	add("nothing trained", four, each(func(r *rundir.Record) { r.Result, r.Status.State = nil, rundir.Pending }))
	add("all failed", four, each(func(r *rundir.Record) {
		r.Result, r.Status = nil, rundir.Status{State: rundir.Failed, Error: "out of <memory>"}
	}))
	add("not a number", four, each(func(r *rundir.Record) {
		nan := rundir.Number(math.NaN())
		r.Result.Moments[0].GW, r.Result.Moments[1].GX = nan, nan
		r.Result.Training.TestAccuracy, r.Result.Training.TrainLoss = nan, nan
		r.Result.Convention.EffectiveLearningRate = nan
	}))
	add("zero and infinite", four, func(rs []rundir.Record) {
		rs[0].Result.Moments[0].GX = 0
		rs[1].Result.Moments[0].GW = rundir.Number(math.Inf(1))
		rs[2].Result.Moments[0].GX = 1e300
	})
	add("all equal", four, each(func(r *rundir.Record) {
		for i := range r.Result.Moments {
			r.Result.Moments[i].GW, r.Result.Moments[i].GX = 3, 0.5
		}
	}))
	add("no moments", four, each(func(r *rundir.Record) { r.Result.Moments = nil }))
	add("orders differ", four, func(rs []rundir.Record) { rs[0].Result.Moments = rs[0].Result.Moments[:1] })
	var etas []float64
	var batches []int
	for i := range 20 {
		etas, batches = append(etas, 0.01*float64(i+1)), append(batches, 5*(i+1))
	}
	add("hundreds of cells", gridConfig(etas, batches, 1), nil)
	oddStability(runs)
	oddBounds(runs)
	oddCovers(runs)
	runs["no records"] = fromRecords(four, nil, false, fewDraws)
	return runs
}
