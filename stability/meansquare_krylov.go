package stability

import (
	"gonum.org/v1/gonum/floats"

	"sobolev/internal/kernel"
	"sobolev/linop"
)

// krylov is the process of Lanczos for a symmetric map, with full
// reorthogonalisation: T = Vᵀ A V is tridiagonal with alpha on its diagonal and
// beta beside it. linop.Lanczos keeps its basis for itself; here the basis also
// solves the systems of certificates and compresses problems.
type krylov struct {
	apply func(dst, v []float64)
	// basis holds the columns of V and the next one; its vectors are used again
	// after a new start.
	basis        [][]float64
	alpha, beta  []float64
	norm         float64
	applications int
}

// Where a remainder is below these shares of the image: the space is invariant and
// the rest rounding; once is not enough to make it orthogonal.
const (
	breakdown    = 1e-13
	cancellation = 1e-3
)

func (k *krylov) begin(start []float64) {
	k.alpha, k.beta = k.alpha[:0], k.beta[:0]
	k.norm = floats.Norm(start, 2)
	k.set(0, start, 1/k.norm)
}

// set makes column j of the basis scale·v.
func (k *krylov) set(j int, v []float64, scale float64) {
	if j == len(k.basis) {
		k.basis = append(k.basis, make([]float64, len(v)))
	}
	for i, x := range v {
		k.basis[j][i] = scale * x
	}
}

// extend adds a column to the basis; it returns false where the space is
// invariant.
func (k *krylov) extend(work []float64) bool {
	j := len(k.alpha)
	k.apply(work, k.basis[j])
	k.applications++
	size := floats.Norm(work, 2)
	k.alpha = append(k.alpha, floats.Dot(work, k.basis[j]))
	beta := k.orthogonalise(work, j)
	if beta < cancellation*size {
		beta = k.orthogonalise(work, j)
	}
	if !(beta > breakdown*size) {
		k.beta = append(k.beta, 0)
		return false
	}
	k.beta = append(k.beta, beta)
	k.set(j+1, work, 1/beta)
	return true
}

// orthogonalise takes the first j+1 columns out of v, backwards: the two large
// components go first. It returns what is left of the norm.
func (k *krylov) orthogonalise(v []float64, j int) float64 {
	for l := j; l >= 0; l-- {
		kernel.Axpy(v, -floats.Dot(v, k.basis[l]), k.basis[l])
	}
	return floats.Norm(v, 2)
}

// grow extends the basis to limit columns, or until the largest Ritz value has a
// residual of at most tolerance times itself.
func (k *krylov) grow(limit int, tolerance float64) (converged bool) {
	work := make([]float64, len(k.basis[0]))
	for len(k.alpha) < limit {
		if !k.extend(work) {
			return true
		}
		if steps := len(k.alpha); steps < 8 || steps%4 == 0 && steps <= 32 || steps%16 == 0 || steps == limit {
			if value, residual, _ := k.ritz(); residual <= tolerance*value {
				return true
			}
		}
	}
	return false
}

// ritz returns the largest eigenvalue of T, the norm of A x − value·x for its
// vector x = V s, and s.
func (k *krylov) ritz() (value, residual float64, s []float64) {
	m := len(k.alpha)
	values, vectors, err := linop.EigenSym(m, k.tridiagonal())
	if err != nil {
		panic("stability: a tridiagonal matrix has no eigenvalues")
	}
	s = vectors[(m-1)*m:]
	return values[m-1], k.beta[m-1] * max(s[m-1], -s[m-1]), s
}

// tridiagonal returns T, m×m.
func (k *krylov) tridiagonal() []float64 {
	m := len(k.alpha)
	t := make([]float64, m*m)
	for j, a := range k.alpha {
		t[j*m+j] = a
		if j+1 < m {
			t[j*m+j+1] = k.beta[j]
			t[(j+1)*m+j] = k.beta[j]
		}
	}
	return t
}

// combine returns V y.
func (k *krylov) combine(y []float64) []float64 {
	v := make([]float64, len(k.basis[0]))
	for j, c := range y {
		kernel.Axpy(v, c, k.basis[j])
	}
	return v
}

// solve returns the approximate solution of (θ − A) x = start in the space, for
// θ above the largest Ritz value.
func (k *krylov) solve(theta float64) []float64 {
	m := len(k.alpha)
	pivot, y := make([]float64, m), make([]float64, m)
	pivot[0], y[0] = theta-k.alpha[0], k.norm
	for j := 1; j < m; j++ {
		ratio := k.beta[j-1] / pivot[j-1]
		pivot[j] = theta - k.alpha[j] - k.beta[j-1]*ratio
		y[j] = y[j-1] * ratio
	}
	y[m-1] /= pivot[m-1]
	for j := m - 2; j >= 0; j-- {
		y[j] = (y[j] + k.beta[j]*y[j+1]) / pivot[j]
	}
	return k.combine(y)
}
