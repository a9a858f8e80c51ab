package curvature

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/linop"
)

// Options say how accurate eigenvalues by Lanczos should be.
type Options struct {
	// Tolerance is the residual of an eigenpair relative to its eigenvalue; 0 means
	// 1e-6. The error of the eigenvalue is far smaller: of the order of the squared
	// residual over the gap to the next one.
	Tolerance float64
	// MaxSteps limits the products with an operator; 0 means 200. Memory limits it
	// too, as every step keeps a vector of parameters.
	MaxSteps int
}

// Leading finds eigenpairs of an operator of p, from a random start.
func (p *Point) Leading(ctx context.Context, a linop.Operator, which linop.Which, pairs int, opt Options, random *rand.Rand) (*linop.LanczosResult, error) {
	return p.leading(ctx, a, which, pairs, opt, normal(a.Dim(), random))
}

// normal returns a vector of independent normal elements.
func normal(n int, random *rand.Rand) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = random.NormFloat64()
	}
	return v
}

func (p *Point) leading(ctx context.Context, a linop.Operator, which linop.Which, pairs int, opt Options, start []float64) (*linop.LanczosResult, error) {
	o := linop.LanczosOptions{Which: which, Pairs: pairs, Tolerance: opt.Tolerance, MaxSteps: opt.MaxSteps, Vectors: true}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-6
	}
	if o.MaxSteps == 0 {
		o.MaxSteps = 200
	}
	room := p.memory/(8*int64(a.Dim())) - 1 - int64(pairs)
	if room < 2 {
		return nil, fmt.Errorf("eigenvalues with %d parameters need at least %d bytes of memory; the limit is %d", a.Dim(), 8*int64(a.Dim())*int64(pairs+3), p.memory)
	}
	o.MaxSteps = int(min(int64(o.MaxSteps), room, int64(a.Dim())))
	return linop.Lanczos(ctx, a, start, o)
}

// Eigenvalue is an eigenvalue by Lanczos: the operator has one within Residual of
// Value. Products is the number of products with the operator that it took.
type Eigenvalue struct {
	Value, Residual float64
	Converged       bool
	Products        int
}

// Summary holds the numbers that describe the curvature at a point.
type Summary struct {
	Samples
	// LambdaMax is the largest eigenvalue of the Gauss–Newton matrix H.
	LambdaMax Eigenvalue
	// NonUniformity is √λ_max(Σ) with the covariance Σ (Wu, Ma & E, 2018), in the
	// units of LambdaMax, and CovarianceMax is λ_max(Σ).
	NonUniformity float64
	CovarianceMax Eigenvalue
	// ResidualShare is |λ|_max(∇²L − H)/λ_max(H): how far the Hessian is from the
	// Gauss–Newton matrix, on which the stability of SGD is decided; NaN where H is
	// zero. ResidualMax is the eigenvalue of largest magnitude of ∇²L − H.
	ResidualShare float64
	ResidualMax   Eigenvalue
	// Warnings say which numbers are doubtful, and why.
	Warnings []string
}

// Summarise measures a Summary. Random starts make no difference to converged
// values. It fails where memory does not suffice, or something is not finite.
func (p *Point) Summarise(ctx context.Context, opt Options, random *rand.Rand) (Summary, error) {
	var s Summary
	var err error
	if s.Samples, err = p.SampleStatistics(); err != nil {
		return s, err
	}
	covariance, err := p.Covariance()
	if err != nil {
		return s, err
	}
	for _, e := range []struct {
		to    *Eigenvalue
		name  string
		a     linop.Operator
		which linop.Which
	}{
		{&s.LambdaMax, "the largest eigenvalue of the Gauss–Newton matrix", p.GaussNewton(), linop.Largest},
		{&s.CovarianceMax, "the largest eigenvalue of the covariance of curvatures", covariance, linop.Largest},
		{&s.ResidualMax, "the eigenvalue of largest magnitude of the residual part", p.Residual(), linop.LargestMagnitude},
	} {
		r, err := p.Leading(ctx, e.a, e.which, 1, opt, random)
		if err != nil {
			return s, fmt.Errorf("%s: %w", e.name, err)
		}
		first := r.Pairs[0]
		*e.to = Eigenvalue{Value: first.Value, Residual: first.Residual, Converged: r.Converged, Products: r.Products}
		if !r.Converged {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s has not converged: %.6g with a residual of %.2g after %d products", e.name, first.Value, first.Residual, r.Products))
		}
	}
	s.NonUniformity = math.Sqrt(math.Max(0, s.CovarianceMax.Value))
	s.ResidualShare = math.Abs(s.ResidualMax.Value) / s.LambdaMax.Value
	if s.Trace == 0 {
		s.ResidualShare = math.NaN()
		s.Warnings = append(s.Warnings, "all gradients are zero: the residual share is not defined")
	}
	return s, nil
}

// FrobeniusSquared returns ‖H‖_F² = Tr H² of the Gauss–Newton matrix. With the matrix
// that Gram returns it is ‖s K‖_F²/n², exact: then SE and Draws are zero. Where gram is
// nil it is estimated as the mean of ‖H z‖² over draws ≥ 2 vectors z of random signs,
// one product each (Hutchinson, 1990).
func (p *Point) FrobeniusSquared(gram []float64, draws int, random *rand.Rand) linop.Estimate {
	n := float64(p.Samples())
	if gram != nil {
		v := squares(gram) / (n * n)
		return linop.Estimate{Value: v, CI95: [2]float64{v, v}}
	}
	if draws < 2 {
		panic("curvature: an estimate needs at least two draws")
	}
	h := p.GaussNewton()
	z, hz, norms := make([]float64, h.Dim()), make([]float64, h.Dim()), make([]float64, draws)
	for d := range norms {
		for i := range z {
			z[i] = float64(1 - 2*random.IntN(2))
		}
		h.Apply(hz, z)
		norms[d] = squares(hz)
	}
	return meanOf(norms)
}
