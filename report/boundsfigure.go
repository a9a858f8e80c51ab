package report

import (
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

// Heights in the figure of bounds.
const (
	orderRow     = 9  // of one order
	statementGap = 5  // between two statements
	twoLines     = 19 // of a statement whose name has two
	boundHead    = 12 // above the first statement
)

// boundRow is one order of a statement in the figure of bounds: what its three
// right-hand sides are as multiples of the measured value, NaN for none.
type boundRow struct {
	k                    int
	y                    float64 // of its middle, from the top, negative
	sharp, printed, free float64
	hollow               bool
}

// boundGroup is a statement in the figure, from top to bottom.
type boundGroup struct {
	name        string
	top, bottom float64
	rows        []boundRow
}

// boundGroups are the statements that hold, with the names of those that have no
// place in the figure.
func boundGroups(bounds []rundir.Bound) (groups []*boundGroup, absent []string) {
	var omitted []rundir.Bound
	for i := range bounds {
		b := &bounds[i]
		row := boundRow{k: b.K, sharp: looseness(b, b.Sharp), printed: looseness(b, b.Printed), free: looseness(b, b.Free), hollow: b.Status == assumed}
		if math.IsNaN(row.sharp) && math.IsNaN(row.printed) && math.IsNaN(row.free) {
			omitted = append(omitted, *b)
			continue
		}
		if n := len(groups); n == 0 || groups[n-1].name != b.Statement {
			groups = append(groups, &boundGroup{name: b.Statement})
		}
		g := groups[len(groups)-1]
		g.rows = append(g.rows, row)
	}
	at := -float64(boundHead)
	for _, g := range groups {
		own := orderRow * float64(len(g.rows))
		height := own
		if strings.Contains(g.label(), "\n") {
			height = max(own, twoLines)
		}
		g.top, g.bottom = at, at-height-statementGap
		for j := range g.rows {
			g.rows[j].y = (g.top+g.bottom)/2 + own/2 - orderRow*(float64(j)+0.5)
		}
		at = g.bottom
	}
	return groups, statementsOf(omitted)
}

func (g *boundGroup) assumed() bool {
	return slices.ContainsFunc(g.rows, func(row boundRow) bool { return row.hollow })
}

const longestName = 24

// label is the statement's name in at most two lines.
func (g *boundGroup) label() string {
	name := statementName(g.name)
	if runes := []rune(name); len(runes) > longestName {
		name = string(runes[:longestName-1]) + "…"
	}
	return strings.Replace(name, " (", "\n(", 1)
}

// statementsOf names bounds, the orders of a statement together: "Theorem 2 (k=1, 3)".
func statementsOf(bounds []rundir.Bound) []string {
	var names []string
	for i := 0; i < len(bounds); {
		var orders []int
		first := i
		for ; i < len(bounds) && bounds[i].Statement == bounds[first].Statement; i++ {
			orders = append(orders, bounds[i].K)
		}
		names = append(names, fmt.Sprintf("%s (k=%s)", statementName(bounds[first].Statement), list(orders)))
	}
	return names
}

// boundsFigure compares the bounds of one solution with what they bound.
func (r *Report) boundsFigure() []figure {
	s, of := r.boundExample()
	if s == nil {
		return nil
	}
	return loosenessFigure(s.bounds(), exampleWords(s, of))
}

// loosenessFigure compares the bounds of the solution that words name.
func loosenessFigure(bounds []rundir.Bound, words string) []figure {
	groups, absent := boundGroups(bounds)
	if len(groups) == 0 {
		return nil
	}
	caption := "How loose the bounds of Ma & Ying (2021) are: each right-hand side divided by the number that it bounds and that was measured, for each order k (small digits). 1 is tight; " +
		fmt.Sprintf("in the shaded area a bound is %d times the measured value or more. ", informative) +
		"Circles: the sharpest form whose hypotheses hold; triangles: as printed in the paper; squares: the sharpest that does not contain the number of parameters. "
	title := "● sharp    ▲ printed    ■ free of w"
	if slices.ContainsFunc(groups, (*boundGroup).assumed) {
		title = "hollow: rests on an assumption\n" + title
		caption += "Hollow: it holds if constants are right that were given or found by a search. "
	}
	caption += "The solution is " + words + "."
	if len(absent) > 0 {
		caption += " Not drawn, since they do not apply, are undecided or have nothing measured to compare with: " + strings.Join(absent, ", ") + "."
	}
	height := 52 + 12*vg.Length(strings.Count(title, "\n")) + vg.Length(-groups[len(groups)-1].bottom)
	return []figure{{name: "bounds", heading: "How loose the bounds are", caption: caption, ownMarks: true, height: height, data: func() sheet { return boundSheet(bounds) }, ratios: newRatioChart(bounds), draw: func(c draw.Canvas) {
		p := boundsPanel(groups)
		p.Title.Text = title
		drawPanels(c, coloring{}, p)
	}}}
}

// exampleWords says which solution stands for all.
func exampleWords(s *solution, of int) string {
	name := fmt.Sprintf("η = %s, B = %s, repetition %d", shortest(s.Point.LearningRate), significantInteger(s.batch()), s.Point.Repetition)
	if s.Point.Method != "sgd" {
		name = s.Point.Method + ", " + name
	}
	if of > 1 {
		name += fmt.Sprintf(", the one of median margin η*_var/η of %d with bounds", of)
	}
	return name
}

// significantInteger is a batch size, which may be unknown.
func significantInteger(v float64) string {
	if math.IsNaN(v) {
		return "all"
	}
	return shortest(v)
}

func boundsPanel(groups []*boundGroup) *plot.Plot {
	ratios := []float64{1, informative}
	var kinds [3][]dot
	colors := [3]color.RGBA{ramp(0.05), ramp(0.8), ramp(0.45)}
	for _, g := range groups {
		for _, row := range g.rows {
			for i, v := range []float64{row.sharp, row.printed, row.free} {
				if positive(v) {
					ratios = append(ratios, v)
					kinds[i] = append(kinds[i], dot{x: v, y: row.y, color: colors[i], hollow: row.hollow})
				}
			}
		}
	}
	x := scaleOf(ratios, 0.04, 1)
	x.lo /= math.Pow(x.hi/x.lo, 0.06) // for the orders
	y := scale{lo: groups[len(groups)-1].bottom, hi: 0}
	p := centredPanel(x, y, "bound / measured", "", nil)
	p.X.Tick.Marker = withOne(p.X.Tick.Marker.Ticks(x.lo, x.hi))
	p.Y.Tick.Marker = boundTicks(groups)
	// Room in the place of ticks: browsers may have a wider font.
	p.Y.Tick.Length, p.Y.Tick.Color = 5, white
	p.Add(boundGrid(groups, x, y), triangles(kinds[1], 3), squares(kinds[2], 2.3), dots(kinds[0], 1.7))
	return p
}

// withOne writes 10⁰ as 1, which is what a bound is compared with.
func withOne(ticks []plot.Tick) plot.ConstantTicks {
	for i := range ticks {
		if ticks[i].Label == "10^{0}" {
			ticks[i].Label = "1"
		}
	}
	return ticks
}

func boundTicks(groups []*boundGroup) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, g := range groups {
		ticks = append(ticks, plot.Tick{Value: (g.top + g.bottom) / 2, Label: g.label()})
	}
	return ticks
}

