package nn

import (
	"fmt"

	"sobolev/internal/kernel"
	"sobolev/internal/parallel"
)

// Differential gives exact products with the first and second derivatives, with
// respect to the parameters, of a network's outputs and of its loss on data, at
// the parameters that the network has at the call. J is the Jacobian of the
// outputs, nc×w: row i·c+o is ∇_W f_o(x_i), and R the root of the loss, block by
// block: the identity for squared errors. Vectors of parameters have all w
// elements in the order of CopyParameters; the columns of J for layers that do
// not train are zero: what a direction says of them is left out, and results are
// zero there.
//
// The loss is the mean over the n samples, for squared errors
// L = (1/n) Σ_i (s/2) ‖f(x_i) − y_i‖² with s = Loss.Scale(c). Batch normalisations use their running averages.
// Products run over the samples in blocks of up to 64, as many at once as the network
// has workers and memory allows; their bits do not depend on it. A Differential is not for
// concurrent use.
type Differential[T kernel.Float] struct {
	net     *Network[T]
	data    Data[T]
	loss    Loss
	samples []int // those that are selected; nil for all
	block   int
	lanes   []*differentialLane[T]
	held    []*heldBlock[T] // of every block, after Hold
	// direction is v in the layout of the kernels, sum the result.
	direction, sum *Gradient[T]
	zero           []T // w
}

// differentialLane is the working memory of one block: there is one for every worker.
type differentialLane[T kernel.Float] struct {
	*heldBlock[T] // the block at work: own, or one of those that are held
	own           heldBlock[T]
	pass          *directionPass[T]
	root          *lossRoot[T]
}

// heldBlock is what the forward pass of a block left, and once the product of a Hessian
// has been there, the deltas of the loss.
type heldBlock[T kernel.Float] struct {
	ws              *Workspace[T]
	forward, deltas bool
}

