package seminorm

import (
	"math"
	"math/rand/v2"
)

// Bracket encloses ‖A‖_{2k} = max ‖Ax‖_{2k}/‖x‖_{2k}, which is hard to compute in
// general (Hendrickx & Olshevsky, 2010). Both ends allow for rounding. A bound on
// a gradient needs Upper; a value from below would invalidate it.
type Bracket struct {
	K            int
	Lower, Upper float64
	// Certificates holds the upper values, in the order of their names above;
	// Upper is the least.
	Certificates []Certificate
}

// Certificate is an upper value and the inequality that gives it.
type Certificate struct {
	Name  string
	Value float64
}

// The inequalities behind upper values of ‖A‖_p, p = 2k.
const (
	// ‖A‖₁^{1/p} ‖A‖_∞^{1−1/p}.
	RieszThorin1 = "Riesz-Thorin between 1 and infinity"
	// ‖A‖₂^{2/p} ‖A‖_∞^{1−2/p}.
	RieszThorin2 = "Riesz-Thorin between 2 and infinity"
	// ‖A‖₂ cols^{1/2−1/p}.
	Spectral = "spectral norm"
	// (Σ_i ‖row_i‖_{p'}^p)^{1/p}, 1/p + 1/p' = 1.
	RowHolder = "Hoelder by rows"
	// ‖|A|‖_p ≤ (max_j (|A|ᵀ(|A|x)^{p−1})_j / x_j^{p−1})^{1/p}, any x > 0: Schur's
	// test at the vector that the power method converges to. Exact where A has
	// no negative entry.
	AbsoluteValue = "absolute values"
)

// Search says how hard to look for ‖A‖_{2k}.
type Search struct {
	// Starts is the number of random starts of the power method beside the
	// structured ones; zero means 24.
	Starts int
	// SpectralUpper is an upper value of ‖A‖₂ that is known otherwise; zero means
	// none. It is needed only where both sides of A exceed 1,024, since then no
	// Gram matrix is formed and the rest is coarse.
	SpectralUpper float64
}

// OperatorNorms brackets ‖A‖_{2k} for every order. For the input gradient of a
// dense first layer with weights W₁, m×d row-major, A is
// Transpose(NewDense(m, d, weights)).
//
// From below it is the nonlinear power method of Boyd (1974) from many starts,
// from above the least of five certificates. At k = 1 the ends differ by rounding
// alone (while the smaller side of A is at most 1,024). A matrix with an element
// that is not finite, or whose largest is beyond 1e±100 (but not zero), where
// powers of elements leave float64, gets NaN for both ends.
func OperatorNorms(a Operator, orders []int, search Search, random *rand.Rand) []Bracket {
	return operatorNorms(a, orders, search, gramLimit, random)
}

func operatorNorms(a Operator, orders []int, search Search, gramLimit int, random *rand.Rand) []Bracket {
	s := newSpectrum(a, search.SpectralUpper, gramLimit)
	brackets := make([]Bracket, len(orders))
	for j, k := range orders {
		if k < 1 {
			panic("seminorm: the order k must be at least 1")
		}
		brackets[j] = bracket(a, k, s, search, random)
	}
	return brackets
}

func bracket(a Operator, k int, s spectrum, search Search, random *rand.Rand) Bracket {
	p := float64(2 * k)
	if !s.inRange() {
		return Bracket{K: k, Lower: math.NaN(), Upper: math.NaN()}
	}
	absolute, positive := absoluteNorm(s.abs, p)
	b := Bracket{K: k, Upper: math.Inf(1), Certificates: s.certificates(a, p)}
	b.Certificates = append(b.Certificates, Certificate{AbsoluteValue, absolute})
	for i := range b.Certificates {
		b.Certificates[i].Value *= 1 + s.rounding
		b.Upper = min(b.Upper, b.Certificates[i].Value)
	}
	starts := append(s.starts(a, p), positive)
	count := search.Starts
	if count == 0 {
		count = defaultStarts
	}
	// A product of A errs by at most a rounding of that of |A|.
	b.Lower = max(0, powerMethod(a, p, append(starts, randomStarts(s.cols, count, random)...))-s.rounding*absolute)
	return b
}

const defaultStarts = 24

func randomStarts(cols, count int, random *rand.Rand) [][]float64 {
	starts := make([][]float64, count)
	for s := range starts {
		starts[s] = make([]float64, cols)
		for j := range starts[s] {
			starts[s][j] = random.NormFloat64()
		}
	}
	return starts
}
