package bound

// Theorem5 evaluates (48) of Ma & Ying (2021), Theorem 5, for measured = the
// largest ‖∇_x f_c‖_{2k} on X_δ and over outputs:
//
//	‖∇_x f_c(x)‖_{2k} ≤ (C_s N_k/min_i ‖x_i‖_{2k}) ((2nw/B)^{1/2k} √(2B/η) + 1).
//
// Sharper: without the 2, or with a bound on the largest gradient that does not
// count parameters; see Neighbourhood.
func Theorem5(k int, s Solution, l FirstLayer, x Neighbourhood, measured float64) Bound {
	checkOrder(k)
	printed, others := x.sup(k, s, l)
	return conclude("theorem 5", k, measured, 0, printed, others...)
}
