package stability

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// SpectralRadius2 returns ρ(T_2) on the symmetric matrices of the span at learning
// rate η, the factor by which the second moments grow or shrink in a step.
//
//	T_2 X = X − η(HX+XH) + η² D X
//
// maps the cone into itself, so that ρ is its largest eigenvalue (Krein and
// Rutman). Lower, which is Value, is a Rayleigh quotient; Upper has a certificate
// as in MeanSquareThreshold, or is 1 because η is at most threshold.Lower:
// threshold is what MeanSquareThreshold returned for the same batches. Exact is as
// there, but to 1e-4 below the threshold: 1−ρ is at most 2η·λ_min(H) there, and the
// eigenvalues of T_2 that crowd below one would take hundreds of applications to
// tell apart.
func (s *Span) SpectralRadius2(eta float64, sampling Sampling, batch int, threshold Bracket, memory int64) (Bracket, error) {
	sampling.check(s.N, batch)
	if s.Rank == 0 {
		return Bracket{Exact: true, Warnings: []string{"all gradients are zero: their span is empty"}}, nil
	}
	b := Bracket{Lower: s.rankOneRadius(eta, sampling, batch), Upper: math.Inf(1)}
	if eta <= threshold.Lower {
		b.Upper = 1
	}
	if eta > threshold.Upper {
		b.Lower = max(1, b.Lower)
	}
	gap := s.thresholdGap()
	if b.Upper == 1 {
		gap = max(gap, 1e-4)
	}
	if b.Upper/b.Lower-1 > gap {
		columns, err := s.columns(memory)
		if err != nil {
			return Bracket{}, err
		}
		a := s.newRadiusMap(eta, sampling, batch)
		found := a.largest(a.identity(), gap, columns)
		b.Lower, b.Upper, b.Applications = max(b.Lower, found.lower), min(b.Upper, found.upper), found.applications
	}
	b.Value = b.Lower
	b.Exact = b.Upper/b.Lower-1 <= gap
	if !b.Exact {
		b.Warnings = append(b.Warnings, "the bounds of the spectral radius do not meet")
	}
	return b.of(sampling, s.N, batch), nil
}

// rankOneRadius is the largest Rayleigh quotient of T_2 with X = e_a e_aᵀ,
// (1−ηh_a)² + η² p Var_i ‖Q_i e_a‖².
func (s *Span) rankOneRadius(eta float64, sampling Sampling, batch int) float64 {
	n, p, largest := float64(s.N), sampling.BatchVariance(s.N, batch), 0.0
	perSample := make([]float64, s.N)
	for j, l := range s.Lambda {
		for i := range perSample {
			perSample[i] = 0
			for o := range s.C {
				q := s.Q[(i*s.C+o)*s.Rank+j]
				perSample[i] += q * q
			}
		}
		h := l / n
		variance := floats.Dot(perSample, perSample)/n - h*h
		largest = max(largest, (1-eta*h)*(1-eta*h)+eta*eta*p*max(0, variance))
	}
	return largest
}

// FullRadius returns the spectral radius of T_k on all of R^w from that on the
// span: max(1, ρ) if there are more parameters than the span has dimensions, as
// nothing moves in the others.
func (s *Span) FullRadius(radius float64, parameters int) float64 {
	if parameters > s.Rank {
		return max(1, radius)
	}
	return radius
}
