package report

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// contrastFigures compare the methods of a grid that has several: g_x of the
// lowest order and the test accuracy of every solution, side by side.
func (r *Report) contrastFigures() []figure {
	if r.methods() < 2 || len(r.orders) == 0 {
		return nil
	}
	k := r.orders[0]
	top, okX := r.methodPanel(gX(k))
	bottom, okA := r.methodPanel(testAccuracy())
	if !okX {
		return nil
	}
	f := figure{
		name: "methods", heading: "What the methods choose", height: 200,
		caption: fmt.Sprintf("The moment g_x of order 2k = %d of the solutions of each method", 2*k),
		draw:    func(c draw.Canvas) { drawPanels(c, coloring{}, top()) },
		data:    r.solutionSheet(gX(k), testAccuracy()),
		charts:  []chart{{X: "method", Y: []string{gX(k).column}, Lines: true}},
	}
	if okA {
		f.caption += ", and their accuracy on the test set"
		f.height = 330
		f.charts = append(f.charts, chart{X: "method", Y: []string{testAccuracy().column}, Lines: true})
		f.draw = func(c draw.Canvas) {
			upper := top()
			upper.X.Label.Text = ""
			drawPanels(c, coloring{}, upper, bottom())
		}
	}
	f.caption += ": one dot a solution, the line is the median of those that count. The same data and, for one repetition, the same initial weights."
	return []figure{f}
}

// methodPanel returns how to make the panel of one quantity, with a column for
// each method in the order of the configuration.
func (r *Report) methodPanel(q quantity) (func() *plot.Plot, bool) {
	var names []string
	for i := range r.solutions {
		if m := r.solutions[i].Point.Method; !slices.Contains(names, m) {
			names = append(names, m)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return slices.Index(r.Config.Grid.Method, a) - slices.Index(r.Config.Grid.Method, b)
	})
	var ds []dot
	var ys []float64
	counted := make([][]float64, len(names))
	for i := range r.solutions {
		s := &r.solutions[i]
		column := slices.Index(names, s.Point.Method)
		d := dot{x: float64(column), y: q.of(s), color: ramp(0.3), hollow: !s.counts()}
		if !drawable(d.y) {
			continue
		}
		if !d.hollow {
			counted[column] = append(counted[column], d.y)
		}
		ds, ys = append(ds, d), append(ys, d.y)
	}
	if len(ds) == 0 {
		return nil, false
	}
	return func() *plot.Plot {
		p := newPanel(scale{lo: -0.5, hi: float64(len(names)) - 0.5}, scaleOf(ys, 0.08, 20), "method", q.label, nil)
		var ticks plot.ConstantTicks
		for i, name := range names {
			// A hyphen breaks the line: five names do not fit beside each other.
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: strings.ReplaceAll(name, "-", "-\n")})
		}
		p.X.Tick.Marker = ticks
		p.X.Tick.Label.YAlign = draw.YTop
		for i, values := range counted {
			if len(values) > 0 {
				mid := quantile(slices.Sorted(slices.Values(values)), 0.5)
				p.Add(polyline([]float64{float64(i) - 0.3, float64(i) + 0.3}, []float64{mid, mid}, ink, vg.Length(1.2)))
			}
		}
		p.Add(dots(ds, min(radius(len(ds)), 2.2)))
		return p
	}, true
}
