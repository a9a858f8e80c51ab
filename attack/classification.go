package attack

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Robustness is what a search for misclassified inputs found around n samples, for
// growing radii. A class is the largest output, of equal ones the first.
type Robustness[T kernel.Float] struct {
	Norm  Norm
	Box   *Box
	Radii []float64
	// Accuracy[r] is the share of samples for which no other class than the right
	// one was found within Radii[r]: an upper bound of the robust accuracy, and
	// never growing with r.
	Accuracy []float64
	// Radius[i] is the first radius within which a wrong class was found, at row i
	// of Point, n×d; infinite, with the sample itself, where none was.
	Radius []float64
	Point  []T
}

// RobustAccuracy lowers the margin f_y − max_{j≠y} f_j of the right class y by PGD
// within each of the radii, which must not fall. What is misclassified within one
// radius is so within all larger ones, and is not attacked again. It fails as
// OutputChange does, and where data are no classification of at least two classes.
func (a *Attacker[T]) RobustAccuracy(data nn.Data[T], norm Norm, radii []float64, box *Box, s Search, rng *rand.Rand) (*Robustness[T], error) {
	if err := a.checkClasses(data, norm, radii, box, s); err != nil {
		return nil, err
	}
	r := &Robustness[T]{Norm: norm, Box: box, Radii: slices.Clone(radii), Radius: make([]float64, data.N), Point: slices.Clone(data.X)}
	var standing []int
	for i := range data.N {
		r.Radius[i] = math.Inf(1)
		standing = append(standing, i)
	}
	for _, radius := range radii {
		b := Ball{Norm: norm, Radius: radius, Box: box}
		var err error
		if standing, err = a.mislead(r, data, standing, b, s, rng); err != nil {
			return nil, err
		}
		r.Accuracy = append(r.Accuracy, float64(len(standing))/float64(data.N))
	}
	return r, a.confirmClasses(r, data)
}

func (a *Attacker[T]) checkClasses(data nn.Data[T], norm Norm, radii []float64, box *Box, s Search) error {
	if len(radii) == 0 || !slices.IsSorted(radii) {
		return fmt.Errorf("robust accuracy: radii %v; need some that do not fall", radii)
	}
	for _, radius := range radii {
		if err := a.check(data.X, Ball{norm, radius, box}, s); err != nil {
			return err
		}
	}
	if !data.Classification || a.c < 2 {
		return errors.New("robust accuracy: the data need one-hot targets of at least two classes")
	}
	if len(data.X) != data.N*a.d || len(data.Y) != data.N*a.c {
		return fmt.Errorf("robust accuracy: %d inputs and %d targets do not make %d samples", len(data.X), len(data.Y), data.N)
	}
	return nil
}

// mislead attacks the samples that are standing and returns those that still are.
func (a *Attacker[T]) mislead(r *Robustness[T], data nn.Data[T], standing []int, b Ball, s Search, rng *rand.Rand) ([]int, error) {
	centres := make([]T, 0, block*a.d)
	for restart := range s.Restarts {
		for samples := range slices.Chunk(standing, block) {
			centres = centres[:0]
			for _, i := range samples {
				centres = append(centres, row(data.X, i, a.d)...)
			}
			visit := func(at int, point, f, u []T) {
				i := samples[at]
				y := largest(row(data.Y, i, a.c), -1)
				if largest(f, -1) != y && math.IsInf(r.Radius[i], 1) {
					r.Radius[i] = b.Radius
					copy(row(r.Point, i, a.d), point)
				}
				u[y], u[largest(f, y)] = -1, 1
			}
			if err := a.climb(centres, b, s, restart, rng, visit); err != nil {
				return nil, fmt.Errorf("samples %v: %w", samples, err)
			}
		}
		standing = slices.DeleteFunc(slices.Clone(standing), func(i int) bool { return !math.IsInf(r.Radius[i], 1) })
	}
	return standing, nil
}

// largest returns the index of the largest element but except.
func largest[T kernel.Float](v []T, except int) int {
	best := -1
	for j, x := range v {
		if j != except && (best < 0 || x > v[best]) {
			best = j
		}
	}
	return best
}

// confirmClasses evaluates the points again.
func (a *Attacker[T]) confirmClasses(r *Robustness[T], data nn.Data[T]) error {
	f, err := a.outputs(r.Point)
	if err != nil {
		return err
	}
	for i, radius := range r.Radius {
		if math.IsInf(radius, 1) {
			continue
		}
		wrong := largest(row(f, i, a.c), -1) != largest(row(data.Y, i, a.c), -1)
		if !wrong || !Contains(Ball{r.Norm, radius, r.Box}, row(data.X, i, a.d), row(r.Point, i, a.d)) {
			return fmt.Errorf("sample %d: the point found is not in the ball or not misclassified", i)
		}
	}
	return nil
}
