package nn

import "sobolev/internal/kernel"

// The methods of this file carry a direction through the network: with ẋ, the
// tangent of a stage's input, and z its output before the activation,
//
//	ż = W ẋ,   ẏ = a′(z) ż,
//
// without the bias; a max-pooling passes on the tangent of the element that was
// the maximum. Tangents have the layout of values.

func (d *dense[T]) newTangent(capacity int) *state[T] {
	return &state[T]{
		pre:    preActivations[T](d.act, capacity*d.out().value),
		noBias: make([]T, kernel.Stride[T](d.weights.Out)),
	}
}

func (d *dense[T]) tangent(s, t *state[T], ydot, xdot, y []T, batch int) {
	size := batch * d.out().value
	d.throughActivation(d.act, s, t, ydot[:size], xdot, y, batch)
}

// throughActivation computes ẏ from the rows x of the product: ydot has their
// whole length.
func (a *denseAffine[T]) throughActivation(act Activation, s, t *state[T], ydot, x, y []T, rows int) {
	if !act.smooth() {
		a.weights.Forward(ydot, x, t.noBias, rows, false)
		if act == ReLU {
			kernel.Gate(ydot, y)
		}
		return
	}
	a.weights.Forward(t.pre, x, t.noBias, rows, false)
	copy(ydot, t.pre)
	applyDerivative(act, ydot, s.pre)
}

func (d *dense[T]) updateTangent(a affine[T], _, _ *state[T], alpha T, dy, xdot []T, batch int) {
	a.(*denseAffine[T]).weights.Update(alpha, dy, xdot, nil, batch)
}

func (c *conv[T]) newTangent(capacity int) *state[T] {
	return &state[T]{
		pre:     preActivations[T](c.act, capacity*c.out().value),
		patches: make([]T, capacity*c.shape.Positions()*kernel.Stride[T](c.shape.PatchSize())),
		noBias:  make([]T, kernel.Stride[T](c.shape.OutC)),
	}
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
		weights: kernel.NewWeights[T](s.OutC, s.PatchSize()),
	}
}

func (c *convPool[T]) tangent(s, t *state[T], ydot, xdot, y []T, batch int) {
	shape := c.unpooled()
	torch, ours := t.work[:len(t.work)/2], t.work[len(t.work)/2:]
	c.weights.Unpack(torch)
	kernel.FromTorch(shape, ours, torch)
	t.weights.Pack(ours)
	in, out := c.in(), c.out()
	for b := range batch {
		kernel.Im2col(shape, t.patches, xdot[b*in.value:], c.pixel(), 1)
		t.weights.Forward(t.pre, t.patches, t.noBias, shape.Positions(), false)
		c.route(s.offset[b*out.gradient:], t.pre, ydot[b*out.value:], y[b*out.value:])
	}
}

// route sets ẏ of one sample to the tangents where the maxima were, and to zero
// where the ReLU is closed. The border stays zero.
func (c *convPool[T]) route(offset []int32, full, ydot, y []T) {
	w, channels, stride := c.weights, c.weights.OutC, kernel.Stride[T](c.weights.OutC)
	row := (w.W + 2) * c.pixel()
	for py := range w.H / 2 {
		for px := range w.W / 2 {
			corner, position := 2*py*row+2*px*c.pixel(), 2*py*w.W+2*px
			to := ((py+1)*(w.W/2+2) + px + 1) * channels
			for o, at := range offset[(py*(w.W/2)+px)*channels:][:channels] {
				ydot[to+o] = 0
				if !(y[to+o] > 0) {
					continue
				}
				q, d := position, int(at)-corner
				if d >= row {
					q, d = q+w.W, d-row
				}
				if d > 0 {
					q++
				}
				ydot[to+o] = full[q*stride+o]
			}
		}
	}
}

func (c *convPool[T]) updateTangent(a affine[T], s, _ *state[T], alpha T, dy, xdot []T, batch int) {
	a.(*convPoolAffine[T]).weights.Update(alpha, dy, s.offset, xdot, nil, batch)
}
