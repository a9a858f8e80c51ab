package linop

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// Quadrature is the Gauss quadrature of one probe v, ‖v‖ = 1:
//
//	vᵀ·f(A)·v ≈ Σ_i Weights_i·f(Nodes_i),
//
// exact for polynomials f of degree ≤ 2m − 1 with m nodes. The nodes ascend; the
// weights are not negative and sum to 1.
type Quadrature struct {
	Nodes, Weights []float64
}

// SpectralDensity is the distribution μ of A's n eigenvalues, ∫f dμ = tr f(A)/n, as
// seen by random probes.
type SpectralDensity struct {
	Probes []Quadrature
	// Products is the number of products with A.
	Products int
}

// StochasticLanczos takes steps ≥ 1 of the Lanczos recurrence (at most n) from each
// of probes ≥ 2 vectors of random signs. It takes steps·probes products, fewer where a
// Krylov space is exhausted, and memory for steps + 1 vectors of n.
//
// It fails if a product is not finite or ctx is done. Sources: Lin, Saad & Yang
// (2016), Approximating Spectral Densities of Large Matrices, §3.2; Ghorbani,
// Krishnan & Xiao (2019), Algorithm 2, with Gaussian probes.
func StochasticLanczos(ctx context.Context, a Operator, steps, probes int, random *rand.Rand) (*SpectralDensity, error) {
	if steps < 1 || probes < 2 {
		panic("linop: StochasticLanczos: steps < 1 or probes < 2")
	}
	d := &SpectralDensity{Probes: make([]Quadrature, probes)}
	k, x := &krylov{a: a}, make([]float64, a.Dim())
	for p := range d.Probes {
		rademacher(x, random)
		if err := k.start(x); err != nil {
			return nil, err
		}
		if err := k.run(ctx, steps); err != nil {
			return nil, err
		}
		values, vectors, err := k.ritz()
		if err != nil {
			return nil, err
		}
		m := len(values)
		d.Products += m
		for j := range m {
			vectors[j] *= vectors[j]
		}
		d.Probes[p] = Quadrature{Nodes: values, Weights: slices.Clone(vectors[:m])}
	}
	return d, nil
}

// Integral estimates ∫f dμ = tr f(A)/n. The error bars are those of the choice of
// probes; the error of the quadrature, for an f that is far from a polynomial of
// degree 2·steps − 1, is not in them.
func (d *SpectralDensity) Integral(f func(eigenvalue float64) float64) Estimate {
	sums := make([]float64, len(d.Probes))
	for p, q := range d.Probes {
		for i, node := range q.Nodes {
			sums[p] += q.Weights[i] * f(node)
		}
	}
	return estimate(sums)
}

// Smoothed estimates the density of μ convolved with a Gaussian of standard deviation
// width > 0 at each point of grid: (1/n)·Σ_i exp(−(t − λ_i)²/(2·width²))/(width·√(2π)). A
// width below the distance of neighbouring nodes shows the nodes, not the spectrum.
func (d *SpectralDensity) Smoothed(grid []float64, width float64) []Estimate {
	if !(width > 0) {
		panic("linop: Smoothed: width is not positive")
	}
	scale := 1 / (width * math.Sqrt(2*math.Pi))
	return d.each(grid, func(t, eigenvalue float64) float64 {
		z := (t - eigenvalue) / width
		return scale * math.Exp(-z*z/2)
	})
}

// Cumulative estimates μ((−∞, t]), the share of the eigenvalues that are at most t,
// at each point t of grid. An eigenvalue at t itself counts or not as rounding wills.
func (d *SpectralDensity) Cumulative(grid []float64) []Estimate {
	return d.each(grid, func(t, eigenvalue float64) float64 {
		if eigenvalue <= t {
			return 1
		}
		return 0
	})
}

func (d *SpectralDensity) each(grid []float64, f func(t, eigenvalue float64) float64) []Estimate {
	estimates := make([]Estimate, len(grid))
	for i, t := range grid {
		estimates[i] = d.Integral(func(eigenvalue float64) float64 { return f(t, eigenvalue) })
	}
	return estimates
}
