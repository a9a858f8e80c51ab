package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// mini is a small chart of a point's page. Gonum's SVG spells out the style of
// every element; this one leaves it to the style sheet and is a tenth of its size,
// so that a page can hold those of many points.
type mini struct {
	Heading, Caption string
	Charts           string // JSON for the script
	x                string // label, in the notation of the figures
	lines            []miniLine
	limit            float64 // a dashed horizontal line; NaN for none
	limitName        string
	mark             float64 // where it has a square; 0 for none
	logX, logY       bool
}

// miniLine is a line of ascending x, with a band where it has bounds, or dots.
type miniLine struct {
	label              string
	x, y, lower, upper []float64
	dots, faint        bool
	guide              bool // not recorded, but made of what is
}

// class is how the style sheet names what the line is made of.
func (l miniLine) class(of string) string {
	if l.faint {
		return of + " faint"
	}
	return of
}

// counted are the axes of whole numbers from 0, which have no other ticks.
var counted = []string{"step", "order k", "number"}

func wholeTicks(ticks []plot.Tick) []plot.Tick {
	var values []float64
	for _, t := range ticks {
		if t.Label != "" && t.Value >= 0 && t.Value == math.Trunc(t.Value) {
			values = append(values, t.Value)
		}
	}
	return labelled(values)
}

// The chart in units of its own, a CSS pixel at its usual size.
const (
	miniWidth, miniHeight = 272, 168
	miniLeft, miniRight   = 46, 264
	miniTop, miniBottom   = 8, 132
)

// newMini keeps what can be drawn; false when that is nothing. The script gets the
// whole lines, or what is left of them in the drawing.
func newMini(m mini, whole bool) (mini, bool) {
	chart := m.chart()
	any := false
	for i := range m.lines {
		l := &m.lines[i]
		kept := miniLine{label: l.label, dots: l.dots, faint: l.faint, guide: l.guide}
		for j := range l.x {
			if !m.places(l.x[j], l.y[j]) {
				continue
			}
			kept.x, kept.y = append(kept.x, l.x[j]), append(kept.y, l.y[j])
			low, high := l.y[j], l.y[j]
			if l.lower != nil && m.places(l.x[j], l.lower[j]) && m.places(l.x[j], l.upper[j]) {
				low, high = l.lower[j], l.upper[j]
			}
			kept.lower, kept.upper = append(kept.lower, low), append(kept.upper, high)
		}
		*l = kept
		any = any || len(kept.x) > 0
	}
	if !any {
		return m, false
	}
	most := 0
	tx, _ := m.axes()
	for i := range m.lines {
		if l := m.lines[i].thinned(tx); len(l.x) < len(m.lines[i].x) {
			most = max(most, len(m.lines[i].x))
			m.lines[i] = l
		}
	}
	if most > 0 && !whole {
		chart = m.chart()
		m.Caption += fmt.Sprintf(" Of %d values this file has the smallest and the largest at every pixel; the files of the point have all.", most)
	}
	m.Charts = chart.attribute()
	return m, true
}

// chart is the mini as the script draws it.
func (m mini) chart() lineChart {
	c := lineChart{X: m.x, LogX: m.logX, LogY: m.logY, Limit: m.limitName}
	for _, l := range m.lines {
		line := newChartLine(l.label, l.x, l.y, l.lower, l.upper)
		line.Dots, line.Faint, line.Guide = l.dots, l.faint, l.guide
		if m.hasLimit() {
			line.Limit = &m.limit
		}
		if m.hasMark() {
			line.Mark = decimals{m.mark, m.limit}
		}
		c.Lines = append(c.Lines, line)
	}
	return c
}

// mostDrawn is how many values of a line are drawn before they are thinned.
const mostDrawn = 400

// thinned are, of the values at every pixel, the first, the smallest, the largest and
// the last, which look like all.
func (l miniLine) thinned(tx func(float64) float64) miniLine {
	if len(l.x) <= mostDrawn {
		return l
	}
	t := miniLine{label: l.label, dots: l.dots, faint: l.faint, guide: l.guide}
	for from := 0; from < len(l.x); {
		low, high, to := from, from, from+1
		for ; to < len(l.x) && math.Floor(tx(l.x[to])) == math.Floor(tx(l.x[from])); to++ {
			if l.y[to] < l.y[low] {
				low = to
			}
			if l.y[to] > l.y[high] {
				high = to
			}
		}
		kept := []int{from, min(low, high), max(low, high), to - 1}
		for _, i := range slices.Compact(kept) {
			t.x, t.y = append(t.x, l.x[i]), append(t.y, l.y[i])
			t.lower, t.upper = append(t.lower, l.lower[i]), append(t.upper, l.upper[i])
		}
		from = to
	}
	return t
}

// places says whether a point has a place on both axes.
func (m mini) places(x, y float64) bool {
	return drawable(x) && drawable(y) && (!m.logX || positive(x)) && (!m.logY || positive(y))
}

