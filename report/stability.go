package report

import (
	"math"
	"slices"

	"sobolev/rundir"
)

// stability is that of a trained network; nil where it was not measured. What a
// training left behind that did not finish is no solution.
func (s *solution) stability() *rundir.Stability {
	if !s.finished() {
		return nil
	}
	return s.Result.Stability
}

func (s *solution) interpolates() bool { return s.Result != nil && s.Result.Fit.Interpolates }

// hasStability says whether the run has anything to say about stability.
func (r *Report) hasStability() bool {
	return slices.ContainsFunc(r.solutions, func(s solution) bool { return s.stability() != nil })
}

// sharpness is λ_max(H) of the Gauss–Newton matrix of the configured loss.
func sharpness() quantity {
	return quantity{"λ_max", "λ_{max}", "lambda_max", func(s *solution) float64 {
		switch st := s.stability(); {
		case st == nil:
			return math.NaN()
		case s.Result.Curvature != nil && s.Result.Curvature.LambdaMax != nil:
			return float64(*s.Result.Curvature.LambdaMax)
		default:
			return 2 / float64(st.EtaMean)
		}
	}}
}

// margin is η*_var/η: above 1 the solution is mean-square stable where it was
// trained.
func margin() quantity {
	return quantity{"η*_var/η", "η*_{var} / η", "margin", func(s *solution) float64 { return s.etaVar().value / s.Point.LearningRate }}
}

// between is a number with bounds; a bound that is not known is NaN.
type between struct{ value, lower, upper float64 }

// etaVar is the mean-square threshold at the solution's batch size.
func (s *solution) etaVar() between {
	if st := s.stability(); st != nil {
		return bounded(st.EtaVar)
	}
	return between{math.NaN(), math.NaN(), math.NaN()}
}

// bounded has no interval where the threshold is exact.
func bounded(t rundir.Threshold) between {
	b := between{float64(t.Value), float64(t.Lower), float64(t.Upper)}
	if t.Exact {
		b.lower, b.upper = b.value, b.value
	}
	return b
}

// under is c/b, the bounds exchanged.
func (b between) under(c float64) between { return between{c / b.value, c / b.upper, c / b.lower} }

// times is c·b for c > 0.
func (b between) times(c float64) between { return between{c * b.value, c * b.lower, c * b.upper} }

// verdict is a decision that may be open or not have been tried.
type verdict int

const (
	unmeasured verdict = iota
	undecided
	stable
	unstable
)

func (v verdict) String() string {
	return [...]string{"–", "undecided", "yes", "no"}[v]
}

// decide compares a learning rate with the bounds of a threshold, which is
// positive: bounds of 0 were never computed.
func decide(eta, lower, upper float64) verdict {
	switch {
	case math.IsNaN(lower) && math.IsNaN(upper) || upper <= 0:
		return unmeasured
	case eta <= lower:
		return stable
	case eta > upper:
		return unstable
	}
	return undecided
}

// stableOfOrder is the verdict on order k at the solution's η and B.
func (s *solution) stableOfOrder(k int) verdict {
	st := s.stability()
	if st == nil {
		return unmeasured
	}
	for _, o := range st.Orders {
		switch {
		case o.K != k:
		case o.Stable == nil:
			return undecided
		case *o.Stable:
			return stable
		default:
			return unstable
		}
	}
	if k == 2 {
		return decide(s.Point.LearningRate, float64(st.EtaVar.Lower), float64(st.EtaVar.Upper))
	}
	return unmeasured
}

// stableOfAllOrders is the verdict on all orders at once.
func (s *solution) stableOfAllOrders() verdict {
	st := s.stability()
	if st == nil {
		return unmeasured
	}
	return decide(s.Point.LearningRate, float64(st.EtaAllOrders.Lower), float64(st.EtaAllOrders.Upper))
}

// lyapunov is the exponent at the solution's own learning rate, nil without one.
func (s *solution) lyapunov() *rundir.LyapunovExponent {
	st := s.stability()
	if st == nil {
		return nil
	}
	for i := range st.Lyapunov {
		l := &st.Lyapunov[i]
		if math.Abs(float64(l.LearningRate)-s.Point.LearningRate) <= 1e-9*s.Point.LearningRate {
			return l
		}
	}
	return nil
}

// representatives chooses among solutions for a figure with room for at most
// maxRepresentatives: one for each value of the colour's quantity, evenly over
// these, and for each the one of median margin.
func (r *Report) representatives(candidates []*solution) []*solution {
	colors := r.coloring()
	groups := map[float64][]*solution{}
	for _, s := range candidates {
		key := 0.0
		if colors.by != nil {
			key = colors.by.of(s)
		}
		if !math.IsNaN(key) {
			groups[key] = append(groups[key], s)
		}
	}
	keys := sortedKeys(groups)
	n := min(len(keys), maxRepresentatives)
	var chosen []*solution
	for i := range n {
		at := 0
		if n > 1 {
			at = (i*(len(keys)-1) + (n-1)/2) / (n - 1)
		}
		chosen = append(chosen, typical(groups[keys[at]]))
	}
	return chosen
}

const maxRepresentatives = 4

// typical is the solution of median margin among those that interpolate, else
// among those that finished, else among all; of an even number, the one below.
func typical(group []*solution) *solution {
	rank := func(s *solution) int {
		switch {
		case s.finished() && s.interpolates():
			return 0
		case s.finished():
			return 1
		}
		return 2
	}
	best := 2
	for _, s := range group {
		best = min(best, rank(s))
	}
	group = slices.DeleteFunc(slices.Clone(group), func(s *solution) bool { return rank(s) != best })
	q := margin()
	// Solutions without a margin come last, so that they are taken only alone.
	order := func(s *solution) float64 {
		if m := q.of(s); !math.IsNaN(m) {
			return m
		}
		return math.Inf(1)
	}
	slices.SortStableFunc(group, func(a, b *solution) int {
		switch x, y := order(a), order(b); {
		case x < y:
			return -1
		case x > y:
			return +1
		}
		return 0
	})
	known := 0
	for _, s := range group {
		if !math.IsNaN(q.of(s)) {
			known++
		}
	}
	return group[max(known-1, 0)/2]
}
