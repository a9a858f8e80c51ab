package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"pgregory.net/rapid"
)

func labels(t []plot.Tick) string {
	var names []string
	for _, x := range t {
		if x.Label != "" {
			names = append(names, x.Label)
		}
	}
	return strings.Join(names, " ")
}

func TestTickLabels(t *testing.T) {
	rule := func(lo, hi float64, log bool) ruler { return newRuler(scale{lo, hi, log}, 150, textStyle(9), false) }
	for _, c := range []struct {
		name      string
		r         ruler
		preferred []float64
		want      string
	}{
		{"the grid's values", rule(0.04, 0.5, true), []float64{0.05, 0.1, 0.2, 0.4}, "0.05 0.1 0.2 0.4"},
		{"less than a decade", rule(0.9, 7, true), nil, "1 2 3 5 7"},
		{"less than a factor of two", rule(1.1, 1.9, true), nil, "1.2 1.4 1.6 1.8"},
		{"two decades", rule(0.8, 120, true), nil, "1 2 5 10 20 50 100"},
		{"many decades", rule(1e-9, 2e3, true), nil, "10^{−9} 10^{−6} 10^{−3} 10^{0} 10^{3}"},
		{"percent", rule(81.3, 86, false), nil, "82 83 84 85 86"},
		{"zero inside", rule(-1, 1, false), nil, "−1.0 −0.5 0.0 0.5 1.0"},
		{"small", rule(1.05e-6, 1.3e-6, false), nil, "1.1·10^{−6} 1.2·10^{−6} 1.3·10^{−6}"},
		{"large", rule(99_000, 121_000, false), nil, "1.0·10^{5} 1.1·10^{5} 1.2·10^{5}"},
		{"zero and large", rule(-3e5, 9e5, false), nil, "0 5·10^{5}"},
		{"steps", rule(400, 2e5, true), []float64{500, 1000, 1500, 2000}, "10^{3} 3·10^{3} 10^{4} 3·10^{4} 10^{5}"},
		{"ends that are multiples but for rounding", newRuler(scale{lo: 9e-10, hi: 1.1000000000000001e-09}, 150, textStyle(9), true), nil, "0.90·10^{−9} 0.95·10^{−9} 1.00·10^{−9} 1.05·10^{−9} 1.10·10^{−9}"},
		{"crowded values", rule(0.9, 1.21, true), []float64{1, 1.001, 1.1}, "0.9 1.0 1.1 1.2"},
	} {
		ticks := c.r.ticks(c.preferred)
		if got := labels(ticks); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		for _, x := range ticks {
			if !c.r.holds(x.Value) {
				t.Errorf("%s: a tick at %v lies outside of the axis", c.name, x.Value)
			}
		}
	}
}

// Whatever the data: some labels, in the axis, apart from each other.
func TestTicksNeverCollide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Float64Range(-12, 12).Draw(t, "size")
		n := rapid.IntRange(1, 6).Draw(t, "n")
		spread := rapid.SampledFrom([]float64{1e-12, 1e-3, 0.3, 3, 12}).Draw(t, "spread")
		values := make([]float64, n)
		for i := range values {
			values[i] = math.Pow(10, size+spread*rapid.Float64Range(0, 1).Draw(t, "v"))
			if rapid.IntRange(0, 9).Draw(t, "negative") == 0 {
				values[i] *= -1
			}
		}
		s := scaleOf(values, 0.06, rapid.SampledFrom([]float64{1, 20}).Draw(t, "log from"))
		if !(s.lo < s.hi) {
			t.Fatalf("scale %+v of %v", s, values)
		}
		for _, v := range values {
			if !(s.at(v) >= 0 && s.at(v) <= 1) {
				t.Fatalf("%v lies at %v of %+v", v, s.at(v), s)
			}
		}
		for _, vertical := range []bool{false, true} {
			r := newRuler(s, 150, textStyle(9), vertical)
			var major []plot.Tick
			for _, x := range r.ticks(nil) {
				if x.Label != "" {
					major = append(major, x)
				}
			}
			if len(major) == 0 || len(major) > maxLabels || !r.fits(major) {
				t.Fatalf("labels %q on %+v", labels(major), s)
			}
			for i, x := range major {
				if !s.holds(x.Value) || i > 0 && x.Label == major[i-1].Label {
					t.Fatalf("labels %q on %+v", labels(major), s)
				}
			}
		}
	})
}

func TestScaleOfDegenerate(t *testing.T) {
	for _, values := range [][]float64{nil, {0}, {5}, {5, 5}, {-3}, {0, 0}, {1e-12}, {1e140, -1e140}} {
		for _, logFrom := range []float64{1, 20} {
			s := scaleOf(values, 0.06, logFrom)
			if !(s.lo < s.hi) || math.IsInf(s.hi-s.lo, 0) {
				t.Errorf("%v: %+v", values, s)
			}
			if got := newRuler(s, 150, textStyle(9), true).ticks(values); len(got) == 0 {
				t.Errorf("%v: no ticks on %+v", values, s)
			}
		}
	}
}

// Lightness must grow along the ramp, or grey print loses the order.
func TestRampLightness(t *testing.T) {
	last := -1.0
	for i := range 101 {
		c := ramp(float64(i) / 100)
		lightness := 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
		if !(lightness > last) {
			t.Fatalf("at %d%%: luminance %v follows %v", i, lightness, last)
		}
		last = lightness
	}
	if ramp(-1) != ramp(0) || ramp(2) != ramp(1) {
		t.Error("the ramp is not clamped")
	}
}

// linear undoes the sRGB transfer function.
func linear(v uint8) float64 {
	s := float64(v) / 255
	if s <= 0.04045 {
		return s / 12.92
	}
	return math.Pow((s+0.055)/1.055, 2.4)
}

func TestSpans(t *testing.T) {
	for in, want := range map[string][]span{
		"g_{W}  (2k)": {{"g", 0}, {"W", -1}, {"  (2k)", 0}},
		"10^{−5}":     {{"10", 0}, {"−5", 1}},
		"x_1 a_":      {{"x_1 a_", 0}},
		"g_{W":        {{"g_{W", 0}},
		"":            nil,
	} {
		if got := spans(in); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func TestNumberText(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1.00", 12.345: "12.3", 1234.5: "1234", -0.0123: "−0.0123", 2e-5: "2.00·10⁻⁵", 1.5e7: "1.50·10⁷", math.Inf(-1): "−Inf",
	} {
		if got := significant(v); got != want {
			t.Errorf("significant(%v) = %q, want %q", v, got, want)
		}
	}
	if significant(math.NaN()) != "–" || percent(math.NaN()) != "–" || decimal2(math.NaN()) != "–" {
		t.Error("NaN has no dash")
	}
}
