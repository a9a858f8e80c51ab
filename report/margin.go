package report

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// marginFigures show how far below their thresholds the solutions were trained,
// along each axis of the grid that varies.
func (r *Report) marginFigures() []figure {
	if r.methods() > 1 {
		return nil
	}
	var figs []figure
	for _, a := range []struct{ along, other quantity }{{learningRate(), batchSize()}, {batchSize(), learningRate()}} {
		if !r.varies(a.along) {
			continue
		}
		f, ok := r.margin(a.along, a.other)
		if !ok {
			continue
		}
		f.name, f.heading = "margin", "Margin of mean-square stability"
		if len(figs) > 0 {
			f.name, f.heading = "margin-batch-size", f.heading+" along the batch size B"
		}
		figs = append(figs, f)
	}
	return figs
}

func (r *Report) margin(along, other quantity) (figure, bool) {
	ps, hollow, absent := r.places(along, func(s *solution) between { return s.etaVar().times(1 / s.Point.LearningRate) })
	if len(ps) == 0 {
		return figure{}, false
	}
	colors := r.coloringBy(other)
	title := stabilityNote(hollow, absent) + "line: median over repetitions"
	caption := fmt.Sprintf("The largest mean-square stable learning rate η*_var of every solution at its batch size, divided by the η it was trained with, along the %s. "+
		"At 1 a solution sits on the edge of stability; below, in the shaded area, it is unstable. The line is the median over the repetitions that interpolate", wordsOf(along))
	if colors.by != nil {
		caption += fmt.Sprintf(", one line for each %s (colour).", wordsOf(other))
	} else {
		caption += ", the band reaches from the smallest to the largest."
	}
	caption += boundWords(ps) + hollowWords(hollow) + r.plainSGD()
	spec := chartOf(along, colors, margin())
	spec.LogX, spec.LogY, spec.Lines, spec.Edge = true, true, true, "one"
	return figure{caption: caption, ownMarks: true, charts: []chart{spec}, data: r.solutionSheet(along, margin()), height: 190 + vg.Length(12*strings.Count(title, "\n")), draw: func(c draw.Canvas) {
		p := marginPanel(ps, along, colors)
		p.Title.Text = title
		drawPanels(c, colors, p)
	}}, true
}

func marginPanel(ps []place, along quantity, colors coloring) *plot.Plot {
	var xs []float64
	var ds []dot
	series := map[float64]map[float64][]float64{}
	for _, p := range ps {
		xs = append(xs, p.x)
		ds = append(ds, dot{x: p.x, y: p.value, color: colors.of(p.of), hollow: !p.of.interpolates()})
		if !p.of.interpolates() {
			continue
		}
		key := 0.0
		if colors.by != nil {
			key = colors.by.of(p.of)
		}
		if series[key] == nil {
			series[key] = map[float64][]float64{}
		}
		series[key][p.x] = append(series[key][p.x], p.value)
	}
	x, y := scaleOf(xs, 0.06, 1), scaleOf(spanned([]float64{0.9, 1.1}, ps), 0.06, 1)
	p := centredPanel(x, y, along.label, margin().label, slices.Compact(slices.Sorted(slices.Values(xs))))
	p.Add(drawn(func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		c.FillPolygon(shade, []vg.Point{{X: tx(x.lo), Y: ty(y.lo)}, {X: tx(x.hi), Y: ty(y.lo)}, {X: tx(x.hi), Y: ty(1)}, {X: tx(x.lo), Y: ty(1)}})
		if style := textStyle(tickSize - 1); ty(1)-ty(y.lo) > 1.3*style.Font.Size {
			c.FillText(style, vg.Point{X: tx(x.lo) + 4, Y: ty(y.lo) + 3}, "unstable")
		}
	}))
	for _, key := range sortedKeys(series) {
		addSeries(p, series[key], key, colors)
	}
	p.Add(polyline([]float64{x.lo, x.hi}, []float64{1, 1}, ink, 0.7))
	p.Add(bars(ps, y, func(s *solution) color.RGBA { return colors.of(s) }), dots(ds, min(radius(len(ds)), 1.9)))
	return p
}
