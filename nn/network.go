package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

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
}

// New returns a network with all parameters zero.
func New[T kernel.Float](arch Architecture) (*Network[T], error) {
	shapes, err := arch.shapes()
	if err != nil {
		return nil, fmt.Errorf("architecture: %w", err)
	}
	n := &Network[T]{Architecture: arch}
	fused := arch.fusedBlocks(shapes)
	for i := 0; i < len(arch.Layers); i++ {
		l, label := arch.Layers[i], fmt.Sprintf("net.%d", i)
		if len(n.stages) < fused {
			n.addLayer(newConvPool[T](label, shapes[i], l.Out))
			i += 2
			continue
		}
		from := inputPlace[T](shapes[i])
		if len(n.stages) > 0 {
			from = n.stages[len(n.stages)-1].out()
		}
		act := Identity
		if i+1 < len(arch.Layers) && arch.Layers[i+1].Kind == ActivationLayer {
			act = arch.Layers[i+1].Activation
		}
		switch l.Kind {
		case LinearLayer:
			n.addLayer(newDense[T](label, from.shape.c, l.Out, act))
		case ConvLayer:
			n.addLayer(newConv[T](label, from, l, act))
		case MaxPoolLayer, AvgPoolLayer:
			n.stages = append(n.stages, newPool[T](from, l))
		case FlattenLayer:
			f := &flatten[T]{input: from}
			if from.bordered {
				f.below = n.stages[len(n.stages)-1].(*convPool[T])
			}
			n.stages = append(n.stages, f)
		}
	}
	return n, nil
}

func (n *Network[T]) addLayer(l trainable[T]) {
	n.stageOf = append(n.stageOf, len(n.stages))
	n.layers = append(n.layers, l)
	n.stages = append(n.stages, l)
}

// inputPlace is the layout of the network's input.
func inputPlace[T kernel.Float](s shape) place {
	if s.h == 0 {
		return vector[T](s.c)
	}
	return image(s, s.c)
}

// fusedBlocks returns how many blocks of convolution, ReLU and max-pooling at
// the beginning of the network become one stage each: all of an unbroken chain
// from the input to a flattening, or none, because their images have borders
// that other stages do not know.
func (a Architecture) fusedBlocks(shapes []shape) int {
	blocks := 0
	for i := 0; i+3 < len(a.Layers); i += 3 {
		c, act, pool, s := a.Layers[i], a.Layers[i+1], a.Layers[i+2], shapes[i]
		fits := c.Kind == ConvLayer && c.Kernel == 3 && c.Padding == 1 && c.Stride == 1 && c.Out%16 == 0 &&
			act.Kind == ActivationLayer && act.Activation == ReLU && pool.Kind == MaxPoolLayer && pool.Kernel == 2 &&
			s.h%2 == 0 && s.w%2 == 0
		if !fits {
			return 0
		}
		blocks++
		if a.Layers[i+3].Kind == FlattenLayer {
			return blocks
		}
	}
	return 0
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
// layer's weight [out, in], then its bias [out].
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
		add(l.name()+".bias", l.outputs())
	}
	return ps
}

// ParameterCount returns w.
func (n *Network[T]) ParameterCount() int {
	w := 0
	for _, l := range n.layers {
		w += weightCount(l) + l.outputs()
	}
	return w
}

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
	for _, l := range n.layers {
		size, out := weightCount(l), l.outputs()
		f(l, flat[:size], flat[size:size+out])
		flat = flat[size+out:]
	}
}

// Init is a rule for drawing initial parameters.
type Init int

// With in and out the connections into and out of a unit: PyTorchInit is the
// default of torch.nn.Linear and Conv2d, weights and biases uniform on ±1/√in.
// HeInit draws weights from N(0, 2/in) (He et al., 2015), XavierInit
// uniformly on ±√(6/(in+out)) (Glorot & Bengio, 2010), both with zero biases.
const (
	PyTorchInit Init = iota
	HeInit
	XavierInit
)

var initNames = []string{"pytorch", "he", "xavier"}

func (i Init) String() string { return initNames[i] }

// ParseInit is the inverse of String.
func ParseInit(name string) (Init, error) {
	for i, s := range initNames {
		if s == name {
			return Init(i), nil
		}
	}
	return 0, fmt.Errorf("init %q is not known; one of %q", name, initNames)
}

// Initialise draws all parameters in the order of the flat vector. The numbers
// drawn do not depend on T beyond rounding.
func (n *Network[T]) Initialise(rule Init, rng *rand.Rand) {
	flat := make([]T, n.ParameterCount())
	n.eachFlat(flat, func(l trainable[T], w, b []T) {
		fanIn, fanOut := l.fan()
		in, out := float64(fanIn), float64(fanOut)
		switch rule {
		case PyTorchInit:
			drawUniform(w, 1/math.Sqrt(in), rng)
			drawUniform(b, 1/math.Sqrt(in), rng)
		case HeInit:
			for i := range w {
				w[i] = T(rng.NormFloat64() * math.Sqrt(2/in))
			}
		case XavierInit:
			drawUniform(w, math.Sqrt(6/(in+out)), rng)
		default:
			panic("nn: Initialise: unknown rule")
		}
	})
	n.SetParameters(flat)
}

func drawUniform[T kernel.Float](v []T, bound float64, rng *rand.Rand) {
	for i := range v {
		v[i] = T((2*rng.Float64() - 1) * bound)
	}
}
