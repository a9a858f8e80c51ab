package stability

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"sobolev/linop"
)

// Gradients are the rows of J, the nc per-sample gradients in R^w, known by their
// products: where K is too large.
type Gradients interface {
	// Times sets out, nc, to J v.
	Times(out, v []float64)
	// TransposedTimes sets out, w, to Jᵀ u.
	TransposedTimes(out, u []float64)
}

// Products is a problem of n samples with c outputs and w parameters that is known
// by products with its gradients.
type Products struct {
	N, C, W int
	// Blocks holds J_i J_iᵀ of every sample, n×c×c.
	Blocks []float64
	Gradients
	// Search, unless nil, returns the products of the given samples, nil for all, in fewer
	// digits, for the ascent: a search, whose outcome is weighed by Gradients.
	Search func(samples []int) (Gradients, error)
	// Frontier lists further batch sizes to bracket η*_var for.
	Frontier []int
	// Workers is that of Gram.
	Workers int
}

// MeanSquareBounds brackets η*_var without the Gram matrix.
type MeanSquareBounds struct {
	// Lower is Proposition1, Upper and Value the least of the others.
	Bracket
	// Sharpness is a Ritz value of λ_max(H) and SharpnessResidual the norm of its
	// residual: λ_max is at most their sum, unless the random start is orthogonal
	// to its eigenvector.
	Sharpness, SharpnessResidual float64
	// Simple is SimpleThreshold for Sharpness + SharpnessResidual, and Proposition1 a
	// bound from below of η_P, at least Simple, that rests on Ritz values in the same
	// way.
	Simple, Proposition1 float64
	// Mean is 2/Sharpness. TopVector, Ascent, Trace and Compression are 2/(a Rayleigh
	// quotient of C⁻¹D): with v vᵀ for the Ritz vector v and for the best v of an
	// ascent, with I, and with the best matrix over the Krylov space (+Inf, with a
	// warning, where there was no memory for it).
	Mean, TopVector, Ascent, Trace, Compression float64
	// Frontier holds the brackets for Products.Frontier, in that order.
	Frontier []Bracket
}

// MeanSquareBounds brackets η*_var by products with gradients. For unit vectors v,
// l = vᵀHv and q_i = ‖J_i v‖² (Mulayoff & Michaeli, 2024, (15), (16) and (24)):
//
//	2/((1−p) λ_max + p max_i ‖H_i‖)  ≤  η_P  ≤  η*_var  ≤  2/(l + (p/l) Var_i q_i),
//	η*_var  ≤  2 Tr H/((1−p)‖H‖_F² + (p/n) Σ_i ‖H_i‖_F²),
//
// and the problem compressed to a subspace of R^w has no smaller threshold. The
// subspace is a Krylov space of the given number of columns, from a random start;
// each takes one product with J and one with Jᵀ, and nc float64. Of ‖H‖_F² it
// takes what that space and the blocks show, which leaves the bound valid. The
// ascent takes up to 40 pairs of products and eight vectors in R^w.
//
// memory limits the bytes of everything with nc elements: less than six matrices
// nc×columns mean fewer columns.
func (g Products) MeanSquareBounds(columns int, sampling Sampling, batch int, memory int64, rng *rand.Rand) (MeanSquareBounds, error) {
	sampling.check(g.N, batch)
	if len(g.Blocks) != g.N*g.C*g.C {
		panic("stability: blocks are not n×c×c")
	}
	if slices.ContainsFunc(g.Blocks, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
		return MeanSquareBounds{}, errors.New("the gradients have elements that are not finite")
	}
	norms, left := topOfBlocks(g.N, g.C, func(i int) []float64 {
		return slices.Clone(g.Blocks[i*g.C*g.C : (i+1)*g.C*g.C])
	})
	if slices.Max(norms) == 0 {
		return MeanSquareBounds{Bracket: unlimited()}, nil
	}
	column := 8 * int64(g.N) * int64(g.C)
	if memory < 12*column {
		return MeanSquareBounds{}, errors.New("bounds of the mean-square threshold of this many gradients need more memory")
	}
	columns = int(min(int64(columns), memory/(6*column)))

	p, k := sampling.BatchVariance(g.N, batch), g.krylov(columns, rng)
	value, residual, s := k.ritz()
	b := MeanSquareBounds{Sharpness: value, SharpnessResidual: residual, Mean: 2 / value, Trace: g.traceBound(p, k)}
	b.Simple = SimpleThreshold(value+residual, slices.Max(norms), g.N, sampling, batch)
	turned, err := g.turnedBlocks()
	if err != nil {
		return b, err
	}
	proposition1, err := g.proposition1Bound(p, k, turned)
	if err != nil {
		return b, err
	}
	b.Proposition1 = max(b.Simple, 2/proposition1)
	u := k.combine(s)
	vectors, err := g.rankOneBounds(&b, p, u, g.ofRitz(k, value, s, u), norms, left)
	if err != nil {
		return b, err
	}
	span, err := g.compressed(k)
	if err != nil {
		return b, err
	}
	rest := memory - 2*column*int64(columns)
	b.compress(span, sampling, batch, rest)
	b.Upper = min(b.Mean, b.TopVector, b.Ascent, b.Trace, b.Compression)
	b.Lower = min(b.Proposition1, b.Upper)
	b.Value = b.Upper
	b.Exact = b.Upper/b.Lower-1 <= 1e-6
	b.Bracket = b.of(sampling, g.N, batch)
	b.Frontier, err = (&productFrontier{g, sampling, k, turned, vectors, slices.Max(norms)}).brackets(span, rest)
	return b, err
}

