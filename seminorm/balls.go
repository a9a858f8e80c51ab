package seminorm

import (
	"fmt"
	"math"
)

// Estimate is a Monte Carlo value with its standard error and the interval that
// contains the truth in 95% of the cases, if the draws are many.
type Estimate struct {
	Value, SE    float64
	Lower, Upper float64
}

// Estimates is a Seminorm estimated.
type Estimates struct {
	Joint, Sum Estimate
	PerOutput  []Estimate
}

// OverBalls is the seminorm of f over the union X_δ of n balls.
type OverBalls struct {
	Draws int
	// LogVolume is log V_X, V_X the volume of the union.
	LogVolume Estimate
	// LogIntegral holds the logarithms of (∫_{X_δ} Σ (D^α f)^{2k} dx)^{1/2k}, the
	// left side of Theorem 4; −Inf where f is constant. Logarithms, because the
	// volume of a small ball in many dimensions is below what a float64 holds.
	LogIntegral Estimates
	// Mean holds the same divided by V_X^{1/2k}, which compares with a seminorm
	// on points.
	Mean Estimates
	// Effective is the number of draws that carry the estimate, (Σ h)²/Σ h² of
	// the weighted 2k-th powers h, the least over outputs.
	Effective float64
	Warnings  []string
}

// fewEffective is the number of effective draws below which the normal
// approximation behind the intervals is not to be trusted.
const fewEffective = 30

// LogBallVolume returns the logarithm of the volume of a ball in R^d,
// log(π^{d/2} δ^d / Γ(d/2 + 1)).
func LogBallVolume(d int, radius float64) float64 {
	half := float64(d) / 2
	gamma, _ := math.Lgamma(half + 1)
	return half*math.Log(math.Pi) - gamma + float64(d)*math.Log(radius)
}

// OnBalls estimates the seminorm of order 2k over the union of balls of one
// radius around n points. Draw t is x_t, uniform in a ball that is itself drawn
// uniformly (Karp & Luby, 1983); its density is κ/(n V_ball), κ(x) the number of
// balls that contain x, so that
//
//	V_X = n V_ball E[1/κ],    ∫_{X_δ} h dx = n V_ball E[h(x)/κ(x)].
//
// norms is draws×c row-major, ‖D^q f_c(x_t)‖_{2k}; kappa has one number a draw;
// logBall is LogBallVolume. Standard errors are those of independent draws, by
// the delta method, and intervals are symmetric in the logarithm. Drawing every
// ball equally often is no less accurate; the error is then overstated.
func OnBalls(norms []float64, kappa []int, c, k, n int, logBall float64) OverBalls {
	draws := pointsOf(norms, c, k)
	if len(kappa) != draws || n < 1 {
		panic("seminorm: kappa must have one number a draw, and n ≥ 1")
	}
	e := ballEstimator{draws: draws, p: float64(2 * k)}
	volume := e.weights(kappa)
	out := OverBalls{Draws: draws, Effective: float64(draws)}
	logVolume := math.Log(float64(n)) + logBall + math.Log(volume.mean)
	out.LogVolume = shifted(logVolume, e.standardError(volume.influence))

	column, joint := make([]float64, draws), make([]float64, draws)
	var outputs []weighted
	for o := range c {
		for t := range column {
			column[t] = norms[t*c+o]
		}
		outputs = append(outputs, e.moment(column, kappa))
	}
	for t := range joint {
		joint[t] = powerNorm(norms[t*c:(t+1)*c], e.p)
	}
	all := e.moment(joint, kappa)
	sum := e.sum(outputs)
	logScale := (math.Log(float64(n)) + logBall) / e.p
	for _, w := range append(outputs, all) {
		out.Effective = min(out.Effective, w.effective)
	}
	for _, w := range outputs {
		out.LogIntegral.PerOutput = append(out.LogIntegral.PerOutput, e.integral(w, logScale))
		out.Mean.PerOutput = append(out.Mean.PerOutput, e.normalised(w, volume))
	}
	out.LogIntegral.Joint, out.Mean.Joint = e.integral(all, logScale), e.normalised(all, volume)
	out.LogIntegral.Sum, out.Mean.Sum = e.integral(sum, logScale), e.normalised(sum, volume)
	if !(out.Effective >= fewEffective) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%.3g of %d draws carry the integral: its error is larger than stated", out.Effective, draws))
	}
	return out
}

