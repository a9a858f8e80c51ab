// Package blas gives Gonum's linear algebra the matrix product of package kernel.
package blas

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"

	"sobolev/internal/kernel"
)

// Use makes Implementation the one that Gonum's packages mat and lapack compute
// with, in the whole program. It must not be called while they compute; calling
// it again changes nothing. Package linop calls it as it is initialised.
func Use() { blas64.Use(Implementation{}) }

// Implementation is Gonum's own, with another Dgemm. That one uses a single
// goroutine: the same product has the same bits on any number of cores.
type Implementation struct{ gonum.Implementation }

var _ blas.Float64 = Implementation{}

// smallProduct is the number of multiplications up to which Gonum's product, which
// packs nothing, is the faster one.
const smallProduct = 8 * 8 * 8

// Dgemm computes C = alpha op(A) op(B) + beta C. Arguments that Gonum refuses make
// it panic as Gonum does.
func (g Implementation) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	transA, okA := transposes(tA)
	transB, okB := transposes(tB)
	if !okA || !okB || m <= 0 || n <= 0 || k <= 0 || m*n*k <= smallProduct || !stored(transA, m, k, a, lda) || !stored(transB, k, n, b, ldb) || !stored(false, m, n, c, ldc) {
		g.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	kernel.Gemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

func transposes(t blas.Transpose) (yes, ok bool) {
	return t != blas.NoTrans, t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

// stored reports whether x is long enough for op(X) with the given shape.
func stored(trans bool, rows, cols int, x []float64, stride int) bool {
	if trans {
		rows, cols = cols, rows
	}
	return stride >= cols && len(x) >= (rows-1)*stride+cols
}
