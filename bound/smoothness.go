package bound

import (
	"fmt"
	"math"
)

// Smoothness is Ma & Ying (2021), Definition 1, for one order k and every output:
//
//	‖∇_W f(x_i, W* + V)‖_{2k} ≤ C_s (‖∇_W f(x_i, W*)‖_{2k} + 1)   for ‖V‖_F ≤ δ_approx.
//
// Only perturbations of the first layer's weights are needed. A C_s that was
// found by a search is a value from below: Assumed.
type Smoothness struct {
	Constant Constant
	// Approx is δ_approx; 0 or NaN if it is not known.
	Approx float64
	// FirstLayer is the constant for the gradient in the first layer's weights
	// (and bias, if there is one) on both sides.
	FirstLayer Constant
	// Bias says that the constants hold for perturbations of the first layer's
	// weights and bias together, of which the norm is then taken.
	Bias bool
}

const (
	definition1      = "definition 1"
	definition1First = "definition 1 for the first layer"
	radius           = "radius"
	radiusBias       = "radius with the bias"
)

func (s *Smoothness) needs() Hypothesis {
	return positiveConstant(definition1, "C_s", s.Constant)
}

func (s *Smoothness) firstNeeds() Hypothesis {
	return positiveConstant(definition1First, "C_s", s.FirstLayer)
}

func positiveConstant(name, symbol string, c Constant) Hypothesis {
	return constantHypothesis(name, symbol, c, math.SmallestNonzeroFloat64)
}

// positiveRadius is what every statement on a neighbourhood needs.
func positiveRadius(delta float64) Hypothesis {
	switch {
	case math.IsNaN(delta):
		return Hypothesis{radius, Unknown, "no radius δ was given"}
	case !(delta > 0) || !finite(delta):
		return Hypothesis{radius, No, fmt.Sprintf("δ = %v is not positive and finite", delta)}
	}
	return Hypothesis{radius, Yes, fmt.Sprintf("δ = %.6g", delta)}
}

// within says whether a ball of radius δ around x is reached by perturbations
// that Definition 1 allows: V = W₁(x' − x)xᵀ/‖x‖₂² takes x' for x and has
// ‖V‖_F ≤ ‖W₁‖₂ δ/‖x‖₂. norm is ‖x‖₂, or √(‖x‖₂² + 1) with the bias's input.
func (s *Smoothness) within(name, symbol string, delta, norm, spectral float64) Hypothesis {
	if h := positiveRadius(delta); h.Holds != Yes {
		return Hypothesis{name, h.Holds, h.Evidence}
	}
	switch {
	case math.IsNaN(s.Approx) || s.Approx == 0:
		return Hypothesis{name, Unknown, "no δ_approx is known"}
	case !(spectral >= 0) || !(norm >= 0):
		return Hypothesis{name, Unknown, fmt.Sprintf("‖W₁‖₂ = %v, %s = %v", spectral, symbol, norm)}
	}
	limit := s.Approx * norm / spectral
	compared := fmt.Sprintf("%.6g = δ_approx %s/‖W₁‖₂", limit, symbol)
	if !(delta <= limit) {
		return Hypothesis{name, No, fmt.Sprintf("δ = %.6g > %s", delta, compared)}
	}
	return Hypothesis{name, Yes, fmt.Sprintf("δ = %.6g <= %s", delta, compared)}
}