// NewDifferential returns the differential on data. memory limits its bytes. It
// fails where the data do not fit the network or the loss, with ErrBatchStatistics in
// training mode, or where memory is too small.
func (n *Network[T]) NewDifferential(data Data[T], loss Loss, memory int64) (*Differential[T], error) {
	if err := n.check(data); err != nil {
		return nil, err
	}
	if err := n.checkLoss(data, loss); err != nil {
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
	d := &Differential[T]{
		net: n, data: data, loss: loss, block: block,
		direction: n.NewGradient(), sum: n.NewGradient(), zero: make([]T, n.ParameterCount()),
	}
	for range n.lanes(data.N, block, (memory-fixed)/perRow/int64(block)) {
		d.lanes = append(d.lanes, &differentialLane[T]{own: heldBlock[T]{ws: n.NewWorkspace(block)}, pass: newDirectionPass(n, block), root: newLossRoot[T](loss, n.Outputs())})
	}
	return d, nil
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
// and with repetitions: n is then their number. nil selects all data. It ends what Hold
// began.
func (d *Differential[T]) Select(samples []int) {
	if samples != nil && len(samples) == 0 {
		panic("nn: no samples are selected")
	}
	d.samples, d.held = samples, nil
}

// Hold lets the products that follow share one forward pass over the selected samples,
// and those with a Hessian the deltas too, if memory has room for the workspaces of all
// of them. It returns their bytes, or 0. The parameters must then stay what they are until
// the next Select. No bit changes.
func (d *Differential[T]) Hold(memory int64) int64 {
	d.held = nil
	blocks := (d.Samples() + d.block - 1) / d.block
	bytes := d.net.workspaceBytes() * int64(blocks) * int64(d.block)
	if bytes > memory {
		return 0
	}
	for range blocks {
		d.held = append(d.held, &heldBlock[T]{ws: d.net.NewWorkspace(d.block)})
	}
	return bytes
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

// eachBlock does the forward pass of every block and calls f, for several blocks at
// once: the block begins with selected sample from, and row i of the lane's workspace
// is sample from+i. batch is rows, rounded up to whole row blocks. Where add is not
// nil it then adds up, layer by layer, what f left in the lanes, in the order of the
// blocks.
func (d *Differential[T]) eachBlock(f func(l *differentialLane[T], from, rows, batch int), add func(l *differentialLane[T], layer, rows int)) {
	n := d.net
	eachWindow(len(d.lanes), d.Samples(), d.block, func(lane, from, rows int) {
		l := d.lanes[lane]
		if d.held != nil {
			l.heldBlock = d.held[from/d.block]
		} else {
			l.heldBlock = &l.own
		}
		if d.held == nil || !l.forward {
			for i := range rows {
				n.SetInput(l.ws, i, d.data.input(d.sample(from+i), n.Inputs()))
			}
			n.Forward(l.ws, wholeRows(rows))
			l.forward, l.deltas = true, false
		}
		f(l, from, rows, wholeRows(rows))
	}, func(rows []int) {
		if add == nil {
			return
		}
		parallel.Each(len(d.lanes), len(n.layers)-n.frozen, func(_, layer int) {
			for lane, r := range rows {
				add(d.lanes[lane], n.frozen+layer, r)
			}
		})
	})
}

// JVP computes dst = R J v; dst has nc elements.
func (d *Differential[T]) JVP(dst, v []T) {
	d.checkLength(len(dst), d.Samples()*d.Outputs())
	d.direction.Set(v)
	d.eachBlock(func(l *differentialLane[T], from, rows, batch int) {
		l.pass.forward(d.net, l.ws, d.direction, batch)
		for i := range rows {
			copy(d.row(dst, from+i), l.pass.output(d.net, i))
			l.root.times(d.row(dst, from+i), d.net.Output(l.ws, i))
		}
	}, nil)
}

// VJP computes dst = Jᵀ Rᵀ u from u of nc elements.
func (d *Differential[T]) VJP(dst, u []T) {
	d.checkLength(len(u), d.Samples()*d.Outputs())
	d.begin()
	d.eachBlock(func(l *differentialLane[T], from, rows, batch int) {
		for i := range rows {
			copy(d.lastDelta(l, i), d.row(u, from+i))
			l.root.transposedTimes(d.lastDelta(l, i), d.net.Output(l.ws, i))
		}
		d.back(l, batch)
	}, d.addGradient)
	d.sum.CopyTo(dst)
}

// GaussNewton computes dst = (s/n) Jᵀ RᵀR J v.
func (d *Differential[T]) GaussNewton(dst, v []T) {
	d.direction.Set(v)
	d.begin()
	scale := d.scale()
	d.eachBlock(func(l *differentialLane[T], _, rows, batch int) {
		l.pass.forward(d.net, l.ws, d.direction, batch)
		for i := range rows {
			d.curve(l, d.lastDelta(l, i), i, scale)
		}
		d.back(l, batch)
	}, d.addGradient)
	d.sum.CopyTo(dst)
}

// Gradient computes dst = ∇L.
func (d *Differential[T]) Gradient(dst []T) {
	d.begin()
	d.eachBlock(func(l *differentialLane[T], from, rows, batch int) {
		d.residuals(l, from, rows)
		d.back(l, batch)
	}, d.addGradient)
	d.sum.CopyTo(dst)
}

// Residuals computes dst = f(x_i) − y_i, nc elements.
func (d *Differential[T]) Residuals(dst []T) {
	d.checkLength(len(dst), d.Samples()*d.Outputs())
	d.eachBlock(func(l *differentialLane[T], from, rows, _ int) {
		for i := range rows {
			y := d.data.target(d.sample(from+i), d.Outputs())
			for o, f := range d.net.Output(l.ws, i) {
				dst[(from+i)*d.Outputs()+o] = f - y[o]
			}
		}
	}, nil)
}

// scale returns s/n.
func (d *Differential[T]) scale() T { return T(d.loss.Scale(d.Outputs()) / float64(d.Samples())) }

// curve sets dst to scale·RᵀR ḟ of row i.
func (d *Differential[T]) curve(l *differentialLane[T], dst []T, i int, scale T) {
	for o, f := range l.pass.output(d.net, i) {
		dst[o] = scale * f
	}
	l.root.times(dst, d.net.Output(l.ws, i))
	l.root.transposedTimes(dst, d.net.Output(l.ws, i))
}

// residuals sets the last deltas to the gradient of L in the outputs.
func (d *Differential[T]) residuals(l *differentialLane[T], from, rows int) {
	scale := d.scale()
	for i := range rows {
		delta := d.lastDelta(l, i)
		residual(d.loss, delta, d.net.Output(l.ws, i), d.data.target(d.sample(from+i), d.Outputs()))
		for o := range delta {
			delta[o] *= scale
		}
	}
}

// back goes from the last deltas to those of the first layer that trains.
func (d *Differential[T]) back(l *differentialLane[T], batch int) {
	l.deltas = false
	for stage := len(d.net.stages) - 1; stage > d.net.stageOf[d.net.frozen]; stage-- {
		d.net.backwardTo(l.ws, stage, batch)
	}
}

// addGradient adds the gradient of a layer to sum, from the deltas that back left.
func (d *Differential[T]) addGradient(l *differentialLane[T], layer, rows int) {
	stage := d.net.stageOf[layer]
	d.net.layers[layer].update(d.sum.parts[layer], l.ws.state[stage], 1, l.ws.delta[stage], l.ws.value[stage], rows)
}

// begin sets sum to zero.
func (d *Differential[T]) begin() { d.sum.Set(d.zero) }

func (d *Differential[T]) lastDelta(l *differentialLane[T], i int) []T {
	return row(l.ws.delta[len(d.net.stages)-1], i, d.Outputs())
}

// row returns the c values of sample i.
func (d *Differential[T]) row(v []T, i int) []T { return v[i*d.Outputs() : (i+1)*d.Outputs()] }

func (d *Differential[T]) checkLength(got, want int) {
	if got != want {
		panic("nn: a vector of outputs must have nc elements")
	}
}
