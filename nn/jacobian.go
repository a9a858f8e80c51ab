package nn

import (
	"fmt"

	"sobolev/internal/kernel"
	"sobolev/internal/parallel"
)

// Jacobian gives products with R J, as Differential does, for many of them at the same
// parameters: those that the network has when it is made. J is the Jacobian of the
// outputs, nc×w, and R the root of the loss, the identity for squared errors. It is
// for networks whose layers that train are all dense. There it holds the factors of
// every row, with the input x of a layer
//
//	δ_io x_iᵀ for its weights, δ_io for its bias,
//
// so that products take one matrix product a layer and no pass of the network:
//
//	(R J v)_io = Σ_layers δ_io·(V x_i + v_b),   Jᵀ Rᵀ u = Σ_i (Σ_o u_io δ_io) x_iᵀ.
//
// A Jacobian is not for concurrent use.
type Jacobian[T kernel.Float] struct {
	net    *Network[T]
	data   Data[T]
	inputs [][]T // of every layer that trains, held×Stride(in)
	slices []*jacobianSlice[T]
	// held is the number of samples whose factors are in memory at once. Where that
	// is not all of them, they are computed again for every product.
	held   int
	meters []*gradientMeter[T] // of every worker; nil once all factors are held
}

// jacobianSlice is some of the outputs of a dense layer: slices share the work of a
// product among workers.
type jacobianSlice[T kernel.Float] struct {
	layer       int // index among those that train
	from, width int // outputs from … from+width−1
	weight      int // where their weights begin in the flat vector
	bias        int // likewise; −1 without
	delta       []T // [sample][output of the network][Stride(width)]
	// matrix and shift are the slice of v, or that of a product with Jᵀ.
	matrix *kernel.Weights[T]
	shift  []T
	rows   []T // a block of Σ_o u_o δ_o
}

const (
	// maxJacobianBytes is the size of the factors from which on products are left to
	// Differential. It is no matter of the memory limit: the bits depend on it.
	maxJacobianBytes = 1 << 30
	// sliceOutputs is the largest number of outputs of a slice.
	sliceOutputs = 256
)

// HasJacobian says whether there is a Jacobian for this many samples: the layers
// that train are all dense, and the factors have a reasonable size.
func (n *Network[T]) HasJacobian(samples int) bool {
	for _, l := range n.training() {
		if _, ok := l.(*dense[T]); !ok {
			return false
		}
	}
	return int64(samples)*n.newJacobian(Data[T]{}).perSample() <= maxJacobianBytes
}

// NewJacobian returns the Jacobian on data with the root of loss, where HasJacobian. memory limits its
// bytes: less than JacobianBytes make products slower. It fails where the data do
// not fit the network, or memory is too small for a block of samples.
func (n *Network[T]) NewJacobian(data Data[T], loss Loss, memory int64) (*Jacobian[T], error) {
	if err := n.check(data); err != nil {
		return nil, err
	}
	j := n.newJacobian(data)
	fixed, pass := n.jacobianBytes()
	fit := (memory - fixed - pass) / j.perSample() / evaluationBlock * evaluationBlock
	j.held = int(min(fit, int64(wholeBlocks(data.N))))
	if j.held < evaluationBlock {
		return nil, fmt.Errorf("products with gradients need %d bytes of memory; the limit is %d", fixed+pass+j.perSample()*evaluationBlock, memory)
	}
	j.allocate()
	rest := memory - fixed - pass - int64(j.held)*j.perSample()
	for range n.lanes(j.held, evaluationBlock, 1+rest/pass) {
		meter := newGradientMeter(n, evaluationBlock, 0)
		meter.root = newLossRoot[T](loss, n.Outputs())
		j.meters = append(j.meters, meter)
	}
	if j.held >= data.N {
		j.fill(0, data.N)
		j.meters = nil
	}
	return j, nil
}

// FillBytes returns the memory that workers beside the first take while they compute the
// factors of a Jacobian: more than JacobianBytes, which is enough.
func (n *Network[T]) FillBytes() int64 {
	_, pass := n.jacobianBytes()
	return int64(max(0, n.Workers-1)) * pass
}

// JacobianBytes returns the memory of a Jacobian that holds all factors.
func (n *Network[T]) JacobianBytes(samples int) int64 {
	fixed, pass := n.jacobianBytes()
	return fixed + pass + n.newJacobian(Data[T]{}).perSample()*int64(wholeBlocks(samples))
}

// jacobianBytes returns the memory of a slice's vectors and matrices, and of the
// pass that computes the factors.
func (n *Network[T]) jacobianBytes() (fixed, pass int64) {
	fixed = sizeOf[T]() * (2*int64(n.ParameterCount()) + evaluationBlock*2*sliceOutputs*int64(len(n.training())+n.Workers))
	return fixed, n.transposedBytes() + evaluationBlock*n.workspaceBytes()
}

