package report

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"

	"sobolev/internal/parallel"
	"sobolev/rundir"
)

// solution is a point of the run as figures and statistics see it.
type solution struct {
	rundir.Record
	// cell numbers the (method, η, B) of the run, repetition its repetitions,
	// both from 0.
	cell, repetition int
	// leftOut is why the solution does not count; empty when it does.
	leftOut string
}

func (s *solution) counts() bool { return s.leftOut == "" }

// finished says whether there is a trained network: the weights have not
// diverged, though they may not fit the data.
func (s *solution) finished() bool {
	return s.Result != nil && s.Result.Training != nil && s.Result.Training.Status == "finished"
}

// moment returns the moments of order 2k, nil if they were not measured.
func (s *solution) moment(k int) *rundir.Moment {
	if s.Result == nil {
		return nil
	}
	for i := range s.Result.Moments {
		if s.Result.Moments[i].K == k {
			return &s.Result.Moments[i]
		}
	}
	return nil
}

// The reasons for which a solution does not count.
const (
	notTrained   = "not trained yet"
	inTraining   = "still in training"
	interrupted  = "training interrupted"
	failed       = "failed with an error"
	diverged     = "diverged"
	noTarget     = "target loss not reached"
	noFit        = "not interpolating"
	noMoments    = "gradient moments not measured"
	lossHeadroom = 1 + 1e-6 // the stopping test and the record may sum in a different order
)

// reason is why the record does not count, "" when it does. inUse says whether
// a process works on the run.
func reason(r rundir.Record, inUse bool) string {
	if r.Result == nil || r.Result.Training == nil {
		switch standing := r.Standing(inUse); {
		case standing == string(rundir.Failed) && r.Status.Error != "":
			return failed + ": " + r.Status.Error
		case standing == string(rundir.Failed):
			return failed
		case standing == string(rundir.Running):
			return inTraining
		case standing == "interrupted":
			return interrupted
		}
		return notTrained
	}
	training := r.Result.Training
	switch target := r.Point.Stop.Loss; {
	case training.Status == "diverged":
		return diverged
	case training.Status != "finished":
		return fmt.Sprintf("training is %q", training.Status)
	case target > 0 && !(float64(training.TrainLoss) <= target*lossHeadroom):
		return noTarget
	case target == 0 && !r.Result.Fit.Interpolates:
		return noFit
	case len(r.Result.Moments) == 0:
		return noMoments
	}
	return ""
}

// cell is one (method, η, B) of the grid.
type cell struct {
	method       string
	learningRate float64
	batchSize    int
}

func cellOf(p rundir.Point) cell { return cell{p.Method, p.LearningRate, p.BatchSize} }

func compareCells(a, b cell) int {
	return cmp.Or(cmp.Compare(a.method, b.method), cmp.Compare(a.learningRate, b.learningRate), cmp.Compare(a.batchSize, b.batchSize))
}

// solutions numbers cells and repetitions of the records and of those points of
// the configuration that have no record yet.
func solutions(cfg rundir.Config, records []rundir.Record, inUse bool) ([]solution, []cell) {
	known := map[string]bool{}
	for _, r := range records {
		known[r.Name] = true
	}
	points := cfg.Points()
	names := make([]string, len(points))
	parallel.Each(runtime.GOMAXPROCS(0), len(points), func(_, i int) { names[i] = points[i].Name() }) // takes a digest
	for i, p := range points {
		if name := names[i]; !known[name] {
			records = append(records, rundir.Record{Name: name, Point: p, Status: rundir.Status{State: rundir.Pending}})
		}
	}
	var cells []cell
	var repetitions []int
	for _, r := range records {
		cells = append(cells, cellOf(r.Point))
		repetitions = append(repetitions, r.Point.Repetition)
	}
	slices.SortFunc(cells, compareCells)
	cells = slices.Compact(cells)
	slices.Sort(repetitions)
	repetitions = slices.Compact(repetitions)

	all := make([]solution, len(records))
	for i, r := range records {
		c, _ := slices.BinarySearchFunc(cells, cellOf(r.Point), compareCells)
		rep, _ := slices.BinarySearch(repetitions, r.Point.Repetition)
		all[i] = solution{Record: r, cell: c, repetition: rep, leftOut: reason(r, inUse)}
	}
	slices.SortStableFunc(all, func(a, b solution) int {
		return cmp.Or(cmp.Compare(a.cell, b.cell), cmp.Compare(a.repetition, b.repetition))
	})
	return all, cells
}

// quantity is a number of a solution that figures and correlations use; NaN
// where it was not measured.
type quantity struct {
	// name identifies it in Correlation and in tables; label is the axis's,
	// in the notation of the figures' text. column is its name in Data.
	name, label, column string
	of                  func(*solution) float64
}

func learningRate() quantity {
	return quantity{"η", "learning rate η", "learning_rate", func(s *solution) float64 { return s.Point.LearningRate }}
}

func batchSize() quantity {
	return quantity{"B", "batch size B", "batch_size", (*solution).batch}
}

func ratio() quantity {
	return quantity{"η/B", "η / B", "eta_over_batch", func(s *solution) float64 { return s.Point.LearningRate / s.batch() }}
}

// batch is B; NaN for a full-batch point before its result tells n.
func (s *solution) batch() float64 {
	if b := s.BatchSize(); b > 0 {
		return float64(b)
	}
	return math.NaN()
}

func orderSuffix(k int) string { return fmt.Sprintf(" (k=%d)", k) }

func gW(k int) quantity {
	return quantity{"g_W" + orderSuffix(k), fmt.Sprintf("g_{W}  (order 2k = %d)", 2*k), fmt.Sprintf("g_W_%d", k), func(s *solution) float64 {
		if m := s.moment(k); m != nil {
			return float64(m.GW)
		}
		return math.NaN()
	}}
}

func gX(k int) quantity {
	return quantity{"g_x" + orderSuffix(k), fmt.Sprintf("g_{x}  (order 2k = %d)", 2*k), fmt.Sprintf("g_x_%d", k), func(s *solution) float64 {
		if m := s.moment(k); m != nil {
			return float64(m.GX)
		}
		return math.NaN()
	}}
}

func testError() quantity {
	return quantity{"test error", "test error (%)", "test_error_percent", func(s *solution) float64 { return 100 - testAccuracy().of(s) }}
}

func testAccuracy() quantity {
	return quantity{"test accuracy", "test accuracy (%)", "test_accuracy_percent", func(s *solution) float64 {
		if s.Result == nil || s.Result.Training == nil {
			return math.NaN()
		}
		return 100 * float64(s.Result.Training.TestAccuracy)
	}}
}
