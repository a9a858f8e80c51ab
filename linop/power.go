package linop

import (
	"context"

	"gonum.org/v1/gonum/floats"
)

// PowerResult is what PowerIteration found.
type PowerResult struct {
	// Value is the Rayleigh quotient vᵀ·A·v of the last unit vector v, and Residual is
	// ‖A·v − Value·v‖: an eigenvalue of A lies within Residual of Value.
	Value, Residual float64
	// Vector is v, n elements.
	Vector []float64
	// Iterations is the number of products.
	Iterations int
	// Converged says that Residual is at most the tolerance times |Value|.
	Converged bool
}

// PowerIteration iterates v ← A·v/‖A·v‖ from start (n elements, not zero; only read)
// until ‖A·v − θ·v‖ ≤ tolerance·|θ|, θ = vᵀ·A·v, at most maxIterations ≥ 1 times. It
// tends to the eigenvalue of largest absolute value, as slowly as the ratio to the
// second; Lanczos needs fewer products. A map that keeps a cone of positive vectors
// keeps the iterates in it, which Lanczos does not. Eigenvalues λ and −λ of the same
// size keep the residual large.
//
// It fails like Lanczos; a start in the kernel of A gives the eigenvalue 0.
func PowerIteration(ctx context.Context, a Operator, start []float64, tolerance float64, maxIterations int) (PowerResult, error) {
	if len(start) != a.Dim() || maxIterations < 1 || !(tolerance >= 0) {
		panic("linop: PowerIteration: wrong start vector, tolerance or number of iterations")
	}
	v, w, gap := make([]float64, len(start)), make([]float64, len(start)), make([]float64, len(start))
	if err := normalised(v, start); err != nil {
		return PowerResult{}, err
	}
	r := PowerResult{Vector: v}
	for {
		if err := product(ctx, a, w, v); err != nil {
			return PowerResult{}, err
		}
		r.Iterations++
		r.Value = floats.Dot(v, w)
		floats.AddScaledTo(gap, w, -r.Value, v)
		r.Residual = floats.Norm(gap, 2)
		r.Converged = r.Residual <= tolerance*max(r.Value, -r.Value)
		if r.Converged || r.Iterations == maxIterations {
			return r, nil
		}
		if err := normalised(v, w); err != nil {
			return PowerResult{}, err
		}
	}
}
