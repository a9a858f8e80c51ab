package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"sobolev/rundir"
)

// maxProbes limits the points of a line, so that a figure of a training that was
// probed at every step stays small.
const maxProbes = 400

// withProbe are the rows that have a probe.
func withProbe(rows []rundir.HistoryRow) []rundir.HistoryRow {
	var found []rundir.HistoryRow
	for _, row := range rows {
		if row.ProbeSamples > 0 {
			found = append(found, row)
		}
	}
	return found
}

// probed are at most maxProbes rows that have a probe, evenly over their number and
// with the first and the last.
func probed(rows []rundir.HistoryRow) []rundir.HistoryRow {
	found := withProbe(rows)
	n := len(found)
	if n <= maxProbes {
		return found
	}
	kept := make([]rundir.HistoryRow, maxProbes)
	for i := range kept {
		kept[i] = found[i*(n-1)/(maxProbes-1)]
	}
	return kept
}

// sharpnessFigures are the sharpness and the batch sharpness along the steps,
// against 2/η, of trainings that were probed.
func (r *Report) sharpnessFigures() []figure {
	of := map[*solution]curve{}
	var candidates []*solution
	for _, c := range r.curves {
		if slices.ContainsFunc(c.probes, func(row rundir.HistoryRow) bool { return drawable(row.LambdaMax) || drawable(row.RatioMean) }) {
			of[c.of] = c
			candidates = append(candidates, c.of)
		}
	}
	chosen := r.representatives(candidates)
	if len(chosen) == 0 {
		return nil
	}
	var curves []curve
	for _, s := range chosen {
		curves = append(curves, of[s])
	}
	colors := r.coloring()
	sharp := tracesOf(curves, colors, func(p rundir.Probe) between { return between{p.LambdaMax, p.LambdaMax, p.LambdaMax} })
	batch := tracesOf(curves, colors, func(p rundir.Probe) between { return between{p.RatioMean, p.RatioMeanLower, p.RatioMeanUpper} })
	steps := stepsOf(curves)
	f := figure{name: "sharpness", data: func() sheet { return probeSheet(curves) }, heading: "Sharpness in training", ownMarks: true, height: 312,
		caption: r.sharpnessCaption(curves, len(sharp) > 0, len(batch) > 0, steps)}
	f.draw = func(c draw.Canvas) {
		y := edgesAndValues(append(slices.Clone(sharp), batch...))
		var panels []*plot.Plot
		if len(sharp) > 0 {
			panels = append(panels, steps.panel(sharp, y, "λ_{max}  (Hessian)"))
		}
		if len(batch) > 0 {
			panels = append(panels, steps.panel(batch, y, "batch sharpness"))
		}
		panels[len(panels)-1].X.Label.Text = "step    (dashed: 2 / η)"
		drawPanels(c, colors, panels...)
	}
	f.curves = func() []lineChart {
		var charts []lineChart
		logY := edgesAndValues(append(slices.Clone(sharp), batch...)).log
		if len(sharp) > 0 {
			charts = append(charts, steps.chart(sharp, "λ_{max}", logY, colors))
		}
		if len(batch) > 0 {
			charts = append(charts, steps.chart(batch, "batch sharpness", logY, colors))
		}
		return charts
	}
	if len(sharp) == 0 || len(batch) == 0 {
		f.height = 180
	}
	return []figure{f}
}

func (r *Report) sharpnessCaption(curves []curve, sharp, batch bool, steps stepAxis) string {
	var parts, names []string
	if sharp {
		parts = append(parts, "the largest eigenvalue λ_max of the Hessian of the configured loss")
	}
	if batch {
		parts = append(parts, "batch sharpness, the mean of gᵀHg/‖g‖² over batches, g and H the gradient and the Hessian of a batch, with its 95% interval as a band")
	}
	samples := int64(0)
	for _, c := range curves {
		names = append(names, fmt.Sprintf("η = %s, B = %s, repetition %d", shortest(c.of.Point.LearningRate), shortest(c.of.batch()), c.of.Point.Repetition))
		samples = max(samples, c.probes[0].ProbeSamples)
	}
	text := fmt.Sprintf("Along the steps of training: %s, on %s. Dashed: 2/η of each training, as far as it went. "+
		"Cohen et al. (2021) find that λ_max rises to 2/η under gradient descent, Andreyev & Beneventano (2024) that batch sharpness does so under SGD.",
		strings.Join(parts, "; "), plural(int(samples), "training sample", "training samples"))
	if m := r.Config.SGD.Momentum; m != 0 {
		text += fmt.Sprintf(" These edges are those without momentum; here it is %s.", shortest(m))
	}
	if steps.log && steps.zero > 0 {
		text += " Step 0 stands at the left edge of the logarithmic axis."
	}
	return text + " Shown: " + strings.Join(names, "; ") + "."
}

