package nn

import "sobolev/internal/kernel"

// dense is y = a(x Wᵀ + b) with W out×in.
type dense[T kernel.Float] struct {
	label string
	denseAffine[T]
	act    Activation
	noBias bool
}

func newDense[T kernel.Float](label string, in int, l Layer, act Activation) *dense[T] {
	return &dense[T]{label: label, act: act, noBias: l.NoBias, denseAffine: denseAffine[T]{
		weights: kernel.NewWeights[T](l.Out, in),
		bias:    make([]T, kernel.Stride[T](l.Out)),
	}}
}

func (d *dense[T]) name() string           { return d.label }
func (d *dense[T]) activation() Activation { return d.act }
func (d *dense[T]) in() place              { return vector[T](d.weights.In) }
func (d *dense[T]) out() place             { return vector[T](d.weights.Out) }
func (d *dense[T]) weightShape() []int     { return []int{d.weights.Out, d.weights.In} }
func (d *dense[T]) fan() (in, out int)     { return d.weights.In, d.weights.Out }
func (d *dense[T]) affine() affine[T]      { return &d.denseAffine }

func (d *dense[T]) biases() int {
	if d.noBias {
		return 0
	}
	return d.weights.Out
}

func (d *dense[T]) newState(capacity int) *state[T] {
	return &state[T]{pre: preActivations[T](d.act, capacity*d.out().value)}
}

// preActivations returns room for them where the derivative needs them: that of
// ReLU can be told from its value.
func preActivations[T kernel.Float](act Activation, size int) []T {
	if act.smooth() {
		return make([]T, size)
	}
	return nil
}

func (d *dense[T]) forward(s *state[T], y, x []T, batch int) {
	if !d.act.smooth() {
		d.weights.Forward(y, x, d.bias, batch, d.act == ReLU)
		return
	}
	d.weights.Forward(s.pre, x, d.bias, batch, false)
	for i := range batch {
		apply(d.act, row(y, i, d.weights.Out), row(s.pre, i, d.weights.Out))
	}
}

func (d *dense[T]) backward(s *state[T], dx, dy, gate []T, batch int) {
	d.backwardAlong(&d.denseAffine, s, dx, dy, gate, batch)
}

func (d *dense[T]) backwardAlong(v affine[T], _ *state[T], dx, dy, gate []T, batch int) {
	v.(*denseAffine[T]).weights.Backward(dx, dy, gate, batch)
}

func (d *dense[T]) update(a affine[T], _ *state[T], alpha T, dy, x []T, batch int) {
	to := a.(*denseAffine[T])
	bias := to.bias
	if d.noBias {
		bias = nil
	}
	to.weights.Update(alpha, dy, x, bias, batch)
}

// sums uses that the gradient of one sample is the outer product of delta and
// input: Σ_{o,l} (δ_o x_l)^{2k} = Σ_o δ_o^{2k} · Σ_l x_l^{2k}.
func (d *dense[T]) sums(_ *state[T], out *layerSums, dy, x []T, i int) {
	kernel.EvenPowerSums(out.delta, row(dy, i, d.weights.Out))
	kernel.EvenPowerSums(out.weight, row(x, i, d.weights.In))
	for k, delta := range out.delta {
		out.weight[k] *= delta
	}
	if !d.noBias {
		copy(out.bias, out.delta)
	}
}

// row returns row i, without its padding, of a buffer of rows of the given width.
func row[T kernel.Float](buffer []T, i, width int) []T {
	stride := kernel.Stride[T](width)
	return buffer[i*stride : i*stride+width : i*stride+width]
}

// denseAffine is W and b in the kernels' layout; b has Stride(out) elements, zero
// beyond out, and everywhere in a layer without a bias.
type denseAffine[T kernel.Float] struct {
	weights *kernel.Weights[T]
	bias    []T
}

func (a *denseAffine[T]) zero() affine[T] {
	return &denseAffine[T]{weights: kernel.NewWeights[T](a.weights.Out, a.weights.In), bias: make([]T, len(a.bias))}
}

func (a *denseAffine[T]) scale(f T) {
	a.weights.Scale(f)
	kernel.Scale(a.bias, f)
}

func (a *denseAffine[T]) add(f T, v affine[T]) {
	from := v.(*denseAffine[T])
	a.weights.Add(f, from.weights)
	kernel.Axpy(a.bias, f, from.bias)
}

func (a *denseAffine[T]) pack(w, b []T) {
	a.weights.Pack(w)
	copy(a.bias, b)
}

func (a *denseAffine[T]) unpack(w, b []T) {
	a.weights.Unpack(w)
	copy(b, a.bias)
}
