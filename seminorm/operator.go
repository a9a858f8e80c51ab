package seminorm

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// Operator is a real matrix A, rows×cols, known by its products.
type Operator interface {
	Dims() (rows, cols int)
	// Multiplications is how many a product takes, about.
	Multiplications() int
	// Mul sets y to A x.
	Mul(y, x []float64)
	// MulTrans sets x to Aᵀ y.
	MulTrans(x, y []float64)
	// AbsPow returns the matrix of |a|^p, entry by entry, p > 0.
	AbsPow(p float64) Operator
}

// Dense is a matrix that is stored, row-major.
type Dense struct {
	rows, cols int
	data       []float64
}

// NewDense returns the rows×cols matrix of data, which it keeps.
func NewDense(rows, cols int, data []float64) *Dense {
	if rows < 1 || cols < 1 || len(data) != rows*cols {
		panic("seminorm: a matrix needs rows·cols elements")
	}
	return &Dense{rows, cols, data}
}

// Dims returns the number of rows and columns.
func (a *Dense) Dims() (rows, cols int) { return a.rows, a.cols }

// Multiplications is the number of elements.
func (a *Dense) Multiplications() int { return len(a.data) }

// Mul sets y to A x.
func (a *Dense) Mul(y, x []float64) {
	for i := range y {
		y[i] = floats.Dot(a.data[i*a.cols:(i+1)*a.cols], x)
	}
}

// MulTrans sets x to Aᵀ y.
func (a *Dense) MulTrans(x, y []float64) {
	clear(x)
	for i, v := range y {
		if v != 0 {
			floats.AddScaled(x, v, a.data[i*a.cols:(i+1)*a.cols])
		}
	}
}

// AbsPow returns the matrix of |a|^p.
func (a *Dense) AbsPow(p float64) Operator {
	return NewDense(a.rows, a.cols, absPow(a.data, p))
}

func absPow(data []float64, p float64) []float64 {
	powers := make([]float64, len(data))
	for i, v := range data {
		powers[i] = power(math.Abs(v), p)
	}
	return powers
}

// Transpose returns Aᵀ.
func Transpose(a Operator) Operator {
	if t, ok := a.(transposed); ok {
		return t.of
	}
	return transposed{a}
}

type transposed struct{ of Operator }

func (t transposed) Dims() (rows, cols int) {
	cols, rows = t.of.Dims()
	return rows, cols
}
func (t transposed) Multiplications() int      { return t.of.Multiplications() }
func (t transposed) Mul(y, x []float64)        { t.of.MulTrans(y, x) }
func (t transposed) MulTrans(x, y []float64)   { t.of.Mul(x, y) }
func (t transposed) AbsPow(p float64) Operator { return transposed{t.of.AbsPow(p)} }
