package linop

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"
)

// krylov is the Lanczos recurrence with full reorthogonalisation. After m steps
//
//	A·V = V·T + β_m v_{m+1} e_mᵀ + V·F,   VᵀV = I,
//
// where the m columns of V span the Krylov space of the start vector, T is
// tridiagonal with diagonal α_1 … α_m and off-diagonal β_1 … β_{m−1}, and the
// columns of F are what the reorthogonalisation removed: zero in exact arithmetic,
// of the size of the product's own errors otherwise.
type krylov struct {
	a Operator
	// rows holds v_1 … v_{m+1}; it keeps its memory from start to start.
	rows        [][]float64
	alpha, beta []float64
	// drift holds the norms of the columns of F.
	drift []float64
	h     []float64
	// norm is the largest absolute row sum of T with β_m, a bound on ‖T‖ that is at
	// most three times too large.
	norm float64
	// invariant says that the Krylov space holds A·V, up to rounding.
	invariant bool
}

func (k *krylov) row(i int) []float64 {
	if i == len(k.rows) {
		k.rows = append(k.rows, make([]float64, k.a.Dim()))
	}
	return k.rows[i]
}

// start begins a new recurrence at v, which is copied.
func (k *krylov) start(v []float64) error {
	k.alpha, k.beta, k.drift = k.alpha[:0], k.beta[:0], k.drift[:0]
	k.norm, k.invariant = 0, false
	return normalised(k.row(0), v)
}

// normalised computes dst = v/‖v‖.
func normalised(dst, v []float64) error {
	size := floats.Norm(v, 2)
	if !(size > 0) || !finite(size) {
		return fmt.Errorf("an iteration cannot start from a vector of norm %v", size)
	}
	floats.ScaleTo(dst, 1/size, v)
	return nil
}

// step adds a row and a column to T, with one product.
func (k *krylov) step(ctx context.Context) error {
	j := len(k.alpha)
	v, w := k.row(j), k.row(j+1)
	if err := product(ctx, k.a, w, v); err != nil {
		return err
	}
	alpha, above := floats.Dot(v, w), 0.0
	floats.AddScaled(w, -alpha, v)
	if j > 0 {
		above = k.beta[j-1]
		floats.AddScaled(w, -above, k.rows[j-1])
	}
	if len(k.h) == j {
		k.h = append(k.h, 0)
	}
	drift, beta := orthogonalise(w, k.rows[:j+1], k.h)
	if !finite(alpha + beta + drift) {
		return errors.New("the operator's product with a unit vector overflows float64")
	}
	k.alpha, k.beta, k.drift = append(k.alpha, alpha), append(k.beta, beta), append(k.drift, drift)
	k.norm = max(k.norm, above+math.Abs(alpha)+beta)
	k.invariant = j+1 == k.a.Dim() || beta <= rounding(k.a.Dim())*k.norm
	if !k.invariant {
		floats.Scale(1/beta, w)
	}
	return nil
}

// run takes steps until the space is invariant or has the given dimension.
func (k *krylov) run(ctx context.Context, steps int) error {
	for len(k.alpha) < steps && !k.invariant {
		if err := k.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ritz returns the eigenvalues of T in ascending order and its orthonormal
// eigenvectors as the columns of an m×m row-major matrix.
func (k *krylov) ritz() (values, vectors []float64, err error) {
	m := len(k.alpha)
	values = append([]float64(nil), k.alpha...)
	between := append([]float64(nil), k.beta[:m-1]...)
	vectors = make([]float64, m*m)
	work := make([]float64, max(1, 2*m-2))
	if !(lapackgonum.Implementation{}).Dsteqr(lapack.EVTridiag, m, values, between, vectors, m, work) {
		return nil, nil, errors.New("the eigenvalues of a tridiagonal matrix did not converge")
	}
	return values, vectors, nil
}

// residual returns a bound on ‖A·y − θ·y‖ for y = V·s, where s is column j of
// vectors: hypot(|β_m s_m|, ‖F·s‖), the two parts being orthogonal.
func (k *krylov) residual(vectors []float64, j int) float64 {
	m := len(k.alpha)
	var drift float64
	for i, d := range k.drift {
		drift += d * math.Abs(vectors[i*m+j])
	}
	return math.Hypot(k.beta[m-1]*vectors[(m-1)*m+j], drift)
}

// vector returns y = V·s, where s is column j of vectors.
func (k *krylov) vector(vectors []float64, j int) []float64 {
	m := len(k.alpha)
	s, y := make([]float64, m), make([]float64, k.a.Dim())
	for i := range s {
		s[i] = vectors[i*m+j]
	}
	addCombination(y, 1, s, k.rows[:m])
	return y
}
