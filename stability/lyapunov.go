package stability

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// Estimate is a random estimate of a mean rate over steps.
type Estimate struct {
	Value float64
	// SE is the standard error by batch means, CI95 the interval from Student's t.
	SE   float64
	CI95 [2]float64
	// Draws is the number of steps averaged.
	Draws    int
	Warnings []string
}

// LyapunovOptions are the lengths of a trajectory; zero means the default.
type LyapunovOptions struct {
	// BurnIn steps are not averaged (1,000); Steps are (20,000).
	BurnIn, Steps int
}

// LyapunovExponents estimates, for every learning rate, the top Lyapunov exponent
// of linearised SGD on the span,
//
//	Λ(η) = lim (1/t) E log(‖W_t‖/‖W_0‖).
//
// SGD converges to the minimum in probability if and only if Λ < 0 (Ziyin et al.,
// 2023; Chemnitz & Engel, 2025), and Λ(η) ≤ ½ log ρ(T_2), so that mean-square
// stability is sufficient, not necessary. Stable learning rates may form several
// intervals: look at a grid, do not bisect.
//
// One trajectory a learning rate, normalised at every step. All use the same
// batches, so that the curve is smooth and its errors go together. A direction of
// curvature h takes 1/(ηh) steps to show: where Λ < 0 and the spectrum is wide,
// the estimate is that of the directions that outlive the run, and below the true
// exponent. −Inf means that a step took W to zero.
func (s *Span) LyapunovExponents(etas []float64, sampling Sampling, batch int, o LyapunovOptions, rng *rand.Rand) []Estimate {
	sampling.check(s.N, batch)
	seed := rng.Uint64()
	estimates := make([]Estimate, len(etas))
	for i, eta := range etas {
		estimates[i] = s.lyapunov(eta, sampling, batch, o, rand.New(rand.NewPCG(seed, 0)))
	}
	return estimates
}

func (s *Span) lyapunov(eta float64, sampling Sampling, batch int, o LyapunovOptions, rng *rand.Rand) Estimate {
	l := s.Linearise(eta, sampling, batch)
	w := randomUnit(s.Rank, rng)
	burnIn, steps := defaultTo(o.BurnIn, 1000), defaultTo(o.Steps, 20_000)
	growth := make([]float64, 0, steps)
	for t := range burnIn + steps {
		l.Step(w, rng)
		length := floats.Norm(w, 2)
		if length == 0 || s.Rank == 0 {
			return Estimate{Value: math.Inf(-1), CI95: [2]float64{math.Inf(-1), math.Inf(-1)}, Draws: t + 1}
		}
		floats.Scale(1/length, w)
		if t >= burnIn {
			growth = append(growth, math.Log(length))
		}
	}
	return batchMeans(growth)
}

// randomUnit returns a unit vector of random direction.
func randomUnit(size int, rng *rand.Rand) []float64 {
	v := make([]float64, size)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	if size > 0 {
		toUnit(v)
	}
	return v
}

func defaultTo(v, standard int) int {
	if v <= 0 {
		return standard
	}
	return v
}

// The mean of a correlated series is judged by the means of 32 stretches of it;
// studentT is the 97.5% quantile of Student's t for 31 degrees of freedom, and a
// correlation of neighbouring means above meansCorrelated (three standard errors)
// says that the stretches are too short.
const (
	stretches       = 32
	studentT        = 2.0395134463964077
	meansCorrelated = 0.5
)

// batchMeans returns the mean of x with its error.
func batchMeans(x []float64) Estimate {
	length := len(x) / stretches
	if length == 0 {
		mean := floats.Sum(x) / float64(len(x))
		return Estimate{Value: mean, SE: math.NaN(), CI95: [2]float64{math.NaN(), math.NaN()}, Draws: len(x),
			Warnings: []string{fmt.Sprintf("%d steps are too few for an error", len(x))}}
	}
	x = x[len(x)-length*stretches:]
	var means [stretches]float64
	for b := range means {
		means[b] = floats.Sum(x[b*length:(b+1)*length]) / float64(length)
	}
	mean := floats.Sum(means[:]) / stretches
	var square, neighbours float64
	for b, m := range means {
		square += (m - mean) * (m - mean)
		if b > 0 {
			neighbours += (m - mean) * (means[b-1] - mean)
		}
	}
	se := math.Sqrt(square / stretches / (stretches - 1))
	e := Estimate{Value: mean, SE: se, CI95: [2]float64{mean - studentT*se, mean + studentT*se}, Draws: len(x)}
	if neighbours > meansCorrelated*square {
		e.Warnings = append(e.Warnings, "the run is short against its memory: the standard error is too small")
	}
	return e
}
