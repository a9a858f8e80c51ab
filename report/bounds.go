package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"sobolev/rundir"
)

// statements are those of the theory in its order, each with what it bounds; a
// result may hold others.
var statements = []struct{ name, what string }{
	{"theorem 2", "2k-th moment of the gradient in one parameter, the largest"},
	{"equation 34", "2k-th moments of the gradient, summed over all parameters"},
	{"corollary 3", "mean 2k-norm of the parameter gradients"},
	{"proposition 2", "input gradient at the sample where the bound is tightest"},
	{"proposition 2 (unshared)", "input gradient at the sample where the bound is tightest"},
	{"corollary 4", "g_x"},
	{"corollary 4 (unshared)", "g_x"},
	{"theorem 3", "g_x"},
	{"proposition 3", "largest input gradient found in the ball around one sample"},
	{"corollary 5", "largest input gradient found in the ball around one sample"},
	{"theorem 4", "Sobolev seminorm on the balls, of the worst output"},
	{"theorem 5", "largest input gradient found in the balls"},
	{"theorem 6", "test error of the worst output"},
	{"theorem 7", "largest change of an output found in a ball"},
}

// statementRank is the place of a statement in the theory.
func statementRank(name string) int {
	for i, s := range statements {
		if s.name == name {
			return i
		}
	}
	return len(statements)
}

// statementName is that of headings and axes.
func statementName(name string) string {
	if name == "" {
		return "(no name)"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// bounds are those of a trained network in the order of the theory; none where
// they were not evaluated.
func (s *solution) bounds() []rundir.Bound {
	if !s.finished() {
		return nil
	}
	order := func(a, b rundir.Bound) int {
		return cmp.Or(cmp.Compare(statementRank(a.Statement), statementRank(b.Statement)), strings.Compare(a.Statement, b.Statement), cmp.Compare(a.K, b.K))
	}
	if slices.IsSortedFunc(s.Result.Bounds, order) {
		return s.Result.Bounds // as they are written
	}
	ordered := slices.Clone(s.Result.Bounds)
	slices.SortStableFunc(ordered, order)
	return ordered
}

// bound is one statement at one order, nil where it was not evaluated.
func (s *solution) bound(statement string, k int) *rundir.Bound {
	if !s.finished() {
		return nil
	}
	for i := range s.Result.Bounds {
		if b := &s.Result.Bounds[i]; b.Statement == statement && b.K == k {
			return b
		}
	}
	return nil
}

const (
	applies = "applies"
	assumed = "assumed"
)

// inForce says whether the numbers of a bound may be shown: they mean nothing where
// a hypothesis fails or is open.
func inForce(b *rundir.Bound) bool { return b.Status == applies || b.Status == assumed }

// looseness is a right-hand side as a multiple of what was measured, 1 being
// tight; NaN where there is no such number.
func looseness(b *rundir.Bound, side rundir.Number) float64 {
	measured := float64(b.Measured)
	ratio := float64(side) / measured
	if !inForce(b) || !(measured > 0) || !positive(ratio) {
		return math.NaN()
	}
	return ratio
}

// informative is the looseness below which a bound says something about a
// solution.
const informative = 10

// sharpBound is the sharp form of a statement of order k.
func sharpBound(statement string, k int) quantity {
	return quantity{"bound of " + statementName(statement) + orderSuffix(k), fmt.Sprintf("%s  (order 2k = %d)", statementName(statement), 2*k), fmt.Sprintf("%s, k=%d", statement, k), func(s *solution) float64 {
		if b := s.bound(statement, k); b != nil && inForce(b) {
			return float64(b.Sharp)
		}
		return math.NaN()
	}}
}

// ratioOfBound is the looseness of that form.
func ratioOfBound(statement string, k int) quantity {
	name := fmt.Sprintf("%s, k=%d, sharp/measured", statement, k)
	return quantity{name, fmt.Sprintf("%s / measured  (order 2k = %d)", statementName(statement), 2*k), name, func(s *solution) float64 {
		if b := s.bound(statement, k); b != nil {
			return looseness(b, b.Sharp)
		}
		return math.NaN()
	}}
}

// boundExample is the solution whose bounds are shown one by one, chosen as those
// of the frontier are; of is the number it is chosen from. Nil without bounds.
func (r *Report) boundExample() (example *solution, of int) {
	var candidates []*solution
	for i := range r.solutions {
		if s := &r.solutions[i]; s.finished() && len(s.Result.Bounds) > 0 {
			candidates = append(candidates, s)
		}
	}
	if len(candidates) == 0 {
		return nil, 0
	}
	return typical(candidates), len(candidates)
}

// boundedOrder is the lowest order that Theorem 3 or Corollary 4 gives a number
// for, 0 without one. The second is that of unshared weights for a convolution.
func (r *Report) boundedOrder() (k int, corollary string) {
	for i := range r.solutions {
		s := &r.solutions[i]
		if !s.finished() {
			continue
		}
		for j := range s.Result.Bounds {
			b := &s.Result.Bounds[j]
			ofGradient := b.Statement == "theorem 3" || strings.HasPrefix(b.Statement, "corollary 4")
			if !ofGradient || !positive(looseness(b, b.Sharp)) {
				continue
			}
			if k == 0 || b.K < k {
				k, corollary = b.K, "corollary 4"
			}
			if b.K == k && strings.HasSuffix(b.Statement, "(unshared)") {
				corollary = b.Statement
			}
		}
	}
	return k, corollary
}
