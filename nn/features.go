package nn

import (
	"errors"
	"slices"

	"sobolev/internal/kernel"
)

// Features returns the number of elements of x, the input of the first layer that
// trains: d, or with frozen layers the number of features that they make.
func (n *Network[T]) Features() int { return n.stages[n.inputStage].in().shape.size() }

// FirstWeight describes W₁, the weight of the first layer that trains.
func (n *Network[T]) FirstWeight() Parameter {
	below := n.ParameterCount() - n.TrainableCount()
	for _, p := range n.Parameters() {
		if p.Offset == below {
			return p
		}
	}
	panic("nn: a network without a layer that trains")
}

// featureBlock is the number of samples that EachFeatures runs at once.
const featureBlock = 64

// EachFeatures calls visit with x of every sample in order, see Features: its
// elements in the order of the layer's memory, with zeros between them, which
// leave norms as they are. x is reused between calls.
func (n *Network[T]) EachFeatures(data Data[T], visit func(i int, x []T)) {
	ws, d, in := n.NewWorkspace(min(featureBlock, data.N)), n.Inputs(), n.stages[n.inputStage].in()
	for from := 0; from < data.N; from += featureBlock {
		batch := min(featureBlock, data.N-from)
		for i := range batch {
			n.SetInput(ws, i, data.X[(from+i)*d:(from+i+1)*d])
		}
		if n.inputStage > 0 {
			n.Forward(ws, batch)
		}
		for i := range batch {
			visit(from+i, ws.value[n.inputStage][i*in.value:(i+1)*in.value])
		}
	}
}

// FirstHasBias says whether the first layer that trains has a bias.
func (n *Network[T]) FirstHasBias() bool { return n.training()[0].biases() > 0 }

// FirstConvolution returns the shape of the input of the first layer that trains,
// [channels, height, width], and that layer; nil where it is no convolution, or one in
// the body of a residual block.
func (n *Network[T]) FirstConvolution() (input []int, conv Layer) {
	arch := n.Architecture
	for i := arch.Frozen; i < len(arch.Layers); i++ {
		if l := arch.Layers[i]; l.parameterLayers() > 0 {
			if l.Kind != ConvLayer {
				return nil, Layer{}
			}
			s := n.firstStage().in().shape
			return []int{s.c, s.h, s.w}, l
		}
	}
	return nil, Layer{}
}

// firstStage is that of the first layer that trains.
func (n *Network[T]) firstStage() stage[T] { return n.stages[n.stageOf[n.frozen]] }

// BeforeFirst says in words what keeps the first layer that trains from being a matrix
// that multiplies x, see Features; "" where it is one. ∇_x f = W₁ᵀ ∇_z f, z = W₁x + b,
// and all that follows from it, need that.
func (n *Network[T]) BeforeFirst() string {
	for _, s := range n.stages[n.inputStage:n.stageOf[n.frozen]] {
		switch s.(type) {
		case *flatten[T]:
		case *fork[T]:
			return "it is in a residual block, which hands on its input, too"
		default:
			return "the inputs are pooled before it"
		}
	}
	if _, ok := n.firstStage().(*batchNorm[T]); ok {
		return "it is a batch normalisation"
	}
	return ""
}

// Head returns the layers that train as a network of its own, and data with the
// features that frozen layers make as inputs: what is measured of the two is what
// is measured of n and data. It fails where the features are in a layout that only
// fused convolutions read.
func (n *Network[T]) Head(data Data[T]) (*Network[T], Data[T], error) {
	in := n.stages[n.inputStage].in()
	if in.bordered {
		return nil, Data[T]{}, errors.New("the first layer that trains is a convolution whose features are not images of their own here")
	}
	shapes, err := n.Architecture.shapes()
	if err != nil {
		return nil, Data[T]{}, err
	}
	// The first layer that trains is the first of its kind from Frozen on.
	at := n.Architecture.Frozen + slices.IndexFunc(n.Architecture.Layers[n.Architecture.Frozen:], func(l Layer) bool {
		return l.parameterLayers() > 0
	})
	arch := Architecture{Input: []int{shapes[at].c}, Layers: n.Architecture.Layers[at:]}
	if s := shapes[at]; s.h > 0 {
		arch.Input = []int{s.c, s.h, s.w}
	}
	head, err := New[T](arch)
	if err != nil {
		return nil, Data[T]{}, err
	}
	params := make([]T, n.ParameterCount())
	n.CopyParameters(params)
	head.SetParameters(params[len(params)-head.ParameterCount():])
	var buffers [][]T
	n.eachBuffer(func(_ string, v []T) { buffers = append(buffers, v) })
	buffers = buffers[len(buffers)-2*len(head.norms):]
	head.eachBuffer(func(_ string, v []T) { copy(v, buffers[0]); buffers = buffers[1:] })
	features := Data[T]{N: data.N, Y: data.Y, Classification: data.Classification}
	x := make([]T, kernel.Stride[T](in.shape.size()))
	n.EachFeatures(data, func(_ int, sample []T) {
		if s := in.shape; s.h > 0 {
			kernel.ToCHW(x, sample, s.c, s.h, s.w, in.pixel, 1)
		} else {
			copy(x, sample)
		}
		features.X = append(features.X, x[:in.shape.size()]...)
	})
	return head, features, nil
}
