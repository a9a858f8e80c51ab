package onnx

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Every pattern is what an exporter writes; the layers must compute what the
// graph does.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		name  string
		input []int
		opset int64
		build func(m *model) string
		want  string // the layers
	}{
		{"Gemm", []int{5}, 17, func(m *model) string { return m.gemm("x", 5, 3) }, "linear"},
		{"Gemm, no alpha, no transB, row bias", []int{5}, 17, func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(5, 3), m.weights(1, 3)}, intAttr("transA", 0))
		}, "linear"},
		{"Gemm, beta without a bias", []int{5}, 17, func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(5, 3)}, floatAttr("beta", 0.5))
		}, "linear"},
		{"MatMul, Add", []int{4}, 17, func(m *model) string {
			return m.node("Add", []string{m.node("MatMul", []string{"x", m.weights(4, 3)}), m.weights(3)})
		}, "linear"},
		{"MatMul, Add the other way round", []int{4}, 17, func(m *model) string {
			return m.node("Add", []string{m.weights(3), m.node("MatMul", []string{"x", m.weights(4, 3)})})
		}, "linear"},
		{"MatMul of a transposed constant", []int{4}, 18, func(m *model) string {
			return m.node("MatMul", []string{"x", m.node("Transpose", []string{m.weights(3, 4)}, intsAttr("perm", 1, 0))})
		}, "linear"},
		{"MatMul of a constant that was transposed twice", []int{4}, 18, func(m *model) string {
			w := m.node("Transpose", []string{m.node("Transpose", []string{m.weights(4, 3)})})
			return m.node("MatMul", []string{"x", m.node("Identity", []string{w})})
		}, "linear"},
		{"weights in a Constant", []int{3}, 17, func(m *model) string {
			w := m.node("Constant", nil, tensorAttr("value", doubles("", []float64{1, -2, 3, 4, 5, 6}, 3, 2)))
			return m.node("MatMul", []string{"x", w})
		}, "linear"},
		{"activations", []int{4}, 20, func(m *model) string {
			x := m.gemm("x", 4, 4)
			for _, op := range []string{"Relu", "Tanh", "Sigmoid", "Softplus", "Gelu"} {
				x = m.gemm(m.node(op, []string{x}), 4, 4)
			}
			return x
		}, "linear relu linear tanh linear sigmoid linear softplus linear gelu linear"},
		{"GELU of PyTorch", []int{4}, 17, func(m *model) string { return m.gemm(m.erfGELU(m.gemm("x", 4, 4)), 4, 2) }, "linear gelu linear"},
		{"GELU of Keras", []int{4}, 17, func(m *model) string { // 0.5 x (1 + erf(0.7071 x))
			x := m.gemm("x", 4, 4)
			sum := m.node("Add", []string{m.scalar(1), m.node("Erf", []string{m.node("Mul", []string{m.scalar(0.7071067811865476), x})})})
			return m.node("Mul", []string{m.node("Mul", []string{m.scalar(0.5), x}), sum})
		}, "linear gelu"},
		{"GELU with the half in the sum", []int{4}, 17, func(m *model) string {
			x := m.gemm("x", 4, 4)
			sum := m.node("Add", []string{m.node("Erf", []string{m.node("Div", []string{x, m.scalar(1.4142135623730951)})}), m.scalar(1)})
			return m.node("Mul", []string{m.node("Mul", []string{sum, m.scalar(0.5)}), x})
		}, "linear gelu"},
		{"GELU with half of erf and half of one", []int{4}, 17, func(m *model) string {
			x := m.gemm("x", 4, 4)
			erf := m.node("Mul", []string{m.scalar(0.5), m.node("Erf", []string{m.node("Div", []string{x, m.scalar(1.4142135623730951)})})})
			return m.node("Mul", []string{x, m.node("Add", []string{erf, m.scalar(0.5)})})
		}, "linear gelu"},
		{"Conv, ReLU, MaxPool, Flatten, Gemm", []int{2, 7, 6}, 17, func(m *model) string {
			x := m.node("Relu", []string{m.conv("x", 2, 3, 3, 1, 1)})
			x = m.node("Flatten", []string{m.pool("MaxPool", x, 2)})
			return m.gemm(x, 3*3*3, 2)
		}, "conv relu maxpool flatten linear"},
		{"Conv without a bias, Add", []int{2, 5, 5}, 17, func(m *model) string {
			return m.node("Add", []string{m.node("Conv", []string{"x", m.weights(3, 2, 3, 3)}), m.weights(1, 3, 1, 1)})
		}, "conv"},
		{"Conv, SAME_UPPER", []int{1, 6, 6}, 17, func(m *model) string {
			return m.node("Conv", []string{"x", m.weights(2, 1, 3, 3)}, stringAttr("auto_pad", "SAME_UPPER"))
		}, "conv"},
		{"Conv, SAME_LOWER with a stride", []int{1, 5, 7}, 17, func(m *model) string {
			return m.node("Conv", []string{"x", m.weights(2, 1, 3, 3)}, stringAttr("auto_pad", "SAME_LOWER"), intsAttr("strides", 2, 2))
		}, "conv"},
		{"Conv with the kernel of Keras", []int{2, 5, 5}, 17, func(m *model) string { // [height, width, in, out]
			return m.node("Conv", []string{"x", m.node("Transpose", []string{m.weights(3, 3, 2, 4)}, intsAttr("perm", 3, 2, 0, 1))})
		}, "conv"},
		{"Conv with a kernel that was transposed twice", []int{2, 5, 5}, 17, func(m *model) string {
			w := m.node("Transpose", []string{m.weights(3, 2, 3, 4)}, intsAttr("perm", 1, 2, 3, 0))
			return m.node("Conv", []string{"x", m.node("Transpose", []string{w}, intsAttr("perm", 2, 0, 1, 3))}, intsAttr("pads", 1, 1, 1, 1))
		}, "conv"},
		{"Conv, VALID", []int{1, 5, 5}, 17, func(m *model) string {
			return m.node("Conv", []string{"x", m.weights(2, 1, 2, 2)}, stringAttr("auto_pad", "VALID"), intsAttr("strides", 2, 2))
		}, "conv"},
		{"GlobalAveragePool", []int{2, 4, 4}, 17, func(m *model) string {
			x := m.node("GlobalAveragePool", []string{m.conv("x", 2, 3, 3, 1, 1)})
			return m.gemm(m.node("Flatten", []string{x}, intAttr("axis", 1)), 3, 2)
		}, "conv avgpool flatten linear"},
		{"mean over pixels", []int{2, 4, 4}, 17, func(m *model) string {
			x := m.node("ReduceMean", []string{m.conv("x", 2, 3, 3, 1, 1)}, intsAttr("axes", -2, -1), intAttr("keepdims", 0))
			return m.gemm(x, 3, 2)
		}, "conv avgpool flatten linear"},
		{"mean over pixels, axes as an input", []int{2, 4, 4}, 18, func(m *model) string {
			x := m.node("ReduceMean", []string{m.conv("x", 2, 3, 3, 1, 1), m.integers(2, 3)}, intAttr("keepdims", 1))
			return m.gemm(m.node("Squeeze", []string{x, m.integers(2, 3)}), 3, 2)
		}, "conv avgpool flatten linear"},
		{"x.view(x.size(0), -1)", []int{2, 3, 3}, 17, func(m *model) string {
			x := m.conv("x", 2, 3, 1, 1, 0)
			n := m.node("Gather", []string{m.node("Shape", []string{x}), m.node("Constant", nil, intAttr("value_int", 0))}, intAttr("axis", 0))
			shape := m.node("Concat", []string{m.node("Unsqueeze", []string{n, m.integers(0)}), m.integers(-1)}, intAttr("axis", 0))
			return m.gemm(m.node("Reshape", []string{x, shape}, intAttr("allowzero", 0)), 27, 2)
		}, "conv flatten linear"},
		{"Reshape to [0, -1]", []int{2, 3, 3}, 17, func(m *model) string {
			x := m.node("Reshape", []string{m.conv("x", 2, 3, 1, 1, 0), m.node("Constant", nil, intsAttr("value_ints", 0, -1))})
			return m.gemm(x, 27, 2)
		}, "conv flatten linear"},
		{"an input that is neither vector nor image", []int{4, 3}, 17, func(m *model) string {
			return m.gemm(m.node("Reshape", []string{"x", m.integers(-1, 12)}), 12, 2)
		}, "linear"},
		{"a vector that becomes images", []int{32}, 17, func(m *model) string {
			return m.conv(m.node("Reshape", []string{"x", m.integers(-1, 2, 4, 4)}), 2, 3, 3, 1, 1)
		}, "conv"},
		{"batch normalisation", []int{2, 4, 4}, 17, func(m *model) string {
			x := m.node("Relu", []string{m.batchNorm(m.conv("x", 2, 3, 3, 1, 1), 3)})
			return m.batchNorm(m.gemm(m.node("Flatten", []string{x}), 48, 4), 4)
		}, "conv batchnorm relu flatten linear batchnorm"},
		{"a channels-last global average", []int{4, 4, 2}, 17, func(m *model) string {
			x := m.last(m.conv(m.first("x"), 2, 3, 3, 1, 1))
			return m.gemm(m.node("ReduceMean", []string{x}, intsAttr("axes", 1, 2), intAttr("keepdims", 0)), 3, 2)
		}, "conv avgpool flatten linear"},
		{"a global average, transposed and squeezed", []int{2, 4, 4}, 17, func(m *model) string {
			x := m.last(m.node("GlobalAveragePool", []string{m.conv("x", 2, 3, 3, 1, 1)}))
			return m.gemm(m.node("Squeeze", []string{x, m.integers(1, 2)}), 3, 2)
		}, "conv avgpool flatten linear"},
		{"a Reshape for a Transpose", []int{5, 4, 1}, 17, func(m *model) string { // of tf2onnx, with one channel
			x := m.conv(m.node("Reshape", []string{"x", m.integers(-1, 1, 5, 4)}), 1, 1, 3, 1, 1)
			x = m.node("Reshape", []string{x, m.integers(-1, 5, 4, 1)})
			return m.gemm(m.node("Reshape", []string{m.node("Relu", []string{x}), m.integers(-1, 20)}), 20, 2)
		}, "conv relu flatten linear"},
		{"gray images", []int{5, 4}, 17, func(m *model) string {
			return m.conv(m.node("Unsqueeze", []string{"x", m.integers(1)}), 1, 2, 3, 1, 1)
		}, "conv"},
		{"the size of the batch as PyTorch 2.5 computes it", []int{2, 3, 3}, 18, func(m *model) string {
			n := m.node("Squeeze", []string{m.node("Shape", []string{"x"}, intAttr("start", 0), intAttr("end", 1)), m.integers(0)})
			n = m.node("Reshape", []string{m.node("Cast", []string{n}, intAttr("to", int64(Int64))), m.integers(-1)})
			return m.gemm(m.node("Reshape", []string{"x", m.node("Concat", []string{n, m.integers(18)}, intAttr("axis", 0))}), 18, 2)
		}, "flatten linear"},
		{"scalars in Constants", []int{4}, 17, func(m *model) string {
			x := m.gemm("x", 4, 4)
			k := func(v float32) string { return m.node("Constant", nil, floatAttr("value_float", v)) }
			w := m.node("Constant", nil, message{}.text(1, "value_floats").bytes(7, []byte{0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64}).int(20, 6))
			b := m.node("Add", []string{m.node("MatMul", []string{x, m.weights(4, 4)}), w})
			sum := m.node("Add", []string{m.node("Erf", []string{m.node("Mul", []string{b, m.scalar(0.7071067811865476)})}), k(1)})
			return m.node("Mul", []string{m.node("Mul", []string{b, k(0.5)}), sum})
		}, "linear linear gelu"},
		{"padding wider than the kernel", []int{1, 2, 2}, 17, func(m *model) string { return m.conv("x", 1, 2, 2, 1, 3) }, "conv"},
		{"1×1 poolings", []int{1, 2, 2}, 17, func(m *model) string {
			return m.pool("MaxPool", m.node("AveragePool", []string{"x"}, intsAttr("kernel_shape", 1, 1)), 2)
		}, "avgpool maxpool"},
		{"Identity, Dropout, Cast", []int{4}, 17, func(m *model) string {
			x := m.node("Identity", []string{m.gemm("x", 4, 4)})
			x = m.node("Cast", []string{x}, intAttr("to", int64(Float)))
			return m.gemm(m.node("Dropout", []string{x, m.scalar(0.5)}, intAttr("seed", 1)), 4, 2)
		}, "linear linear"},
		{"residual block", []int{2, 4, 4}, 17, func(m *model) string {
			x := m.node("Relu", []string{m.conv("x", 2, 3, 3, 1, 1)})
			y := m.conv(m.node("Relu", []string{m.conv(x, 3, 3, 3, 1, 1)}), 3, 3, 3, 1, 1)
			return m.node("Relu", []string{m.node("Add", []string{y, x})})
		}, "conv relu residual(conv relu conv) relu"},
		{"residual block on vectors, shortcut first", []int{4}, 17, func(m *model) string {
			return m.gemm(m.node("Add", []string{"x", m.gemm(m.node("Tanh", []string{m.gemm("x", 4, 5)}), 5, 4)}), 4, 2)
		}, "residual(linear tanh linear) linear"},
		{"residual blocks in one another", []int{4}, 17, func(m *model) string {
			x := m.gemm("x", 4, 4)
			y := m.gemm(x, 4, 4)
			return m.node("Add", []string{x, m.gemm(m.node("Add", []string{y, m.gemm(y, 4, 4)}), 4, 4)})
		}, "linear residual(linear residual(linear) linear)"},
		{"shortcut of type A", []int{2, 5, 5}, 17, func(m *model) string {
			y := m.conv(m.node("Relu", []string{m.conv("x", 2, 5, 3, 2, 1)}), 5, 5, 3, 1, 1)
			s := m.node("Slice", []string{"x", m.integers(0), m.integers(1 << 40), m.integers(2), m.integers(2)})
			s = m.node("Slice", []string{s, m.integers(0), m.integers(5), m.integers(3), m.integers(2)})
			s = m.node("Pad", []string{s, m.integers(0, 1, 0, 0, 0, 2, 0, 0), m.scalar(0)}, stringAttr("mode", "constant"))
			return m.node("Add", []string{y, s})
		}, "residual(conv relu conv)"},
		{"a Pad by nothing before AveragePool", []int{2, 4, 4}, 17, func(m *model) string {
			x := m.node("Pad", []string{"x", m.integers(0, 0, 0, 0, 0, 0, 0, 0)})
			return m.pool("AveragePool", x, 2)
		}, "avgpool"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(1, c.opset, c.input...)
			net := compare(t, m.read(t, c.build(m)), m.rng)
			if got := kinds(net.Layers); got != c.want {
				t.Errorf("layers %s, want %s", got, c.want)
			}
			if len(net.Warnings) > 0 {
				t.Errorf("warnings %q", net.Warnings)
			}
		})
	}
}

