package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// One step of SGD of 784-500-500-500-5 at batch size B: forward, gradient of
// the loss, backward to the hidden layers, update of all four layers.
type network struct {
	layers []*Weights[float32]
	bias   [][]float32
	act    [][]float32 // act[0] is the input
	delta  [][]float32
	batch  int
}

var widths = []int{784, 500, 500, 500, 5}

func newNetwork(batch int) *network {
	g := rand.New(rand.NewPCG(11, 12))
	n := &network{batch: batch}
	for l, in := range widths[:len(widths)-1] {
		out := widths[l+1]
		w := NewWeights[float32](out, in)
		dense := make([]float32, out*in)
		for i := range dense {
			dense[i] = float32(g.NormFloat64()) * 0.05
		}
		w.Pack(dense)
		n.layers = append(n.layers, w)
		// Biases below zero leave about 60% of the activations at zero.
		bias := make([]float32, Stride[float32](out))
		for i := range out {
			bias[i] = -0.1
		}
		n.bias = append(n.bias, bias)
	}
	for _, w := range widths {
		n.act = append(n.act, aligned[float32](batch*Stride[float32](w)))
		n.delta = append(n.delta, aligned[float32](batch*Stride[float32](w)))
	}
	stride := Stride[float32](widths[0])
	for i := range widths[0] {
		row, column := i/28-14, i%28-14
		inside := row*row+column*column < 130
		for b := range batch {
			if inside && g.Float64() < 0.8 || !inside && g.Float64() < 0.2 {
				n.act[0][b*stride+i] = g.Float32()
			}
		}
	}
	return n
}

// products lets the ladder swap the implementation of the three products.
type products struct {
	forward  func(w *Weights[float32], y, x, bias []float32, batch int, relu bool)
	backward func(w *Weights[float32], dx, dy, gate []float32, batch int)
	update   func(w *Weights[float32], alpha float32, dy, x, bias []float32, batch int)
}

var packed = products{
	forward: (*Weights[float32]).Forward, backward: (*Weights[float32]).Backward, update: (*Weights[float32]).Update,
}

// step returns the time at the end of each phase. The learning rate is too
// small to move the activations away from what they were.
func (n *network) step(p *products) (t [4]time.Time) {
	last := len(n.layers) - 1
	t[0] = time.Now()
	for l, w := range n.layers {
		p.forward(w, n.act[l+1], n.act[l], n.bias[l], n.batch, l < last)
	}
	for i, v := range n.act[last+1] {
		n.delta[last+1][i] = v / float32(n.batch)
	}
	t[1] = time.Now()
	for l := last; l > 0; l-- {
		p.backward(n.layers[l], n.delta[l], n.delta[l+1], n.act[l], n.batch)
	}
	t[2] = time.Now()
	for l, w := range n.layers {
		p.update(w, -1e-6, n.delta[l+1], n.act[l], n.bias[l], n.batch)
	}
	t[3] = time.Now()
	return t
}

// flops counts the dense products, whatever an implementation skips.
func (n *network) flops() (forward, backward, update float64) {
	for l, w := range n.layers {
		f := 2 * float64(w.Out*w.In*n.batch)
		forward += f
		update += f
		if l > 0 {
			backward += f
		}
	}
	return forward, backward, update
}

// sample collects the repetitions of one quantity, in nanoseconds.
type sample []float64

func (s *sample) add(d time.Duration) { *s = append(*s, float64(d)) }

func (s sample) min() float64 { return slices.Min(s) }

func (s sample) median() float64 {
	c := slices.Clone(s)
	slices.Sort(c)
	return c[len(c)/2]
}

// report gives the time and the fraction of the peak, of the best and of the
// median repetition.
func (s sample) report(b *testing.B, name string, flops, peak float64) {
	b.ReportMetric(s.min()/1e3, name+"-min-µs")
	b.ReportMetric(s.median()/1e3, name+"-med-µs")
	b.ReportMetric(100*flops/s.min()/peak, name+"-min-%peak")
	b.ReportMetric(100*flops/s.median()/peak, name+"-med-%peak")
}

// measuredPeak is one measurement of the peak in GFLOP/s, with the best loop
// that the machine has, whatever implementation is being measured. It is short
// enough to stand between the repetitions of a product.
func measuredPeak(loop func(int) int) float64 {
	now := Name() != "portable"
	setSIMD(haveSIMD)
	t := time.Now()
	flops := loop(10_000)
	rate := float64(flops) / float64(time.Since(t))
	setSIMD(now)
	return rate
}

func benchmarkNetwork(b *testing.B, p *products, n *network) {
	var forward, backward, update, whole sample
	peak := 0.0
	n.step(p)
	for b.Loop() {
		peak = max(peak, measuredPeak(FMAPeakLoop32))
		t := n.step(p)
		forward.add(t[1].Sub(t[0]))
		backward.add(t[2].Sub(t[1]))
		update.add(t[3].Sub(t[2]))
		whole.add(t[3].Sub(t[0]))
	}
	f, d, u := n.flops()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(peak, "peak-GFLOP/s")
	whole.report(b, "step", f+d+u, peak)
	forward.report(b, "fwd", f, peak)
	backward.report(b, "bwd", d, peak)
	update.report(b, "upd", u, peak)
}

// A rung of the ladder from the naive loops to the fastest kernels.
type rung struct {
	name       string
	simd, skip bool
	products   *products
}

func ladder() []rung {
	l := []rung{{name: "naive", products: &naive}, {name: "portable", products: &packed}}
	if haveSIMD {
		l = append(l, rung{simdName, true, false, &packed}, rung{simdName + "-skip-zeros", true, true, &packed})
	}
	return l
}

// BenchmarkStep climbs the ladder on a step whose inputs and activations have
// the zeros of images and of rectifiers. Metrics count the dense products, so
// that skipping zeros may exceed the peak.
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{5, 10, 20, 50} {
		n := newNetwork(batch)
		for _, r := range ladder() {
			b.Run(fmt.Sprintf("B=%d/%s", batch, r.name), func(b *testing.B) {
				setSIMD(r.simd)
				setSkipZeros(r.skip)
				benchmarkNetwork(b, r.products, n)
				setSIMD(haveSIMD)
				setSkipZeros(true)
			})
		}
	}
}

// BenchmarkGemm multiplies square matrices.
func BenchmarkGemm(b *testing.B) {
	for _, n := range []int{100, 500, 1000} {
		b.Run(fmt.Sprintf("float32/n=%d", n), func(b *testing.B) { benchmarkGemm[float32](b, n, FMAPeakLoop32) })
		b.Run(fmt.Sprintf("float64/n=%d", n), func(b *testing.B) { benchmarkGemm[float64](b, n, FMAPeakLoop64) })
	}
}

func benchmarkGemm[T Float](b *testing.B, n int, peakLoop func(int) int) {
	g := rand.New(rand.NewPCG(13, 14))
	x, y, z := make([]T, n*n), make([]T, n*n), make([]T, n*n)
	for i := range x {
		x[i], y[i] = T(g.NormFloat64()), T(g.NormFloat64())
	}
	var times sample
	peak := 0.0
	for b.Loop() {
		peak = max(peak, measuredPeak(peakLoop))
		t := time.Now()
		Gemm(false, true, n, n, n, 1, x, n, y, n, 0, z, n)
		times.add(time.Since(t))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(peak, "peak-GFLOP/s")
	times.report(b, "gemm", 2*float64(n*n*n), peak)
}
