package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The convolutions of the VGG of the experiments, 16-M-16-M-32-M-64-M-64-M on
// 3×32×32, as fused blocks: out, in, size of the map.
var vggBlocks = [][3]int{{16, 3, 32}, {16, 16, 16}, {32, 16, 8}, {64, 32, 4}, {64, 64, 2}}

type vgg struct {
	blocks       []*ConvPool[float32]
	bias, work   [][]float32
	image, delta [][]float32 // delta[l] is the gradient of image[l]
	offset       [][]int32
	batches      [][]float32 // inputs that take turns as image[0]
	batch        int
}

// manyBatches is enough that no predictor learns the positions of the maxima.
const manyBatches = 24

func newVGG(batch int) *vgg {
	g := rand.New(rand.NewPCG(31, 32))
	v := &vgg{batch: batch}
	for _, s := range vggBlocks {
		c := NewConvPool[float32](s[0], s[1], s[2], s[2])
		dense := make([]float32, s[0]*s[1]*9)
		for i := range dense {
			dense[i] = float32(g.NormFloat64()) * 0.08
		}
		c.Pack(dense)
		v.blocks = append(v.blocks, c)
		v.bias = append(v.bias, make([]float32, s[0]))
		v.work = append(v.work, aligned[float32](c.WorkSize()))
		v.image = append(v.image, aligned[float32](batch*c.ImageSize()))
		v.delta = append(v.delta, aligned[float32](batch*c.Inputs()))
		v.offset = append(v.offset, make([]int32, batch*c.Outputs()))
	}
	last := v.blocks[len(v.blocks)-1]
	v.image = append(v.image, aligned[float32](batch*last.PooledSize()))
	v.delta = append(v.delta, aligned[float32](batch*last.Outputs()))
	planes := make([]float32, v.blocks[0].Inputs())
	for range manyBatches {
		x := aligned[float32](batch * v.blocks[0].ImageSize())
		for b := range batch {
			for i := range planes {
				planes[i] = float32(g.NormFloat64())
			}
			v.blocks[0].SetImage(x, b, planes)
		}
		v.batches = append(v.batches, x)
	}
	v.image[0] = v.batches[0]
	v.forward(0)
	for b := range batch {
		for o, y := range last.pooled(v.image[len(v.blocks)][b*last.PooledSize():], 0) {
			if y > 0 {
				v.delta[len(v.blocks)][b*last.Outputs()+o] = float32(g.NormFloat64()) / float32(batch)
			}
		}
	}
	return v
}

func (v *vgg) forwardLayer(l int) {
	v.blocks[l].Forward(v.image[l+1], v.offset[l], v.image[l], v.bias[l], v.batch)
}

func (v *vgg) forward(from int) {
	for l := from; l < len(v.blocks); l++ {
		v.forwardLayer(l)
	}
}

func (v *vgg) backwardLayer(l int) {
	v.blocks[l].Backward(v.delta[l], v.delta[l+1], v.offset[l], v.image[l], v.work[l], v.batch)
}

// updateLayer takes a rate too small to move the activations.
func (v *vgg) updateLayer(l int) {
	v.blocks[l].Update(-1e-7, v.delta[l+1], v.offset[l], v.image[l], v.bias[l], v.batch)
}

// flops is the nominal work of one product of a layer.
func (v *vgg) flops(l int) float64 {
	c := v.blocks[l]
	return 2 * 9 * float64(c.InC*c.OutC*c.H*c.W*v.batch)
}

// BenchmarkConvPool reports every product of every layer and the whole step of
// the convolutions, without the gradient of the image. Rates count the dense
// products.
func BenchmarkConvPool(b *testing.B) {
	for _, batch := range []int{5, 20, 50} {
		for _, on := range []bool{false, true} {
			if on && !haveSIMD {
				continue
			}
			setSIMD(on)
			b.Run(fmt.Sprintf("B=%d/%s", batch, Name()), func(b *testing.B) { benchmarkVGG(b, newVGG(batch)) })
			setSIMD(haveSIMD)
		}
	}
}

func benchmarkVGG(b *testing.B, v *vgg) {
	n := len(v.blocks)
	var whole sample
	phases := make([][3]sample, n)
	peak, total, turn := 0.0, 0.0, 0
	for b.Loop() {
		peak = max(peak, measuredPeak(FMAPeakLoop32))
		turn++
		v.image[0] = v.batches[turn%manyBatches]
		start := time.Now()
		t := start
		lap := func(l, phase int) {
			now := time.Now()
			phases[l][phase].add(now.Sub(t))
			t = now
		}
		for l := range n {
			v.forwardLayer(l)
			lap(l, 0)
		}
		for l := n - 1; l >= 0; l-- {
			if l > 0 {
				v.backwardLayer(l)
				lap(l, 1)
			}
			v.updateLayer(l)
			lap(l, 2)
		}
		whole.add(t.Sub(start))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(peak, "peak-GFLOP/s")
	for l := range n {
		for phase, name := range []string{"fwd", "bwd", "upd"} {
			if l == 0 && phase == 1 {
				continue
			}
			total += v.flops(l)
			phases[l][phase].report(b, fmt.Sprintf("L%d-%s", l+1, name), v.flops(l), peak)
		}
	}
	whole.report(b, "conv", total, peak)
}

// BenchmarkConvPoolPowers forms the powers 2, 4 and 6 of the per-sample weight
// gradients of all layers, given the deltas.
func BenchmarkConvPoolPowers(b *testing.B) {
	v := newVGG(20)
	v.backwardLayer(4)
	for l := 3; l > 0; l-- {
		v.backwardLayer(l)
	}
	var times sample
	layers := make([]sample, len(v.blocks))
	var weights, bias [3]float64
	for b.Loop() {
		start := time.Now()
		for l, c := range v.blocks {
			t := time.Now()
			for i := range v.batch {
				c.SamplePowers(weights[:], bias[:], v.delta[l+1], v.offset[l], v.image[l], i)
			}
			layers[l].add(time.Since(t))
		}
		times.add(time.Since(start))
	}
	b.ReportMetric(0, "ns/op")
	for l, s := range layers {
		b.ReportMetric(s.min()/1e3/20, fmt.Sprintf("L%d-min-µs/sample", l+1))
	}
	b.ReportMetric(times.min()/1e3/20, "min-µs/sample")
	b.ReportMetric(times.median()/1e3/20, "med-µs/sample")
}
