package nn

import "sobolev/internal/kernel"

// A residual block y = a(body(x) + S x) is a fork in front of its body's stages
// and a join behind them, which share a state. S is the shortcut of type A (He et
// al., 2016a, section 3.3): every stride-th pixel of x, in the middle channels of
// the sum; it has no parameters.

// fork hands its input to the body and keeps it for the join.
type fork[T kernel.Float] struct {
	input place
	join  *join[T]
}

func (f *fork[T]) activation() Activation   { return Identity }
func (f *fork[T]) in() place                { return f.input }
func (f *fork[T]) out() place               { return f.input }
func (f *fork[T]) newState(int) *state[T]   { return &state[T]{} } // see linkStates
func (f *fork[T]) newTangent(int) *state[T] { return &state[T]{} }

func (f *fork[T]) forward(s *state[T], y, x []T, batch int) {
	s.input = x
	copy(y, x[:batch*f.input.value])
}

func (f *fork[T]) tangent(_, t *state[T], ydot, xdot, _ []T, batch int) {
	f.forward(t, ydot, xdot, batch)
}

// backward adds the gradients of both ways; that of the shortcut is zero where
// the pass began below the join.
func (f *fork[T]) backward(s *state[T], dx, dy, gate []T, batch int) {
	copy(dx, dy[:batch*f.input.gradient])
	if s.delta != nil {
		f.join.shortcut(s.delta, dx, batch, true)
	}
	if gate != nil {
		kernel.Gate(dx[:batch*f.input.gradient], gate)
	}
}

// join adds the shortcut to the body's output and applies the activation.
type join[T kernel.Float] struct {
	fork   int   // index of the stage
	from   place // of the shortcut's input
	output place // of the body and the sum
	stride int
	act    Activation
}

func (j *join[T]) activation() Activation { return j.act }
func (j *join[T]) in() place              { return j.output }
func (j *join[T]) out() place             { return j.output }

func (j *join[T]) newState(capacity int) *state[T] {
	return &state[T]{pre: preActivations[T](j.act, capacity*j.output.value)}
}

func (j *join[T]) newTangent(capacity int) *state[T] { return j.newState(capacity) }

func (j *join[T]) forward(s *state[T], y, x []T, batch int) {
	size := batch * j.output.value
	sum := y
	if j.act.smooth() {
		sum = s.pre
	}
	copy(sum, x[:size])
	j.shortcut(sum, s.input, batch, false)
	activateImages(j.act, j.output, y, sum, batch)
}

func (j *join[T]) tangent(s, t *state[T], ydot, xdot, y []T, batch int) {
	size := batch * j.output.value
	copy(ydot, xdot[:size])
	j.shortcut(ydot, t.input, batch, false)
	if j.act.smooth() {
		copy(t.pre, ydot[:size])
	}
	activateTangent(j.act, s, t, ydot[:size], y)
}

func (j *join[T]) backward(s *state[T], dx, dy, gate []T, batch int) {
	s.delta = dy
	copy(dx, dy[:batch*j.output.gradient])
	if gate != nil {
		kernel.Gate(dx[:batch*j.output.gradient], gate)
	}
}

// shortcut computes sum += S x, or x += Sᵀ sum where back is set.
func (j *join[T]) shortcut(sum, x []T, batch int, back bool) {
	in, out := j.from.shape, j.output.shape
	margin := (out.c - in.c) / 2
	for b := range batch {
		for oy := range out.h {
			for ox := range out.w {
				p := (b*out.h+oy)*out.w + ox
				q := (b*in.h+oy*j.stride)*in.w + ox*j.stride
				to, from := sum[p*j.output.pixel+margin:][:in.c], x[q*j.from.pixel:][:in.c]
				if back {
					to, from = from, to
				}
				for c, v := range from {
					to[c] += v
				}
			}
		}
	}
}

// activateImages sets y = a(z) for every pixel; y and z are one buffer where the
// activation is not smooth.
func activateImages[T kernel.Float](act Activation, p place, y, z []T, batch int) {
	switch {
	case act == ReLU:
		y := y[:batch*p.value]
		for i, v := range y {
			if v < 0 { // keeps NaN
				y[i] = 0
			}
		}
	case act.smooth():
		for at := 0; at < batch*p.value; at += p.pixel {
			apply(act, y[at:at+p.shape.c], z[at:at+p.shape.c])
		}
	}
}

// linkStates lets the two ends of every residual block share a state.
func linkStates[T kernel.Float](stages []stage[T], states []*state[T]) {
	for l, s := range stages {
		if j, ok := s.(*join[T]); ok && states[j.fork] != nil {
			states[j.fork] = states[l]
		}
	}
}