// A graph that was exported for two samples may say so in its shapes.
func TestFixedBatch(t *testing.T) {
	m := newModel(1, 17, 2, 3, 3)
	got := m.read(t, m.gemm(m.node("Reshape", []string{m.conv("x", 2, 2, 1, 1, 0), m.integers(2, -1)}), 18, 2))
	_, err := got.Network()
	checkError(t, err, ErrUnsupported, "mixes samples")
	got.Graph.Inputs[0].Shape[0] = 2
	compare(t, got, m.rng)
}

// Rounded constants are those of GELU too, and rounded values are a warning.
func TestHalfPrecision(t *testing.T) {
	m := newModel(1, 17, 4)
	x := m.node("Cast", []string{m.gemm("x", 4, 4)}, intAttr("to", int64(BFloat16)))
	sum := m.node("Add", []string{m.node("Erf", []string{m.node("Div", []string{x, m.scalar(1.4140625)})}), m.scalar(1)})
	net, err := m.read(t, m.node("Mul", []string{m.node("Mul", []string{x, sum}), m.scalar(0.5)})).Network()
	if err != nil {
		t.Fatal(err)
	}
	if got := kinds(net.Layers); got != "linear gelu" {
		t.Errorf("layers %s", got)
	}
	if len(net.Warnings) != 1 || !strings.Contains(net.Warnings[0], "rounding to BFLOAT16") {
		t.Errorf("warnings %q", net.Warnings)
	}
}

