package bound

import "math"

// Theorem7 evaluates (54) of Ma & Ying (2021), Theorem 7, for measured = the
// largest |f_c(x) − f_c(x_i)| found for ‖x − x_i‖₂ ≤ δ, over samples and outputs:
//
//	|f_c(x) − f_c(x_i)| ≤ √d Q (G + 1) δ,
//
// Q(G + 1) the right side of Theorem 5. Sharper: √d → d^{(k−1)/2k}, which is 1 at
// k = 1. Then ‖f(x) − f(x_i)‖_∞ is at most that, ‖·‖₂ at most √c times it.
func Theorem7(k int, s Solution, l FirstLayer, x Neighbourhood, measured float64) Bound {
	checkOrder(k)
	printed, others := x.sup(k, s, l)
	printed.log += logInt(l.Inputs)/2 + math.Log(x.Radius)
	for i := range others {
		others[i].log += logDual(l.Inputs, k) + math.Log(x.Radius)
	}
	return conclude("theorem 7", k, measured, 0, printed, others...)
}
