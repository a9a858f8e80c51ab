package attack

import (
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
)

// OutputChange is the largest |f_c(x) − f_c(x_i)| that was found in the ball
// around each of n samples: a lower bound of what Theorem 7 of Ma & Ying (2021)
// bounds.
type OutputChange[T kernel.Float] struct {
	Ball Ball
	// Found is n×c, row-major.
	Found []float64
	// Largest is that of the output Output[i] of sample i, attained at row i of
	// Point, n×d, which was evaluated again and is in the ball in float64.
	Largest []float64
	Output  []int
	Point   []T
}

// OutputChange ascends ±f_c from every sample of x, n×d, for every output c. Every
// point that is visited counts for all outputs. It fails where an input or an
// output is not finite, or an input is not in the box.
func (a *Attacker[T]) OutputChange(x []T, b Ball, s Search, rng *rand.Rand) (*OutputChange[T], error) {
	if err := a.check(x, b, s); err != nil {
		return nil, err
	}
	f, err := a.outputs(x)
	if err != nil {
		return nil, err
	}
	n := len(x) / a.d
	o := &OutputChange[T]{
		Ball: b, Found: make([]float64, n*a.c), Largest: make([]float64, n), Output: make([]int, n), Point: make([]T, len(x)),
	}
	copy(o.Point, x)
	for from := 0; from < n; from += block {
		to := min(from+block, n)
		if err := a.changeOutputs(o, f, x, from, to, s, rng); err != nil {
			return nil, fmt.Errorf("samples %d to %d: %w", from, to-1, err)
		}
	}
	return o, a.confirm(o, f, x)
}

// changeOutputs is OutputChange for samples from … to−1.
func (a *Attacker[T]) changeOutputs(o *OutputChange[T], f, x []T, from, to int, s Search, rng *rand.Rand) error {
	for r := range s.Restarts {
		for signed := range 2 * a.c {
			c, sign := signed/2, T(1-2*(signed%2))
			visit := func(i int, point, now, u []T) {
				o.record(from+i, point, now, row(f, from+i, a.c))
				u[c] = sign
			}
			if err := a.climb(x[from*a.d:to*a.d], o.Ball, s, r, rng, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// record counts the outputs now at a point around sample i, where they were then.
func (o *OutputChange[T]) record(i int, point, now, then []T) {
	for c, v := range now {
		change := math.Abs(float64(v) - float64(then[c]))
		found := &o.Found[i*len(now)+c]
		*found = max(*found, change)
		if change > o.Largest[i] {
			o.Largest[i], o.Output[i] = change, c
			copy(row(o.Point, i, len(point)), point)
		}
	}
}

// confirm evaluates f at the points again and checks that they are in the balls.
func (a *Attacker[T]) confirm(o *OutputChange[T], f, x []T) error {
	again, err := a.outputs(o.Point)
	if err != nil {
		return err
	}
	for i, c := range o.Output {
		o.Largest[i] = math.Abs(float64(again[i*a.c+c]) - float64(f[i*a.c+c]))
		o.Found[i*a.c+c] = o.Largest[i]
		if !Contains(o.Ball, row(x, i, a.d), row(o.Point, i, a.d)) {
			return fmt.Errorf("sample %d: the point found is not in the ball", i)
		}
	}
	return nil
}
