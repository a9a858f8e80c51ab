package seminorm

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// gramLimit is the largest side of a Gram matrix to form: 8 MB, about a second.
const gramLimit = 1024

// structured is the number of starts of each kind: singular vectors, rows, unit
// vectors.
const structured = 3

// spectrum is what the certificates of all orders share.
type spectrum struct {
	rows, cols       int
	abs              Operator // |A|
	rowSums, colSums []float64
	one, two, inf    float64     // upper values of ‖A‖₁, ‖A‖₂, ‖A‖_∞
	singular         [][]float64 // right singular vectors of the largest values
	rounding         float64     // relative error of a sum of non-negative terms over A
}

func newSpectrum(a Operator, spectralUpper float64, gramLimit int) spectrum {
	s := spectrum{abs: a.AbsPow(1)}
	s.rows, s.cols = a.Dims()
	s.rounding = float64(2*(s.rows+s.cols)+200) * 0x1p-52
	s.rowSums, s.colSums = make([]float64, s.rows), make([]float64, s.cols)
	s.abs.Mul(s.rowSums, ones(s.cols))
	s.abs.MulTrans(s.colSums, ones(s.rows))
	s.one, s.inf = largestAbs(s.colSums), largestAbs(s.rowSums)
	if !s.inRange() {
		return s
	}
	s.two = min(math.Sqrt(s.one)*math.Sqrt(s.inf), frobenius(a))
	if schur, _ := absoluteNorm(s.abs, 2); schur < s.two {
		s.two = schur
	}
	if spectralUpper > 0 {
		s.two = min(s.two, spectralUpper)
	}
	if min(s.rows, s.cols) <= gramLimit {
		s.fromGram(a)
	}
	return s
}

// inRange reports whether squares of elements can be added without over- or
// underflow that matters.
func (s *spectrum) inRange() bool {
	low, high := min(s.one, s.inf), max(s.one, s.inf)
	return high == 0 || low >= 1e-100 && high <= 1e100
}

func ones(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// frobenius returns ‖A‖_F.
func frobenius(a Operator) float64 {
	rows, cols := a.Dims()
	sums := make([]float64, rows)
	a.AbsPow(2).Mul(sums, ones(cols))
	var sum float64
	for _, v := range sums {
		sum += v
	}
	return math.Sqrt(sum)
}

// fromGram takes the largest singular values from the smaller Gram matrix.
func (s *spectrum) fromGram(a Operator) {
	turned := s.rows < s.cols
	if turned {
		a = Transpose(a)
	}
	rows, side := a.Dims()
	gram, trace := gramMatrix(a)
	if trace == 0 {
		return
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(gram, true) {
		return
	}
	values := eigen.Values(nil)
	s.two = min(s.two, math.Sqrt(max(0, values[side-1])+gramMargin(rows, side)*trace))
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for j := side - 1; j >= max(0, side-structured); j-- {
		v := mat.Col(nil, j, &vectors)
		if turned {
			right := make([]float64, rows)
			a.Mul(right, v)
			v = right
		}
		s.singular = append(s.singular, v)
	}
}

// gramMatrix returns AᵀA and its trace, ‖A‖_F².
func gramMatrix(a Operator) (*mat.SymDense, float64) {
	rows, side := a.Dims()
	gram := mat.NewSymDense(side, nil)
	unit, y, column := make([]float64, side), make([]float64, rows), make([]float64, side)
	trace := 0.0
	for j := range side {
		unit[j] = 1
		a.Mul(y, unit)
		a.MulTrans(column, y)
		unit[j] = 0
		for i := range j + 1 {
			gram.SetSym(i, j, column[i])
		}
		trace += column[j]
	}
	return gram, trace
}

// gramMargin bounds the error of the largest eigenvalue of a Gram matrix of the
// given side whose elements are sums of rows products, relative to its trace: the
// rounding of those sums, and ten times the side for the eigenvalue solver, whose
// error is a small multiple of it.
func gramMargin(rows, side int) float64 {
	return float64(rows+11*side+100) * 0x1p-52
}

// certificates returns the upper values of ‖A‖_p that need no iteration.
func (s *spectrum) certificates(a Operator, p float64) []Certificate {
	dual := p / (p - 1)
	rows := make([]float64, s.rows)
	a.AbsPow(dual).Mul(rows, ones(s.cols))
	for i, v := range rows {
		rows[i] = math.Pow(v, 1/dual)
	}
	return []Certificate{
		{RieszThorin1, math.Pow(s.one, 1/p) * math.Pow(s.inf, 1-1/p)},
		{RieszThorin2, math.Pow(s.two, 2/p) * math.Pow(s.inf, 1-2/p)},
		{Spectral, s.two * math.Pow(float64(s.cols), 0.5-1/p)},
		{RowHolder, powerNorm(rows, p)},
	}
}

// starts returns the structured starts of the power method: singular vectors,
// the maximisers of single rows, and unit vectors, of the largest rows and
// columns.
func (s *spectrum) starts(a Operator, p float64) [][]float64 {
	starts := slices.Clone(s.singular)
	for _, i := range leading(s.rowSums, structured) {
		unit, row := make([]float64, s.rows), make([]float64, s.cols)
		unit[i] = 1
		a.MulTrans(row, unit)
		dualVector(row, p)
		starts = append(starts, row)
	}
	for _, j := range leading(s.colSums, structured) {
		unit := make([]float64, s.cols)
		unit[j] = 1
		starts = append(starts, unit)
	}
	return starts
}

// leading returns the indices of the largest values, in descending order.
func leading(v []float64, count int) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case v[i] > v[j]:
			return -1
		case v[i] < v[j]:
			return 1
		}
		return 0
	})
	return order[:min(count, len(order))]
}
