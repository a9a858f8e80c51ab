package bound

import "math"

// Theorem2 evaluates (30) of Ma & Ying (2021), Theorem 2: at a solution that is
// stable to order k,
//
//	max_j (1/n) Σ_i (Σ_c J_icj²)^k ≤ 2^k B^{k−1}/η^k
//
// for every coordinate j of the parameters, and in fact every unit vector. For
// k = 2 stability gives p m₂ + (1−p) m₁² ≤ 2m₁/η with m_q = (1/n) Σ_i ‖J_i v‖^{2q},
// hence
//
//	m₂ ≤ min(4n/η², 4/η² if p ≥ 1/2 else 1/(p(1−p)η²)).
func Theorem2(k int, s Solution, measured float64) Bound {
	checkOrder(k)
	needs := s.needs(k)
	printed := form{log: s.logMoment(k), free: true, needs: needs}
	if k != 2 {
		return conclude("theorem 2", k, measured, 0, printed)
	}
	return conclude("theorem 2", k, measured, 0, printed, form{name: "coordinate", log: s.logSecondMoment(), free: true, needs: needs})
}

// logSecondMoment is that of the coordinate form of order 2.
func (s *Solution) logSecondMoment() float64 {
	p := s.variance()
	factor := 4.0
	if p < 0.5 {
		factor = 1 / (p * (1 - p))
	}
	return math.Log(min(factor, 4*float64(s.Samples))) - 2*math.Log(s.LearningRate)
}