// rankOneBounds sets those of the eigenvector Jᵀu, whose rayleigh is given, and of the
// ascent from it or from the gradient of a sample with large norm, whichever is better,
// and returns what they are made of.
func (g Products) rankOneBounds(b *MeanSquareBounds, p float64, u []float64, ofTop rayleigh, norms, left []float64) ([]rayleigh, error) {
	v, err := g.ascend(p, u, ofTop, norms, left)
	if err != nil {
		return nil, err
	}
	ofBest := g.newAscent(p).rayleigh(v)
	b.TopVector, b.Ascent = ofTop.bound(p), ofBest.bound(p)
	if g.Search != nil && !(b.Ascent <= (1+ascentGain)*b.TopVector) { // the range of fewer digits does not suffice
		g.Search = nil
		return g.rankOneBounds(b, p, u, ofTop, norms, left)
	}
	return []rayleigh{ofTop, ofBest}, nil
}

// ofRitz returns the rayleigh of Jᵀu for the Ritz vector u with coefficients s and the
// value θ, without a product: J Jᵀu = n (θ u + β s_last u_next), as in compressed.
func (g Products) ofRitz(k *krylov, theta float64, s, u []float64) rayleigh {
	ju, last := slices.Clone(u), len(k.alpha)-1
	floats.Scale(theta, ju)
	if rest := k.beta[last]; rest > 0 {
		floats.AddScaled(ju, rest*s[last], k.basis[last+1])
	}
	floats.Scale(math.Sqrt(float64(g.N)/floats.Dot(u, ju)), ju) // ‖Jᵀu‖² = n u·ju
	q := squares(make([]float64, g.N), ju, g.C)
	return rayleigh{floats.Sum(q) / float64(g.N), floats.Dot(q, q) / float64(g.N)}
}

// compress sets the bound of the best matrix over the Krylov space.
func (b *MeanSquareBounds) compress(s *Span, sampling Sampling, batch int, memory int64) {
	b.Compression = math.Inf(1)
	exact, err := s.MeanSquareThreshold(sampling, batch, memory)
	if err != nil {
		b.Warnings = append(b.Warnings, "no compression of the mean-square problem: "+err.Error())
		return
	}
	b.Compression, b.Applications = exact.Upper, exact.Applications
}

// krylov returns the space of K/n = J Jᵀ/n from a random vector in its range.
func (g Products) krylov(columns int, rng *rand.Rand) *krylov {
	m := g.N * g.C
	v, start := make([]float64, g.W), make([]float64, m)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	g.Times(start, v)
	k := &krylov{apply: func(dst, u []float64) {
		g.TransposedTimes(v, u)
		g.Times(dst, v)
		floats.Scale(1/float64(g.N), dst)
	}}
	k.begin(start)
	k.grow(min(columns, m, g.W), 0)
	return k
}

// traceBound is the bound (16).
func (g Products) traceBound(p float64, k *krylov) float64 {
	n, c := float64(g.N), g.C
	var trace, squares float64
	for i := range g.N {
		block := g.Blocks[i*c*c : (i+1)*c*c]
		for o := range c {
			trace += block[o*c+o] / n
		}
		squares += floats.Dot(block, block)
	}
	var ritz float64
	for j, a := range k.alpha {
		ritz += a * a
		if j+1 < len(k.alpha) {
			ritz += 2 * k.beta[j] * k.beta[j]
		}
	}
	return 2 * trace / ((1-p)*max(ritz, squares/(n*n)) + p*squares/n)
}

// compressionTolerance: below this share of the largest, rounding makes the basis
// of compressed less orthogonal than the bound may be wrong.
const compressionTolerance = 1e-7

// compressed returns the gradients' products with an orthonormal basis of Jᵀ times
// the Krylov space. With K U/n = U T + β u eᵀ and T = S Θ Sᵀ, the basis is
// V = Jᵀ U S (nΘ)^{−1/2}, and J V = √n (U S Θ^{1/2} + β u sᵀ Θ^{−1/2}) takes no more
// products; s is the last row of S.
func (g Products) compressed(k *krylov) (*Span, error) {
	m, size := g.N*g.C, len(k.alpha)
	t := k.tridiagonal()
	theta, vectors, err := linop.EigenSym(size, t)
	if err != nil {
		return nil, err
	}
	first := 0
	for first < size && theta[first] <= compressionTolerance*theta[size-1] {
		first++
	}
	r := size - first
	rows := make([]float64, m*r)
	for j := range r {
		s, root := vectors[(first+j)*size:(first+j+1)*size], math.Sqrt(float64(g.N)*theta[first+j])
		column := k.combine(s)
		floats.Scale(root, column)
		if rest := k.beta[size-1]; rest > 0 {
			floats.AddScaled(column, root/theta[first+j]*rest*s[size-1], k.basis[size])
		}
		for i, v := range column {
			rows[i*r+j] = v
		}
	}
	span, err := diagonalSpan(g.N, g.C, r, rows)
	if err == nil {
		span.Workers = g.Workers
	}
	return span, err
}
