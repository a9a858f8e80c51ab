package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"regexp"
	"runtime"
	"strings"

	"sobolev/internal/parallel"
	"sobolev/rundir"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart is how the page's script draws a figure anew, from the columns of Data:
// every y against x, each with a marker of its own.
type chart struct {
	X     string   `json:"x"`
	Y     []string `json:"y"`
	Color string   `json:"color,omitempty"`
	// LogX and LogY ask for logarithmic axes of any range; without them an axis is
	// logarithmic from a factor of 20, as in the figures.
	LogX bool `json:"logx,omitempty"`
	LogY bool `json:"logy,omitempty"`
	// Lines joins the medians over repetitions; where X is of words, each is a line.
	Lines bool `json:"lines,omitempty"`
	// Edge is a line with a shaded unstable side: "diagonal", above y = x, or "one",
	// below y = 1.
	Edge string `json:"edge,omitempty"`
}

func chartOf(x quantity, colors coloring, ys ...quantity) chart {
	c := chart{X: x.column}
	for _, y := range ys {
		c.Y = append(c.Y, y.column)
	}
	if colors.by != nil {
		c.Color = colors.by.column
	}
	return c
}

// inPage is the figure as an element of a page. Styles are attributes of SVG, since
// a content-security policy may forbid style attributes and a style sheet may
// change the others.
func (f figure) inPage() (drawnFigure, error) {
	d := drawnFigure{Name: f.name, Heading: f.heading, Caption: f.caption, About: f.about, OwnMarks: f.ownMarks, Width: int(int(math.Round(float64(columnWidth)))), Height: int(f.height)}
	canvas := vgsvg.New(columnWidth, f.height)
	limited := &sparse{Canvas: canvas}
	f.draw(draw.NewCanvas(limited, columnWidth, f.height))
	text, err := svgElement(canvas)
	if err != nil {
		return d, fmt.Errorf("figure %s: %w", f.name, err)
	}
	d.SVG = template.HTML(styleAttribute.ReplaceAllStringFunc(edgesWithFills(text), attributes))
	if limited.drawn < limited.all {
		d.Caption += fmt.Sprintf(" Drawn without script: %d of %d markers of a kind, evenly over the grid; the files of the figure have all.", limited.drawn, limited.all)
	}
	if specs := f.specs(); specs != nil {
		js, err := json.Marshal(specs)
		if err != nil {
			return d, err
		}
		d.Charts = string(js)
	}
	return d, nil
}

// specs are what a page says of the figure's charts, nil where it has none.
func (f figure) specs() any {
	if f.ratios != nil {
		return []*ratioChart{f.ratios}
	}
	if f.curves == nil {
		if len(f.charts) == 0 {
			return nil
		}
		return f.charts
	}
	type ofData struct {
		Curves int `json:"curves"` // counts those of the figure in the data
	}
	specs := make([]ofData, len(f.curves()))
	for i := range specs {
		specs[i].Curves = i
	}
	return specs
}

// Stills are the figures as readers without JavaScript see them, as SVG by name.
func (r *Report) Stills() (map[string][]byte, error) {
	drawn, err := r.drawn()
	if err != nil {
		return nil, err
	}
	stills := make(map[string][]byte, len(drawn))
	for _, d := range drawn {
		stills[d.Name] = []byte(d.SVG)
	}
	return stills, nil
}

// linkTo takes the drawing out of the page. Its address changes with it.
func (d *drawnFigure) linkTo(figures string) {
	d.Still = figures + url.PathEscape(d.Name) + ".svg?v=" + rundir.Digest([]byte(d.SVG))[:12]
	d.SVG = ""
}

// drawnFigures draws figures for a page, in their order.
func drawnFigures(figs []figure) ([]drawnFigure, error) {
	drawn := make([]drawnFigure, len(figs))
	errs := make([]error, len(figs))
	parallel.Each(runtime.GOMAXPROCS(0), len(figs), func(_, i int) { drawn[i], errs[i] = figs[i].inPage() })
	return drawn, errors.Join(errs...)
}

// sparse is a canvas that takes mostMarks markers of a series: a page with every one
// of ten thousand points in every figure would be too large for a mail. The chart
// that the page's script makes of the figure has all.
type sparse struct {
	vg.Canvas
	drawn, all int // of the series that was thinned most
}

const mostMarks = 200

// some are the elements of a series that a canvas takes, evenly over their number.
func some[T any](c draw.Canvas, all []T) []T {
	s, ok := underlying(c).(*sparse)
	if !ok || len(all) <= mostMarks {
		return all
	}
	if len(all) > s.all {
		s.drawn, s.all = mostMarks, len(all)
	}
	return evenlyFrom(all, mostMarks)
}

// edgesWithFills makes one element of a path that is filled and then stroked.
func edgesWithFills(svg string) string {
	lines := strings.Split(svg, "\n")
	kept := lines[:0]
	for _, line := range lines {
		if n := len(kept); n > 0 {
			path, fill, ok := strings.Cut(kept[n-1], `" style="fill:#`)
			stroke, stroked := strings.CutPrefix(line, path+`" style="fill:none;`)
			if color, plain := strings.CutSuffix(fill, `" />`); ok && stroked && plain && strings.HasPrefix(path, "<path") {
				kept[n-1] = path + `" style="fill:#` + color + ";" + stroke
				continue
			}
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n")
}

var styleAttribute = regexp.MustCompile(`style="[^"]*"`)

func attributes(style string) string {
	var b strings.Builder
	for _, declaration := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(style, `style="`), `"`), ";") {
		if name, value, ok := strings.Cut(declaration, ":"); ok {
			fmt.Fprintf(&b, `%s="%s" `, strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}
