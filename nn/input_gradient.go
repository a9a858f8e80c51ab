package nn

import (
	"fmt"

	"sobolev/internal/kernel"
)

// InputGradients evaluates a network and the gradients of its outputs with respect
// to its own input, below frozen layers too, at any points: x is n×d, row-major,
// images as [channels][height][width]. Batch normalisations use their running
// averages, in training mode too. It is valid as long as the network's parameters
// stay as they were when it was made, and not for concurrent use. What belongs to a
// sample does not depend on the others.
type InputGradients[T kernel.Float] struct {
	meter  *gradientMeter[T]
	block  int
	dx     []T // with respect to the input of stage 0, in its layout
	planes []T // one gradient in the order of the inputs
}

// NewInputGradients fails where memory, a limit in bytes, is too small.
func (n *Network[T]) NewInputGradients(memory int64) (*InputGradients[T], error) {
	planes := int64(kernel.Stride[T](n.Inputs()))
	block, err := n.measuringBlock(evaluationBlock, memory-sizeOf[T]()*planes)
	if err != nil {
		return nil, fmt.Errorf("input gradients: %w", err)
	}
	g := &InputGradients[T]{meter: newGradientMeter(n, block, 1), block: block, planes: make([]T, planes)}
	if g.dx = g.meter.ws.inputGradient; n.inputStage > 0 {
		g.dx = g.meter.ws.imageGradient
	}
	return g, nil
}

// Outputs sets dst, n×c, to f(x_i).
func (g *InputGradients[T]) Outputs(dst, x []T) {
	c := g.meter.net.Outputs()
	if len(dst)/c*g.meter.net.Inputs() != len(x) || len(dst)%c != 0 {
		panic("nn: outputs must be n×c for inputs n×d")
	}
	g.eachBlock(x, func(from, rows int) {
		for i := range rows {
			copy(dst[(from+i)*c:(from+i+1)*c], g.meter.net.Output(g.meter.ws, i))
		}
	})
}

// Combined sets row i of dst, n×d, to Σ_o u_o ∇_x f_o(x_i). weight gets f(x_i) and
// sets u, both of c elements; the samples come in order.
func (g *InputGradients[T]) Combined(dst, x []T, weight func(i int, f, u []T)) {
	d := g.meter.net.Inputs()
	if len(dst) != len(x) {
		panic("nn: input gradients must have the shape of the inputs")
	}
	g.Each(x, 1, func(i, _ int, f, u []T) { weight(i, f, u) }, func(i, _ int, gradient []T) {
		copy(dst[i*d:(i+1)*d], gradient)
	})
}

// Each is Combined for several combinations j of the outputs at the same points,
// which share the forward pass; visit gets each gradient, d elements that are
// reused between calls. Within one combination the samples come in order.
func (g *InputGradients[T]) Each(x []T, combinations int, weight func(i, j int, f, u []T), visit func(i, j int, gradient []T)) {
	net, ws := g.meter.net, g.meter.ws
	last := len(net.stages) - 1
	g.eachBlock(x, func(from, rows int) {
		for j := range combinations {
			for i := range rows {
				weight(from+i, j, net.Output(ws, i), row(ws.delta[last], i, net.Outputs()))
			}
			g.backward(wholeRows(rows))
			for i := range rows {
				visit(from+i, j, g.gradient(i))
			}
		}
	})
}

// eachBlock does the forward passes of blocks of rows of x.
func (g *InputGradients[T]) eachBlock(x []T, f func(from, rows int)) {
	net := g.meter.net
	d := net.Inputs()
	if len(x)%d != 0 {
		panic("nn: inputs must be n×d")
	}
	for from := 0; from < len(x)/d; from += g.block {
		rows := min(g.block, len(x)/d-from)
		net.forwardBlock(g.meter.ws, Data[T]{X: x}, from, rows)
		f(from, rows)
	}
}

// backward computes dx from the last deltas.
func (g *InputGradients[T]) backward(batch int) {
	for l := len(g.meter.net.stages) - 1; l > 0; l-- {
		g.meter.backwardTo(l, batch)
	}
	g.meter.inputGradient(g.dx, 0, batch)
}

// gradient returns row i of dx in the order of the inputs.
func (g *InputGradients[T]) gradient(i int) []T {
	first := g.meter.net.stages[0]
	d, in := g.meter.net.Inputs(), first.in()
	switch {
	case in.bordered:
		first.(*convPool[T]).weights.InputGradient(g.planes[:d], g.dx, i)
	case in.shape.h > 0:
		s := in.shape
		kernel.ToCHW(g.planes, g.dx[i*in.gradient:(i+1)*in.gradient], s.c, s.h, s.w, in.pixel, 1)
	default:
		return row(g.dx, i, d)
	}
	return g.planes[:d]
}
