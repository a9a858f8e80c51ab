package report

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	labelSize = 10 // points
	tickSize  = 9
	barWidth  = 44 // of the colour bar with its labels
	// Rough lengths of a panel's axes, to decide how many tick labels fit.
	roomX = columnWidth - 44 - barWidth
	roomY = 120
)

func textStyle(size vg.Length) text.Style {
	return text.Style{Color: ink, Font: sans(size), Handler: notation{text.Plain{Fonts: fonts()}}}
}

// newPanel is an empty plot in the style of all figures.
func newPanel(x, y scale, xLabel, yLabel string, ticksX []float64) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // drawPanels has drawn it
	p.Title.TextStyle = textStyle(tickSize)
	p.Title.TextStyle.XAlign, p.Title.TextStyle.YAlign = draw.XCenter, draw.YTop
	p.Title.Padding = 4
	for _, a := range []struct {
		axis      *plot.Axis
		scale     scale
		label     string
		room      vg.Length
		preferred []float64
	}{{&p.X, x, xLabel, roomX, ticksX}, {&p.Y, y, yLabel, roomY, nil}} {
		xAlign, yAlign := a.axis.Tick.Label.XAlign, a.axis.Tick.Label.YAlign
		a.axis.Tick.Label = textStyle(tickSize)
		a.axis.Tick.Label.XAlign, a.axis.Tick.Label.YAlign = xAlign, yAlign
		a.axis.Label.TextStyle = textStyle(labelSize)
		a.axis.Label.TextStyle.XAlign, a.axis.Label.TextStyle.YAlign = draw.XCenter, draw.YBottom
		a.axis.Label.Text, a.axis.Label.Padding = a.label, 3
		a.axis.Min, a.axis.Max, a.axis.Scale = a.scale.lo, a.scale.hi, a.scale
		a.axis.Padding, a.axis.Tick.Length = 0, 4
		a.axis.Color, a.axis.Tick.Color = ink, ink
		a.axis.Tick.Marker = plot.ConstantTicks(newRuler(a.scale, a.room, a.axis.Tick.Label, a.axis == &p.Y).ticks(a.preferred))
	}
	return p
}

// drawn is a plotter made of a function of the panel's coordinates.
type drawn func(c draw.Canvas, x, y func(float64) vg.Length)

// Plot implements plot.Plotter.
func (d drawn) Plot(c draw.Canvas, p *plot.Plot) {
	place := func(a plot.Axis) func(float64) float64 {
		if s, ok := a.Scale.(centred); ok {
			return s.at
		}
		return a.Norm
	}
	x, y := place(p.X), place(p.Y)
	d(c, func(v float64) vg.Length { return c.X(x(v)) }, func(v float64) vg.Length { return c.Y(y(v)) })
}

// centred is a scale for an axis with a label: gonum makes room for the label at
// the arithmetic middle of the axis, though it draws it at the middle.
type centred struct{ scale }

// Normalize implements plot.Normalizer.
func (s centred) Normalize(lo, hi, v float64) float64 {
	if v == 0.5*(hi+lo) {
		return 0.5
	}
	return s.at(v)
}

// centredPanel is a panel with axes of either kind of scale and long labels.
func centredPanel(x, y scale, xLabel, yLabel string, ticksX []float64) *plot.Plot {
	p := newPanel(x, y, xLabel, yLabel, ticksX)
	p.X.Scale, p.Y.Scale = centred{x}, centred{y}
	return p
}

// dot is a solution in a panel; hollow marks one that does not count.
type dot struct {
	x, y   float64
	color  color.RGBA
	hollow bool
}

// radius is that of n dots, smaller when there are many.
func radius(n int) vg.Length {
	return vg.Length(min(max(4-0.45*math.Log2(float64(max(n, 4))), 1.2), 2.6))
}

// polyline joins points that are sorted along x.
func polyline(x, y []float64, clr color.RGBA, width vg.Length) drawn {
	return func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		points := make([]vg.Point, len(x))
		for i := range x {
			points[i] = vg.Point{X: tx(x[i]), Y: ty(y[i])}
		}
		c.StrokeLines(draw.LineStyle{Color: inked(clr), Width: width}, points)
	}
}

