package bound

import "math"

// Theorem3 evaluates (40) of Ma & Ying (2021), Theorem 3, for measured = g_x =
// ((1/n) Σ_i Σ_c ‖∇_x f_c(x_i)‖_{2k}^{2k})^{1/2k}:
//
//	g_x ≤ (N_k/min_i ‖x_i‖_{2k}) (w/B)^{1/2k} √(2B/η).
//
// Sharper: only the w₁ weights of the first layer count; only nc directions
// count, whatever w₁; with a first-layer bias, whose gradient is δ, its m
// coordinates do and ‖x‖ leaves; at k = 1 stability of order 2 bounds the trace;
// the largest gradient is bounded without any count, up to c^{1/2k} for the sum
// over outputs.
func Theorem3(k int, s Solution, l FirstLayer, measured float64) Bound {
	checkOrder(k)
	stable, dense := s.needs(k), l.dense(k)
	byWeights := also(union(stable, dense), l.nonzero(k))
	inverse := l.logNorm() - math.Log(l.MinNorm)
	counted := func(logCount float64) float64 { return (logCount + s.logMoment(k)) / float64(2*k) }
	free := s.logFreeGradient(k) + logInt(s.Outputs)/float64(2*k)

	printed := form{log: inverse + counted(logInt(s.Parameters)), needs: byWeights}
	others := []form{
		{name: "first-layer weights", log: inverse + counted(l.logWeights()), needs: byWeights},
		{name: "samples", log: inverse + counted(s.logDirections()), free: true, needs: byWeights},
		{name: "largest gradient", log: inverse + free, free: true, needs: byWeights},
	}
	if l.Bias {
		byBias := union(stable, dense)
		others = append(others,
			form{name: "bias", log: l.logNorm() + counted(logInt(l.Width)), needs: byBias},
			form{name: "bias, samples", log: l.logNorm() + counted(s.logDirections()), free: true, needs: byBias},
			form{name: "bias, largest gradient", log: l.logNorm() + free, free: true, needs: byBias})
	}
	if k == 1 && s.Rank > 0 {
		others = append(others, form{name: "trace", log: inverse + s.logTrace()/2, free: true, needs: union(byWeights, s.needs(2))})
	}
	return conclude("theorem 3", k, measured, 0, printed, others...)
}
