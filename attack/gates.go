package attack

import (
	"cmp"
	"math"
	"slices"

	"sobolev/nn"
)

// turned returns an upper value of ‖(a′(z′) − a′(z)) p‖₂ for all z′ that z encloses.
// bound holds one for each element. Together ‖z′ − z‖₂ ≤ E = z.distance allows less:
//
//   - ReLU: a gate turns only if z′_r − z_r is at least |z_r|, so that the gates that
//     turn have Σ z_r² ≤ E², and the largest Σ p_r² of such gates is that of a
//     knapsack, which is no more than if parts of gates could be taken: those with the
//     largest p_r²/z_r² first.
//   - tanh: |a″| ≤ 4/√27, so that it is at most (4/√27) E max|p_r|.
func turned(act nn.Activation, z *interval, p, bound []float64) float64 {
	separately := norm2(bound)
	switch act {
	case nn.ReLU:
		return min(separately, knapsack(z, p, bound))
	case nn.Tanh:
		largest := 0.0
		for _, v := range p {
			largest = max(largest, math.Abs(v))
		}
		return min(separately, 4/math.Sqrt(27)*z.distance*largest*(1+1e-12))
	}
	return separately
}

// knapsack is for the gates whose bound is not zero.
func knapsack(z *interval, p, bound []float64) float64 {
	type gate struct{ cost, gain float64 }
	var gates []gate
	for r, b := range bound {
		if g := (gate{z.v[r] * z.v[r], p[r] * p[r]}); b != 0 && g.gain > 0 {
			gates = append(gates, g)
		}
	}
	slices.SortFunc(gates, func(a, b gate) int { return cmp.Compare(b.gain*a.cost, a.gain*b.cost) })
	budget, sum := z.distance*z.distance*(1+1e-9), 0.0
	for _, g := range gates {
		if g.cost > budget {
			sum += g.gain * budget / g.cost
			break
		}
		budget -= g.cost
		sum += g.gain
	}
	return math.Sqrt(sum) * (1 + 1e-12)
}
