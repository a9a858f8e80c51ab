package geometry

import "sobolev/internal/kernel"

// CountWithin returns κ at every point q_i: the number of points of x with
// ‖q_i − x_j‖ ≤ delta. memory is as in Nearest. It fails as Nearest does and for
// a delta that is not finite and positive.
func CountWithin[P, Q kernel.Float](x Points[P], q Points[Q], delta float64, memory int64) ([]int, error) {
	if err := checkPair(x, q, "points", "queries"); err != nil {
		return nil, err
	}
	if err := checkRadius(delta); err != nil {
		return nil, err
	}
	return countWithin(view[P]{points: x}, view[Q]{points: q}, delta, nil, memory)
}

// countWithin leaves point except[i] out of the count of query i, where except is
// not nil.
func countWithin[P, Q kernel.Float](x view[P], q view[Q], delta float64, except []int, memory int64) ([]int, error) {
	count := make([]int, q.len())
	err := eachProducts(x, q, memory, func(i, from int, products []float32, m margin) {
		possible, certain := m.reached(delta), m.enough(delta)
		for j, p := range products {
			if p < possible || except != nil && from+j == except[i] {
				continue
			}
			if p > certain || distance(x.row(from+j), q.row(i)) <= delta {
				count[i]++
			}
		}
	})
	return count, err
}

// countOthers returns #{j ≠ i: ‖x_i − x_j‖ ≤ delta} for every i.
func countOthers[T kernel.Float](x view[T], delta float64, memory int64) ([]int, error) {
	self := make([]int, x.len())
	for i := range self {
		self[i] = i
	}
	return countWithin(x, x, delta, self, memory)
}
