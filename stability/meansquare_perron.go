package stability

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"

	"sobolev/internal/kernel"
)

// perron is what is known of the largest eigenvalue λ of a momentMap A, which by
// Krein and Rutman has an eigenmatrix in the cone.
type perron struct {
	// lower is a Rayleigh quotient; upper has a certificate, a matrix G in the
	// interior of the cone with A G ≤ upper·G, which proves λ ≤ upper. It is +Inf
	// where none was found.
	lower, upper float64
	g            []float64
	applications int
}

// Most columns of a basis, applications after which there is no new start from
// the Ritz vector, and steps to a certificate: few if there is no eigenmatrix.
const (
	krylovColumns      = 150
	krylovApplications = 200
	coneSteps          = 40
	coneStepsInVain    = 3
)

// largest brackets λ, with upper/lower − 1 near gap/2 where it succeeds. start
// must have its matrix F in the interior of the cone; the basis has up to the
// given number of columns.
//
// A certificate needs a G that is accurate in the smallest directions of the
// cone. A Ritz vector is not, and where the problem falls into parts, the
// eigenmatrix itself is singular. So G is the solution of (θ − A) G = F with
// θ = (1+gap/2)·lower, which is in the cone if and only if λ < θ. The space that
// starts from F has it for free, and steps G ← (A G + F)/θ keep the cone and
// remove what is left of the error.
func (a *momentMap) largest(start []float64, gap float64, columns int) perron {
	k := &krylov{apply: a.apply}
	k.begin(start)
	converged := k.grow(columns, gap/50)
	restarted := false
	for !converged && k.applications < krylovApplications {
		_, _, s := k.ritz()
		k.begin(k.combine(s))
		converged, restarted = k.grow(columns, gap/50), true
	}
	value, _, s := k.ritz()
	theta := value * (1 + gap/2)
	found := perron{lower: value, upper: math.Inf(1)}
	if restarted {
		found.g = k.solveApart(theta, value, k.combine(s), start)
	} else {
		found.g = k.solve(theta)
	}
	found.applications = k.applications
	steps := coneSteps
	if !converged {
		steps = coneStepsInVain
	}
	a.certify(&found, theta, start, steps)
	return found
}

// solveApart is solve for a right side that the space does not start from: along
// the eigenvector x the solution is known, the rest has a space of its own.
func (k *krylov) solveApart(theta, value float64, x, right []float64) []float64 {
	along := floats.Dot(x, right)
	rest := make([]float64, len(right))
	copy(rest, right)
	kernel.Axpy(rest, -along, x)
	columns := len(k.basis) - 1
	k.begin(rest)
	k.grow(columns, 0)
	g := k.solve(theta)
	kernel.Axpy(g, along/(theta-value)-floats.Dot(x, g), x)
	return g
}

// certify looks for a G that proves λ ≤ θ; without one the last G and, as it is
// in the cone, the start may prove less.
func (a *momentMap) certify(found *perron, theta float64, start []float64, steps int) {
	image := make([]float64, len(start))
	for step := 0; ; step++ {
		a.apply(image, found.g)
		found.applications++
		found.lower = max(found.lower, floats.Dot(found.g, image)/floats.Dot(found.g, found.g))
		if a.proves(theta, found.g, image) {
			found.upper = theta
			return
		}
		if step == steps {
			break
		}
		for i, s := range start {
			found.g[i] = (image[i] + s) / theta
		}
	}
	found.upper = min(a.provenBy(found.g, image, theta), a.provenBy(start, image, theta))
	found.applications += 2
}

// provenBy returns the least of some bounds from above of λ, all greater than
// theta, that G proves; +Inf if none.
func (a *momentMap) provenBy(g, image []float64, theta float64) float64 {
	a.apply(image, g)
	for share := 1e-8; share < 1e4; share *= 4 {
		if upper := theta * (1 + share); a.proves(upper, g, image) {
			return upper
		}
	}
	return math.Inf(1)
}

// proves says whether θ G − A G > 0 and G > 0, by their Cholesky factorisations:
// up to rounding, r·2⁻⁵³ of what stands on their diagonals.
func (a *momentMap) proves(theta float64, g, image []float64) bool {
	return a.positive(func(at int) float64 { return theta*g[at] - image[at] }) &&
		a.positive(func(at int) float64 { return g[at] })
}

// positive says whether the matrix of a vector is positive definite.
func (a *momentMap) positive(v func(at int) float64) bool {
	a.each(func(at, i, j int) {
		x := v(at) * a.scale[at]
		if i != j {
			x /= math.Sqrt2
		}
		a.matrix[i*a.Rank+j] = x
	})
	return positiveDefinite(a.Rank, a.matrix)
}

// positiveDefinite overwrites the n×n matrix x, of which it reads the upper
// triangle.
func positiveDefinite(n int, x []float64) bool {
	_, ok := lapack64.Potrf(blas64.Symmetric{N: n, Stride: n, Data: x, Uplo: blas.Upper})
	return ok
}
