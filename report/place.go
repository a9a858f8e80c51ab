package report

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var shade = color.RGBA{0xf1, 0xee, 0xe8, 0xff}

// stabilityNote says what hollow markers are in the figures of stability, and
// how many results have no place in them.
func stabilityNote(hollow, absent int) string {
	var parts []string
	if hollow > 0 {
		parts = append(parts, fmt.Sprintf("hollow, not interpolating: %d", hollow))
	}
	if absent > 0 {
		parts = append(parts, fmt.Sprintf("not drawn: %d", absent))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ",  ") + "\n"
}

// place is a solution in a figure of stability: a value with bounds over x.
type place struct {
	of *solution
	x  float64
	between
}

// places are the solutions with a drawable x and value, and how many have none.
func (r *Report) places(x quantity, y func(*solution) between) (ps []place, hollow, absent int) {
	for i := range r.solutions {
		s := &r.solutions[i]
		p := place{s, x.of(s), y(s)}
		switch {
		case s.Result == nil:
		case !drawable(p.x) || !positive(p.value):
			absent++
		default:
			ps = append(ps, p)
			if !s.interpolates() {
				hollow++
			}
		}
	}
	return ps, hollow, absent
}

// positive says whether v can be placed on a logarithmic axis.
func positive(v float64) bool { return v > 1e-150 && drawable(v) }

// spanned adds the values and bounds that an axis has to hold.
func spanned(values []float64, ps []place) []float64 {
	for _, p := range ps {
		for _, v := range []float64{p.value, p.lower, p.upper} {
			if positive(v) {
				values = append(values, v)
			}
		}
	}
	return values
}

// bars draws bounds as vertical bars. One that is unknown or infinite, as well as
// a lower bound of 0, is at the end of the axis.
func bars(ps []place, y scale, clr func(*solution) color.RGBA) drawn {
	const width = 0.6
	return func(c draw.Canvas, tx, ty func(float64) vg.Length) {
		ps := some(c, ps)
		clr := func(s *solution) color.RGBA { return inked(clr(s)) }
		line := func(p place, x, low, high vg.Length) {
			c.StrokeLine2(draw.LineStyle{Color: clr(p.of), Width: width}, x, low, x, high)
		}
		if len(ps) > mostOutlines {
			colors := make([]color.RGBA, len(ps))
			for i, p := range ps {
				colors[i] = clr(p.of)
			}
			r := newRaster(c, colors)
			defer r.place(c)
			line = func(p place, x, low, high vg.Length) { r.bar(x, low, high, width, clr(p.of)) }
		}
		for _, p := range ps {
			low, high := y.lo, y.hi
			if positive(p.lower) {
				low = max(low, min(p.lower, p.value))
			}
			if positive(p.upper) {
				high = min(high, max(p.upper, p.value))
			}
			if high > low*(1+1e-3) {
				line(p, tx(p.x), ty(low), ty(high))
			}
		}
	}
}

// boundWords explains the bars if there are any.
func boundWords(ps []place) string {
	if slices.ContainsFunc(ps, func(p place) bool { return !(p.lower == p.value && p.upper == p.value) }) {
		return " Vertical bars reach from the lower to the upper bound where the threshold is not exact; between them it is open whether a solution is stable."
	}
	return ""
}

func hollowWords(hollow int) string {
	if hollow == 0 {
		return ""
	}
	return " Hollow markers are solutions that do not interpolate: their numbers are those of the Gauss–Newton matrix, which is not the Hessian there."
}

// plainSGD says where the theory does not describe the training.
func (r *Report) plainSGD() string {
	var parts []string
	if r.Config.SGD.Momentum != 0 {
		parts = append(parts, fmt.Sprintf("this run trains with momentum %s", shortest(r.Config.SGD.Momentum)))
	}
	if r.Config.SGD.Sampling == "epochs" {
		parts = append(parts, "the batches of an epoch of this run depend on each other")
	}
	if slices.ContainsFunc(r.Config.Grid.Method, func(m string) bool { return m != "sgd" && m != "gd" }) || r.Config.SGD.WeightDecay != 0 {
		parts = append(parts, "this run changes the gradient of a step")
	}
	if len(parts) == 0 {
		return ""
	}
	return " Thresholds are those of SGD with independent batches and nothing else; " + strings.Join(parts, ", ") + "."
}
