package nn

import "sobolev/internal/kernel"

// The methods of this file carry a direction through the network: with ẋ, the
// tangent of a stage's input, and z its output before the activation,
//
//	ż = W ẋ,   ẏ = a′(z) ż,
//
// without the bias; a max-pooling passes on the tangent of the element that was
// the maximum. Where the parameters move too, along V and v_b, ż = W ẋ + V x + v_b.
// Tangents have the layout of values.

func (d *dense[T]) newTangent(capacity int) *state[T] {
	return &state[T]{
		pre:    preActivations[T](d.act, capacity*d.out().value),
		work:   make([]T, capacity*d.out().value),
		noBias: make([]T, kernel.Stride[T](d.weights.Out)),
	}
}

func (d *dense[T]) tangent(s, t *state[T], ydot, xdot, y []T, batch int) {
	size := batch * d.out().value
	d.throughActivation(d.act, s, t, ydot[:size], xdot, y, batch)
}

func (d *dense[T]) tangentAlong(v affine[T], s, t *state[T], ydot, xdot, x, y []T, batch int) {
	size := batch * d.out().value
	d.along(v.(*denseAffine[T]), d.act, s, t, ydot[:size], xdot, x, y, batch)
}

// throughActivation computes ẏ from the rows x of the product: ydot has their
// whole length.
func (a *denseAffine[T]) throughActivation(act Activation, s, t *state[T], ydot, x, y []T, rows int) {
	a.weights.Forward(tangentBelow(act, t, ydot), x, t.noBias, rows, false)
	activateTangent(act, s, t, ydot, y)
}

// along is throughActivation with ż = W ẋ + V x + v_b.
func (a *denseAffine[T]) along(v *denseAffine[T], act Activation, s, t *state[T], ydot, xdot, x, y []T, rows int) {
	zdot := tangentBelow(act, t, ydot)
	v.weights.Forward(zdot, x, v.bias, rows, false)
	if xdot != nil {
		product := t.work[:len(ydot)]
		a.weights.Forward(product, xdot, t.noBias, rows, false)
		kernel.Axpy(zdot, 1, product)
	}
	activateTangent(act, s, t, ydot, y)
}

// tangentBelow returns where ż belongs: it is kept under smooth activations.
func tangentBelow[T kernel.Float](act Activation, t *state[T], ydot []T) []T {
	if act.smooth() {
		return t.pre[:len(ydot)]
	}
	return ydot
}

// activateTangent computes ẏ = a′(z) ż, where y is a(z).
func activateTangent[T kernel.Float](act Activation, s, t *state[T], ydot, y []T) {
	switch {
	case act == ReLU:
		kernel.Gate(ydot, y)
	case act.smooth():
		copy(ydot, t.pre)
		applyDerivative(act, ydot, s.pre[:len(ydot)])
	}
}

func (d *dense[T]) updateTangent(a affine[T], _, _ *state[T], alpha T, dy, xdot []T, batch int) {
	a.(*denseAffine[T]).weights.Update(alpha, dy, xdot, nil, batch)
}

func (c *conv[T]) newTangent(capacity int) *state[T] {
	return &state[T]{
		pre:     preActivations[T](c.act, capacity*c.out().value),
		patches: make([]T, capacity*c.shape.Positions()*kernel.Stride[T](c.shape.PatchSize())),
		work:    make([]T, capacity*c.out().value),
		noBias:  make([]T, kernel.Stride[T](c.shape.OutC)),
	}
}

// tangentAlong takes the patches of x from the forward pass.
func (c *conv[T]) tangentAlong(v affine[T], s, t *state[T], ydot, xdot, _, y []T, batch int) {
	patches := t.patches
	if xdot == nil {
		patches = nil
	} else {
		kernel.Im2col(c.shape, patches, xdot, c.input.pixel, batch)
	}
	to := &v.(*convAffine[T]).denseAffine
	c.along(to, c.act, s, t, ydot[:batch*c.out().value], patches, s.patches, y, batch*c.shape.Positions())
}

func (c *conv[T]) tangent(s, t *state[T], ydot, xdot, y []T, batch int) {
	kernel.Im2col(c.shape, t.patches, xdot, c.input.pixel, batch)
	c.throughActivation(c.act, s, t, ydot[:batch*c.out().value], t.patches, y, batch*c.shape.Positions())
}

func (c *conv[T]) updateTangent(a affine[T], _, t *state[T], alpha T, dy, _ []T, batch int) {
	a.(*convAffine[T]).weights.Update(alpha, dy, t.patches, nil, batch*c.shape.Positions())
}

func (p *pool[T]) newTangent(int) *state[T] { return &state[T]{} }

