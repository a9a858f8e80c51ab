package linop

import (
	"context"
	"math"
)

// Which says which eigenvalues are wanted.
type Which int

const (
	// Largest: the algebraically largest, descending.
	Largest Which = iota
	// Smallest: the algebraically smallest, ascending.
	Smallest
	// BothEnds: Pairs of the largest, descending, then Pairs of the smallest, ascending.
	BothEnds
	// LargestMagnitude: the largest in absolute value, descending.
	LargestMagnitude
)

// LanczosOptions says what Lanczos looks for and when it stops.
type LanczosOptions struct {
	Which Which
	// Pairs is the number of eigenpairs, at each end for BothEnds; 0 means 1.
	Pairs int
	// Tolerance is relative to the largest |Ritz value|: a pair has converged when
	// its residual is at most that share. 0 means that of rounding errors, 16√n·2⁻⁵².
	Tolerance float64
	// MaxSteps ≥ 1 limits the products; more than n are never needed. The memory is
	// one vector of n for each product and one more.
	MaxSteps int
	// Vectors asks for the eigenvectors.
	Vectors bool
}

// Pair is an approximate eigenvalue λ with its residual.
type Pair struct {
	Value float64
	// Residual is at least ‖A·v − λ·v‖, v the unit Ritz vector, up to the rounding of
	// one product. The interval λ ± Residual contains an eigenvalue of A.
	Residual  float64
	Converged bool
	// Vector is v, n elements of norm 1, if it was asked for.
	Vector []float64
}

// LanczosResult is what Lanczos found.
type LanczosResult struct {
	// Pairs holds the wanted pairs in the order of Which; fewer than asked for if the
	// Krylov space is smaller.
	Pairs []Pair
	// Ritz holds the eigenvalues of A on the whole Krylov space, ascending.
	Ritz []float64
	// Products is the number of products with A, the dimension of the Krylov space.
	Products int
	// Invariant says that the Krylov space is invariant under A: its Ritz values are
	// eigenvalues, and no further step could add one.
	Invariant bool
	// Converged says that as many pairs as asked for (at most n) have converged, and
	// for LargestMagnitude that the outermost other value at the other end of the
	// spectrum has converged as well, or is with its residual less than half of the
	// last of them: it could still grow.
	Converged bool
}

// Lanczos finds eigenpairs at the ends of the spectrum of A from the Krylov space
// span{b, A·b, A²·b, …} of the start vector b (n elements, not zero; only read), with
// full reorthogonalisation.
//
// A small residual proves that an eigenvalue is near, not that it is the outermost:
// eigenvectors orthogonal to b stay invisible, which a random start makes improbable,
// and of a multiple eigenvalue one copy is sure to be seen; rounding brings in others.
//
// It fails if a product is not finite, the start vector is zero or not finite, or
// ctx is done. Reaching MaxSteps is not a failure: see Converged. The caller's bugs
// are a start vector of another length, MaxSteps < 1, and negative options.
//
// Sources: Lanczos (1950); Parlett (1998), The Symmetric Eigenvalue Problem, §13.
func Lanczos(ctx context.Context, a Operator, start []float64, opt LanczosOptions) (*LanczosResult, error) {
	if len(start) != a.Dim() || opt.Pairs < 0 || opt.MaxSteps < 1 || !(opt.Tolerance >= 0) {
		panic("linop: Lanczos: wrong start vector or options")
	}
	opt.Pairs = max(1, opt.Pairs)
	k := &krylov{a: a}
	if err := k.start(start); err != nil {
		return nil, err
	}
	// The small eigenproblem is solved at m, then about m/16 steps later, so that all
	// of them cost a few times the last.
	for next := 1; ; next += 1 + next/16 {
		if err := k.run(ctx, min(next, opt.MaxSteps)); err != nil {
			return nil, err
		}
		r, err := k.answer(opt)
		if err != nil || r.Converged || k.invariant || r.Products == opt.MaxSteps {
			return r, err
		}
	}
}

// answer is the result after the steps taken so far.
func (k *krylov) answer(opt LanczosOptions) (*LanczosResult, error) {
	values, vectors, err := k.ritz()
	if err != nil {
		return nil, err
	}
	m, n := len(values), k.a.Dim()
	limit := max(opt.Tolerance, rounding(n)) * max(-values[0], values[m-1])
	pair := func(j int) Pair {
		residual := k.residual(vectors, j)
		return Pair{Value: values[j], Residual: residual, Converged: residual <= limit}
	}
	wanted, rival := opt.Which.choose(values, opt.Pairs)
	r := &LanczosResult{Ritz: values, Products: m, Invariant: k.invariant}
	r.Converged = len(wanted) == min(n, opt.asked())
	for _, j := range wanted {
		r.Pairs = append(r.Pairs, pair(j))
		r.Converged = r.Converged && r.Pairs[len(r.Pairs)-1].Converged
	}
	if rival >= 0 {
		last, other := r.Pairs[len(r.Pairs)-1], pair(rival)
		r.Converged = r.Converged && (other.Converged || 2*(math.Abs(other.Value)+other.Residual) <= math.Abs(last.Value))
	}
	if opt.Vectors && (r.Converged || k.invariant || m == opt.MaxSteps) {
		for i, j := range wanted {
			r.Pairs[i].Vector = k.vector(vectors, j)
		}
	}
	return r, nil
}

func (opt LanczosOptions) asked() int {
	if opt.Which == BothEnds {
		return 2 * opt.Pairs
	}
	return opt.Pairs
}

// choose returns the indices of the wanted among ascending values, in order, and,
// for LargestMagnitude, that of the value at the other end which may still grow
// beyond the last of them; −1 if there is none.
func (which Which) choose(values []float64, pairs int) (wanted []int, rival int) {
	low, high := 0, len(values)-1
	fromTop := false
	take := func(top bool) {
		if fromTop = top; top {
			wanted = append(wanted, high)
			high--
			return
		}
		wanted = append(wanted, low)
		low++
	}
	for i := 0; i < pairs && low <= high; i++ {
		take(which == Largest || which == BothEnds || which == LargestMagnitude && values[high] >= -values[low])
	}
	for i := 0; which == BothEnds && i < pairs && low <= high; i++ {
		take(false)
	}
	switch {
	case which != LargestMagnitude || low > high:
		return wanted, -1
	case fromTop:
		return wanted, low
	default:
		return wanted, high
	}
}
