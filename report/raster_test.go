package report

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	red  = color.RGBA{0xd0, 0x10, 0x10, 0xff}
	blue = color.RGBA{0x10, 0x20, 0xd0, 0xff}
)

// crowd is n dots in the middle of a figure, and two alone, near opposite corners.
func crowd(n int) []dot {
	random := rand.New(rand.NewPCG(3, 4))
	ds := []dot{{x: 0.1, y: 0.2, color: red}, {x: 0.9, y: 0.8, color: blue}}
	for range n - len(ds) {
		ds = append(ds, dot{x: 0.4 + 0.2*random.Float64(), y: 0.4 + 0.2*random.Float64(), color: ramp(float64(random.IntN(20)) / 19), hollow: random.IntN(4) == 0})
	}
	return ds
}

// whole draws series over a whole figure.
func whole(series ...drawn) figure {
	return figure{name: "crowd", height: 192, draw: func(c draw.Canvas) {
		c.SetColor(white)
		c.Fill(c.Rectangle.Path())
		for _, s := range series {
			s(c, func(v float64) vg.Length { return vg.Length(v) * columnWidth }, func(v float64) vg.Length { return vg.Length(v) * 192 })
		}
	}}
}

// place is where the dot is in a picture of the rectangle, in pixels.
func (d dot) place(m image.Image, r vg.Rectangle) image.Point {
	size := m.Bounds().Size()
	return m.Bounds().Min.Add(image.Pt(
		int(float64(vg.Length(d.x)*columnWidth-r.Min.X)/float64(r.Size().X)*float64(size.X)),
		int(float64(r.Max.Y-vg.Length(d.y)*192)/float64(r.Size().Y)*float64(size.Y))))
}

func TestManyMarkersArePixels(t *testing.T) {
	for _, marker := range []func([]dot, vg.Length) drawn{dots, triangles, squares} {
		ds := crowd(mostOutlines + 1)
		f := whole(marker(ds, 2))
		for _, format := range Formats {
			data, err := f.render(format)
			if err != nil {
				t.Fatal(err)
			}
			found := picturesIn(t, format, data)
			if len(found) != 1 {
				t.Fatalf("%s: %d pictures", format, len(found))
			}
			for r, m := range found {
				for _, d := range ds[:2] {
					if got := color.RGBAModel.Convert(m.At(d.place(m, r).X, d.place(m, r).Y)); got != d.color {
						t.Errorf("%s: at the dot (%v, %v) is %v, want %v", format, d.x, d.y, got, d.color)
					}
				}
				if _, _, _, a := m.At(m.Bounds().Min.X, m.Bounds().Min.Y).RGBA(); format != "png" && a != 0 {
					t.Errorf("%s: the picture hides what is below it", format)
				}
			}
		}
	}
}

// Pixels look as outlines do: drawn in two series, each few enough for outlines, the
// markers are the same up to the edges, which are placed on whole pixels.
func TestPixelsAreWhatOutlinesAre(t *testing.T) {
	ds := crowd(mostOutlines)
	for i := range ds {
		ds[i].hollow = i >= mostOutlines/2 // dots draws these last
	}
	outlines := mustPNG(t, whole(dots(ds[:mostOutlines/2], 1.5), dots(ds[mostOutlines/2:], 1.5)))
	pixels := mustPNG(t, whole(dots(append([]dot{ds[0]}, ds...), 1.5)))
	if outlines.Bounds() != pixels.Bounds() {
		t.Fatalf("sizes %v and %v", outlines.Bounds(), pixels.Bounds())
	}
	apart, inked := 0.0, 0
	for y := range outlines.Bounds().Dy() {
		for x := range outlines.Bounds().Dx() {
			a, b := color.GrayModel.Convert(outlines.At(x, y)).(color.Gray).Y, color.GrayModel.Convert(pixels.At(x, y)).(color.Gray).Y
			if a < 0xff || b < 0xff {
				inked++
				apart += math.Abs(float64(a) - float64(b))
			}
		}
	}
	if mean := apart / float64(inked); inked < 10_000 || !(mean < 40) {
		t.Errorf("%d pixels are drawn, and differ by %.1f of 255 on average", inked, mean)
	}
}