// first and last are what tf2onnx puts around every convolution of Keras.
func (m *model) first(x string) string {
	return m.node("Transpose", []string{x}, intsAttr("perm", 0, 3, 1, 2))
}

func (m *model) last(x string) string {
	return m.node("Transpose", []string{x}, intsAttr("perm", 0, 2, 3, 1))
}

// A model of Keras takes [batch, height, width, channels] and flattens in that
// order.
func TestKeras(t *testing.T) {
	m := newModel(2, 15, 6, 4, 2)
	x := m.node("Conv", []string{m.first("x"), m.weights(3, 2, 3, 3)}, stringAttr("auto_pad", "SAME_UPPER"))
	x = m.node("Relu", []string{m.node("Add", []string{m.last(x), m.weights(3)})})
	x = m.last(m.pool("MaxPool", m.first(x), 2))
	x = m.node("Reshape", []string{x, m.integers(-1, 18)})
	x = m.batchNorm(m.node("Tanh", []string{x}), 18)
	x = m.node("Add", []string{m.node("MatMul", []string{x, m.weights(18, 5)}), m.weights(5)})
	net := compare(t, m.read(t, m.node("Softmax", []string{m.node("Identity", []string{x})}, intAttr("axis", -1))), m.rng)
	if got, want := kinds(net.Layers), "conv relu maxpool flatten tanh batchnorm linear"; got != want {
		t.Errorf("layers %s, want %s", got, want)
	}
	if len(net.Warnings) != 1 || !strings.Contains(net.Warnings[0], "logits") {
		t.Errorf("warnings %q", net.Warnings)
	}
	if !net.ChannelsLast || !slices.Equal(net.Input, []int{2, 6, 4}) {
		t.Errorf("channels last %v, input %v", net.ChannelsLast, net.Input)
	}
}

