package report

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sobolev/rundir"
)

// covering is how the radius δ of a cover shrinks with the number n of samples.
type covering struct {
	of        *solution
	rate      *rundir.CoverRate
	levels    []rundir.RateLevel // those that can be drawn, n ascending
	exponent  between
	dimension between // TwoNN
	terms     []coverTerm
}

// coverTerm is n^{1/k} δ² at the levels, relative to the smallest n.
type coverTerm struct {
	k      int
	values []float64
	trend  trend
}

// trend says whether n^{1/k} δ² falls with n by the interval of the exponent.
type trend int

const (
	open trend = iota
	falls
	grows
)

// coverDimension is D of δ ~ n^{−1/D}, infinite where δ does not shrink.
func coverDimension(exponent float64) float64 {
	if exponent >= 0 {
		return math.Inf(1)
	}
	return -1 / exponent
}

// coverDimensions are those of an exponent and its interval, in ascending order.
func coverDimensions(e between) between {
	return between{coverDimension(e.value), coverDimension(e.lower), coverDimension(e.upper)}
}

// trendOf compares the interval of D with 2k (Ma & Ying, 2021, after Theorem 6).
func trendOf(exponent between, k int) trend {
	switch d := coverDimensions(exponent); {
	case d.upper < 2*float64(k):
		return falls
	case d.lower > 2*float64(k):
		return grows
	}
	return open
}

// maxFallingOrder is beyond what a figure of orders is about.
const maxFallingOrder = 1000

// fallingOrder is the smallest k with D < 2k at the estimate, 0 where there is
// none or it is too large to matter.
func fallingOrder(exponent float64) int {
	if k := math.Floor(coverDimension(exponent)/2) + 1; k <= maxFallingOrder {
		return int(k)
	}
	return 0
}

// covering is that of the first result with radii for two sizes or more; nil
// without one.
func (r *Report) covering() *covering {
	for i := range r.solutions {
		s := &r.solutions[i]
		if s.Result == nil || s.Result.Geometry == nil || s.Result.Geometry.Rate == nil {
			continue
		}
		g := s.Result.Geometry
		c := &covering{of: s, rate: g.Rate, levels: drawableLevels(g.Rate.Levels)}
		if n := len(c.levels); n < 2 || c.levels[0].N == c.levels[n-1].N {
			continue
		}
		e := g.Rate.Exponent
		c.exponent = between{float64(e.Value), float64(e.CI95[0]), float64(e.CI95[1])}
		c.dimension = between{float64(g.Dimension), float64(g.DimensionCI95[0]), float64(g.DimensionCI95[1])}
		for _, k := range c.orders(r.orders) {
			if t := c.term(k); !slices.ContainsFunc(t.values, func(v float64) bool { return !positive(v) }) {
				c.terms = append(c.terms, t)
			}
		}
		return c
	}
	return nil
}

func drawableLevels(all []rundir.RateLevel) []rundir.RateLevel {
	var levels []rundir.RateLevel
	for _, l := range all {
		if l.N > 0 && positive(float64(l.Radius)) {
			levels = append(levels, l)
		}
	}
	slices.SortStableFunc(levels, func(a, b rundir.RateLevel) int { return cmp.Compare(a.N, b.N) })
	return levels
}

// orders are the measured ones and, if the term falls for none of these, the
// smallest for which it does.
func (c *covering) orders(measured []int) []int {
	orders := slices.DeleteFunc(slices.Clone(measured), func(k int) bool { return k < 1 })
	if k := fallingOrder(c.exponent.value); k > 0 && (len(orders) == 0 || k > slices.Max(orders)) {
		orders = append(orders, k)
	}
	return orders
}

func (c *covering) term(k int) coverTerm {
	t := coverTerm{k: k, trend: trendOf(c.exponent, k)}
	first := c.levels[0]
	for _, l := range c.levels {
		n, radius := float64(l.N)/float64(first.N), float64(l.Radius)/float64(first.Radius)
		t.values = append(t.values, math.Pow(n, 1/float64(k))*radius*radius)
	}
	return t
}

// coveringFigure asks whether the bound of Theorem 6 falls with more data.
func (r *Report) coveringFigure() []figure {
	cov := r.covering()
	if cov == nil {
		return nil
	}
	title := cov.title()
	return []figure{{name: "covering", heading: "Cover of the data", caption: cov.caption(), ownMarks: true, about: strings.ReplaceAll(title, "\n", ",  "), height: 342, data: func() sheet { return levelSheet(cov.levels) }, curves: cov.charts, draw: func(c draw.Canvas) {
		x := cov.axis()
		upper := cov.radiusPanel(x)
		upper.Title.Text = title
		if len(cov.terms) == 0 {
			upper.X.Label.Text = "training samples n"
			drawPanels(c, coloring{}, upper)
			return
		}
		drawPanels(c, coloring{}, upper, cov.termPanel(x))
	}}}
}

