package attack

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Search is how projected gradient ascent (PGD: Madry et al., 2018, "Towards Deep
// Learning Models Resistant to Adversarial Attacks") looks for a maximum: Restarts
// times Steps steps of StepSize in the ball's norm, along g/‖g‖₂ or sign(g), each
// projected on the ball; where the gradient is zero the step is a random one. The
// first start is the sample, the others are uniform in the ball.
type Search struct {
	Steps, Restarts int
	StepSize        float64 // 0 means 2.5 δ/Steps, as Madry et al. take it
}

// FGSM is the one step of length δ from the sample (Goodfellow et al., 2015), in
// the ball's norm.
func FGSM(b Ball) Search { return Search{Steps: 1, Restarts: 1, StepSize: b.Radius} }

func (s Search) check() error {
	if s.Steps < 1 || s.Restarts < 1 || !(s.StepSize >= 0) || math.IsInf(s.StepSize, 1) {
		return fmt.Errorf("search: %d steps of %v, %d restarts; need at least 1, 0 and 1", s.Steps, s.StepSize, s.Restarts)
	}
	return nil
}

func (s Search) length(b Ball) float64 {
	if s.StepSize == 0 {
		return 2.5 * b.Radius / float64(s.Steps)
	}
	return s.StepSize
}

var errNotFinite = errors.New("the network's output or gradient is not finite")

// block is the number of samples whose points are moved at once.
const block = 64

// Attacker searches around inputs of one network, whose parameters must stay as they
// are. Its results do not depend on memory. It is not for concurrent use.
type Attacker[T kernel.Float] struct {
	gradients *nn.InputGradients[T]
	d, c      int
	// x and gradient are the points of a block, block×d.
	x, gradient []T
	f           []T // block×c
	offset      []float64
}

// New returns an attacker of net. It fails where memory, a limit in bytes without
// results, is too small.
func New[T kernel.Float](net *nn.Network[T], memory int64) (*Attacker[T], error) {
	d, c := net.Inputs(), net.Outputs()
	own := 8 * int64(block+1) * int64(4*d+c)
	gradients, err := net.NewInputGradients(memory - own)
	if err != nil {
		return nil, fmt.Errorf("attack: %d bytes for the points; %w", own, err)
	}
	return &Attacker[T]{
		gradients: gradients, d: d, c: c,
		x: make([]T, block*d), gradient: make([]T, block*d), f: make([]T, block*c), offset: make([]float64, d),
	}, nil
}

func (a *Attacker[T]) check(x []T, b Ball, s Search) error {
	if err := b.check(); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	return checkCentres(b, x, a.d)
}

// row returns row i of rows of the given width.
func row[T any](v []T, i, width int) []T { return v[i*width : (i+1)*width : (i+1)*width] }

// outputs returns f of all rows of x, n×c.
func (a *Attacker[T]) outputs(x []T) ([]T, error) {
	f := make([]T, len(x)/a.d*a.c)
	a.gradients.Outputs(f, x)
	for j, v := range f {
		if !finite(v) {
			return nil, fmt.Errorf("sample %d: %w", j/a.c, errNotFinite)
		}
	}
	return f, nil
}

func finite[T kernel.Float](v T) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// objective is told every point x that the search visits around centre i of a block
// and its outputs f, and sets u so that Σ_o u_o f_o is what to increase.
type objective[T kernel.Float] func(i int, x, f, u []T)

// climb does run number restart of PGD for the centres, up to block×d.
func (a *Attacker[T]) climb(centres []T, b Ball, s Search, restart int, rng *rand.Rand, visit objective[T]) error {
	n := len(centres) / a.d
	x, gradient, f := a.x[:n*a.d], a.gradient[:n*a.d], a.f[:n*a.c]
	a.start(x, centres, b, restart, rng)
	failed := false
	step := func(i int, f, u []T) {
		clear(u)
		for _, v := range f {
			failed = failed || !finite(v)
		}
		visit(i, row(x, i, a.d), f, u)
	}
	for range s.Steps {
		a.gradients.Combined(gradient, x, step)
		if failed || !a.move(x, centres, gradient, b, s.length(b), rng) {
			return errNotFinite
		}
	}
	a.gradients.Outputs(f, x)
	u := make([]T, a.c)
	for i := range n {
		step(i, row(f, i, a.c), u)
	}
	if failed {
		return errNotFinite
	}
	return nil
}

// start sets x to the centres, or for a restart to points of the balls around them.
func (a *Attacker[T]) start(x, centres []T, b Ball, restart int, rng *rand.Rand) {
	copy(x, centres)
	if restart == 0 {
		return
	}
	for i := range len(x) / a.d {
		b.draw(a.offset, rng)
		place(b, row(x, i, a.d), row(centres, i, a.d), a.offset)
	}
}

// move takes one step of all rows, a random one where the gradient is zero; false if
// a gradient is not finite.
func (a *Attacker[T]) move(x, centres, gradient []T, b Ball, length float64, rng *rand.Rand) bool {
	for i := range len(x) / a.d {
		point, centre, g := row(x, i, a.d), row(centres, i, a.d), row(gradient, i, a.d)
		for _, v := range g {
			if !finite(v) {
				return false
			}
		}
		a.step(point, centre, g, b, length, rng)
	}
	return true
}

// step moves x by length along g, or in a random direction where g is zero.
func (a *Attacker[T]) step(x, centre, g []T, b Ball, length float64, rng *rand.Rand) {
	clear(a.offset)
	if !ascent(b, a.offset, g, length) {
		Ball{Norm: b.Norm, Radius: length}.draw(a.offset, rng)
	}
	for j, v := range x {
		a.offset[j] += float64(v) - float64(centre[j])
	}
	place(b, x, centre, a.offset)
}
