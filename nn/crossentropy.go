package nn

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
)

// softmax writes p_o = exp(f_o)/Σ exp(f) to dst and returns the index of the largest.
func softmax[T kernel.Float](dst, f []T) int {
	top, sum := argmax(f), 0.0
	for o, v := range f {
		e := math.Exp(float64(v) - float64(f[top]))
		dst[o] = T(e)
		sum += e
	}
	for o := range dst {
		dst[o] = T(float64(dst[o]) / sum)
	}
	return top
}

// crossEntropy returns −Σ y log p. The largest output's share of the sum of
// exponentials is left to Log1p: a sample that is nearly right has a loss far below
// the rounding of log Σ exp.
func crossEntropy[T kernel.Float](f, y []T) float64 {
	top, others, loss := argmax(f), 0.0, 0.0
	for o, v := range f {
		below := float64(v) - float64(f[top])
		if o != top {
			others += math.Exp(below)
		}
		loss -= float64(y[o]) * below
	}
	return loss + math.Log1p(others)
}

// residual writes the derivative of a sample's loss in its outputs, divided by
// Scale: f − y, or p − y for CrossEntropy. dst may not be f.
func residual[T kernel.Float](loss Loss, dst, f, y []T) {
	if loss.Squared() {
		for o, v := range f {
			dst[o] = v - y[o]
		}
		return
	}
	top := softmax(dst, f)
	for o := range dst {
		dst[o] -= y[o]
	}
	balance(dst, top)
}

// balance sets v[top] such that v adds up to zero. Where p_top is near 1 that is
// all that is left of it after 1 − p_top has lost its digits.
func balance[T kernel.Float](v []T, top int) {
	v[top] = 0
	var sum T
	for _, x := range v {
		sum += x
	}
	v[top] = -sum
}

// lossRoot multiplies vectors of outputs by R and Rᵀ of a loss.
type lossRoot[T kernel.Float] struct {
	loss Loss
	p    []T // c, the probabilities of a sample
}

func newLossRoot[T kernel.Float](loss Loss, c int) *lossRoot[T] {
	return &lossRoot[T]{loss: loss, p: make([]T, c)}
}

// times replaces u by R u at a sample's outputs f:
// (R u)_o = √p_o Σ_q p_q (u_o − u_q).
func (r *lossRoot[T]) times(u, f []T) {
	if r.loss.Squared() {
		return
	}
	top := softmax(r.p, f)
	// Differences to the top leave its own out of the mean.
	at, mean := u[top], T(0)
	for o := range u {
		u[o] -= at
		mean += r.p[o] * u[o]
	}
	for o := range u {
		u[o] = T(math.Sqrt(float64(r.p[o]))) * (u[o] - mean)
	}
}

// transposedTimes replaces u by Rᵀ u:
// (Rᵀ u)_o = √p_o u_o − p_o Σ_q √p_q u_q, which adds up to zero.
func (r *lossRoot[T]) transposedTimes(u, f []T) {
	if r.loss.Squared() {
		return
	}
	top, sum := softmax(r.p, f), T(0)
	for o := range u {
		u[o] *= T(math.Sqrt(float64(r.p[o])))
		sum += u[o]
	}
	for o := range u {
		u[o] -= r.p[o] * sum
	}
	balance(u, top)
}

// checkLoss returns an error where the targets are none that the loss is about.
func (n *Network[T]) checkLoss(data Data[T], loss Loss) error {
	if loss.Squared() {
		return nil
	}
	c := n.Outputs()
	if c < 2 {
		return fmt.Errorf("cross-entropy needs two outputs or more, one a class; the network has %d", c)
	}
	for i := range data.N {
		sum, least := 0.0, 0.0
		for _, y := range data.target(i, c) {
			sum += float64(y)
			least = math.Min(least, float64(y))
		}
		if !(math.Abs(sum-1) <= 1e-5) || least < 0 {
			return fmt.Errorf("the target of sample %d is %v: cross-entropy needs classes, or probabilities that add up to 1", i, data.target(i, c))
		}
	}
	return nil
}
