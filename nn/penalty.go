package nn

import "sobolev/internal/kernel"

// AddInputPenalty adds to g the gradient with respect to W of the input-gradient
// penalty on the first batch samples of the workspace,
//
//	P = (λ/B) Σ_i Σ_c ‖∇_x f_c(x_i)‖²,
//
// and returns P (Drucker & Le Cun, 1992, "double backpropagation"; here x is the
// input of the first layer that trains). With v = ∇_x f_c(x_i) held fixed,
// ∇_W ‖∇_x f_c‖² = 2 ∇_W (vᵀ∇_x f_c): the gradient of the output's tangent ḟ_c in
// the direction ẋ = v. In reverse, the adjoint of ż_l is the ordinary delta
// δ_l = ∂f_c/∂z_l, and that of z_l is
//
//	ζ_l = a′(z_l) W_{l+1}ᵀ ζ_{l+1} + a″(z_l) ż_l W_{l+1}ᵀ δ_{l+1},   ζ = 0 at the output,
//
// so that ∇_W ḟ_c = δ_l ẋ_lᵀ + ζ_l x_lᵀ and ∇_b ḟ_c = ζ_l. Where all activations
// are piecewise linear ζ is zero and is not computed.
//
// The pass allocates at its first call with a workspace only.
func (n *Network[T]) AddInputPenalty(g *Gradient[T], ws *Workspace[T], lambda float64, batch int) float64 {
	if ws.second == nil {
		ws.second = newSecondPass(n, ws.capacity)
	}
	p := ws.second
	n.Forward(ws, batch)
	var squares float64
	alpha := T(2 * lambda / float64(batch))
	for c := range n.Outputs() {
		squares += p.direction(n, ws, c, batch)
		p.forward(n, ws, batch)
		for j := n.frozen; j < len(n.layers); j++ {
			l := n.stageOf[j]
			n.layers[j].updateTangent(g.parts[j], ws.state[l], p.state[l], alpha, ws.delta[l], p.tangent[l], batch)
		}
		p.curvature(n, ws, g, alpha, batch)
	}
	return lambda / float64(batch) * squares
}

// secondPass is the scratch of AddInputPenalty. Slices have an element for every
// stage; those below the first layer that trains are nil.
type secondPass[T kernel.Float] struct {
	tangent [][]T // ẋ_l, the tangent of the stage's input
	state   []*state[T]
	// opened[l] is W_{l+1}ᵀ δ_{l+1}, the delta in front of a′, and adjoint[l] is
	// ζ_l, where they are needed: up to the last smooth stage.
	opened, adjoint [][]T
	lastSmooth      int
	gradient        []T // ∇_x f_c
	planes          []T
	sum             []float64
}

func newSecondPass[T kernel.Float](n *Network[T], capacity int) *secondPass[T] {
	first, stages := n.inputStage, len(n.stages)
	p := &secondPass[T]{
		tangent: make([][]T, stages+1), state: make([]*state[T], stages),
		opened: make([][]T, stages), adjoint: make([][]T, stages),
		lastSmooth: -1, sum: make([]float64, 1),
	}
	in := n.stages[first].in()
	p.gradient, p.planes = make([]T, capacity*in.gradient), make([]T, in.shape.size())
	p.tangent[first] = make([]T, capacity*in.value)
	for l := first; l < stages; l++ {
		s := n.stages[l]
		p.tangent[l+1] = make([]T, capacity*s.out().value)
		p.state[l] = s.newTangent(capacity)
		if s.activation().smooth() {
			p.lastSmooth = l
			p.opened[l] = make([]T, capacity*s.out().gradient)
		}
	}
	linkStates(n.stages, p.state)
	for l := first; l <= p.lastSmooth; l++ {
		p.adjoint[l] = make([]T, capacity*n.stages[l].out().gradient)
	}
	return p
}

// direction computes the deltas of output c and sets the tangent of the input to
// v = ∇_x f_c; it returns Σ_i ‖v_i‖².
func (p *secondPass[T]) direction(n *Network[T], ws *Workspace[T], c, batch int) float64 {
	first := n.inputStage
	n.unitDelta(ws, c, batch)
	for l := len(n.stages) - 1; l > first; l-- {
		if p.opened[l-1] == nil {
			n.backwardTo(ws, l, batch)
			continue
		}
		n.stages[l].backward(ws.state[l], p.opened[l-1], ws.delta[l], nil, batch)
		copy(ws.delta[l-1], p.opened[l-1][:batch*n.stages[l-1].out().gradient])
		n.throughSmooth(ws, l-1, batch)
	}
	s := n.stages[first]
	s.backward(ws.state[first], p.gradient, ws.delta[first], nil, batch)
	v := p.gradient[:batch*s.in().gradient]
	if fused, ok := s.(*convPool[T]); ok {
		for i := range batch {
			fused.weights.InputGradient(p.planes, v, i)
			fused.weights.SetImage(p.tangent[first], i, p.planes)
		}
	} else {
		copy(p.tangent[first], v)
	}
	p.sum[0] = 0
	kernel.EvenPowerSums(p.sum, v)
	return p.sum[0]
}

// forward carries the tangent of the input to all stages with parameters.
func (p *secondPass[T]) forward(n *Network[T], ws *Workspace[T], batch int) {
	for l := n.inputStage; l < len(n.stages)-1; l++ {
		n.stages[l].tangent(ws.state[l], p.state[l], p.tangent[l+1], p.tangent[l], ws.value[l+1], batch)
	}
}

// curvature adds alpha·ζ_l x_lᵀ and alpha·ζ_l to g.
func (p *secondPass[T]) curvature(n *Network[T], ws *Workspace[T], g *Gradient[T], alpha T, batch int) {
	for _, s := range ws.state {
		s.delta = nil // ζ is zero at the joins above the last smooth stage
	}
	j := len(n.layers) - 1
	for l := p.lastSmooth; l >= n.inputStage; l-- {
		s := n.stages[l]
		act, size := s.activation(), batch*s.out().gradient
		zeta := p.adjoint[l][:size]
		if l == p.lastSmooth {
			clear(zeta)
		} else {
			var gate []T
			if act == ReLU {
				gate = ws.value[l+1]
			}
			n.stages[l+1].backward(ws.state[l+1], p.adjoint[l], p.adjoint[l+1], gate, batch)
		}
		if act.smooth() {
			if l < p.lastSmooth {
				applyDerivative(act, zeta, ws.state[l].pre[:size])
			}
			addCurvature(act, zeta, p.opened[l], p.state[l].pre, ws.state[l].pre)
		}
		for j >= 0 && n.stageOf[j] > l {
			j--
		}
		if j >= 0 && n.stageOf[j] == l {
			n.layers[j].update(g.parts[j], ws.state[l], alpha, p.adjoint[l], ws.value[l], batch)
		}
	}
}

// unitDelta sets the last delta to the gradient of f_c with respect to the outputs.
func (n *Network[T]) unitDelta(ws *Workspace[T], c, batch int) {
	for i := range batch {
		delta := row(ws.delta[len(n.stages)-1], i, n.Outputs())
		clear(delta)
		delta[c] = 1
	}
}