func wholeBlocks(samples int) int {
	return (samples + evaluationBlock - 1) / evaluationBlock * evaluationBlock
}

// newJacobian cuts the layers into slices.
func (n *Network[T]) newJacobian(data Data[T]) *Jacobian[T] {
	j := &Jacobian[T]{net: n, data: data}
	offset := n.ParameterCount() - n.TrainableCount()
	for layer, l := range n.training() {
		out, in := l.weightShape()[0], l.weightShape()[1]
		count := (out + sliceOutputs - 1) / sliceOutputs
		width := min(out, kernel.Stride[T]((out+count-1)/count))
		for from := 0; from < out; from += width {
			s := &jacobianSlice[T]{layer: layer, from: from, width: min(width, out-from), weight: offset + from*in, bias: -1}
			if l.biases() > 0 {
				s.bias = offset + out*in + from
			}
			j.slices = append(j.slices, s)
		}
		offset += out*in + l.biases()
	}
	return j
}

// perSample returns the bytes of one sample's factors.
func (j *Jacobian[T]) perSample() int64 {
	elements := 0
	for _, l := range j.net.training() {
		elements += l.in().value
	}
	for _, s := range j.slices {
		elements += j.net.Outputs() * kernel.Stride[T](s.width)
	}
	return sizeOf[T]() * int64(elements)
}

func (j *Jacobian[T]) allocate() {
	for _, l := range j.net.training() {
		j.inputs = append(j.inputs, make([]T, j.held*l.in().value))
	}
	for _, s := range j.slices {
		stride := kernel.Stride[T](s.width)
		s.delta = make([]T, j.held*j.net.Outputs()*stride)
		s.matrix = kernel.NewWeights[T](s.width, j.net.training()[s.layer].weightShape()[1])
		s.shift, s.rows = make([]T, stride), make([]T, evaluationBlock*stride)
	}
}

// fill computes the factors of samples from … from+count−1.
func (j *Jacobian[T]) fill(from, count int) {
	parallel.Each(len(j.meters), wholeBlocks(count)/evaluationBlock, func(worker, block int) {
		at := block * evaluationBlock
		j.fillBlock(j.meters[worker], from+at, at, min(evaluationBlock, count-at))
	})
}

// fillBlock computes the factors of some samples, the first of which is sample from and
// has place at.
func (j *Jacobian[T]) fillBlock(meter *gradientMeter[T], from, at, rows int) {
	n, ws, c := j.net, meter.ws, j.net.Outputs()
	n.forwardBlock(ws, j.data, from, rows)
	for layer, l := range n.training() {
		width := l.in().value
		copy(j.inputs[layer][at*width:(at+rows)*width], ws.value[n.stageOf[n.frozen+layer]])
	}
	for o := range c {
		meter.deltas(o, rows)
		for _, s := range j.slices {
			delta, out := ws.delta[n.stageOf[n.frozen+s.layer]], n.training()[s.layer].weightShape()[0]
			for i := range rows {
				copy(s.deltaOf((at+i)*c+o), row(delta, i, out)[s.from:s.from+s.width])
			}
		}
	}
}

// deltaOf returns δ_io for r = i·c+o, counted from the first sample that is held.
func (s *jacobianSlice[T]) deltaOf(r int) []T { return row(s.delta, r, s.width) }

// eachWindow calls f with every range of samples whose factors are in memory.
func (j *Jacobian[T]) eachWindow(f func(from, count int)) {
	for from := 0; from < j.data.N; from += j.held {
		count := min(j.held, j.data.N-from)
		if j.meters != nil {
			j.fill(from, count)
		}
		f(from, count)
	}
}

// Times computes dst = R J v: dst has nc elements, v has w.
func (j *Jacobian[T]) Times(dst, v []T) {
	n, c, workers := j.net, j.net.Outputs(), j.net.Workers
	j.checkLengths(len(dst), len(v))
	parallel.Each(workers, len(j.slices), func(_, k int) { j.slices[k].set(v) })
	scratch := make([][]T, max(1, workers))
	j.eachWindow(func(from, count int) {
		parallel.Each(workers, wholeBlocks(count)/evaluationBlock, func(worker, block int) {
			if scratch[worker] == nil {
				scratch[worker] = make([]T, evaluationBlock*kernel.Stride[T](sliceOutputs))
			}
			at := block * evaluationBlock
			rows := min(evaluationBlock, count-at)
			to := dst[(from+at)*c : (from+at+rows)*c]
			clear(to)
			for _, s := range j.slices {
				width := n.training()[s.layer].in().value
				s.addProducts(to, j.inputs[s.layer][at*width:], scratch[worker], at*c, rows)
			}
		})
	})
}

