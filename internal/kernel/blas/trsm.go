package blas

import (
	"gonum.org/v1/gonum/blas"

	"sobolev/internal/kernel"
)

// Dtrsm solves op(A) X = alpha B, or X op(A) = alpha B, for a triangular A and puts
// X in place of B: a half of X first, then what that takes from the other half of
// B, then the other half of X. Arguments that Gonum refuses make it panic as Gonum
// does.
func (g Implementation) Dtrsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	trans, ok := transposes(tA)
	left, upper := s == blas.Left, ul == blas.Upper
	size := n
	if left {
		size = m
	}
	ok = ok && (left || s == blas.Right) && (upper || ul == blas.Lower) && (d == blas.Unit || d == blas.NonUnit)
	if !ok || size <= smallSolve || m <= 0 || n <= 0 || alpha == 0 || !stored(false, size, size, a, lda) || !stored(false, m, n, b, ldb) {
		g.Implementation.Dtrsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
		return
	}
	h := (size/2 + kernel.RowBlock - 1) / kernel.RowBlock * kernel.RowBlock
	// Halves of X, each with the block of A on its diagonal.
	type half struct {
		size int
		a, b []float64
	}
	now, then := half{h, a, b}, half{size - h, a[h*lda+h:], b[h:]}
	if left {
		then.b = b[h*ldb:]
	}
	if lower := upper == trans; left != lower {
		now, then = then, now
	}
	between := a[h*lda:]
	if upper {
		between = a[h:]
	}
	if left {
		g.Dtrsm(s, ul, tA, d, now.size, n, alpha, now.a, lda, now.b, ldb)
		kernel.Gemm(trans, false, then.size, n, now.size, -1, between, lda, now.b, ldb, alpha, then.b, ldb)
		g.Dtrsm(s, ul, tA, d, then.size, n, 1, then.a, lda, then.b, ldb)
		return
	}
	g.Dtrsm(s, ul, tA, d, m, now.size, alpha, now.a, lda, now.b, ldb)
	kernel.Gemm(false, trans, m, then.size, now.size, -1, now.b, ldb, between, lda, alpha, then.b, ldb)
	g.Dtrsm(s, ul, tA, d, m, then.size, 1, then.a, lda, then.b, ldb)
}

// smallSolve is the size of A up to which Gonum solves.
const smallSolve = 16
