package report

import (
	"encoding/json"
	"slices"
)

// lineChart is how the page's script draws curves: the values behind a drawing, which
// a reader can have read out, zoom into and put on other axes.
type lineChart struct {
	X    string `json:"xlabel"`
	Y    string `json:"ylabel,omitempty"`
	LogX bool   `json:"logx,omitempty"`
	LogY bool   `json:"logy,omitempty"`
	// Zero is where x = 0 stands on a logarithmic axis, if it has a place.
	Zero  float64 `json:"zero,omitempty"`
	Color string  `json:"color,omitempty"` // the column of Data that colours lines by their points
	// Limit names the dashed lines, which end with their lines if LimitEnds.
	Limit     string      `json:"limit,omitempty"`
	LimitEnds bool        `json:"limitends,omitempty"`
	Lines     []chartLine `json:"lines"`
}

// chartLine is a curve of ascending X, which are those of the line before if it has
// none. Lower and Upper are absent where no value has bounds.
type chartLine struct {
	Label string `json:"label"`
	// Point is the name of the solution, for lines of several.
	Point string   `json:"point,omitempty"`
	X     decimals `json:"x,omitempty"`
	Y     decimals `json:"y"`
	Lower decimals `json:"lower,omitempty"`
	Upper decimals `json:"upper,omitempty"`
	Limit *float64 `json:"limit,omitempty"` // where its dashed line is
	Mark  decimals `json:"mark,omitempty"`  // the place of its square
	Dots  bool     `json:"dots,omitempty"`  // without a line; bounds are bars
	Open  bool     `json:"open,omitempty"`  // hollow dots and square
	Faint bool     `json:"faint,omitempty"`
	Guide bool     `json:"guide,omitempty"` // not recorded: nobody reads it out
}

// newChartLine leaves out what has no place.
func newChartLine(label string, x, y, lower, upper []float64) chartLine {
	l := chartLine{Label: label}
	bounded := false
	for i := range x {
		if !drawable(x[i]) || !drawable(y[i]) {
			continue
		}
		low, high := y[i], y[i]
		if lower != nil && drawable(lower[i]) && drawable(upper[i]) {
			low, high = lower[i], upper[i]
		}
		bounded = bounded || low != high
		l.X, l.Y, l.Lower, l.Upper = append(l.X, x[i]), append(l.Y, y[i]), append(l.Lower, low), append(l.Upper, high)
	}
	if !bounded {
		l.Lower, l.Upper = nil, nil
	}
	return l
}

// sharing leaves out the X of lines that have those of the line before, and lines
// without a value.
func (c lineChart) sharing() lineChart {
	c.Lines = slices.DeleteFunc(slices.Clone(c.Lines), func(l chartLine) bool { return len(l.Y) == 0 })
	for i := len(c.Lines) - 1; i > 0; i-- {
		if slices.Equal(c.Lines[i].X, c.Lines[i-1].X) {
			c.Lines[i].X = nil
		}
	}
	return c
}

// columnName is that of the quantity that colours, empty without one.
func (c coloring) columnName() string {
	if c.by == nil {
		return ""
	}
	return c.by.column
}

// drawableLimit is where a dashed line is, nil where it has no place.
func drawableLimit(v float64) *float64 {
	if !drawable(v) {
		return nil
	}
	return &v
}

// attribute is the chart in the notation of a figure's charts.
func (c lineChart) attribute() string {
	js, err := json.Marshal([]lineChart{c.sharing()})
	if err != nil {
		panic("report: " + err.Error()) // decimals take every number, and limits are drawable
	}
	return string(js)
}
