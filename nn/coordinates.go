package nn

import (
	"errors"
	"fmt"

	"sobolev/internal/kernel"
	"sobolev/internal/parallel"
)

// CoordinateSums returns, for every order m = 1 … orders and every parameter j,
//
//	S_m(j) = Σ_i (Σ_o (R_i J_i)_oj²)^m,
//
// with the root R of the loss, the identity for squared errors: sums of the
// diagonals of H_i/s. They are orders×w row-major, with parameters in the order of CopyParameters: zero for
// those of layers that do not train. They are the sums over the samples that
// Theorem 2 and the thresholds of single coordinates need (Ma & Ying, 2021,
// equation 30).
//
// A weight of a dense layer has (R_i J_i)_o,(a,l) = δ_io,a x_il, so that all its sums of
// one order are the product of a matrix of powers (Σ_o δ_io,a²)^m with one of
// powers x_il^{2m}; for other layers the gradient of every sample is formed.
// Powers and sums are in float64 and not scaled: |J|^{2m} below 1e-308 vanishes.
//
// memory limits the bytes; the result does not depend on it.
func (n *Network[T]) CoordinateSums(data Data[T], loss Loss, orders int, memory int64) ([]float64, error) {
	if orders < 1 {
		return nil, errors.New("coordinate sums need an order of at least 1")
	}
	w := n.ParameterCount()
	own := 8*int64(w) + 8*int64(orders)*int64(w) + coordinateBytes(n, orders)
	if own > memory {
		return nil, fmt.Errorf("coordinate sums of %d orders and %d parameters need %d bytes of memory; the limit is %d", orders, w, own, memory)
	}
	c := &coordinatePass[T]{net: n, orders: orders, sums: make([]float64, orders*w)}
	elements := func(f *layerFactors[T]) int {
		if f.positions == 1 {
			return 2 * (kernel.Stride[float64](f.inputs) + kernel.Stride[float64](f.outputs))
		}
		return 2 * f.size
	}
	meter, factors, err := n.newBlockMeter(data, loss, nil, memory-own, elements)
	if err != nil {
		return nil, err
	}
	c.factors = factors
	c.allocate()
	laneBytes := factorMeterBytes(n, meter.layers, meter.block)
	for _, f := range factors {
		laneBytes += 8 * int64(meter.block*elements(f))
	}
	for lane := range n.lanes(data.N, meter.block, (memory-own)/laneBytes) {
		if lane > 0 {
			meter = newFactorMeter(n, loss, meter.layers, meter.block)
		}
		c.lanes = append(c.lanes, c.newLane(meter))
	}
	eachWindow(len(c.lanes), data.N, c.lanes[0].meter.block, func(lane, from, rows int) { c.lanes[lane].add(c, data, from, rows) }, c.addPowers)
	c.finish()
	return c.sums, nil
}

// coordinateBytes returns the memory of the products of dense layers.
func coordinateBytes[T kernel.Float](n *Network[T], orders int) int64 {
	elements := 0
	for j := n.frozen; j < len(n.layers); j++ {
		if f := newLayerFactors(n, j); f.positions == 1 {
			elements += kernel.Stride[float64](f.outputs) * (f.inputs + 1)
		}
	}
	return 8 * int64(orders) * int64(elements)
}

// coordinatePass is the working memory of CoordinateSums.
type coordinatePass[T kernel.Float] struct {
	net     *Network[T]
	lanes   []*coordinateLane[T]
	factors []*layerFactors[T]
	orders  int
	sums    []float64 // of layers that are not dense in the order of the kernels until finish
	// products of the orders of dense layers, and their sums of biases.
	products [][]*kernel.Weights[float64]
	biases   [][][]float64
}

// coordinateLane is the working memory of one block: there is one for every worker.
type coordinateLane[T kernel.Float] struct {
	meter *factorMeter[T]
	// squares are Σ_o δ² or Σ_o g² of every row, inputs x² of dense layers: both padded
	// for the products.
	squares, inputs [][]float64
	// powers of them, of the layer and the order that is being added.
	squarePowers, inputPowers []float64
	gradient                  []T
}

func (c *coordinatePass[T]) allocate() {
	for _, f := range c.factors {
		var products []*kernel.Weights[float64]
		var biases [][]float64
		for m := 0; f.positions == 1 && m < c.orders; m++ {
			products = append(products, kernel.NewWeights[float64](f.outputs, f.inputs))
			biases = append(biases, make([]float64, kernel.Stride[float64](f.outputs)))
		}
		c.products, c.biases = append(c.products, products), append(c.biases, biases)
	}
}