// scales span what is drawn.
func (m mini) scales() (x, y scale) {
	var xs, ys []float64
	for _, l := range m.lines {
		xs, ys = append(xs, l.x...), append(append(ys, l.lower...), l.upper...)
	}
	if m.hasLimit() {
		ys = append(ys, m.limit)
	}
	if m.hasMark() {
		xs = append(xs, m.mark)
	}
	return scaleOf(xs, 0.03, logFrom(m.logX)), scaleOf(ys, 0.06, logFrom(m.logY))
}

// axes are the places of values in the drawing.
func (m mini) axes() (tx, ty func(float64) float64) {
	x, y := m.scales()
	tx = func(v float64) float64 { return miniLeft + x.at(v)*(miniRight-miniLeft) }
	ty = func(v float64) float64 { return miniBottom - y.at(v)*(miniBottom-miniTop) }
	return tx, ty
}

// SVG draws the chart.
func (m mini) SVG() template.HTML {
	x, y := m.scales()
	tx, ty := m.axes()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="mini" viewBox="0 0 %d %d" role="img" aria-label="%s">`, miniWidth, miniHeight, template.HTMLEscapeString(m.Heading))
	style := textStyle(tickSize)
	across := newRuler(x, miniRight-miniLeft, style, false).ticks(nil)
	if slices.Contains(counted, m.x) {
		across = wholeTicks(across)
	}
	for _, t := range across {
		if t.Label != "" {
			fmt.Fprintf(&b, `<path class="axis" d="M%.1f,%dv4"/>%s`, tx(t.Value), miniBottom, miniText(tx(t.Value), miniBottom+15, "tick", "middle", t.Label))
		}
	}
	for _, t := range newRuler(y, vg.Length(miniBottom-miniTop)*0.8, style, true).ticks(nil) {
		if t.Label != "" {
			fmt.Fprintf(&b, `<path class="grid" d="M%d,%.1fH%d"/>%s`, miniLeft, ty(t.Value), miniRight, miniText(miniLeft-6, ty(t.Value)+3.5, "tick", "end", t.Label))
		}
	}
	fmt.Fprintf(&b, `<path class="axis" d="M%d,%dV%dH%d"/>`, miniLeft, miniTop, miniBottom, miniRight)
	for _, l := range m.lines {
		l.draw(&b, tx, ty)
	}
	if m.hasLimit() {
		fmt.Fprintf(&b, `<path class="limit" d="M%d,%.1fH%d"/>`, miniLeft, ty(m.limit), miniRight)
	}
	if m.hasMark() {
		fmt.Fprintf(&b, `<path class="mark" d="M%.1f,%.1fh6v6h-6z"/>`, tx(m.mark)-3, ty(m.limit)-3)
	}
	b.WriteString(miniText((miniLeft+miniRight)/2, miniHeight-6, "name", "middle", m.x))
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (m mini) hasLimit() bool { return m.places(1, m.limit) }

func (m mini) hasMark() bool { return m.mark > 0 && m.hasLimit() }

// logFrom is scaleOf's argument for an axis that is logarithmic or not.
func logFrom(log bool) float64 {
	if log {
		return 1
	}
	return math.Inf(1)
}

func (l miniLine) draw(b *strings.Builder, tx, ty func(float64) float64) {
	if l.dots {
		for i := range l.x {
			fmt.Fprintf(b, `<circle class="%s" cx="%.1f" cy="%.1f" r="2.2"/>`, l.class("dot"), tx(l.x[i]), ty(l.y[i]))
		}
		return
	}
	path := func(y []float64, backward bool) string {
		var d strings.Builder
		for i := range l.x {
			if backward {
				i = len(l.x) - 1 - i
			}
			fmt.Fprintf(&d, "L%.1f,%.1f", tx(l.x[i]), ty(y[i]))
		}
		return d.String()
	}
	for i := range l.x {
		if l.lower[i] != l.upper[i] {
			fmt.Fprintf(b, `<path class="band" d="M%s%sz"/>`, path(l.upper, false)[1:], path(l.lower, true))
			break
		}
	}
	if len(l.x) > 1 {
		fmt.Fprintf(b, `<path class="%s" d="M%s"/>`, l.class("line"), path(l.y, false)[1:])
	}
	if len(l.x) <= 12 {
		l.dots = true
		l.draw(b, tx, ty)
	}
}

// miniText sets a label in the notation of the figures.
func miniText(x, y float64, class, anchor, label string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">`, class, anchor, x, y)
	low := 0
	for _, s := range spans(label) {
		text := template.HTMLEscapeString(s.text)
		if s.level == 0 && low == 0 {
			b.WriteString(text)
			continue
		}
		size := ""
		if s.level != 0 {
			size = ` font-size="75%"`
		}
		fmt.Fprintf(&b, `<tspan dy="%d"%s>%s</tspan>`, -3*s.level-low, size, text)
		low = -3 * s.level
	}
	b.WriteString("</text>")
	return b.String()
}
