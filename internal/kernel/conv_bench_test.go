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

// generalLayer is a layer by the general form: patches, a dense product and
// max-pooling, a group of samples at a time, so that patches stay in the second
// cache. The backward pass makes them anew.
type generalLayer struct {
	shape                    ConvShape
	pool                     PoolShape
	w                        *Weights[float32]
	patches, y, dy, dpatches []float32 // of a group
	image, delta             []float32 // input and its gradient
	where                    []uint16
	group                    int
}

func newGeneralLayer(c *ConvPool[float32], batch int) *generalLayer {
	const patchElements = 1 << 16
	s := ConvShape{InC: c.InC, InH: c.H, InW: c.W, OutC: c.OutC, Kernel: 3, Stride: 1, Padding: 1}
	stride, pixel := Stride[float32](s.PatchSize()), Stride[float32](c.OutC)
	group := max(1, min(batch, patchElements/(s.Positions()*stride)))
	rows := group * s.Positions()
	torch, dense := make([]float32, c.OutC*c.InC*9), make([]float32, c.OutC*c.InC*9)
	c.Unpack(torch)
	FromTorch(s, dense, torch)
	g := &generalLayer{
		shape: s, pool: PoolShape{C: c.OutC, H: c.H, W: c.W, Size: 2}, w: NewWeights[float32](c.OutC, s.PatchSize()),
		patches: aligned[float32](rows * stride), dpatches: aligned[float32](rows * stride),
		y: aligned[float32](rows * pixel), dy: aligned[float32](rows * pixel),
		image: aligned[float32](batch * c.H * c.W * mapPixel(c.InC)), delta: aligned[float32](batch * c.H * c.W * mapPixel(c.InC)),
		where: make([]uint16, batch*c.Outputs()), group: group,
	}
	g.w.Pack(dense)
	return g
}

// mapPixel is the distance between the pixels of a map with c channels: the image is
// compact, maps lie as the dense product writes them.
func mapPixel(c int) int {
	if c == 3 {
		return c
	}
	return Stride[float32](c)
}

type generalVGG struct {
	layers     []*generalLayer
	bias       [][]float32
	top, delta []float32 // pooled output of the last layer and its gradient
	batch      int
}

func newGeneralVGG(v *vgg) *generalVGG {
	n := &generalVGG{batch: v.batch}
	for _, c := range v.blocks {
		n.layers = append(n.layers, newGeneralLayer(c, v.batch))
		n.bias = append(n.bias, make([]float32, Stride[float32](c.OutC)))
	}
	g := rand.New(rand.NewPCG(33, 34))
	for i := range n.layers[0].image {
		n.layers[0].image[i] = float32(g.NormFloat64())
	}
	n.top = aligned[float32](v.batch * Stride[float32](64))
	n.delta = aligned[float32](v.batch * Stride[float32](64))
	for i := range n.delta {
		n.delta[i] = float32(g.NormFloat64()) / float32(v.batch)
	}
	return n
}

// groups calls visit for the first sample and the size of every group.
func (g *generalLayer) groups(batch int, visit func(b, n int)) {
	for b := 0; b < batch; b += g.group {
		visit(b, min(g.group, batch-b))
	}
}

func (n *generalVGG) patches(l, b, samples int) {
	g := n.layers[l]
	pixel := mapPixel(g.shape.InC)
	Im2col(g.shape, g.patches, g.image[b*g.shape.InH*g.shape.InW*pixel:], pixel, samples)
}

func (n *generalVGG) forward(l int) {
	g := n.layers[l]
	to := n.top
	if l+1 < len(n.layers) {
		to = n.layers[l+1].image
	}
	pixel, pooled := Stride[float32](g.shape.OutC), g.pool.OutH()*g.pool.OutW()
	g.groups(n.batch, func(b, samples int) {
		n.patches(l, b, samples)
		g.w.Forward(g.y, g.patches, n.bias[l], samples*g.shape.Positions(), true)
		MaxPool(g.pool, to[b*pooled*pixel:], pixel, g.where[b*pooled*g.shape.OutC:], g.y, pixel, samples)
	})
}

