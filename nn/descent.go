package nn

import (
	"sobolev/internal/kernel"
	"sobolev/internal/parallel"
)

// Descend does one step of SGD, W ← W − η ∇L_S(W), on the first batch rows of the
// workspace, where L_S is the loss of the batch S and y(i) the target of row i,
// and returns L_S at the old W. Each layer is updated by the product that would
// otherwise form its gradient, as soon as the layer below has its delta: the
// forward pass, the backward pass and the update each touch the weights once.
func (n *Network[T]) Descend(ws *Workspace[T], loss Loss, eta float64, y func(i int) []T, batch int) float64 {
	n.forwardTraining(ws, batch)
	value := n.lossGradient(ws, loss, y, batch)
	n.eachGradient(ws, batch, func(_ int, l trainable[T], s *state[T], dy, x []T) {
		l.update(l.affine(), s, T(-eta), dy, x, batch)
	})
	return value
}

// eachGradient goes back from the last delta and calls f with every layer that
// trains, from the last to the first, once the layer below has its delta: f may
// change the layer. j is the index of the layer.
func (n *Network[T]) eachGradient(ws *Workspace[T], batch int, f func(j int, l trainable[T], s *state[T], dy, x []T)) {
	j, first := len(n.layers)-1, n.stageOf[n.frozen]
	for l := len(n.stages) - 1; l >= first; l-- {
		if l > first {
			n.backwardTo(ws, l, batch)
		}
		if l == n.stageOf[j] {
			f(j, n.layers[j], ws.state[l], ws.delta[l], ws.value[l])
			j--
		}
	}
}

// Gradient has the shape of a network's parameters, in the layout of the kernels:
// a gradient, or a velocity. It is zero for layers that do not train.
type Gradient[T kernel.Float] struct {
	net   *Network[T]
	parts []affine[T] // of each layer
}

// NewGradient returns a zero gradient.
func (n *Network[T]) NewGradient() *Gradient[T] {
	g := &Gradient[T]{net: n}
	for _, l := range n.layers {
		g.parts = append(g.parts, l.affine().zero())
	}
	return g
}

// Scale multiplies g by a.
func (g *Gradient[T]) Scale(a T) {
	for _, p := range g.parts[g.net.frozen:] {
		p.scale(a)
	}
}

// Add computes g += a·h.
func (g *Gradient[T]) Add(a T, h *Gradient[T]) {
	for j := g.net.frozen; j < len(g.parts); j++ {
		g.parts[j].add(a, h.parts[j])
	}
}

// AddParameters computes g += a·W, biases included.
func (g *Gradient[T]) AddParameters(a T) {
	for j := g.net.frozen; j < len(g.parts); j++ {
		g.parts[j].add(a, g.net.layers[j].affine())
	}
}

// AddGradient adds ∇L_S(W) of the first batch rows of the workspace to g and
// returns L_S(W).
func (n *Network[T]) AddGradient(g *Gradient[T], ws *Workspace[T], loss Loss, y func(i int) []T, batch int) float64 {
	n.forwardTraining(ws, batch)
	value := n.lossGradient(ws, loss, y, batch)
	n.eachGradient(ws, batch, func(j int, l trainable[T], s *state[T], dy, x []T) {
		l.update(g.parts[j], s, 1, dy, x, batch)
	})
	return value
}

// AddGradients is AddGradient for one batch after the other, each in a workspace of
// its own: the passes run at once, and so do the layers' sums, in which the batches
// come in their order. y(k, i) is the target of row i of batch k, of the given number
// of rows; losses gets the losses. It is not for batch normalisations that train.
func (n *Network[T]) AddGradients(losses []float64, g *Gradient[T], ws []*Workspace[T], loss Loss, y func(k, i int) []T, batch int) {
	parallel.Each(len(ws), len(ws), func(_, k int) {
		n.forwardTraining(ws[k], batch)
		losses[k] = n.lossGradient(ws[k], loss, func(i int) []T { return y(k, i) }, batch)
		n.eachGradient(ws[k], batch, func(int, trainable[T], *state[T], []T, []T) {})
	})
	parallel.Each(len(ws), len(n.training()), func(_, layer int) {
		j := n.frozen + layer
		l := n.stageOf[j]
		for _, w := range ws {
			n.layers[j].update(g.parts[j], w.state[l], 1, w.delta[l], w.value[l], batch)
		}
	})
}

// Add computes W += a·g for the layers that train.
func (n *Network[T]) Add(a T, g *Gradient[T]) {
	for j, l := range n.training() {
		l.affine().add(a, g.parts[n.frozen+j])
	}
}

// CopyTo writes g to dst in the order of the flat vector of parameters.
func (g *Gradient[T]) CopyTo(dst []T) {
	j := 0
	g.net.eachFlat(dst, func(_ trainable[T], w, b []T) {
		g.parts[j].unpack(w, b)
		j++
	})
}

// Set sets g from src in the order of the flat vector of parameters; what src
// says of layers that do not train is left out.
func (g *Gradient[T]) Set(src []T) {
	j := 0
	g.net.eachFlat(src, func(_ trainable[T], w, b []T) {
		if j >= g.net.frozen {
			g.parts[j].pack(w, b)
		}
		j++
	})
}
