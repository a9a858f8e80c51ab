package report

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
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

	"sobolev/internal/parallel"
	"sobolev/rundir"
)

// figure is a drawing of the report. All are as wide as one column of a journal,
// columnMillimetres, so that the text is printed at the size it is drawn at.
type figure struct {
	name    string // of the file, without ending
	heading string
	caption string // plain text
	height  vg.Length
	// ownMarks says that hollow markers do not mean what they mean elsewhere.
	ownMarks bool
	draw     func(draw.Canvas)
	// data is what is drawn, for the CSV beside the drawing.
	data func() sheet
	// about is one line of text that the drawing has above it, for the page's charts.
	about string
	// charts are what the page's script makes of it, one for each panel.
	charts []chart
	// curves are what it makes of lines in the place of charts, one for each panel;
	// they are among the page's data.
	curves func() []lineChart
	// ratios is what it makes of bounds in the place of charts.
	ratios *ratioChart
}

const (
	columnMillimetres = 89
	columnWidth       = columnMillimetres * vg.Millimeter
	pngDPI            = 300
)

// Formats are the file endings that WriteFigures knows.
var Formats = []string{"svg", "pdf", "png"}

// CheckFormats returns an error if one of them is not known.
func CheckFormats(wanted []string) error {
	for _, f := range wanted {
		if !slices.Contains(Formats, f) {
			return fmt.Errorf("figure format %q is not known; one of %s", f, strings.Join(Formats, ", "))
		}
	}
	return nil
}

// Files are files that were written: the SHA-256 of their contents by their paths.
type Files map[string]string

// write places a file, whole or not at all.
func (f Files) write(path string, data []byte) error {
	if err := rundir.WriteFile(path, data); err != nil {
		return err
	}
	f[path] = rundir.Digest(data)
	return nil
}

// WriteFigures draws every figure in every wanted one of the Formats into
// dir, which it makes if need be, with its data as CSV beside it, each file whole or
// not at all. Formats in which dir has a figure already are drawn anew too: none is to
// show older data than another. Equal records give equal bytes. A run without a single
// measured solution has no figures.
func (r *Report) WriteFigures(dir string, wanted []string) (Files, error) {
	if err := CheckFormats(wanted); err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	figs := r.figures()
	drawn := []string{"csv"}
	for _, format := range Formats {
		if slices.Contains(wanted, format) || slices.ContainsFunc(figs, func(f figure) bool { return f.isIn(dir, format) }) {
			drawn = append(drawn, format)
		}
	}
	files, errs := make([]Files, len(figs)), make([]error, len(figs))
	parallel.Each(runtime.GOMAXPROCS(0), len(figs), func(_, i int) { files[i], errs[i] = figs[i].write(dir, drawn) })
	all := Files{}
	for _, f := range files {
		maps.Copy(all, f)
	}
	return all, errors.Join(errs...)
}

// path is that of the figure in a format.
func (f figure) path(dir, format string) string { return filepath.Join(dir, f.name+"."+format) }

// isIn says whether dir has the figure in a format.
func (f figure) isIn(dir, format string) bool {
	_, err := os.Stat(f.path(dir, format))
	return err == nil
}

// write places the figure in every format.
func (f figure) write(dir string, formats []string) (Files, error) {
	files := Files{}
	for _, format := range formats {
		data, err := f.render(format)
		if err != nil {
			return files, fmt.Errorf("%s.%s: %w", f.name, format, err)
		}
		if err := files.write(f.path(dir, format), data); err != nil {
			return files, err
		}
	}
	return files, nil
}

