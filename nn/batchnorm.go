package nn

import (
	"math"

	"sobolev/internal/kernel"
)

// batchNorm is a batch normalisation of the channels of images (Ioffe & Szegedy,
// 2015), as torch.nn.BatchNorm2d:
//
//	y = a(γ x̂ + β),   x̂ = (x − μ) / √(σ² + ε),   per channel.
//
// In evaluation μ and σ² are running averages, constants of the function, so that
// the layer is affine. With batch statistics they are the mean and the variance
// (1/N) over the N positions of all samples of the batch, and
//
//	∂L/∂x = γ/√(σ²+ε) · (dy − mean(dy) − x̂·mean(dy·x̂)).
type batchNorm[T kernel.Float] struct {
	label string
	input place
	normAffine[T]
	mean, variance []T // running averages
	act            Activation
}

// The constants of torch.nn.BatchNorm2d.
const (
	normEpsilon  = 1e-5
	normMomentum = 0.1
)

func newBatchNorm[T kernel.Float](label string, input place, act Activation) *batchNorm[T] {
	c := input.shape.c
	n := &batchNorm[T]{
		label: label, input: input, act: act, normAffine: normAffine[T]{weight: make([]T, c), bias: make([]T, c)},
		mean: make([]T, c), variance: make([]T, c),
	}
	for i := range n.variance {
		n.variance[i] = 1
	}
	return n
}

func (n *batchNorm[T]) name() string           { return n.label }
func (n *batchNorm[T]) activation() Activation { return n.act }
func (n *batchNorm[T]) in() place              { return n.input }
func (n *batchNorm[T]) out() place             { return n.input }
func (n *batchNorm[T]) weightShape() []int     { return []int{n.input.shape.c} }
func (n *batchNorm[T]) biases() int            { return n.input.shape.c }
func (n *batchNorm[T]) fan() (in, out int)     { return 1, 1 }
func (n *batchNorm[T]) affine() affine[T]      { return &n.normAffine }

func (n *batchNorm[T]) newState(capacity int) *state[T] {
	return &state[T]{
		pre:  preActivations[T](n.act, capacity*n.input.value),
		work: make([]T, 4*n.input.shape.c), // see statistics and channelSums
	}
}

func (n *batchNorm[T]) newTangent(capacity int) *state[T] { return n.newState(capacity) }

// statistics returns μ and 1/√(σ²+ε) of every channel, as forward left them.
func (n *batchNorm[T]) statistics(s *state[T]) (mean, inverse []T) {
	c := n.input.shape.c
	return s.work[:c], s.work[c : 2*c]
}

func (n *batchNorm[T]) forward(s *state[T], y, x []T, batch int) {
	s.input = x
	mean, inverse := n.statistics(s)
	for c := range mean {
		m, v := float64(n.mean[c]), float64(n.variance[c])
		if s.batchStatistics {
			m, v = n.measure(x, c, batch, !s.holdAverages)
		}
		mean[c], inverse[c] = T(m), T(1/math.Sqrt(v+normEpsilon))
	}
	z := y
	if n.act.smooth() {
		z = s.pre
	}
	for at := 0; at < batch*n.input.value; at += n.input.pixel {
		for c, v := range x[at : at+n.input.shape.c] {
			z[at+c] = n.weight[c]*(v-mean[c])*inverse[c] + n.bias[c]
		}
	}
	activateImages(n.act, n.input, y, z, batch)
}

// measure returns the mean and the variance of channel c over the batch and lets
// the running averages follow if it is told to, that of the variance with its
// unbiased estimate.
func (n *batchNorm[T]) measure(x []T, c, batch int, follow bool) (mean, variance float64) {
	x, pixel := x[:batch*n.input.value], n.input.pixel
	count := float64(len(x) / pixel)
	for at := c; at < len(x); at += pixel {
		mean += float64(x[at])
	}
	mean /= count
	for at := c; at < len(x); at += pixel {
		d := float64(x[at]) - mean
		variance += d * d
	}
	unbiased := variance / math.Max(1, count-1)
	variance /= count
	if follow {
		n.mean[c] += T(normMomentum * (mean - float64(n.mean[c])))
		n.variance[c] += T(normMomentum * (unbiased - float64(n.variance[c])))
	}
	return mean, variance
}

func (n *batchNorm[T]) tangent(s, t *state[T], ydot, xdot, y []T, batch int) {
	size := batch * n.input.value
	clear(ydot[:size])
	n.addTangent(s, ydot, xdot, batch)
	n.activateTangent(s, t, ydot, y, size)
}

// tangentAlong is that of evaluation mode, ż = γ/√(σ²+ε)·ẋ + v_γ x̂ + v_β.
func (n *batchNorm[T]) tangentAlong(v affine[T], s, t *state[T], ydot, xdot, x, y []T, batch int) {
	by := v.(*normAffine[T])
	mean, inverse := n.statistics(s)
	size := batch * n.input.value
	clear(ydot[:size])
	for at := 0; at < size; at += n.input.pixel {
		for c, g := range by.weight {
			ydot[at+c] = g*(x[at+c]-mean[c])*inverse[c] + by.bias[c]
		}
	}
	if xdot != nil {
		n.addTangent(s, ydot, xdot, batch)
	}
	n.activateTangent(s, t, ydot, y, size)
}

