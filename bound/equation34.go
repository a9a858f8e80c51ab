package bound

// Equation34 evaluates (34) of Ma & Ying (2021), the sum of Theorem 2 over all
// parameters, for sum_W = (1/n) Σ_i Σ_c ‖A_ic‖_{2k}^{2k}:
//
//	sum_W ≤ w 2^k B^{k−1}/η^k.
//
// The nc gradients span at most nc directions, each of which Theorem 2 holds for:
// w → min(w, nc). At k = 1 sum_W is the trace of H, and stability of order 2 is
// p (1/n) Σ ‖H_i‖_F² + (1−p) ‖H‖_F² ≤ 2 Tr(H)/η, from which
//
//	Tr H ≤ (2/η)/(p/c + (1−p)/r),   r = rank H.
func Equation34(k int, s Solution, measured float64) Bound {
	checkOrder(k)
	printed, others := s.sumForms(k)
	return conclude("equation 34", k, measured, 0, printed, others...)
}

func (s *Solution) sumForms(k int) (printed form, others []form) {
	needs := s.needs(k)
	printed = form{log: logInt(s.Parameters) + s.logMoment(k), needs: needs}
	others = []form{{name: "samples", log: s.logDirections() + s.logMoment(k), free: true, needs: needs}}
	if k == 1 && s.Rank > 0 {
		others = append(others, form{name: "trace", log: s.logTrace(), free: true, needs: union(needs, s.needs(2))})
	}
	return printed, others
}
