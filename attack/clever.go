package attack

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
)

// CLEVER is the extreme-value estimate of the local Lipschitz constant of
// h = Σ_o u_o f_o in a ball (Weng et al., 2018, "Evaluating the Robustness of Neural
// Networks: An Extreme Value Theory Approach"): a reverse Weibull distribution is
// fitted to the maxima of batches of ‖∇h‖ at points uniform in the ball, and its
// right end is the estimate. The norm of gradients is dual to that of the ball: ‖·‖₂,
// or ‖·‖₁ with LInf. Neither a lower nor an upper bound.
type CLEVER struct {
	Ball          Ball
	Batches, Size int
	// Maxima are the batches' maxima; SampleMax is the largest, which is a lower
	// bound.
	Maxima    []float64
	SampleMax float64
	Fit       ReverseWeibull
	// Lipschitz is Fit.Location.
	Lipschitz float64
	// Margin is h(x_i), Score min(Margin/Lipschitz, Radius): with u = e_y − e_j the
	// estimate of the distance to where class j replaces y, which is 0 where it has
	// already. NaN where the fit has no right end.
	Margin, Score float64
}

// CLEVER draws batches·size points around one input x, d elements; u has c. With a
// box points are moved into it and no longer uniform. Weng et al. take 500 batches
// of 1,024.
func (a *Attacker[T]) CLEVER(x, u []T, b Ball, batches, size int, rng *rand.Rand) (*CLEVER, error) {
	if batches < 2 || size < 1 {
		return nil, fmt.Errorf("clever: %d batches of %d points; need at least 2 of 1", batches, size)
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	if len(x) != a.d || len(u) != a.c {
		return nil, fmt.Errorf("clever: an input of %d and %d weights; the network has %d inputs and %d outputs", len(x), len(u), a.d, a.c)
	}
	if err := checkCentres(b, x, a.d); err != nil {
		return nil, err
	}
	f, err := a.outputs(x)
	if err != nil {
		return nil, err
	}
	result := &CLEVER{Ball: b, Batches: batches, Size: size, Maxima: make([]float64, batches)}
	for o, v := range f {
		result.Margin += float64(u[o]) * float64(v)
	}
	for m := range result.Maxima {
		if result.Maxima[m], err = a.batchMaximum(x, u, b, size, rng); err != nil {
			return nil, err
		}
		result.SampleMax = max(result.SampleMax, result.Maxima[m])
	}
	result.Fit = FitReverseWeibull(result.Maxima, 64*epsilon[T]())
	result.Lipschitz = result.Fit.Location
	switch {
	case result.Margin <= 0:
		result.Score = 0
	case math.IsInf(result.Lipschitz, 1):
		result.Score = math.NaN()
	case result.Lipschitz == 0:
		result.Score = b.Radius // h is constant
	default:
		result.Score = math.Min(result.Margin/result.Lipschitz, b.Radius)
	}
	return result, nil
}

// batchMaximum returns the largest ‖∇h‖ at size points of the ball.
func (a *Attacker[T]) batchMaximum(x, u []T, b Ball, size int, rng *rand.Rand) (float64, error) {
	largest := 0.0
	for from := 0; from < size; from += block {
		points := a.x[:min(block, size-from)*a.d]
		for i := range len(points) / a.d {
			b.draw(a.offset, rng)
			place(b, row(points, i, a.d), x, a.offset)
		}
		a.gradients.Each(points, 1, func(_, _ int, _, w []T) { copy(w, u) }, func(_, _ int, g []T) {
			largest = max(largest, dualNorm(b.Norm, g)) // keeps NaN
		})
	}
	if !finite(largest) {
		return 0, errors.New("clever: a gradient is not finite")
	}
	return largest, nil
}

// dualNorm returns ‖g‖₂ for the ball of L2 and ‖g‖₁ for that of LInf.
func dualNorm[T kernel.Float](norm Norm, g []T) float64 {
	if norm == L2 {
		return powerNorm(g, 1)
	}
	sum := 0.0
	for _, v := range g {
		sum += math.Abs(float64(v))
	}
	return sum
}

// epsilon is the distance from 1 to the next larger number.
func epsilon[T kernel.Float]() float64 {
	if _, single := any(T(0)).(float32); single {
		return 0x1p-23
	}
	return 0x1p-52
}
