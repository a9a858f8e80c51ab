package curvature

import (
	"math"
	"runtime"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Gradients are the rows of √s R J, nc×w, known by their products: with them for J,
// H = JᵀJ/n and K = J Jᵀ carry the loss. w is Point.Parameters; row i·c+o belongs to
// output o of sample i.
type Gradients struct {
	point      *Point
	products   products
	root       float64
	parameters []float64 // all w of the network
	outputs    []float64
}

// products are those with R J, with all parameters of the network: jvp computes
// dst = R J v and vjp dst = Jᵀ Rᵀ u.
type products interface {
	jvp(dst, v []float64)
	vjp(dst, u []float64)
}

// Gradients returns the gradients at p, for what works without a Gram matrix.
func (p *Point) Gradients() *Gradients {
	p.holdFactors()
	return p.gradients(p, p.Samples())
}

func (p *Point) gradients(j products, samples int) *Gradients {
	return &Gradients{
		point: p, products: j, root: math.Sqrt(p.Scale()),
		parameters: make([]float64, p.net.ParameterCount()),
		outputs:    make([]float64, samples*p.Outputs()),
	}
}

// Times computes out = √s R J v: out has nc elements, v has w.
func (g *Gradients) Times(out, v []float64) {
	p := g.point
	if len(v) != p.Parameters() {
		panic("curvature: a vector of parameters must have w elements")
	}
	clear(g.parameters)
	copy(g.parameters[p.from:p.to], v)
	g.products.jvp(out, g.parameters)
	for i := range out {
		out[i] *= g.root
	}
}

// TransposedTimes computes out = √s Jᵀ Rᵀ u: out has w elements, u has nc.
func (g *Gradients) TransposedTimes(out, u []float64) {
	p := g.point
	if len(out) != p.Parameters() || len(u) != len(g.outputs) {
		panic("curvature: out must have w elements and u nc")
	}
	for i, v := range u {
		g.outputs[i] = g.root * v
	}
	g.products.vjp(g.parameters, g.outputs)
	copy(out, g.parameters[p.from:p.to])
}

// holdFactors makes what products with J are cheap with, where the network has it.
// It is for what needs many of them; memory that does not suffice is no failure.
func (p *Point) holdFactors() {
	if p.jacobian == nil {
		var bytes int64
		p.jacobian, bytes = factors(p.net, p.data, p.loss, p.memory)
		p.hold(bytes)
	}
}

// factors returns what products with J are cheap with and its bytes, or nil and none
// where the network has no such form or half of the memory does not suffice: the other
// half is for the vectors that are multiplied.
func factors[T kernel.Float](net *nn.Network[T], data nn.Data[T], loss nn.Loss, memory int64) (*nn.Jacobian[T], int64) {
	if !net.HasJacobian(data.N) {
		return nil, 0
	}
	bytes := min(net.JacobianBytes(data.N), memory/2)
	j, err := net.NewJacobian(data, loss, min(bytes+net.FillBytes(), memory/2))
	if err != nil {
		return nil, 0
	}
	return j, bytes
}

func (p *Point) hold(bytes int64) {
	p.held += bytes
	p.memory -= bytes
}

// Release lets go of the factors and copies that Gradients, Gradients32, Covariance32 and
// Residual32 hold, when what these returned is not needed any more. Products of
// Gradients stay possible, at the price of a pass over the data each; Gradients holds
// the factors again.
func (p *Point) Release() {
	if p.held > 0 {
		p.memory += p.held
		p.jacobian, p.single, p.held = nil, nil, 0
		runtime.GC() // the factors are most of the heap, which would grow to twice that first
	}
}

func (p *Point) jvp(dst, v []float64) {
	if p.jacobian != nil {
		p.jacobian.Times(dst, v)
		return
	}
	p.diff.JVP(dst, v)
}

func (p *Point) vjp(dst, u []float64) {
	if p.jacobian != nil {
		p.jacobian.TransposedTimes(dst, u)
		return
	}
	p.diff.VJP(dst, u)
}
