package bound

import (
	"fmt"
	"math"
)

// Solution is a minimum and the SGD that is to be stable there.
type Solution struct {
	// Samples, Parameters, Outputs: n, w, c. Rank is that of all gradients A_ic
	// together, 0 if it is not known.
	Samples, Parameters, Outputs, Rank int
	// LearningRate is the effective one; see the package's description.
	LearningRate float64
	Batch        int
	// WithReplacement says how a batch is drawn; the default is a uniform subset.
	// Epochs: batches are cut from a shuffled data set. No theorem covers that; it
	// is taken for drawing subsets, and marked as an assumption.
	WithReplacement, Epochs bool
	// Interpolates says whether f(x_i) = y_i, without which neither the curvature
	// nor the noise of the gradients is that of the theory.
	Interpolates Condition
	// Orders says of each order k that was examined whether the solution is
	// linearly stable to order k at (η, B).
	Orders []Stability
}

// Stability is the verdict on linear stability of order K.
type Stability struct {
	K int
	Condition
}

func (s *Solution) check() {
	if s.Samples < 1 || s.Parameters < 1 || s.Outputs < 1 || s.Batch < 1 || s.Rank < 0 {
		panic("bound: samples, parameters, outputs and batch size must be at least 1")
	}
}

// needs returns the hypotheses of what stability of order k implies.
func (s *Solution) needs(k int) []Hypothesis {
	s.check()
	needs := []Hypothesis{s.stable(k), hypothesis("interpolating solution", s.Interpolates)}
	if !(s.LearningRate > 0) || !finite(s.LearningRate) {
		needs = append(needs, Hypothesis{"learning rate", No, fmt.Sprintf("%v is not positive and finite", s.LearningRate)})
	}
	if s.Batch > s.Samples && !s.WithReplacement {
		needs = append(needs, Hypothesis{"batch size", No, fmt.Sprintf("%d of %d samples, without replacement", s.Batch, s.Samples)})
	}
	if s.Epochs && s.Batch < s.Samples {
		needs = append(needs, Hypothesis{"independent batches", Assumed, "epoch shuffling is taken for independent batches"})
	}
	return needs
}

// stable looks order k up. Even orders imply all lower ones, by Lyapunov's
// inequality for the spectral radii.
func (s *Solution) stable(k int) Hypothesis {
	name := fmt.Sprintf("order-%d stable", k)
	found := Condition{}
	for _, o := range s.Orders {
		if o.K == k {
			found = o.Condition
		}
	}
	if found.Holds == Yes || found.Holds == No {
		return hypothesis(name, found)
	}
	for _, o := range s.Orders {
		if o.K > k && o.K%2 == 0 && o.Holds == Yes {
			return Hypothesis{name, Yes, fmt.Sprintf("implied by order %d: %s", o.K, o.Evidence)}
		}
	}
	return hypothesis(name, found)
}

// variance returns p in E_S[(mean_S X)²] − (mean X)² = p Var X.
func (s *Solution) variance() float64 {
	n, b := float64(s.Samples), float64(s.Batch)
	switch {
	case s.WithReplacement:
		return 1 / b
	case s.Batch >= s.Samples:
		return 0
	}
	return (n - b) / (b * (n - 1))
}

// inclusion returns the probability that a given sample is in a batch.
func (s *Solution) inclusion() float64 {
	if s.WithReplacement {
		return -math.Expm1(float64(s.Batch) * math.Log1p(-1/float64(s.Samples)))
	}
	return float64(s.Batch) / float64(s.Samples)
}

// logMoment returns log(2^k B^{k−1}/η^k), the right side of Theorem 2.
func (s *Solution) logMoment(k int) float64 {
	return float64(k)*math.Log(2*float64(s.Batch)/s.LearningRate) - math.Log(float64(s.Batch))
}

// logFreeGradient returns half the logarithm of an upper value of max_i ‖J_i‖₂²
// that no parameter count enters: one sample alone must not throw W out,
//
//	(B/η) (1 + q^{−1/k}) for even, (B/η) (1 + (2/q − 1)^{1/k}) for odd k,
//
// q the probability that it is in a batch.
func (s *Solution) logFreeGradient(k int) float64 {
	c := 1 / s.inclusion()
	if k%2 == 1 {
		c = 2*c - 1
	}
	return (math.Log(float64(s.Batch)/s.LearningRate) + math.Log1p(math.Pow(c, 1/float64(k)))) / 2
}

// logTrace returns the logarithm of (2/η)/(p/c + (1−p)/r), the upper value of
// Tr H that stability of order 2 implies.
func (s *Solution) logTrace() float64 {
	p := s.variance()
	return math.Log(2/s.LearningRate) - math.Log(p/float64(s.Outputs)+(1-p)/float64(s.Rank))
}

// logDirections returns log(nc): the 2k-th powers of nc gradients add up to at
// most as many moments as there are gradients, whatever the number of
// coordinates.
func (s *Solution) logDirections() float64 {
	return math.Log(float64(s.Samples)) + math.Log(float64(s.Outputs))
}

// logSum returns log(eᵃ + eᵇ).
func logSum(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

func logInt(n int) float64 { return math.Log(float64(n)) }
