package report

import (
	"image"
	"image/color"
	stddraw "image/draw"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// A series of more than mostOutlines markers is drawn as pixels, in vector files as
// one picture of rasterDPI, the resolution that journals ask of line art. As
// outlines, ten thousand markers make a file of megabytes that takes a viewer
// seconds, and show nothing more.
const (
	mostOutlines = 2000
	rasterDPI    = 400
)

// raster takes the pixels of one series: those of the canvas, where that has
// pixels, or of a picture as large as the canvas, which place draws.
type raster struct {
	dpi    float64
	height int                // of the canvas in pixels, whose first row is the upper one
	direct stddraw.Image      // of the canvas, nil where that has none
	masked *image.Paletted    // otherwise; a pixel is there or not, and index 0 is none
	ink    image.Rectangle    // what has been drawn on masked
	known  map[mark]markImage // by what makes a marker look as it does
}

// mark is what the markers of a series differ in.
type mark struct {
	color  color.RGBA
	hollow bool
}

// markImage is a marker as pixels; the place that it marks is the middle of the pixel
// (0, 0).
type markImage struct {
	pixels  *image.RGBA
	indexed []uint8 // the same for masked, row after row of its bounds
}

// newRaster is a raster over a canvas for a series in the given colours.
func newRaster(c draw.Canvas, colors []color.RGBA) *raster {
	r := &raster{dpi: rasterDPI, known: map[mark]markImage{}}
	if pixels, ok := underlying(c).(vgimg.PngCanvas); ok {
		r.dpi, r.direct = pixels.DPI(), pixels.Image()
		r.height = r.direct.Bounds().Dy()
		return r
	}
	r.height = int(math.Ceil(c.Max.Y.Dots(r.dpi)))
	r.masked = image.NewPaletted(image.Rect(0, 0, int(math.Ceil(c.Max.X.Dots(r.dpi))), r.height), paletteOf(colors))
	return r
}

// paletteOf has nothing, the ink of edges, and the colours or, of more than fit, those
// at even distances in the order of their lightness.
func paletteOf(colors []color.RGBA) color.Palette {
	seen := map[color.RGBA]bool{ink: true}
	var distinct []color.RGBA
	for _, c := range colors {
		if !seen[c] {
			seen[c] = true
			distinct = append(distinct, c)
		}
	}
	slices.SortFunc(distinct, func(a, b color.RGBA) int {
		lightness := func(c color.RGBA) int { return 299*int(c.R) + 587*int(c.G) + 114*int(c.B) }
		return lightness(a) - lightness(b)
	})
	palette := color.Palette{color.Transparent, ink}
	if most := 256 - len(palette); len(distinct) > most {
		distinct = evenlyFrom(distinct, most)
	}
	for _, c := range distinct {
		palette = append(palette, c)
	}
	return palette
}

// x and y are a place on the canvas in pixels, from the upper left corner.
func (r *raster) x(at vg.Length) float64 { return at.Dots(r.dpi) }
func (r *raster) y(at vg.Length) float64 { return float64(r.height) - at.Dots(r.dpi) }

// put draws the marker of d with its outline around at.
func (r *raster) put(d dot, at vg.Point, outline func(vg.Point) vg.Path) {
	m := mark{d.color, d.hollow}
	s, ok := r.known[m]
	if !ok {
		s = r.render(d, outline)
		r.known[m] = s
	}
	middle := image.Pt(int(math.Floor(r.x(at.X))), int(math.Floor(r.y(at.Y))))
	to := s.pixels.Rect.Add(middle)
	if r.direct != nil {
		stddraw.Draw(r.direct, to, s.pixels, s.pixels.Rect.Min, stddraw.Over)
		return
	}
	r.ink = r.ink.Union(to)
	inside := to.Intersect(r.masked.Rect)
	for y := inside.Min.Y; y < inside.Max.Y; y++ {
		from := s.indexed[(y-to.Min.Y)*to.Dx()+inside.Min.X-to.Min.X:][:inside.Dx()]
		row := r.masked.Pix[r.masked.PixOffset(inside.Min.X, y):][:len(from)]
		for i, v := range from {
			if v != 0 {
				row[i] = v
			}
		}
	}
}

// render draws one marker.
func (r *raster) render(d dot, outline func(vg.Point) vg.Path) markImage {
	reach := vg.Length(0)
	for _, p := range outline(vg.Point{}) {
		reach = max(reach, vg.Length(math.Abs(float64(p.Pos.X)))+p.Radius, vg.Length(math.Abs(float64(p.Pos.Y)))+p.Radius)
	}
	half := int(math.Ceil((reach + 1).Dots(r.dpi)))
	inches := vg.Length(2*half+1) / vg.Length(r.dpi) * vg.Inch
	canvas := vgimg.NewWith(vgimg.UseWH(inches, inches), vgimg.UseDPI(int(r.dpi)), vgimg.UseBackgroundColor(color.Transparent))
	fillOrRing(draw.NewCanvas(canvas, inches, inches), outline(vg.Point{X: inches / 2, Y: inches / 2}), d)
	s := markImage{pixels: visible(canvas.Image().(*image.RGBA))}
	s.pixels.Rect = s.pixels.Rect.Sub(image.Pt(half, half))
	if r.masked != nil {
		own := color.Palette{d.color, ink}
		if d.hollow {
			own = own[:1]
		}
		indices := []int{r.masked.Palette.Index(d.color), r.masked.Palette.Index(ink)}
		for y := s.pixels.Rect.Min.Y; y < s.pixels.Rect.Max.Y; y++ {
			for x := s.pixels.Rect.Min.X; x < s.pixels.Rect.Max.X; x++ {
				c, index := color.NRGBAModel.Convert(s.pixels.At(x, y)).(color.NRGBA), 0
				if c.A >= 0x80 {
					c.A = 0xff
					index = indices[own.Index(c)]
				}
				s.indexed = append(s.indexed, uint8(index))
			}
		}
	}
	return s
}

// visible is the part of a picture that is not empty.
func visible(m *image.RGBA) *image.RGBA {
	var part image.Rectangle
	for y := m.Rect.Min.Y; y < m.Rect.Max.Y; y++ {
		for x := m.Rect.Min.X; x < m.Rect.Max.X; x++ {
			if m.RGBAAt(x, y).A > 0 {
				part = part.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return m.SubImage(part).(*image.RGBA)
}

// bar draws a vertical bar of the given width.
func (r *raster) bar(x, low, high, width vg.Length, clr color.RGBA) {
	left, right := r.x(x-width/2), r.x(x+width/2)
	top, bottom := int(math.Round(r.y(high))), int(math.Round(r.y(low)))
	for at := int(math.Floor(left)); float64(at) < right; at++ {
		covered := min(float64(at+1), right) - max(float64(at), left)
		column := image.Rect(at, top, at+1, bottom)
		if r.direct != nil {
			part := func(v uint8) uint8 { return uint8(math.Round(covered * float64(v))) }
			stddraw.Draw(r.direct, column, image.NewUniform(color.RGBA{part(clr.R), part(clr.G), part(clr.B), part(clr.A)}), image.Point{}, stddraw.Over)
			continue
		}
		if covered < 0.5 {
			continue
		}
		column = column.Intersect(r.masked.Rect)
		r.ink = r.ink.Union(column)
		index := uint8(r.masked.Palette.Index(clr))
		for y := column.Min.Y; y < column.Max.Y; y++ {
			r.masked.SetColorIndex(at, y, index)
		}
	}
}

// place draws the picture, cut to what is on it.
func (r *raster) place(c draw.Canvas) {
	drawn := r.ink
	if r.masked != nil {
		drawn = drawn.Intersect(r.masked.Rect)
	}
	if drawn.Empty() {
		return
	}
	length := func(pixels int) vg.Length { return vg.Length(pixels) / vg.Length(r.dpi) * vg.Inch }
	c.DrawImage(vg.Rectangle{
		Min: vg.Point{X: length(drawn.Min.X), Y: length(r.height - drawn.Max.Y)},
		Max: vg.Point{X: length(drawn.Max.X), Y: length(r.height - drawn.Min.Y)},
	}, r.masked.SubImage(drawn))
}

// underlying is the canvas below those that gonum nests when it crops.
func underlying(c draw.Canvas) vg.Canvas {
	var under vg.Canvas = c
	for {
		switch inner := under.(type) {
		case draw.Canvas:
			under = inner.Canvas
		case *draw.Canvas:
			under = inner.Canvas
		default:
			return under
		}
	}
}
