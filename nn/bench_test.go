package nn

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sobolev/internal/kernel"
)

// BenchmarkMoments measures the moments of orders 1–3 of 5,000 samples × 5
// outputs of the paper's network, with the share of the core's float32 peak:
// nominal operations are the forward pass and, for every output, the backward
// pass down to the inputs. Inputs are half zeros, as FashionMNIST's are.
func BenchmarkMoments(b *testing.B) {
	const n, d, c = 5000, 784, 5
	rng := rand.New(rand.NewPCG(1, 1))
	net, err := New[float32](FNN(d, []int{500, 500, 500}, c, ReLU))
	if err != nil {
		b.Fatal(err)
	}
	net.Initialise(PyTorchInit, rng)
	data := Data[float32]{N: n, X: make([]float32, n*d), Y: make([]float32, n*c)}
	for i := range data.X {
		data.X[i] = max(0, float32(2*rng.Float64()-1))
	}
	flops := 0.0
	for _, l := range net.layers {
		flops += 2 * n * float64(1+c) * float64(weightCount(l))
	}
	var seconds, peaks []float64
	for b.Loop() {
		start := time.Now()
		done := kernel.FMAPeakLoop32(1 << 20)
		peaks = append(peaks, float64(done)/time.Since(start).Seconds())
		start = time.Now()
		if _, err := net.GradientMoments(data, []int{1, 2, 3}, 1<<30); err != nil {
			b.Fatal(err)
		}
		seconds = append(seconds, time.Since(start).Seconds())
	}
	slices.Sort(seconds)
	peak := slices.Max(peaks)
	b.ReportMetric(seconds[0], "best-s")
	b.ReportMetric(seconds[len(seconds)/2], "median-s")
	b.ReportMetric(100*flops/seconds[0]/peak, "best-%peak")
}

// BenchmarkInputPenalty measures the penalty's gradient for the paper's
// convolutional network, 20 images and 2 outputs, beside the gradient of the loss.
func BenchmarkInputPenalty(b *testing.B) {
	const batch = 20
	arch := Architecture{Input: []int{3, 32, 32}}
	for _, out := range []int{16, 16, 32, 64, 64} {
		arch.Layers = append(arch.Layers, Conv(out, 3, 1, 1), Activate(ReLU), MaxPool(2))
	}
	arch.Layers = append(arch.Layers, Flatten(), Linear(128), Activate(ReLU), Linear(2))
	net, err := New[float32](arch)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	net.Initialise(KaimingFanOutInit, rng)
	ws, g, y := net.NewWorkspace(batch), net.NewGradient(), make([]float32, 2)
	x := make([]float32, net.Inputs())
	for i := range batch {
		for j := range x {
			x[j] = float32(rng.Float64())
		}
		net.SetInput(ws, i, x)
	}
	var loss, penalty time.Duration
	for b.Loop() {
		start := time.Now()
		net.AddGradient(g, ws, MSE, func(int) []float32 { return y }, batch)
		loss += time.Since(start)
		start = time.Now()
		net.AddInputPenalty(g, ws, 0.1, batch)
		penalty += time.Since(start)
	}
	b.ReportMetric(penalty.Seconds()/loss.Seconds(), "penalty/gradient")
}
