package nn

import "sobolev/internal/kernel"

// conv is a convolution of any shape, as a dense layer on patches: the rows of
// the product are the output positions of all samples.
type conv[T kernel.Float] struct {
	label string
	shape kernel.ConvShape
	input place
	convAffine[T]
	act    Activation
	noBias bool
}

func newConv[T kernel.Float](label string, input place, l Layer, act Activation) *conv[T] {
	s := kernel.ConvShape{
		InC: input.shape.c, InH: input.shape.h, InW: input.shape.w,
		OutC: l.Out, Kernel: l.Kernel, Stride: l.Stride, Padding: l.Padding,
	}
	return &conv[T]{label: label, shape: s, input: input, act: act, noBias: l.NoBias, convAffine: convAffine[T]{
		shape: s,
		denseAffine: denseAffine[T]{
			weights: kernel.NewWeights[T](s.OutC, s.PatchSize()),
			bias:    make([]T, kernel.Stride[T](s.OutC)),
		},
	}}
}

func (c *conv[T]) name() string           { return c.label }
func (c *conv[T]) activation() Activation { return c.act }
func (c *conv[T]) in() place              { return c.input }
func (c *conv[T]) out() place {
	return image(shape{c.shape.OutC, c.shape.OutH(), c.shape.OutW()}, kernel.Stride[T](c.shape.OutC))
}
func (c *conv[T]) weightShape() []int {
	return []int{c.shape.OutC, c.shape.InC, c.shape.Kernel, c.shape.Kernel}
}
func (c *conv[T]) biases() int {
	if c.noBias {
		return 0
	}
	return c.shape.OutC
}
func (c *conv[T]) fan() (in, out int) {
	taps := c.shape.Kernel * c.shape.Kernel
	return c.shape.InC * taps, c.shape.OutC * taps
}
func (c *conv[T]) affine() affine[T] { return &c.convAffine }

func (c *conv[T]) newState(capacity int) *state[T] {
	rows := capacity * c.shape.Positions()
	patches := rows * kernel.Stride[T](c.shape.PatchSize())
	return &state[T]{
		pre:     preActivations[T](c.act, capacity*c.out().value),
		patches: make([]T, patches),
		work:    make([]T, max(patches, c.shape.OutC*c.shape.PatchSize())), // see sums
	}
}

func (c *conv[T]) forward(s *state[T], y, x []T, batch int) {
	rows := batch * c.shape.Positions()
	kernel.Im2col(c.shape, s.patches, x, c.input.pixel, batch)
	if !c.act.smooth() {
		c.weights.Forward(y, s.patches, c.bias, rows, c.act == ReLU)
		return
	}
	c.weights.Forward(s.pre, s.patches, c.bias, rows, false)
	for i := range rows {
		apply(c.act, row(y, i, c.shape.OutC), row(s.pre, i, c.shape.OutC))
	}
}

func (c *conv[T]) backward(s *state[T], dx, dy, gate []T, batch int) {
	c.backwardAlong(&c.convAffine, s, dx, dy, gate, batch)
}

func (c *conv[T]) backwardAlong(v affine[T], s *state[T], dx, dy, gate []T, batch int) {
	v.(*convAffine[T]).weights.Backward(s.work, dy, nil, batch*c.shape.Positions())
	kernel.Col2im(c.shape, dx, s.work, c.input.pixel, batch)
	if gate != nil {
		kernel.Gate(dx[:batch*c.input.gradient], gate)
	}
}

func (c *conv[T]) update(a affine[T], s *state[T], alpha T, dy, _ []T, batch int) {
	to := a.(*convAffine[T])
	bias := to.bias
	if c.noBias {
		bias = nil
	}
	to.weights.Update(alpha, dy, s.patches, bias, batch*c.shape.Positions())
}

// sums forms the gradient of one sample, Σ_positions δ_q patch_qᵀ: its positions
// share the weights, so no product of sums will do.
func (c *conv[T]) sums(s *state[T], out *layerSums, dy, _ []T, i int) {
	positions, size := c.shape.Positions(), c.shape.PatchSize()
	deltas := dy[i*c.out().gradient : (i+1)*c.out().gradient]
	patches := s.patches[i*positions*kernel.Stride[T](size):]
	// The rows of work hold a gradient: that of the patches is no longer needed
	// once backward has gone past this layer.
	gradient := s.work[:c.shape.OutC*size]
	kernel.Gemm(true, false, c.shape.OutC, size, positions, 1, deltas, kernel.Stride[T](c.shape.OutC), patches, kernel.Stride[T](size), 0, gradient, size)
	kernel.EvenPowerSums(out.weight, gradient)
	clear(gradient[:c.shape.OutC])
	for q := range positions {
		delta := row(deltas, q, c.shape.OutC)
		kernel.EvenPowerSums(out.delta, delta)
		kernel.Axpy(gradient[:c.shape.OutC], 1, delta)
	}
	if !c.noBias {
		kernel.EvenPowerSums(out.bias, gradient[:c.shape.OutC])
	}
}

// convAffine is a convolution's kernel matrix [out][ky][kx][in] and bias.
type convAffine[T kernel.Float] struct {
	shape kernel.ConvShape
	denseAffine[T]
}

func (a *convAffine[T]) zero() affine[T] {
	return &convAffine[T]{shape: a.shape, denseAffine: *a.denseAffine.zero().(*denseAffine[T])}
}

func (a *convAffine[T]) add(f T, v affine[T]) { a.denseAffine.add(f, &v.(*convAffine[T]).denseAffine) }

func (a *convAffine[T]) pack(w, b []T) {
	ours := make([]T, len(w))
	kernel.FromTorch(a.shape, ours, w)
	a.denseAffine.pack(ours, b)
}

func (a *convAffine[T]) unpack(w, b []T) {
	ours := make([]T, len(w))
	a.denseAffine.unpack(ours, b)
	kernel.ToTorch(a.shape, w, ours)
}
