package stability

import (
	"errors"
	"math"
)

// thresholdGap is the largest upper/lower − 1 of an exact bracket: 1e-6 where
// there are up to 2,000 gradients, 1e-3 above.
func (s *Span) thresholdGap() float64 {
	if s.N*s.C <= 2000 {
		return 1e-6
	}
	return 1e-3
}

// MeanSquareMemory returns the bytes below which MeanSquareThreshold may fail for n
// samples with c outputs, beside K and the Span: about seven matrices nc×nc.
func MeanSquareMemory(n, c int) int64 {
	s := Span{N: n, C: c, Rank: n * c}
	return s.mapBytes() + 8*s.vectorBytes()
}

// columns returns how many vectors of a Krylov basis fit into memory bytes, beside
// the map and five vectors of work.
func (s *Span) columns(memory int64) (int, error) {
	fit := (memory-s.mapBytes())/s.vectorBytes() - 6
	if fit < 2 {
		return 0, errors.New("the exact mean-square stability of this many gradients needs more memory")
	}
	return int(min(fit, krylovColumns)), nil
}

// MeanSquareThreshold returns η*_var(B), the largest learning rate at which SGD is
// linearly stable in the mean square (order k = 2), with its proof:
//
//	η*_var = 2/λ_max(C⁻¹D),  C X = (HX+XH)/2,  D X = (1−p) HXH + (p/n) Σ_i H_i X H_i
//
// on the symmetric matrices of the span, with p of Sampling.BatchVariance
// (Mulayoff & Michaeli, 2024, Theorem 3). Upper is a Rayleigh quotient, from
// below of λ_max; Lower has a matrix G > 0 with C⁻¹D G ≤ (2/Lower) G. Value is
// Upper, which is off by the square of what the eigenmatrix is. The bracket is
// Exact if Upper/Lower − 1 is at most 1e-6 for up to 2,000 gradients, 1e-3 above.
//
// An application takes 2·nc·r² operations. memory limits the bytes of working
// memory: fewer than 150 vectors of r²/2 float64 mean restarts and more
// applications, and an error that not even two fit (see MeanSquareMemory). For Epochs the bracket is
// that of WithoutReplacement, not Exact, and Warnings say so.
func (s *Span) MeanSquareThreshold(sampling Sampling, batch int, memory int64) (Bracket, error) {
	sampling.check(s.N, batch)
	if s.Rank == 0 {
		return unlimited(), nil
	}
	if sampling.BatchVariance(s.N, batch) == 0 {
		eta := s.MeanThreshold()
		return Bracket{Value: eta, Lower: eta, Upper: eta, Exact: true}, nil
	}
	columns, err := s.columns(memory)
	if err != nil {
		return Bracket{}, err
	}
	a := s.newMomentMap(sampling, batch)
	b := s.thresholdOf(a.largest(a.identity(), s.thresholdGap(), columns))
	if sampling == Epochs {
		b.Warnings = append(b.Warnings, "the batches of an epoch depend on each other: the mean-square threshold is that of batches drawn without replacement")
	}
	return b.of(sampling, s.N, batch), nil
}

// MeanThreshold returns 2/λ_max(H), the largest learning rate at which the mean is
// stable (order k = 1, any batch), which is gradient descent's; +Inf if all
// gradients are zero.
func (s *Span) MeanThreshold() float64 {
	if s.Rank == 0 {
		return math.Inf(1)
	}
	return 2 * float64(s.N) / s.Lambda[0]
}

// thresholdOf turns a bracket of λ_max(C⁻¹D) into one of 2/λ_max, with what is
// known before: η*_var ≤ 2/λ_max(H).
func (s *Span) thresholdOf(found perron) Bracket {
	upper := min(2/found.lower, s.MeanThreshold())
	b := Bracket{Value: upper, Lower: min(2/found.upper, upper), Upper: upper, Applications: found.applications}
	b.Exact = b.Upper/b.Lower-1 <= s.thresholdGap()
	if !b.Exact {
		b.Warnings = append(b.Warnings, "the bounds of the mean-square threshold do not meet")
	}
	return b
}