// charts has both panels for the page's script.
func (c *covering) charts() []lineChart {
	ns := c.sizes()
	var radius, lower, upper []float64
	for _, l := range c.levels {
		radius, lower, upper = append(radius, float64(l.Radius)), append(lower, float64(l.CI95[0])), append(upper, float64(l.CI95[1]))
	}
	above := lineChart{X: "training samples n", Y: "δ_{ε}(n)", LogX: true, LogY: true, Lines: []chartLine{newChartLine("radius δ_{ε}", ns, radius, lower, upper)}}
	above.Lines[0].Dots = true
	ends := []float64{ns[0], ns[len(ns)-1]}
	if law := c.powerLaw(ends); len(law) > 0 {
		line := newChartLine("", ends, law, nil, nil)
		line.Guide = true
		above.Lines = append(above.Lines, line)
	}
	if len(c.terms) == 0 {
		return []lineChart{above}
	}
	below := lineChart{X: above.X, Y: "n^{1/k} δ_{ε}(n)^{2}, relative", LogX: true, LogY: true}
	for _, t := range c.terms {
		line := newChartLine(fmt.Sprintf("k = %d", t.k), ns, t.values, nil, nil)
		line.Open, line.Limit = t.trend == open, drawableLimit(1)
		below.Lines = append(below.Lines, line)
	}
	return []lineChart{above, below}
}

// axis is that of n, with room for the names of the lines on the right.
func (c *covering) axis() scale {
	x := scaleOf(c.sizes(), 0.06, 1)
	x.hi *= math.Pow(x.hi/x.lo, 0.14)
	return x
}

func (c *covering) sizes() []float64 {
	var ns []float64
	for _, l := range c.levels {
		ns = append(ns, float64(l.N))
	}
	return ns
}

// radiusPanel shows δ with its intervals, and the power law.
func (c *covering) radiusPanel(x scale) *plot.Plot {
	clr := ramp(0.3)
	var ps []place
	var ds []dot
	for _, l := range c.levels {
		b := between{float64(l.Radius), float64(l.CI95[0]), float64(l.CI95[1])}
		ps = append(ps, place{c.of, float64(l.N), b})
		ds = append(ds, dot{x: float64(l.N), y: b.value, color: clr})
	}
	ns := c.sizes()
	ends := []float64{ns[0], ns[len(ns)-1]}
	law := c.powerLaw(ends)
	y := scaleOf(spanned(slices.Clone(law), ps), 0.08, 1)
	p := centredPanel(x, y, "", "δ_{ε}(n)", slices.Compact(slices.Clone(ns)))
	if len(law) > 0 {
		p.Add(polyline(ends, law, ink, 0.8))
	}
	p.Add(bars(ps, y, func(*solution) color.RGBA { return clr }), dots(ds, 2.3))
	return p
}

// powerLaw is n^exponent through the middle of the radii; nil where it cannot be
// drawn.
func (c *covering) powerLaw(ns []float64) []float64 {
	var logN, logRadius float64
	for _, l := range c.levels {
		logN += math.Log(float64(l.N)) / float64(len(c.levels))
		logRadius += math.Log(float64(l.Radius)) / float64(len(c.levels))
	}
	var law []float64
	for _, n := range ns {
		v := math.Exp(logRadius + c.exponent.value*(math.Log(n)-logN))
		if !positive(v) {
			return nil
		}
		law = append(law, v)
	}
	return law
}

// termPanel shows n^{1/k} δ² of each order, named at its end.
func (c *covering) termPanel(x scale) *plot.Plot {
	ys := []float64{0.8, 1.1}
	for _, t := range c.terms {
		ys = append(ys, t.values...)
	}
	y := scaleOf(ys, 0.06, 1)
	ns := c.sizes()
	end := ns[len(ns)-1] // the names stand beside the line at 1, not on it
	p := centredPanel(x, y, "training samples n", "n^{1/k} δ_{ε}(n)^{2}, relative", slices.Compact(slices.Clone(ns)))
	p.Add(drawn(func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		c.FillPolygon(shade, []vg.Point{{X: tx(x.lo), Y: ty(y.lo)}, {X: tx(end), Y: ty(y.lo)}, {X: tx(end), Y: ty(1)}, {X: tx(x.lo), Y: ty(1)}})
		if style := textStyle(tickSize - 1); ty(1)-ty(y.lo) > 1.3*style.Font.Size {
			c.FillText(style, vg.Point{X: tx(x.lo) + 4, Y: ty(y.lo) + 3}, "falls")
		}
	}), polyline([]float64{x.lo, end}, []float64{1, 1}, ink, 0.7))
	for i := range c.terms {
		p.Add(polyline(ns, c.terms[i].values, c.color(i), 0.9))
	}
	for i, t := range c.terms {
		var ds []dot
		// All begin at 1, which the line says.
		for j := 1; j < len(ns); j++ {
			ds = append(ds, dot{x: ns[j], y: t.values[j], color: c.color(i), hollow: t.trend == open})
		}
		p.Add(dots(ds, 2))
	}
	p.Add(c.names())
	return p
}

