package geometry

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Cover says how well balls of radius Delta around the training points cover the
// distribution. Epsilon is the share of Tested points that are farther than Delta
// from all of them, with its Clopper–Pearson interval.
type Cover struct {
	Delta     float64
	Tested    int
	Uncovered int
	Epsilon   float64
	CI95      [2]float64
}

// CoverAt measures the cover from the distances of independent test points to
// their nearest training point. The points are a (δ, ε)-cover if
// P(min_i ‖x − x_i‖ > δ) < ε (Ma & Ying, 2021, Definition 2), so a test point at
// distance δ is covered; the end of CI95 is an ε that holds with 97.5% confidence.
// It fails for no distances, a distance that is negative or NaN, and a delta that
// is not finite and positive.
func CoverAt(nearest []float64, delta float64) (Cover, error) {
	if err := checkDistances(nearest); err != nil {
		return Cover{}, err
	}
	if err := checkRadius(delta); err != nil {
		return Cover{}, err
	}
	c := Cover{Delta: delta, Tested: len(nearest)}
	for _, r := range nearest {
		if r > delta {
			c.Uncovered++
		}
	}
	c.Epsilon = float64(c.Uncovered) / float64(c.Tested)
	c.CI95 = proportion95(c.Uncovered, c.Tested)
	return c, nil
}

func checkDistances(nearest []float64) error {
	if len(nearest) == 0 {
		return fmt.Errorf("no distances")
	}
	for i, r := range nearest {
		if !(r >= 0) || math.IsInf(r, 1) {
			return fmt.Errorf("distance %d is %v", i, r)
		}
	}
	return nil
}

// Radius is an estimate of δ_ε = inf{δ: P(min_i ‖x − x_i‖ > δ) ≤ ε}, the radius
// that covers all but a share ε of the distribution. The upper end of CI95 is
// infinite where there are too few distances to know one.
type Radius struct {
	Epsilon float64
	Value   float64
	CI95    [2]float64
}

// RadiusAt estimates δ_ε from the distances of independent test points to their
// nearest training point: Value is the smallest of them that at most a share ε
// exceeds, the order statistic of rank m − ⌊εm⌋. CI95 is a pair of order
// statistics: the number of distances below δ_ε is binomial with probability
// 1 − ε, whatever their distribution (David and Nagaraja, 2003, Order Statistics,
// section 7.1). It needs 0 < ε < 1 and fails as CoverAt does.
func RadiusAt(nearest []float64, epsilon float64) (Radius, error) {
	if err := checkDistances(nearest); err != nil {
		return Radius{}, err
	}
	if !(epsilon > 0 && epsilon < 1) {
		return Radius{}, fmt.Errorf("ε is %v; need 0 < ε < 1", epsilon)
	}
	sorted := slices.Sorted(slices.Values(nearest))
	r := Radius{Epsilon: epsilon, Value: sorted[radiusRank(len(sorted), epsilon)-1], CI95: [2]float64{0, math.Inf(1)}}
	lower, upper := quantileRanks(len(sorted), 1-epsilon)
	if lower > 0 {
		r.CI95[0] = sorted[lower-1]
	}
	if upper <= len(sorted) {
		r.CI95[1] = sorted[upper-1]
	}
	return r, nil
}

// radiusRank is m − ⌊εm⌋, where an εm that is an integer but for rounding counts
// as one.
func radiusRank(m int, epsilon float64) int {
	return m - int(epsilon*float64(m)*(1+0x1p-50))
}

// quantileRanks returns the ranks l < u, from 1, of the order statistics of m
// values that enclose the p-quantile q with 95% confidence:
// P(X_(l) > q) ≤ 2.5% ≥ P(X_(u) < q). A rank of 0 or m + 1 says that there is no
// such order statistic. X_(l) > q means at most l − 1 of the values are ≤ q.
func quantileRanks(m int, p float64) (lower, upper int) {
	below := distuv.Binomial{N: float64(m), P: p}
	lower = searchInts(0, m, func(l int) bool { return below.CDF(float64(l)) > tail })
	upper = 1 + searchInts(0, m, func(u int) bool { return below.CDF(float64(u)) >= 1-tail })
	return lower, upper
}

// searchInts returns the smallest i in lo … hi where holds, which is monotone,
// is true; hi if there is none below.
func searchInts(lo, hi int, holds func(int) bool) int {
	for lo < hi {
		if mid := (lo + hi) / 2; holds(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
