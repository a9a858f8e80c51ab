package geometry

import (
	"math"
	"math/rand/v2"
)

// LogBallVolume returns log V_ball = (d/2) log π − log Γ(d/2 + 1) + d log δ, the
// volume of a ball in R^d, which underflows where its logarithm does not: at
// d = 784, δ = 1 it is e^−1604. It panics if d < 1 and gives NaN for δ < 0.
func LogBallVolume(d int, delta float64) float64 {
	if d < 1 {
		panic("geometry: LogBallVolume: no dimension")
	}
	half := float64(d) / 2
	gamma, _ := math.Lgamma(half + 1)
	return half*math.Log(math.Pi) - gamma + float64(d)*math.Log(delta)
}

// uniformInBall draws a uniform point of the ball around 0: the direction of a
// Gaussian vector at radius δ·U^{1/d}.
func uniformInBall(x []float64, delta float64, random *rand.Rand) {
	var sum float64
	for sum == 0 {
		for i := range x {
			x[i] = random.NormFloat64()
			sum += x[i] * x[i]
		}
	}
	radius := delta * math.Pow(random.Float64(), 1/float64(len(x)))
	for i := range x {
		x[i] *= radius / math.Sqrt(sum)
	}
}