func (n *batchNorm[T]) addTangent(s *state[T], zdot, xdot []T, batch int) {
	_, inverse := n.statistics(s)
	for at := 0; at < batch*n.input.value; at += n.input.pixel {
		for c, v := range xdot[at : at+n.input.shape.c] {
			zdot[at+c] += n.weight[c] * v * inverse[c]
		}
	}
}

func (n *batchNorm[T]) activateTangent(s, t *state[T], ydot, y []T, size int) {
	if n.act.smooth() {
		copy(t.pre, ydot[:size])
	}
	activateTangent(n.act, s, t, ydot[:size], y)
}

// backwardAlong is that of evaluation mode.
func (n *batchNorm[T]) backwardAlong(v affine[T], s *state[T], dx, dy, gate []T, batch int) {
	_, inverse := n.statistics(s)
	weight, size := v.(*normAffine[T]).weight, batch*n.input.gradient
	clear(dx[:size])
	for at := 0; at < size; at += n.input.pixel {
		for c, d := range dy[at : at+len(weight)] {
			dx[at+c] = weight[c] * inverse[c] * d
		}
	}
	if gate != nil {
		kernel.Gate(dx[:size], gate)
	}
}

func (n *batchNorm[T]) backward(s *state[T], dx, dy, gate []T, batch int) {
	mean, inverse := n.statistics(s)
	channels, pixel, size := n.input.shape.c, n.input.pixel, batch*n.input.gradient
	var byWeight, byBias []T
	count := T(size / pixel)
	if s.batchStatistics {
		byWeight, byBias = n.channelSums(s, dy, s.input, 0, size)
	}
	for at := 0; at < size; at += pixel {
		for c, v := range dy[at : at+channels] {
			if s.batchStatistics {
				v -= (byBias[c] + (s.input[at+c]-mean[c])*inverse[c]*byWeight[c]) / count
			}
			dx[at+c] = n.weight[c] * inverse[c] * v
		}
		clear(dx[at+channels : at+pixel])
	}
	if gate != nil {
		kernel.Gate(dx[:size], gate)
	}
}

// channelSums returns Σ dy·x̂ and Σ dy of every channel over the elements from …
// to: the gradients with respect to γ and β. They belong to s.
func (n *batchNorm[T]) channelSums(s *state[T], dy, x []T, from, to int) (byWeight, byBias []T) {
	mean, inverse := n.statistics(s)
	channels := len(mean)
	byWeight, byBias = s.work[2*channels:3*channels], s.work[3*channels:]
	clear(s.work[2*channels:])
	for at := from; at < to; at += n.input.pixel {
		for c, v := range dy[at : at+channels] {
			byWeight[c] += v * (x[at+c] - mean[c]) * inverse[c]
			byBias[c] += v
		}
	}
	return byWeight, byBias
}

func (n *batchNorm[T]) update(a affine[T], s *state[T], alpha T, dy, x []T, batch int) {
	to := a.(*normAffine[T])
	byWeight, byBias := n.channelSums(s, dy, x, 0, batch*n.input.gradient)
	kernel.Axpy(to.weight, alpha, byWeight)
	kernel.Axpy(to.bias, alpha, byBias)
}

func (n *batchNorm[T]) updateTangent(a affine[T], s, _ *state[T], alpha T, dy, xdot []T, batch int) {
	_, inverse := n.statistics(s)
	to := a.(*normAffine[T]).weight
	for at := 0; at < batch*n.input.gradient; at += n.input.pixel {
		for c, v := range dy[at : at+len(to)] {
			to[c] += alpha * v * xdot[at+c] * inverse[c]
		}
	}
}

func (n *batchNorm[T]) sums(s *state[T], out *layerSums, dy, x []T, i int) {
	from, to := i*n.input.gradient, (i+1)*n.input.gradient
	byWeight, byBias := n.channelSums(s, dy, x, from, to)
	kernel.EvenPowerSums(out.weight, byWeight)
	kernel.EvenPowerSums(out.bias, byBias)
	for at := from; at < to; at += n.input.pixel {
		kernel.EvenPowerSums(out.delta, dy[at:at+len(byBias)])
	}
}

// normAffine is γ and β.
type normAffine[T kernel.Float] struct{ weight, bias []T }

func (a *normAffine[T]) zero() affine[T] {
	return &normAffine[T]{weight: make([]T, len(a.weight)), bias: make([]T, len(a.bias))}
}

func (a *normAffine[T]) scale(f T) {
	kernel.Scale(a.weight, f)
	kernel.Scale(a.bias, f)
}

func (a *normAffine[T]) add(f T, v affine[T]) {
	from := v.(*normAffine[T])
	kernel.Axpy(a.weight, f, from.weight)
	kernel.Axpy(a.bias, f, from.bias)
}

func (a *normAffine[T]) pack(w, b []T) {
	copy(a.weight, w)
	copy(a.bias, b)
}

func (a *normAffine[T]) unpack(w, b []T) {
	copy(w, a.weight)
	copy(b, a.bias)
}
