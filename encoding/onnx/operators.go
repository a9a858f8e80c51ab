package onnx

import "math"

// operators is what Network understands. An operator returns the value of its
// first output, a *constant or a *flow.
var operators = map[string]func(*call) (any, error){
	"Gemm": (*call).gemm, "MatMul": (*call).matMul, "Add": (*call).add,
	"Relu": activation(ReLU), "Tanh": activation(Tanh), "Softplus": activation(Softplus), "Sigmoid": activation(Sigmoid),
	"Gelu": (*call).gelu, "Erf": (*call).erf, "Mul": (*call).mul, "Div": (*call).div,
	"Conv": (*call).conv, "MaxPool": pooling(MaxPool), "AveragePool": pooling(AvgPool),
	"GlobalAveragePool": (*call).globalAveragePool, "ReduceMean": (*call).reduceMean,
	"BatchNormalization": (*call).batchNormalization,
	"Flatten":            (*call).flatten, "Reshape": (*call).reshapeNode, "Squeeze": (*call).squeeze, "Unsqueeze": (*call).unsqueeze,
	"Transpose": (*call).transpose,
	"Identity":  (*call).identity, "Dropout": (*call).dropout, "Cast": (*call).cast,
	"Softmax": (*call).softmax, "LogSoftmax": (*call).softmax,
	"Constant": (*call).constantNode, "Shape": (*call).shapeNode, "Gather": (*call).gather, "Concat": (*call).concat,
	"Slice": (*call).slice, "Pad": (*call).pad,
}

func activation(a Activation) func(*call) (any, error) {
	return func(c *call) (any, error) {
		f, err := c.flow(0)
		if err != nil {
			return nil, err
		}
		return c.pointwise(f, Layer{Kind: Activate, Activation: a})
	}
}

func (c *call) gelu() (any, error) {
	if approximate := c.string("approximate", "none"); approximate != "none" {
		return nil, c.unsupported("approximate is %.40q; supported is the exact GELU, %q", approximate, "none")
	}
	return activation(GELU)(c)
}

func (c *call) identity() (any, error) { return c.input(0) }

// dropout is the identity in evaluation.
func (c *call) dropout() (any, error) {
	c.ignore("ratio", "seed")
	if c.has(2) {
		training, err := c.integers(2)
		if err != nil {
			return nil, err
		}
		if len(training) != 1 || training[0] != 0 {
			return nil, c.unsupported("it is in training mode; export the model in evaluation mode")
		}
	}
	return c.input(0)
}

func (c *call) cast() (any, error) {
	c.ignore("saturate", "round_mode")
	to := DType(c.int("to", 0))
	v, err := c.input(0)
	if err != nil {
		return nil, err
	}
	k, constant := v.(*constant)
	integral := constant && (k.t == nil || !k.t.DType.real())
	switch {
	case integral && (to == Int64 || to == Int32), !integral && to.real():
	default:
		return nil, c.unsupported("a cast to %v; supported are casts from floating-point to floating-point numbers", to)
	}
	if !integral && (to == Float16 || to == BFloat16) {
		c.warn("%v: the rounding to %v is left out", c.n, to)
	}
	return v, nil
}

// softmax is left out behind the logits; result warns of that.
func (c *call) softmax() (any, error) {
	otherwise := int64(-1)
	if c.opset < 13 {
		otherwise = 1
	}
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	axis, err := c.axis(c.int("axis", otherwise), 1+len(f.dims))
	if err != nil {
		return nil, err
	}
	if f.end.shape.image() || len(f.dims) != 1 || axis != 1 {
		return nil, c.unsupported("over axis %d of samples of shape %v; supported is a softmax over the outputs [c]", axis, f.dims)
	}
	g := *f
	g.softmax = c.n.String()
	return &g, nil
}

func (c *call) batchNormalization() (any, error) {
	c.ignore("momentum")
	for name, want := range map[string]int64{"training_mode": 0, "spatial": 1} {
		if err := c.require(name, want, want); err != nil {
			return nil, err
		}
	}
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	if len(f.dims) != 1 && len(f.dims) != 3 || f.last && !f.end.shape.sameOrder() {
		return nil, c.unsupported("samples of shape %v; supported are vectors, and images [channels, height, width]", f.dims)
	}
	l := Layer{Kind: BatchNorm, Epsilon: decimal(c.float("epsilon", 1e-5))}
	if math.IsNaN(l.Epsilon) || math.IsInf(l.Epsilon, 0) {
		return nil, c.unsupported("epsilon is %v, which is not finite", l.Epsilon)
	}
	for i, to := range []*[]float64{&l.Weight, &l.Bias, &l.Mean, &l.Variance} {
		read := c.parameters
		if i >= 2 { // the averages are no parameters
			read = c.vector
		}
		v, err := read(i+1, f.dims[0])
		if err != nil {
			return nil, err
		}
		if *to, err = c.inOrder(f, v); err != nil {
			return nil, err
		}
	}
	return c.pointwise(f, l)
}

// inOrder returns the numbers of a vector's elements in the order of the layers.
func (c *call) inOrder(f *flow, v []float64) ([]float64, error) {
	if !f.reordered() {
		return v, nil
	}
	to, err := c.allocate(len(v))
	for i := range to {
		to[i] = v[f.source(i)]
	}
	return to, err
}
