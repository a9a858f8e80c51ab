package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
)

// Init is a rule for drawing initial parameters.
type Init int

// With in and out the connections into and out of a unit: PyTorchInit is the
// default of torch.nn.Linear and Conv2d, weights and biases uniform on ±1/√in.
// HeInit draws weights from N(0, 2/in) (He et al., 2015), XavierInit
// uniformly on ±√(6/(in+out)) (Glorot & Bengio, 2010), both with zero biases.
// KaimingFanOutInit is that of Ma & Ying's published convolutional networks:
// convolutions from N(0, 2/out) with zero biases, where out = k²·channels (He et
// al., 2015, equation 14, the form that keeps the variance of gradients), and
// linear layers as PyTorchInit.
const (
	PyTorchInit Init = iota
	HeInit
	XavierInit
	KaimingFanOutInit
)

var initNames = []string{"pytorch", "he", "xavier", "kaiming-fan-out"}

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

// Initialise draws all parameters in the order of the flat vector; those of
// batch normalisations are γ = 1 and β = 0 whatever the rule is. The numbers
// drawn do not depend on T beyond rounding.
func (n *Network[T]) Initialise(rule Init, rng *rand.Rand) {
	flat := make([]T, n.ParameterCount())
	n.eachFlat(flat, func(l trainable[T], w, b []T) {
		fanIn, fanOut := l.fan()
		in, out := float64(fanIn), float64(fanOut)
		if len(l.weightShape()) == 1 { // a batch normalisation begins as one
			for i := range w {
				w[i] = 1
			}
			return
		}
		rule := rule
		if rule == KaimingFanOutInit && len(l.weightShape()) == 2 {
			rule = PyTorchInit
		}
		switch rule {
		case PyTorchInit:
			drawUniform(w, 1/math.Sqrt(in), rng)
			drawUniform(b, 1/math.Sqrt(in), rng)
		case HeInit:
			drawNormal(w, math.Sqrt(2/in), rng)
		case XavierInit:
			drawUniform(w, math.Sqrt(6/(in+out)), rng)
		case KaimingFanOutInit:
			drawNormal(w, math.Sqrt(2/out), rng)
		default:
			panic("nn: Initialise: unknown rule")
		}
	})
	n.SetParameters(flat)
}

func drawNormal[T kernel.Float](v []T, deviation float64, rng *rand.Rand) {
	for i := range v {
		v[i] = T(rng.NormFloat64() * deviation)
	}
}

func drawUniform[T kernel.Float](v []T, bound float64, rng *rand.Rand) {
	for i := range v {
		v[i] = T((2*rng.Float64() - 1) * bound)
	}
}
