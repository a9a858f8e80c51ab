package geometry

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
)

// Neighbors holds the k nearest points of every query: row i of Distance and
// Index, both m×k, row-major, has those of query i, nearest first, and of equally
// distant points the one with the smaller index first.
type Neighbors struct {
	M, K     int
	Distance []float64
	Index    []int32
}

// Column returns the distances of all queries to their j-th neighbour, j from 1.
// It panics if j is not in 1 … K.
func (n *Neighbors) Column(j int) []float64 {
	if j < 1 || j > n.K {
		panic("geometry: Column: no such neighbour")
	}
	c := make([]float64, n.M)
	for i := range c {
		c[i] = n.Distance[i*n.K+j-1]
	}
	return c
}

// Nearest returns the k points of x that are nearest to each point of q. memory
// limits the bytes of working memory and result; the result does not depend on
// it, nor on the processor. The time is that of a product n×d by d×m in float32,
// unless very many distances are equal to within its rounding. It fails for
// values that are not finite, dimensions that differ, k < 1 and k > n.
func Nearest[P, Q kernel.Float](x Points[P], q Points[Q], k int, memory int64) (*Neighbors, error) {
	if err := checkPair(x, q, "points", "queries"); err != nil {
		return nil, err
	}
	return nearest(view[P]{points: x}, view[Q]{points: q}, k, false, memory)
}

// NearestOthers is Nearest of every point of x among the others: a point is not
// its own neighbour, but a duplicate of it is, at distance zero. It needs
// k ≤ n − 1.
func NearestOthers[T kernel.Float](x Points[T], k int, memory int64) (*Neighbors, error) {
	if err := x.check("points"); err != nil {
		return nil, err
	}
	v := view[T]{points: x}
	return nearest(v, v, k, true, memory)
}

func nearest[P, Q kernel.Float](x view[P], q view[Q], k int, others bool, memory int64) (*Neighbors, error) {
	available := x.len()
	if others {
		available--
	}
	if k < 1 || k > available {
		return nil, fmt.Errorf("%d nearest of %d points; need 1 ≤ k ≤ %[2]d", k, available)
	}
	if available > math.MaxInt32 || int64(k) > memory/12/int64(q.len()) {
		return nil, fmt.Errorf("%d neighbours of %d points do not fit into %d bytes of memory", k, q.len(), memory)
	}
	size := q.len() * k
	s := &search[P, Q]{x: x, q: q, others: others, found: Neighbors{
		M: q.len(), K: k, Distance: make([]float64, size), Index: make([]int32, size),
	}}
	for i := range size {
		s.found.Distance[i], s.found.Index[i] = math.Inf(1), math.MaxInt32
	}
	if err := eachProducts(x, q, memory-12*int64(size), s.visit); err != nil {
		return nil, err
	}
	return &s.found, nil
}

type search[P, Q kernel.Float] struct {
	x      view[P]
	q      view[Q]
	others bool
	found  Neighbors
	near   []int // candidates of a block
}

// visit looks at the points of a block whose products leave a chance that they
// are nearer than the k-th so far, the k most promising first: whatever order the
// points are in, they leave hardly a chance to the rest.
func (s *search[P, Q]) visit(i, from int, products []float32, m margin) {
	k := s.found.K
	distances, index := s.found.Distance[i*k:(i+1)*k], s.found.Index[i*k:(i+1)*k]
	worst := distances[k-1]
	if worst == 0 {
		return // duplicates with smaller indices
	}
	limit := m.reached(worst)
	s.near = s.near[:0]
	for j, p := range products {
		if p >= limit {
			s.near = append(s.near, j)
		}
	}
	largestFirst(s.near, products, k)
	for _, j := range s.near {
		if !(products[j] >= limit) || s.others && from+j == i {
			continue
		}
		if insert(distances, index, distance(s.x.row(from+j), s.q.row(i)), int32(from+j)) {
			limit = m.reached(distances[k-1])
		}
	}
}

// largestFirst moves the indices of the k largest products to the front, in
// descending order.
func largestFirst(near []int, products []float32, k int) {
	for at, j := range near {
		if at >= k {
			if products[j] <= products[near[k-1]] {
				continue
			}
			near[at] = near[k-1]
			at = k - 1
		}
		for ; at > 0 && products[near[at-1]] < products[j]; at-- {
			near[at] = near[at-1]
		}
		near[at] = j
	}
}

// insert puts (r, j) in its place in the ascending lists if it is before the last.
func insert(distances []float64, index []int32, r float64, j int32) bool {
	before := func(at int) bool { return r < distances[at] || r == distances[at] && j < index[at] }
	at := len(distances) - 1
	if !before(at) {
		return false
	}
	for ; at > 0 && before(at-1); at-- {
		distances[at], index[at] = distances[at-1], index[at-1]
	}
	distances[at], index[at] = r, j
	return true
}
