package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Correlation is an association between two quantities over the points that
// count, with a 95% bootstrap confidence interval. Value is NaN when it is not
// defined, Lower and Upper are NaN when there is no interval; Reason then says
// why. Draws is the number of resamples and Dropped how many of them left the
// correlation undefined.
type Correlation struct {
	X, Y    string
	Method  string // "Spearman" or "Pearson"
	N       int
	Value   float64
	Lower   float64
	Upper   float64
	Draws   int
	Dropped int
	Seed    uint64
	// Reason is empty or what the reader must know about the interval: that it
	// is absent and why, or what weakens it.
	Reason string
	// Expected is the sign that the paper's theory predicts; 0: none.
	Expected int
}

// HasInterval says whether Lower and Upper are numbers.
func (c Correlation) HasInterval() bool { return !math.IsNaN(c.Lower) && !math.IsNaN(c.Upper) }

// String is "Spearman −0.97, 95% interval [−0.99, −0.90]".
func (c Correlation) String() string {
	if math.IsNaN(c.Value) {
		return fmt.Sprintf("%s undefined (%s)", c.Method, c.Reason)
	}
	if !c.HasInterval() {
		return fmt.Sprintf("%s %s, no interval (%s)", c.Method, decimal2(c.Value), c.Reason)
	}
	return fmt.Sprintf("%s %s, 95%% interval %s", c.Method, decimal2(c.Value), c.Interval())
}

// Interval is "[−0.99, −0.90]", or "–" without one.
func (c Correlation) Interval() string {
	if !c.HasInterval() {
		return "–"
	}
	return "[" + decimal2(c.Lower) + ", " + decimal2(c.Upper) + "]"
}

// Pearson is Σ (x−x̄)(y−ȳ) / √(Σ (x−x̄)² Σ (y−ȳ)²) over equally long samples,
// NaN when either is constant or shorter than 2.
func Pearson(x, y []float64) float64 { return pearson(scaled(x), scaled(y), ones(len(x))) }

// Spearman is Pearson's correlation of the ranks; equal values share the mean
// of their ranks. It is NaN when either sample is constant or shorter than 2.
func Spearman(x, y []float64) float64 { return spearman(x, y, ones(len(x))) }

// scaled divides by the largest magnitude, so that no square over- or
// underflows; correlations do not depend on the unit.
func scaled(x []float64) []float64 {
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	if largest == 0 {
		return x
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v / largest
	}
	return y
}

func ones(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

func spearman(x, y, weight []float64) float64 {
	return pearson(midRanks(nil, x, weight, ascending(x)), midRanks(nil, y, weight, ascending(y)), weight)
}

// pearson is the correlation of a sample that holds (x_i, y_i) weight_i times.
func pearson(x, y, weight []float64) float64 {
	// Without this check rounding of the mean would turn a constant sample into
	// a correlation of noise.
	if constant(x, weight) || constant(y, weight) {
		return math.NaN()
	}
	var total, sumX, sumY float64
	for i, w := range weight {
		total += w
		sumX += w * x[i]
		sumY += w * y[i]
	}
	meanX, meanY := sumX/total, sumY/total
	var xx, xy, yy float64
	for i, w := range weight {
		dx, dy := x[i]-meanX, y[i]-meanY
		xx += w * dx * dx
		xy += w * dx * dy
		yy += w * dy * dy
	}
	return min(max(xy/math.Sqrt(xx)/math.Sqrt(yy), -1), 1)
}

// constant says whether all values of positive weight are equal.
func constant(x, weight []float64) bool {
	first := math.NaN()
	for i, v := range x {
		switch {
		case weight[i] == 0:
		case math.IsNaN(first):
			first = v
		case v != first:
			return false
		}
	}
	return true
}

// ascending returns the indices that sort v.
func ascending(v []float64) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	return order
}

// midRanks writes into dst the mid-ranks, from 1, of a sample that holds v_i
// weight_i times; order sorts v. The rank of an absent value means nothing.
func midRanks(dst, v, weight []float64, order []int) []float64 {
	dst = slices.Grow(dst[:0], len(v))[:len(v)]
	below := 0.0
	for start := 0; start < len(order); {
		end, tied := start, 0.0
		for end < len(order) && v[order[end]] == v[order[start]] {
			tied += weight[order[end]]
			end++
		}
		for _, i := range order[start:end] {
			dst[i] = below + (tied+1)/2
		}
		below += tied
		start = end
	}
	return dst
}
