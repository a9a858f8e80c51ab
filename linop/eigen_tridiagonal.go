package linop

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"sobolev/internal/kernel"
)

// Sizes of the blocks of the reduction and of the way back.
const (
	panelRows      = 32  // reflections between two updates of the remaining matrix
	updateRows     = 128 // rows of the upper triangle that are updated by one product
	symvRows       = 8   // a tile of symvRows×symvCols is used twice while it is cached
	symvCols       = 512
	backReflectors = 128 // reflections that are applied to the eigenvectors at once
)

// vanishing is nothing beside a matrix that is scaled to one.
const vanishing = 0x1p-400

// vectorBLAS has the products of a matrix with a vector.
var vectorBLAS gonum.Implementation

// tridiagonal is the reduction H_{n−2}…H_0 A H_0…H_{n−2} = T to a symmetric
// tridiagonal matrix by reflections H_j = I − τ_j v_j v_jᵀ. Row-major, the
// vectors v_j are rows, and everything runs along rows.
type tridiagonal struct {
	n int
	// a is n×n. It begins as the upper triangle of A; row j becomes v_j, which is
	// zero up to column j and one in column j+1.
	a []float64
	// tau has the n−1 factors τ_j.
	tau []float64
	// diagonal and off are the n and n−1 elements of T.
	diagonal, off []float64
	// w has the rows w_j of the panel at work: subtracting v_j w_jᵀ + w_j v_jᵀ from
	// A for all of them applies its reflections from both sides.
	w []float64
	// columns is [Vᵀ Wᵀ], rows [W; V]: with them the update is one product.
	columns, rows []float64
}

func newTridiagonal(n int, a []float64, scale float64) *tridiagonal {
	panel := min(panelRows, n)
	t := &tridiagonal{
		n: n, a: make([]float64, n*n), tau: make([]float64, n-1),
		diagonal: make([]float64, n), off: make([]float64, n-1),
		w:       make([]float64, panel*n),
		columns: make([]float64, 2*panel*n), rows: make([]float64, 2*panel*n),
	}
	for i := range n {
		for j := i; j < n; j++ {
			t.a[i*n+j] = scale * a[i*n+j]
		}
	}
	return t
}

// reduce runs through panels of rows (Dongarra, Sorensen & Hammarling, 1989). Half
// of the operations are products of the remaining matrix with a vector, the other
// half its update by a matrix product after every panel.
func (t *tridiagonal) reduce() {
	n := t.n
	for first := 0; first < n-1; first += panelRows {
		count := min(panelRows, n-1-first)
		for k := range count {
			t.reduceRow(first, k)
		}
		for j := first; j < first+count; j++ {
			clear(t.a[j*n : j*n+j+1]) // the diagonal, and what updates left below it
		}
		t.update(first, count)
	}
	// Gonum's QL iterations fail where all elements of a block are near the end of
	// the range, and the secular equation has their inverses and squares.
	for j, v := range t.off {
		if math.Abs(v) <= vanishing {
			t.off[j] = 0
		}
	}
	t.diagonal[n-1] = t.a[n*n-1]
	t.w, t.columns, t.rows = nil, nil, nil
}

// reduceRow finds the reflection of row first+k, and its w.
func (t *tridiagonal) reduceRow(first, k int) {
	n, j := t.n, first+k
	row := t.a[j*n : (j+1)*n]
	for p := range k {
		v, w := t.a[(first+p)*n:(first+p+1)*n], t.w[p*n:(p+1)*n]
		kernel.Axpy(row[j:], -v[j], w[j:])
		kernel.Axpy(row[j:], -w[j], v[j:])
	}
	t.diagonal[j] = row[j]
	v, y := row[j+1:], t.w[k*n+j+1:(k+1)*n]
	t.off[j], t.tau[j] = householder(v)
	if t.tau[j] == 0 {
		clear(y)
		return
	}
	t.multiply(y, v, first, k)
	kernel.Scale(y, t.tau[j])
	kernel.Axpy(y, -t.tau[j]/2*dot(y, v), v)
}

// householder replaces x by v with v_0 = 1 such that (I − τvvᵀ)x = (β, 0, …, 0)ᵀ. τ is
// zero where x is of that form already.
func householder(x []float64) (beta, tau float64) {
	alpha, rest := x[0], vectorBLAS.Dnrm2(len(x)-1, x[1:], 1)
	x[0] = 1
	if rest <= vanishing {
		clear(x[1:])
		return alpha, 0
	}
	beta = -math.Copysign(math.Hypot(alpha, rest), alpha)
	kernel.Scale(x[1:], 1/(alpha-beta))
	return beta, (beta - alpha) / beta
}

func dot(x, y []float64) float64 { return vectorBLAS.Ddot(len(x), x, 1, y, 1) }

