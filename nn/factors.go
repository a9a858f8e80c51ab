package nn

import "sobolev/internal/kernel"

// A layer that is affine at every one of its Q positions has the gradient
//
//	∇_W f_o(x_i) = Σ_q δ_q p_qᵀ,   ∇_b f_o(x_i) = Σ_q δ_q
//
// at one sample and output, with its deltas δ (Q×outputs) and the patches p
// (Q×inputs) of its input: the factors. A dense layer has a single position.
type factored[T kernel.Float] interface {
	trainable[T]
	factorShape() (positions, outputs, inputs int)
	// patchFactor and deltaFactor write the factors of row i, row-major without
	// gaps. Patches are in the order of the kernels, [ky][kx][in].
	patchFactor(dst []T, s *state[T], x []T, i int)
	deltaFactor(dst []T, s *state[T], dy []T, i int)
}

func (d *dense[T]) factorShape() (positions, outputs, inputs int) {
	return 1, d.weights.Out, d.weights.In
}

func (d *dense[T]) patchFactor(dst []T, _ *state[T], x []T, i int) {
	copy(dst, row(x, i, d.weights.In))
}

func (d *dense[T]) deltaFactor(dst []T, _ *state[T], dy []T, i int) {
	copy(dst, row(dy, i, d.weights.Out))
}

func (c *conv[T]) factorShape() (positions, outputs, inputs int) {
	return c.shape.Positions(), c.shape.OutC, c.shape.PatchSize()
}

func (c *conv[T]) patchFactor(dst []T, s *state[T], _ []T, i int) {
	compact(dst, s.patches, i*c.shape.Positions(), c.shape.Positions(), c.shape.PatchSize())
}

func (c *conv[T]) deltaFactor(dst []T, _ *state[T], dy []T, i int) {
	compact(dst, dy, i*c.shape.Positions(), c.shape.Positions(), c.shape.OutC)
}

// compact copies rows of a padded buffer without the padding.
func compact[T kernel.Float](dst, from []T, first, rows, width int) {
	for q := range rows {
		copy(dst[q*width:(q+1)*width], row(from, first+q, width))
	}
}

func (c *convPool[T]) factorShape() (positions, outputs, inputs int) {
	s := c.unpooled()
	return s.Positions(), s.OutC, s.PatchSize()
}

func (c *convPool[T]) patchFactor(dst []T, s *state[T], x []T, i int) {
	shape := c.unpooled()
	if s.patches == nil { // of one sample; training has no use for it
		s.patches = make([]T, shape.Positions()*kernel.Stride[T](shape.PatchSize()))
	}
	kernel.Im2col(shape, s.patches, x[i*c.in().value:], c.pixel(), 1)
	compact(dst, s.patches, 0, shape.Positions(), shape.PatchSize())
}

// deltaFactor has the deltas where the maxima were.
func (c *convPool[T]) deltaFactor(dst []T, s *state[T], dy []T, i int) {
	size, channels := c.weights.Outputs(), c.weights.OutC
	clear(dst[:c.unpooled().Positions()*channels])
	c.eachMaximum(s.offset[i*size:], func(from, _, position, o int) {
		dst[position*channels+o] = dy[i*size+from]
	})
}

// sampleGradient writes the gradient of row i alone, weights in the order of the
// kernels and the bias behind them; patch is what patchFactor wrote and delta is
// scratch, where the layer is factored.
func (n *Network[T]) sampleGradient(dst []T, j int, ws *Workspace[T], patch, delta []T, i int) {
	l := n.stageOf[j]
	s, dy := ws.state[l], ws.delta[l]
	if norm, ok := n.layers[j].(*batchNorm[T]); ok {
		size := norm.input.gradient
		byWeight, byBias := norm.channelSums(s, dy, ws.value[l], i*size, (i+1)*size)
		copy(dst[copy(dst, byWeight):], byBias)
		return
	}
	layer := n.layers[j].(factored[T])
	positions, outputs, inputs := layer.factorShape()
	layer.deltaFactor(delta, s, dy, i)
	weights, bias := dst[:outputs*inputs], dst[outputs*inputs:]
	kernel.Gemm(true, false, outputs, inputs, positions, 1, delta, outputs, patch, inputs, 0, weights, inputs)
	clear(bias)
	if len(bias) > 0 {
		for q := range positions {
			kernel.Axpy(bias, 1, delta[q*outputs:(q+1)*outputs])
		}
	}
}

// factorSizes returns the numbers of elements that patchFactor and deltaFactor
// write for layer j; zero for a batch normalisation.
func (n *Network[T]) factorSizes(j int) (patch, delta int) {
	if f, ok := n.layers[j].(factored[T]); ok {
		positions, outputs, inputs := f.factorShape()
		return positions * inputs, positions * outputs
	}
	return 0, 0
}

// gradientSize returns the number of parameters of layer j.
func (n *Network[T]) gradientSize(j int) int { return n.weights[j] + n.layers[j].biases() }

// layerFactors holds what a block of samples contributes to the Gram matrix of one
// layer: either the patches and deltas, or the gradients themselves.
type layerFactors[T kernel.Float] struct {
	// positions is Q; zero where the gradients are held. outputs and inputs are
	// the widths of deltas and patches.
	positions, outputs, inputs int
	bias                       bool
	patches                    []T // [sample][Q][inputs]
	deltas                     []T // [sample][output of the network][Q][outputs]
	size                       int
	gradients                  []T // [sample][output of the network][size]
}

