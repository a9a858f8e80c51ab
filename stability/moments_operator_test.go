package stability

import (
	"math"
	"math/rand/v2"
	"testing"

	"sobolev/linop"
)

// momentOperator returns T_k = E_S[M_S^{⊗k}] on the symmetric tensors of the span,
// by enumeration.
func momentOperator(s *Span, k int, eta float64, sampling Sampling, batch int) []float64 {
	r := s.Rank
	size := int(math.Round(math.Pow(float64(r), float64(k))))
	total := make([]float64, size*size)
	step := make([]float64, r*r)
	eachBatch(s.N, batch, sampling, func(samples []int, probability float64) {
		clear(step)
		for a := range r {
			step[a*r+a] = 1
		}
		for _, i := range samples {
			for row := i * s.C; row < (i+1)*s.C; row++ {
				for a := range r {
					for b := range r {
						step[a*r+b] -= eta / float64(batch) * s.Q[row*r+a] * s.Q[row*r+b]
					}
				}
			}
		}
		power := []float64{probability}
		for m, width := 0, 1; m < k; m, width = m+1, width*r {
			power = kronecker(power, width, step, r)
		}
		for i, v := range power {
			total[i] += v
		}
	})
	return symmetrised(total, r, k)
}

func kronecker(a []float64, n int, b []float64, r int) []float64 {
	width := n * r
	out := make([]float64, width*width)
	for i := range n {
		for j := range n {
			for p := range r {
				for q := range r {
					out[(i*r+p)*width+j*r+q] = a[i*n+j] * b[p*r+q]
				}
			}
		}
	}
	return out
}

// symmetrised returns T on the symmetric tensors, in the orthonormal basis that
// has the normalised sum of all products with the same number of each index.
func symmetrised(t []float64, r, k int) []float64 {
	size := int(math.Round(math.Sqrt(float64(len(t)))))
	number := map[[8]int]int{}
	class, members := make([]int, size), []float64{}
	for at := range size {
		var count [8]int
		for rest, m := at, 0; m < k; rest, m = rest/r, m+1 {
			count[rest%r]++
		}
		if _, ok := number[count]; !ok {
			number[count] = len(members)
			members = append(members, 0)
		}
		class[at] = number[count]
		members[class[at]]++
	}
	out := make([]float64, len(members)*len(members))
	for i := range size {
		for j := range size {
			a, b := class[i], class[j]
			out[a*len(members)+b] += t[i*size+j] / math.Sqrt(members[a]*members[b])
		}
	}
	return out
}

// symmetricRadius is ρ(T_k) on Sym^k of the span.
func symmetricRadius(t testing.TB, s *Span, k int, eta float64, sampling Sampling, batch int) float64 {
	t.Helper()
	operator := momentOperator(s, k, eta, sampling, batch)
	size := int(math.Round(math.Sqrt(float64(len(operator)))))
	values, _, err := linop.EigenSym(size, operator)
	if err != nil {
		t.Fatal(err)
	}
	return max(math.Abs(values[0]), math.Abs(values[size-1]))
}

// lastStable returns a learning rate at which ρ(T_k) ≤ 1 on the span, and order
// k − 1 is stable for odd k: the threshold for even k, the first crossing that
// bisection finds for odd k.
func lastStable(t testing.TB, s *Span, k int, sampling Sampling, batch int) float64 {
	t.Helper()
	hi := 2 * float64(s.N) / s.Lambda[0]
	if k == 1 {
		return hi
	}
	if k%2 == 1 {
		hi = lastStable(t, s, k-1, sampling, batch)
	}
	if symmetricRadius(t, s, k, hi, sampling, batch) <= 1 {
		return hi
	}
	lo := 0.0
	for range 40 {
		if middle := (lo + hi) / 2; symmetricRadius(t, s, k, middle, sampling, batch) <= 1 {
			lo = middle
		} else {
			hi = middle
		}
	}
	return lo
}

// smallProblem is a random problem with a span of up to three dimensions.
func smallProblem(t testing.TB, rng *rand.Rand) (s *Span, j []float64, w int, sampling Sampling, batch int) {
	n, c := 1+rng.IntN(5), 1+rng.IntN(2)
	w = 2 + rng.IntN(5)
	j = randomGradients(rng, n, c, w, 1+rng.IntN(3))
	for i := range n {
		scale := math.Exp(rng.NormFloat64())
		for at := i * c * w; at < (i+1)*c*w; at++ {
			j[at] *= scale
		}
	}
	sampling, batch = Sampling(rng.IntN(2)), 1+rng.IntN(n)
	if sampling == WithReplacement {
		batch = min(batch, 3)
	}
	return newSpan(t, gramOf(j, n, c, w)), j, w, sampling, batch
}