// recorded is the polyline of a training; a single value, of one that diverged at
// once, is a dot.
func recorded(x, y []float64, clr color.RGBA, width vg.Length) drawn {
	if len(x) == 1 {
		return dots([]dot{{x: x[0], y: y[0], color: clr}}, 1.6)
	}
	return polyline(x, y, clr, width)
}

// band fills the area between two curves over x.
func band(x, lower, upper []float64, clr color.Color) drawn {
	return func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		var points []vg.Point
		for i := range x {
			points = append(points, vg.Point{X: tx(x[i]), Y: ty(upper[i])})
		}
		for i := range slices.Backward(x) {
			points = append(points, vg.Point{X: tx(x[i]), Y: ty(lower[i])})
		}
		if len(x) > 1 {
			c.FillPolygon(clr, points)
		}
	}
}

// coloring gives solutions the colour of a grid quantity; without one all have
// the same.
type coloring struct {
	by     *quantity
	values []float64 // distinct, ascending
	scale  scale
}

// coloringBy colours by q if it varies over the run.
func (r *Report) coloringBy(q quantity) coloring {
	if !r.varies(q) {
		return coloring{}
	}
	var values []float64
	for i := range r.solutions {
		values = append(values, q.of(&r.solutions[i]))
	}
	slices.Sort(values)
	values = slices.Compact(values)
	// Grids are usually geometric; below a factor of 4 linear reads as well.
	return coloring{&q, values, scaleOf(values, 0, 4)}
}

// coloring is by η if that varies, else by B; by neither where the methods differ,
// whose batches differ with them.
func (r *Report) coloring() coloring {
	if r.methods() > 1 {
		return coloring{}
	}
	if r.varies(learningRate()) {
		return r.coloringBy(learningRate())
	}
	return r.coloringBy(batchSize())
}

func (c coloring) of(s *solution) color.RGBA {
	if c.by == nil {
		return ramp(0.3)
	}
	return ramp(c.scale.at(c.by.of(s)))
}

// bar draws the colour bar beside the area of the panels.
func (c coloring) bar(area draw.Canvas) {
	if c.by == nil {
		return
	}
	const steps, width = 80, 9
	height := min(area.Max.Y-area.Min.Y, 130)
	bottom := area.Max.Y - height
	left := area.Max.X + 10
	for i := range steps {
		from := bottom + height*vg.Length(i)/steps
		// Each slice reaches to the top: abutting slices would show seams.
		rectangle := vg.Rectangle{Min: vg.Point{X: left, Y: from}, Max: vg.Point{X: left + width, Y: area.Max.Y}}
		area.SetColor(ramp((float64(i) + 0.5) / steps))
		area.Fill(rectangle.Path())
	}
	style := textStyle(tickSize)
	style.YAlign = draw.YCenter
	// Gonum centres a line box, not its digits.
	raise := style.FontExtents().Descent
	line := draw.LineStyle{Color: ink, Width: 0.5}
	for _, t := range newRuler(c.scale, height, style, true).ticks(c.values) {
		y := bottom + height*vg.Length(c.scale.at(t.Value))
		if t.Label == "" {
			continue
		}
		area.StrokeLine2(line, left+width, y, left+width+3, y)
		area.FillText(style, vg.Point{X: left + width + 5, Y: y + raise}, t.Label)
	}
	symbol := textStyle(labelSize)
	symbol.XAlign = draw.XLeft
	area.FillText(symbol, vg.Point{X: left + 2, Y: area.Max.Y + 4}, c.by.name)
}

// note says what the hollow markers are and how many results have no place in
// the figure, because a coordinate is no finite number.
func note(hollow, absent int) string {
	var parts []string
	if hollow > 0 {
		parts = append(parts, fmt.Sprintf("○ left out of the correlation: %d", hollow))
	}
	if absent > 0 {
		parts = append(parts, fmt.Sprintf("not drawn: %d", absent))
	}
	if len(parts) == 0 {
		return ""
	}
	return "\n" + strings.Join(parts, ",  ")
}