// multiply computes y = (A − VᵀW − WᵀV) x for the part of A below row first+k,
// where V and W are the k first rows of the panel.
func (t *tridiagonal) multiply(y, x []float64, first, k int) {
	n, m := t.n, len(x)
	symv(y, t.a[(n-m)*n+n-m:], n, x)
	if k == 0 {
		return
	}
	v, w := t.a[first*n+n-m:], t.w[n-m:]
	var products [panelRows]float64
	vectorBLAS.Dgemv(blas.NoTrans, k, m, 1, w, n, x, 1, 0, products[:], 1)
	vectorBLAS.Dgemv(blas.Trans, k, m, -1, v, n, products[:], 1, 1, y, 1)
	vectorBLAS.Dgemv(blas.NoTrans, k, m, 1, v, n, x, 1, 0, products[:], 1)
	vectorBLAS.Dgemv(blas.Trans, k, m, -1, w, n, products[:], 1, 1, y, 1)
}

// symv computes y = A x from the upper triangle of A with rows of the given
// stride. Memory limits it, so that every element is loaded once for both of its
// places.
func symv(y, a []float64, stride int, x []float64) {
	n := len(x)
	clear(y)
	for i := 0; i < n; i += symvRows {
		h := min(symvRows, n-i)
		for r := i; r < i+h; r++ {
			y[r] += a[r*stride+r] * x[r]
			for c := r + 1; c < i+h; c++ {
				v := a[r*stride+c]
				y[r] += v * x[c]
				y[c] += v * x[r]
			}
		}
		for j := i + h; j < n; j += symvCols {
			tile, w := a[i*stride+j:], min(symvCols, n-j)
			vectorBLAS.Dgemv(blas.NoTrans, h, w, 1, tile, stride, x[j:], 1, 1, y[i:], 1)
			vectorBLAS.Dgemv(blas.Trans, h, w, 1, tile, stride, x[i:], 1, 1, y[j:], 1)
		}
	}
}

// update subtracts VᵀW + WᵀV from the upper triangle behind the panel.
func (t *tridiagonal) update(first, count int) {
	n, from := t.n, first+count
	m := n - from
	for p := range count {
		v, w := t.a[(first+p)*n+from:(first+p+1)*n], t.w[p*n+from:(p+1)*n]
		copy(t.rows[p*m:(p+1)*m], w)
		copy(t.rows[(count+p)*m:(count+p+1)*m], v)
	}
	for i := range m {
		column := t.columns[i*2*count : (i+1)*2*count]
		for p := range count {
			column[p], column[count+p] = t.a[(first+p)*n+from+i], t.w[p*n+from+i]
		}
	}
	for i := 0; i < m; i += updateRows {
		h := min(updateRows, m-i)
		kernel.Gemm(false, false, h, m-i, 2*count, -1, t.columns[i*2*count:], 2*count,
			t.rows[i:], m, 1, t.a[(from+i)*n+from+i:], n)
	}
}

// transformBack turns the eigenvectors of T, the rows of the n×n matrix q, into
// those of A: every row r becomes H_0…H_{n−2} r. Reflections are applied in
// blocks, H_j…H_{j+b−1} = I − Vᵀ S V with the rows V of a and an upper triangular
// S (Schreiber & Van Loan, 1989).
func (t *tridiagonal) transformBack(q []float64) {
	n := t.n
	size := min(backReflectors, n-1)
	s, sv, x := make([]float64, size*size), make([]float64, size*n), make([]float64, n*size)
	for last := n - 1; last > 0; {
		// Only the block of the largest indices is smaller than the others.
		first := (last - 1) / backReflectors * backReflectors
		b, m := last-first, n-first-1
		v := t.a[first*n+first+1:]
		t.blockFactor(s, v, first, b, m)
		kernel.Gemm(true, false, b, m, b, 1, s, b, v, n, 0, sv, m)
		kernel.Gemm(false, true, n, b, m, 1, q[first+1:], n, v, n, 0, x, b)
		kernel.Gemm(false, false, n, m, b, -1, x, b, sv, m, 1, q[first+1:], n)
		last = first
	}
}

// blockFactor computes the b×b matrix S of the reflections first … first+b−1,
// whose vectors are b rows of m columns: S_kk = τ_k, and above the diagonal
// S_:k = −τ_k S V v_k.
func (t *tridiagonal) blockFactor(s, v []float64, first, b, m int) {
	n := t.n
	kernel.Gemm(false, true, b, b, m, 1, v, n, v, n, 0, s, b)
	column := make([]float64, b)
	for k := range b {
		tau := t.tau[first+k]
		for i := range k {
			column[i] = s[i*b+k]
		}
		for i := range k {
			sum := 0.0
			for l := i; l < k; l++ {
				sum += s[i*b+l] * column[l]
			}
			s[i*b+k] = -tau * sum
		}
		s[k*b+k] = tau
		clear(s[k*b : k*b+k])
	}
}
