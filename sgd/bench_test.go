package sgd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"sobolev/dataset"
	"sobolev/internal/kernel"
	"sobolev/nn"
)

// The paper's network on 5 classes × 1,000 FashionMNIST images.
var paperSizes = []int{784, 500, 500, 500, 5}

// nominalFlops counts the dense multiply-adds, times two, of a step: forward and
// update in every layer, the deltas in every layer but the first.
func nominalFlops(batch int) float64 {
	flops := 0
	for l := range len(paperSizes) - 1 {
		products := 2
		if l > 0 {
			products = 3
		}
		flops += 2 * products * paperSizes[l] * paperSizes[l+1]
	}
	return float64(batch * flops)
}

func paperTrainer(b *testing.B, batch int) *Trainer[float32] {
	b.Helper()
	set, _, err := dataset.Load(b.Context(), dataset.Request{Name: "fashion-mnist-mini"})
	if err != nil {
		b.Fatal(err)
	}
	net, err := nn.New[float32](nn.FNN(784, []int{500, 500, 500}, 5, nn.ReLU))
	if err != nil {
		b.Fatal(err)
	}
	net.Initialise(nn.PyTorchInit, rand.New(rand.NewPCG(1, 1)))
	data := nn.Data[float32]{N: set.Len(), X: set.X, Y: set.Y, Classification: true}
	cfg := Config{LearningRate: 0.1, BatchSize: batch, Iterations: 1 << 40, HistoryEvery: 1 << 40}
	t, err := NewTrainer(net, data, cfg, 1)
	if err != nil {
		b.Fatal(err)
	}
	// Long enough for the activations to be as sparse as in a training.
	for range 500 {
		if err := t.Step(); err != nil {
			b.Fatal(err)
		}
	}
	return t
}

// vggTrainer trains the VGG of the paper's second experiment, 16-M-16-M-32-M-64-M-64-M
// and a linear layer of 128, on random images of CIFAR-10's shape.
func vggTrainer(b *testing.B, batch int) (*Trainer[float32], float64) {
	b.Helper()
	arch := nn.Architecture{Input: []int{3, 32, 32}}
	flops, in, side := 0, 3, 32
	for l, out := range []int{16, 16, 32, 64, 64} {
		arch.Layers = append(arch.Layers, nn.Conv(out, 3, 1, 1), nn.Activate(nn.ReLU), nn.MaxPool(2))
		products := 3
		if l == 0 {
			products = 2
		}
		flops += 2 * products * out * in * 9 * side * side
		in, side = out, side/2
	}
	flops += 2 * 3 * (64*128 + 128*2)
	arch.Layers = append(arch.Layers, nn.Flatten(), nn.Linear(128), nn.Activate(nn.ReLU), nn.Linear(2))
	net, err := nn.New[float32](arch)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	net.Initialise(nn.PyTorchInit, rng)
	const n = 200
	data := nn.Data[float32]{N: n, X: make([]float32, n*3072), Y: make([]float32, n*2), Classification: true}
	for i := range data.X {
		data.X[i] = rng.Float32()
	}
	for i := range n {
		data.Y[2*i+i%2] = 1
	}
	cfg := Config{LearningRate: 0.01, BatchSize: batch, Iterations: 1 << 40, HistoryEvery: 1 << 40}
	t, err := NewTrainer(net, data, cfg, 1)
	if err != nil {
		b.Fatal(err)
	}
	return t, float64(batch * flops)
}

// BenchmarkVGGStep is BenchmarkStep for the VGG.
func BenchmarkVGGStep(b *testing.B) {
	for _, batch := range []int{5, 20, 50} {
		b.Run(fmt.Sprintf("B=%d", batch), func(b *testing.B) {
			t, flops := vggTrainer(b, batch)
			benchmarkSteps(b, t, flops)
		})
	}
}

// peakSeconds times one round of multiply-adds on registers, and returns the
// time that the nominal operations of a step would take at that rate.
func peakSeconds(flops float64) float64 {
	start := time.Now()
	done := kernel.FMAPeakLoop32(20000)
	return flops / float64(done) * time.Since(start).Seconds()
}

// BenchmarkStep times whole steps of SGD on real images: drawing and gathering
// the batch, forward, backward, update. It reports the best and the median step
// and their share of the core's float32 peak, measured between the steps.
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{5, 10, 20, 50} {
		b.Run(fmt.Sprintf("B=%d", batch), func(b *testing.B) {
			benchmarkSteps(b, paperTrainer(b, batch), nominalFlops(batch))
		})
	}
}

func benchmarkSteps(b *testing.B, t *Trainer[float32], flops float64) {
	var steps, peaks []float64
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		peaks = append(peaks, peakSeconds(flops))
		start := time.Now()
		if err := t.Step(); err != nil {
			b.Fatal(err)
		}
		steps = append(steps, time.Since(start).Seconds())
	}
	slices.Sort(steps)
	best, median, peak := steps[0], steps[len(steps)/2], slices.Min(peaks)
	b.ReportMetric(1e3*best, "best-ms")
	b.ReportMetric(1e3*median, "median-ms")
	b.ReportMetric(100*peak/best, "best-%peak")
	b.ReportMetric(100*peak/median, "median-%peak")
	b.ReportMetric(flops/peak/1e9, "peak-GFLOP/s")
}

// BenchmarkTwoPoints compares two trainings at once with one after the other:
// with two free cores the speed-up is near 2.
func BenchmarkTwoPoints(b *testing.B) {
	trainers := []*Trainer[float32]{paperTrainer(b, 20), paperTrainer(b, 20)}
	const steps = 300
	run := func(t *Trainer[float32]) {
		for range steps {
			if err := t.Step(); err != nil {
				b.Error(err)
			}
		}
	}
	var speedups []float64
	for b.Loop() {
		start := time.Now()
		for _, t := range trainers {
			run(t)
		}
		alone := time.Since(start)
		start = time.Now()
		var both sync.WaitGroup
		for _, t := range trainers {
			both.Go(func() { run(t) })
		}
		both.Wait()
		speedups = append(speedups, float64(alone)/float64(time.Since(start)))
	}
	slices.Sort(speedups)
	b.ReportMetric(speedups[len(speedups)/2], "median-speedup")
	b.ReportMetric(speedups[len(speedups)-1], "best-speedup")
}
