package attack

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
)

// LargestGradient is the largest ‖∇_x f_c(x)‖_{2k} that was found in the ball around
// each of n samples: a lower bound of the supremum.
type LargestGradient[T kernel.Float] struct {
	Ball Ball
	K    int
	// Found is n×c, row-major.
	Found []float64
	// Largest is that of the output Output[i] of sample i, attained at row i of
	// Point, n×d, which was evaluated again and is in the ball in float64.
	Largest []float64
	Output  []int
	Point   []T
}

// LargestGradient searches with x = n×d for each output c. With g = ∇_x f_c and
// v = g^{2k−1}, element by element, ‖g‖_{2k} grows fastest along ∇²f_c v, for which
// it takes the difference of the gradients at x ± h v/‖v‖ with h the step's length.
// Where f is smooth and h small that is ∇²f_c v; where f is piecewise linear, so that
// ∇²f_c is zero almost everywhere, it tells which of the pieces in reach have the
// larger gradients. Without any difference the step is a random one. Restarts begin
// at the best of Steps random points. All points count, those at x ± h v/‖v‖ too,
// projected on the ball.
//
// Piecewise linear networks have the gradient that nn computes on a kink.
func (a *Attacker[T]) LargestGradient(x []T, k int, b Ball, s Search, rng *rand.Rand) (*LargestGradient[T], error) {
	if k < 1 {
		return nil, fmt.Errorf("largest gradient: order %d; need k ≥ 1", k)
	}
	if err := a.check(x, b, s); err != nil {
		return nil, err
	}
	if _, err := a.outputs(x); err != nil {
		return nil, err
	}
	n := len(x) / a.d
	l := &LargestGradient[T]{
		Ball: b, K: k, Found: make([]float64, n*a.c), Largest: make([]float64, n), Output: make([]int, n), Point: make([]T, len(x)),
	}
	copy(l.Point, x)
	climber := &gradientClimb[T]{
		Attacker: a, result: l, search: s, rng: rng,
		v: make([]float64, a.d), norms: make([]float64, block), best: make([]float64, block),
		point: make([]T, block*a.d), sides: [2][]T{make([]T, block*a.d), make([]T, block*a.d)},
	}
	for from := 0; from < n; from += block {
		climber.from, climber.centres = from, x[from*a.d:min(from+block, n)*a.d]
		for r := range s.Restarts {
			for c := range a.c {
				if err := climber.run(c, r); err != nil {
					return nil, fmt.Errorf("samples from %d on: %w", from, err)
				}
			}
		}
	}
	return l, a.confirmGradients(l, x)
}

// gradientClimb is the ascent of ‖∇_x f_c‖_{2k} on a block.
type gradientClimb[T kernel.Float] struct {
	*Attacker[T]
	result  *LargestGradient[T]
	search  Search
	rng     *rand.Rand
	from    int
	centres []T
	v       []float64
	norms   []float64 // of the gradients that were computed last
	best    []float64
	point   []T    // block×d
	sides   [2][]T // the gradients at x ± h v/‖v‖
}

func (l *gradientClimb[T]) run(c, restart int) error {
	n := len(l.centres)
	x, b := l.x[:n], l.result.Ball
	if err := l.begin(x, c, restart); err != nil {
		return err
	}
	for range l.search.Steps {
		if err := l.gradientsAt(l.gradient[:n], x, c); err != nil {
			return err
		}
		h := l.search.length(b)
		for side, sign := range []float64{1, -1} {
			l.probe(x, sign*h)
			if err := l.gradientsAt(l.sides[side][:n], l.point[:n], c); err != nil {
				return err
			}
		}
		l.step(x, h)
	}
	return l.gradientsAt(l.gradient[:n], x, c)
}

