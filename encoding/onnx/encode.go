package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// The versions that Encode writes.
const (
	writtenIR    = 8
	writtenOpset = 17
)

// Encode returns the network as an ONNX file (version 8, operators of version
// 17), in the way of PyTorch's exporter: an input x of shape [batch, Input...],
// an output y, and parameters with the names of a PyTorch Sequential,
// "net.0.weight" for Layers[0], "net.3.body.0.weight" for Layers[3].Body[0].
// dtype is Float, to which parameters are rounded, or Double, which keeps them;
// but onnxruntime 1.24 has no Conv, AveragePool, Softplus and Erf for Double. Equal networks give
// equal bytes. A layer that does not fit its input, and a parameter that dtype
// does not hold or that is not finite, are errors.
func Encode(n *Network, dtype DType) ([]byte, error) {
	if dtype != Float && dtype != Double {
		return nil, fmt.Errorf("onnx: parameters can be written as %v or %v, not as %v", Float, Double, dtype)
	}
	in, err := shapeOf(n.Input)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	out, err := outputs(n.Layers, in)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if len(n.Layers) == 0 {
		return nil, fmt.Errorf("onnx: a network without layers")
	}
	e := &encoder{dtype: dtype}
	x := "x"
	if n.ChannelsLast && in.image() {
		x = e.node("Transpose", "input", []string{x}, Attribute{Name: "perm", Type: IntsAttribute, Ints: toFirst})
	}
	e.layers(n.Layers, "net", x, in)
	if e.err != nil {
		return nil, fmt.Errorf("onnx: %w", e.err)
	}
	last := &e.g.Nodes[len(e.g.Nodes)-1]
	last.Outputs[0] = "y"
	e.g.Inputs = []Value{{"x", dtype, append([]int{-1}, orderedDims(in, n.ChannelsLast && in.image())...)}}
	e.g.Outputs = []Value{{"y", dtype, append([]int{-1}, out.dims()...)}}
	return appendModel(&e.g), nil
}

// encoder collects the graph; err is the first parameter that cannot be written.
type encoder struct {
	dtype DType
	g     Graph
	err   error
}

// node appends a node and returns the name of its output.
func (e *encoder) node(op, layer string, inputs []string, attributes ...Attribute) string {
	name := fmt.Sprintf("/%s/%s", layer, op)
	out := name + "_output_0"
	e.g.Nodes = append(e.g.Nodes, Node{Op: op, Name: name, Inputs: inputs, Outputs: []string{out}, Attributes: attributes})
	return out
}

// tensor appends an initializer and returns its name.
func (e *encoder) tensor(name string, v []float64, shape ...int) string {
	t := Tensor{Name: name, DType: e.dtype, Shape: shape}
	for i, x := range v {
		if bad := math.IsNaN(x) || math.IsInf(x, 0); (bad || e.dtype == Float && math.IsInf(float64(float32(x)), 0)) && e.err == nil {
			e.err = fmt.Errorf("%s: element %d is %v; finite numbers in the range of %v are needed", name, i, x, e.dtype)
		}
		t.Data = e.appendFloat(t.Data, x)
	}
	e.g.Initializers = append(e.g.Initializers, t)
	return name
}

func (e *encoder) appendFloat(b []byte, v float64) []byte {
	if e.dtype == Float {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func (e *encoder) integers(name string, v ...int64) string {
	t := Tensor{Name: name, DType: Int64, Shape: []int{len(v)}}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, uint64(x))
	}
	e.g.Initializers = append(e.g.Initializers, t)
	return name
}

// scalar appends a Constant node.
func (e *encoder) scalar(layer, what string, v float64) string {
	t := &Tensor{DType: e.dtype, Shape: []int{}, Data: e.appendFloat(nil, v)}
	return e.node("Constant", layer+"/"+what, nil, Attribute{Name: "value", Type: TensorAttribute, Tensor: t})
}

func (e *encoder) layers(layers []Layer, prefix, x string, s shape) string {
	for i := range layers {
		l := &layers[i]
		x = e.layer(l, prefix+"."+strconv.Itoa(i), x, s)
		s, _ = l.output(s) // Encode has checked it
	}
	return x
}

