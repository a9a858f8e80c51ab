package nn

import (
	"unsafe"

	"sobolev/internal/kernel"
)

// Workspace holds what the passes over one batch need: the input of every layer,
// pre-activations where the activation is smooth, and the gradients with
// respect to pre-activations (deltas). Rows are samples with the stride of the
// kernels.
type Workspace[T kernel.Float] struct {
	capacity int
	// value[l] is the input of layer l, value[len(layers)] the network's output.
	value [][]T
	// pre[l] is the pre-activation of layer l, nil for ReLU and identity, whose
	// derivative can be told from the value.
	pre [][]T
	// delta[l] is the gradient with respect to the pre-activation of layer l.
	delta [][]T
	// inputGradient is the gradient with respect to the input; made on first use.
	inputGradient []T
}

// NewWorkspace returns a workspace for batches of up to capacity samples.
func (n *Network[T]) NewWorkspace(capacity int) *Workspace[T] {
	ws := &Workspace[T]{capacity: capacity, value: [][]T{make([]T, capacity*kernel.Stride[T](n.Inputs()))}}
	for _, l := range n.layers {
		size := capacity * kernel.Stride[T](l.weights.Out)
		ws.value = append(ws.value, make([]T, size))
		ws.delta = append(ws.delta, make([]T, size))
		var pre []T
		if l.activation.smooth() {
			pre = make([]T, size)
		}
		ws.pre = append(ws.pre, pre)
	}
	return ws
}

// workspaceBytes returns the size of a workspace for measuring, per sample.
func (n *Network[T]) workspaceBytes() int64 {
	size := int64(2 * kernel.Stride[T](n.Inputs()))
	for _, l := range n.layers {
		buffers := int64(2)
		if l.activation.smooth() {
			buffers = 3
		}
		size += buffers * int64(kernel.Stride[T](l.weights.Out))
	}
	var element T
	return int64(unsafe.Sizeof(element)) * size
}

func (a Activation) smooth() bool { return a != Identity && a != ReLU }

// row returns row i, without its padding, of a buffer of rows of the given width.
func row[T kernel.Float](buffer []T, i, width int) []T {
	stride := kernel.Stride[T](width)
	return buffer[i*stride : i*stride+width : i*stride+width]
}

// SetInput copies one sample (d values) to row i of the batch.
func (n *Network[T]) SetInput(ws *Workspace[T], i int, x []T) {
	copy(row(ws.value[0], i, n.Inputs()), x)
}

// Output returns f of row i of the batch (c values) after Forward. The slice
// belongs to the workspace.
func (n *Network[T]) Output(ws *Workspace[T], i int) []T {
	return row(ws.value[len(n.layers)], i, n.Outputs())
}

// Forward computes the outputs of the first batch rows of the workspace.
func (n *Network[T]) Forward(ws *Workspace[T], batch int) {
	for l, layer := range n.layers {
		x, y := ws.value[l], ws.value[l+1]
		if !layer.activation.smooth() {
			layer.weights.Forward(y, x, layer.bias, batch, layer.activation == ReLU)
			continue
		}
		layer.weights.Forward(ws.pre[l], x, layer.bias, batch, false)
		for i := range batch {
			apply(layer.activation, row(y, i, layer.weights.Out), row(ws.pre[l], i, layer.weights.Out))
		}
	}
}

// backwardTo computes delta[l−1] from delta[l], l ≥ 1.
func (n *Network[T]) backwardTo(ws *Workspace[T], l, batch int) {
	below := n.layers[l-1]
	var gate []T
	if below.activation == ReLU {
		gate = ws.value[l]
	}
	n.layers[l].weights.Backward(ws.delta[l-1], ws.delta[l], gate, batch)
	if below.activation.smooth() {
		n.throughActivation(ws, l-1, batch)
	}
}

// lossGradient sets the last delta to the gradient of the batch loss with
// respect to the outputs, and returns the batch loss; y(i) is the target of
// row i.
func (n *Network[T]) lossGradient(ws *Workspace[T], loss Loss, y func(i int) []T, batch int) float64 {
	last := len(n.layers) - 1
	scale := loss.Scale(n.Outputs()) / float64(batch)
	var squares float64
	for i := range batch {
		target, delta := y(i), row(ws.delta[last], i, n.Outputs())
		for j, f := range n.Output(ws, i) {
			r := f - target[j]
			squares += float64(r) * float64(r)
			delta[j] = T(scale) * r
		}
	}
	return squares * scale / 2
}
