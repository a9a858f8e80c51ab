package bound

import (
	"fmt"
	"math"

	"sobolev/seminorm"
)

// Cover is the geometry that (44) needs.
type Cover struct {
	// LogVolume is log V_X, V_X the volume of X_δ.
	LogVolume float64
	// Overlap is K: at least the mean over X_δ of κ(x), the number of balls that
	// contain x; the paper takes the largest κ.
	Overlap Constant
	// LogMeasured is the logarithm of the seminorm (∫_{X_δ} ‖∇_x f_c‖_{2k}^{2k} dx)^{1/2k},
	// the largest over outputs (seminorm.OnBalls, LogIntegral); NaN if it was not measured.
	LogMeasured float64
}

// Theorem4 evaluates (44) of Ma & Ying (2021), Theorem 4, for the seminorm of
// every output over X_δ, an integral that is not divided by the volume:
//
//	|f_c|_{1,2k,X_δ} ≤ (K V_X)^{1/2k} (2 C_s N_k/min_i ‖x_i‖_{2k}) ((w/B)^{1/2k} √(2B/η) + 1).
//
// Sharper: by Minkowski's inequality the 2 leaves; the integral of κ over X_δ is
// n V_ball exactly, so no volume has to be known and K V_X → n V_ball; and the
// gradients are bounded without w.
//
// In many dimensions volumes leave float64. All numbers then stand for
// themselves times V_X^{1/2k} = e^LogFactor, which makes them comparable to g_x.
func Theorem4(k int, s Solution, l FirstLayer, x Neighbourhood, c Cover) Bound {
	checkOrder(k)
	p := float64(2 * k)
	needs := union(s.needs(k), x.needs(k, l))
	q := x.logFactor(l)
	mean := logSum((logInt(s.Parameters)+s.logMoment(k))/p, 0)
	balls := (logInt(s.Samples) + seminorm.LogBallVolume(l.Inputs, x.Radius)) / p

	printed := form{
		log:   (math.Log(c.Overlap.Value)+c.LogVolume)/p + math.Ln2 + q + mean,
		needs: also(needs, c.volume(), constantHypothesis("overlap", "K", c.Overlap, 1)),
	}
	others := []form{
		{name: "tight", log: balls + q + mean, needs: needs},
		{name: "largest gradient", log: balls + q + logSum(s.logFreeGradient(k), 0), free: true, needs: needs},
	}
	if x.Excess != nil {
		excess := seminorm.AtPoints(x.Excess, 1, k).Joint
		others = append(others, form{
			name: "measured gradients", fromGradients: true, free: true, needs: also(x.needs(k, l), finiteGradient(excess)),
			log: balls + math.Log(x.Smoothness.Constant.Value) + l.logNorm() + math.Log(excess),
		})
	}
	delta := x.delta(k, l)
	delta.log += balls
	others = append(others, delta)

	factor := c.factor(p, balls, printed, others)
	b := conclude("theorem 4", k, math.Exp(c.LogMeasured-factor), factor, printed, others...)
	if factor != 0 {
		b.Warnings = append(b.Warnings, fmt.Sprintf("the volume leaves float64: numbers are divided by V_X^(1/%d), whose logarithm is %.6g", 2*k, factor))
	}
	return b
}

func (c *Cover) volume() Hypothesis {
	if !finite(c.LogVolume) {
		return Hypothesis{"volume", Unknown, "that of the union of balls is not known"}
	}
	return Hypothesis{"volume", Yes, fmt.Sprintf("log V_X = %.6g", c.LogVolume)}
}

// logRange is where e^x and a number of magnitudes around it stay in float64.
const logRange = 650

// factor returns log V_X^{1/2k} if one of the forms is out of range; n V_ball
// stands in for a V_X that is not known.
func (c *Cover) factor(p, balls float64, printed form, others []form) float64 {
	logs := []float64{printed.log, c.LogMeasured}
	for _, f := range others {
		logs = append(logs, f.log)
	}
	for _, v := range logs {
		if finite(v) && math.Abs(v) > logRange {
			if finite(c.LogVolume) {
				return c.LogVolume / p
			}
			return finiteOr(balls, 0)
		}
	}
	return 0
}
