package nn

import (
	"math/rand/v2"
	"testing"
)

// One sample of the paper's network with tanh: a share of the machine's products is
// told by the multiplications a second.
func BenchmarkInputHessian(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	net, err := New[float64](FNN(784, []int{500, 500, 500}, 5, Tanh))
	if err != nil {
		b.Fatal(err)
	}
	net.Initialise(PyTorchInit, rng)
	data := Data[float64]{N: 1, X: gaussian(rng, 784), Y: make([]float64, 5)}
	cost, err := net.HessianCost()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := net.EachHessianSums(data, 3, 1<<30, func(_, _ int, _ *HessianSums) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(cost*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
}
