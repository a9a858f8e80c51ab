// Package linop holds symmetric linear operators that are known by their product
// with a vector, and the dense symmetric eigenproblem. It knows no network.
package linop

import (
	"errors"
	"fmt"
	"math"
)

// EigenSym returns the eigenvalues of the symmetric n×n matrix a (row-major; only
// the upper triangle is read) in ascending order, and the orthonormal
// eigenvectors as the rows of an n×n row-major matrix.
//
// The matrix is reduced to a tridiagonal one by blocked reflections (Dongarra,
// Sorensen & Hammarling, 1989), which is solved by divide and conquer (Cuppen,
// 1981; Gu & Eisenstat, 1995). Residual and orthogonality errors are small
// multiples of the rounding error of ‖a‖ and 1: an eigenvalue that is tiny beside
// ‖a‖ has few correct digits, or none. One goroutine computes, on three n×n
// matrices of memory, the eigenvectors among them; the same input gives the same
// bits.
//
// It fails if an element of the upper triangle is not finite or an eigenvalue
// overflows, and panics if a is shorter than n·n.
func EigenSym(n int, a []float64) (values, vectors []float64, err error) {
	if n < 0 || len(a) < n*n {
		panic("linop: EigenSym: matrix too short")
	}
	largest, err := largestElement(n, a)
	if err != nil || n == 0 {
		return nil, nil, err
	}
	// By a power of two the scaling is exact. The clamp keeps 2^-e a number.
	_, exponent := math.Frexp(largest)
	exponent = min(max(exponent, -1000), 1000)
	t := newTridiagonal(n, a, math.Ldexp(1, -exponent))
	t.reduce()
	s := newDivided(t.diagonal, t.off)
	if err := s.solve(0, n); err != nil {
		return nil, nil, err
	}
	s.gathered, s.chunk, s.product = nil, nil, nil // a third of the memory
	t.transformBack(s.vectors)
	values = s.ascending()
	for i, v := range values {
		values[i] = math.Ldexp(v, exponent)
	}
	if math.IsInf(values[0], 0) || math.IsInf(values[n-1], 0) {
		return nil, nil, errors.New("an eigenvalue of a symmetric matrix overflows")
	}
	return values, s.vectors, nil
}

// largestElement returns the largest absolute value of the upper triangle.
func largestElement(n int, a []float64) (float64, error) {
	largest := 0.0
	for i := range n {
		for j, v := range a[i*n+i : (i+1)*n] {
			v = math.Abs(v)
			if !(v <= math.MaxFloat64) {
				return 0, fmt.Errorf("element (%d, %d) of a symmetric matrix is %v", i, i+j, a[i*n+i+j])
			}
			largest = max(largest, v)
		}
	}
	return largest, nil
}
