package report

import (
	"math"
	"slices"
	"sync"

	"sobolev/rundir"
)

// Report is what is known about a run, computed once from its records.
type Report struct {
	Config rundir.Config
	// Correlations are in the order of the page: the paper's pair first.
	Correlations []Correlation
	// LeftOut lists why points do not count, the most frequent reason first.
	LeftOut []Reason
	// Warnings are those of the results, similar ones as one.
	Warnings []Warning
	// Total is the number of points, Counted that of those in the correlations.
	Total, Counted int

	solutions []solution
	cells     []cell
	orders    []int
	curves    []curve
	effective float64 // effective learning rate / η, NaN when unknown
	draws     int
	outputs   int // of the networks, 0 when unknown
	info      *rundir.Result
	dir       *rundir.Dir // nil without files
	// What is to be drawn, and the drawings of the page; each is made once.
	figures func() []figure
	drawn   func() ([]drawnFigure, error)
}

// Reason is a reason for leaving points out, with the names of the points.
type Reason struct {
	Text   string
	Points []string
}

// Build reads the records of a run, which may be unfinished, and computes the
// statistics. It fails when a record cannot be read; a missing history.parquet
// only takes away the training curve.
func Build(dir *rundir.Dir) (*Report, error) {
	records, err := dir.Records()
	if err != nil {
		return nil, err
	}
	return BuildFrom(dir, records), nil
}

// BuildFrom is Build for who has the Records at hand.
func BuildFrom(dir *rundir.Dir, records []rundir.Record) *Report {
	r := fromRecords(dir.Config, records, dir.InUse(), bootstrapDraws)
	r.dir = dir
	r.curves = readCurves(dir, r.solutions)
	return r
}

func fromRecords(cfg rundir.Config, records []rundir.Record, inUse bool, draws int) *Report {
	r := &Report{Config: cfg}
	r.solutions, r.cells = solutions(cfg, slices.Clone(records), inUse)
	r.Total = len(r.solutions)
	r.draws = min(draws, max(fewestDraws, bootstrapWork/max(r.Total, 1)))
	r.effective = math.NaN()
	for i := range r.solutions {
		r.observe(&r.solutions[i])
	}
	slices.Sort(r.orders)
	slices.SortStableFunc(r.LeftOut, func(a, b Reason) int { return len(b.Points) - len(a.Points) })
	r.Warnings = groupWarnings(r.solutions)
	r.Correlations = r.correlate()
	r.figures = sync.OnceValue(r.listFigures)
	r.drawn = sync.OnceValues(func() ([]drawnFigure, error) { return drawnFigures(r.figures()) })
	return r
}

// observe adds one solution to the counts.
func (r *Report) observe(s *solution) {
	if s.counts() {
		r.Counted++
	} else {
		i := slices.IndexFunc(r.LeftOut, func(l Reason) bool { return l.Text == s.leftOut })
		if i < 0 {
			i = len(r.LeftOut)
			r.LeftOut = append(r.LeftOut, Reason{Text: s.leftOut})
		}
		r.LeftOut[i].Points = append(r.LeftOut[i].Points, s.Name)
	}
	if s.Result == nil {
		return
	}
	for _, m := range s.Result.Moments {
		if !slices.Contains(r.orders, m.K) {
			r.orders = append(r.orders, m.K)
		}
	}
	if r.info == nil {
		r.info = s.Result
	}
	if e := float64(s.Result.Convention.EffectiveLearningRate) / s.Point.LearningRate; e > 0 && math.IsNaN(r.effective) {
		r.effective = e
	}
	r.outputs = max(r.outputs, s.Result.Model.Outputs)
}

// varies says whether a quantity of the grid takes more than one value, as far as
// its values are known.
func (r *Report) varies(q quantity) bool {
	first := math.NaN()
	for i := range r.solutions {
		v := q.of(&r.solutions[i])
		switch {
		case math.IsNaN(v):
		case math.IsNaN(first):
			first = v
		case v != first:
			return true
		}
	}
	return false
}
