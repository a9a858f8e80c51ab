package bound

import (
	"fmt"
	"math"
)

// FirstLayer is what the bounds of one order k know of the first layer and the
// inputs x_i, which it multiplies.
type FirstLayer struct {
	// Inputs and Width: d and m of W₁, m×d.
	Inputs, Width int
	Bias          bool
	// Shared is set for a convolution: then gradients of the shared weights can
	// cancel and say nothing on ∇_x f.
	Shared bool
	// Obstacle says in words why the first layer is not a matrix that multiplies the
	// inputs, as Proposition 2 needs it; "" where it is one.
	Obstacle string
	// OperatorNorm is an upper value of ‖W₁ᵀ‖_{2k}, Spectral one of ‖W₁‖₂, which
	// only the statements on neighbourhoods need; NaN if there is none.
	OperatorNorm, Spectral float64
	// MinNorm is min_i ‖x_i‖_{2k}, which sample MinSample has; MinNorm2 is
	// min_i ‖x_i‖₂.
	MinNorm, MinNorm2 float64
	MinSample         int
}

func (l *FirstLayer) check() {
	if l.Inputs < 1 || l.Width < 1 {
		panic("bound: the first layer needs at least one input and one output")
	}
}

// sharing is the hypothesis of Proposition 2 that convolutions violate.
func (l *FirstLayer) sharing() Hypothesis {
	l.check()
	const name = "first layer without shared weights"
	if l.Shared {
		return Hypothesis{name, No, "it is a convolution: the gradients of its shared weights can cancel where ∇_x f is not zero"}
	}
	return Hypothesis{name, Yes, fmt.Sprintf("dense, %d×%d", l.Width, l.Inputs)}
}

func (l *FirstLayer) norm(k int) Hypothesis {
	const name = "upper value of the operator norm"
	symbol := fmt.Sprintf("‖W₁ᵀ‖_%d", 2*k)
	if !finite(l.OperatorNorm) || l.OperatorNorm < 0 {
		return Hypothesis{name, Unknown, fmt.Sprintf("no upper value of %s is known (%v)", symbol, l.OperatorNorm)}
	}
	return Hypothesis{name, Yes, fmt.Sprintf("%s <= %.6g", symbol, l.OperatorNorm)}
}

// dense returns the hypotheses of Proposition 2's delta form.
func (l *FirstLayer) dense(k int) []Hypothesis {
	if l.Obstacle != "" {
		l.check()
		return []Hypothesis{{"first layer multiplies the inputs", No, l.Obstacle}}
	}
	return []Hypothesis{l.sharing(), l.norm(k)}
}

// nonzero returns those that make all ‖x_i‖ positive.
func (l *FirstLayer) nonzero(k int) Hypothesis {
	return inputHypothesis("no input is zero", k, l.MinSample, l.MinNorm)
}

func inputHypothesis(name string, k, sample int, norm float64) Hypothesis {
	symbol := fmt.Sprintf("‖x_%d‖_%d", sample, 2*k)
	switch {
	case !finite(norm) || norm < 0:
		return Hypothesis{name, Unknown, fmt.Sprintf("%s is %v", symbol, norm)}
	case norm == 0:
		return Hypothesis{name, No, fmt.Sprintf("sample %d is zero, so the bound is infinite", sample)}
	}
	return Hypothesis{name, Yes, fmt.Sprintf("%s = %.6g", symbol, norm)}
}

func (l *FirstLayer) logNorm() float64 { return math.Log(l.OperatorNorm) }

// logWeights returns log w₁, w₁ = m·d.
func (l *FirstLayer) logWeights() float64 { return logInt(l.Width) + logInt(l.Inputs) }
