package stability

import (
	"math"
	"math/bits"
)

// centralMoments holds the factors of the central moments of a batch's mean
// curvature, Δ = (1/B) Σ_{i∈S} X_i with X_i = H_i − H: with S_q = (1/n) Σ X_i^{⊗q},
//
//	E Δ² = second·S_2,  E Δ³ = third·S_3,  E Δ⁴ = fourth·S_4 + pairs·Σ_{3 pairings} S_2 S_2.
type centralMoments struct{ second, third, fourth, pairs float64 }

func (s Sampling) centralMoments(n, batch int) centralMoments {
	b, m := float64(batch), float64(n)
	if s == WithReplacement {
		return centralMoments{1 / b, 1 / (b * b), 1 / (b * b * b), (b - 1) / (b * b * b)}
	}
	var pi [5]float64
	pi[0] = 1
	for j := 1; j <= min(4, batch); j++ {
		pi[j] = pi[j-1] * float64(batch-j+1) / float64(n-j+1)
	}
	return centralMoments{
		second: s.BatchVariance(n, batch),
		third:  m * (pi[1] - 3*pi[2] + 2*pi[3]) / (b * b * b),
		fourth: m * (pi[1] - 7*pi[2] + 12*pi[3] - 6*pi[4]) / (b * b * b * b),
		pairs:  m * m * (pi[2] - 2*pi[3] + pi[4]) / (b * b * b * b),
	}
}

// closedMoments computes moments of up to four elements of a batch's mean
// curvature; an element (a, b) has the number a·r+b.
type closedMoments struct {
	centralMoments
	n int
	// mean is H, r×r; deviation[e·n+i] is element e of X_i; second[e·r²+f] is
	// S_2 of e and f.
	mean, deviation, second []float64
}

func (s *Span) newClosedMoments(sampling Sampling, batch int) *closedMoments {
	n, r := s.N, s.Rank
	c := &closedMoments{centralMoments: sampling.centralMoments(n, batch), n: n}
	c.mean, c.deviation = make([]float64, r*r), make([]float64, r*r*n)
	one, times := make([]float64, r*r), make([]int, n)
	for i := range n {
		times[i] = 1
		s.batchCurvature(one, times, 1)
		times[i] = 0
		for e, v := range one {
			c.deviation[e*n+i] = v
			c.mean[e] += v / float64(n)
		}
	}
	for e, h := range c.mean {
		for i := range n {
			c.deviation[e*n+i] -= h
		}
	}
	c.second = make([]float64, r*r*r*r)
	for e := range r * r {
		for f := range r * r {
			c.second[e*r*r+f] = c.average(e, f)
		}
	}
	return c
}

// average returns S_q of q elements.
func (c *closedMoments) average(elements ...int) float64 {
	var sum float64
	for i := range c.n {
		x := 1.0
		for _, e := range elements {
			x *= c.deviation[e*c.n+i]
		}
		sum += x
	}
	return sum / float64(c.n)
}

// central returns E of the product of the elements of Δ.
func (c *closedMoments) central(e []int) float64 {
	q := len(c.mean)
	switch len(e) {
	case 0:
		return 1
	case 1:
		return 0
	case 2:
		return c.centralMoments.second * c.second[e[0]*q+e[1]]
	case 3:
		return c.third * c.average(e...)
	}
	pairs := c.second[e[0]*q+e[1]]*c.second[e[2]*q+e[3]] +
		c.second[e[0]*q+e[2]]*c.second[e[1]*q+e[3]] + c.second[e[0]*q+e[3]]*c.second[e[1]*q+e[2]]
	return c.fourth*c.average(e...) + c.pairs*pairs
}

// raw returns E of the product of the elements of H + Δ.
func (c *closedMoments) raw(e []int) float64 {
	var sum float64
	var buffer [4]int
	for set := range 1 << len(e) {
		moving, product := buffer[:0], 1.0
		for j, x := range e {
			if set>>j&1 == 1 {
				moving = append(moving, x)
			} else {
				product *= c.mean[x]
			}
		}
		if product != 0 {
			sum += product * c.central(moving)
		}
	}
	return sum
}

// closedWork is about how many multiply-adds addMoments takes; +Inf for k > 4.
func (s *Span) closedWork(t *Tensor) float64 {
	if t.K > 4 {
		return math.Inf(1)
	}
	orders := [...]float64{1, 1, 2, 6, 24}[t.K]
	r, n := float64(s.Rank), float64(s.N)
	return float64(t.Size)*float64(t.Size)*orders*math.Pow(4, float64(t.K))/4*(4+n) + r*r*r*r*n
}

// addMoments computes every element of T_k, k ≤ 4, from the moments: with the
// coordinates a of its row and b of its column, it is
// Σ_σ E Π_j M[a_j, b_σ(j)] / √(Π α! Π β!).
func (s *Span) addMoments(t *Tensor, sampling Sampling, batch int) {
	k, orders := t.K, permutations(t.K)
	moments, basis := s.newClosedMoments(sampling, batch), symmetricBases(s.Rank, k)[k]
	element := make([]float64, k+1)
	for row, a := range basis.indices {
		for col := row; col < t.Size; col++ {
			b := basis.indices[col]
			clear(element)
			for _, order := range orders {
				moments.addProduct(element, a, b, order, s.Rank)
			}
			norm := 1 / math.Sqrt(factorials(a)*factorials(b))
			for m, v := range element {
				t.coefficients[m][row*t.Size+col] = norm * v
				t.coefficients[m][col*t.Size+row] = norm * v
			}
		}
	}
}

// addProduct adds E Π_j (δ − η (H+Δ))[a_j, b_σ(j)] by powers of η.
func (c *closedMoments) addProduct(element []float64, a, b, order []int, r int) {
	var diagonal int
	var elements, chosen [4]int
	for j, to := range order {
		elements[j] = a[j]*r + b[to]
		if a[j] == b[to] {
			diagonal |= 1 << j
		}
	}
	for set := range 1 << len(a) {
		if rest := 1<<len(a) - 1 - set; rest&^diagonal != 0 {
			continue
		}
		e := chosen[:0]
		for j := range a {
			if set>>j&1 == 1 {
				e = append(e, elements[j])
			}
		}
		sign := float64(1 - 2*(len(e)%2))
		element[bits.OnesCount(uint(set))] += sign * c.raw(e)
	}
}

// factorials returns Π_j α_j! of an ascending index.
func factorials(index []int) float64 {
	product, run := 1.0, 1.0
	for j := 1; j < len(index); j++ {
		if index[j] != index[j-1] {
			run = 0
		}
		run++
		product *= run
	}
	return product
}

func permutations(k int) [][]int {
	if k == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, p := range permutations(k - 1) {
		for at := range k {
			q := append(append(append([]int{}, p[:at]...), k-1), p[at:]...)
			all = append(all, q)
		}
	}
	return all
}
