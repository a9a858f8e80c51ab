package stability

// batchWork is about how many multiply-adds addBatches takes.
func (s *Span) batchWork(t *Tensor, sampling Sampling, batch int) float64 {
	batches := binomial(s.N, batch)
	if sampling == WithReplacement {
		batches = binomial(s.N+batch-1, batch)
	}
	return batches * float64(t.Size) * float64(t.Size) * float64(t.K*t.K)
}

// addBatches adds up M_S^{⊗k} over all batches S.
func (s *Span) addBatches(t *Tensor, sampling Sampling, batch int) {
	k := t.K
	bases, r := symmetricBases(s.Rank, k), s.Rank
	curvature := make([]float64, r*r)
	eachTensorBatch(s.N, batch, sampling == WithReplacement, func(times []int, weight float64) {
		s.batchCurvature(curvature, times, batch)
		power := symmetricPower(bases, curvature, r)
		for m, c := range t.coefficients {
			for i := range c {
				c[i] += weight * power[i*(k+1)+m]
			}
		}
	})
}

// eachTensorBatch calls f with how often each sample is in a batch and the
// probability of these counts.
func eachTensorBatch(n, batch int, replacement bool, f func(times []int, weight float64)) {
	times := make([]int, n)
	var draw func(i, left int, weight float64)
	draw = func(i, left int, weight float64) {
		if left == 0 {
			f(times, weight)
			return
		}
		if i == n {
			return
		}
		most := 1
		if replacement {
			most = left
		}
		for ; times[i] <= most && times[i] <= left; times[i]++ {
			// C(left, times)·n^{−times} with replacement, one subset in C(n, B) without.
			w := weight
			if replacement {
				w *= binomial(left, times[i])
				for range times[i] {
					w /= float64(n)
				}
			}
			draw(i+1, left-times[i], w)
		}
		times[i] = 0
	}
	if replacement {
		draw(0, batch, 1)
	} else {
		draw(0, batch, 1/binomial(n, batch))
	}
}

// batchCurvature sets h, r×r, to (1/B) Σ_{i∈S} H_i.
func (s *Span) batchCurvature(h []float64, times []int, batch int) {
	clear(h)
	for i, t := range times {
		for o := range s.C {
			q := s.Q[(i*s.C+o)*s.Rank : (i*s.C+o+1)*s.Rank]
			if t == 0 {
				continue
			}
			for a, x := range q {
				for b, y := range q {
					h[a*s.Rank+b] += float64(t) / float64(batch) * x * y
				}
			}
		}
	}
}

// symmetricPower returns (I − ηH)^{⊗k} on Sym^k, size×size×(k+1): the powers of η
// last. It goes up from Sym^{j−1} to Sym^j: a symmetric product with coordinate c
// in it is one less long times e_c, and the matrix takes e_c to its column c.
func symmetricPower(bases []symmetricBasis, h []float64, r int) []float64 {
	below, belowSize := []float64{1}, 1
	for k := 1; k < len(bases); k++ {
		b := bases[k]
		size := len(b.indices)
		power := make([]float64, size*size*(k+1))
		for col := range b.indices {
			out := b.lower[col][0]
			for row := range b.indices {
				to := power[(row*size+col)*(k+1):][:k+1]
				for _, in := range b.lower[row] {
					from := below[(in.element*belowSize+out.element)*k:][:k]
					factor := in.root / out.root
					slope := factor * h[in.coordinate*r+out.coordinate]
					for m, v := range from {
						to[m+1] -= slope * v
						if in.coordinate == out.coordinate {
							to[m] += factor * v
						}
					}
				}
			}
		}
		below, belowSize = power, size
	}
	return below
}
