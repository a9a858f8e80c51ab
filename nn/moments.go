package nn

import (
	"fmt"
	"math"
	"slices"

	"sobolev/internal/kernel"
)

// GradientSums holds, for one sample x_i and one output c, the power sums
// Σ g^{2k} of the elements g of f_c's gradient; index k−1 is order k.
//
// A dense layer's weight gradient is the outer product of its delta and its
// input, so that Σ_{o,l} (δ_o x_l)^{2k} = Σ_o δ_o^{2k} · Σ_l x_l^{2k}: no
// per-sample gradient is ever formed. That of a convolution, Σ_positions δ_q
// patch_qᵀ, is formed for one sample at a time.
type GradientSums struct {
	// Input is the sum over the d inputs; with frozen layers, over the features:
	// the inputs of the first layer that trains.
	Input []float64
	// Image is the sum over the network's inputs where the first layers are
	// frozen; zero otherwise.
	Image []float64
	// Delta is the sum over the pre-activations of the first layer that trains,
	// every position of a convolution by itself.
	Delta []float64
	// Weight and Bias are the sums over the parameters of each layer that trains.
	Weight, Bias [][]float64
}

func newGradientSums(layers, orders int) GradientSums {
	s := GradientSums{Input: make([]float64, orders), Image: make([]float64, orders), Delta: make([]float64, orders)}
	for range layers {
		s.Weight = append(s.Weight, make([]float64, orders))
		s.Bias = append(s.Bias, make([]float64, orders))
	}
	return s
}

// add adds t to s, element by element.
func (s *GradientSums) add(t *GradientSums) {
	kernel.Axpy(s.Input, 1, t.Input)
	kernel.Axpy(s.Image, 1, t.Image)
	kernel.Axpy(s.Delta, 1, t.Delta)
	for l := range s.Weight {
		kernel.Axpy(s.Weight[l], 1, t.Weight[l])
		kernel.Axpy(s.Bias[l], 1, t.Bias[l])
	}
}

// Parameters returns the sum over all parameters that train, for order k.
func (s *GradientSums) Parameters(k int) float64 {
	var sum float64
	for l := range s.Weight {
		sum += s.Weight[l][k-1] + s.Bias[l][k-1]
	}
	return sum
}

// EachGradientSums calls visit with the power sums of orders 1 … orders of every
// sample and output; for each output the samples come in order. s is reused. memory limits the bytes of working
// memory; the result does not depend on it. Elements are computed in T, powers
// and sums in float64.
func (n *Network[T]) EachGradientSums(data Data[T], orders int, memory int64, visit func(i, c int, s *GradientSums)) error {
	if err := n.check(data); err != nil {
		return err
	}
	if err := n.perSample(); err != nil {
		return err
	}
	block, err := n.measuringBlock(data.N, memory)
	if err != nil {
		return err
	}
	lanes := n.lanes(data.N, block, memory/(n.transposedBytes()+int64(block)*n.workspaceBytes()))
	meters, sums := make([]*gradientMeter[T], lanes), make([][]GradientSums, lanes)
	for lane := range meters {
		meters[lane] = newGradientMeter(n, block, orders)
		for range block * n.Outputs() {
			sums[lane] = append(sums[lane], newGradientSums(len(n.training()), orders))
		}
	}
	next := 0
	eachWindow(lanes, data.N, block, func(lane, from, rows int) {
		m := meters[lane]
		n.forwardBlock(m.ws, data, from, rows)
		for c := range n.Outputs() {
			m.backward(c, rows)
			for i := range rows {
				m.sums(&sums[lane][c*block+i], i)
			}
		}
	}, func(rows []int) {
		for lane, r := range rows {
			for c := range n.Outputs() {
				for i := range r {
					visit(next+i, c, &sums[lane][c*block+i])
				}
			}
			next += r
		}
	})
	return nil
}

// measuringBlock returns the number of samples per block: the largest multiple
// of the kernels' row block, up to evaluationBlock, that fits into memory.
func (n *Network[T]) measuringBlock(samples int, memory int64) (int, error) {
	perRow := n.workspaceBytes()
	fixed := n.transposedBytes()
	block := min((memory-fixed)/perRow, evaluationBlock, int64(wholeRows(samples))) / kernel.RowBlock * kernel.RowBlock
	if block < kernel.RowBlock {
		return 0, fmt.Errorf("measuring the gradients' moments needs at least %d bytes of memory; the limit is %d", fixed+perRow*kernel.RowBlock, memory)
	}
	return int(block), nil
}

