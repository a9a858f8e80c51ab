package report

import (
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// stabilityFigures show where the solutions stand between what their learning
// rate and batch size allow and what they need; none without that measurement.
func (r *Report) stabilityFigures() []figure {
	if !r.hasStability() {
		return nil
	}
	figs := r.diagramFigures()
	figs = append(figs, r.marginFigures()...)
	return append(figs, r.frontierFigures()...)
}

// edgeOfStability is the sharpness up to which gradient descent is stable.
func edgeOfStability() quantity {
	return quantity{"2/η", "2 / η", "two_over_eta", func(s *solution) float64 { return 2 / s.Point.LearningRate }}
}

// generalisedSharpness is what takes the place of λ_max for SGD's mean square.
func generalisedSharpness() quantity {
	return quantity{"2/η*_var", "2 / η*_{var}", "generalised_sharpness", func(s *solution) float64 { return s.etaVar().under(2).value }}
}

// diagramFigures is the stability diagram: 2/η*_var, the generalised sharpness of
// Mulayoff & Michaeli (2024), meets 2/η at the edge of mean-square stability.
func (r *Report) diagramFigures() []figure {
	ps, hollow, absent := r.places(edgeOfStability(), func(s *solution) between { return s.etaVar().under(2) })
	if len(ps) == 0 {
		return nil
	}
	colors := coloring{}
	if r.methods() <= 1 {
		colors = r.coloringBy(batchSize())
	}
	// The line with subscripts is the last, so that they meet nothing.
	title := stabilityNote(hollow, absent) + "● 2/η*_{var}    ▲ λ_{max}"
	caption := "The stability diagram of linearised SGD: for every solution its sharpness λ_max (triangles) and its generalised sharpness 2/η*_var (circles) against 2/η. " +
		"Gradient descent is stable at a solution while λ_max ≤ 2/η, SGD with its batches in mean square while 2/η*_var ≤ 2/η: circles in the shaded area, above the edge of stability y = 2/η, are unstable." +
		boundWords(ps) + hollowWords(hollow) + r.plainSGD()
	if colors.by != nil {
		caption += " The colour is the batch size B."
	}
	spec := chartOf(edgeOfStability(), colors, generalisedSharpness(), sharpness())
	spec.LogX, spec.LogY, spec.Edge = true, true, "diagonal"
	return []figure{{name: "stability-diagram", heading: "Stability diagram", caption: caption, ownMarks: true, charts: []chart{spec}, data: r.solutionSheet(edgeOfStability(), generalisedSharpness(), sharpness()),
		height: 218 + vg.Length(12*strings.Count(title, "\n")), draw: func(c draw.Canvas) {
			p := diagram(ps, colors)
			p.Title.Text = title
			drawPanels(c, colors, p)
		}}}
}

func diagram(ps []place, colors coloring) *plot.Plot {
	var xs []float64
	var circles, second []dot
	values := spanned(nil, ps)
	top := sharpness()
	for _, p := range ps {
		xs = append(xs, p.x)
		d := dot{x: p.x, y: p.value, color: colors.of(p.of), hollow: !p.of.interpolates()}
		circles = append(circles, d)
		if d.y = top.of(p.of); positive(d.y) {
			second, values = append(second, d), append(values, d.y)
		}
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(xs)))
	x, y := scaleOf(xs, 0.08, 1), scaleOf(append(values, xs...), 0.06, 1)
	p := centredPanel(x, y, "2 / η", "sharpness", distinct)
	p.Add(unstableAbove(x, y), bars(ps, y, func(s *solution) color.RGBA { return colors.of(s) }),
		triangles(second, radius(len(ps))), dots(circles, radius(len(ps))))
	return p
}

// unstableAbove shades the half of the panel above the diagonal.
func unstableAbove(x, y scale) drawn {
	return func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		from, to := max(x.lo, y.lo), min(x.hi, y.hi)
		at := func(v, w float64) vg.Point { return vg.Point{X: tx(v), Y: ty(w)} }
		c.FillPolygon(shade, []vg.Point{at(x.lo, y.hi), at(x.lo, from), at(from, from), at(to, to), at(to, y.hi)})
		c.StrokeLines(draw.LineStyle{Color: ink, Width: 0.7}, []vg.Point{at(from, from), at(to, to)})
		style := textStyle(tickSize - 1)
		style.YAlign = draw.YTop
		c.FillText(style, vg.Point{X: tx(x.lo) + 4, Y: ty(y.hi) - 3}, "unstable")
		style.XAlign, style.YAlign = draw.XRight, draw.YBottom
		c.FillText(style, vg.Point{X: tx(x.hi) - 4, Y: ty(y.lo) + 3}, "stable")
	}
}