// backward does the input gradient, but of the image, and the update: they share
// what unpooling and patches cost.
func (n *generalVGG) backward(l int, delta []float32) {
	g := n.layers[l]
	pixel, pooled := Stride[float32](g.shape.OutC), g.pool.OutH()*g.pool.OutW()
	in := g.shape.InH * g.shape.InW * mapPixel(g.shape.InC)
	g.groups(n.batch, func(b, samples int) {
		MaxPoolBackward(g.pool, g.dy, pixel, delta[b*pooled*pixel:], pixel, g.where[b*pooled*g.shape.OutC:], samples)
		n.patches(l, b, samples)
		rows := samples * g.shape.Positions()
		if l > 0 {
			g.w.Backward(g.dpatches, g.dy, nil, rows)
			Col2im(g.shape, g.delta[b*in:], g.dpatches, mapPixel(g.shape.InC), samples)
			Gate(g.delta[b*in:(b+samples)*in], g.image[b*in:(b+samples)*in])
		}
		g.w.Update(-1e-7, g.dy, g.patches, n.bias[l], rows)
	})
}

// BenchmarkConvPool climbs the ladder: the general form, then the fused blocks.
// It reports every product of every layer and the whole step of the
// convolutions, without the gradient of the image. Rates count the dense
// products.
func BenchmarkConvPool(b *testing.B) {
	for _, batch := range []int{5, 20, 50} {
		v := newVGG(batch)
		general := newGeneralVGG(v)
		run := func(name string, simd, fast bool, body func(b *testing.B)) {
			b.Run(fmt.Sprintf("B=%d/%s", batch, name), func(b *testing.B) {
				setSIMD(simd)
				setWinograd(fast)
				body(b)
				setSIMD(haveSIMD)
				setWinograd(true)
			})
		}
		fused := func(b *testing.B) {
			for _, c := range v.blocks {
				c.pack()
			}
			benchmarkVGG(b, v)
		}
		run("im2col-portable", false, false, func(b *testing.B) { benchmarkGeneral(b, v, general) })
		run("fused-portable", false, false, fused)
		if haveSIMD {
			run("im2col-"+simdName, true, false, func(b *testing.B) { benchmarkGeneral(b, v, general) })
			run("fused-"+simdName, true, false, fused)
			run("winograd-"+simdName, true, true, fused)
		}
	}
}

// laps collects the times of the products of the layers and of the whole step.
type laps struct {
	phases [][3]sample
	whole  sample
	last   time.Time
	peak   float64
}

func newLaps(layers int) *laps { return &laps{phases: make([][3]sample, layers)} }

func (p *laps) lap(layer, phase int) {
	now := time.Now()
	p.phases[layer][phase].add(now.Sub(p.last))
	p.last = now
}

