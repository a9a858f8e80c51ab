package bound

import "math"

// Neighbourhood is what Theorems 4–7 know of X_δ, the union of the balls of
// radius δ around the samples, for one order k.
type Neighbourhood struct {
	Radius     float64
	Smoothness Smoothness
	// Excess holds max_c (‖∇_W f_c(x_i)‖_{2k} + 1)/‖x_i‖_{2k} of every sample; nil
	// if the gradients were not measured. It gives the forms "measured gradients",
	// which need no stability.
	Excess []float64
	// DeltaSup is the largest Ball.DeltaSup of all samples and outputs.
	DeltaSup Constant
}

// needs returns the hypotheses that Theorems 4–7 share.
func (x *Neighbourhood) needs(k int, l FirstLayer) []Hypothesis {
	return also(l.dense(k), l.nonzero(k), x.Smoothness.needs(),
		x.Smoothness.within(radius, "min‖x‖₂", x.Radius, l.MinNorm2, l.Spectral))
}

// logFactor returns log Q, Q = C_s N_k/min_i ‖x_i‖_{2k}.
func (x *Neighbourhood) logFactor(l FirstLayer) float64 {
	return math.Log(x.Smoothness.Constant.Value) + l.logNorm() - math.Log(l.MinNorm)
}

// sup returns what bounds ‖∇_x f_c‖_{2k} everywhere on X_δ: Q(G + 1), where G
// bounds ‖∇_W f_c(x_i)‖_{2k}:
//
//	printed (2nw/B)^{1/2k} √(2B/η),  tight (nw/B)^{1/2k} √(2B/η),
//	free √((B/η)(1 + q^{−1/k})), see logFreeGradient;
//
// and, of measured numbers, max_i C_s N_k (‖∇_W f_c(x_i)‖ + 1)/‖x_i‖ and
// N_k sup ‖δ‖.
func (x *Neighbourhood) sup(k int, s Solution, l FirstLayer) (printed form, others []form) {
	shared := x.needs(k, l)
	needs := union(s.needs(k), shared)
	q := x.logFactor(l)
	tight := (logInt(s.Samples) + logInt(s.Parameters) + s.logMoment(k)) / float64(2*k)
	free := s.logFreeGradient(k)
	printed = form{log: q + logSum(tight+math.Ln2/float64(2*k), 0), needs: needs}
	others = []form{
		{name: "tight", log: q + logSum(tight, 0), needs: needs},
		{name: "largest gradient", log: q + logSum(free, 0), free: true, needs: needs},
	}
	if x.Excess != nil {
		largest := 0.0
		for _, e := range x.Excess {
			largest = max(largest, e) // keeps NaN
		}
		others = append(others, form{
			name: "measured gradients", fromGradients: true, free: true, needs: also(shared, finiteGradient(largest)),
			log: math.Log(x.Smoothness.Constant.Value) + l.logNorm() + math.Log(largest),
		})
	}
	return printed, append(others, x.delta(k, l))
}

// delta is N_k sup ‖δ‖, which needs neither stability nor Definition 1.
func (x *Neighbourhood) delta(k int, l FirstLayer) form {
	return form{
		name: "delta", fromGradients: true, free: true, log: l.logNorm() + math.Log(x.DeltaSup.Value),
		needs: also(l.dense(k), positiveRadius(x.Radius), supremum(x.DeltaSup)),
	}
}

// logDual returns log d^{(k−1)/2k}: ‖z‖_q ≤ d^{1/q−1/2} ‖z‖₂ for the dual
// exponent q = 2k/(2k−1), with equality where all |z_j| are equal.
func logDual(d, k int) float64 { return float64(k-1) / float64(2*k) * logInt(d) }