// Random networks in the two dialects, compared unit by unit.
func TestRandomNetworks(t *testing.T) {
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c, size := 1+rng.IntN(3), 4+rng.IntN(4)
		last := seed%2 == 1
		input := []int{c, size, size + rng.IntN(2)}
		if last {
			input = []int{input[1], input[2], c}
		}
		m := newModel(seed, 17, input...)
		out := m.gemm(m.randomImages("x", input, last), m.flat, 1+rng.IntN(4))
		compare(t, m.read(t, out), m.rng)
	}
}

// Layers that compute what the graph does, but whose parameters are not the graph's
// own, come with a warning.
func TestWarningsOfParameters(t *testing.T) {
	for _, c := range []struct {
		name, want string
		build      func(m *model) string
	}{
		{"alpha", "/Gemm_0", func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(4, 3), m.weights(3)}, floatAttr("alpha", 0.5))
		}},
		{"beta", "beta = -2 are multiplied into its parameters", func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(4, 3), m.weights(1, 3)}, floatAttr("beta", -2))
		}},
		{"one bias for all outputs", "one number to all of 3 outputs", func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(4, 3), m.weights()})
		}},
		{"a bias of two layers", `"w2" are those of node "/Gemm_0" (Gemm) too`, func(m *model) string {
			w, b := m.weights(4, 4), m.weights(4)
			return m.node("Gemm", []string{m.node("Gemm", []string{"x", w, b}), m.weights(4, 4), b})
		}},
		{"a scale that is a bias", `"w2" are those of node "/Gemm_0" (Gemm) too`, func(m *model) string {
			w, b := m.weights(4, 4), m.weights(4)
			x := m.node("Gemm", []string{"x", w, b})
			return m.node("BatchNormalization", []string{x, m.weights(4), b, m.weights(4), m.given([]float64{1, 2, 3, 4}, 4)})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(5, 11, 4)
			net := compare(t, m.read(t, c.build(m)), m.rng)
			if len(net.Warnings) != 1 || !strings.Contains(net.Warnings[0], c.want) {
				t.Errorf("warnings %q", net.Warnings)
			}
		})
	}
}
