package geometry

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"sobolev/internal/kernel"
)

// Condition is evidence on a distribution of which only a pool of points is
// known, from Draws resamples of N points. Definition 4 of Ma & Ying (2021) is
// read as: the distribution satisfies
//
//   - the covered condition (n, δ, ε₁, ε₂) if n independent points are a (δ, ε₂)-cover
//     of it with probability at least 1 − ε₁,
//   - the scattered condition (n, δ, K, ε₁) if with probability at least 1 − ε₁ no
//     point of the space is within δ of more than K of n independent points,
//
// so that both hold together with probability 1 − 2ε₁, as Theorem 6 needs them.
//
// A resample Holds or Fails where its data decide, and is Undecided otherwise.
// Epsilon1 is an interval for the smallest ε₁: the lower Clopper–Pearson limit
// of the share that fails and the upper one of the share that does not hold. The
// resamples are drawn from the pool without replacement, so they resemble
// independent samples only while N is well below the size of the pool.
type Condition struct {
	N         int
	Draws     int
	Holds     int
	Fails     int
	Undecided int
	Epsilon1  [2]float64
}

// CoveredCondition tests the covered condition on `draws` resamples of n points of
// the pool. A resample holds (fails) where the 95% Clopper–Pearson interval of
// the probability that a test point is farther than delta from it lies below
// epsilon2 (at or above it). Test points are independent of the pool. memory is
// as in Nearest. It fails as Nearest and CoverAt do, for n outside 1 … N and draws < 1.
func CoveredCondition[P, Q kernel.Float](pool Points[P], test Points[Q], n int, delta, epsilon2 float64, draws int, memory int64, random *rand.Rand) (Condition, error) {
	if err := checkPair(pool, test, "pool", "test points"); err != nil {
		return Condition{}, err
	}
	if err := checkRadius(delta); err != nil {
		return Condition{}, err
	}
	if !(epsilon2 > 0 && epsilon2 <= 1) {
		return Condition{}, fmt.Errorf("ε₂ is %v; need 0 < ε₂ ≤ 1", epsilon2)
	}
	return resample(pool, n, draws, random, func(x view[P]) (holds, fails bool, err error) {
		near, err := nearest(x, view[Q]{points: test}, 1, false, memory)
		if err != nil {
			return false, false, err
		}
		c, err := CoverAt(near.Distance, delta)
		return c.CI95[1] < epsilon2, c.CI95[0] >= epsilon2, err
	})
}

// ScatteredCondition tests the scattered condition on `draws` resamples of n
// points of the pool by ScatterBracket with `probes` points of the union each: a
// resample holds where the upper end is at most k, and fails where the lower end
// is above. It fails as ScatterBracket does, for n outside 1 … N, k < 1 and
// draws < 1.
func ScatteredCondition[T kernel.Float](pool Points[T], n int, delta float64, k, draws, probes int, memory int64, random *rand.Rand) (Condition, error) {
	if err := checkUnion(pool, delta, max(draws, 1)); err != nil {
		return Condition{}, err
	}
	if k < 1 || probes < 0 {
		return Condition{}, fmt.Errorf("scattered condition for K = %d with %d probes; need K ≥ 1 and no negative number of probes", k, probes)
	}
	return resample(pool, n, draws, random, func(x view[T]) (holds, fails bool, err error) {
		s, err := scatterBracket(x, delta, probes, memory, random)
		return s.Upper <= k, s.Lower > k, err
	})
}

func resample[T kernel.Float](pool Points[T], n, draws int, random *rand.Rand, decide func(view[T]) (holds, fails bool, err error)) (Condition, error) {
	if n < 1 || n > pool.N || draws < 1 {
		return Condition{}, fmt.Errorf("%d resamples of %d out of %d points; need at least one of at most %[3]d points", draws, n, pool.N)
	}
	c := Condition{N: n, Draws: draws}
	for range draws {
		rows := random.Perm(pool.N)[:n]
		slices.Sort(rows)
		holds, fails, err := decide(view[T]{points: pool, rows: rows})
		switch {
		case err != nil:
			return Condition{}, err
		case holds:
			c.Holds++
		case fails:
			c.Fails++
		default:
			c.Undecided++
		}
	}
	c.Epsilon1 = [2]float64{proportion95(c.Fails, draws)[0], proportion95(draws-c.Holds, draws)[1]}
	return c, nil
}
