package nn

import (
	"sobolev/internal/kernel"
)

// Network is a feed-forward network with parameters of type T.
type Network[T kernel.Float] struct {
	Architecture Architecture
	stages       []stage[T]
	// layers are the stages with parameters; stageOf[j] is the index of layers[j]
	// among the stages.
	layers  []trainable[T]
	stageOf []int
	weights []int // the number of weights of each layer
	frozen  int   // how many of layers, the first ones, do not train
	// inputStage is the index of the stage whose input is x: the first stage, or
	// where layers are frozen the first above them that trains, on their features.
	inputStage                    int
	norms                         []int // indices of batch normalisations among the stages
	batchStatistics, holdAverages bool

	// Workers is the number of goroutines that share what passes over a whole data
	// set do: Fit, moments, Gram matrices, products with derivatives, the gradient of
	// all samples. Their results are the same to the last bit for any number; each
	// worker needs memory of its own. 0 is 1.
	Workers int
}

// Inputs returns d.
func (n *Network[T]) Inputs() int { return n.Architecture.Inputs() }

// Outputs returns c.
func (n *Network[T]) Outputs() int { return n.Architecture.Outputs() }

// Parameter is a named view into the flat vector of parameters: Shape in
// PyTorch's order, row-major, from Offset on.
type Parameter struct {
	Name   string
	Shape  []int
	Offset int
}

// Size returns the number of elements.
func (p Parameter) Size() int {
	size := 1
	for _, s := range p.Shape {
		size *= s
	}
	return size
}

// Parameters describes the flat vector of parameters in PyTorch's order: each
// layer's weight [out, in], then its bias [out] where it has one.
func (n *Network[T]) Parameters() []Parameter {
	var ps []Parameter
	offset := 0
	add := func(name string, shape ...int) {
		p := Parameter{Name: name, Shape: shape, Offset: offset}
		offset += p.Size()
		ps = append(ps, p)
	}
	for _, l := range n.layers {
		add(l.name()+".weight", l.weightShape()...)
		if l.biases() > 0 {
			add(l.name()+".bias", l.biases())
		}
	}
	return ps
}

// ParameterCount returns w, with the parameters of frozen layers.
func (n *Network[T]) ParameterCount() int { return n.countFrom(0) }

// TrainableCount returns the number of parameters that train.
func (n *Network[T]) TrainableCount() int { return n.countFrom(n.frozen) }

func (n *Network[T]) countFrom(layer int) int {
	w := 0
	for j := layer; j < len(n.layers); j++ {
		w += n.weights[j] + n.layers[j].biases()
	}
	return w
}

// training returns the layers that train.
func (n *Network[T]) training() []trainable[T] { return n.layers[n.frozen:] }

func weightCount[T kernel.Float](l trainable[T]) int {
	size := 1
	for _, s := range l.weightShape() {
		size *= s
	}
	return size
}

// CopyParameters writes the w parameters to dst.
func (n *Network[T]) CopyParameters(dst []T) {
	n.eachFlat(dst, func(l trainable[T], w, b []T) { l.affine().unpack(w, b) })
}

// SetParameters sets the w parameters from src.
func (n *Network[T]) SetParameters(src []T) {
	n.eachFlat(src, func(l trainable[T], w, b []T) { l.affine().pack(w, b) })
}

// eachFlat calls f with every layer and its weight and bias in the flat vector.
func (n *Network[T]) eachFlat(flat []T, f func(l trainable[T], w, b []T)) {
	if len(flat) != n.ParameterCount() {
		panic("nn: a parameter vector must have w elements")
	}
	for j, l := range n.layers {
		size, out := n.weights[j], l.biases()
		f(l, flat[:size], flat[size:size+out])
		flat = flat[size+out:]
	}
}