// newLayerFactors chooses the cheaper form. For a pair of samples with c outputs,
// the products of patches and of deltas take Q²(inputs + c²·outputs) operations,
// that of the gradients c²·inputs·outputs. A dense layer is never formed.
func newLayerFactors[T kernel.Float](n *Network[T], j int) *layerFactors[T] {
	f := &layerFactors[T]{size: n.gradientSize(j), bias: n.layers[j].biases() > 0}
	if layer, ok := n.layers[j].(factored[T]); ok {
		positions, outputs, inputs := layer.factorShape()
		c := float64(n.Outputs())
		q, o, p := float64(positions), float64(outputs), float64(inputs)
		if positions == 1 || q*q*(p+c*c*(o+3)) < c*c*p*o {
			f.positions, f.outputs, f.inputs = positions, outputs, inputs
		}
	}
	return f
}

// perSample returns the number of elements for one sample.
func (f *layerFactors[T]) perSample(c int) int {
	if f.positions > 0 {
		return f.positions * (f.inputs + c*f.outputs)
	}
	return c * f.size
}

func (f *layerFactors[T]) allocate(samples, c int) {
	if f.positions > 0 {
		f.patches = make([]T, samples*f.positions*f.inputs)
		f.deltas = make([]T, samples*c*f.positions*f.outputs)
		return
	}
	f.gradients = make([]T, samples*c*f.size)
}

// factorMeter computes the factors of blocks of samples for some layers: those of
// the rows of R J.
type factorMeter[T kernel.Float] struct {
	meter  *gradientMeter[T]
	layers []int // indices among all layers
	block  int   // rows of the workspace
	// patch and delta are scratch for gradients: the patches of every row.
	patch [][]T
	delta []T
}

func newFactorMeter[T kernel.Float](n *Network[T], loss Loss, layers []int, block int) *factorMeter[T] {
	m := &factorMeter[T]{meter: newGradientMeter(n, block, 0), layers: layers, block: block}
	widest := 0
	for _, j := range layers {
		patch, delta := n.factorSizes(j)
		m.patch = append(m.patch, make([]T, block*patch))
		widest = max(widest, delta)
	}
	m.delta = make([]T, widest)
	m.meter.root = newLossRoot[T](loss, n.Outputs())
	return m
}

// factorMeterBytes returns the memory of a factorMeter with the given block.
func factorMeterBytes[T kernel.Float](n *Network[T], layers []int, block int) int64 {
	perRow, widest := n.workspaceBytes(), 0
	for _, j := range layers {
		patch, delta := n.factorSizes(j)
		perRow += sizeOf[T]() * int64(patch)
		widest = max(widest, delta)
	}
	return n.transposedBytes() + perRow*int64(block) + sizeOf[T]()*int64(widest)
}

// eachRow does the passes over samples from … from+count−1 and calls patches for
// every sample and layer, then row for every sample, output and layer; k is the
// index in layers and i the row of the workspace.
func (m *factorMeter[T]) eachRow(data Data[T], from, count int, patches func(k, sample, i int), row func(k, sample, output, i int)) {
	n := m.meter.net
	for at := 0; at < count; at += m.block {
		rows := min(m.block, count-at)
		n.forwardBlock(m.meter.ws, data, from+at, rows)
		for i := range rows {
			for k := range m.layers {
				patches(k, at+i, i)
			}
		}
		for o := range n.Outputs() {
			m.meter.deltas(o, rows)
			for i := range rows {
				for k := range m.layers {
					row(k, at+i, o, i)
				}
			}
		}
	}
}

// fill sets the factors of samples from … from+count−1.
func (m *factorMeter[T]) fill(f []*layerFactors[T], data Data[T], from, count int) {
	n, ws, c := m.meter.net, m.meter.ws, m.meter.net.Outputs()
	m.eachRow(data, from, count, func(k, sample, i int) {
		l := n.stageOf[m.layers[k]]
		if size := f[k].positions * f[k].inputs; size > 0 {
			n.layers[m.layers[k]].(factored[T]).patchFactor(f[k].patches[sample*size:(sample+1)*size], ws.state[l], ws.value[l], i)
		} else {
			m.setPatch(k, i)
		}
	}, func(k, sample, o, i int) {
		l, at := n.stageOf[m.layers[k]], sample*c+o
		if size := f[k].positions * f[k].outputs; size > 0 {
			n.layers[m.layers[k]].(factored[T]).deltaFactor(f[k].deltas[at*size:(at+1)*size], ws.state[l], ws.delta[l], i)
		} else {
			m.gradient(f[k].gradients[at*f[k].size:(at+1)*f[k].size], k, i)
		}
	})
}

// setPatch keeps the patches of row i for gradient.
func (m *factorMeter[T]) setPatch(k, i int) {
	n := m.meter.net
	if f, ok := n.layers[m.layers[k]].(factored[T]); ok {
		l := n.stageOf[m.layers[k]]
		f.patchFactor(m.patchOf(k, i), m.meter.ws.state[l], m.meter.ws.value[l], i)
	}
}

func (m *factorMeter[T]) patchOf(k, i int) []T {
	size := len(m.patch[k]) / m.block
	return m.patch[k][i*size : (i+1)*size]
}

// gradient writes the gradient of row i for the output of the last deltas.
func (m *factorMeter[T]) gradient(dst []T, k, i int) {
	m.meter.net.sampleGradient(dst, m.layers[k], m.meter.ws, m.patchOf(k, i), m.delta, i)
}

// layerIndices turns indices among the layers that train into indices among all
// layers; nil means all that train.
func (n *Network[T]) layerIndices(training []int) []int {
	var layers []int
	if training == nil {
		for j := n.frozen; j < len(n.layers); j++ {
			layers = append(layers, j)
		}
		return layers
	}
	for _, j := range training {
		if j < 0 || j >= len(n.training()) {
			panic("nn: the index of a layer that trains is out of range")
		}
		layers = append(layers, n.frozen+j)
	}
	return layers
}
