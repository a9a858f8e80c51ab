package bound

import "math"

// Target is what Theorem 6 assumes of f* and of the distribution of x, for the
// worst output.
type Target struct {
	// Bound is M₁ ≥ |f_c|, |f*_c|; Lipschitz is M₂ ≥ ‖∇f*_c‖₂ on X_δ; Outside is
	// ε₂ ≥ P(x is not in X_δ).
	Bound, Lipschitz, Outside Constant
}

// Theorem6 evaluates (49) of Ma & Ying (2021), Theorem 6, for measured = the
// largest test error E (f_c − f*_c)² over outputs:
//
//	E (f_c − f*_c)² ≤ 2d Q² (G + 1)² δ² + 2 M₂² δ² + 4 M₁² ε₂,
//
// Q(G + 1) the right side of Theorem 5. The sharper form is
//
//	(d^{(k−1)/2k} Q(G + 1) + M₂)² δ² + 4 M₁² ε₂.
//
// For all outputs together multiply by c.
func Theorem6(k int, s Solution, l FirstLayer, x Neighbourhood, target Target, measured float64) Bound {
	checkOrder(k)
	needs := []Hypothesis{
		constantHypothesis("target bound", "M₁", target.Bound, 0),
		constantHypothesis("target Lipschitz constant", "M₂", target.Lipschitz, 0),
		outside(target.Outside),
	}
	logDelta, logM2 := math.Log(x.Radius), math.Log(target.Lipschitz.Value)
	away := 2*math.Ln2 + 2*math.Log(target.Bound.Value) + math.Log(target.Outside.Value)
	complete := func(f form, near float64) form {
		f.log = logSum(near+2*logDelta, away)
		f.needs = union(f.needs, needs)
		return f
	}
	printed, others := x.sup(k, s, l)
	for i, f := range others {
		others[i] = complete(f, 2*logSum(logDual(l.Inputs, k)+f.log, logM2))
	}
	printed = complete(printed, math.Ln2+logSum(logInt(l.Inputs)+2*printed.log, 2*logM2))
	return conclude("theorem 6", k, measured, 0, printed, others...)
}

func outside(c Constant) Hypothesis {
	h := constantHypothesis("scatter", "ε₂", c, 0)
	if c.Value > 1 {
		h.Holds = No
	}
	return h
}