var hairline = color.RGBA{0xcc, 0xcc, 0xcc, 0xff}

// boundGrid draws what is behind the markers: where bounds are vacuous, the lines
// between statements and between the forms of a bound, and the orders.
func boundGrid(groups []*boundGroup, x, y scale) drawn {
	return func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		at := func(v, w float64) vg.Point { return vg.Point{X: tx(v), Y: ty(w)} }
		c.FillPolygon(shade, []vg.Point{at(informative, y.lo), at(x.hi, y.lo), at(x.hi, y.hi), at(informative, y.hi)})
		c.StrokeLines(draw.LineStyle{Color: ink, Width: 0.7}, []vg.Point{at(1, y.lo), at(1, y.hi)})
		words := textStyle(tickSize - 1)
		words.YAlign = draw.YTop
		if label := "vacuous"; tx(x.hi)-tx(informative) > words.Width(label)+6 {
			c.FillText(words, vg.Point{X: tx(informative) + 4, Y: ty(0) - 1}, label)
		}
		digits := textStyle(tickSize - 2)
		digits.YAlign = draw.YCenter
		digits.Color = color.RGBA{0x5a, 0x5a, 0x5a, 0xff}
		raise := digits.FontExtents().Descent / 2
		c.FillText(digits, vg.Point{X: tx(x.lo) + 4, Y: ty(-boundHead/2) + raise}, "k")
		for _, g := range groups {
			c.StrokeLines(draw.LineStyle{Color: hairline, Width: 0.5}, []vg.Point{at(x.lo, g.top), at(x.hi, g.top)})
			for _, row := range g.rows {
				c.FillText(digits, vg.Point{X: tx(x.lo) + 4, Y: ty(row.y) + raise}, fmt.Sprint(row.k))
				if low, high := row.extent(); low < high {
					c.StrokeLines(draw.LineStyle{Color: color.RGBA{0x99, 0x99, 0x99, 0xff}, Width: 0.5}, []vg.Point{at(low, row.y), at(high, row.y)})
				}
			}
		}
	}
}

func (row boundRow) extent() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range []float64{row.sharp, row.printed, row.free} {
		if positive(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high
}
