package stability

import "math"

// Theorem 2 of Ma & Ying (2021) and its sharper forms: what a minimum must
// satisfy to be linearly stable of order k for SGD with batches of B samples and
// learning rate η. J_i is c×w, J_{io,j} the gradient of output o at x_i in
// parameter j, and H_i = J_iᵀ J_i carries the factor of the loss: with a loss that
// is s times ½‖f−y‖² either J is √s times the network's or η is s times the
// configured rate.
//
// All follow from (31), that order-k stability implies E_S[(1 − η s)^k] ≤ 1, or
// ≥ −1 for odd k, for s = mean_S ‖J_i v‖² and every unit vector v, and from Lemma 2,
//
//	x^k ≤ 2^{k−1}((x−1)^k + 1) for x ≥ 0:   E_S[s^k] ≤ (2/η)^k.

// Theorem2Limit is the right side of (30),
//
//	(1/n) Σ_i (Σ_o J_{io,j}²)^k ≤ 2^k B^{k−1}/η^k   for every parameter j,
//
// and of its form for any unit vector v, (1/n) Σ_i ‖J_i v‖^{2k}. Both samplings. There is
// equality where B = n and one sample alone has a gradient, ‖J_i v‖² = 2n/η, drawn
// without replacement: (32), s^k ≥ B^{−k} Σ_{i∈S} ‖J_i v‖^{2k}, loses nothing then.
func Theorem2Limit(k, batch int, eta float64) float64 {
	return math.Pow(2/eta, float64(k)) * math.Pow(float64(batch), float64(k-1))
}

// Theorem2SumLimit is the right side of (34), the sum of (30) over the w
// parameters: (1/n) Σ_j Σ_i (Σ_o J_{io,j}²)^k ≤ w 2^k B^{k−1}/η^k.
func Theorem2SumLimit(k, batch, w int, eta float64) float64 {
	return float64(w) * Theorem2Limit(k, batch, eta)
}

// Theorem2SumLimitByGradients is (34) with min(w, nc) in place of w. The diagonal of
// H_i is majorised by its at most c eigenvalues, Σ_j (H_i)_jj^k ≤ c ‖H_i‖^k, and (30)
// holds along the top eigenvector of each.
func Theorem2SumLimitByGradients(k, batch, w, n, c int, eta float64) float64 {
	return Theorem2SumLimit(k, batch, min(w, n*c), eta)
}

// Theorem2TraceLimit bounds Tr(H) = (1/n) Σ_i Σ_o ‖J_io‖² at a minimum that is
// stable of order 2, without w:
//
//	Tr(H) ≤ (2/η)/(p/c + (1−p)/r),
//
// r the rank of all gradients. It is stability tested with the identity,
// p mean ‖H_i‖_F² + (1−p) ‖H‖_F² ≤ 2 Tr(H)/η, and Cauchy–Schwarz.
func Theorem2TraceLimit(n, c, rank int, sampling Sampling, batch int, eta float64) float64 {
	p := sampling.BatchVariance(n, batch)
	return 2 / eta / (p/float64(c) + (1-p)/float64(rank))
}

// Corollary3Limit is the right side of (35), (34) to the power of 1/2k:
//
//	(1/n) Σ_i (Σ_o ‖J_io‖_{2k}^{2k})^{1/2k} ≤ (w/B)^{1/2k} √(2B/η).
func Corollary3Limit(k, batch, w int, eta float64) float64 {
	return math.Pow(float64(w)/float64(batch), 1/float64(2*k)) * math.Sqrt(2*float64(batch)/eta)
}

// Theorem2BatchLimit is the right side of E_S[(mean_S ‖J_i v‖²)^k] ≤ (2/η)^k for
// every unit vector v, what stability controls before (32) trades the batch mean
// for B^{k−1}; BatchMoments has the left side.
func Theorem2BatchLimit(k int, eta float64) float64 { return math.Pow(2/eta, float64(k)) }

// Theorem2NormLimit bounds max_i ‖J_i‖₂² at a minimum that is stable of order k,
// without w: with P the chance that a batch holds a given sample, B/n without
// replacement and 1 − (1−1/n)^B with it,
//
//	max_i ‖J_i‖₂² ≤ (B/η)(1 + (1/P)^{1/k}), k even;   (B/η)(1 + (2/P − 1)^{1/k}), k odd.
//
// For batches that hold sample i, η s ≥ (η/B)‖J_i‖² along its top singular vector.
func Theorem2NormLimit(k, n int, sampling Sampling, batch int, eta float64) float64 {
	sampling.check(n, batch)
	held := float64(batch) / float64(n)
	if sampling == WithReplacement {
		held = -math.Expm1(float64(batch) * math.Log1p(-1/float64(n)))
	}
	excess := 1 / held
	if k%2 == 1 {
		excess = 2/held - 1
	}
	return float64(batch) / eta * (1 + math.Pow(excess, 1/float64(k)))
}

// Theorem2SecondLimit is what order 2 says along a unit vector v, sharper than
// (30): with m_q = (1/n) Σ_i ‖J_i v‖^{2q},
//
//	p m_2 + (1−p) m_1² ≤ 2 m_1/η,   so that   m_2 ≤ min(4n/η², 1/(p(1−p)η²)) for p < ½,
//
// and 4/η² for p ≥ ½, about a quarter of (30) for 1 ≪ B ≪ n. There is equality for p
// from ½ on where all samples are alike, and in 4n/η² for B = n.
func Theorem2SecondLimit(n int, sampling Sampling, batch int, eta float64) float64 {
	p := sampling.BatchVariance(n, batch)
	if p >= 0.5 {
		return 4 / (eta * eta)
	}
	return min(4*float64(n), 1/(p*(1-p))) / (eta * eta)
}

// Theorem2Left returns the left sides of (30), its largest value over the parameters
// and the parameter j that has it, and of (34), its sum, from sums as in
// CoordinateThreshold: m×w, row-major, m ≥ k, S_k(j) in row k − 1.
func Theorem2Left(sums []float64, w, k, n int) (largest float64, j int, sum float64) {
	if w < 1 || k < 1 || n < 1 || len(sums) < k*w {
		panic("stability: sums are not m×w with m ≥ k")
	}
	for p, v := range sums[(k-1)*w : k*w] {
		v /= float64(n)
		sum += v
		if v > largest {
			largest, j = v, p
		}
	}
	return largest, j, sum
}

// LargestNorm returns max_i ‖J_i‖₂² = max_i ‖H_i‖, the left side of Theorem2NormLimit.
func (s *Span) LargestNorm() float64 {
	norms, _ := s.topSingular()
	largest := 0.0
	for _, v := range norms {
		largest = max(largest, v)
	}
	return largest
}
