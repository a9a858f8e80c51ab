package geometry

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"sobolev/internal/kernel"
)

// Scatter brackets K = sup_x κ(x), the largest number of balls that share a point
// (Ma & Ying, 2021, Definition 3): Lower ≤ K ≤ Upper.
//
// The supremum itself is hard to compute in high dimension. Lower is the larger of
// κ's maximum over the training points, AtPoints, and over a sample of X_δ,
// AtSample (zero where none was needed). Upper is max_i #{j: ‖x_i − x_j‖ ≤ 2δ}: points
// whose balls share a point are within 2δ of each other.
type Scatter struct {
	Delta    float64
	Lower    int
	Upper    int
	AtPoints int
	AtSample int
}

// ScatterBracket brackets K for balls of radius delta around x with draws ≥ 0
// points of SampleUnion. memory is as in MeasureUnion, whose errors it has.
func ScatterBracket[T kernel.Float](x Points[T], delta float64, draws int, memory int64, random *rand.Rand) (Scatter, error) {
	if draws < 0 {
		return Scatter{}, fmt.Errorf("%d draws; need none or more", draws)
	}
	if err := checkUnion(x, delta, max(draws, 1)); err != nil {
		return Scatter{}, err
	}
	return scatterBracket(view[T]{points: x}, delta, draws, memory, random)
}

func scatterBracket[T kernel.Float](x view[T], delta float64, draws int, memory int64, random *rand.Rand) (Scatter, error) {
	s := Scatter{Delta: delta}
	near, err := countOthers(x, delta, memory)
	if err != nil {
		return Scatter{}, err
	}
	s.AtPoints = 1 + slices.Max(near)
	// A little more than 2δ: a bound from above has to survive rounding.
	wide, err := countOthers(x, 2*delta*(1+float64(x.points.D+8)*4*unit64), memory)
	if err != nil {
		return Scatter{}, err
	}
	s.Upper = 1 + slices.Max(wide)
	if draws > 0 && s.Upper > s.AtPoints {
		u, err := measureUnion(x, delta, draws, memory, random)
		if err != nil {
			return Scatter{}, err
		}
		s.AtSample = u.MaxKappa
	}
	s.Lower = max(s.AtPoints, s.AtSample)
	return s, nil
}
