package report

import (
	"image/color"
	"math"
)

// viridis are equidistant anchors of the colour map of that name (van der Walt
// and Smith, 2015; public domain): lightness grows evenly, so that it survives
// grey print and colour blindness. Its last twentieth is left out, a yellow
// that vanishes on white paper.
var viridis = []color.RGBA{
	{0x44, 0x01, 0x54, 0xff}, {0x48, 0x21, 0x73, 0xff}, {0x43, 0x3e, 0x85, 0xff}, {0x38, 0x58, 0x8c, 0xff},
	{0x2d, 0x70, 0x8e, 0xff}, {0x25, 0x85, 0x8e, 0xff}, {0x1e, 0x9b, 0x8a, 0xff}, {0x2b, 0xb0, 0x7f, 0xff},
	{0x51, 0xc5, 0x6a, 0xff}, {0x85, 0xd5, 0x4a, 0xff}, {0xc2, 0xdf, 0x23, 0xff},
}

// ramp is the colour at t in [0, 1].
func ramp(t float64) color.RGBA {
	t = min(max(t, 0), 1) * float64(len(viridis)-1)
	i := min(int(t), len(viridis)-2)
	return mix(viridis[i], viridis[i+1], t-float64(i))
}

// inked is a colour for lines and rings: darker where it would have a contrast below 3
// to white paper, the least for graphics that WCAG 2.2 (1.4.11) asks for. Fills stay as
// they are, since they have a dark edge.
func inked(c color.RGBA) color.RGBA {
	const gamma, most = 2.2, 0.29
	linear := func(v uint8) float64 { return math.Pow(float64(v)/255, gamma) }
	luminance := 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
	if luminance <= most {
		return c
	}
	return mix(color.RGBA{A: 0xff}, c, math.Pow(most/luminance, 1/gamma))
}

// mix is a + t·(b − a).
func mix(a, b color.RGBA, t float64) color.RGBA {
	part := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + t*(float64(b)-float64(a)))) }
	return color.RGBA{part(a.R, b.R), part(a.G, b.G), part(a.B, b.B), 0xff}
}

var (
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.RGBA{0x22, 0x22, 0x22, 0xff}
)
