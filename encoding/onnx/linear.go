package onnx

import (
	"math"
	"strconv"
)

// gemm is y = alpha x op(B) + beta C.
func (c *call) gemm() (any, error) {
	alpha, beta := float64(c.float("alpha", 1)), float64(c.float("beta", 1))
	transB := c.int("transB", 0)
	if err := c.require("transA", 0, 0); err != nil {
		return nil, err
	}
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	if f, err = c.dense(f, alpha, transB != 0); err != nil {
		return nil, err
	}
	if c.has(2) {
		k, err := c.constant(2)
		if err != nil {
			return nil, err
		}
		if f, err = c.biased(f, k, beta); err != nil {
			return nil, err
		}
	} else {
		beta = 1
	}
	if alpha != 1 || beta != 1 {
		c.warn("%v: alpha = %v and beta = %v are multiplied into its parameters: gradients are those with respect to the products", c.n, alpha, beta)
	}
	for _, v := range [][]float64{f.end.layer.Weight, f.end.layer.Bias} {
		for _, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, c.unsupported("alpha is %v and beta is %v: their products with the parameters are not finite", alpha, beta)
			}
		}
	}
	return f, nil
}

func (c *call) matMul() (any, error) {
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	return c.dense(f, 1, false)
}

// dense appends a linear layer with the weights of input 1, [in][out] or, if
// outFirst, [out][in].
func (c *call) dense(f *flow, alpha float64, outFirst bool) (*flow, error) {
	k, err := c.constant(1)
	if err != nil {
		return nil, err
	}
	s := k.shape()
	if len(s) != 2 {
		return nil, c.unsupported("weights of shape %v; supported are [in, out] matrices", s)
	}
	if outFirst {
		s[0], s[1] = s[1], s[0]
	}
	in, out := s[0], s[1]
	switch {
	case len(f.dims) != 1:
		return nil, c.unsupported("samples of shape %v; supported are vectors: flatten them first", f.dims)
	case in != f.dims[0] || in == 0 || out == 0:
		return nil, c.malformed("weights from %d to %d units on samples of %d", in, out, f.dims[0])
	}
	w, err := c.weightsOf(k, c.n)
	if err != nil {
		return nil, err
	}
	toIn, toOut := out, 1
	if outFirst {
		toIn, toOut = 1, in
	}
	weight, err := c.allocate(len(w))
	if err != nil {
		return nil, err
	}
	for i := range in {
		from := f.source(i) * toIn
		for o := range out {
			weight[o*in+i] = alpha * w[from+o*toOut]
		}
	}
	end, err := c.push(f, Layer{Kind: Linear, Out: out, Weight: weight})
	if err != nil {
		return nil, err
	}
	return flowOf(end, false), nil
}

// biased returns f, which ends in a linear layer or a convolution without a
// bias, with scale times the constant k for its bias.
func (c *call) biased(f *flow, k *constant, scale float64) (*flow, error) {
	l := f.end.layer
	if (l.Kind != Linear && l.Kind != Conv) || l.Bias != nil {
		return nil, c.unsupported("adds the constant %.80q; supported is the bias of a dense layer or a convolution directly behind it", k.name())
	}
	if !perChannel(k.shape(), f) {
		return nil, c.unsupported("adds a constant of shape %v to samples of shape %v; supported is one bias for each of %d outputs", k.shape(), f.dims, l.Out)
	}
	if k.elements() != l.Out {
		c.warn("%v: adds one number to all of %d outputs: it counts as a parameter for each, whose gradients are those of that output alone", c.n, l.Out)
	}
	v, err := c.valuesOf(k)
	if err != nil {
		return nil, err
	}
	c.warnOfShared(k)
	if l.Bias, err = c.allocate(l.Out); err != nil {
		return nil, err
	}
	for i := range l.Bias {
		l.Bias[i] = scale * v[i%len(v)]
	}
	end := *f.end
	end.layer = l
	return flowOf(&end, f.last), nil
}

func (k *constant) name() string {
	if k.t == nil {
		return "of integers"
	}
	return k.t.Name
}

// perChannel says whether a constant of the shape s, broadcast to a batch of
// samples, is one number a channel.
func perChannel(s []int, f *flow) bool {
	channel := 1
	if f.last {
		channel = 3
	}
	rank := 1 + len(f.dims)
	if len(s) > rank {
		return false
	}
	for i, size := range s {
		if axis := rank - len(s) + i; size != 1 && (axis != channel || size != f.end.shape.c) {
			return false
		}
	}
	return true
}

// decimal is the float64 with the shortest decimal form of a float32: 1e-5,
// where the file can only say 9.999999747e-06.
func decimal(v float32) float64 {
	d, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		panic("onnx: a number that was formatted does not parse")
	}
	return d
}