func (c *covering) color(i int) color.RGBA {
	return ramp(0.05 + 0.8*float64(i)/float64(max(len(c.terms)-1, 1)))
}

// names writes the orders beside the ends of their lines, joined to them where
// another name is in the way.
func (c *covering) names() drawn {
	return func(canvas draw.Canvas, tx, ty func(float64) vg.Length) {
		style := textStyle(tickSize - 1)
		style.YAlign = draw.YCenter
		raise := style.FontExtents().Descent / 2
		n := float64(c.levels[len(c.levels)-1].N)
		var at []vg.Length
		for _, t := range c.terms {
			at = append(at, ty(t.values[len(t.values)-1]))
		}
		for i, y := range apart(at, style.Font.Size, canvas.Min.Y+style.Font.Size/2) {
			name := vg.Point{X: tx(n) + 6, Y: y}
			if y > at[i]+1 {
				name.X += 9
				canvas.StrokeLine2(draw.LineStyle{Color: c.color(i), Width: 0.4}, tx(n)+2, at[i], name.X-1, y)
			}
			canvas.FillText(style, vg.Point{X: name.X, Y: name.Y + raise}, fmt.Sprintf("k=%d", c.terms[i].k))
		}
	}
}

// apart moves heights, which descend, so that each is by gap above the next and
// the last not below bottom.
func apart(at []vg.Length, gap, bottom vg.Length) []vg.Length {
	moved := slices.Clone(at)
	for i := range slices.Backward(moved) {
		moved[i] = max(moved[i], bottom)
		bottom = moved[i] + gap
	}
	return moved
}

// estimated is a number with its interval.
func estimated(b between) string {
	return fmt.Sprintf("%s [%s, %s]", orInfinite(b.value), orInfinite(b.lower), orInfinite(b.upper))
}

func orInfinite(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	}
	return significant(v)
}

func (c *covering) title() string {
	title := "exponent −1/D = " + estimated(c.exponent) + "\nD = " + estimated(coverDimensions(c.exponent))
	if drawable(c.dimension.value) {
		title += "\nTwoNN: D = " + estimated(c.dimension)
	}
	return title + "   (95% intervals)"
}

func (c *covering) caption() string {
	text := "How fast the training samples cover the data, and whether the bound of Theorem 6 falls with more of them. Above: the radius δ(n) around n training samples that holds all but a share "
	if e := float64(c.rate.Epsilon); drawable(e) {
		text += "ε = " + shortest(e)
	} else {
		text += "ε"
	}
	text += " of the test samples, for nested subsets in one random permutation (dots), with 95% order-statistic intervals (bars). "
	if finite(c.exponent.value) {
		text += fmt.Sprintf("The line is a power law n^(−1/D) through their middle; its exponent, with a 95%% interval, is the mean over %s. D stands beside the intrinsic dimension of the samples by TwoNN (Facco et al., 2017).",
			plural(c.rate.Exponent.Draws, "random permutation", "random permutations"))
	} else {
		text += "No exponent was found."
	}
	if missing := len(c.rate.Levels) - len(c.levels); missing > 0 {
		text += " Not drawn, without a positive radius: " + plural(missing, "subset.", "subsets.")
	}
	if len(c.terms) > 0 {
		text += fmt.Sprintf(" Below: n^(1/k) δ(n)² for each order k, relative to n = %d, for the radii above. With the weights' norms, η and B held, the first term of Theorem 6 is O(n^(1/k) δ²): it falls with n if and only if D < 2k.", c.levels[0].N) + c.verdict()
	}
	return text + " All points of one repetition share their data; shown is the first with a rate, " + exampleWords(c.of, 1) + "."
}

// verdict says of which orders the interval decides, and for which k the term
// falls at the estimate.
func (c *covering) verdict() string {
	if !finite(c.exponent.value) {
		return " Hollow: open."
	}
	orders := map[trend][]int{}
	for _, t := range c.terms {
		orders[t.trend] = append(orders[t.trend], t.k)
	}
	var parts []string
	for _, said := range []struct {
		of    trend
		words string
	}{{grows, "it grows for k = %s"}, {falls, "it falls for k = %s"}, {open, "it is open for k = %s (hollow)"}} {
		if ks := orders[said.of]; len(ks) > 0 {
			parts = append(parts, fmt.Sprintf(said.words, list(ks)))
		}
	}
	text := " By the interval of the exponent " + strings.Join(parts, ", ") + "."
	if k := fallingOrder(c.exponent.value); k > 0 {
		return text + fmt.Sprintf(" At the estimate of the exponent, k = %d is the smallest order for which it falls.", k)
	}
	return text + fmt.Sprintf(" At the estimate of the exponent it falls for no order up to %d.", maxFallingOrder)
}
