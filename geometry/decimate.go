package geometry

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"sobolev/internal/kernel"
)

// Decimated is one level of a decimation curve: TwoNN on subsets of N points.
// Values has the estimate of each subset, in the order drawn; SD is their sample
// standard deviation, NaN for one subset.
type Decimated struct {
	N        int
	Values   []float64
	Mean, SD float64
}

// Decimate returns the decimation curve of TwoNN's unbiased estimate: the
// dimension on the whole set, then on `draws` subsets of n/2, n/4, … n/2^levels
// points (Facco et al., 2017). A curve that is flat at small N is evidence for a
// dimension; one number is not. The subsets of a level are disjoint as long as
// there are 2^j or fewer of them, after which a new permutation begins. memory is
// as in Nearest. It fails as NearestOthers and TwoNN do, and where n/2^levels < 3.
func Decimate[T kernel.Float](x Points[T], levels, draws int, memory int64, random *rand.Rand) ([]Decimated, error) {
	if err := x.check("points"); err != nil {
		return nil, err
	}
	if levels < 0 || levels > 62 || draws < 1 || x.N>>levels < 3 {
		return nil, fmt.Errorf("%d draws of subsets down to %d/2^%d points; need draws and at least 3 points", draws, x.N, levels)
	}
	curve := make([]Decimated, levels+1)
	for j := range curve {
		level, err := decimate(x, j, draws, memory, random)
		if err != nil {
			return nil, fmt.Errorf("subsets of %d points: %w", x.N>>j, err)
		}
		curve[j] = level
	}
	return curve, nil
}

func decimate[T kernel.Float](x Points[T], level, draws int, memory int64, random *rand.Rand) (Decimated, error) {
	size := x.N >> level
	if level == 0 {
		draws = 1
	}
	out := Decimated{N: size}
	var order []int
	var stats running
	for range draws {
		if len(order) < size {
			order = random.Perm(x.N)
		}
		subset := view[T]{points: x, rows: slices.Sorted(slices.Values(order[:size]))}
		order = order[size:]
		near, err := nearest(subset, subset, 2, true, memory)
		if err != nil {
			return Decimated{}, err
		}
		result, err := TwoNN(near)
		if err != nil {
			return Decimated{}, err
		}
		out.Values = append(out.Values, result.Value)
		stats.add(result.Value)
	}
	out.Mean, out.SD = stats.mean, stats.sd()
	return out, nil
}
