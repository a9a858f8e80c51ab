package bound

import "math"

// Corollary4 evaluates (39) of Ma & Ying (2021), Corollary 4 (at k = 1 their
// (6)), Proposition 2 averaged over the samples:
//
//	g_x ≤ N_k ((1/n) Σ_ic ‖δ_ic‖_{2k}^{2k})^{1/2k} ≤ (N_k/min_i ‖x_i‖_{2k}) g_W.
//
// The first form is the sharp one; it needs no input to be different from zero.
// In between is that with each sample's own ‖x_i‖.
func Corollary4(k int, l FirstLayer, g Gradients) Bound {
	return averaged("corollary 4", k, l.dense(k), l.logNorm(), g)
}

// Corollary4Unshared is Corollary4 for a convolutional first layer, in the form
// of Proposition2Unshared.
func Corollary4Unshared(k int, l FirstLayer, g Gradients) Bound {
	return averaged("corollary 4 (unshared)", k, []Hypothesis{l.norm(k)}, l.logNorm(), g)
}

func averaged(statement string, k int, needs []Hypothesis, logNorm float64, g Gradients) Bound {
	checkOrder(k)
	g.check()
	needs = also(needs, g.finite())
	least := 0
	for i, x := range g.InputNorms {
		if math.IsNaN(x) {
			least = i // which the hypothesis reports
			break
		}
		if x < g.InputNorms[least] {
			least = i
		}
	}
	own := make([]float64, len(g.Weights))
	for i, v := range g.Weights {
		own[i] = v / g.InputNorms[i/g.Outputs]
	}
	byWeights := also(needs, inputHypothesis("no input is zero", k, least, g.InputNorms[least]))
	log := func(norms []float64) float64 { return logNorm + math.Log(g.joint(norms, k)) }
	return conclude(statement, k, g.joint(g.Input, k), 0,
		form{log: log(g.Weights) - math.Log(g.InputNorms[least]), free: true, needs: byWeights},
		form{name: "own norms", log: log(own), free: true, needs: byWeights},
		form{name: "delta", log: log(g.Delta), free: true, needs: needs})
}
