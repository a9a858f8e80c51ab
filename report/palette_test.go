package report

import (
	"image/color"
	"math"
	"testing"
)

// Lines and rings of every colour of the ramp are seen on white paper; dark ones stay.
func TestInkedContrast(t *testing.T) {
	linear := func(v uint8) float64 { // of sRGB, as WCAG defines contrast
		if c := float64(v) / 255; c > 0.04045 {
			return math.Pow((c+0.055)/1.055, 2.4)
		} else {
			return c / 12.92
		}
	}
	contrast := func(c color.RGBA) float64 {
		return 1.05 / (0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B) + 0.05)
	}
	for i := range 101 {
		c := ramp(float64(i) / 100)
		if got := contrast(inked(c)); !(got >= 3) {
			t.Errorf("%v as a line has a contrast of %.2f", c, got)
		}
		if contrast(c) > 3.3 && inked(c) != c {
			t.Errorf("%v has become %v", c, inked(c))
		}
	}
}
