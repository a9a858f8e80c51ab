package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/goccy/go-yaml"

	"sobolev/rundir"
)

//go:embed page.html.tmpl
var pageSource string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"symbols": symbols,
	"decimal": decimal2,
	"sign":    signWord,
	"add":     func(a, b int) int { return a + b },
}).Parse(pageSource))

// symbols escapes text of this package and sets its formula symbols.
func symbols(text string) template.HTML {
	return template.HTML(strings.NewReplacer(
		"g_W", "<i>g</i><sub>W</sub>", "g_x", "<i>g</i><sub>x</sub>", "k=", "<i>k</i> = ",
		"η*_var", "η*<sub>var</sub>", "η_mean", "η<sub>mean</sub>", "λ_max", "λ<sub>max</sub>", "V_X", "<i>V</i><sub>X</sub>",
	).Replace(template.HTMLEscapeString(text)))
}

// drawnFigure is a figure inside the page.
type drawnFigure struct {
	Name, Heading, Caption string
	OwnMarks               bool
	SVG                    template.HTML
}

// content is what the template shows.
type content struct {
	*Report
	Headline                   []string
	Figures                    []drawnFigure
	Facts                      []fact
	Rows                       []row
	Methods                    bool // more than one: the table needs the column
	Order, TwiceOrder          int
	Effective, Outputs, Target string
	Left, Draws                int
	Seed                       uint64
	Configuration              string
	Stability                  *stabilityTable
	Bounds                     *boundsTable
}

// HTML is the report page: one file without any external resource. Equal
// records give equal bytes.
func (r *Report) HTML() ([]byte, error) {
	c := content{Report: r, Headline: append(r.headline(), r.stabilitySentences()...), Facts: r.facts(), Rows: r.rows(), Order: 1,
		Methods: r.methods() > 1, Left: r.Total - r.Counted, Draws: r.draws, Seed: bootstrapSeed, Stability: r.stabilityTable(), Bounds: r.boundsTable()}
	if len(r.orders) > 0 {
		c.Order = r.orders[0]
	}
	c.TwiceOrder = 2 * c.Order
	if finite(r.effective) {
		c.Effective = significant(r.effective)
	}
	if r.outputs > 0 {
		c.Outputs = fmt.Sprint(r.outputs)
	}
	if r.Config.Stop.Loss > 0 {
		c.Target = shortest(r.Config.Stop.Loss)
	}
	for _, f := range r.figures() {
		svg, err := f.svg()
		if err != nil {
			return nil, err
		}
		c.Figures = append(c.Figures, drawnFigure{f.name, f.heading, f.caption, f.ownMarks, template.HTML(svg)})
	}
	configuration, err := yaml.Marshal(r.Config)
	if err != nil {
		return nil, fmt.Errorf("experiment.yaml: %w", err)
	}
	c.Configuration = string(configuration)
	var b bytes.Buffer
	if err := page.Execute(&b, c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// WriteHTML places the page at path, whole or not at all.
func (r *Report) WriteHTML(path string) error {
	data, err := r.HTML()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return rundir.WriteFile(path, data)
}

func (r *Report) methods() int {
	seen := map[string]bool{}
	for _, c := range r.cells {
		seen[c.method] = true
	}
	return len(seen)
}
