package blas

import (
	"gonum.org/v1/gonum/blas"

	"sobolev/internal/kernel"
)

// smallTriangle is the size up to which Gonum computes a symmetric product.
const smallTriangle = 32

// Dsyrk computes one triangle of C = alpha A Aᵀ + beta C, or with A transposed of
// C = alpha Aᵀ A + beta C: two smaller ones and the rectangle between them.
// Arguments that Gonum refuses make it panic as Gonum does.
func (g Implementation) Dsyrk(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	trans, ok := transposes(tA)
	upper := ul == blas.Upper
	if !ok || !upper && ul != blas.Lower || n <= smallTriangle || k <= 0 || !stored(trans, n, k, a, lda) || !stored(false, n, n, c, ldc) {
		g.Implementation.Dsyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	first := (n/2 + kernel.RowBlock - 1) / kernel.RowBlock * kernel.RowBlock
	second := first * lda
	if trans {
		second = first
	}
	g.Dsyrk(ul, tA, first, k, alpha, a, lda, beta, c, ldc)
	if upper {
		kernel.Gemm(trans, !trans, first, n-first, k, alpha, a, lda, a[second:], lda, beta, c[first:], ldc)
	} else {
		kernel.Gemm(trans, !trans, n-first, first, k, alpha, a[second:], lda, a, lda, beta, c[first*ldc:], ldc)
	}
	g.Dsyrk(ul, tA, n-first, k, alpha, a[second:], lda, beta, c[first*ldc+first:], ldc)
}
