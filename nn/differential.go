package nn

import (
	"fmt"

	"sobolev/internal/kernel"
)

// Differential gives exact products with the first and second derivatives, with
// respect to the parameters, of a network's outputs and of its loss on data, at
// the parameters that the network has at the call. J is the Jacobian of the
// outputs, nc×w: row i·c+o is ∇_W f_o(x_i). Vectors of parameters have all w
// elements in the order of CopyParameters; the columns of J for layers that do
// not train are zero: what a direction says of them is left out, and results are
// zero there.
//
// The loss is the mean over the n samples, L = (1/n) Σ_i (s/2) ‖f(x_i) − y_i‖²
// with s = Loss.Scale(c). Batch normalisations use their running averages.
// Products run over the samples in blocks of up to 64. A Differential is not for
// concurrent use.
type Differential[T kernel.Float] struct {
	net     *Network[T]
	data    Data[T]
	loss    Loss
	samples []int // those that are selected; nil for all
	block   int
	ws      *Workspace[T]
	pass    *directionPass[T]
	// direction is v in the layout of the kernels, sum the result.
	direction, sum *Gradient[T]
	zero           []T // w
}

// NewDifferential returns the differential on data. memory limits its bytes. It
// fails where the data do not fit the network, with ErrBatchStatistics in training
// mode, or where memory is too small.
func (n *Network[T]) NewDifferential(data Data[T], loss Loss, memory int64) (*Differential[T], error) {
	if err := n.check(data); err != nil {
		return nil, err
	}
	if err := n.perSample(); err != nil {
		return nil, err
	}
	fixed, perRow := n.differentialBytes()
	block := differentialBlock(perRow)
	if need := fixed + perRow*int64(block); need > memory {
		return nil, fmt.Errorf("products with derivatives need %d bytes of memory; the limit is %d", need, memory)
	}
	return &Differential[T]{
		net: n, data: data, loss: loss, block: block,
		ws: n.NewWorkspace(block), pass: newDirectionPass(n, block),
		direction: n.NewGradient(), sum: n.NewGradient(), zero: make([]T, n.ParameterCount()),
	}, nil
}

// differentialBlock returns the number of samples in a block. It is no matter of the
// memory limit: how the kernels group the samples of a sum depends on it, and the
// bits of the result should not depend on the machine's memory.
func differentialBlock(perRow int64) int {
	const bytes = 64 << 20
	return max(kernel.RowBlock, int(min(bytes/perRow, evaluationBlock))/kernel.RowBlock*kernel.RowBlock)
}

// differentialBytes returns the memory of a Differential: three vectors of
// parameters, two of them about twice their flat size for convolutions that keep
// transforms, and what every sample of a block needs.
func (n *Network[T]) differentialBytes() (fixed, perRow int64) {
	fixed = 5 * sizeOf[T]() * int64(n.ParameterCount())
	perRow = n.workspaceBytes() + sizeOf[T]()*int64(n.stages[n.inputStage].in().value)
	for _, s := range n.stages[n.inputStage:] {
		out := s.out()
		perRow += sizeOf[T]()*int64(out.value+3*out.gradient) + s.newTangent(1).bytes()
	}
	return fixed, perRow
}

// Select restricts everything that follows to the given samples, in their order
// and with repetitions: n is then their number. nil selects all data.
func (d *Differential[T]) Select(samples []int) {
	if samples != nil && len(samples) == 0 {
		panic("nn: no samples are selected")
	}
	d.samples = samples
}

// Parameters returns w, Samples n and Outputs c.
func (d *Differential[T]) Parameters() int { return d.net.ParameterCount() }
func (d *Differential[T]) Outputs() int    { return d.net.Outputs() }
func (d *Differential[T]) Samples() int {
	if d.samples != nil {
		return len(d.samples)
	}
	return d.data.N
}

// sample returns the index in data of selected sample i.
func (d *Differential[T]) sample(i int) int {
	if d.samples != nil {
		return d.samples[i]
	}
	return i
}