func (e *encoder) layer(l *Layer, name, x string, s shape) string {
	switch l.Kind {
	case Linear:
		return e.node("Gemm", name, e.affine(l, name, x, l.Out, s.c),
			floatAttribute("alpha", 1), floatAttribute("beta", 1), intAttribute("transB", 1))
	case Conv:
		return e.node("Conv", name, e.affine(l, name, x, l.Out, s.c, l.Kernel, l.Kernel),
			intsAttribute("dilations", 2, 1), intAttribute("group", 1), intsAttribute("kernel_shape", 2, l.Kernel),
			intsAttribute("pads", 4, l.Padding), intsAttribute("strides", 2, l.Stride))
	case MaxPool:
		return e.node("MaxPool", name, []string{x},
			intAttribute("ceil_mode", 0), intsAttribute("kernel_shape", 2, l.Kernel), intsAttribute("pads", 4, 0), intsAttribute("strides", 2, l.Kernel))
	case AvgPool:
		return e.node("AveragePool", name, []string{x},
			intAttribute("ceil_mode", 0), intAttribute("count_include_pad", 1), intsAttribute("kernel_shape", 2, l.Kernel), intsAttribute("pads", 4, 0), intsAttribute("strides", 2, l.Kernel))
	case Flatten:
		return e.node("Flatten", name, []string{x}, intAttribute("axis", 1))
	case BatchNorm:
		return e.batchNorm(l, name, x, s.c)
	case Residual:
		body := e.layers(l.Body, name+".body", x, s)
		return e.node("Add", name, []string{body, e.shortcut(l, name, x, s)})
	case Activate:
		return e.activation(l.Activation, name, x)
	}
	panic("onnx: a kind of layer that is not written")
}

// affine returns the inputs of a node with the weights of a layer.
func (e *encoder) affine(l *Layer, name, x string, shape ...int) []string {
	inputs := []string{x, e.tensor(name+".weight", l.Weight, shape...)}
	if l.Bias != nil {
		inputs = append(inputs, e.tensor(name+".bias", l.Bias, l.Out))
	}
	return inputs
}

func (e *encoder) batchNorm(l *Layer, name, x string, channels int) string {
	return e.node("BatchNormalization", name, []string{x,
		e.tensor(name+".weight", l.Weight, channels), e.tensor(name+".bias", l.Bias, channels),
		e.tensor(name+".running_mean", l.Mean, channels), e.tensor(name+".running_var", l.Variance, channels)},
		floatAttribute("epsilon", float32(l.Epsilon)), floatAttribute("momentum", 0.9), intAttribute("training_mode", 0))
}

func (e *encoder) activation(a Activation, name, x string) string {
	switch a {
	case ReLU:
		return e.node("Relu", name, []string{x})
	case Tanh:
		return e.node("Tanh", name, []string{x})
	case Softplus:
		return e.node("Softplus", name, []string{x})
	case Sigmoid:
		return e.node("Sigmoid", name, []string{x})
	}
	scaled := e.node("Div", name, []string{x, e.scalar(name, "root", math.Sqrt2)})
	erf := e.node("Erf", name, []string{scaled})
	sum := e.node("Add", name, []string{erf, e.scalar(name, "one", 1)})
	product := e.node("Mul", name, []string{x, sum})
	return e.node("Mul", name+"/half", []string{product, e.scalar(name, "half", 0.5)})
}

// shortcut returns the input of a residual block as it is added to the body.
func (e *encoder) shortcut(l *Layer, name, x string, s shape) string {
	name += ".shortcut"
	if l.Stride > 1 {
		x = e.node("Slice", name, []string{x, e.integers(name+".starts", 0, 0), e.integers(name+".ends", math.MaxInt64, math.MaxInt64),
			e.integers(name+".axes", 2, 3), e.integers(name+".steps", int64(l.Stride), int64(l.Stride))})
	}
	out, _ := outputs(l.Body, s)
	if more := int64(out.c - s.c); more > 0 {
		x = e.node("Pad", name, []string{x, e.integers(name+".pads", 0, more/2, 0, 0, 0, more-more/2, 0, 0)},
			Attribute{Name: "mode", Type: StringAttribute, String: "constant"})
	}
	return x
}

func intAttribute(name string, v int64) Attribute {
	return Attribute{Name: name, Type: IntAttribute, Int: v}
}

func floatAttribute(name string, v float32) Attribute {
	return Attribute{Name: name, Type: FloatAttribute, Float: v}
}

// intsAttribute is n times v.
func intsAttribute(name string, n, v int) Attribute {
	a := Attribute{Name: name, Type: IntsAttribute}
	for range n {
		a.Ints = append(a.Ints, int64(v))
	}
	return a
}
