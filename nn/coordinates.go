package nn

import (
	"errors"
	"fmt"

	"sobolev/internal/kernel"
)

// CoordinateSums returns, for every order m = 1 … orders and every parameter j,
//
//	S_m(j) = Σ_i (Σ_o J_io,j²)^m,
//
// orders×w row-major, with parameters in the order of CopyParameters: zero for
// those of layers that do not train. They are the sums over the samples that
// Theorem 2 and the thresholds of single coordinates need (Ma & Ying, 2021,
// equation 30).
//
// A weight of a dense layer has J_io,(a,l) = δ_io,a x_il, so that all its sums of
// one order are the product of a matrix of powers (Σ_o δ_io,a²)^m with one of
// powers x_il^{2m}; for other layers the gradient of every sample is formed.
// Powers and sums are in float64 and not scaled: |J|^{2m} below 1e-308 vanishes.
//
// memory limits the bytes; the result does not depend on it.
func (n *Network[T]) CoordinateSums(data Data[T], orders int, memory int64) ([]float64, error) {
	if orders < 1 {
		return nil, errors.New("coordinate sums need an order of at least 1")
	}
	w := n.ParameterCount()
	own := 8*int64(orders)*int64(w) + 8*int64(w)
	if own > memory {
		return nil, fmt.Errorf("coordinate sums of %d orders and %d parameters need %d bytes of memory; the limit is %d", orders, w, own, memory)
	}
	c := &coordinatePass[T]{net: n, orders: orders, sums: make([]float64, orders*w)}
	elements := func(f *layerFactors[T]) int {
		if f.positions == 1 {
			return 2 * (f.inputs + f.outputs)
		}
		return 2 * f.size
	}
	var err error
	if c.meter, c.factors, err = n.newBlockMeter(data, nil, memory-own, elements); err != nil {
		return nil, err
	}
	c.allocate()
	for from := 0; from < data.N; from += c.meter.block {
		c.add(data, from, min(c.meter.block, data.N-from))
	}
	c.reorder()
	return c.sums, nil
}

// coordinatePass is the working memory of CoordinateSums.
type coordinatePass[T kernel.Float] struct {
	net     *Network[T]
	meter   *factorMeter[T]
	factors []*layerFactors[T]
	orders  int
	sums    []float64 // weights in the order of the kernels until reorder
	// squares are Σ_o δ² or Σ_o g² of every row, inputs x² of dense layers.
	squares, inputs [][]float64
	// powers of them, of the order that is being added.
	squarePowers, inputPowers []float64
	gradient                  []T
}

func (c *coordinatePass[T]) allocate() {
	rows, widest := c.meter.block, 0
	for _, f := range c.factors {
		width := f.size
		if f.positions == 1 {
			width = f.outputs
		}
		widest = max(widest, width, f.size)
		c.squares = append(c.squares, make([]float64, rows*width))
		in := 0
		if f.positions == 1 {
			in = f.inputs
		}
		c.inputs = append(c.inputs, make([]float64, rows*in))
		c.squarePowers = append(c.squarePowers, make([]float64, max(0, rows*width-len(c.squarePowers)))...)
		c.inputPowers = append(c.inputPowers, make([]float64, max(0, rows*in-len(c.inputPowers)))...)
	}
	c.gradient = make([]T, widest)
}

// add adds the sums of samples from … from+count−1.
func (c *coordinatePass[T]) add(data Data[T], from, count int) {
	n, ws := c.net, c.meter.meter.ws
	for k := range c.squares {
		clear(c.squares[k])
	}
	c.meter.eachRow(data, from, count, func(k, _, i int) {
		l, f := n.stageOf[c.meter.layers[k]], c.factors[k]
		if f.positions != 1 {
			c.meter.setPatch(k, i)
			return
		}
		n.layers[c.meter.layers[k]].(factored[T]).patchFactor(c.gradient, ws.state[l], ws.value[l], i)
		addSquares(c.inputs[k][i*f.inputs:(i+1)*f.inputs], c.gradient, true)
	}, func(k, _, _, i int) {
		l, f := n.stageOf[c.meter.layers[k]], c.factors[k]
		if f.positions != 1 {
			c.meter.gradient(c.gradient[:f.size], k, i)
			addSquares(c.squares[k][i*f.size:(i+1)*f.size], c.gradient, false)
			return
		}
		n.layers[c.meter.layers[k]].(factored[T]).deltaFactor(c.gradient, ws.state[l], ws.delta[l], i)
		addSquares(c.squares[k][i*f.outputs:(i+1)*f.outputs], c.gradient, false)
	})
	offset := 0
	for j := range n.frozen {
		offset += n.gradientSize(j)
	}
	for k, f := range c.factors {
		c.addPowers(k, offset, count)
		offset += f.size
	}
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

// addPowers adds all orders of layer k, whose parameters begin at offset.
func (c *coordinatePass[T]) addPowers(k, offset, count int) {
	f, squares, inputs := c.factors[k], c.squares[k], c.inputs[k]
	a, b := c.squarePowers[:len(squares)], c.inputPowers[:len(inputs)]
	copy(a, squares)
	copy(b, inputs)
	for m := range c.orders {
		if m > 0 {
			multiply(a, squares)
			multiply(b, inputs)
		}
		to := c.sums[m*c.net.ParameterCount()+offset:][:f.size]
		if f.positions == 1 {
			o, p := f.outputs, f.inputs
			kernel.Gemm(true, false, o, p, count, 1, a, o, b, p, 1, to, p)
			to = to[o*p:] // the bias
		}
		if len(to) > 0 {
			for i := range count {
				kernel.Axpy(to, 1, a[i*len(a)/c.meter.block:][:len(to)])
			}
		}
	}
}

func multiply(x, y []float64) {
	for i, v := range y {
		x[i] *= v
	}
}

// reorder brings the weights of convolutions into PyTorch's order.
func (c *coordinatePass[T]) reorder() {
	n := c.net
	ours := make([]float64, n.ParameterCount())
	for m := range c.orders {
		at := m * n.ParameterCount()
		for j, l := range n.layers {
			weights := c.sums[at : at+n.weights[j]]
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
