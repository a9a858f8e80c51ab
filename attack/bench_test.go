package attack

import (
	"slices"
	"testing"
	"time"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// BenchmarkPGD measures PGD with 20 steps for robust accuracy on 500 samples of
// FashionMNIST's size, half of whose inputs are zero, with the share of the core's
// float32 peak: nominal operations are those of 21 forward passes and 20 backward
// passes down to the inputs.
func BenchmarkPGD(b *testing.B) {
	const n, d, c, steps = 500, 784, 5, 20
	rng := generator(1)
	net := dense[float32](b, rng, d, []int{500, 500, 500}, c, nn.ReLU)
	data := nn.Data[float32]{N: n, X: make([]float32, n*d), Classification: true}
	for j := range data.X {
		data.X[j] = max(0, float32(2*rng.Float64()-1))
	}
	a := attacker(b, net)
	f, err := a.outputs(data.X)
	if err != nil {
		b.Fatal(err)
	}
	data.Y = make([]float32, n*c) // the network's own classes, so that all are attacked
	for i := range n {
		data.Y[i*c+largest(row(f, i, c), -1)] = 1
	}
	weights := d*500 + 2*500*500 + 500*c
	flops := 2 * float64(n) * (2*steps + 1) * float64(weights)
	for _, norm := range []Norm{L2, LInf} {
		b.Run(norm.String(), func(b *testing.B) {
			var seconds, peaks []float64
			for b.Loop() {
				start := time.Now()
				done := kernel.FMAPeakLoop32(1 << 20)
				peaks = append(peaks, float64(done)/time.Since(start).Seconds())
				start = time.Now()
				if _, err := a.RobustAccuracy(data, norm, []float64{1e-3}, &Box{0, 1}, Search{Steps: steps, Restarts: 1}, rng); err != nil {
					b.Fatal(err)
				}
				seconds = append(seconds, time.Since(start).Seconds())
			}
			slices.Sort(seconds)
			peak := slices.Max(peaks)
			b.ReportMetric(seconds[0], "best-s")
			b.ReportMetric(seconds[len(seconds)/2], "median-s")
			b.ReportMetric(100*flops/seconds[0]/peak, "best-%peak")
			b.ReportMetric(100*flops/seconds[len(seconds)/2]/peak, "median-%peak")
		})
	}
}
