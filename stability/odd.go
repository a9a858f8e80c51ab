package stability

// oddRoot returns the root in (0, 2] of E[(1 − x s)^k] = −1, k odd, where p_m x^m, m ≥ 1,
// are the terms of the left side. The left side falls monotonically from 1, so
// that there is one root, and it is the lower end of the spectrum, −1, that odd
// orders meet along a single direction. At k = 1 it is 2/E s.
//
// The upper end, +1, is not seen along single directions. On the whole space
// order k ≥ 3 is stable only if order k − 1 is (the complement of the span keeps
// factors of W as they are, whenever w > r), which EtaOrders takes into account.
func oddRoot(p []float64) float64 {
	rising := make([]float64, len(p))
	rising[0] = -2
	for m := 1; m < len(p); m++ {
		rising[m] = -p[m]
	}
	return increasingRoot(rising, 2)
}
