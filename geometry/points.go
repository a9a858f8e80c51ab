package geometry

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
)

// Points are n points in R^d. X is n×d, row-major.
type Points[T kernel.Float] struct {
	N, D int
	X    []T
}

// Limits on the input: beyond, squares of distances overflow or the rounding
// errors of float32 products have no useful bound.
const (
	maxCoordinate = 1e150
	maxDimension  = 1 << 22
)

func (p Points[T]) check(what string) error {
	switch {
	case p.N < 1 || p.D < 1:
		return fmt.Errorf("%s: %d points of dimension %d; need at least one of each", what, p.N, p.D)
	case p.D > maxDimension:
		return fmt.Errorf("%s: dimension %d is above %d", what, p.D, maxDimension)
	case len(p.X)/p.D != p.N || len(p.X)%p.D != 0:
		return fmt.Errorf("%s: %d values for %d points of dimension %d", what, len(p.X), p.N, p.D)
	}
	for i, v := range p.X {
		if w := float64(v); !(w >= -maxCoordinate && w <= maxCoordinate) {
			return fmt.Errorf("%s: coordinate %d of point %d is %v; need finite values up to %g", what, i%p.D, i/p.D, v, maxCoordinate)
		}
	}
	return nil
}

// checkPair checks two sets that distances between are asked for.
func checkPair[P, Q kernel.Float](x Points[P], q Points[Q], whatX, whatQ string) error {
	if err := x.check(whatX); err != nil {
		return err
	}
	if err := q.check(whatQ); err != nil {
		return err
	}
	if x.D != q.D {
		return fmt.Errorf("%s have dimension %d, %s %d", whatX, x.D, whatQ, q.D)
	}
	return nil
}

func checkRadius(delta float64) error {
	if !(delta > 0) || math.IsInf(delta, 1) {
		return fmt.Errorf("radius δ is %v; need a finite δ > 0", delta)
	}
	return nil
}

// A view is some of the points, in an order of its own; all of them where rows
// is nil.
type view[T kernel.Float] struct {
	points Points[T]
	rows   []int
}

func (v view[T]) len() int {
	if v.rows == nil {
		return v.points.N
	}
	return len(v.rows)
}

func (v view[T]) row(i int) []T {
	if v.rows != nil {
		i = v.rows[i]
	}
	return v.points.X[i*v.points.D : (i+1)*v.points.D]
}

// distance returns ‖x − y‖, the sum in a fixed order. The conversions keep the
// compiler from fusing: the bits are the same on every platform.
func distance[P, Q kernel.Float](x []P, y []Q) float64 {
	var s0, s1, s2, s3 float64
	y = y[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		d0 := float64(x[i]) - float64(y[i])
		d1 := float64(x[i+1]) - float64(y[i+1])
		d2 := float64(x[i+2]) - float64(y[i+2])
		d3 := float64(x[i+3]) - float64(y[i+3])
		s0 += float64(d0 * d0)
		s1 += float64(d1 * d1)
		s2 += float64(d2 * d2)
		s3 += float64(d3 * d3)
	}
	for ; i < len(x); i++ {
		d := float64(x[i]) - float64(y[i])
		s0 += float64(d * d)
	}
	return math.Sqrt((s0 + s1) + (s2 + s3))
}