// trace is a quantity along the steps of one training.
type trace struct {
	steps, value, lower, upper []float64
	hasBand                    bool
	edge                       float64 // 2/η
	colors                     coloring
	of                         *solution
}

// tracesOf leaves out what was not measured, and trainings without any value.
func tracesOf(curves []curve, colors coloring, q func(rundir.Probe) between) []trace {
	var ts []trace
	for _, c := range curves {
		t := trace{edge: 2 / c.of.Point.LearningRate, colors: colors, of: c.of}
		for _, row := range c.probes {
			b := q(row.Probe)
			if !drawable(b.value) {
				continue
			}
			if drawable(b.lower) && drawable(b.upper) {
				t.hasBand = t.hasBand || b.lower < b.upper
			} else {
				b.lower, b.upper = b.value, b.value
			}
			t.steps, t.value = append(t.steps, float64(row.Step)), append(t.value, b.value)
			t.lower, t.upper = append(t.lower, b.lower), append(t.upper, b.upper)
		}
		if len(t.steps) > 0 {
			ts = append(ts, t)
		}
	}
	return ts
}

// stepAxis is the axis of steps: linear for evenly spaced probes, logarithmic
// where most of them lie in the first tenth, or the whole of a training in the
// first fifth. Step 0 then stands at zero, left of the first step by as much as
// two labels need.
type stepAxis struct {
	scale
	zero, first float64
}

func stepsOf(curves []curve) stepAxis {
	var steps, later []float64
	shortest := math.Inf(1)
	for _, c := range curves {
		shortest = min(shortest, float64(c.probes[len(c.probes)-1].Step))
		for _, row := range c.probes {
			steps = append(steps, float64(row.Step))
			if row.Step > 0 {
				later = append(later, float64(row.Step))
			}
		}
	}
	slices.Sort(later)
	if len(later) < 3 || quantile(later, 0.5) > later[len(later)-1]/10 && shortest > later[len(later)-1]/5 {
		return stepAxis{scale: scaleOf(steps, 0.02, math.Inf(1))}
	}
	a := stepAxis{first: later[0]}
	if len(steps) > len(later) {
		a.zero = a.first / max(2, math.Pow(later[len(later)-1]/a.first, 0.16))
		later = append(later, a.zero)
	}
	a.scale = scaleOf(later, 0.02, 1)
	return a
}

func (a stepAxis) at(step float64) float64 {
	if a.log && step == 0 {
		return a.zero
	}
	return step
}

// edgesAndValues is the axis of sharpness, the same for both of its kinds.
func edgesAndValues(ts []trace) scale {
	var ys []float64
	for _, t := range ts {
		ys = append(append(append(append(ys, t.value...), t.lower...), t.upper...), t.edge)
	}
	return scaleOf(ys, 0.06, 4)
}

// panel draws the traces of one quantity, their bands and their edges.
func (a stepAxis) panel(ts []trace, y scale, label string) *plot.Plot {
	p := centredPanel(a.scale, y, "", label, nil)
	if a.log && a.zero > 0 {
		p.X.Tick.Marker = a.withZero(p.X.Tick.Marker.Ticks(a.lo, a.hi))
	}
	for _, t := range ts {
		// All bands are behind all lines.
		if t.hasBand {
			p.Add(band(a.along(t), t.lower, t.upper, mix(white, t.colors.of(t.of), 0.25)))
		}
	}
	for _, t := range ts {
		steps, clr := a.along(t), t.colors.of(t.of)
		// The edge is that of this training: it ends where the training does.
		p.Add(dashed(a.lo, steps[len(steps)-1], t.edge, clr), recorded(steps, t.value, clr, 0.9))
	}
	return p
}

// chart has the traces of one quantity for the page's script.
func (a stepAxis) chart(ts []trace, label string, logY bool, colors coloring) lineChart {
	c := lineChart{X: "step", Y: label, LogX: a.log, LogY: logY, Zero: a.zero, Color: colors.columnName(), Limit: "2 / η", LimitEnds: true}
	for _, t := range ts {
		l := newChartLine(label, t.steps, t.value, t.lower, t.upper)
		l.Point, l.Limit = t.of.Name, drawableLimit(t.edge)
		c.Lines = append(c.Lines, l)
	}
	return c
}

// along places the steps of a trace.
func (a stepAxis) along(t trace) []float64 {
	steps := make([]float64, len(t.steps))
	for i, step := range t.steps {
		steps[i] = a.at(step)
	}
	return steps
}

// withZero gives step 0 its label, and leaves out ticks before the first step.
func (a stepAxis) withZero(ticks []plot.Tick) plot.ConstantTicks {
	kept := plot.ConstantTicks{{Value: a.zero, Label: "0"}}
	for _, t := range ticks {
		if t.Value >= a.first {
			kept = append(kept, t)
		}
	}
	return kept
}
