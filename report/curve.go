package report

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg/draw"

	"sobolev/internal/parallel"
	"sobolev/rundir"
)

// curve is the training loss of one solution along its steps, and the rows of its
// history that have a probe.
type curve struct {
	of          *solution
	steps, loss []float64
	probes      []rundir.HistoryRow
}

// A figure of more trainings than maxCurves shows only the first repetition of each
// cell, and of these maxCurves evenly over the grid; each curve has at most
// curveBins points, which keeps a figure of long histories small.
const (
	maxCurves = 60
	curveBins = 150
)

// readCurves reads the histories that are there.
func readCurves(dir *rundir.Dir, all []solution) []curve {
	var trained, first []*solution
	for i := range all {
		if s := &all[i]; s.Result != nil {
			trained = append(trained, s)
			if s.repetition == 0 {
				first = append(first, s)
			}
		}
	}
	if len(trained) > maxCurves {
		trained = evenlyFrom(first, maxCurves)
	}
	curves := make([]curve, len(trained))
	parallel.Each(runtime.GOMAXPROCS(0), len(trained), func(_, i int) {
		// A missing or damaged history costs a line of one figure and is no
		// reason to refuse the report.
		if rows, err := dir.Point(trained[i].Point).ReadHistory(); err == nil {
			curves[i] = thin(rows)
			curves[i].of, curves[i].probes = trained[i], probed(rows)
		}
	})
	return slices.DeleteFunc(curves, func(c curve) bool { return len(c.steps) == 0 })
}

// evenlyFrom are at most n elements, evenly over their number.
func evenlyFrom[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	kept := make([]T, n)
	for i := range kept {
		kept[i] = all[i*len(all)/n]
	}
	return kept
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
	caption := fmt.Sprintf("Training loss (mean over the batches of a row of the history) along the steps of %s, averaged within equal widths of log step%s.", plural(len(r.curves), "training", "trainings"), r.colorWords())
	if trained := r.trained(); trained > maxCurves {
		caption += " Only the first repetition of each grid cell is shown."
		if len(r.curves) == maxCurves {
			caption = strings.TrimSuffix(caption, ".") + ", of cells evenly over the grid."
		}
	} else if missing := trained - len(r.curves); missing > 0 {
		caption += " " + plural(missing, "training has", "trainings have") + " no readable history."
	}
	return []figure{{name: "training", heading: "Training", caption: caption, height: 190, data: func() sheet { return curveSheet(r.curves) }, curves: func() []lineChart { return []lineChart{trainingChart(r.curves, colors)} }, draw: func(c draw.Canvas) {
		var steps, losses []float64
		for _, curve := range r.curves {
			steps, losses = append(steps, curve.steps...), append(losses, curve.loss...)
		}
		p := newPanel(scaleOf(steps, 0.02, 1), scaleOf(losses, 0.04, 1), "step", "batch loss", nil)
		for _, curve := range r.curves {
			p.Add(recorded(curve.steps, curve.loss, colors.of(curve.of), 0.7))
		}
		drawPanels(c, colors, p)
	}}}
}

// trainingChart has the losses as they are drawn: the page of a point has all rows.
func trainingChart(curves []curve, colors coloring) lineChart {
	c := lineChart{X: "step", Y: "batch loss", LogX: true, LogY: true, Color: colors.columnName()}
	for _, curve := range curves {
		l := newChartLine("batch loss, averaged", curve.steps, curve.loss, nil, nil)
		l.Point = curve.of.Name
		c.Lines = append(c.Lines, l)
	}
	return c
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
