package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"

	"sobolev/rundir"
)

// figure is a drawing of the report. Widths are those of one printed column,
// so that the text is printed at the size it is drawn at.
type figure struct {
	name    string // of the file, without ending
	heading string
	caption string // plain text
	height  vg.Length
	// ownMarks says that hollow markers do not mean what they mean elsewhere.
	ownMarks bool
	draw     func(draw.Canvas)
}

const (
	columnWidth = 252 // points: 3.5 inches
	pngDPI      = 300
)

// formats are the file endings that WriteFigures knows.
var formats = []string{"svg", "pdf", "png"}

// WriteFigures draws every figure in every format ("svg", "pdf", "png") into
// dir, which it makes if need be, each file whole or not at all, and returns the paths. Equal records give
// equal bytes. A run without a single measured solution has no figures.
func (r *Report) WriteFigures(dir string, wanted []string) ([]string, error) {
	for _, f := range wanted {
		if !slices.Contains(formats, f) {
			return nil, fmt.Errorf("figure format %q is not known; one of %s", f, strings.Join(formats, ", "))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for _, fig := range r.figures() {
		for _, format := range wanted {
			data, err := fig.render(format)
			if err != nil {
				return paths, fmt.Errorf("%s.%s: %w", fig.name, format, err)
			}
			path := filepath.Join(dir, fig.name+"."+format)
			if err := rundir.WriteFile(path, data); err != nil {
				return paths, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// figures lists what can be drawn.
func (r *Report) figures() []figure {
	figs := r.scatterFigures()
	figs = append(figs, r.contrastFigures()...)
	figs = append(figs, r.axisFigures()...)
	figs = append(figs, r.accuracyFigures()...)
	figs = append(figs, r.stabilityFigures()...)
	figs = append(figs, r.sharpnessFigures()...)
	figs = append(figs, r.boundsFigure()...)
	figs = append(figs, r.boundsGridFigures()...)
	figs = append(figs, r.coveringFigure()...)
	return append(figs, r.trainingFigures()...)
}

func (f figure) render(format string) ([]byte, error) {
	var canvas interface {
		vg.Canvas
		io.WriterTo
	}
	var target vg.Canvas
	switch format {
	case "svg":
		canvas = vgsvg.New(columnWidth, f.height)
		target = canvas
	case "pdf":
		datePDF()
		canvas = vgpdf.New(columnWidth, f.height)
		target = outlining{canvas}
	default:
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(columnWidth, f.height), vgimg.UseDPI(pngDPI))}
		target = canvas
	}
	f.draw(draw.NewCanvas(target, columnWidth, f.height))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	if format == "svg" {
		// Liberation Sans has the metrics of Arial and Helvetica.
		return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;font-variant:normal;"),
			[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
	}
	return b.Bytes(), nil
}

// datePDF makes PDF files depend on their content alone. The PDF library keeps
// these defaults for the whole process; gonum gives no access to a document's.
var datePDF = sync.OnceFunc(func() {
	epoch := time.Date(2021, 5, 27, 0, 0, 0, 0, time.UTC)
	fpdf.SetDefaultCreationDate(epoch)
	fpdf.SetDefaultModificationDate(epoch)
	fpdf.SetDefaultCatalogSort(true)
})

// svg is the figure as an element of an HTML page.
func (f figure) svg() (string, error) {
	data, err := f.render("svg")
	if err != nil {
		return "", err
	}
	text := string(data)
	start := strings.Index(text, "<svg")
	if start < 0 {
		return "", fmt.Errorf("figure %s: the canvas wrote no SVG", f.name)
	}
	return text[start:], nil
}
