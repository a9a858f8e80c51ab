package attack

import (
	"math"
	"math/rand/v2"
	"testing"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// dense returns an initialised network of dense layers.
func dense[T kernel.Float](t testing.TB, rng *rand.Rand, inputs int, hidden []int, outputs int, a nn.Activation) *nn.Network[T] {
	t.Helper()
	net, err := nn.New[T](nn.FNN(inputs, hidden, outputs, a))
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(nn.PyTorchInit, rng)
	return net
}

func attacker[T kernel.Float](t testing.TB, net *nn.Network[T]) *Attacker[T] {
	t.Helper()
	a, err := New(net, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// parameters returns W.
func parameters[T kernel.Float](net *nn.Network[T]) []T {
	w := make([]T, net.ParameterCount())
	net.CopyParameters(w)
	return w
}

func normal[T kernel.Float](rng *rand.Rand, n int) []T {
	v := make([]T, n)
	for j := range v {
		v[j] = T(rng.NormFloat64())
	}
	return v
}

func near(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*(1+math.Abs(want))) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 17)) }
