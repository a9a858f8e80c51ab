package stability

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/floats"

	"sobolev/internal/kernel"
	"sobolev/linop"
)

// directionSearch minimises log η(v) over unit vectors v of a span.
type directionSearch struct {
	*Span
	k, batch int
	sampling Sampling
	z, q     []float64
}

func newDirectionSearch(s *Span, k int, sampling Sampling, batch int) *directionSearch {
	return &directionSearch{Span: s, k: k, batch: batch, sampling: sampling, z: make([]float64, s.N*s.C), q: make([]float64, s.N)}
}

// starts returns the directions to descend from, best first.
func (d *directionSearch) starts() [][]float64 {
	type scored struct {
		value float64
		v     []float64
	}
	var all []scored
	for _, v := range append(d.topRightVectors(directionSamples), d.axes(directionAxes)...) {
		all = append(all, scored{d.value(v), v})
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(a.value, b.value) })
	var starts [][]float64
	for _, s := range all[:min(directionRefined, len(all))] {
		starts = append(starts, s.v)
	}
	return starts
}

// axes returns the leading eigenvectors of H.
func (d *directionSearch) axes(most int) [][]float64 {
	var axes [][]float64
	for j := range min(most, d.Rank) {
		v := make([]float64, d.Rank)
		v[j] = 1
		axes = append(axes, v)
	}
	return axes
}

// topRightVectors returns the top right singular vectors of the J_i of the largest
// norms.
func (s *Span) topRightVectors(most int) [][]float64 {
	norms, left := s.topSingular()
	order := make([]int, s.N)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(norms[b], norms[a]) })
	var vectors [][]float64
	for _, i := range order[:min(most, s.N)] {
		if norms[i] == 0 {
			break
		}
		v := make([]float64, s.Rank)
		for o, u := range left[i*s.C : (i+1)*s.C] {
			row := i*s.C + o
			kernel.Axpy(v, u, s.Q[row*s.Rank:(row+1)*s.Rank])
		}
		toUnit(v)
		vectors = append(vectors, v)
	}
	return vectors
}

// topSingular returns ‖J_i‖² of every sample and the top left singular vectors,
// n×c.
func (s *Span) topSingular() (norms, left []float64) {
	block := make([]float64, s.C*s.C)
	return topOfBlocks(s.N, s.C, func(i int) []float64 {
		rows := s.Q[i*s.C*s.Rank : (i+1)*s.C*s.Rank]
		for a := range s.C {
			for b := range s.C {
				block[a*s.C+b] = floats.Dot(rows[a*s.Rank:(a+1)*s.Rank], rows[b*s.Rank:(b+1)*s.Rank])
			}
		}
		return block
	})
}

// topOfBlocks returns the largest eigenvalues and the eigenvectors, n×c, of the
// symmetric c×c blocks i < n.
func topOfBlocks(n, c int, block func(i int) []float64) (values, vectors []float64) {
	values, vectors = make([]float64, n), make([]float64, n*c)
	for i := range n {
		values[i] = topEigen(vectors[i*c:(i+1)*c], block(i))
	}
	return values, vectors
}

// topEigen returns the largest eigenvalue of the symmetric matrix a, and its
// eigenvector in v.
func topEigen(v, a []float64) float64 {
	c := len(v)
	if c == 1 {
		v[0] = 1
		return a[0]
	}
	values, vectors, err := linop.EigenSym(c, a)
	if err != nil {
		panic("stability: a symmetric matrix has elements that are not finite")
	}
	copy(v, vectors[(c-1)*c:])
	return values[c-1]
}

// value returns η(v); d.z and d.q are those of v afterwards.
func (d *directionSearch) value(v []float64) float64 {
	d.project(d.z, v)
	squares(d.q, d.z, d.C)
	sums, scale := scaledPowerSums(d.q, d.k)
	return momentThreshold(PowerSumMoments(sums, d.N, d.sampling, d.batch)) / scale
}

