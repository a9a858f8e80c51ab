package report

import (
	"math"
	"strings"
	"sync"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// notation is a text handler for "g_{W}" and "10^{−5}". Gonum's LaTeX handler
// draws glyphs in a font of its own and cannot mix with the axes' text.
type notation struct{ text.Plain }

var fonts = sync.OnceValue(func() *font.Cache { return font.NewCache(liberation.Collection()) })

// sans is the figures' font, one of the metrics of Arial and Helvetica.
func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// span is a piece of a line at one height; level is −1 for a subscript and +1
// for a superscript.
type span struct {
	text  string
	level int
}

const (
	scriptSize = 0.72
	subDrop    = 0.22 // of the font's size
	superRise  = 0.36
)

func spans(line string) []span {
	var found []span
	for line != "" {
		at := strings.IndexAny(line, "_^")
		if at < 0 || at+1 >= len(line) || line[at+1] != '{' {
			return append(found, span{line, 0})
		}
		end := strings.IndexByte(line[at:], '}')
		if end < 0 {
			return append(found, span{line, 0})
		}
		if at > 0 {
			found = append(found, span{line[:at], 0})
		}
		level := +1
		if line[at] == '_' {
			level = -1
		}
		found = append(found, span{line[at+2 : at+end], level})
		line = line[at+end+1:]
	}
	return found
}

func (h notation) face(s span, f font.Font) font.Face {
	if s.level != 0 {
		f.Size *= scriptSize
	}
	return h.Fonts.Lookup(f, f.Size)
}

// Box implements text.Handler.
func (h notation) Box(line string, f font.Font) (width, height, depth vg.Length) {
	_, height, depth = h.Plain.Box("", f)
	for _, s := range spans(line) {
		face := h.face(s, f)
		width += face.Width(s.text)
	}
	return width, height, depth
}

// Draw implements text.Handler, with the alignment rules of text.Plain.
func (h notation) Draw(c vg.Canvas, txt string, sty text.Style, at vg.Point) {
	if txt == "" {
		return
	}
	c.SetColor(sty.Color)
	if sty.Rotation != 0 {
		c.Push()
		defer c.Pop()
		c.Rotate(sty.Rotation)
	}
	sin, cos := math.Sincos(sty.Rotation)
	at = vg.Point{X: at.Y*vg.Length(sin) + at.X*vg.Length(cos), Y: at.Y*vg.Length(cos) - at.X*vg.Length(sin)}
	lines := h.Lines(txt)
	at.Y += sty.Height(txt)*vg.Length(sty.YAlign) - sty.FontExtents().Ascent
	for i, line := range lines {
		width, _, _ := h.Box(line, sty.Font)
		h.drawLine(c, line, sty.Font, at.Add(vg.Point{
			X: vg.Length(sty.XAlign) * width,
			Y: vg.Length(len(lines)-i) * sty.Font.Size,
		}))
	}
}

func (h notation) drawLine(c vg.Canvas, line string, f font.Font, at vg.Point) {
	for _, s := range spans(line) {
		face := h.face(s, f)
		p := at
		switch s.level {
		case -1:
			p.Y -= subDrop * f.Size
		case +1:
			p.Y += superRise * f.Size
		}
		// SVG drops the spaces at a text's beginning.
		visible := strings.TrimLeft(s.text, " ")
		p.X += face.Width(s.text[:len(s.text)-len(visible)])
		if visible != "" {
			c.FillString(face, p, visible)
		}
		at.X += face.Width(s.text)
	}
}

// outlining fills the outlines of text that has letters beyond ASCII: the PDF
// canvas encodes text in code page 1252, which has no η.
type outlining struct{ vg.Canvas }

// FillString implements vg.Canvas.
func (c outlining) FillString(face font.Face, at vg.Point, s string) {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 {
		c.Canvas.FillString(face, at, s)
		return
	}
	var buf sfnt.Buffer
	em := fixed.Int26_6(face.Face.UnitsPerEm())
	scale := face.Font.Size / vg.Length(em)
	done := ""
	for _, r := range s {
		origin := at.Add(vg.Point{X: face.Width(done)})
		done += string(r)
		index, err := face.Face.GlyphIndex(&buf, r)
		if err != nil {
			continue
		}
		segments, err := face.Face.LoadGlyph(&buf, index, em, nil)
		if err != nil || len(segments) == 0 {
			continue
		}
		c.Fill(outline(segments, origin, scale))
	}
}

// outline converts a glyph, whose y axis points down.
func outline(segments sfnt.Segments, origin vg.Point, scale vg.Length) vg.Path {
	point := func(p fixed.Point26_6) vg.Point {
		return origin.Add(vg.Point{X: vg.Length(p.X) * scale, Y: -vg.Length(p.Y) * scale})
	}
	var path vg.Path
	for _, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if len(path) > 0 {
				path.Close()
			}
			path.Move(point(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			path.Line(point(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(point(s.Args[0]), point(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
		}
	}
	path.Close()
	return path
}
