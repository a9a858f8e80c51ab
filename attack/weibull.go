package attack

import (
	"fmt"
	"math"
	"slices"
)

// ReverseWeibull is the distribution of maxima with an upper end,
//
//	F(x) = exp(−((Location − x)/Scale)^Shape) for x ≤ Location,
//
// as fitted to a sample by maximum likelihood over Shape ≥ 1, below which the
// likelihood has no maximum.
type ReverseWeibull struct {
	Location, Scale, Shape float64
	LogLikelihood          float64
	// KS is the Kolmogorov–Smirnov distance to the sample, PValue its asymptotic
	// probability for a given distribution: since this one was fitted to the same
	// sample, too large, so that a small one is evidence against the fit and a large
	// one none for it.
	KS, PValue float64
	// Degenerate says that the sample is one value: the Location.
	Degenerate bool
	Warnings   []string
}

// FitReverseWeibull fits maxima, at least two. They are one value if they differ by
// no more than rounding times the largest.
//
// With z = Location − x the rest of the fit is that of a Weibull distribution: its
// Scale has a closed form and its Shape is the root of an increasing function; the
// profile likelihood of log(Location − max x) is searched on a grid and refined.
// Where it still grows at 100 times the range of the sample, the limit is a Gumbel
// distribution, which has no upper end: Location, Scale and Shape are +Inf.
func FitReverseWeibull(maxima []float64, rounding float64) ReverseWeibull {
	if len(maxima) < 2 {
		panic("attack: a fit needs at least two maxima")
	}
	x := slices.Clone(maxima)
	slices.Sort(x)
	top := x[len(x)-1]
	spread := top - x[0]
	if !(spread > rounding*math.Abs(top)) {
		return ReverseWeibull{Location: top, LogLikelihood: math.Inf(1), PValue: 1, Degenerate: true}
	}
	y := make([]float64, len(x)) // (max − x)/range
	for i, v := range x {
		y[i] = (top - v) / spread
	}
	logT, edge := profile(y)
	t := math.Exp(logT)
	shape, scale, likelihood := fitWeibull(y, t)
	r := ReverseWeibull{
		Location: top + t*spread, Scale: scale * spread, Shape: shape,
		LogLikelihood: likelihood - float64(len(x))*math.Log(spread),
	}
	r.KS = r.distance(x)
	r.PValue = kolmogorov(r.KS, len(x))
	r.warn(edge, shape, len(x))
	return r
}

func (r *ReverseWeibull) warn(edge bool, shape float64, n int) {
	if edge {
		r.Warnings = append(r.Warnings, "the likelihood grows without an upper end: the maxima look like a Gumbel distribution")
		r.Location, r.Scale, r.Shape = math.Inf(1), math.Inf(1), math.Inf(1)
	}
	if shape <= minShape {
		r.Warnings = append(r.Warnings, "the shape is at its limit of 1: the maxima pile up at the largest")
	}
	if r.PValue < 0.05 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the fit is poor: Kolmogorov–Smirnov distance %.3g, p = %.2g", r.KS, r.PValue))
	}
	if n < 30 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("only %d maxima", n))
	}
}

const (
	minShape = 1.0
	maxShape = 1e6
	// log((Location − max x)/range) is searched between these.
	lowestLogT  = -13.8 // 1e-6
	highestLogT = 4.6   // 100
)

// profile returns the maximum of the likelihood over log t, and whether it is at
// the upper end.
func profile(y []float64) (logT float64, edge bool) {
	value := func(logT float64) float64 {
		_, _, l := fitWeibull(y, math.Exp(logT))
		return l
	}
	const points = 60
	width := (highestLogT - lowestLogT) / points
	best, at := math.Inf(-1), 0
	for i := range points + 1 {
		if l := value(lowestLogT + float64(i)*width); l > best {
			best, at = l, i
		}
	}
	if at == points {
		return highestLogT, true
	}
	low, high := lowestLogT+float64(max(at-1, 0))*width, lowestLogT+float64(at+1)*width
	ratio := (math.Sqrt(5) - 1) / 2
	for high-low > 1e-9 {
		a, b := high-ratio*(high-low), low+ratio*(high-low)
		if value(a) >= value(b) {
			high = b
		} else {
			low = a
		}
	}
	return (low + high) / 2, false
}

// fitWeibull fits shape and scale to z = y + t, and returns the log likelihood
//
//	n log c − n c log b + (c − 1) Σ log z − n,   b^c = mean z^c,
//
// with the shape c the root of Σ z^c log z/Σ z^c − 1/c − mean log z, or the nearest
// that is allowed.
func fitWeibull(y []float64, t float64) (shape, scale, likelihood float64) {
	n := float64(len(y))
	logs, mean, top := make([]float64, len(y)), 0.0, math.Inf(-1)
	for i, v := range y {
		logs[i] = math.Log(v + t)
		mean += logs[i] / n
		top = max(top, logs[i])
	}
	shape = weibullShape(logs, mean, top)
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(shape * (l - top))
	}
	logMean := shape*top + math.Log(sum/n)
	return shape, math.Exp(logMean / shape), n*math.Log(shape) - n*logMean + (shape-1)*n*mean - n
}

// weibullShape returns the shape of the logarithms of values with the given mean and
// maximum: by Newton's method, or bisection where that leads out of what is known.
func weibullShape(logs []float64, mean, top float64) float64 {
	low, high, c := minShape, maxShape, minShape
	for range 100 {
		var sum, first, second float64
		for _, l := range logs {
			p := math.Exp(c * (l - top))
			sum += p
			first += p * (l - top)
			second += p * (l - top) * (l - top)
		}
		first, second = first/sum, second/sum
		excess := first + top - mean - 1/c
		if excess < 0 {
			low = c
		} else {
			high = c
		}
		next := c - excess/(second-first*first+1/(c*c))
		if !(next > low && next < high) {
			next = math.Sqrt(low * high)
		}
		if math.Abs(next-c) <= 1e-13*c {
			break
		}
		c = next
	}
	return c
}

// distance is the largest distance between F and the empirical distribution of x,
// which is sorted.
func (r *ReverseWeibull) distance(x []float64) float64 {
	n, largest := float64(len(x)), 0.0
	for i, v := range x {
		f := math.Exp(-math.Pow((r.Location-v)/r.Scale, r.Shape))
		largest = max(largest, f-float64(i)/n, float64(i+1)/n-f)
	}
	return largest
}

// kolmogorov returns the probability of a distance of at least d for n values, with
// Stephens's (1970) correction for finite n.
func kolmogorov(d float64, n int) float64 {
	root := math.Sqrt(float64(n))
	lambda := (root + 0.12 + 0.11/root) * d
	if lambda < 0.3 {
		return 1 // to 1e-5
	}
	sum, sign := 0.0, 1.0
	for j := 1.0; j <= 100; j++ {
		sum += sign * math.Exp(-2*j*j*lambda*lambda)
		sign = -sign
	}
	return min(max(2*sum, 0), 1)
}