// listFigures lists the figures for which there is something to draw.
func (r *Report) listFigures() []figure {
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
	var b bytes.Buffer
	var target vg.Canvas
	var encode func() error
	switch format {
	case "csv":
		return f.data().csv(), nil
	case "svg":
		canvas := vgsvg.New(columnWidth, f.height)
		target, encode = canvas, func() error { return written(canvas, &b) }
	case "pdf":
		datePDF()
		canvas := vgpdf.New(columnWidth, f.height)
		target = &pdfCanvas{outlining: outlining{canvas}, widths: map[int]bool{}}
		encode = func() error { return written(canvas, &b) }
	default:
		canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(columnWidth, f.height), vgimg.UseDPI(pngDPI))}
		// A twentieth more bytes in little more than half the time.
		encoder := png.Encoder{CompressionLevel: png.BestSpeed}
		target, encode = canvas, func() error { return encoder.Encode(&b, canvas.Image()) }
	}
	f.draw(draw.NewCanvas(target, columnWidth, f.height))
	if err := encode(); err != nil {
		return nil, err
	}
	switch format {
	case "svg":
		return inMillimetres(withTypes(withFonts(b.Bytes())), f.height), nil
	case "png":
		return withResolution(b.Bytes()), nil
	}
	return b.Bytes(), nil
}

// withResolution adds pngDPI to a PNG file, as a chunk pHYs in pixels per metre behind
// its header: programs place the figure in the size that it is drawn in.
func withResolution(file []byte) []byte {
	const header = 8 + 4 + 4 + 13 + 4 // the signature, and of IHDR length, type, data and CRC
	perMetre := uint32(math.Round(pngDPI / 0.0254))
	chunk := binary.BigEndian.AppendUint32([]byte("pHYs"), perMetre)
	chunk = append(binary.BigEndian.AppendUint32(chunk, perMetre), 1)
	whole := append(binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4)), chunk...)
	return slices.Insert(file, header, binary.BigEndian.AppendUint32(whole, crc32.ChecksumIEEE(chunk))...)
}

func written(canvas io.WriterTo, b *bytes.Buffer) error {
	_, err := canvas.WriteTo(b)
	return err
}

// inMillimetres states the size of a drawing in the unit of journals; its
// coordinates stay points.
func inMillimetres(svg []byte, height vg.Length) []byte {
	return sizeAttributes.ReplaceAll(svg, fmt.Appendf(nil, `<svg width="%dmm" height="%.2fmm"`, columnMillimetres, float64(height/vg.Millimeter)))
}

var sizeAttributes = regexp.MustCompile(`<svg width="[^"]*" height="[^"]*"`)

// datePDF makes PDF files depend on their content alone. The PDF library keeps
// these defaults for the whole process; gonum gives no access to a document's.
var datePDF = sync.OnceFunc(func() {
	epoch := time.Date(2021, 5, 27, 0, 0, 0, 0, time.UTC)
	fpdf.SetDefaultCreationDate(epoch)
	fpdf.SetDefaultModificationDate(epoch)
	fpdf.SetDefaultCatalogSort(true)
})

// pdfCanvas draws pictures as they are meant. The PDF canvas turns them upside down, and
// the library below it writes pictures of equal width in an order of chance.
type pdfCanvas struct {
	outlining
	widths map[int]bool // of the pictures so far, in pixels
}

// DrawImage implements vg.Canvas for the picture of a raster. It adds empty columns
// until the width is a new one.
func (c *pdfCanvas) DrawImage(rect vg.Rectangle, img image.Image) {
	picture, size := img.(*image.Paletted), img.Bounds()
	column := rect.Size().X / vg.Length(size.Dx())
	for c.widths[size.Dx()] {
		size.Max.X++
		rect.Max.X += column
	}
	c.widths[size.Dx()] = true
	turned := image.NewPaletted(size, picture.Palette)
	for y := range size.Dy() {
		copy(turned.Pix[y*turned.Stride:], picture.Pix[(size.Dy()-1-y)*picture.Stride:][:picture.Rect.Dx()])
	}
	c.outlining.DrawImage(rect, turned)
}

// svgElement is what was drawn as an element of an HTML page.
func svgElement(canvas *vgsvg.Canvas) (string, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	text := withFonts(b.Bytes())
	start := bytes.Index(text, []byte("<svg"))
	if start < 0 {
		return "", errors.New("the canvas wrote no SVG")
	}
	return string(text[start:]), nil
}

// withFonts names fonts of the same metrics, that of Arial and Helvetica, and the
// length that a text has in them.
func withFonts(svg []byte) []byte {
	return fitted(bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;font-variant:normal;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")))
}

// withTypes names the type that pictures have: the SVG canvas encodes PNG.
func withTypes(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte(`xlink:href="data:image/jpg;`), []byte(`xlink:href="data:image/png;`))
}
