package stability

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"sobolev/linop"
)

// ritzConvergence: Ritz values with a residual above this share of them say too
// little about the eigenvalues beside them.
const ritzConvergence = 0.1

// proposition1Bound returns a μ for which every learning rate up to 2/μ is proven by
// Proposition 1 (Ma & Ying, 2021): T_2(I) ≤ I says (1−p) H² + (p/n) Σ_i H_i² ≤ μ H.
// Both sides are Jᵀ(·)J/n of matrices in R^nc, so that
//
//	(1−p) K/n + p blockdiag(K_ii) ≤ μ
//
// suffices. With the leading Ritz vectors V of the Krylov space of K/n, their values Θ,
// the norm ρ of their residuals and a bound τ of λ_max(K/n) orthogonal to V, which is
// the next Ritz value and its residual,
//
//	K/n ≤ V Θ Vᵀ + τ (I − V Vᵀ) + ρ:
//
// the large eigenvalues of H belong to directions that all samples share, ‖K_ii‖ is
// large for a few, and their maxima do not add up. Without V this is SimpleThreshold.
//
// A matrix X other than I can prove more. X = I + U (X_r − I) Uᵀ, small along the Ritz
// vectors U, was tried with the X_r that the inequality asks for within their span: it
// makes the largest ‖J_i X J_iᵀ‖ half as large, but what the blocks couple between
// the span and the rest grows with X_r⁻¹, and nothing was gained on a trained network.
func (g Products) proposition1Bound(p float64, k *krylov, blocks turnedBlocks) (float64, error) {
	size := len(k.alpha)
	values, vectors, err := linop.EigenSym(size, k.tridiagonal())
	if err != nil {
		return 0, err
	}
	residual := func(j int) float64 { return k.beta[size-1] * math.Abs(vectors[j*size+size-1]) }
	next, leak := size-1, 0.0
	for next > 0 && residual(next-1) <= ritzConvergence*values[next-1] {
		leak = math.Hypot(leak, residual(next))
		next--
	}
	rest := values[next] + residual(next)
	shares := slices.Clone(blocks.values)
	floats.Scale(p, shares)
	largest := slices.Max(shares)
	d := &deflated{shares: shares}
	for j := size - 1; j > next && values[j] > rest; j-- {
		v := k.combine(vectors[j*size : (j+1)*size])
		floats.Scale(math.Sqrt((1-p)*(values[j]-rest)), v)
		d.columns = append(d.columns, g.turn(blocks.rows, v))
	}
	return (1-p)*(rest+leak) + d.bound(largest, largest+(1-p)*max(0, values[size-1]-rest)), nil
}

// turnedBlocks has the eigenvectors of every K_ii, as the rows of n c×c matrices, and
// the eigenvalues. No batch size changes them.
type turnedBlocks struct{ rows, values []float64 }

func (g Products) turnedBlocks() (turnedBlocks, error) {
	t := turnedBlocks{rows: make([]float64, 0, len(g.Blocks)), values: make([]float64, 0, g.N*g.C)}
	for i := range g.N {
		values, vectors, err := linop.EigenSym(g.C, g.Blocks[i*g.C*g.C:(i+1)*g.C*g.C])
		if err != nil {
			return t, err
		}
		t.rows, t.values = append(t.rows, vectors...), append(t.values, values...)
	}
	return t, nil
}

// turn returns the components of v along the eigenvectors of the blocks.
func (g Products) turn(rows, v []float64) []float64 {
	turned := make([]float64, len(v))
	for r := range turned {
		i := r / g.C
		turned[r] = floats.Dot(rows[r*g.C:(r+1)*g.C], v[i*g.C:(i+1)*g.C])
	}
	return turned
}

// deflated is diag(shares) + A Aᵀ with the columns of A.
type deflated struct {
	shares  []float64
	columns [][]float64
}

// bound returns a number between low and high that is just above the largest
// eigenvalue, which high is not below and low not above.
func (d *deflated) bound(low, high float64) float64 {
	for high-low > 1e-6*high {
		if middle := (low + high) / 2; d.below(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// below says whether all eigenvalues are below μ, which is above all shares: where
// I − Aᵀ (μ − diag)⁻¹ A is positive definite.
func (d *deflated) below(mu float64) bool {
	r := len(d.columns)
	inner, weighted := make([]float64, r*r), make([]float64, len(d.shares))
	for a, column := range d.columns {
		for i, s := range d.shares {
			weighted[i] = column[i] / (mu - s)
		}
		for b := a; b < r; b++ {
			inner[a*r+b] = -floats.Dot(weighted, d.columns[b])
		}
		inner[a*r+a]++
	}
	return positiveDefinite(r, inner)
}
