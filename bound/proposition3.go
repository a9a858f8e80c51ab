package bound

import "math"

// Ball is what Proposition 3 and Corollary 5 know of the neighbourhood of one
// sample x_*, for one output and one order k.
type Ball struct {
	Sample int
	Radius float64
	// Norm is ‖x_*‖_{2k}, Norm2 is ‖x_*‖₂.
	Norm, Norm2 float64
	// Gradient is ‖∇_W f(x_*)‖_{2k} in all parameters; FirstGradient is that in the
	// first layer's weights, and bias if there is one; NaN if it was not measured.
	Gradient, FirstGradient float64
	Smoothness              Smoothness
	// DeltaSup is an upper value of sup ‖δ(z_* + u)‖_{2k} over ‖u‖₂ ≤ ‖W₁‖₂ δ, z_*
	// the first layer's pre-activations at x_*.
	DeltaSup Constant
	// Measured is the largest ‖∇_x f‖_{2k} found in the ball.
	Measured float64
}

// Proposition3 evaluates (41) of Ma & Ying (2021), Proposition 3: for
// ‖x − x_*‖₂ ≤ δ ≤ δ_approx ‖x_*‖₂/‖W₁‖₂,
//
//	‖∇_x f(x)‖_{2k} ≤ (C_s N_k/‖x_*‖_{2k}) (‖∇_W f(x_*)‖_{2k} + 1).
//
// Sharper: the gradient of the first layer alone, if Definition 1 holds for it;
// with a bias, x_* has one more coordinate, which is 1, so that ‖x_*‖ grows, and
// if Definition 1 lets the bias move, larger balls are reached and x_* = 0 is
// allowed; and without Definition 1
//
//	‖∇_x f(x)‖_{2k} ≤ N_k sup ‖δ‖_{2k}.
func Proposition3(k int, l FirstLayer, b Ball) Bound {
	checkOrder(k)
	same := func(gradient float64) float64 { return math.Log(gradient + 1) }
	printed, others := b.forms(k, l, same, same)
	return conclude("proposition 3", k, b.Measured, 0, printed, others...)
}

// forms returns the printed form and the sharper ones; excess and firstExcess
// give the logarithm of what stands for ‖∇f‖ + 1, for all parameters and for the
// first layer's.
func (b *Ball) forms(k int, l FirstLayer, excess, firstExcess func(gradient float64) float64) (printed form, others []form) {
	logC := l.logNorm() + math.Log(b.Smoothness.Constant.Value)
	logFirst := l.logNorm() + math.Log(b.Smoothness.FirstLayer.Value)
	reach := b.Smoothness.within(radius, "‖x‖₂", b.Radius, b.Norm2, l.Spectral)
	reached := also(l.dense(k), inputHypothesis("input is not zero", k, b.Sample, b.Norm), reach)
	printed = form{
		log: logC - math.Log(b.Norm) + excess(b.Gradient), free: true,
		needs: also(reached, b.Smoothness.needs(), finiteGradient(b.Gradient)),
	}
	norm := b.Norm
	if l.Bias {
		// The gradient in W₁ and b₁ is δ (x_*, 1)ᵀ.
		norm, reached = b.biased(k, l, reach)
		others = append(others, form{
			name: "with the bias", log: logC - math.Log(norm) + excess(b.Gradient), free: true,
			needs: also(reached, b.Smoothness.needs(), finiteGradient(b.Gradient)),
		})
	}
	others = append(others, form{
		name: "first layer", log: logFirst - math.Log(norm) + firstExcess(b.FirstGradient), free: true,
		needs: also(reached, b.Smoothness.firstNeeds(), finiteGradient(b.FirstGradient)),
	})
	return printed, append(others, form{
		name: "delta", log: l.logNorm() + math.Log(b.DeltaSup.Value), free: true,
		needs: also(l.dense(k), positiveRadius(b.Radius), supremum(b.DeltaSup)),
	})
}

// biased returns ‖(x_*, 1)‖_{2k}, and the hypotheses for reaching the ball: where
// b₁ moves too, the larger radius; else x_* must do, and not be zero.
func (b *Ball) biased(k int, l FirstLayer, reach Hypothesis) (norm float64, needs []Hypothesis) {
	p := float64(2 * k)
	norm = math.Exp(logSum(p*math.Log(b.Norm), 0) / p)
	if b.Smoothness.Bias {
		reach = b.Smoothness.within(radiusBias, "√(‖x‖₂²+1)", b.Radius, math.Hypot(b.Norm2, 1), l.Spectral)
	}
	return norm, also(l.dense(k), reach)
}

func supremum(c Constant) Hypothesis {
	return constantHypothesis("supremum of delta", "sup ‖δ‖", c, 0)
}

func finiteGradient(v float64) Hypothesis {
	if !finite(v) || v < 0 {
		return Hypothesis{"finite gradient", Unknown, "‖∇_W f‖ was not measured, or is not finite"}
	}
	return Hypothesis{"finite gradient", Yes, ""}
}
