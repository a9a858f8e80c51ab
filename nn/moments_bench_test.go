package nn

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sobolev/internal/kernel"
)

// BenchmarkMomentsVGG is BenchmarkMoments for 2,000 samples × 2 outputs of the
// paper's convolutional network. The gradient of a convolution's weights has to be
// formed for every sample and output, so that nominal operations are a forward pass
// and, for every output, one or, for convolutions, two more. ReLU and pooling leave
// a quarter of the gradients' part or less, so more than 100% is within reach.
// Images are uniform random numbers.
func BenchmarkMomentsVGG(b *testing.B) {
	const n, d, c = 2000, 3 * 32 * 32, 2
	arch := Architecture{Input: []int{3, 32, 32}}
	flops, in, side := 0, 3, 32
	for _, out := range []int{16, 16, 32, 64, 64} {
		arch.Layers = append(arch.Layers, Conv(out, 3, 1, 1), Activate(ReLU), MaxPool(2))
		flops += 2 * n * (1 + 2*c) * 9 * in * out * side * side
		in, side = out, side/2
	}
	flops += 2 * n * (1 + c) * (64*128 + 128*c)
	arch.Layers = append(arch.Layers, Flatten(), Linear(128), Activate(ReLU), Linear(c))
	net, err := New[float32](arch)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	net.Initialise(KaimingFanOutInit, rng)
	data := Data[float32]{N: n, X: make([]float32, n*d), Y: make([]float32, n*c)}
	for i := range data.X {
		data.X[i] = rng.Float32()
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
	best, median, peak := seconds[0], seconds[len(seconds)/2], slices.Max(peaks)
	b.ReportMetric(best, "best-s")
	b.ReportMetric(median, "median-s")
	b.ReportMetric(100*float64(flops)/best/peak, "best-%peak")
	b.ReportMetric(100*float64(flops)/median/peak, "median-%peak")
	b.ReportMetric(peak/1e9, "peak-GFLOP/s")
}
