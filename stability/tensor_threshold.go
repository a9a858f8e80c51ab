package stability

import (
	"math"

	"sobolev/internal/kernel"
)

// Points of the scan for the first crossing of an odd order, and what rounding may
// put an eigenvalue above one.
const (
	crossingScan  = 32
	crossingSlack = 1e-12
)

// stable says whether all eigenvalues of T_k lie in [−1, 1].
func (t *Tensor) stable(eta float64) bool {
	m, work := t.At(eta), make([]float64, t.Size*t.Size)
	inside := func(sign float64) bool {
		clear(work)
		kernel.Axpy(work, -sign, m)
		for i := range t.Size {
			work[i*t.Size+i] += 1 + crossingSlack
		}
		return positiveDefinite(t.Size, work)
	}
	// Even orders: the largest eigenvalue is the spectral radius.
	return inside(1) && (t.K%2 == 0 || inside(-1))
}

// Crossing returns the first η in [from, to] at which the spectral radius of T_k
// exceeds one, or to. For even k the stable learning rates are an interval, and it
// is bisected. For odd k that is not proven: 32 points are looked at first.
func (t *Tensor) Crossing(from, to float64) float64 {
	if t.K%2 == 1 {
		step := (to - from) / crossingScan
		for j := range crossingScan {
			if at := from + float64(j+1)*step; !t.stable(at) {
				from, to = from+float64(j)*step, at
				break
			} else if j == crossingScan-1 {
				return to
			}
		}
	}
	for to-from > 1e-12*to {
		middle := from + (to-from)/2
		if middle == from || middle == to {
			break
		}
		if t.stable(middle) {
			from = middle
		} else {
			to = middle
		}
	}
	return from
}

// OrderThreshold returns η*_k, the largest learning rate at which SGD is linearly
// stable of order k, from dense tensors: for small problems. k = 1 is 2/λ_max(H);
// even k is where ρ(T_k) on the span reaches one. An odd k ≥ 3 needs in addition,
// if there are more parameters than the span has dimensions, stability of order
// k−1: T_k on Sym^k(R^w) has the eigenvalues of all T_j on the span, j ≤ k.
// Errors are those of Tensor.
func (s *Span) OrderThreshold(k int, sampling Sampling, batch, parameters int) (float64, error) {
	mean := s.MeanThreshold()
	if k == 1 || math.IsInf(mean, 1) {
		return mean, nil
	}
	t, err := s.Tensor(k, sampling, batch)
	if err != nil {
		return 0, err
	}
	below := mean
	if k%2 == 1 && parameters > s.Rank {
		if below, err = s.OrderThreshold(k-1, sampling, batch, parameters); err != nil {
			return 0, err
		}
	}
	// Up to 2/max ‖H_i‖ every step is a contraction: all orders are stable.
	return t.Crossing(min(below, 2/s.LargestNorm()), below), nil
}
