package report

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// boundsGridFigures show g_x of every solution and its bounds along the axis of
// the grid that varies, η first.
func (r *Report) boundsGridFigures() []figure {
	k, corollary := r.boundedOrder()
	along, other := learningRate(), batchSize()
	if !r.varies(along) {
		along, other = other, along
	}
	if k == 0 || r.methods() > 1 || !r.varies(along) {
		return nil
	}
	colors := r.coloringBy(other)
	kinds := []markedSeries{
		r.marked(along, gX(k), colors, nil, dots),
		r.marked(along, sharpBound(corollary, k), colors, func(s *solution) bool { return s.bound(corollary, k).Status == assumed }, triangles),
		r.marked(along, sharpBound("theorem 3", k), colors, func(s *solution) bool { return s.bound("theorem 3", k).Status == assumed }, squares),
	}
	title := ""
	caption := fmt.Sprintf("Do the bounds follow the effect? The moment g_x of order 2k = %d of every solution (circles) along the %s, and the sharp form of what bounds it: ", 2*k, wordsOf(along))
	var said []string
	if len(kinds[1].dots) > 0 {
		title += "▲ " + statementName(corollary) + "    "
		said = append(said, statementName(corollary)+" (triangles), from the gradients measured at the solution")
	}
	if len(kinds[2].dots) > 0 {
		title += "■ Theorem 3    "
		said = append(said, "Theorem 3 (squares), from its stability at η and B")
	}
	title += "● g_{x}" // the last, so that its subscript meets nothing
	caption += strings.Join(said, "; ") + ". Lines are medians over the repetitions that interpolate"
	if colors.by != nil {
		caption += fmt.Sprintf("; the colour is the %s", wordsOf(other))
	}
	caption += "."
	if slices.ContainsFunc(kinds, func(m markedSeries) bool { return m.hollow > 0 }) {
		caption += " Hollow: the solution does not interpolate, or the bound rests on an assumption."
	}
	if absent := kinds[0].absent; absent > 0 {
		caption += fmt.Sprintf(" Solutions without a finite g_x: %d.", absent)
	}
	if zero := kinds[0].zero; zero > 0 {
		caption += fmt.Sprintf(" Not drawn on the logarithmic axis, g_x = 0: %d.", zero)
	}
	if absent := kinds[2].absent - kinds[0].absent; absent > 0 && len(kinds[2].dots) > 0 {
		caption += fmt.Sprintf(" Solutions to which Theorem 3 does not apply or may not apply: %d.", absent)
	}
	ys := []quantity{gX(k)}
	for i, q := range []quantity{sharpBound(corollary, k), sharpBound("theorem 3", k)} {
		if len(kinds[i+1].dots) > 0 {
			ys = append(ys, q)
		}
	}
	spec := chartOf(along, colors, ys...)
	spec.LogX, spec.LogY, spec.Lines = true, true, true
	return []figure{{name: "bounds-grid", charts: []chart{spec}, data: r.solutionSheet(append(ys, along)...), heading: "Bounds along the " + wordsOf(along), caption: caption, ownMarks: true, height: 212, draw: func(c draw.Canvas) {
		p := markedPanel(kinds, along, colors)
		p.Title.Text = title
		drawPanels(c, colors, p)
	}}}
}

// markedSeries is one quantity of all solutions, with a marker of its own.
type markedSeries struct {
	dots    []dot
	medians map[float64]map[float64][]float64 // colour's value → x → y
	hollow  int
	// Of what is not drawn: those without a value, and those whose value is 0.
	absent, zero int
	marker       func([]dot, vg.Length) drawn
}

// marked collects the solutions with a positive y; hollow says which are, beside
// those that do not interpolate.
func (r *Report) marked(x, y quantity, colors coloring, hollow func(*solution) bool, marker func([]dot, vg.Length) drawn) markedSeries {
	m := markedSeries{medians: map[float64]map[float64][]float64{}, marker: marker}
	for i := range r.solutions {
		s := &r.solutions[i]
		d := dot{x: x.of(s), y: y.of(s), color: colors.of(s)}
		if !drawable(d.x) || !positive(d.y) {
			switch {
			case !s.finished():
			case d.y == 0:
				m.zero++
			default:
				m.absent++
			}
			continue
		}
		d.hollow = !s.interpolates() || hollow != nil && hollow(s)
		if d.hollow {
			m.hollow++
		}
		m.dots = append(m.dots, d)
		if !s.interpolates() {
			continue
		}
		key := 0.0
		if colors.by != nil {
			key = colors.by.of(s)
		}
		if m.medians[key] == nil {
			m.medians[key] = map[float64][]float64{}
		}
		m.medians[key][d.x] = append(m.medians[key][d.x], d.y)
	}
	return m
}

func markedPanel(kinds []markedSeries, along quantity, colors coloring) *plot.Plot {
	var xs, ys []float64
	for _, m := range kinds {
		for _, d := range m.dots {
			xs, ys = append(xs, d.x), append(ys, d.y)
		}
	}
	p := centredPanel(scaleOf(xs, 0.06, 1), scaleOf(ys, 0.06, 1), along.label, "g_{x} and its bounds", slices.Compact(slices.Sorted(slices.Values(xs))))
	for _, m := range kinds {
		for _, key := range sortedKeys(m.medians) {
			addSeries(p, m.medians[key], key, colors)
		}
	}
	for _, m := range kinds {
		p.Add(m.marker(m.dots, min(radius(len(m.dots)), 2)))
	}
	return p
}
