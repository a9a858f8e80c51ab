package bound

import "math"

// Corollary5 evaluates (43) of Ma & Ying (2021), Corollary 5: as Proposition 3,
// but with the constant of Definition 1 for some other order l (b.Smoothness),
//
//	‖∇_x f(x)‖_{2k} ≤ (√w C_s N_k/‖x_*‖_{2k}) (‖∇_W f(x_*)‖_{2k} + 1).
//
// Norms of w numbers differ by at most w^{|1/2k − 1/2l|}, the sharper factor; for
// l < k, where it is the norm of ∇_W f that grows, it does not touch the 1.
// Further forms are as in Proposition 3. All parameters are w; the first layer has
// w₁, and its m biases.
func Corollary5(k, l, parameters int, layer FirstLayer, b Ball) Bound {
	checkOrder(k)
	checkOrder(l)
	if parameters < 1 {
		panic("bound: the number of parameters must be at least 1")
	}
	exponent := 1/float64(2*k) - 1/float64(2*l)
	excess := func(logCount float64) func(float64) float64 {
		return func(gradient float64) float64 {
			// Order l to order k outside the bracket, k to l inside.
			outside, inside := max(0, exponent)*logCount, max(0, -exponent)*logCount
			return outside + logSum(inside+math.Log(gradient), 0)
		}
	}
	logFirst := layer.logWeights()
	if layer.Bias {
		logFirst = logSum(logFirst, logInt(layer.Width))
	}
	printed, others := b.forms(k, layer, excess(logInt(parameters)), excess(logFirst))
	exact := printed
	exact.name, exact.free = "exponent", k == l
	for i := range others {
		others[i].free = k == l || others[i].name == "delta"
	}
	printed.log = layer.logNorm() + math.Log(b.Smoothness.Constant.Value) - math.Log(b.Norm) + math.Log(b.Gradient+1) + logInt(parameters)/2
	printed.free = false
	return conclude("corollary 5", k, b.Measured, 0, printed, append(others, exact)...)
}