func (c *coordinatePass[T]) newLane(meter *factorMeter[T]) *coordinateLane[T] {
	l, rows, widest := &coordinateLane[T]{meter: meter}, meter.block, 0
	for _, f := range c.factors {
		width, in := f.size, 0
		if f.positions == 1 {
			width, in = kernel.Stride[float64](f.outputs), kernel.Stride[float64](f.inputs)
		}
		widest = max(widest, f.outputs, f.inputs, f.size)
		l.squares, l.inputs = append(l.squares, make([]float64, rows*width)), append(l.inputs, make([]float64, rows*in))
		l.squarePowers = append(l.squarePowers, make([]float64, max(0, rows*width-len(l.squarePowers)))...)
		l.inputPowers = append(l.inputPowers, make([]float64, max(0, rows*in-len(l.inputPowers)))...)
	}
	l.gradient = make([]T, widest)
	return l
}

// add sets the squares to those of samples from … from+count−1.
func (l *coordinateLane[T]) add(c *coordinatePass[T], data Data[T], from, count int) {
	n, ws, layers := c.net, l.meter.meter.ws, l.meter.layers
	for k := range l.squares {
		clear(l.squares[k])
	}
	l.meter.eachRow(data, from, count, func(k, _, i int) {
		stage, f := n.stageOf[layers[k]], c.factors[k]
		if f.positions != 1 {
			l.meter.setPatch(k, i)
			return
		}
		n.layers[layers[k]].(factored[T]).patchFactor(l.gradient, ws.state[stage], ws.value[stage], i)
		addSquares(row(l.inputs[k], i, f.inputs), l.gradient, true)
	}, func(k, _, _, i int) {
		stage, f := n.stageOf[layers[k]], c.factors[k]
		if f.positions != 1 {
			l.meter.gradient(l.gradient[:f.size], k, i)
			addSquares(l.squares[k][i*f.size:(i+1)*f.size], l.gradient, false)
			return
		}
		n.layers[layers[k]].(factored[T]).deltaFactor(l.gradient, ws.state[stage], ws.delta[stage], i)
		addSquares(row(l.squares[k], i, f.outputs), l.gradient, false)
	})
}

// addSquares adds v² to dst, or sets it.
func addSquares[T kernel.Float](dst []float64, v []T, set bool) {
	if set {
		clear(dst)
	}
	for i := range dst {
		dst[i] += float64(v[i]) * float64(v[i])
	}
}

// addPowers adds what the lanes hold to the sums; workers share layers and orders.
func (c *coordinatePass[T]) addPowers(rows []int) {
	offsets, offset := make([]int, len(c.factors)), 0
	for j := range c.net.frozen {
		offset += c.net.gradientSize(j)
	}
	for k, f := range c.factors {
		offsets[k] = offset
		offset += f.size
	}
	parallel.Each(len(c.lanes), len(c.factors)*c.orders, func(worker, task int) {
		k := task / c.orders
		for lane, count := range rows {
			c.addPower(c.lanes[worker], c.lanes[lane], k, task%c.orders, offsets[k], count)
		}
	})
}

// addPower adds order m+1 of layer k, whose parameters begin at offset, of one lane, with
// the powers of another as scratch.
func (c *coordinatePass[T]) addPower(scratch, l *coordinateLane[T], k, m, offset, count int) {
	f, squares, inputs := c.factors[k], l.squares[k], l.inputs[k]
	a, b := scratch.squarePowers[:len(squares)], scratch.inputPowers[:len(inputs)]
	copy(a, squares)
	copy(b, inputs)
	for range m {
		multiply(a, squares)
		multiply(b, inputs)
	}
	if f.positions == 1 {
		c.products[k][m].Update(1, a, b, c.biases[k][m], count)
		return
	}
	to := c.sums[m*c.net.ParameterCount()+offset:][:f.size]
	for i := range count {
		kernel.Axpy(to, 1, a[i*f.size:(i+1)*f.size])
	}
}

func multiply(x, y []float64) {
	for i, v := range y {
		x[i] *= v
	}
}

// finish brings the weights into PyTorch's order.
func (c *coordinatePass[T]) finish() {
	n := c.net
	ours := make([]float64, n.ParameterCount())
	for m := range c.orders {
		at := m * n.ParameterCount()
		for j, l := range n.layers {
			weights := c.sums[at : at+n.weights[j]]
			if k := j - n.frozen; k >= 0 && c.products[k] != nil {
				c.products[k][m].Unpack(weights)
				copy(c.sums[at+n.weights[j]:at+n.gradientSize(j)], c.biases[k][m])
			}
			copy(ours, weights)
			switch l := l.(type) {
			case *conv[T]:
				kernel.ToTorch(l.shape, weights, ours[:len(weights)])
			case *convPool[T]:
				kernel.ToTorch(l.unpooled(), weights, ours[:len(weights)])
			}
			at += n.gradientSize(j)
		}
	}
}
