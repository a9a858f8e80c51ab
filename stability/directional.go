package stability

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// ScalarThreshold returns the learning rate at which the k-th moment of SGD stops
// to contract along one direction v, for q_i = ‖J_i v‖² and s = mean_S q. For even k
// it is the positive root η of
//
//	E_S[(1 − η s)^k] = 1,
//
// for odd k the root of E_S[(1 − η s)^k] = −1 (oddRoot); +Inf if q is zero. Stability
// of order k implies η ≤ this for every unit v, so each is an upper bound of η*_k
// for even k, and of the order's threshold for odd k (Ma & Ying, 2021, proof of
// Theorem 2). Relative errors are about 1e-14 at k = 2 and 1e-12 at k = 8.
func ScalarThreshold(q []float64, k int, s Sampling, batch int) float64 {
	return momentThreshold(BatchMoments(q, k, s, batch))
}

// momentThreshold is ScalarThreshold from the moments 0 … k of s.
func momentThreshold(moments []float64) float64 {
	k := len(moments) - 1
	scale := math.Pow(moments[k], 1/float64(k))
	if scale == 0 {
		return math.Inf(1)
	}
	// In units of 1/‖s‖_k the root is at most 2, by Minkowski's inequality for
	// even k and by x^k ≤ 2^{k−1}((x−1)^k + 1), x ≥ 0, for odd k (Lemma 2).
	polynomial := make([]float64, k+1)
	unit := 1.0
	for m := 1; m <= k; m++ {
		unit *= -float64(k-m+1) / float64(m) / scale
		polynomial[m] = unit * moments[m]
	}
	if k%2 == 0 {
		return evenRoot(polynomial) / scale
	}
	return oddRoot(polynomial) / scale
}

// evenRoot returns the root in (0, 2] of p = E[(1 − x s)^k] − 1 = Σ_{m≥1} p_m x^m. The
// function is convex and falls from p(0) = 0, so p(x)/x is increasing: the root is
// the only one. Without the common factor x all terms are small where the root
// is badly scaled against E s, and no digits cancel against the 1.
func evenRoot(p []float64) float64 { return increasingRoot(p[1:], 2) }

// increasingRoot returns the root in (0, hi] of the increasing polynomial Σ p_m x^m,
// negative at 0, by Newton's method inside a bracket; hi where it is negative
// by rounding only.
func increasingRoot(p []float64, hi float64) float64 {
	lo, x := 0.0, hi
	for range 200 {
		value, slope := horner(p, x)
		if value < 0 {
			lo = x
		} else {
			hi = x
		}
		next := x - value/slope
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
		}
		if math.Abs(next-x) <= 1e-16*x || next == lo || next == hi {
			break
		}
		x = next
	}
	return x
}

// horner returns Σ p_m x^m and its derivative.
func horner(p []float64, x float64) (value, slope float64) {
	for m := len(p) - 1; m >= 0; m-- {
		slope = slope*x + value
		value = value*x + p[m]
	}
	return value, slope
}

// Sizes of the search for the worst direction.
const (
	directionSamples = 256
	directionAxes    = 64
	directionRefined = 4
	directionSteps   = 300
)

// DirectionalThreshold returns a unit vector v in the span (in its coordinates)
// with a small ScalarThreshold of q_i = ‖J_i v‖², and that threshold: an upper bound of
// η*_k. The search starts at the top right singular vectors of the 256 largest
// J_i and at the 64 leading eigenvectors of H; from the best four it descends on
// the sphere, with the gradient of the implicit root and Barzilai–Borwein steps
// that are cut until the root falls. It may miss the least value; what it returns
// is a bound all the same. The least value itself is not η*_k: on small networks it
// was up to 1.14 times η*_4 and 1.36 times η*_2, most at B = 1. v is nil and the
// threshold +Inf if the span is empty.
func (s *Span) DirectionalThreshold(k int, sampling Sampling, batch int) (eta float64, v []float64) {
	checkMoments(k, s.N, sampling, batch)
	search := newDirectionSearch(s, k, sampling, batch)
	best := math.Inf(1)
	for _, start := range search.starts() {
		candidate := search.descend(start)
		if value := ScalarThreshold(s.Curvatures(candidate), k, sampling, batch); value < best {
			best, v = value, candidate
		}
	}
	return best, v
}

// Curvatures returns q_i = ‖J_i v‖² of every sample, for v in the coordinates of
// the span.
func (s *Span) Curvatures(v []float64) []float64 {
	z := make([]float64, s.N*s.C)
	s.project(z, v)
	return squares(make([]float64, s.N), z, s.C)
}

// project sets z to Q v.
func (s *Span) project(z, v []float64) {
	eachChunk(s.Workers, len(z), func(from, to int) {
		for row := from; row < to; row++ {
			z[row] = floats.Dot(s.Q[row*s.Rank:(row+1)*s.Rank], v)
		}
	})
}

// squares sets q_i to the sum of squares of the c elements of z that belong to
// sample i.
func squares(q, z []float64, c int) []float64 {
	for i := range q {
		q[i] = 0
		for _, v := range z[i*c : (i+1)*c] {
			q[i] += v * v
		}
	}
	return q
}
