package stability

import (
	"fmt"
	"math"
	"slices"
)

// CoordinateThreshold returns the least ScalarThreshold of order k over the w
// directions of single parameters, and the parameter j that has it. sums is m×w,
// row-major, m ≥ k, of power sums over the n samples,
//
//	S_m(j) = Σ_i (Σ_o J_{io,j}²)^m   in row m − 1,
//
// from which every coordinate's threshold is exact up to rounding (see
// PowerSumMoments). j is −1 and the threshold +Inf if all sums are zero.
// Powers of the gradients must not overflow; those that vanish belong to
// coordinates that do not bind, or to gradients that should be scaled.
//
// The coordinate with the largest S_k gives a first threshold; each other one is
// dropped if it is shown to lie above, first by the bounds of coordinateTest,
// then by the sign of its polynomial, and only what remains is solved.
func CoordinateThreshold(sums []float64, w, k, n int, s Sampling, batch int) (eta float64, j int, err error) {
	checkMoments(k, n, s, batch)
	if w < 1 || len(sums) < k*w {
		panic("stability: sums are not m×w with m ≥ k")
	}
	if err := finiteSums(sums[:k*w], w); err != nil {
		return 0, 0, err
	}
	top := sums[(k-1)*w : k*w]
	j = 0
	for i, v := range top {
		if v > top[j] {
			j = i
		}
	}
	if top[j] == 0 {
		return math.Inf(1), -1, nil
	}
	t := coordinateTest{k: k, n: n, batch: batch, sampling: s, pi: inclusion(n, k, s, batch)}
	t.lower(t.moments(sums, w, j))
	for i, v := range top {
		if t.above(sums[i], v) || t.signAbove(t.moments(sums, w, i)) {
			continue
		}
		if t.lower(t.buffer[:k+1]) {
			j = i
		}
	}
	return t.best, j, nil
}

// CoordinatesAbove says whether the sums of m < k orders alone show that no coordinate's
// threshold of order k is below eta: its tests are those of CoordinateThreshold with
//
//	S_k(j) ≤ S_m(j)^{k/m} ≤ S_m(j) max_j S_m(j)^{k/m − 1}
//
// in the place of S_k(j). sums is m×w.
func CoordinatesAbove(sums []float64, w, k, n int, eta float64) bool {
	if w < 1 || len(sums) < w || len(sums)%w != 0 || k < 2 || k > MaxOrder {
		panic("stability: sums are not m×w, or there is no threshold of that order")
	}
	m := len(sums) / w
	t := coordinateTest{k: k, n: n}
	t.below(eta)
	top, ratio := sums[(m-1)*w:], float64(k)/float64(m)
	factor := math.Pow(slices.Max(top), ratio-1)
	for j, v := range top {
		if !t.above(sums[j], v*factor) && !t.above(sums[j], math.Pow(v, ratio)) {
			return false
		}
	}
	return true
}

func finiteSums(sums []float64, w int) error {
	for at, v := range sums {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return fmt.Errorf("the power sum of order %d of parameter %d is %v; it must be a finite number that is not negative", at/w+1, at%w, v)
		}
	}
	return nil
}

// coordinateTest holds the least threshold so far.
type coordinateTest struct {
	k, n, batch int
	sampling    Sampling
	pi          [MaxOrder + 1]float64
	best        float64
	// power is best^{k−1} for even k, best^k/n for odd k; coefficient[m] is C(k,m) (−best)^m.
	power       float64
	coefficient [MaxOrder + 1]float64
	buffer      [MaxOrder + 1]float64
}

// lower solves for the threshold of the moments and keeps it if it is the least.
func (t *coordinateTest) lower(moments []float64) bool {
	root := momentThreshold(moments)
	if t.best != 0 && !(root < t.best) {
		return false
	}
	t.below(root)
	t.coefficient[0] = 1
	for m := 1; m <= t.k; m++ {
		t.coefficient[m] = t.coefficient[m-1] * -float64(t.k-m+1) / float64(m) * root
	}
	return true
}

// below sets best and its power.
func (t *coordinateTest) below(best float64) {
	t.best, t.power = best, math.Pow(best, float64(t.k-1))
	if t.k%2 == 1 {
		t.power *= best / float64(t.n)
	}
}

// above says whether the sums of orders 1 and k alone show that a coordinate's
// threshold is not below best. With E s^k ≤ S_k/n, even k have (1−x)^k ≤ 1 − x + x^k
// for x ≥ 0, thus stability for η^{k−1} ≤ S_1/S_k; odd k have (1−x)^k ≥ −x^k, thus
// stability for η^k ≤ n/S_k.
func (t *coordinateTest) above(first, last float64) bool {
	if t.k%2 == 1 {
		return t.power*last <= 1
	}
	return t.power*last <= first
}

// signAbove says whether E_S[(1 − best·s)^k] is within ±1.
func (t *coordinateTest) signAbove(moments []float64) bool {
	var sum float64
	for m := t.k; m >= 1; m-- {
		sum += t.coefficient[m] * moments[m]
	}
	if t.k%2 == 1 {
		return sum >= -2
	}
	return sum <= 0
}

// moments returns those of coordinate j, in the buffer.
func (t *coordinateTest) moments(sums []float64, w, j int) []float64 {
	var column [MaxOrder]float64
	for m := range t.k {
		column[m] = sums[m*w+j]
	}
	table := powerSumTable(column[:t.k], t.sampling)
	return table.moments(t.buffer[:t.k+1], &t.pi, 1/float64(t.batch))
}