// begin sets x to the centres, or for a restart to the best of as many random points
// as there are steps.
func (l *gradientClimb[T]) begin(x []T, c, restart int) error {
	copy(x, l.centres)
	if restart == 0 {
		return nil
	}
	for i := range l.best {
		l.best[i] = -1
	}
	points := l.point[:len(x)]
	for range l.search.Steps {
		l.start(points, l.centres, l.result.Ball, restart, l.rng)
		if err := l.gradientsAt(l.sides[0][:len(x)], points, c); err != nil {
			return err
		}
		for i := range len(x) / l.d {
			if l.norms[i] > l.best[i] {
				l.best[i] = l.norms[i]
				copy(row(x, i, l.d), row(points, i, l.d))
			}
		}
	}
	return nil
}

// gradientsAt computes ∇_x f_c at the rows of x and records their norms.
func (l *gradientClimb[T]) gradientsAt(dst, x []T, c int) error {
	l.gradients.Combined(dst, x, func(_ int, _, u []T) { clear(u); u[c] = 1 })
	r := l.result
	for i := range len(x) / l.d {
		norm := powerNorm(row(dst, i, l.d), r.K)
		if !finite(norm) {
			return errNotFinite
		}
		l.norms[i] = norm
		at := l.from + i
		found := &r.Found[at*l.c+c]
		*found = max(*found, norm)
		if norm > r.Largest[at] {
			r.Largest[at], r.Output[at] = norm, c
			copy(row(r.Point, at, l.d), row(x, i, l.d))
		}
	}
	return nil
}

// probe sets point to x + h v/‖v‖ in the ball.
func (l *gradientClimb[T]) probe(x []T, h float64) {
	for i := range len(x) / l.d {
		p, centre := row(x, i, l.d), row(l.centres, i, l.d)
		length := l.normalise(row(l.gradient, i, l.d))
		for j, v := range l.v {
			l.offset[j] = float64(p[j]) - float64(centre[j])
			if length > 0 {
				l.offset[j] += h * v / length
			}
		}
		place(l.result.Ball, row(l.point, i, l.d), centre, l.offset)
	}
}

// normalise sets v to a multiple of g^{2k−1} and returns its norm.
func (l *gradientClimb[T]) normalise(g []T) float64 {
	oddPower(l.v, g, l.result.K)
	if l.result.Ball.Norm == L2 {
		return norm2(l.v)
	}
	largest := 0.0
	for _, v := range l.v {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

// step moves x along the difference of the gradients at its sides.
func (l *gradientClimb[T]) step(x []T, h float64) {
	for i := range len(x) / l.d {
		p, centre, g := row(x, i, l.d), row(l.centres, i, l.d), row(l.gradient, i, l.d)
		for j := range g {
			g[j] = row(l.sides[0], i, l.d)[j] - row(l.sides[1], i, l.d)[j]
		}
		l.Attacker.step(p, centre, g, l.result.Ball, h, l.rng)
	}
}

func (a *Attacker[T]) confirmGradients(l *LargestGradient[T], x []T) error {
	a.gradients.Each(l.Point, 1, func(i, _ int, _, u []T) { clear(u); u[l.Output[i]] = 1 }, func(i, _ int, g []T) {
		l.Largest[i] = powerNorm(g, l.K)
		l.Found[i*a.c+l.Output[i]] = l.Largest[i]
	})
	for i := range l.Largest {
		if !Contains(l.Ball, row(x, i, a.d), row(l.Point, i, a.d)) {
			return errors.New("attack: a point found is not in the ball")
		}
	}
	return nil
}

// powerNorm returns ‖v‖_{2k}, in float64 and scaled.
func powerNorm[T kernel.Float](v []T, k int) float64 {
	largest, sum := 0.0, 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(float64(x))) // keeps NaN
	}
	if largest == 0 || !finite(largest) {
		return largest
	}
	for _, x := range v {
		sum += power(float64(x)/largest*float64(x)/largest, k)
	}
	return largest * math.Pow(sum, 1/float64(2*k))
}

// oddPower sets dst to a multiple of v^{2k−1}, element by element.
func oddPower[T kernel.Float](dst []float64, v []T, k int) {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(float64(x)))
	}
	for j, x := range v {
		if dst[j] = 0; largest > 0 {
			r := float64(x) / largest
			dst[j] = r * power(r*r, k-1)
		}
	}
}

func power(x float64, k int) float64 {
	p := 1.0
	for range k {
		p *= x
	}
	return p
}
