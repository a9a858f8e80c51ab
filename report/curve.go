package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg/draw"

	"sobolev/rundir"
)

// curve is the training loss of one solution along its steps, and the rows of its
// history that have a probe.
type curve struct {
	of          *solution
	steps, loss []float64
	probes      []rundir.HistoryRow
}

// A figure with more training curves than maxCurves shows only the first
// repetition of each cell; each curve has at most curveBins points, which keeps
// a figure of long histories small.
const (
	maxCurves = 60
	curveBins = 150
)

// readCurves reads the histories that are there.
func readCurves(dir *rundir.Dir, all []solution) []curve {
	var trained []*solution
	for i := range all {
		if s := &all[i]; s.Result != nil {
			trained = append(trained, s)
		}
	}
	var curves []curve
	for _, s := range trained {
		if len(trained) > maxCurves && s.repetition != 0 {
			continue
		}
		// A missing or damaged history costs a line of one figure and is no
		// reason to refuse the report.
		rows, err := dir.Point(s.Point).ReadHistory()
		if err != nil {
			continue
		}
		if c := thin(rows); len(c.steps) > 0 {
			c.of, c.probes = s, probed(rows)
			curves = append(curves, c)
		}
	}
	return curves
}

// thin averages the rows within bins of equal width in log(step). Rows whose
// loss is no positive finite number cannot be drawn on a log axis and are
// skipped.
func thin(rows []rundir.HistoryRow) curve {
	var c curve
	if len(rows) == 0 {
		return c
	}
	width := math.Log(float64(max(rows[len(rows)-1].Step, 2))) / curveBins
	bin, count := -1, 0.0
	for _, row := range rows {
		if row.Step < 1 || !(row.BatchLoss > 0) || math.IsInf(row.BatchLoss, 0) {
			continue
		}
		b := min(int(math.Log(float64(row.Step))/width), curveBins-1)
		if b != bin {
			c.steps, c.loss = append(c.steps, 0), append(c.loss, 0)
			bin, count = b, 0
		}
		last := len(c.steps) - 1
		count++
		c.steps[last] += (float64(row.Step) - c.steps[last]) / count
		c.loss[last] += (row.BatchLoss - c.loss[last]) / count
	}
	return c
}

// trainingFigures are the training losses along the steps.
func (r *Report) trainingFigures() []figure {
	if len(r.curves) == 0 {
		return nil
	}
	colors := r.coloring()
	caption := fmt.Sprintf("Training loss (mean over the batches of a row of the history) along the steps of %d trainings, averaged within equal widths of log step%s.", len(r.curves), r.colorWords())
	if trained := r.trained(); trained > maxCurves {
		caption += " Only the first repetition of each grid cell is shown."
	} else if missing := trained - len(r.curves); missing > 0 {
		caption += fmt.Sprintf(" %d trainings have no readable history.", missing)
	}
	return []figure{{name: "training", heading: "Training", caption: caption, height: 190, draw: func(c draw.Canvas) {
		var steps, losses []float64
		for _, curve := range r.curves {
			steps, losses = append(steps, curve.steps...), append(losses, curve.loss...)
		}
		p := newPanel(scaleOf(steps, 0.02, 1), scaleOf(losses, 0.04, 1), "step", "batch loss", nil)
		for _, curve := range r.curves {
			p.Add(polyline(curve.steps, curve.loss, colors.of(curve.of), 0.7))
		}
		drawPanels(c, colors, p)
	}}}
}

func (r *Report) trained() int {
	n := 0
	for i := range r.solutions {
		if r.solutions[i].Result != nil {
			n++
		}
	}
	return n
}