// MeasuringBytes returns the memory below which a network is not measured on that many
// samples: that of an evaluation by one worker, or of the gradients' moments where it
// is more.
func (n *Network[T]) MeasuringBytes(samples int) int64 {
	perRow := n.workspaceBytes()
	return max(perRow*int64(min(evaluationBlock, wholeRows(samples))), n.transposedBytes()+perRow*kernel.RowBlock)
}

// gradientMeter is the working memory of EachGradientSums.
type gradientMeter[T kernel.Float] struct {
	net *Network[T]
	ws  *Workspace[T]
	// transposed[l] is Wᵀ of stage l, if that is a dense layer. The backward pass
	// of training works on the panels of W, which change at every step; here they
	// stay, and the forward product on Wᵀ is faster: it skips the zeros of the
	// deltas.
	transposed []*kernel.Weights[T]
	noBias     []T
	root       *lossRoot[T] // nil where the gradients are those of the outputs
	layer      layerSums
}

func newGradientMeter[T kernel.Float](n *Network[T], block, orders int) *gradientMeter[T] {
	m := &gradientMeter[T]{
		net: n, ws: n.NewWorkspace(block),
		layer:      layerSums{delta: make([]float64, orders)},
		transposed: make([]*kernel.Weights[T], len(n.stages)),
	}
	m.ws.inputGradient = make([]T, block*n.stages[n.inputStage].in().gradient)
	if n.frozen > 0 {
		m.ws.imageGradient = make([]T, block*n.stages[0].in().gradient)
	}
	for l, s := range n.stages {
		if d, ok := s.(*dense[T]); ok {
			m.transposed[l] = transpose(d.weights)
			m.noBias = append(m.noBias, make([]T, max(0, kernel.Stride[T](d.weights.In)-len(m.noBias)))...)
		}
	}
	return m
}

// transpose returns Wᵀ, packed.
func transpose[T kernel.Float](w *kernel.Weights[T]) *kernel.Weights[T] {
	flat, turned := make([]T, w.Out*w.In), make([]T, w.Out*w.In)
	w.Unpack(flat)
	for o := range w.Out {
		for i, v := range flat[o*w.In : (o+1)*w.In] {
			turned[i*w.Out+o] = v
		}
	}
	t := kernel.NewWeights[T](w.In, w.Out)
	t.Pack(turned)
	return t
}

// transposedBytes returns the memory of all transposed weights, and of the two
// flat copies of the largest on the way.
func (n *Network[T]) transposedBytes() int64 {
	all, largest := 0, 0
	for _, s := range n.stages {
		if d, ok := s.(*dense[T]); ok {
			all += kernel.Stride[T](d.weights.In) * d.weights.Out
			largest = max(largest, d.weights.In*d.weights.Out)
		}
	}
	return sizeOf[T]() * int64(all+2*largest)
}

// deltas computes the deltas of output c, or of row c of R, of the layers that
// train.
func (m *gradientMeter[T]) deltas(c, rows int) {
	n, batch := m.net, wholeRows(rows)
	n.unitDelta(m.ws, c, batch)
	for i := 0; m.root != nil && i < rows; i++ {
		m.root.transposedTimes(row(m.ws.delta[len(n.stages)-1], i, n.Outputs()), n.Output(m.ws, i))
	}
	for l := len(n.stages) - 1; l > n.inputStage; l-- {
		m.backwardTo(l, batch)
	}
}

// backward computes the deltas and the input gradient of output c, and the image
// gradient where there is one.
func (m *gradientMeter[T]) backward(c, rows int) {
	n, ws, batch := m.net, m.ws, wholeRows(rows)
	first := n.inputStage
	m.deltas(c, rows)
	m.inputGradient(ws.inputGradient, first, batch)
	if first == 0 {
		return
	}
	for l := first; l > 0; l-- {
		m.backwardTo(l, batch)
	}
	m.inputGradient(ws.imageGradient, 0, batch)
}

// backwardTo computes delta[l−1] from delta[l], l ≥ 1.
func (m *gradientMeter[T]) backwardTo(l, batch int) {
	n, ws := m.net, m.ws
	if m.transposed[l] == nil {
		n.backwardTo(ws, l, batch)
		return
	}
	m.transposed[l].Forward(ws.delta[l-1], ws.delta[l], m.noBias, batch, false)
	switch below := n.stages[l-1].activation(); {
	case below == ReLU:
		kernel.Gate(ws.delta[l-1][:batch*n.stages[l-1].out().gradient], ws.value[l])
	case below.smooth():
		n.throughSmooth(ws, l-1, batch)
	}
}

// inputGradient computes the gradient with respect to the input of stage l.
func (m *gradientMeter[T]) inputGradient(dx []T, l, batch int) {
	if m.transposed[l] != nil {
		m.transposed[l].Forward(dx, m.ws.delta[l], m.noBias, batch, false)
		return
	}
	m.net.stages[l].backward(m.ws.state[l], dx, m.ws.delta[l], nil, batch)
}

