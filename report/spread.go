package report

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// axisFigures show g_W and g_x along each varying axis of the grid, with the
// spread over repetitions.
func (r *Report) axisFigures() []figure {
	var figs []figure
	axes := []struct {
		along, other quantity
		name, words  string
	}{
		{learningRate(), batchSize(), "learning-rate", "learning rate η"},
		{batchSize(), learningRate(), "batch-size", "batch size B"},
	}
	for _, a := range axes {
		// Between methods, η and B differ along with everything else.
		if r.methods() > 1 || !r.varies(a.along) {
			continue
		}
		for _, k := range r.orders {
			f, ok := r.spread(a.along, a.other, k)
			if !ok {
				continue
			}
			f.name = fmt.Sprintf("%s-k%d", a.name, k)
			f.heading = fmt.Sprintf("Moments along the %s, order 2k = %d", a.words, 2*k)
			f.caption = fmt.Sprintf("The moments g_W and g_x of order 2k = %d along the %s: one dot a repetition, the line is the median over the repetitions that count", 2*k, a.words)
			f.caption += r.spreadWords(a.other)
			figs = append(figs, f)
		}
		if f, ok := r.testErrors(a.along, a.other); ok {
			f.name = a.name + "-test-error"
			f.heading = "Test error along the " + a.words
			figs = append(figs, f)
		}
	}
	return figs
}

// testErrors draws the test error along an axis; false without a test set, or a
// solution that counts.
func (r *Report) testErrors(along, other quantity) (figure, bool) {
	if r.Counted == 0 {
		return figure{}, false
	}
	colors := r.coloringBy(other)
	panel, ok := r.spreadPanel(along, testError(), colors)
	if !ok {
		return figure{}, false
	}
	spec := chartOf(along, colors, testError())
	spec.LogX, spec.Lines = true, true
	caption := fmt.Sprintf("The share of the test set that is classified wrong, along the %s: one dot a repetition, the line is the median over the repetitions that count", wordsOf(along))
	return figure{height: 192, caption: caption + r.spreadWords(other), charts: []chart{spec}, data: r.solutionSheet(along, testError()), draw: func(c draw.Canvas) {
		p := panel()
		p.Title.Text = "line: median over repetitions" + r.spreadNote(along, testError())
		drawPanels(c, colors, p)
	}}, true
}

// spreadWords say what lines and bands of a spread are.
func (r *Report) spreadWords(other quantity) string {
	if r.varies(other) {
		return fmt.Sprintf(", one line for each %s (colour).", wordsOf(other))
	}
	return ", the band reaches from the smallest to the largest."
}

func wordsOf(q quantity) string {
	if q.name == "η" {
		return "learning rate η"
	}
	return "batch size B"
}

// spread draws g_W above g_x; false when no solution has either.
func (r *Report) spread(along, other quantity, k int) (figure, bool) {
	colors := r.coloringBy(other)
	top, okW := r.spreadPanel(along, gW(k), colors)
	bottom, okX := r.spreadPanel(along, gX(k), colors)
	if !okW || !okX {
		return figure{}, false
	}
	charts := []chart{chartOf(along, colors, gW(k)), chartOf(along, colors, gX(k))}
	for i := range charts {
		charts[i].LogX, charts[i].Lines = true, true
	}
	return figure{height: 312, charts: charts, data: r.solutionSheet(along, gW(k), gX(k)), draw: func(c draw.Canvas) {
		upper, lower := top(), bottom()
		upper.X.Label.Text = ""
		upper.Title.Text = "line: median over repetitions" + r.spreadNote(along, gW(k))
		drawPanels(c, colors, upper, lower)
	}}, true
}

// spreadNote counts the solutions that are drawn and do not count, and the
// results without a finite value.
func (r *Report) spreadNote(x, y quantity) string {
	hollow, absent := 0, 0
	for i := range r.solutions {
		switch s := &r.solutions[i]; {
		case s.Result == nil:
		case !drawable(x.of(s)) || !drawable(y.of(s)):
			absent++
		case !s.counts():
			hollow++
		}
	}
	return note(hollow, absent)
}

// spreadPanel returns how to make the panel of one quantity.
func (r *Report) spreadPanel(along, q quantity, colors coloring) (func() *plot.Plot, bool) {
	var ds []dot
	var xs, ys []float64
	series := map[float64]map[float64][]float64{} // colour's value → x → y
	for i := range r.solutions {
		s := &r.solutions[i]
		d := dot{x: along.of(s), y: q.of(s), color: colors.of(s), hollow: !s.counts()}
		if !drawable(d.y) {
			continue
		}
		ds, xs, ys = append(ds, d), append(xs, d.x), append(ys, d.y)
		if d.hollow {
			continue
		}
		key := 0.0
		if colors.by != nil {
			key = colors.by.of(s)
		}
		if series[key] == nil {
			series[key] = map[float64][]float64{}
		}
		series[key][d.x] = append(series[key][d.x], d.y)
	}
	if len(ds) == 0 {
		return nil, false
	}
	return func() *plot.Plot {
		distinct := slices.Clone(xs)
		slices.Sort(distinct)
		distinct = slices.Compact(distinct)
		p := newPanel(scaleOf(xs, 0.06, 1), scaleOf(ys, 0.08, 20), along.label, q.label, distinct)
		for _, key := range sortedKeys(series) {
			addSeries(p, series[key], key, colors)
		}
		p.Add(dots(ds, min(radius(len(ds)), 1.9)))
		return p
	}, true
}

// addSeries adds the median line of one series, with the range as a band when
// there is only one.
func addSeries(p *plot.Plot, at map[float64][]float64, key float64, colors coloring) {
	xs := sortedKeys(at)
	var low, mid, high []float64
	for _, x := range xs {
		values := slices.Sorted(slices.Values(at[x])) // another format of the figure may be drawn beside this one
		low, mid, high = append(low, values[0]), append(mid, quantile(values, 0.5)), append(high, values[len(values)-1])
	}
	clr := ramp(0.3)
	if colors.by != nil {
		clr = ramp(colors.scale.at(key))
	} else {
		p.Add(band(xs, low, high, mix(white, clr, 0.18)))
	}
	p.Add(polyline(xs, mid, clr, 1.2))
}

func sortedKeys[V any](m map[float64]V) []float64 {
	keys := make([]float64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