// set takes the slice of v.
func (s *jacobianSlice[T]) set(v []T) {
	s.matrix.Pack(v[s.weight : s.weight+s.matrix.Out*s.matrix.In])
	if s.bias >= 0 {
		copy(s.shift, v[s.bias:s.bias+s.width])
	}
}

// addProducts adds δ_io·(V x_i + v_b) of a block of samples to dst; r is the row of
// δ that belongs to dst[0].
func (s *jacobianSlice[T]) addProducts(dst, x, scratch []T, r, samples int) {
	s.matrix.Forward(scratch, x, s.shift, wholeRows(samples), false)
	c, stride := len(dst)/samples, kernel.Stride[T](s.width)
	for i := range dst { // with the padding, which is zero
		dst[i] += kernel.Dot(s.delta[(r+i)*stride:(r+i+1)*stride], scratch[i/c*stride:(i/c+1)*stride])
	}
}

// TransposedTimes computes dst = Jᵀ Rᵀ u: dst has w elements, those of layers that do
// not train zero; u has nc.
func (j *Jacobian[T]) TransposedTimes(dst, u []T) {
	n, c, workers := j.net, j.net.Outputs(), j.net.Workers
	j.checkLengths(len(u), len(dst))
	clear(dst)
	for _, s := range j.slices {
		s.matrix.Scale(0)
		clear(s.shift)
	}
	j.eachWindow(func(from, count int) {
		parallel.Each(workers, len(j.slices), func(_, k int) {
			s := j.slices[k]
			width := n.training()[s.layer].in().value
			for at := 0; at < count; at += evaluationBlock {
				rows := min(evaluationBlock, count-at)
				s.accumulate(u[(from+at)*c:(from+at+rows)*c], j.inputs[s.layer][at*width:], at*c, rows)
			}
		})
	})
	parallel.Each(workers, len(j.slices), func(_, k int) { j.slices[k].copyTo(dst) })
}

// accumulate adds Σ_i (Σ_o u_io δ_io) x_iᵀ of a block of samples to the sums; r is
// the row of δ that belongs to u[0].
func (s *jacobianSlice[T]) accumulate(u, x []T, r, samples int) {
	c := len(u) / samples
	for i := range samples {
		to := row(s.rows, i, s.width)
		clear(to)
		for o := range c {
			kernel.Axpy(to, u[i*c+o], s.deltaOf(r+i*c+o))
		}
	}
	shift := s.shift
	if s.bias < 0 {
		shift = nil // it stays zero for Times
	}
	s.matrix.Update(1, s.rows, x, shift, samples)
}

// Blocks returns the n diagonal blocks of R J (R J)ᵀ, n×c×c row-major, as GramBlocks does,
// for all layers that train and without a pass of the network. Products are formed in T
// and added up in float64.
func (j *Jacobian[T]) Blocks() []float64 {
	n, c := j.net, j.net.Outputs()
	blocks := make([]float64, j.data.N*c*c)
	j.eachWindow(func(from, count int) {
		parallel.Each(n.Workers, wholeBlocks(count)/evaluationBlock, func(_, block int) {
			for at := block * evaluationBlock; at < min((block+1)*evaluationBlock, count); at++ {
				j.addBlock(blocks[(from+at)*c*c:(from+at+1)*c*c], at)
			}
		})
	})
	return blocks
}

// addBlock adds K_ii of sample i, counted from the first that is held.
func (j *Jacobian[T]) addBlock(to []float64, i int) {
	c, square := j.net.Outputs(), 0.0
	for _, s := range j.slices {
		if s.from == 0 {
			width := j.net.training()[s.layer].in().value
			x := j.inputs[s.layer][i*width : (i+1)*width]
			if square = float64(kernel.Dot(x, x)); s.bias >= 0 {
				square++
			}
		}
		for o := range c {
			for p := range o + 1 {
				v := square * float64(kernel.Dot(s.deltaOf(i*c+o), s.deltaOf(i*c+p)))
				if to[o*c+p] += v; p < o {
					to[p*c+o] += v
				}
			}
		}
	}
}

func (s *jacobianSlice[T]) copyTo(dst []T) {
	s.matrix.Unpack(dst[s.weight : s.weight+s.matrix.Out*s.matrix.In])
	if s.bias >= 0 {
		copy(dst[s.bias:s.bias+s.width], s.shift)
	}
}

func (j *Jacobian[T]) checkLengths(outputs, parameters int) {
	if outputs != j.data.N*j.net.Outputs() || parameters != j.net.ParameterCount() {
		panic("nn: vectors of a Jacobian's products have nc and w elements")
	}
}
