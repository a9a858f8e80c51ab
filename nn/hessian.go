package nn

import (
	"slices"

	"sobolev/internal/kernel"
)

// Hessian computes dst = ∇²L v by the R-operator (Pearlmutter, 1994). With the
// tangents ẋ_l, ż_l of a step along V and the deltas δ_l of the loss, the tangent of
// δ_l is
//
//	ζ_l = a′(z_l) (W_{l+1}ᵀ ζ_{l+1} + V_{l+1}ᵀ δ_{l+1}) + a″(z_l) ż_l W_{l+1}ᵀ δ_{l+1},
//
// ζ = (s/n) RᵀR ḟ at the output, and the product is δ_l ẋ_lᵀ + ζ_l x_lᵀ for weights and
// ζ_l for biases. a″ of ReLU is zero: the Hessian is that of the linear piece that
// the parameters are in.
func (d *Differential[T]) Hessian(dst, v []T) { d.secondOrder(dst, v, d.scale()) }

// ResidualHessian computes dst = (∇²L − G) v with the Gauss–Newton matrix G: the
// part (s/n) Σ_i Σ_o (f_o(x_i) − y_io) ∇²f_o(x_i), which vanishes at
// interpolation; the residual is p − y for CrossEntropy. It is Hessian with ζ = 0 at the output, not a difference.
func (d *Differential[T]) ResidualHessian(dst, v []T) { d.secondOrder(dst, v, 0) }

// secondOrder is the R-operator with ζ = outputs·RᵀR ḟ at the output.
func (d *Differential[T]) secondOrder(dst, v []T, outputs T) {
	d.direction.Set(v)
	d.begin()
	d.eachBlock(func(l *differentialLane[T], from, rows, batch int) {
		l.pass.forward(d.net, l.ws, d.direction, batch)
		if !l.deltas || l.pass.opens() {
			d.residuals(l, from, rows)
			l.pass.deltas(d.net, l.ws, batch)
			l.deltas = true
		}
		last := len(d.net.stages) - 1
		for i := range rows {
			d.curve(l, row(l.pass.adjoint[last], i, d.Outputs()), i, outputs)
		}
		l.pass.adjoints(d.net, l.ws, d.direction, batch)
	}, func(l *differentialLane[T], layer, rows int) { l.pass.accumulate(d.net, l.ws, d.sum, layer, rows) })
	d.sum.CopyTo(dst)
}

// directionPass carries a direction of the parameters through the network and the
// tangents of the deltas back. Slices have an element for every stage; those below
// the first layer that trains are nil.
type directionPass[T kernel.Float] struct {
	tangent [][]T // ẋ_l, the tangent of the stage's input
	state   []*state[T]
	// opened[l] is W_{l+1}ᵀ δ_{l+1} in front of a′ where that is smooth; adjoint[l]
	// is ζ_l.
	opened, adjoint [][]T
	scratch         []T // V_{l+1}ᵀ δ_{l+1}
}

func newDirectionPass[T kernel.Float](n *Network[T], capacity int) *directionPass[T] {
	first, stages, widest := n.inputStage, len(n.stages), 0
	p := &directionPass[T]{
		tangent: make([][]T, stages+1), state: make([]*state[T], stages),
		opened: make([][]T, stages), adjoint: make([][]T, stages),
	}
	p.tangent[first] = make([]T, capacity*n.stages[first].in().value) // stays zero
	for l := first; l < stages; l++ {
		s := n.stages[l]
		p.tangent[l+1] = make([]T, capacity*s.out().value)
		p.state[l] = s.newTangent(capacity)
		p.adjoint[l] = make([]T, capacity*s.out().gradient)
		widest = max(widest, s.out().gradient)
		if s.activation().smooth() {
			p.opened[l] = make([]T, capacity*s.out().gradient)
		}
	}
	p.scratch = make([]T, capacity*widest)
	linkStates(n.stages, p.state)
	return p
}

// opens says whether deltas leave something in opened.
func (p *directionPass[T]) opens() bool {
	return slices.ContainsFunc(p.opened, func(o []T) bool { return o != nil })
}

// forward computes the tangents of all stages from the direction v.
func (p *directionPass[T]) forward(n *Network[T], ws *Workspace[T], v *Gradient[T], batch int) {
	j := n.frozen
	for l := n.inputStage; l < len(n.stages); l++ {
		s, t, ydot, xdot, y := ws.state[l], p.state[l], p.tangent[l+1], p.tangent[l], ws.value[l+1]
		if j == len(n.layers) || n.stageOf[j] != l {
			n.stages[l].tangent(s, t, ydot, xdot, y, batch)
			continue
		}
		if l == n.inputStage {
			xdot = nil
		}
		n.layers[j].tangentAlong(v.parts[j], s, t, ydot, xdot, ws.value[l], y, batch)
		j++
	}
}

// output returns ḟ of row i.
func (p *directionPass[T]) output(n *Network[T], i int) []T {
	return row(p.tangent[len(n.stages)], i, n.Outputs())
}

// deltas computes the deltas from the last one, and keeps them in front of smooth
// activations.
func (p *directionPass[T]) deltas(n *Network[T], ws *Workspace[T], batch int) {
	for l := len(n.stages) - 1; l > n.stageOf[n.frozen]; l-- {
		if p.opened[l-1] == nil {
			n.backwardTo(ws, l, batch)
			continue
		}
		n.stages[l].backward(ws.state[l], p.opened[l-1], ws.delta[l], nil, batch)
		copy(ws.delta[l-1], p.opened[l-1][:batch*n.stages[l-1].out().gradient])
		n.throughSmooth(ws, l-1, batch)
	}
}

// adjoints computes ζ of all stages from the last one.
func (p *directionPass[T]) adjoints(n *Network[T], ws *Workspace[T], v *Gradient[T], batch int) {
	j := len(n.layers) - 1
	for l := len(n.stages) - 1; l > n.stageOf[n.frozen]; l-- {
		below := n.stages[l-1]
		act, size := below.activation(), batch*below.out().gradient
		var gate []T
		if act == ReLU {
			gate = ws.value[l]
		}
		zeta := p.adjoint[l-1][:size]
		n.stages[l].backward(ws.state[l], zeta, p.adjoint[l], gate, batch)
		if n.stageOf[j] == l {
			n.layers[j].backwardAlong(v.parts[j], ws.state[l], p.scratch, ws.delta[l], gate, batch)
			kernel.Axpy(zeta, 1, p.scratch[:size])
			j--
		}
		if act.smooth() {
			applyDerivative(act, zeta, ws.state[l-1].pre[:size])
			addCurvature(act, zeta, p.opened[l-1], p.state[l-1].pre, ws.state[l-1].pre)
		}
	}
}

// accumulate adds δ ẋᵀ + ζ xᵀ of layer j to g.
func (p *directionPass[T]) accumulate(n *Network[T], ws *Workspace[T], g *Gradient[T], j, rows int) {
	l := n.stageOf[j]
	if l > n.inputStage {
		n.layers[j].updateTangent(g.parts[j], ws.state[l], p.state[l], 1, ws.delta[l], p.tangent[l], rows)
	}
	n.layers[j].update(g.parts[j], ws.state[l], 1, p.adjoint[l], ws.value[l], rows)
}
