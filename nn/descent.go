package nn

import "sobolev/internal/kernel"

// Descend does one step of SGD, W ← W − η ∇L_S(W), on the first batch rows of the
// workspace, where L_S is the loss of the batch S and y(i) the target of row i,
// and returns L_S at the old W. Each layer is updated by the product that would
// otherwise form its gradient, as soon as the layer below has its delta: the
// forward pass, the backward pass and the update each touch the weights once.
func (n *Network[T]) Descend(ws *Workspace[T], loss Loss, eta float64, y func(i int) []T, batch int) float64 {
	n.Forward(ws, batch)
	value := n.lossGradient(ws, loss, y, batch)
	for l := len(n.layers) - 1; l >= 0; l-- {
		if l > 0 {
			n.backwardTo(ws, l, batch)
		}
		layer := n.layers[l]
		layer.weights.Update(T(-eta), ws.delta[l], ws.value[l], layer.bias, batch)
	}
	return value
}

// Gradient has the shape of a network's parameters, in the layout of the kernels:
// a gradient, or a velocity.
type Gradient[T kernel.Float] struct {
	weights []*kernel.Weights[T]
	biases  [][]T
}

// NewGradient returns a zero gradient.
func (n *Network[T]) NewGradient() *Gradient[T] {
	g := new(Gradient[T])
	for _, l := range n.layers {
		g.weights = append(g.weights, kernel.NewWeights[T](l.weights.Out, l.weights.In))
		g.biases = append(g.biases, make([]T, len(l.bias)))
	}
	return g
}

// Scale multiplies g by a.
func (g *Gradient[T]) Scale(a T) {
	for l, w := range g.weights {
		w.Scale(a)
		kernel.Scale(g.biases[l], a)
	}
}

// AddGradient adds ∇L_S(W) of the first batch rows of the workspace to g and
// returns L_S(W).
func (n *Network[T]) AddGradient(g *Gradient[T], ws *Workspace[T], loss Loss, y func(i int) []T, batch int) float64 {
	n.Forward(ws, batch)
	value := n.lossGradient(ws, loss, y, batch)
	for l := len(n.layers) - 1; l >= 0; l-- {
		if l > 0 {
			n.backwardTo(ws, l, batch)
		}
		g.weights[l].Update(1, ws.delta[l], ws.value[l], g.biases[l], batch)
	}
	return value
}

// Add computes W += a·g.
func (n *Network[T]) Add(a T, g *Gradient[T]) {
	for l, layer := range n.layers {
		layer.weights.Add(a, g.weights[l])
		kernel.Axpy(layer.bias, a, g.biases[l])
	}
}

// CopyTo writes g to dst in the order of the flat vector of parameters.
func (g *Gradient[T]) CopyTo(dst []T) {
	for l, w := range g.weights {
		size := w.Out * w.In
		w.Unpack(dst[:size])
		copy(dst[size:size+w.Out], g.biases[l])
		dst = dst[size+w.Out:]
	}
}

// Set sets g from src in the order of the flat vector of parameters.
func (g *Gradient[T]) Set(src []T) {
	for l, w := range g.weights {
		size := w.Out * w.In
		w.Pack(src[:size])
		copy(g.biases[l], src[size:size+w.Out])
		src = src[size+w.Out:]
	}
}
