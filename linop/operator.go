package linop

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Operator is a symmetric linear operator A on R^n that is known by its product.
//
// Nothing here can see that an operator is not symmetric, and every method relies
// on it. An Apply that fails may fill dst with NaN: every method then stops with an
// error. An operator is used by one goroutine at a time.
type Operator interface {
	// Dim returns n ≥ 1.
	Dim() int
	// Apply computes dst = A·x for x of n elements. It overwrites all n elements of
	// dst, which does not overlap x, and leaves x alone.
	Apply(dst, x []float64)
}

// Func is an Operator made of a function, such as the difference of two operators.
type Func struct {
	N       int
	Product func(dst, x []float64)
}

// Dim returns n.
func (f Func) Dim() int { return f.N }

// Apply computes dst = A·x.
func (f Func) Apply(dst, x []float64) { f.Product(dst, x) }

// Dense is a symmetric matrix as an Operator.
type Dense struct {
	n int
	a []float64
}

// NewDense returns the symmetric n×n matrix a (row-major, both triangles), which is
// not copied.
func NewDense(n int, a []float64) Dense {
	if n < 1 || len(a) != n*n {
		panic("linop: NewDense: not an n×n matrix")
	}
	return Dense{n, a}
}

// Dim returns n.
func (d Dense) Dim() int { return d.n }

// Apply computes dst = A·x.
func (d Dense) Apply(dst, x []float64) {
	for i := range d.n {
		dst[i] = floats.Dot(d.a[i*d.n:(i+1)*d.n], x)
	}
}

// product computes dst = A·x unless ctx is done. A value that is not finite is an
// error: iterations that go on with it never end, or end with nonsense.
func product(ctx context.Context, a Operator, dst, x []float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.Apply(dst, x)
	for i, v := range dst {
		if !finite(v) {
			return fmt.Errorf("element %d of the operator's product with a vector is %v", i, v)
		}
	}
	return nil
}

func finite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

// rounding is the share of ‖A‖ below which a vector made of products with A is
// taken for zero: independent errors of n sums of n terms add up to about √n ulps in
// norm. Sixteen times that leaves room for the errors of the vectors multiplied.
func rounding(n int) float64 { return 16 * math.Sqrt(float64(n)) * 0x1p-52 }