// Bars that are too many for lines stand where lines would.
func TestManyBarsArePixels(t *testing.T) {
	ps := make([]place, mostOutlines+1)
	for i := range ps {
		ps[i] = place{x: 0.9, between: between{value: 0.5, lower: 0.4, upper: 0.6}}
	}
	ps[0].x = 0.1
	clr := func(*solution) color.RGBA { return blue }
	f := whole(bars(ps, scale{lo: 0, hi: 1}, clr))
	for _, format := range Formats {
		data, err := f.render(format)
		if err != nil {
			t.Fatal(err)
		}
		for r, m := range picturesIn(t, format, data) {
			for _, d := range []dot{{x: 0.1, y: 0.41}, {x: 0.1, y: 0.59}, {x: 0.9, y: 0.5}} {
				if at := d.place(m, r); color.RGBAModel.Convert(m.At(at.X, at.Y)) != blue {
					t.Errorf("%s: no bar at (%v, %v)", format, d.x, d.y)
				}
			}
			for _, y := range []float64{0.38, 0.62} {
				d := dot{x: 0.1, y: y}
				if at := d.place(m, r); at.In(m.Bounds()) && color.RGBAModel.Convert(m.At(at.X, at.Y)) == blue {
					t.Errorf("%s: the bar reaches to %v", format, y)
				}
			}
		}
	}
}

// More colours than a palette has are drawn as their neighbours.
func TestManyColors(t *testing.T) {
	var colors []color.RGBA
	for i := range 5000 {
		colors = append(colors, ramp(float64(i)/4999))
	}
	palette := paletteOf(colors)
	if len(palette) != 256 {
		t.Fatalf("%d colours", len(palette))
	}
	for _, c := range colors {
		near := palette.Convert(c).(color.RGBA)
		for _, v := range [][2]uint8{{c.R, near.R}, {c.G, near.G}, {c.B, near.B}} {
			if d := int(v[0]) - int(v[1]); d > 3 || d < -3 {
				t.Fatalf("%v became %v", c, near)
			}
		}
	}
}

// Two pictures of equal size are in the file in the order in which they were drawn.
func TestPicturesOfAFileAreInOrder(t *testing.T) {
	ds := crowd(mostOutlines + 1)
	swapped, hollow := slices.Clone(ds), slices.Clone(ds)
	swapped[0].color, swapped[1].color = blue, red
	hollow[0].hollow = true
	f := whole(dots(ds, 2), dots(swapped, 2), dots(hollow, 2))
	first, err := f.render("pdf")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(picturesIn(t, "pdf", first)); n != 3 {
		t.Errorf("%d pictures", n)
	}
	for range 12 { // the order would be one of chance
		if again, err := f.render("pdf"); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("equal figures give other bytes, %v", err)
		}
	}
}

