package report

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed *.tmpl
var templates embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"symbols": symbols,
	"message": message,
	"decimal": decimal2,
	"plural":  plural,
	"sign":    signWord,
	"add":     func(a, b int) int { return a + b },
	"path":    url.PathEscape,
}).ParseFS(templates, "*.tmpl"))

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
	About                  string // in the place of the drawing's title
	OwnMarks               bool
	SVG                    template.HTML
	Still                  string // the address of the drawing, if the page has no SVG
	Width, Height          int
	Charts                 string // JSON for the script
}

// content is what the template shows.
type content struct {
	*Report
	document
	Headline                   []string
	Figures                    []drawnFigure
	Facts                      []fact
	Rows                       []row
	MoreRows                   int  // of the grid, that are not in the table
	Methods                    bool // more than one: the table needs the column
	Order, TwiceOrder          int
	Effective, Outputs, Target string
	Left, Draws                int
	Seed                       uint64
	Configuration              string
	Stability                  *stabilityTable
	Bounds                     *boundsTable
	Pages                      []template.HTML // of the points that are in the file
	Listed                     []pointLink     // until a script makes a table of all
}

// pointLink leads to the page of a point.
type pointLink struct{ Address, Place, LeftOut string }

// HTML is the report page: one file without any external resource, with as many
// pages of points as fit. Equal records give equal bytes.
func (r *Report) HTML() ([]byte, error) { return r.Overview(Links{}) }

// Overview is the page of the whole run.
func (r *Report) Overview(l Links) ([]byte, error) {
	c := content{Report: r, Headline: append(r.headline(), r.stabilitySentences()...), Facts: r.facts(), Rows: r.rows(), Order: 1,
		Methods: r.methods() > 1, Left: r.Total - r.Counted, Draws: r.draws, Seed: bootstrapSeed, Stability: r.stabilityTable(), Bounds: r.boundsTable()}
	// Beside the data: both take long.
	paged := make(chan error, 1)
	go func() {
		var err error
		c.Pages, err = r.pointPages(l)
		paged <- err
	}()
	var err error
	c.document, err = l.document(r.Config.Name, r.Data)
	if err = errors.Join(<-paged, err); err != nil {
		return nil, err
	}
	c.Listed = r.listed(l, len(c.Pages))
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
	most := mostRows
	if l.Data != "" {
		most = mostLinkedRows
	}
	c.MoreRows = beyond(&c.Rows, most)
	if c.Stability != nil {
		c.Stability.More = beyond(&c.Stability.Rows, most)
	}
	drawn, err := r.drawn()
	if err != nil {
		return nil, err
	}
	c.Figures = slices.Clone(drawn)
	if l.Figures != "" {
		for i := range c.Figures {
			c.Figures[i].linkTo(l.Figures)
		}
	}
	configuration, err := yaml.Marshal(r.Config)
	if err != nil {
		return nil, fmt.Errorf("experiment.yaml: %w", err)
	}
	c.Configuration = string(configuration)
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page.html.tmpl", c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Write draws the page into a file and beside that the figures into a folder, as
// WriteFigures does, on as many cores as there are.
func (r *Report) Write(page, figures string, formats []string) (Files, error) {
	var drawn Files
	done := make(chan error)
	go func() {
		var err error
		drawn, err = r.WriteFigures(figures, formats)
		done <- err
	}()
	files := Files{}
	html, err := r.HTML()
	if err == nil {
		err = files.write(page, html)
	}
	err = errors.Join(<-done, err)
	maps.Copy(files, drawn)
	return files, err
}

// pageBudget is how much of a file the pages of points may take, in bytes.
const pageBudget = 2 << 20

// pointPages are those that fit into a file without a server: the first repetition
// of every cell before the second.
func (r *Report) pointPages(l Links) ([]template.HTML, error) {
	if l.Points != "" {
		return nil, nil
	}
	var found []template.HTML
	left := pageBudget
	for _, s := range r.byRepetition() {
		section, err := r.section(s, l)
		if err != nil {
			return nil, err
		}
		if left -= len(section); left < 0 {
			break
		}
		found = append(found, section)
	}
	return found, nil
}

// byRepetition are the solutions in the order of their pages.
func (r *Report) byRepetition() []*solution {
	order := make([]*solution, len(r.solutions))
	for i := range r.solutions {
		order[i] = &r.solutions[i]
	}
	slices.SortStableFunc(order, func(a, b *solution) int { return a.repetition - b.repetition })
	return order
}

// listed are links to the first pages of points, for readers without JavaScript; inside
// the file are those of the first ones.
func (r *Report) listed(l Links, inside int) []pointLink {
	order := r.byRepetition()
	if l.Points == "" {
		order = order[:inside]
	}
	var links []pointLink
	for _, s := range order[:min(len(order), mostListed)] {
		address := "#" + s.Name
		if l.Points != "" {
			address = l.Points + url.PathEscape(s.Name)
		}
		why, _, _ := strings.Cut(s.leftOut, ":") // without the text of an error
		links = append(links, pointLink{address, placeOf(s), why})
	}
	return links
}

// mostListed is the number of links to points.
const mostListed = 200

// mostRows is the length of a table of the page, and mostLinkedRows that of one whose
// style and data are elsewhere.
const (
	mostRows       = 500
	mostLinkedRows = 100
)

// beyond cuts a table and returns how many rows that left out.
func beyond[T any](rows *[]T, most int) int {
	more := max(0, len(*rows)-most)
	*rows = (*rows)[:len(*rows)-more]
	return more
}

func (r *Report) methods() int {
	seen := map[string]bool{}
	for _, c := range r.cells {
		seen[c.method] = true
	}
	return len(seen)
}