func (p *pool[T]) tangent(s, _ *state[T], ydot, xdot, _ []T, batch int) {
	if p.average {
		kernel.AvgPool(p.shape, ydot, p.input.pixel, xdot, p.input.pixel, batch)
		return
	}
	pixel, to := p.input.pixel, 0
	for b := range batch {
		for oy := range p.shape.OutH() {
			for ox := range p.shape.OutW() {
				corner := (b*p.shape.H+oy*p.shape.Size)*p.shape.W + ox*p.shape.Size
				for c, at := range s.where[to*p.shape.C : (to+1)*p.shape.C] {
					i := int(at)
					ydot[to*pixel+c] = xdot[(corner+i/p.shape.Size*p.shape.W+i%p.shape.Size)*pixel+c]
				}
				to++
			}
		}
	}
}

func (f *flatten[T]) newTangent(int) *state[T] { return &state[T]{} }

func (f *flatten[T]) tangent(s, _ *state[T], ydot, xdot, _ []T, batch int) {
	f.forward(s, ydot, xdot, batch)
}

// unpooled is the convolution of c on images with their border. Its tangent is
// computed at every position, four times what is needed: kernel.ConvPool has no
// product with the patches of the maxima alone, and a loop here would be slower.
func (c *convPool[T]) unpooled() kernel.ConvShape {
	w := c.weights
	return kernel.ConvShape{InC: w.InC, InH: w.H + 2, InW: w.W + 2, OutC: w.OutC, Kernel: 3, Stride: 1}
}

// pixel is the distance between the pixels of kernel.ConvPool's images.
func (c *convPool[T]) pixel() int {
	if c.weights.InC == 3 {
		return 3
	}
	return (c.weights.InC + 7) / 8 * 8
}

func (c *convPool[T]) newTangent(int) *state[T] {
	s := c.unpooled()
	return &state[T]{
		patches: make([]T, s.Positions()*kernel.Stride[T](s.PatchSize())),
		pre:     make([]T, s.Positions()*kernel.Stride[T](s.OutC)), // of one sample
		work:    make([]T, 2*s.OutC*s.PatchSize()),
		noBias:  make([]T, kernel.Stride[T](s.OutC)),
		bias:    make([]T, kernel.Stride[T](s.OutC)),
		weights: kernel.NewWeights[T](s.OutC, s.PatchSize()),
	}
}

func (c *convPool[T]) tangent(s, t *state[T], ydot, xdot, y []T, batch int) {
	clear(ydot[:batch*c.out().value])
	c.addTangent(&c.convPoolAffine, t.noBias, s, t, ydot, xdot, y, batch)
}

func (c *convPool[T]) tangentAlong(v affine[T], s, t *state[T], ydot, xdot, x, y []T, batch int) {
	clear(ydot[:batch*c.out().value])
	if xdot != nil {
		c.addTangent(&c.convPoolAffine, t.noBias, s, t, ydot, xdot, y, batch)
	}
	by := v.(*convPoolAffine[T])
	copy(t.bias, by.bias)
	c.addTangent(by, t.bias, s, t, ydot, x, y, batch)
}

// addTangent adds to ẏ what the convolution of xdot with the weights of a, plus
// bias, has where the maxima of the forward pass were.
func (c *convPool[T]) addTangent(a *convPoolAffine[T], bias []T, s, t *state[T], ydot, xdot, y []T, batch int) {
	shape := c.unpooled()
	torch, ours := t.work[:len(t.work)/2], t.work[len(t.work)/2:]
	a.weights.Unpack(torch)
	kernel.FromTorch(shape, ours, torch)
	t.weights.Pack(ours)
	in, out := c.in(), c.out()
	for b := range batch {
		kernel.Im2col(shape, t.patches, xdot[b*in.value:], c.pixel(), 1)
		t.weights.Forward(t.pre, t.patches, bias, shape.Positions(), false)
		ydot, y := ydot[b*out.value:], y[b*out.value:]
		c.eachMaximum(s.offset[b*out.gradient:], func(from, to, position, o int) {
			if y[to] > 0 {
				ydot[to] += t.pre[position*kernel.Stride[T](shape.OutC)+o]
			}
		})
	}
}

// eachMaximum calls f with every pooled element of one sample: its index in dy and
// in y, and the position of the convolution and the channel that it comes from.
func (c *convPool[T]) eachMaximum(offset []int32, f func(from, to, position, o int)) {
	w, channels := c.weights, c.weights.OutC
	row := (w.W + 2) * c.pixel()
	for py := range w.H / 2 {
		for px := range w.W / 2 {
			corner, position := 2*py*row+2*px*c.pixel(), 2*py*w.W+2*px
			from, to := (py*(w.W/2)+px)*channels, ((py+1)*(w.W/2+2)+px+1)*channels
			for o, at := range offset[from : from+channels] {
				q, d := position, int(at)-corner
				if d >= row {
					q, d = q+w.W, d-row
				}
				if d > 0 {
					q++
				}
				f(from+o, to+o, q, o)
			}
		}
	}
}

func (c *convPool[T]) updateTangent(a affine[T], s, _ *state[T], alpha T, dy, xdot []T, batch int) {
	a.(*convPoolAffine[T]).weights.Update(alpha, dy, s.offset, xdot, nil, batch)
}