func mustPNG(t *testing.T, f figure) image.Image {
	data, err := f.render("png")
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var (
	svgPicture  = regexp.MustCompile(`<image x="([^"]*)" y="([^"]*)" width="([^"]*)" height="([^"]*)" xlink:href="data:image/png;base64,([^"]*)" transform="scale\(1, -1\)" />`)
	pdfPicture  = regexp.MustCompile(`(?m)^q (\S+) 0 0 (\S+) (\S+) (\S+) cm /I(\S+) Do Q$`)
	pdfResource = regexp.MustCompile(`/I(\S+) (\d+) 0 R`)
)

// picturesIn are the pictures of a drawing and where they are.
func picturesIn(t *testing.T, format string, data []byte) map[vg.Rectangle]image.Image {
	t.Helper()
	numbers := func(texts []string) []vg.Length {
		var values []vg.Length
		for _, s := range texts {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, vg.Length(v))
		}
		return values
	}
	box := func(x, y, width, height vg.Length) vg.Rectangle {
		return vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + width, Y: y + height}}
	}
	found := map[vg.Rectangle]image.Image{}
	switch format {
	case "png":
		m, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		found[box(0, 0, columnWidth, 192)] = m
	case "svg":
		if !strings.Contains(string(data), `<g transform="scale(1, -1) translate(0, -192)">`) {
			t.Fatal("the axes of the drawing are others")
		}
		for _, match := range svgPicture.FindAllStringSubmatch(string(data), -1) {
			n := numbers(match[1:5])
			text, err := base64.StdEncoding.DecodeString(match[5])
			if err != nil {
				t.Fatal(err)
			}
			m, err := png.Decode(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			found[box(n[0], -n[1]-n[3], n[2], n[3])] = m
		}
	case "pdf":
		objects := map[string]string{}
		for _, match := range pdfResource.FindAllStringSubmatch(string(data), -1) {
			objects[match[1]] = match[2]
		}
		page := inflated(t, data, "4")
		// y ↦ 192 − y: what has its first row above there has it below on paper.
		if !strings.Contains(page, "q\n1.00000 0.00000 0.00000 1.00000 0.00000 -192.00000 cm\n1.00000 0.00000 0.00000 -1.00000 0.00000 384.00000 cm\n") {
			t.Fatalf("the axes of the drawing are others: %.300s", page)
		}
		for _, match := range pdfPicture.FindAllStringSubmatch(page, -1) {
			n := numbers(match[1:5])
			// Pictures of one place differ in width, by the empty columns.
			found[box(n[2], 192-n[3]-n[1], n[0], n[1])] = turnedOver(pdfImage(t, data, objects[match[5]]))
		}
	}
	return found
}

// object is a numbered object of a PDF file.
func object(t *testing.T, data []byte, number string) (dictionary string, stream []byte) {
	t.Helper()
	_, rest, ok := bytes.Cut(data, fmt.Appendf(nil, "\n%s 0 obj\n", number))
	if !ok {
		t.Fatalf("no object %s", number)
	}
	head, rest, _ := bytes.Cut(rest, []byte(">>\nstream\n"))
	stream, _, _ = bytes.Cut(rest, []byte("\nendstream\nendobj"))
	return string(head), stream
}

func inflated(t *testing.T, data []byte, number string) string {
	t.Helper()
	_, stream := object(t, data, number)
	r, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func turnedOver(m *image.NRGBA) image.Image {
	turned := image.NewNRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		copy(turned.Pix[y*m.Stride:][:m.Stride], m.Pix[(m.Rect.Dy()-1-y)*m.Stride:])
	}
	return turned
}

// pdfImage reads a picture with a palette.
func pdfImage(t *testing.T, data []byte, number string) *image.NRGBA {
	t.Helper()
	dictionary, _ := object(t, data, number)
	field := func(pattern string) string {
		match := regexp.MustCompile(pattern).FindStringSubmatch(dictionary)
		if match == nil {
			t.Fatalf("no %s in %s", pattern, dictionary)
		}
		return match[1]
	}
	width, _ := strconv.Atoi(field(`/Width (\d+)`))
	height, _ := strconv.Atoi(field(`/Height (\d+)`))
	bits, _ := strconv.Atoi(field(`/BitsPerComponent (\d+)`))
	stride := 1 + (width*bits+7)/8
	colors := inflated(t, data, field(`/Indexed /DeviceRGB \d+ (\d+) 0 R`))
	none := field(`/Mask \[(\d+) \d+ \]`)
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	pixels := inflated(t, data, number)
	for y := range height {
		row := pixels[y*stride:][:stride]
		if row[0] != 0 {
			t.Fatalf("row %d has the filter %d", y, row[0])
		}
		for x := range width {
			i := int(row[1+x*bits/8]) >> (8 - bits - x*bits%8) & (1<<bits - 1)
			if fmt.Sprint(i) != none {
				m.SetNRGBA(x, y, color.NRGBA{colors[3*i], colors[3*i+1], colors[3*i+2], 0xff})
			}
		}
	}
	return m
}
