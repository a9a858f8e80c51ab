package geometry

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is a value known by random draws: SE is its standard error, CI95 a 95%
// confidence interval. Seed is left to the caller, who made the generator.
type Estimate struct {
	Value float64    `json:"value"`
	SE    float64    `json:"se"`
	CI95  [2]float64 `json:"ci95"`
	Draws int        `json:"draws"`
	Seed  uint64     `json:"seed"`
}

// tail is the probability of either side outside of a 95% interval.
const tail = 0.025

// normal95 is the 97.5% quantile of the standard normal distribution.
var normal95 = distuv.UnitNormal.Quantile(1 - tail)

// ClopperPearson returns the exact two-sided interval of at least the given
// confidence (0.95) for the probability of an event that was seen in successes
// of n independent trials (Clopper and Pearson, 1934): the Beta quantiles
//
//	[B(α/2; s, n−s+1), B(1−α/2; s+1, n−s)],   α = 1 − confidence.
func ClopperPearson(successes, n int, confidence float64) ([2]float64, error) {
	if n < 1 || successes < 0 || successes > n {
		return [2]float64{}, fmt.Errorf("%d successes in %d trials", successes, n)
	}
	if !(confidence > 0 && confidence < 1) {
		return [2]float64{}, fmt.Errorf("confidence %v; need 0 < confidence < 1", confidence)
	}
	alpha := (1 - confidence) / 2
	s, f := float64(successes), float64(n-successes)
	ends := [2]float64{0, 1}
	if successes > 0 {
		ends[0] = distuv.Beta{Alpha: s, Beta: f + 1}.Quantile(alpha)
	}
	if successes < n {
		// The mirrored quantile keeps small probabilities accurate.
		ends[1] = 1 - distuv.Beta{Alpha: f, Beta: s + 1}.Quantile(alpha)
	}
	return ends, nil
}

// proportion95 is ClopperPearson for counts that are known to be right.
func proportion95(successes, n int) [2]float64 {
	ends, err := ClopperPearson(successes, n, 1-2*tail)
	if err != nil {
		panic("geometry: count above its total")
	}
	return ends
}

// running holds the mean of n values and the sum of their squared deviations from
// it, in one pass (Welford, 1962).
type running struct {
	n          int
	mean, diff float64
}

func (r *running) add(v float64) {
	r.n++
	step := v - r.mean
	r.mean += step / float64(r.n)
	r.diff += step * (v - r.mean)
}

// sd is the sample standard deviation; NaN for fewer than two values.
func (r *running) sd() float64 {
	if r.n < 2 {
		return math.NaN()
	}
	return math.Sqrt(r.diff / float64(r.n-1))
}