// weighted is an estimated mean m of weighted draws, as the root m^{1/p}, with
// each draw's relative influence on that root: its derivative with respect to
// the draw's weight, divided by the root.
type weighted struct {
	mean      float64 // of the roots for p = 1, else the root of the mean
	influence []float64
	effective float64
}

type ballEstimator struct {
	draws int
	p     float64
}

// weights estimates E[1/κ].
func (e ballEstimator) weights(kappa []int) weighted {
	w := weighted{influence: make([]float64, e.draws)}
	for t, balls := range kappa {
		if balls < 1 {
			panic("seminorm: kappa must be at least 1")
		}
		w.influence[t] = 1 / float64(balls)
		w.mean += w.influence[t] / float64(e.draws)
	}
	for t := range w.influence {
		w.influence[t] = w.influence[t]/w.mean - 1
	}
	return w
}

// moment estimates E[h^p/κ]^{1/p}.
func (e ballEstimator) moment(h []float64, kappa []int) weighted {
	w := weighted{influence: make([]float64, e.draws), effective: float64(e.draws)}
	largest := largestAbs(h)
	if !(largest > 0) || math.IsInf(largest, 1) {
		w.mean = largest
		return w
	}
	var sum, squares float64
	for t, v := range h {
		w.influence[t] = power(v/largest, e.p) / float64(kappa[t])
		sum += w.influence[t]
		squares += w.influence[t] * w.influence[t]
	}
	mean := sum / float64(e.draws)
	for t := range w.influence {
		w.influence[t] = (w.influence[t]/mean - 1) / e.p
	}
	w.mean = largest * math.Pow(mean, 1/e.p)
	w.effective = sum * sum / squares
	return w
}

// sum adds roots; the influences add in absolute terms, with the correlation
// that outputs at the same points have.
func (e ballEstimator) sum(parts []weighted) weighted {
	s := weighted{influence: make([]float64, e.draws)}
	for _, w := range parts {
		s.mean += w.mean
	}
	if !(s.mean > 0) {
		return s
	}
	for _, w := range parts {
		for t, v := range w.influence {
			s.influence[t] += w.mean / s.mean * v
		}
	}
	return s
}

func (e ballEstimator) integral(w weighted, logScale float64) Estimate {
	return shifted(logScale+math.Log(w.mean), e.standardError(w.influence))
}

// normalised is a ratio of two estimates from the same draws.
func (e ballEstimator) normalised(w, volume weighted) Estimate {
	influence := make([]float64, e.draws)
	for t := range influence {
		influence[t] = w.influence[t] - volume.influence[t]/e.p
	}
	value, relative := w.mean*math.Pow(volume.mean, -1/e.p), e.standardError(influence)
	if w.mean == 0 {
		relative = 0
	}
	return Estimate{
		Value: value, SE: value * relative,
		Lower: value * math.Exp(-normal95*relative), Upper: value * math.Exp(normal95*relative),
	}
}

// normal95 is the 97.5% quantile of the normal distribution.
const normal95 = 1.959963984540054

// standardError of a mean whose draws have the given influences; their mean is
// zero by construction. One draw has none: infinite.
func (e ballEstimator) standardError(influence []float64) float64 {
	if e.draws < 2 {
		return math.Inf(1)
	}
	var sum float64
	for _, v := range influence {
		sum += v * v
	}
	n := float64(e.draws)
	return math.Sqrt(sum / (n * (n - 1)))
}

func shifted(value, se float64) Estimate {
	if math.IsInf(value, -1) {
		se = 0
	}
	return Estimate{Value: value, SE: se, Lower: value - normal95*se, Upper: value + normal95*se}
}
