package stability

import (
	"cmp"
	"math"
	"slices"

	"sobolev/internal/kernel"
)

// Sizes of the search for the sharpest batch.
const (
	batchStarts = 16
	batchRounds = 50
	powerSteps  = 30
)

// search returns the largest λ_max(H_S) that it finds.
func (a *batchSharpness) search() float64 {
	best := 0.0
	for _, i := range a.startingSamples() {
		if a.norms[i*a.N+i] == 0 {
			continue
		}
		m := a.N * a.C
		z := make([]float64, m)
		for o, u := range a.left[i*a.C : (i+1)*a.C] {
			kernel.Axpy(z, u, a.K[(i*a.C+o)*m:(i*a.C+o+1)*m])
		}
		best = max(best, a.climb(z))
	}
	return best
}

// startingSamples returns the samples whose top right singular vector has the
// largest mean curvature over its best batch. For one output that is a mean of
// K_ij²/K_ii; for several, ‖K_ij‖ bounds the curvatures from above, good enough to
// choose by.
func (a *batchSharpness) startingSamples() []int {
	score, q := make([]float64, a.N), make([]float64, a.N)
	for i := range a.N {
		own := a.norms[i*a.N+i]
		if own == 0 {
			continue
		}
		for j, v := range a.norms[i*a.N : (i+1)*a.N] {
			q[j] = v * v / own
		}
		score[i] = sumOfLargest(q, a.batch)
	}
	return largestOf(score, min(batchStarts, a.N))
}

// largestOf returns the indices of the count largest elements, in ascending
// order.
func largestOf(q []float64, count int) []int {
	order := everySample(len(q))
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(q[j], q[i]) })
	order = order[:count]
	slices.Sort(order)
	return order
}

// climb alternates between the best batch for a direction v, given by z = J v up
// to its scale, and a better direction for that batch. It returns the curvature of
// the last batch along the last direction, at most λ_max(H_S); up to rounding it
// never falls on the way.
func (a *batchSharpness) climb(z []float64) (sharpness float64) {
	q := make([]float64, a.N)
	var samples []int
	for range batchRounds {
		next := largestOf(squares(q, z, a.C), a.batch)
		if slices.Equal(next, samples) {
			break
		}
		samples = next
		sharpness = a.improve(z, samples)
	}
	return sharpness
}

// improve moves z = J v by power steps v ← J_Sᵀ J_S v, that is z ← K[:,S] z_S, and
// returns vᵀ H_S v/‖v‖².
func (a *batchSharpness) improve(z []float64, samples []int) (sharpness float64) {
	m := a.N * a.C
	next := make([]float64, m)
	for range powerSteps {
		clear(next)
		for _, i := range samples {
			for row := i * a.C; row < (i+1)*a.C; row++ {
				kernel.Axpy(next, z[row], a.K[row*m:(row+1)*m])
			}
		}
		var square, product float64
		for _, i := range samples {
			for row := i * a.C; row < (i+1)*a.C; row++ {
				square += next[row] * next[row]
				product += next[row] * z[row]
			}
		}
		sharpness = square / (product * float64(a.batch))
		clear(z)
		kernel.Axpy(z, 1/math.Sqrt(square), next)
	}
	return sharpness
}

// enumerate returns the maximum over all batches; found is attained by one. A
// batch needs its eigenvalues only if neither its largest row sum of ‖K_ij‖ nor a
// Cholesky factorisation shows that it is not sharper than what was found.
func (a *batchSharpness) enumerate(found float64) float64 {
	samples := everySample(a.batch)
	for more := true; more; more = nextSubset(samples, a.N) {
		if !a.below(samples, found) {
			found = max(found, a.of(samples))
		}
	}
	return found
}

// below says whether λ_max(H_S) ≤ (1 + 1e-13)·found is easy to show.
func (a *batchSharpness) below(samples []int, found float64) bool {
	limit := found * float64(len(samples)) * (1 + 1e-13)
	rows := 0.0
	for _, i := range samples {
		sum := 0.0
		for _, j := range samples {
			sum += a.norms[i*a.N+j]
		}
		rows = max(rows, sum)
	}
	if rows <= limit {
		return true
	}
	k := a.submatrix(samples)
	size := len(samples) * a.C
	for i := range k {
		k[i] = -k[i]
	}
	for i := range size {
		k[i*size+i] += limit
	}
	return positiveDefinite(size, k)
}

// nextSubset moves to the next subset of {0 … n−1} in lexicographic order, and
// says whether there is one.
func nextSubset(samples []int, n int) bool {
	b := len(samples)
	i := b - 1
	for i >= 0 && samples[i] == n-b+i {
		i--
	}
	if i < 0 {
		return false
	}
	samples[i]++
	for j := i + 1; j < b; j++ {
		samples[j] = samples[j-1] + 1
	}
	return true
}
