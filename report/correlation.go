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
func Pearson(x, y []float64) float64 { return pearsonOf(paired{x: x, y: y})(once(len(x))) }

// Spearman is Pearson's correlation of the ranks; equal values share the mean
// of their ranks. It is NaN when either sample is constant or shorter than 2.
func Spearman(x, y []float64) float64 { return spearmanOf(paired{x: x, y: y})(once(len(x))) }

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

// resampled is a sample that holds the value of index[j] times[j] times, which is more
// than 0.
type resampled struct {
	index []int
	times []float64
	draw  int // from 1, or 0 for a sample that is none of a series
}

// once is the sample itself.
func once(n int) resampled {
	r := resampled{index: make([]int, n), times: make([]float64, n)}
	for i := range n {
		r.index[i], r.times[i] = i, 1
	}
	return r
}

// pearsonOf and spearmanOf are statistics to resample.

func pearsonOf(s paired) func(resampled) float64 { return correlationOf(values(s.x), values(s.y)) }

func spearmanOf(s paired) func(resampled) float64 { return correlationOf(ranks(s.x), ranks(s.y)) }

// variable is the values of a quantity, or their ranks, whatever of a sample is
// resampled. Statistics of one resample share what it knows of it.
type variable struct {
	of func(resampled) []float64
	// Of the resample: the differences from the mean, and their sum of squares, which is
	// NaN where all values are equal.
	draw       int
	difference []float64
	squares    float64
}

func values(x []float64) *variable {
	x = scaled(x)
	var found []float64
	return &variable{of: func(s resampled) []float64 {
		found = found[:0]
		for _, i := range s.index {
			found = append(found, x[i])
		}
		return found
	}}
}

func ranks(x []float64) *variable { return &variable{of: ranked(x).mid} }

func (v *variable) in(s resampled) {
	if s.draw > 0 && s.draw == v.draw {
		return
	}
	v.draw = s.draw
	x := v.of(s)
	v.difference, v.squares = v.difference[:0], math.NaN()
	// Without this check rounding of the mean would turn a constant sample into
	// a correlation of noise.
	if constant(x) {
		return
	}
	var total, sum float64
	for i, w := range s.times {
		total += w
		sum += w * x[i]
	}
	mean := sum / total
	v.squares = 0
	for i, w := range s.times {
		d := x[i] - mean
		v.difference = append(v.difference, d)
		v.squares += w * d * d
	}
}

// correlationOf is Pearson's correlation of two variables.
func correlationOf(x, y *variable) func(resampled) float64 {
	return func(s resampled) float64 {
		x.in(s)
		y.in(s)
		if math.IsNaN(x.squares) || math.IsNaN(y.squares) {
			return math.NaN()
		}
		product := 0.0
		for i, w := range s.times {
			product += w * x.difference[i] * y.difference[i]
		}
		// Ranks in the same order have one sum for all three, whose square has an exact
		// root: they correlate to 1 and not to almost 1.
		return min(max(product/math.Sqrt(x.squares*y.squares), -1), 1)
	}
}

func constant(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return v != x[0] })
}

// ranking knows the order of a sample, whatever of it is resampled: the i-th value
// is the group[i]-th of its different values.
type ranking struct {
	group  []int
	groups int
	// Of the last call of mid.
	ranks []float64 // of the groups
	found []float64
}

func ranked(v []float64) *ranking {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	r := &ranking{group: make([]int, len(v))}
	for at, i := range order {
		if at == 0 || v[order[at-1]] != v[i] {
			r.groups++
		}
		r.group[i] = r.groups - 1
	}
	r.ranks = make([]float64, r.groups)
	return r
}

// mid is the mid-ranks, from 1, of what is in the resampled sample. The next call
// overwrites them.
func (r *ranking) mid(s resampled) []float64 {
	clear(r.ranks)
	for j, i := range s.index {
		r.ranks[r.group[i]] += s.times[j]
	}
	below := 0.0
	for g, tied := range r.ranks {
		r.ranks[g] = below + (tied+1)/2
		below += tied
	}
	r.found = r.found[:0]
	for _, i := range s.index {
		r.found = append(r.found, r.ranks[r.group[i]])
	}
	return r.found
}
