package bound

import (
	"fmt"
	"math"

	"sobolev/seminorm"
)

// Gradients holds ‖·‖_{2k} of the gradients of output c at sample i, n×c
// row-major, for one order k.
type Gradients struct {
	Outputs int
	// Input is ‖∇_x f_c(x_i)‖, Delta is ‖δ_ic‖, all positions of a convolution
	// taken apart.
	Input, Delta []float64
	// Weights is ‖∇_W f_c(x_i)‖ in all parameters. For the unshared form of a
	// convolution it is (Σ_q ‖δ_q x_qᵀ‖_{2k}^{2k})^{1/2k} over the positions q, as
	// if each had weights of its own.
	Weights []float64
	// InputNorms holds ‖x_i‖_{2k}, n of them; for the unshared form the least norm
	// of the patches, min_q ‖x_q‖_{2k}.
	InputNorms []float64
}

// Proposition2 evaluates (38) of Ma & Ying (2021), Proposition 2, for a dense
// first layer, at the sample and output where its sharp form is tightest:
//
//	‖∇_x f‖_{2k} ≤ N_k ‖δ‖_{2k} = (N_k/‖x‖_{2k}) ‖∇_{W₁} f‖_{2k} ≤ (N_k/‖x‖_{2k}) ‖∇_W f‖_{2k}.
//
// The form in δ also holds at x = 0. A convolution does not satisfy it: see
// Proposition2Unshared.
func Proposition2(k int, l FirstLayer, g Gradients) Bound {
	return pointwise("proposition 2", k, l.dense(k), l.logNorm(), g)
}

// Proposition2Unshared evaluates what is true of a convolutional first layer,
// with the Toeplitz matrix W_conv in place of W₁ (l.OperatorNorm is
// ‖W_convᵀ‖_{2k}) and the gradients that unshared weights would have:
//
//	‖∇_x f‖_{2k} ≤ N_k ‖δ‖_{2k} ≤ (N_k/min_q ‖x_q‖_{2k}) (Σ_q ‖δ_q x_qᵀ‖_{2k}^{2k})^{1/2k}.
//
// Stability controls the shared gradient alone, so no theorem follows from it.
func Proposition2Unshared(k int, l FirstLayer, g Gradients) Bound {
	return pointwise("proposition 2 (unshared)", k, []Hypothesis{l.norm(k)}, l.logNorm(), g)
}

func pointwise(statement string, k int, needs []Hypothesis, logNorm float64, g Gradients) Bound {
	checkOrder(k)
	g.check()
	needs = also(needs, g.finite())
	at := g.tightest()
	sample := at / g.Outputs
	x := g.InputNorms[sample]
	printed := form{
		log: logNorm + math.Log(g.Weights[at]) - math.Log(x), free: true,
		needs: also(needs, inputHypothesis("input is not zero", k, sample, x)),
	}
	delta := form{name: "delta", log: logNorm + math.Log(g.Delta[at]), free: true, needs: needs}
	return conclude(statement, k, g.Input[at], 0, printed, delta)
}

func (g *Gradients) check() {
	n := len(g.InputNorms)
	if g.Outputs < 1 || n < 1 || len(g.Input) != n*g.Outputs || len(g.Delta) != n*g.Outputs || len(g.Weights) != n*g.Outputs {
		panic("bound: gradients must be n×c, and input norms n")
	}
}

// finite is the hypothesis that all gradients are numbers.
func (g *Gradients) finite() Hypothesis {
	for i := range g.Input {
		if !finite(g.Input[i]) || !finite(g.Delta[i]) || !finite(g.Weights[i]) {
			return Hypothesis{"finite gradients", Unknown, fmt.Sprintf("that of sample %d, output %d is not finite, or its powers underflow", i/g.Outputs, i%g.Outputs)}
		}
	}
	return Hypothesis{"finite gradients", Yes, fmt.Sprintf("%d of them", len(g.Input))}
}

// tightest returns the index of the largest ‖∇_x f‖/‖δ‖; 0 where all are 0/0.
func (g *Gradients) tightest() int {
	at, largest := 0, 0.0
	for i, v := range g.Input {
		if ratio := v / g.Delta[i]; ratio > largest {
			at, largest = i, ratio
		}
	}
	return at
}

// joint is the seminorm over samples and outputs of g_x.
func (g *Gradients) joint(norms []float64, k int) float64 {
	return seminorm.AtPoints(norms, g.Outputs, k).Joint
}
