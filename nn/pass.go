package nn

import (
	"unsafe"

	"sobolev/internal/kernel"
)

// Workspace holds what the passes over one batch need: the input of every stage,
// what the stages keep for the way back, and the gradients with respect to
// pre-activations (deltas). Samples follow one another in the stages' layouts.
type Workspace[T kernel.Float] struct {
	// value[l] is the input of stage l, value[len(stages)] the network's output.
	value [][]T
	// delta[l] is the gradient with respect to the output of stage l before its
	// activation.
	delta [][]T
	state []*state[T]
	// inputGradient is the gradient with respect to the input of the first layer
	// that trains, imageGradient with respect to the network's input where that is
	// something else; nil in training.
	inputGradient, imageGradient []T
	capacity                     int
	second                       *secondPass[T] // nil before the first AddInputPenalty
}

// NewWorkspace returns a workspace for batches of up to capacity samples.
func (n *Network[T]) NewWorkspace(capacity int) *Workspace[T] {
	ws := &Workspace[T]{capacity: capacity, value: [][]T{make([]T, capacity*n.stages[0].in().value)}}
	for _, s := range n.stages {
		ws.value = append(ws.value, make([]T, capacity*s.out().value))
		ws.delta = append(ws.delta, make([]T, capacity*s.out().gradient))
		ws.state = append(ws.state, s.newState(capacity))
	}
	linkStates(n.stages, ws.state)
	return ws
}

// workspaceBytes returns the size of a workspace for measuring, per sample.
func (n *Network[T]) workspaceBytes() int64 {
	size := sizeOf[T]() * int64(n.stages[0].in().value+n.stages[n.inputStage].in().gradient)
	if n.frozen > 0 {
		size += sizeOf[T]() * int64(n.stages[0].in().gradient)
	}
	for _, s := range n.stages {
		out := s.out()
		size += sizeOf[T]()*int64(out.value+out.gradient) + s.newState(1).bytes()
	}
	return size
}

// BatchBytes returns about the memory of a workspace for that many samples.
func (n *Network[T]) BatchBytes(samples int) int64 { return n.workspaceBytes() * int64(samples) }

func sizeOf[T kernel.Float]() int64 {
	var element T
	return int64(unsafe.Sizeof(element))
}

func (a Activation) smooth() bool { return a != Identity && a != ReLU }

// SetInput copies one sample (d values, images as [channels][height][width]) to
// row i of the batch.
func (n *Network[T]) SetInput(ws *Workspace[T], i int, x []T) {
	switch in := n.stages[0].in(); {
	case in.bordered:
		n.stages[0].(*convPool[T]).weights.SetImage(ws.value[0], i, x)
	case in.shape.h > 0:
		area := in.shape.h * in.shape.w
		to := ws.value[0][i*in.value : (i+1)*in.value]
		for c := range in.shape.c {
			for p, v := range x[c*area : (c+1)*area] {
				to[p*in.pixel+c] = v
			}
		}
	default:
		copy(row(ws.value[0], i, in.shape.c), x)
	}
}

// Output returns f of row i of the batch (c values) after Forward. The slice
// belongs to the workspace.
func (n *Network[T]) Output(ws *Workspace[T], i int) []T {
	return row(ws.value[len(n.stages)], i, n.Outputs())
}

// Forward computes the outputs of the first batch rows of the workspace. Batch
// normalisations use their running averages.
func (n *Network[T]) Forward(ws *Workspace[T], batch int) {
	for _, l := range n.norms {
		ws.state[l].batchStatistics = false
	}
	n.forward(ws, batch)
}

// forwardTraining is Forward, with the statistics of the batch where the network
// trains with them. Frozen layers keep their running averages.
func (n *Network[T]) forwardTraining(ws *Workspace[T], batch int) {
	for _, l := range n.norms {
		ws.state[l].batchStatistics = n.batchStatistics && l >= n.inputStage
		ws.state[l].holdAverages = n.holdAverages
	}
	n.forward(ws, batch)
}

func (n *Network[T]) forward(ws *Workspace[T], batch int) {
	for l, s := range n.stages {
		s.forward(ws.state[l], ws.value[l+1], ws.value[l], batch)
	}
}

// backwardTo computes delta[l−1] from delta[l], l ≥ 1.
func (n *Network[T]) backwardTo(ws *Workspace[T], l, batch int) {
	below := n.stages[l-1].activation()
	var gate []T
	if below == ReLU {
		gate = ws.value[l]
	}
	n.stages[l].backward(ws.state[l], ws.delta[l-1], ws.delta[l], gate, batch)
	if below.smooth() {
		n.throughSmooth(ws, l-1, batch)
	}
}

// throughSmooth multiplies delta[l] by the derivative of stage l's smooth
// activation. The padding of rows and pixels is zero and stays so.
func (n *Network[T]) throughSmooth(ws *Workspace[T], l, batch int) {
	size := batch * n.stages[l].out().gradient
	applyDerivative(n.stages[l].activation(), ws.delta[l][:size], ws.state[l].pre[:size])
}

// lossGradient sets the last delta to the gradient of the batch loss with
// respect to the outputs, and returns the batch loss, which is a squared error;
// y(i) is the target of row i.
func (n *Network[T]) lossGradient(ws *Workspace[T], loss Loss, y func(i int) []T, batch int) float64 {
	if !loss.Squared() {
		panic("nn: networks train with squared errors")
	}
	last := len(n.stages) - 1
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
