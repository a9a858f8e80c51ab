package nn

import "sobolev/internal/kernel"

// convPool is a 3×3 convolution with padding 1, ReLU and 2×2 max-pooling as one
// stage: kernel.ConvPool, which knows where each maximum was and touches nothing
// else on the way back.
type convPool[T kernel.Float] struct {
	label string
	convPoolAffine[T]
}

func newConvPool[T kernel.Float](label string, s shape, out int) *convPool[T] {
	return &convPool[T]{label: label, convPoolAffine: convPoolAffine[T]{
		weights: kernel.NewConvPool[T](out, s.c, s.h, s.w),
		bias:    make([]T, out),
	}}
}

func (c *convPool[T]) name() string { return c.label }

// activation: dy is the gradient under the ReLU, so that the pooled output gates
// it as if it were that of a ReLU alone.
func (c *convPool[T]) activation() Activation { return ReLU }

func (c *convPool[T]) in() place {
	w := c.weights
	return place{shape: shape{w.InC, w.H, w.W}, value: w.ImageSize(), gradient: w.Inputs(), bordered: true}
}

func (c *convPool[T]) out() place {
	w := c.weights
	return place{shape: shape{w.OutC, w.H / 2, w.W / 2}, value: w.PooledSize(), gradient: w.Outputs(), bordered: true}
}
func (c *convPool[T]) weightShape() []int { return []int{c.weights.OutC, c.weights.InC, 3, 3} }
func (c *convPool[T]) biases() int        { return c.weights.OutC }
func (c *convPool[T]) fan() (in, out int) { return 9 * c.weights.InC, 9 * c.weights.OutC }
func (c *convPool[T]) affine() affine[T]  { return &c.convPoolAffine }

func (c *convPool[T]) newState(capacity int) *state[T] {
	return &state[T]{offset: make([]int32, capacity*c.weights.Outputs()), work: make([]T, c.weights.WorkSize())}
}

func (c *convPool[T]) forward(s *state[T], y, x []T, batch int) {
	c.weights.Forward(y, s.offset, x, c.bias, batch)
}

func (c *convPool[T]) backward(s *state[T], dx, dy, gate []T, batch int) {
	c.backwardAlong(&c.convPoolAffine, s, dx, dy, gate, batch)
}

func (c *convPool[T]) backwardAlong(v affine[T], s *state[T], dx, dy, gate []T, batch int) {
	v.(*convPoolAffine[T]).weights.Backward(dx, dy, s.offset, gate, s.work, batch)
}

func (c *convPool[T]) update(a affine[T], s *state[T], alpha T, dy, x []T, batch int) {
	to := a.(*convPoolAffine[T])
	to.weights.Update(alpha, dy, s.offset, x, to.bias, batch)
}

func (c *convPool[T]) sums(s *state[T], out *layerSums, dy, x []T, i int) {
	c.weights.SamplePowers(out.weight, out.bias, dy, s.offset, x, i)
	size := c.weights.Outputs()
	kernel.EvenPowerSums(out.delta, dy[i*size:(i+1)*size])
}

// convPoolAffine is a convolution's weights and bias for kernel.ConvPool.
type convPoolAffine[T kernel.Float] struct {
	weights *kernel.ConvPool[T]
	bias    []T
}

func (a *convPoolAffine[T]) zero() affine[T] {
	w := a.weights
	return &convPoolAffine[T]{weights: kernel.NewConvPool[T](w.OutC, w.InC, w.H, w.W), bias: make([]T, len(a.bias))}
}

func (a *convPoolAffine[T]) scale(f T) {
	a.weights.Scale(f)
	kernel.Scale(a.bias, f)
}

func (a *convPoolAffine[T]) add(f T, v affine[T]) {
	from := v.(*convPoolAffine[T])
	a.weights.Add(f, from.weights)
	kernel.Axpy(a.bias, f, from.bias)
}

func (a *convPoolAffine[T]) pack(w, b []T) {
	a.weights.Pack(w)
	copy(a.bias, b)
}

func (a *convPoolAffine[T]) unpack(w, b []T) {
	a.weights.Unpack(w)
	copy(b, a.bias)
}
