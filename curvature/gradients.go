package curvature

import "math"

// Gradients are the rows of √s J, nc×w, known by their products: with them H = JᵀJ/n
// and K = J Jᵀ carry the factor s of the loss. w is Point.Parameters; row i·c+o
// belongs to output o of sample i.
type Gradients struct {
	point      *Point
	root       float64
	parameters []float64 // all w of the network
	outputs    []float64
}

// Gradients returns the gradients at p, for what works without a Gram matrix.
func (p *Point) Gradients() *Gradients {
	return &Gradients{
		point: p, root: math.Sqrt(p.Scale()),
		parameters: make([]float64, p.net.ParameterCount()),
		outputs:    make([]float64, p.Samples()*p.Outputs()),
	}
}

// Times computes out = √s J v: out has nc elements, v has w.
func (g *Gradients) Times(out, v []float64) {
	p := g.point
	if len(v) != p.Parameters() {
		panic("curvature: a vector of parameters must have w elements")
	}
	clear(g.parameters)
	copy(g.parameters[p.from:p.to], v)
	p.diff.JVP(out, g.parameters)
	for i := range out {
		out[i] *= g.root
	}
}

// TransposedTimes computes out = √s Jᵀ u: out has w elements, u has nc.
func (g *Gradients) TransposedTimes(out, u []float64) {
	p := g.point
	if len(out) != p.Parameters() || len(u) != len(g.outputs) {
		panic("curvature: out must have w elements and u nc")
	}
	for i, v := range u {
		g.outputs[i] = g.root * v
	}
	p.diff.VJP(g.parameters, g.outputs)
	copy(out, g.parameters[p.from:p.to])
}