func (p *laps) report(b *testing.B, v *vgg) {
	total := -v.flops(0) // no gradient of the image
	for l := range v.blocks {
		total += 3 * v.flops(l)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(p.peak, "peak-GFLOP/s")
	for l := range p.phases {
		for phase, name := range []string{"fwd", "bwd", "upd"} {
			if len(p.phases[l][phase]) > 0 {
				p.phases[l][phase].report(b, fmt.Sprintf("L%d-%s", l+1, name), v.flops(l), p.peak)
			}
		}
	}
	p.whole.report(b, "conv", total, p.peak)
}

func benchmarkVGG(b *testing.B, v *vgg) {
	n, turn := len(v.blocks), 0
	p := newLaps(n)
	for b.Loop() {
		p.peak = max(p.peak, measuredPeak(FMAPeakLoop32))
		turn++
		v.image[0] = v.batches[turn%manyBatches]
		start := time.Now()
		p.last = start
		for l := range n {
			v.forwardLayer(l)
			p.lap(l, 0)
		}
		for l := n - 1; l >= 0; l-- {
			if l > 0 {
				v.backwardLayer(l)
				p.lap(l, 1)
			}
			v.updateLayer(l)
			p.lap(l, 2)
		}
		p.whole.add(time.Since(start))
	}
	p.report(b, v)
}

// benchmarkGeneral counts the update as part of bwd.
func benchmarkGeneral(b *testing.B, v *vgg, n *generalVGG) {
	p := newLaps(len(n.layers))
	for b.Loop() {
		p.peak = max(p.peak, measuredPeak(FMAPeakLoop32))
		start := time.Now()
		p.last = start
		for l := range n.layers {
			n.forward(l)
			p.lap(l, 0)
		}
		delta := n.delta
		for l := len(n.layers) - 1; l >= 0; l-- {
			n.backward(l, delta)
			delta = n.layers[l].delta
			p.lap(l, 1)
		}
		p.whole.add(time.Since(start))
	}
	p.report(b, v)
}

// vggHead is what follows the convolutions: 64 → 128, ReLU, → 2.
type vggHead struct {
	hidden, top           *Weights[float32]
	hiddenBias, topBias   []float32
	rows, h, y, drows, dh []float32
	delta                 []float32
	random                *rand.Rand
}

func newVGGHead(v *vgg) *vggHead {
	g := rand.New(rand.NewPCG(35, 36))
	weights := func(out, in int) *Weights[float32] {
		dense := make([]float32, out*in)
		for i := range dense {
			dense[i] = float32(g.NormFloat64()) * 0.1
		}
		w := NewWeights[float32](out, in)
		w.Pack(dense)
		return w
	}
	rows := func(features int) []float32 { return aligned[float32](v.batch * Stride[float32](features)) }
	return &vggHead{
		hidden: weights(128, 64), top: weights(2, 128),
		hiddenBias: make([]float32, Stride[float32](128)), topBias: make([]float32, Stride[float32](2)),
		rows: rows(64), h: rows(128), y: rows(2), drows: rows(64), dh: rows(128), delta: rows(2), random: g,
	}
}

// step is a whole step of SGD but the loss itself: it copies a batch of images,
// goes forward and back and updates every layer.
func (n *vggHead) step(v *vgg) {
	c, last := v.blocks[0], v.blocks[len(v.blocks)-1]
	for b := range v.batch {
		from := v.batches[n.random.IntN(manyBatches)][n.random.IntN(v.batch)*c.ImageSize():]
		copy(v.image[0][b*c.ImageSize():][:c.ImageSize()], from)
	}
	v.forward(0)
	last.Flatten(n.rows, v.image[len(v.blocks)], v.batch)
	n.hidden.Forward(n.h, n.rows, n.hiddenBias, v.batch, true)
	n.top.Forward(n.y, n.h, n.topBias, v.batch, false)
	for i, y := range n.y {
		n.delta[i] = y / float32(v.batch)
	}
	n.top.Backward(n.dh, n.delta, n.h, v.batch)
	n.hidden.Backward(n.drows, n.dh, n.rows, v.batch)
	n.top.Update(-1e-7, n.delta, n.h, n.topBias, v.batch)
	n.hidden.Update(-1e-7, n.dh, n.rows, n.hiddenBias, v.batch)
	last.Unflatten(v.delta[len(v.blocks)], n.drows, v.batch)
	for l := len(v.blocks) - 1; l >= 0; l-- {
		if l > 0 {
			v.backwardLayer(l)
		}
		v.updateLayer(l)
	}
}

// BenchmarkVGGStep is the whole step.
func BenchmarkVGGStep(b *testing.B) {
	for _, batch := range []int{5, 20, 50} {
		b.Run(fmt.Sprintf("B=%d", batch), func(b *testing.B) {
			v := newVGG(batch)
			v.image[0] = aligned[float32](batch * v.blocks[0].ImageSize())
			n := newVGGHead(v)
			flops := 6*float64(batch*(64*128+128*2)) - v.flops(0)
			for l := range v.blocks {
				flops += 3 * v.flops(l)
			}
			var whole sample
			peak := 0.0
			for b.Loop() {
				peak = max(peak, measuredPeak(FMAPeakLoop32))
				t := time.Now()
				n.step(v)
				whole.add(time.Since(t))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(peak, "peak-GFLOP/s")
			whole.report(b, "step", flops, peak)
		})
	}
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

// BenchmarkConvPoolImage is the gradient of the images, 20 of them: the backward
// product of the first layer, which a step of SGD does not need and the moments do.
func BenchmarkConvPoolImage(b *testing.B) {
	v := newVGG(20)
	for l := len(v.blocks) - 1; l > 0; l-- {
		v.backwardLayer(l)
	}
	c := v.blocks[0]
	for _, simd := range []bool{false, true} {
		if simd && !haveSIMD {
			continue
		}
		setSIMD(simd)
		b.Run(Name(), func(b *testing.B) {
			var times sample
			peak := 0.0
			for b.Loop() {
				peak = max(peak, measuredPeak(FMAPeakLoop32))
				start := time.Now()
				c.Backward(v.delta[0], v.delta[1], v.offset[0], nil, v.work[0], v.batch)
				times.add(time.Since(start))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(peak, "peak-GFLOP/s")
			times.report(b, "L1-bwd", v.flops(0), peak)
		})
	}
	setSIMD(haveSIMD)
}
