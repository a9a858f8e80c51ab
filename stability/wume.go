package stability

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"sobolev/internal/kernel"
	"sobolev/linop"
)

// Proposition1Threshold returns η_P, the largest learning rate with T_2(I) ≤ I:
//
//	η_P = 2/λ_max(H⁻¹(H² + pΣ)),  Σ = (1/n) Σ_i H_i² − H²,
//
// which is sufficient for stability in the mean square: η_P ≤ η*_var (Ma & Ying,
// 2021, Proposition 1, after Wu, Ma & E, 2018). Any learning rate up to Lower is
// proven; Value is the threshold up to 1e-9.
func (s *Span) Proposition1Threshold(sampling Sampling, batch int) (Bracket, error) {
	sampling.check(s.N, batch)
	if s.Rank == 0 {
		return unlimited(), nil
	}
	m, p := s.meanSquaredCurvature(), sampling.BatchVariance(s.N, batch)
	for a, la := range s.Lambda {
		for b, lb := range s.Lambda {
			m[a*s.Rank+b] *= p * float64(s.N) / math.Sqrt(la*lb)
		}
		m[a*s.Rank+a] += (1 - p) * la / float64(s.N)
	}
	lower, upper, err := largestEigenvalue(s.Rank, m)
	b := Bracket{Value: 2 / lower, Lower: 2 / upper, Upper: 2 / lower, Exact: upper/lower-1 <= 1e-6}
	return b.of(sampling, s.N, batch), err
}

// NonUniformity returns s = √λ_max(Σ) (Wu, Ma & E, 2018).
func (s *Span) NonUniformity() (float64, error) {
	if s.Rank == 0 {
		return 0, nil
	}
	m := s.meanSquaredCurvature()
	for a, l := range s.Lambda {
		h := l / float64(s.N)
		m[a*s.Rank+a] -= h * h
	}
	lower, _, err := largestEigenvalue(s.Rank, m)
	return math.Sqrt(max(0, lower)), err
}

// SharpnessLimit is the largest λ_max(H) that is stable at learning rate η, 2/η.
func SharpnessLimit(eta float64) float64 { return 2 / eta }

// NonUniformityLimit is the largest non-uniformity s = √λ_max(Σ) that is stable in
// the mean square at learning rate η: 1/(η√p), that is √(B(n−1)/(n−B))/η without
// replacement (Wu, Ma & E, 2018); +Inf for the full batch.
func NonUniformityLimit(eta float64, n int, sampling Sampling, batch int) float64 {
	sampling.check(n, batch)
	return 1 / (eta * math.Sqrt(sampling.BatchVariance(n, batch)))
}

// SimpleThreshold returns 2/((1−p) λ_max(H) + p max_i ‖H_i‖) ≤ η_P; sharpness is
// λ_max(H) or a bound of it from above, and norm max_i ‖H_i‖.
func SimpleThreshold(sharpness, norm float64, n int, sampling Sampling, batch int) float64 {
	p := sampling.BatchVariance(n, batch)
	return 2 / ((1-p)*sharpness + p*norm)
}

// meanSquaredCurvature returns (1/n) Σ_i H_i², r×r.
func (s *Span) meanSquaredCurvature() []float64 {
	r, c, m := s.Rank, s.C, s.N*s.C
	rows := make([]float64, m*r)
	for i := range s.N {
		q := s.Q[i*c*r : (i+1)*c*r]
		for a := range c {
			for b := range c {
				kernel.Axpy(rows[(i*c+a)*r:(i*c+a+1)*r], floats.Dot(q[a*r:(a+1)*r], q[b*r:(b+1)*r]), q[b*r:(b+1)*r])
			}
		}
	}
	mean := make([]float64, r*r)
	kernel.Gemm(true, false, r, r, m, 1/float64(s.N), s.Q, r, rows, r, 0, mean, r)
	return mean
}

// largestEigenvalue brackets that of the positive semi-definite matrix m, n×n:
// lower is a Ritz value, upper has a Cholesky factorisation of upper·I − m.
func largestEigenvalue(n int, m []float64) (lower, upper float64, err error) {
	a := blas64.General{Rows: n, Cols: n, Stride: n, Data: m}
	k := &krylov{apply: func(dst, v []float64) {
		blas64.Gemv(blas.NoTrans, 1, a, blas64.Vector{N: n, Inc: 1, Data: v}, 0, blas64.Vector{N: n, Inc: 1, Data: dst})
	}}
	start := make([]float64, n)
	for i := range start {
		// Any vector that is not orthogonal to the eigenvector.
		_, fraction := math.Modf(float64(i+1) * math.Phi)
		start[i] = fraction - 0.3
	}
	k.begin(start)
	k.grow(min(n, krylovColumns), 1e-9)
	lower, _, _ = k.ritz()
	for _, share := range []float64{1e-9, 1e-7} {
		shifted := make([]float64, n*n)
		for i, v := range m {
			shifted[i] = -v
		}
		for i := range n {
			shifted[i*n+i] += lower * (1 + share)
		}
		if positiveDefinite(n, shifted) {
			return lower, lower * (1 + share), nil
		}
	}
	values, _, err := linop.EigenSym(n, m)
	if err != nil {
		return 0, 0, err
	}
	lower = values[n-1]
	return lower, lower * (1 + 1e-9), nil
}
