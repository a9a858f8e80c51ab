package stability

import "slices"

// MaxOrder is the highest order of batch moments and of thresholds from them.
const MaxOrder = 8

// BatchMoments returns E_S[(mean_S q)^m] for m = 0 … order, for numbers q_i ≥ 0,
// one a sample, and batches of B samples. Epochs counts as WithoutReplacement.
//
// With c[a][m] = Σ_A Σ Π_{i∈A} q_i^{m_i}/m_i! over all sets A of a samples and all
// m_i ≥ 1 that add up to m,
//
//	E_S[(Σ_S q)^m] = m! Σ_a π_a c[a][m],   π_a = P(A ⊂ S) = Π_{j<a} (B−j)/(n−j),
//
// and c follows sample by sample in O(n·m³), whatever B is. With replacement
// c[a] is c[1] convolved a times, over a!, and π_a = Π_{j<a} (B−j)/n. All terms
// are positive, so that no digits are lost beyond those of long sums: 1e-13 was
// seen at n = 5,000, order 8, against the recursion over batch sizes in O(n·B·m²).
func BatchMoments(q []float64, order int, s Sampling, batch int) []float64 {
	checkMoments(order, len(q), s, batch)
	moments := make([]float64, order+1)
	scale := slices.Max(q)
	if scale == 0 {
		moments[0] = 1
		return moments
	}
	var c momentTable
	c[0][0] = 1
	var power [MaxOrder + 1]float64
	for _, v := range q {
		dividedPowers(&power, v/scale, order)
		if s == WithReplacement {
			for m := 1; m <= order; m++ {
				c[1][m] += power[m]
			}
			continue
		}
		c.addSample(&power, order)
	}
	if s == WithReplacement {
		c.convolve(order)
	}
	pi := inclusion(len(q), order, s, batch)
	return c.moments(moments, &pi, scale/float64(batch))
}

// momentTable is c[a][m] of BatchMoments.
type momentTable [MaxOrder + 1][MaxOrder + 1]float64

// dividedPowers sets dst[m] = q^m/m!.
func dividedPowers(dst *[MaxOrder + 1]float64, q float64, order int) {
	dst[0] = 1
	for m := 1; m <= order; m++ {
		dst[m] = dst[m-1] * q / float64(m)
	}
}

// addSample lets every set be with or without one more sample.
func (c *momentTable) addSample(power *[MaxOrder + 1]float64, order int) {
	for a := order; a >= 1; a-- {
		for m := order; m >= a; m-- {
			sum := c[a][m]
			for j := 1; j <= m-a+1; j++ {
				sum += c[a-1][m-j] * power[j]
			}
			c[a][m] = sum
		}
	}
}

// convolve sets c[a] = c[1]^a/a! for a ≥ 2.
func (c *momentTable) convolve(order int) {
	for a := 2; a <= order; a++ {
		for m := a; m <= order; m++ {
			var sum float64
			for j := 1; j <= m-a+1; j++ {
				sum += c[a-1][m-j] * c[1][j]
			}
			c[a][m] = sum / float64(a)
		}
	}
}

// moments sets dst[m] = m! unit^m Σ_a π_a c[a][m] and returns it.
func (c *momentTable) moments(dst []float64, pi *[MaxOrder + 1]float64, unit float64) []float64 {
	dst[0] = 1
	factor := 1.0
	for m := 1; m < len(dst); m++ {
		factor *= float64(m) * unit
		var sum float64
		for a := 1; a <= m; a++ {
			sum += pi[a] * c[a][m]
		}
		dst[m] = factor * sum
	}
	return dst
}

// inclusion returns π_a for a = 0 … order.
func inclusion(n, order int, s Sampling, batch int) (pi [MaxOrder + 1]float64) {
	pi[0] = 1
	for a := 1; a <= order && a <= batch; a++ {
		left := n
		if s != WithReplacement {
			left -= a - 1
		}
		pi[a] = pi[a-1] * float64(batch-a+1) / float64(left)
	}
	return pi
}

func checkMoments(order, n int, s Sampling, batch int) {
	if order < 1 || order > MaxOrder {
		panic("stability: order is not in 1 … 8")
	}
	if n < 1 {
		panic("stability: no samples")
	}
	s.check(n, batch)
}