// scaledPowerSums returns Σ (q_i/scale)^m, m = 1 … order, with the largest q_i as
// scale.
func scaledPowerSums(q []float64, order int) (sums []float64, scale float64) {
	scale, sums = slices.Max(q), make([]float64, order)
	if scale == 0 {
		return sums, 1
	}
	for _, v := range q {
		power := 1.0
		for m := range sums {
			power *= v / scale
			sums[m] += power
		}
	}
	return sums, scale
}

// gradient sets g to the gradient of log η on the sphere, at the v of the last
// value, which was eta. From P(η, q) = E_S[(1 − η s)^k] = ±1,
//
//	∂η/∂q_i = −(∂P/∂q_i)/(∂P/∂η),   ∂P/∂q_i = Σ_m m q_i^{m−1} ∂P/∂p_m,   ∂q_i/∂v = 2 J_iᵀ J_i v.
func (d *directionSearch) gradient(g, v []float64, eta float64) {
	weight := d.weights(eta)
	z := slices.Clone(d.z)
	for i, w := range weight {
		kernel.Scale(z[i*d.C:(i+1)*d.C], 2*w)
	}
	clear(g)
	for row, u := range z {
		kernel.Axpy(g, u, d.Q[row*d.Rank:(row+1)*d.Rank])
	}
	kernel.Axpy(g, -floats.Dot(g, v), v)
}

// weights returns ∂ log η/∂q_i.
func (d *directionSearch) weights(eta float64) []float64 {
	sums, scale := scaledPowerSums(d.q, d.k)
	table := powerSumTable(sums, d.sampling)
	pi := inclusion(d.N, d.k, d.sampling, d.batch)
	moments := table.moments(make([]float64, d.k+1), &pi, 1/float64(d.batch))
	coefficient := make([]float64, d.k+1)
	var slope float64 // η ∂P/∂η
	unit := 1.0
	for m := 1; m <= d.k; m++ {
		unit *= -float64(d.k-m+1) / float64(m) * eta * scale
		coefficient[m] = unit
		slope += float64(m) * unit * moments[m]
	}
	byPower := powerSumGradient(&table, coefficient, &pi, d.sampling, d.batch)
	weight := make([]float64, d.N)
	for i, v := range d.q {
		power := 1.0
		for m, p := range byPower {
			weight[i] -= float64(m+1) * power * p / (slope * scale)
			power *= v / scale
		}
	}
	return weight
}

// descend minimises log η from v on and returns the end point.
func (d *directionSearch) descend(v []float64) []float64 {
	v = slices.Clone(v)
	value := d.value(v)
	g, next, nextG := make([]float64, d.Rank), make([]float64, d.Rank), make([]float64, d.Rank)
	d.gradient(g, v, value)
	step := 0.1 / max(floats.Norm(g, 2), 1)
	for range directionSteps {
		for {
			copy(next, v)
			kernel.Axpy(next, -step, g)
			toUnit(next)
			// Written so that NaN counts as no progress.
			if d.value(next) < value {
				break
			}
			if step *= 0.25; !(step*floats.Norm(g, 2) > 1e-10) {
				return v
			}
		}
		nextValue := d.value(next)
		d.gradient(nextG, next, nextValue)
		step = barzilaiBorwein(v, next, g, nextG, step)
		done := value-nextValue <= 1e-13*value
		v, next, g, nextG, value = next, v, nextG, g, nextValue
		if done {
			break
		}
	}
	return v
}

// barzilaiBorwein returns ‖Δv‖²/⟨Δv, Δg⟩, and twice the last step where that is not
// positive (Barzilai & Borwein, 1988).
func barzilaiBorwein(v, next, g, nextG []float64, step float64) float64 {
	var square, product float64
	for j := range v {
		dv := next[j] - v[j]
		square += dv * dv
		product += dv * (nextG[j] - g[j])
	}
	if !(product > 0) {
		return 2 * step
	}
	return min(square/product, 100*step)
}

// toUnit scales v to length one.
func toUnit(v []float64) { kernel.Scale(v, 1/floats.Norm(v, 2)) }