// sums sets out to the power sums of row i for the output of the last backward.
func (m *gradientMeter[T]) sums(out *GradientSums, i int) {
	for j, layer := range m.net.training() {
		l := m.net.stageOf[m.net.frozen+j]
		m.layer.weight, m.layer.bias = out.Weight[j], out.Bias[j]
		clear(m.layer.weight)
		clear(m.layer.bias)
		clear(m.layer.delta)
		layer.sums(m.ws.state[l], &m.layer, m.ws.delta[l], m.ws.value[l], i)
		if j == 0 {
			copy(out.Delta, m.layer.delta)
		}
	}
	size := m.net.stages[m.net.inputStage].in().gradient
	clear(out.Input)
	kernel.EvenPowerSums(out.Input, m.ws.inputGradient[i*size:(i+1)*size])
	if m.net.frozen > 0 {
		size := m.net.stages[0].in().gradient
		clear(out.Image)
		kernel.EvenPowerSums(out.Image, m.ws.imageGradient[i*size:(i+1)*size])
	}
}

// Moments holds the moments of order 2k of the gradients of all outputs c at all
// samples x_i (the convention of Ma & Ying's published code: summed over
// outputs, divided by n alone):
//
//	sum_W = (1/n) Σ_i Σ_c Σ_parameters g^{2k},   g_W = sum_W^{1/2k},
//
// likewise for the input (x), the first layer's weights (W1) and its
// pre-activations (delta). At k = 1, sum_W is the trace of the Gauss–Newton
// matrix of HalfMSE.
//
// Where the first layers are frozen, the network is a smaller one on the features
// that they make (Ma & Ying, 2021, the remark after (7)): parameters are those
// that train, the first layer is the first that trains, and x is its input, the
// features. SumImage is the sum for the gradient with respect to the network's
// own input; it is zero without frozen layers.
type Moments struct {
	K                           int
	SumW, SumX, SumW1, SumDelta float64
	SumImage                    float64
	Layers                      []LayerMoment
}

// LayerMoment is the share of one layer in SumW.
type LayerMoment struct {
	Name               string
	SumWeight, SumBias float64
}

// Root returns sum^{1/2k}, which turns a sum into g_W, g_x, g_W1 or g_delta.
func (m Moments) Root(sum float64) float64 { return math.Pow(sum, 1/float64(2*m.K)) }

// GradientMoments measures the moments of the given orders. memory limits the
// bytes of working memory; the result does not depend on it.
func (n *Network[T]) GradientMoments(data Data[T], orders []int, memory int64) ([]Moments, error) {
	return n.EachGradientMoments(data, orders, memory, func(int, int, *GradientSums) {})
}

// EachGradientMoments is GradientMoments that calls visit as EachGradientSums does: one
// pass for both.
func (n *Network[T]) EachGradientMoments(data Data[T], orders []int, memory int64, visit func(i, c int, s *GradientSums)) ([]Moments, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	highest := slices.Max(orders)
	if slices.Min(orders) < 1 {
		return nil, fmt.Errorf("moments of orders %v; need k ≥ 1", orders)
	}
	// One sum per output, joined at the end: within an output the samples come
	// in order whatever the blocks are, so the result has the same bits.
	perOutput := make([]GradientSums, n.Outputs())
	for c := range perOutput {
		perOutput[c] = newGradientSums(len(n.training()), highest)
	}
	err := n.EachGradientSums(data, highest, memory, func(i, c int, s *GradientSums) {
		perOutput[c].add(s)
		visit(i, c, s)
	})
	if err != nil {
		return nil, err
	}
	total := newGradientSums(len(n.training()), highest)
	for c := range perOutput {
		total.add(&perOutput[c])
	}
	moments := make([]Moments, len(orders))
	for j, k := range orders {
		moments[j] = n.momentsOf(&total, k, data.N)
	}
	return moments, nil
}

// momentsOf divides the sums of order k over all samples and outputs by the
// number of samples.
func (n *Network[T]) momentsOf(total *GradientSums, k, samples int) Moments {
	scale := 1 / float64(samples)
	m := Moments{K: k, SumX: total.Input[k-1] * scale, SumImage: total.Image[k-1] * scale}
	for l, layer := range n.training() {
		share := LayerMoment{Name: layer.name(), SumWeight: total.Weight[l][k-1] * scale, SumBias: total.Bias[l][k-1] * scale}
		m.SumW += share.SumWeight + share.SumBias
		m.Layers = append(m.Layers, share)
	}
	m.SumW1, m.SumDelta = m.Layers[0].SumWeight, total.Delta[k-1]*scale
	return m
}
