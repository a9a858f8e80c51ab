package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
)

// Network is a stack of dense layers with parameters of type T.
type Network[T kernel.Float] struct {
	Architecture Architecture
	layers       []*dense[T]
}

// dense is y = a(x Wᵀ + b) with W out×in.
type dense[T kernel.Float] struct {
	name       string
	weights    *kernel.Weights[T]
	bias       []T // Stride(out) elements, zero beyond out
	activation Activation
}

// New returns a network with all parameters zero.
func New[T kernel.Float](arch Architecture) (*Network[T], error) {
	if err := arch.check(); err != nil {
		return nil, err
	}
	n := &Network[T]{Architecture: arch}
	in := arch.Inputs
	for i, l := range arch.Layers {
		if l.Out == 0 {
			n.layers[len(n.layers)-1].activation = l.Activation
			continue
		}
		n.layers = append(n.layers, &dense[T]{
			name:    fmt.Sprintf("net.%d", i),
			weights: kernel.NewWeights[T](l.Out, in),
			bias:    make([]T, kernel.Stride[T](l.Out)),
		})
		in = l.Out
	}
	return n, nil
}

// Inputs returns d.
func (n *Network[T]) Inputs() int { return n.layers[0].weights.In }

// Outputs returns c.
func (n *Network[T]) Outputs() int { return n.layers[len(n.layers)-1].weights.Out }

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
		add(l.name+".weight", l.weights.Out, l.weights.In)
		add(l.name+".bias", l.weights.Out)
	}
	return ps
}

// ParameterCount returns w.
func (n *Network[T]) ParameterCount() int {
	w := 0
	for _, l := range n.layers {
		w += l.weights.Out * (l.weights.In + 1)
	}
	return w
}

// CopyParameters writes the w parameters to dst.
func (n *Network[T]) CopyParameters(dst []T) {
	n.eachFlat(dst, func(l *dense[T], w, b []T) {
		l.weights.Unpack(w)
		copy(b, l.bias)
	})
}

// SetParameters sets the w parameters from src.
func (n *Network[T]) SetParameters(src []T) {
	n.eachFlat(src, func(l *dense[T], w, b []T) {
		l.weights.Pack(w)
		copy(l.bias, b)
	})
}

// eachFlat calls f with every layer and its weight and bias in the flat vector.
func (n *Network[T]) eachFlat(flat []T, f func(l *dense[T], w, b []T)) {
	if len(flat) != n.ParameterCount() {
		panic("nn: a parameter vector must have w elements")
	}
	for _, l := range n.layers {
		out, size := l.weights.Out, l.weights.Out*l.weights.In
		f(l, flat[:size], flat[size:size+out])
		flat = flat[size+out:]
	}
}

// Init is a rule for drawing initial parameters.
type Init int

// PyTorchInit is torch.nn.Linear's default, weights and biases uniform on
// ±1/√in. HeInit draws weights from N(0, 2/in) (He et al., 2015), XavierInit
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
	n.eachFlat(flat, func(l *dense[T], w, b []T) {
		in, out := float64(l.weights.In), float64(l.weights.Out)
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
