package report

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// frontierFigures is the mean-square threshold over the batch size.
func (r *Report) frontierFigures() []figure {
	var candidates []*solution
	for i := range r.solutions {
		if s := &r.solutions[i]; len(frontier(s)) > 1 {
			candidates = append(candidates, s)
		}
	}
	chosen := r.representatives(candidates)
	if len(chosen) == 0 {
		return nil
	}
	colors := r.coloring()
	names := make([]string, len(chosen))
	for i, s := range chosen {
		names[i] = fmt.Sprintf("η = %s, B = %s, repetition %d", shortest(s.Point.LearningRate), shortest(s.batch()), s.Point.Repetition)
	}
	drawnLines := "one solution"
	switch {
	case len(chosen) > 1 && colors.by != nil:
		drawnLines = fmt.Sprintf("one solution of each %s (colour; at most %d)", wordsOf(*colors.by), maxRepresentatives)
	case colors.by == nil && r.methods() > 1:
		drawnLines = "one solution, of method " + chosen[0].Point.Method
	}
	caption := fmt.Sprintf("The frontier of stability of %s: the largest learning rate η*_var(B) that is mean-square stable with batches of B samples. "+
		"It rises to η_mean = 2/λ_max (dashed), the threshold of gradient descent. The square is where the solution was trained; it is stable if its square is below its line. Each is the solution of median margin η*_var/η: %s.",
		drawnLines, strings.Join(names, "; "))
	var all []place
	for _, s := range chosen {
		all = append(all, frontier(s)...)
	}
	caption += boundWords(all)
	hollow := 0
	for _, s := range chosen {
		if !s.interpolates() {
			hollow++
		}
	}
	caption += hollowWords(hollow) + r.plainSGD()
	return []figure{{name: "frontier", heading: "Frontier of stability", caption: caption, ownMarks: true, height: 212, data: func() sheet { return frontierSheet(chosen) }, curves: func() []lineChart { return []lineChart{frontierChart(chosen, colors)} }, draw: func(c draw.Canvas) {
		p := frontierPanel(chosen, colors)
		p.Title.Text = "● η*_{var}(B)    ■ trained with    - - η_{mean}"
		drawPanels(c, colors, p)
	}}}
}

// frontier are the thresholds of a solution over B, ascending.
func frontier(s *solution) []place {
	st := s.stability()
	if st == nil {
		return nil
	}
	var ps []place
	for _, f := range st.Frontier {
		if p := (place{s, float64(f.BatchSize), bounded(f.Threshold)}); f.BatchSize > 0 && positive(p.value) {
			ps = append(ps, p)
		}
	}
	slices.SortStableFunc(ps, func(a, b place) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return +1
		}
		return 0
	})
	return ps
}

// frontierChart has the thresholds for the page's script.
func frontierChart(chosen []*solution, colors coloring) lineChart {
	c := lineChart{X: "batch size B", Y: "learning rate", LogX: true, LogY: true, Color: colors.columnName(), Limit: "η_{mean}"}
	for _, s := range chosen {
		var x, y, lower, upper []float64
		for _, p := range frontier(s) {
			x, y, lower, upper = append(x, p.x), append(y, p.value), append(lower, p.lower), append(upper, p.upper)
		}
		l := newChartLine("η*_{var}", x, y, lower, upper)
		l.Point, l.Limit, l.Open = s.Name, drawableLimit(float64(s.stability().EtaMean)), !s.interpolates()
		if b := s.batch(); b > 0 {
			l.Mark = decimals{b, s.Point.LearningRate}
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}

func frontierPanel(chosen []*solution, colors coloring) *plot.Plot {
	var all []place
	var xs, ys []float64
	var trained []dot
	for _, s := range chosen {
		all = append(all, frontier(s)...)
		if mean := float64(s.stability().EtaMean); positive(mean) {
			ys = append(ys, mean)
		}
		if b := s.batch(); b > 0 {
			trained = append(trained, dot{x: b, y: s.Point.LearningRate, color: colors.of(s), hollow: !s.interpolates()})
			xs, ys = append(xs, b), append(ys, s.Point.LearningRate)
		}
	}
	for _, p := range all {
		xs = append(xs, p.x)
	}
	x, y := scaleOf(xs, 0.05, 1), scaleOf(spanned(ys, all), 0.06, 1)
	p := centredPanel(x, y, "batch size B", "learning rate", nil)
	for _, s := range chosen {
		ps := frontier(s)
		line, low := make([]float64, len(ps)), make([]float64, len(ps))
		var ds []dot
		for i, q := range ps {
			low[i], line[i] = q.x, q.value
			ds = append(ds, dot{x: q.x, y: q.value, color: colors.of(s), hollow: !s.interpolates()})
		}
		if mean := float64(s.stability().EtaMean); positive(mean) {
			p.Add(dashed(x.lo, x.hi, mean, colors.of(s)))
		}
		p.Add(polyline(low, line, colors.of(s), 1.2), bars(ps, y, func(*solution) color.RGBA { return colors.of(s) }), dots(ds, 1.6))
	}
	p.Add(squares(trained, 2.6))
	return p
}
