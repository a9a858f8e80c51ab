package nn

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sobolev/internal/kernel"
)

// measureShare reports the best and the median time of work and the share of the
// core's float64 peak, measured in the same run, for nominal flops.
func measureShare(b *testing.B, flops float64, work func()) {
	var seconds, peaks []float64
	for b.Loop() {
		start := time.Now()
		done := kernel.FMAPeakLoop64(1 << 20)
		peaks = append(peaks, float64(done)/time.Since(start).Seconds())
		start = time.Now()
		work()
		seconds = append(seconds, time.Since(start).Seconds())
	}
	slices.Sort(seconds)
	peak := slices.Max(peaks)
	b.ReportMetric(seconds[0], "best-s")
	b.ReportMetric(seconds[len(seconds)/2], "median-s")
	b.ReportMetric(100*flops/seconds[0]/peak, "best-%peak")
}

// benchmarkNetwork returns a network as Float64 makes it, and n samples whose inputs
// are half zeros.
func benchmarkNetwork(b *testing.B, arch Architecture, n int) (*Network[float64], Data[float64]) {
	net, err := newNetwork[float64](arch, false)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	net.Initialise(PyTorchInit, rng)
	data := Data[float64]{N: n, X: make([]float64, n*net.Inputs()), Y: make([]float64, n*net.Outputs())}
	for i := range data.X {
		data.X[i] = max(0, 2*rng.Float64()-1)
	}
	return net, data
}

// paperVGG is the convolutional network of the paper on 32×32 images.
func paperVGG() Architecture {
	arch := Architecture{Input: []int{3, 32, 32}}
	for _, out := range []int{16, 16, 32, 64, 64} {
		arch.Layers = append(arch.Layers, Conv(out, 3, 1, 1), Activate(ReLU), MaxPool(2))
	}
	arch.Layers = append(arch.Layers, Flatten(), Linear(128), Activate(ReLU), Linear(2))
	return arch
}

// BenchmarkProducts measures products with the derivatives of the paper's network
// on 1,000 samples. Nominal operations: every product of a batch with a matrix of
// weights, two flops an element: the forward pass; W ẋ and V x for tangents; one
// backward pass and one sum of outer products for J^T u; twice both for the Hessian.
// The first layer needs neither W ẋ nor anything below it.
func BenchmarkProducts(b *testing.B) {
	const n = 1000
	net, data := benchmarkNetwork(b, FNN(784, []int{500, 500, 500}, 5, ReLU), n)
	d, err := net.NewDifferential(data, MSE, 1<<30)
	if err != nil {
		b.Fatal(err)
	}
	all := 0.0
	for j := range net.weights {
		all += 2 * n * float64(net.weights[j])
	}
	above := all - 2*n*float64(net.weights[0])
	v, u := make([]float64, net.ParameterCount()), make([]float64, n*net.Outputs())
	dst, out := make([]float64, len(v)), make([]float64, len(u))
	rng := rand.New(rand.NewPCG(2, 1))
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	for i := range u {
		u[i] = rng.NormFloat64()
	}
	b.Run("jvp", func(b *testing.B) { measureShare(b, 2*all+above, func() { d.JVP(out, v) }) })
	b.Run("vjp", func(b *testing.B) { measureShare(b, 2*all+above, func() { d.VJP(dst, u) }) })
	b.Run("gauss-newton", func(b *testing.B) { measureShare(b, 3*all+2*above, func() { d.GaussNewton(dst, v) }) })
	b.Run("hessian", func(b *testing.B) { measureShare(b, 3*all+5*above, func() { d.Hessian(dst, v) }) })
}

// BenchmarkGram measures Gram matrices. Nominal operations are those of the
// cheapest form of half of K: products of deltas and of inputs for dense layers,
// of patches or of gradients for convolutions; passes count nothing.
func BenchmarkGram(b *testing.B) {
	for _, c := range []struct {
		name string
		arch Architecture
		n    int
	}{
		{"fnn-400x5", FNN(784, []int{500, 500, 500}, 5, ReLU), 400},
		{"vgg-500x2", paperVGG(), 500},
		{"vgg-2000x2", paperVGG(), 2000},
	} {
		b.Run(c.name, func(b *testing.B) {
			net, data := benchmarkNetwork(b, c.arch, c.n)
			measureShare(b, gramFlops(net, c.n), func() {
				if _, err := net.Gram(data, MSE, nil, 2<<30); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func gramFlops(net *Network[float64], n int) float64 {
	flops, c, samples := 0.0, float64(net.Outputs()), float64(n)
	for _, j := range net.layerIndices(nil) {
		f := newLayerFactors(net, j)
		if q := float64(f.positions); q > 0 {
			flops += q * q * samples * samples * (float64(f.inputs) + c*c*float64(f.outputs))
		} else {
			flops += samples * samples * c * c * float64(f.size)
		}
	}
	return flops
}
