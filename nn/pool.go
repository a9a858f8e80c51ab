package nn

import "sobolev/internal/kernel"

// pool is a max- or average-pooling.
type pool[T kernel.Float] struct {
	shape   kernel.PoolShape
	input   place
	average bool
}

func newPool[T kernel.Float](input place, l Layer) *pool[T] {
	s := input.shape
	return &pool[T]{shape: kernel.PoolShape{C: s.c, H: s.h, W: s.w, Size: l.Kernel}, input: input, average: l.Kind == AvgPoolLayer}
}

func (p *pool[T]) activation() Activation { return Identity }
func (p *pool[T]) in() place              { return p.input }
func (p *pool[T]) out() place {
	return image(shape{p.shape.C, p.shape.OutH(), p.shape.OutW()}, p.input.pixel)
}

func (p *pool[T]) newState(capacity int) *state[T] {
	if p.average {
		return &state[T]{}
	}
	return &state[T]{where: make([]uint16, capacity*p.out().shape.size())}
}

func (p *pool[T]) forward(s *state[T], y, x []T, batch int) {
	if p.average {
		kernel.AvgPool(p.shape, y, p.input.pixel, x, p.input.pixel, batch)
		return
	}
	kernel.MaxPool(p.shape, y, p.input.pixel, s.where, x, p.input.pixel, batch)
}

func (p *pool[T]) backward(s *state[T], dx, dy, gate []T, batch int) {
	if p.average {
		kernel.AvgPoolBackward(p.shape, dx, p.input.pixel, dy, p.input.pixel, batch)
	} else {
		kernel.MaxPoolBackward(p.shape, dx, p.input.pixel, dy, p.input.pixel, s.where, batch)
	}
	if gate != nil {
		kernel.Gate(dx[:batch*p.input.gradient], gate)
	}
}

// flatten makes rows [channels][height][width] of images.
type flatten[T kernel.Float] struct {
	input place
	// below is the stage whose bordered output it takes; nil for other images.
	below *convPool[T]
}

func (f *flatten[T]) activation() Activation { return Identity }
func (f *flatten[T]) in() place              { return f.input }
func (f *flatten[T]) out() place             { return vector[T](f.input.shape.size()) }
func (f *flatten[T]) newState(int) *state[T] { return &state[T]{} }

func (f *flatten[T]) forward(_ *state[T], y, x []T, batch int) {
	if f.below != nil {
		f.below.weights.Flatten(y, x, batch)
		return
	}
	s := f.input.shape
	kernel.ToCHW(y, x, s.c, s.h, s.w, f.input.pixel, batch)
}

// backward gates by its own output: the gate, its input, has borders that the
// gradient has not.
func (f *flatten[T]) backward(_ *state[T], dx, dy, gate []T, batch int) {
	s := f.input.shape
	if f.below == nil {
		kernel.FromCHW(dx, dy, s.c, s.h, s.w, f.input.pixel, batch)
		if gate != nil {
			kernel.Gate(dx[:batch*f.input.gradient], gate)
		}
		return
	}
	f.below.weights.Unflatten(dx, dy, batch)
	if gate != nil {
		f.below.gate(dx, gate, batch)
	}
}

// gate sets dy to zero where the pooled output y is.
func (c *convPool[T]) gate(dy, y []T, batch int) {
	w, channels := c.weights.W/2, c.weights.OutC
	for b := range batch {
		from, to := y[b*c.weights.PooledSize():], dy[b*c.weights.Outputs():]
		for r := range c.weights.H / 2 {
			kernel.Gate(to[r*w*channels:(r+1)*w*channels], from[((r+1)*(w+2)+1)*channels:])
		}
	}
}
