package report

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// scale maps an interval to [0, 1], linearly or in the logarithm.
type scale struct {
	lo, hi float64
	log    bool
}

// scaleOf spans the values, with a margin at both ends as a fraction of the
// range. It is logarithmic when all values are positive and the largest is at
// least logFrom times the smallest; logFrom = 1 asks for that whenever possible.
func scaleOf(values []float64, margin, logFrom float64) scale {
	s := scale{lo: math.Inf(1), hi: math.Inf(-1)}
	for _, v := range values {
		s.lo, s.hi = min(s.lo, v), max(s.hi, v)
	}
	if len(values) == 0 {
		return scale{lo: 0, hi: 1}
	}
	s.log = s.lo > 0 && s.hi >= logFrom*s.lo
	switch {
	case s.log && s.hi/s.lo < 1.001:
		s.lo, s.hi = s.lo/1.5, s.hi*1.5
	case s.log:
		f := math.Pow(s.hi/s.lo, margin)
		s.lo, s.hi = s.lo/f, s.hi*f
	case s.hi-s.lo <= 1e-9*max(math.Abs(s.lo), math.Abs(s.hi)):
		by := max(0.1*math.Abs(s.lo), 1e-300)
		if s.lo == 0 {
			by = 1
		}
		s.lo, s.hi = s.lo-by, s.hi+by
	default:
		by := margin * (s.hi - s.lo)
		s.lo, s.hi = s.lo-by, s.hi+by
	}
	return s
}

// Normalize implements plot.Normalizer for the scale's own interval.
func (s scale) Normalize(_, _, v float64) float64 { return s.at(v) }

// at is the position of v.
func (s scale) at(v float64) float64 {
	if s.log {
		return math.Log(v/s.lo) / math.Log(s.hi/s.lo)
	}
	return (v - s.lo) / (s.hi - s.lo)
}

func (s scale) holds(v float64) bool { return v >= s.lo && v <= s.hi }

// ruler places ticks on an axis of the given length whose labels need extent
// each along it.
type ruler struct {
	scale
	length vg.Length
	extent func(label string) vg.Length
}

func newRuler(s scale, length vg.Length, sty text.Style, vertical bool) ruler {
	extent := func(label string) vg.Length { return sty.Width(label) + 7 }
	if vertical {
		extent = func(string) vg.Length { return sty.Font.Size * 1.6 }
	}
	return ruler{s, length, extent}
}

const maxLabels = 7

// ticks labels the preferred values if they fit, such as the grid's learning
// rates; otherwise round numbers, as many as fit.
func (r ruler) ticks(preferred []float64) []plot.Tick {
	if t := labelled(preferred); len(t) > 0 && r.fits(t) {
		return t
	}
	// Below a factor of 2.5 multiples of a step read better than digits.
	if r.log && r.hi >= 2.5*r.lo {
		if t := r.logTicks(); t != nil {
			return t
		}
	}
	return r.linearTicks()
}

// fits says whether no label touches the next; t is sorted.
func (r ruler) fits(t []plot.Tick) bool {
	if len(t) > maxLabels {
		return false
	}
	for i := 1; i < len(t); i++ {
		gap := vg.Length(r.at(t[i].Value)-r.at(t[i-1].Value)) * r.length
		if gap < (r.extent(t[i].Label)+r.extent(t[i-1].Label))/2 {
			return false
		}
	}
	return true
}

// labelled writes each value with the fewest digits that are exact, all of them
// with powers of ten if one needs it.
func labelled(values []float64) []plot.Tick {
	powers := slices.ContainsFunc(values, needsPower)
	t := make([]plot.Tick, len(values))
	for i, v := range values {
		t[i] = plot.Tick{Value: v, Label: minus(strconv.FormatFloat(v, 'f', -1, 64))}
		if powers && v != 0 {
			mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
			e, _ := strconv.Atoi(exponent)
			t[i].Label = withPower(mantissa, e)
		}
	}
	return t
}

func needsPower(v float64) bool { return v != 0 && (math.Abs(v) >= 1e5 || math.Abs(v) < 1e-3) }

// withPower is "3·10^{4}", and "10^{4}" for a mantissa of 1.
func withPower(mantissa string, exponent int) string {
	power := "10^{" + strconv.Itoa(exponent) + "}"
	if mantissa == "1" {
		return minus(power)
	}
	return minus(mantissa + "·" + power)
}

// logTicks labels the densest set of leading digits that fits, with unlabelled
// ticks at the other digits; nil when that leaves fewer than two labels.
func (r ruler) logTicks() []plot.Tick {
	first, last := int(math.Floor(math.Log10(r.lo))), int(math.Ceil(math.Log10(r.hi)))
	for _, digits := range [][]float64{{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 5, 7}, {1, 2, 5}, {1, 3}, {1}} {
		t := labelled(r.multiples(digits, first, last, 1))
		if r.fits(t) {
			if len(t) < 2 {
				return nil
			}
			return append(t, r.minor(first, last)...)
		}
	}
	for stride := 2; ; stride++ {
		if t := labelled(r.multiples([]float64{1}, first-first%stride, last, stride)); r.fits(t) {
			return t
		}
	}
}

// multiples are the numbers digit·10^e of the axis, in ascending order.
func (r ruler) multiples(digits []float64, first, last, stride int) []float64 {
	var found []float64
	for e := first; e <= last; e += stride {
		for _, d := range digits {
			// Parsing gives the double nearest to the decimal, which
			// multiplication by a power of ten does not.
			v, err := strconv.ParseFloat(strconv.Itoa(int(d))+"e"+strconv.Itoa(e), 64)
			if err == nil && r.holds(v) {
				found = append(found, v)
			}
		}
	}
	return found
}

func (r ruler) minor(first, last int) []plot.Tick {
	if last-first > 4 {
		return nil
	}
	var t []plot.Tick
	for _, v := range r.multiples([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, first, last, 1) {
		t = append(t, plot.Tick{Value: v})
	}
	return t
}

// linearTicks takes the smallest step of 1, 2, 2.5 or 5 times a power of ten
// whose labels fit.
func (r ruler) linearTicks() []plot.Tick {
	exponent := int(math.Floor(math.Log10((r.hi - r.lo) / maxLabels)))
	for ; ; exponent++ {
		for _, digit := range []float64{1, 2, 2.5, 5} {
			last := exponent // the decimal place of the step's last digit
			if digit == 2.5 {
				last--
			}
			if t := r.every(digit*math.Pow(10, float64(exponent)), last); r.fits(t) {
				return t
			}
		}
	}
}

// every places ticks at the multiples of step, written to the decimal place
// last; if the largest needs a power of ten, all have that power.
func (r ruler) every(step float64, last int) []plot.Tick {
	var t []plot.Tick
	largest := 0.0
	// Adding 0 turns −0 into 0.
	for i := math.Ceil(r.lo/step) + 0; i*step <= r.hi && len(t) <= maxLabels; i++ {
		// A multiple at the end of the axis may be rounded to beyond it.
		v := min(max(i*step, r.lo), r.hi)
		t = append(t, plot.Tick{Value: v})
		largest = max(largest, math.Abs(v))
	}
	power := 0
	if needsPower(largest) {
		power = int(math.Floor(math.Log10(largest) + 1e-12))
	}
	for i, x := range t {
		digits := strconv.FormatFloat(x.Value/math.Pow(10, float64(power)), 'f', max(0, power-last), 64)
		t[i].Label = minus(digits)
		switch {
		case power != 0 && x.Value == 0:
			t[i].Label = "0"
		case power != 0:
			t[i].Label = withPower(digits, power)
		}
	}
	return t
}
