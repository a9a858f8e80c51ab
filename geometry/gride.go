package geometry

import "math"

// Gride estimates the dimension from the ratios μ_i of the distances to
// neighbours far and near, which at constant density follow
//
//	f(μ; D) = D (μ^D − 1)^{far−near−1} / (B(far − near, near) μ^{D(far−1)+1}),  μ > 1
//
// (Denti, Doimo, Laio and Mira, 2022, "The generalized ratios intrinsic dimension
// estimator"); (1, 2) is TwoNN's MLE. With near = 2^j and far = 2^{j+1} the
// estimates over j show the dimension at growing scale.
//
// Value maximises the likelihood. CI95 is that of a normal log D with the observed
// Fisher information divided by Inflation. Neighbors are those of NearestOthers
// with k ≥ far. It fails as TwoNN does.
func Gride(neighbors *Neighbors, near, far int) (Dimension, error) {
	r, err := logRatios(neighbors, near, far)
	if err != nil {
		return Dimension{}, err
	}
	l := gride{logs: r.logs, sum: total(r.logs), near: float64(near), far: float64(far)}
	value := l.maximum()
	score := make([]float64, len(r.logs))
	for i, s := range r.logs {
		h, _ := ratioTerm(value * s)
		score[i] = 1 + (l.far-l.near-1)*h - (l.far-1)*value*s
	}
	inflation := r.inflation(neighbors, far, score)
	width := normal95 * math.Sqrt(inflation/l.information(value)) / value
	return Dimension{
		Value:     value,
		CI95:      [2]float64{value * math.Exp(-width), value * math.Exp(width)},
		Inflation: inflation, Points: len(r.logs), Dropped: neighbors.M - len(r.logs),
	}, nil
}

// gride is the likelihood of n log ratios s_i.
type gride struct {
	logs      []float64
	sum       float64
	near, far float64
}

// score returns D times the derivative of the log-likelihood,
//
//	n + (far−near−1) Σ h(D s_i) − (far−1) D Σ s_i,   h(t) = t/(1 − e^{−t}),
//
// and its derivative. It falls strictly: 0 < h' < 1.
func (l *gride) score(d float64) (value, slope float64) {
	value = float64(len(l.logs)) - (l.far-1)*d*l.sum
	slope = -(l.far - 1) * l.sum
	if between := l.far - l.near - 1; between > 0 {
		for _, s := range l.logs {
			h, dh := ratioTerm(d * s)
			value += between * h
			slope += between * s * dh
		}
	}
	return value, slope
}

// ratioTerm returns h(t) = t/(1 − e^{−t}) and h'(t) for t ≥ 0.
func ratioTerm(t float64) (h, dh float64) {
	if t < 1e-4 {
		return 1 + t/2 + t*t/12, 0.5 + t/6
	}
	e := -math.Expm1(-t)
	return t / e, (e - t*math.Exp(-t)) / (e * e)
}

// maximum finds the root of the score by Newton's method inside a bracket that
// always shrinks. The bracket follows from 1 ≤ h(t) ≤ 1 + t.
func (l *gride) maximum() float64 {
	spread := float64(len(l.logs)) * (l.far - l.near) / l.sum
	lower, upper := spread/(l.far-1), spread/l.near
	d := math.Sqrt(lower * upper)
	for upper-lower > 1e-14*upper {
		value, slope := l.score(d)
		if value > 0 {
			lower = d
		} else {
			upper = d
		}
		next := d - value/slope
		if !(next > lower && next < upper) {
			next = (lower + upper) / 2
		}
		if math.Abs(next-d) <= 1e-14*d {
			return next
		}
		d = next
	}
	return d
}

// information is minus the second derivative of the log-likelihood,
//
//	n/D² + (far−near−1) Σ s² e^{−Ds}/(1 − e^{−Ds})²,
//
// written with s²e^{−Ds}/(1 − e^{−Ds})² = (s/2 / sinh(Ds/2))², which is 1/D² at
// s = 0.
func (l *gride) information(d float64) float64 {
	between := l.far - l.near - 1
	information := float64(len(l.logs)) / (d * d)
	for _, s := range l.logs {
		term := 1 / d
		if s > 0 {
			term = s / 2 / math.Sinh(d*s/2)
		}
		information += between * term * term
	}
	return information
}
