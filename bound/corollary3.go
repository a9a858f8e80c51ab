package bound

// Corollary3 evaluates (35) of Ma & Ying (2021), Corollary 3,
//
//	(1/n) Σ_i (Σ_c ‖A_ic‖_{2k}^{2k})^{1/2k} ≤ (w/B)^{1/2k} √(2B/η):
//
// by Jensen's inequality a root of (34), whose sharper forms carry over.
func Corollary3(k int, s Solution, measured float64) Bound {
	checkOrder(k)
	printed, others := s.sumForms(k)
	printed.log /= float64(2 * k)
	for i := range others {
		others[i].log /= float64(2 * k)
	}
	return conclude("corollary 3", k, measured, 0, printed, others...)
}