// eachBlock does the forward pass of one block after the other and calls f: the
// block begins with selected sample from, and row i of the workspace is sample
// from+i. batch is rows, rounded up to whole row blocks.
func (d *Differential[T]) eachBlock(f func(from, rows, batch int)) {
	n, samples := d.net, d.Samples()
	for from := 0; from < samples; from += d.block {
		rows := min(d.block, samples-from)
		for i := range rows {
			n.SetInput(d.ws, i, d.data.input(d.sample(from+i), n.Inputs()))
		}
		n.Forward(d.ws, wholeRows(rows))
		f(from, rows, wholeRows(rows))
	}
}

// JVP computes dst = J v; dst has nc elements.
func (d *Differential[T]) JVP(dst, v []T) {
	d.checkLength(len(dst), d.Samples()*d.Outputs())
	d.direction.Set(v)
	d.eachBlock(func(from, rows, batch int) {
		d.pass.forward(d.net, d.ws, d.direction, batch)
		for i := range rows {
			copy(d.row(dst, from+i), d.pass.output(d.net, i))
		}
	})
}

// VJP computes dst = Jᵀ u from u of nc elements.
func (d *Differential[T]) VJP(dst, u []T) {
	d.checkLength(len(u), d.Samples()*d.Outputs())
	d.begin()
	d.eachBlock(func(from, rows, batch int) {
		for i := range rows {
			copy(d.lastDelta(i), d.row(u, from+i))
		}
		d.accumulate(rows, batch)
	})
	d.sum.CopyTo(dst)
}

// GaussNewton computes dst = (s/n) Jᵀ J v.
func (d *Differential[T]) GaussNewton(dst, v []T) {
	d.direction.Set(v)
	d.begin()
	scale := d.scale()
	d.eachBlock(func(_, rows, batch int) {
		d.pass.forward(d.net, d.ws, d.direction, batch)
		for i := range rows {
			delta := d.lastDelta(i)
			for o, f := range d.pass.output(d.net, i) {
				delta[o] = scale * f
			}
		}
		d.accumulate(rows, batch)
	})
	d.sum.CopyTo(dst)
}

// Gradient computes dst = ∇L.
func (d *Differential[T]) Gradient(dst []T) {
	d.begin()
	d.eachBlock(func(from, rows, batch int) {
		d.residuals(from, rows)
		d.accumulate(rows, batch)
	})
	d.sum.CopyTo(dst)
}

// Residuals computes dst = f(x_i) − y_i, nc elements.
func (d *Differential[T]) Residuals(dst []T) {
	d.checkLength(len(dst), d.Samples()*d.Outputs())
	d.eachBlock(func(from, rows, _ int) {
		for i := range rows {
			y := d.data.target(d.sample(from+i), d.Outputs())
			for o, f := range d.net.Output(d.ws, i) {
				dst[(from+i)*d.Outputs()+o] = f - y[o]
			}
		}
	})
}

// scale returns s/n.
func (d *Differential[T]) scale() T { return T(d.loss.Scale(d.Outputs()) / float64(d.Samples())) }

// residuals sets the last deltas to (s/n)(f − y).
func (d *Differential[T]) residuals(from, rows int) {
	scale := d.scale()
	for i := range rows {
		y, delta := d.data.target(d.sample(from+i), d.Outputs()), d.lastDelta(i)
		for o, f := range d.net.Output(d.ws, i) {
			delta[o] = scale * (f - y[o])
		}
	}
}

// accumulate goes back from the last deltas and adds the gradients to sum.
func (d *Differential[T]) accumulate(rows, batch int) {
	n := d.net
	for l := len(n.stages) - 1; l > n.stageOf[n.frozen]; l-- {
		n.backwardTo(d.ws, l, batch)
	}
	for j := n.frozen; j < len(n.layers); j++ {
		l := n.stageOf[j]
		n.layers[j].update(d.sum.parts[j], d.ws.state[l], 1, d.ws.delta[l], d.ws.value[l], rows)
	}
}

// begin sets sum to zero.
func (d *Differential[T]) begin() { d.sum.Set(d.zero) }

func (d *Differential[T]) lastDelta(i int) []T {
	return row(d.ws.delta[len(d.net.stages)-1], i, d.Outputs())
}

// row returns the c values of sample i.
func (d *Differential[T]) row(v []T, i int) []T { return v[i*d.Outputs() : (i+1)*d.Outputs()] }

func (d *Differential[T]) checkLength(got, want int) {
	if got != want {
		panic("nn: a vector of outputs must have nc elements")
	}
}
