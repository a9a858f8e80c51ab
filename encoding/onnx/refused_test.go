package onnx

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// What is no feed-forward network says so, with the node's name and what would
// be right.
func TestNetworkRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		input  []int
		build  func(m *model) string
		reason error
		says   []string
	}{
		{"unknown operator", []int{4}, func(m *model) string { return m.node("LSTM", []string{m.gemm("x", 4, 4)}) },
			ErrUnsupported, []string{"test.onnx", `"/LSTM_1" (LSTM)`, "AveragePool, BatchNormalization", "Gemm"}},
		{"another domain", []int{4}, func(m *model) string {
			m.graph = m.graph.bytes(1, message{}.text(1, "x").text(2, "y").text(4, "Gelu").text(7, "com.microsoft"))
			return "y"
		}, ErrUnsupported, []string{`"com.microsoft"`, "Gelu"}},
		{"unknown attribute", []int{4}, func(m *model) string { return m.node("Relu", []string{"x"}, intAttr("fast", 1)) },
			ErrUnsupported, []string{`"fast" is not known`}},
		{"attribute of the wrong type", []int{4}, func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(4, 4)}, floatAttr("transB", 1))
		}, ErrMalformed, []string{`"transB" has type 1`}},
		{"tanh GELU", []int{4}, func(m *model) string { return m.node("Gelu", []string{"x"}, stringAttr("approximate", "tanh")) },
			ErrUnsupported, []string{`approximate is "tanh"; supported is the exact GELU`}},
		{"transA", []int{4}, func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(4, 4)}, intAttr("transA", 1))
		}, ErrUnsupported, []string{"transA is 1; supported is 0"}},
		{"weights do not fit", []int{4}, func(m *model) string { return m.gemm("x", 5, 2) }, ErrMalformed, []string{"from 5 to 2 units on samples of 4"}},
		{"constant times sample", []int{4}, func(m *model) string { return m.node("MatMul", []string{m.weights(4, 4), "x"}) },
			ErrUnsupported, []string{"is a constant where samples should be"}},
		{"two biases", []int{4}, func(m *model) string { return m.node("Add", []string{m.gemm("x", 4, 4), m.weights(4)}) },
			ErrUnsupported, []string{"directly behind it"}},
		{"bias of the wrong shape", []int{2, 3, 3}, func(m *model) string {
			return m.node("Add", []string{m.node("Conv", []string{"x", m.weights(2, 2, 1, 1)}), m.weights(3, 3)})
		}, ErrUnsupported, []string{"one bias for each of 2 outputs"}},
		{"shared weights", []int{4}, func(m *model) string {
			w := m.weights(4, 4)
			return m.node("MatMul", []string{m.node("Relu", []string{m.node("MatMul", []string{"x", w})}), w})
		}, ErrUnsupported, []string{"/MatMul_0", "/MatMul_2", "shared weights"}},
		{"NaN", []int{2}, func(m *model) string {
			return m.node("MatMul", []string{"x", m.given([]float64{1, 2, math.NaN(), 4}, 2, 2)})
		}, ErrUnsupported, []string{`"w1" is not finite: element 2 of shape [2 2] is NaN`}},
		{"infinite alpha", []int{2}, func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(2, 2)}, floatAttr("alpha", float32(math.Inf(1))))
		}, ErrUnsupported, []string{"alpha is +Inf", "not finite"}},
		{"NaN for beta", []int{2}, func(m *model) string {
			return m.node("Gemm", []string{"x", m.weights(2, 2), m.weights(2)}, floatAttr("beta", float32(math.NaN())))
		}, ErrUnsupported, []string{"beta is NaN", "not finite"}},
		{"alpha too large for the weights", []int{1}, func(m *model) string {
			return m.node("Gemm", []string{"x", m.given([]float64{1e300}, 1, 1)}, floatAttr("alpha", 1e9))
		}, ErrUnsupported, []string{"alpha is 1e+09", "not finite"}},
		{"infinite epsilon", []int{2}, func(m *model) string {
			return m.node("BatchNormalization", []string{"x", m.weights(2), m.weights(2), m.weights(2), m.weights(2)}, floatAttr("epsilon", float32(math.Inf(1))))
		}, ErrUnsupported, []string{"epsilon is +Inf", "not finite"}},
		{"grouped", []int{2, 4, 4}, func(m *model) string {
			return m.node("Conv", []string{"x", m.weights(2, 1, 3, 3)}, intAttr("group", 2))
		}, ErrUnsupported, []string{"group is 2"}},
		{"dilated", []int{2, 6, 6}, func(m *model) string {
			return m.node("Conv", []string{"x", m.weights(2, 2, 3, 3)}, intsAttr("dilations", 2, 2))
		}, ErrUnsupported, []string{"dilations [2 2]"}},
		{"asymmetric pads", []int{2, 6, 6}, func(m *model) string {
			return m.node("Conv", []string{"x", m.weights(2, 2, 3, 3)}, intsAttr("pads", 0, 0, 1, 1))
		}, ErrUnsupported, []string{"padding [0 0] in front and [1 1] behind"}},
		{"asymmetric SAME", []int{2, 6, 6}, func(m *model) string {
			return m.node("Conv", []string{"x", m.weights(2, 2, 3, 3)}, stringAttr("auto_pad", "SAME_UPPER"), intsAttr("strides", 2, 2))
		}, ErrUnsupported, []string{"padding [0 0] in front and [1 1] behind"}},
		{"kernel not square", []int{2, 6, 6}, func(m *model) string { return m.node("Conv", []string{"x", m.weights(2, 2, 3, 1)}) },
			ErrUnsupported, []string{"kernel_shape [3 1]"}},
		{"overlapping windows", []int{2, 6, 6}, func(m *model) string {
			return m.node("MaxPool", []string{"x"}, intsAttr("kernel_shape", 3, 3), intsAttr("strides", 2, 2))
		}, ErrUnsupported, []string{"windows of 3 with stride 2"}},
		{"padded pooling", []int{2, 6, 6}, func(m *model) string {
			return m.node("MaxPool", []string{"x"}, intsAttr("kernel_shape", 2, 2), intsAttr("strides", 2, 2), intsAttr("pads", 1, 1, 1, 1))
		}, ErrUnsupported, []string{"poolings without"}},
		{"ceil_mode", []int{2, 5, 5}, func(m *model) string {
			return m.node("MaxPool", []string{"x"}, intsAttr("kernel_shape", 2, 2), intsAttr("strides", 2, 2), intAttr("ceil_mode", 1))
		}, ErrUnsupported, []string{"ceil_mode"}},
		{"global pooling of a rectangle", []int{2, 4, 6}, func(m *model) string { return m.node("GlobalAveragePool", []string{"x"}) },
			ErrUnsupported, []string{"4×6 pixels"}},
		{"channels-last convolution", []int{4, 4, 2}, func(m *model) string {
			return m.node("Conv", []string{m.last(m.first("x")), m.weights(2, 4, 1, 1)})
		}, ErrMalformed, []string{"channels-last images"}},
		{"permuted channels", []int{2, 4, 4}, func(m *model) string {
			return m.node("Transpose", []string{m.conv("x", 2, 2, 1, 1, 0)}, intsAttr("perm", 0, 1, 3, 2))
		}, ErrUnsupported, []string{"perm [0 1 3 2]"}},
		{"samples mixed", []int{4}, func(m *model) string { return m.node("Reshape", []string{m.gemm("x", 4, 4), m.integers(-1, 2)}) },
			ErrUnsupported, []string{"mixes samples"}},
		{"a fixed number of samples", []int{4}, func(m *model) string { return m.node("Reshape", []string{m.gemm("x", 4, 4), m.integers(1, -1)}) },
			ErrUnsupported, []string{"mixes samples"}},
		{"output channels-last", []int{4, 4, 2}, func(m *model) string {
			return m.last(m.conv(m.first("x"), 2, 3, 1, 1, 0))
		}, ErrUnsupported, []string{"end in a dense layer"}},
		{"projection shortcut", []int{4}, func(m *model) string {
			return m.node("Add", []string{m.gemm("x", 4, 3), m.gemm("x", 4, 3)})
		}, ErrUnsupported, []string{"not a projection"}},
		{"x + x", []int{4}, func(m *model) string { return m.node("Add", []string{"x", "x"}) }, ErrUnsupported, []string{"neither of which"}},
		{"dense connections", []int{4}, func(m *model) string {
			a := m.gemm("x", 4, 4)
			b := m.node("Add", []string{m.gemm(a, 4, 4), "x"})
			return m.node("Add", []string{m.gemm(b, 4, 4), a})
		}, ErrUnsupported, []string{"neither of which"}},
		{"a shortcut with zeros on one side", []int{2, 3, 3}, func(m *model) string {
			s := m.node("Pad", []string{"x", m.integers(0, 0, 0, 0, 0, 2, 0, 0)})
			return m.node("Add", []string{m.conv("x", 2, 4, 1, 1, 0), s})
		}, ErrUnsupported, []string{"0 zero channels in front and 2 behind"}},
		{"a slice elsewhere", []int{2, 4, 4}, func(m *model) string {
			s := m.node("Slice", []string{"x", m.integers(0), m.integers(9), m.integers(2), m.integers(2)})
			return m.conv(s, 2, 2, 1, 1, 0)
		}, ErrUnsupported, []string{"within the shortcut"}},
		{"softmax within", []int{4}, func(m *model) string { return m.gemm(m.node("Softmax", []string{"x"}), 4, 4) },
			ErrUnsupported, []string{"as the last node alone"}},
		{"softmax over the batch", []int{4}, func(m *model) string { return m.node("Softmax", []string{"x"}, intAttr("axis", 0)) },
			ErrUnsupported, []string{"over axis 0"}},
		{"scaled inputs", []int{4}, func(m *model) string { return m.gemm(m.node("Mul", []string{"x", m.scalar(0.01)}), 4, 4) },
			ErrUnsupported, []string{"/Mul_0", "within GELU"}},
		{"half a GELU", []int{4}, func(m *model) string { return m.node("Erf", []string{"x"}) }, ErrUnsupported, []string{"within GELU"}},
		{"another GELU", []int{4}, func(m *model) string {
			e := m.node("Add", []string{m.node("Erf", []string{"x"}), m.scalar(1)})
			return m.node("Mul", []string{m.node("Mul", []string{"x", e}), m.scalar(0.5)})
		}, ErrUnsupported, []string{"within GELU"}},
		{"GELU of two values", []int{4}, func(m *model) string {
			a := m.gemm("x", 4, 4)
			e := m.node("Add", []string{m.node("Erf", []string{m.node("Div", []string{m.gemm(a, 4, 4), m.scalar(math.Sqrt2)})}), m.scalar(1)})
			return m.node("Mul", []string{m.node("Mul", []string{a, e}), m.scalar(0.5)})
		}, ErrUnsupported, []string{"a product of samples"}},
		{"a block in two orders", []int{3, 3, 3}, func(m *model) string {
			a := m.conv("x", 3, 3, 1, 1, 0)
			return m.node("Add", []string{m.last(m.conv(a, 3, 3, 1, 1, 0)), a})
		}, ErrUnsupported, []string{"in other orders"}},
		{"two open sizes", []int{4}, func(m *model) string { return m.node("Reshape", []string{m.gemm("x", 4, 4), m.integers(-1, -1)}) },
			ErrUnsupported, []string{"mixes samples"}},
		{"training mode", []int{2, 3, 3}, func(m *model) string {
			return m.node("BatchNormalization", []string{"x", m.weights(2), m.weights(2), m.weights(2), m.weights(2)}, intAttr("training_mode", 1))
		}, ErrUnsupported, []string{"training_mode is 1"}},
		{"normalised volumes", []int{2, 3, 3, 3}, func(m *model) string { return m.batchNorm("x", 2) }, ErrUnsupported, []string{"samples of shape [2 3 3 3]"}},
		{"normalised channels-last", []int{4, 4, 2}, func(m *model) string { return m.batchNorm(m.last(m.conv(m.first("x"), 2, 3, 1, 1, 0)), 4) },
			ErrUnsupported, []string{"samples of shape [4 4 3]"}},
		{"negative variance", []int{2, 3, 3}, func(m *model) string {
			return m.node("BatchNormalization", []string{"x", m.weights(2), m.weights(2), m.weights(2), m.given([]float64{1, -1}, 2)})
		}, ErrMalformed, []string{"variance 1 is -1"}},
		{"kernel larger than the image", []int{1, 2, 2}, func(m *model) string { return m.conv("x", 1, 1, 3, 1, 0) }, ErrMalformed, []string{"kernel of 3×3 on 2×2"}},
		{"dropout in training", []int{2}, func(m *model) string {
			return m.node("Dropout", []string{"x", m.scalar(0.5), m.node("Constant", nil, tensorAttr("value", message{}.int(2, int64(Bool)).bytes(9, []byte{1})))})
		}, ErrUnsupported, []string{"evaluation mode"}},
		{"cast to integers", []int{2}, func(m *model) string { return m.node("Cast", []string{"x"}, intAttr("to", int64(Int64))) },
			ErrUnsupported, []string{"cast to INT64"}},
		{"missing input", []int{2}, func(m *model) string { return m.node("MatMul", []string{"x"}) }, ErrMalformed, []string{"input 1 is missing"}},
		{"integers for weights", []int{2}, func(m *model) string { return m.node("MatMul", []string{"x", m.node("Shape", []string{"x"})}) },
			ErrUnsupported, []string{"weights of shape [2]"}},
		{"padded with ones", []int{2, 3, 3}, func(m *model) string {
			return m.node("Pad", []string{"x", m.integers(0, 1, 0, 0, 0, 1, 0, 0), m.scalar(1)})
		}, ErrUnsupported, []string{"with [1]; supported is 0"}},
		{"padded pixels", []int{2, 3, 3}, func(m *model) string {
			return m.node("Pad", []string{"x", m.integers(0, 0, 1, 1, 0, 0, 1, 1)})
		}, ErrUnsupported, []string{"supported are zero channels"}},
		{"a crop", []int{2, 4, 4}, func(m *model) string {
			return m.node("Slice", []string{"x", m.integers(1), m.integers(4), m.integers(2), m.integers(1)})
		}, ErrUnsupported, []string{"from 1 to 4 in steps of 1 of axis 2"}},
		{"two outputs", []int{2}, func(m *model) string {
			m.graph = m.graph.bytes(12, typed("x", message{}))
			return m.node("Relu", []string{"x"})
		}, ErrUnsupported, []string{"2 outputs [x v1]"}},
		{"two inputs", []int{2}, func(m *model) string {
			m.graph = m.graph.bytes(11, typed("z", message{}))
			return m.node("Relu", []string{"x"})
		}, ErrUnsupported, []string{"2 inputs [x z]"}},
		{"constant output", []int{2}, func(m *model) string { return m.weights(2) }, ErrUnsupported, []string{"does not depend on the input"}},
		{"mask of a dropout", []int{2}, func(m *model) string {
			m.graph = m.graph.bytes(1, message{}.text(1, "x").texts(2, "y", "mask").text(4, "Dropout"))
			return m.node("Relu", []string{"mask"})
		}, ErrUnsupported, []string{"further output"}},
		{"input of open size", []int{0, 3}, func(m *model) string { return m.node("Relu", []string{"x"}) }, ErrUnsupported, []string{"fixed sizes"}},
		{"many blocks in one another", []int{1}, func(m *model) string {
			x := m.node("Relu", []string{"x"})
			for range maxNesting + 1 {
				x = m.node("Add", []string{x, "x"})
			}
			return x
		}, ErrUnsupported, []string{"more than 64 residual blocks"}},
		{"huge image", []int{math.MaxInt32, math.MaxInt32, math.MaxInt32}, func(m *model) string { return m.node("Relu", []string{"x"}) },
			ErrUnsupported, []string{"up to 2^30"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(1, 17, c.input...)
			output := c.build(m)
			_, err := m.read(t, output).Network()
			checkError(t, err, c.reason, c.says...)
		})
	}
}

func checkError(t *testing.T, err, reason error, says ...string) {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Fatalf("error %v, want one of %q", err, reason)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

// A node that the output does not depend on does not matter.
func TestDeadBranch(t *testing.T) {
	m := newModel(1, 17, 4)
	m.node("Unheard", []string{"x"})
	net, err := m.read(t, m.gemm("x", 4, 2)).Network()
	if err != nil {
		t.Fatal(err)
	}
	if got := kinds(net.Layers); got != "linear" {
		t.Errorf("layers %s", got)
	}
}

func TestOldAndNewOperators(t *testing.T) {
	m := newModel(1, 6, 4)
	_, err := m.read(t, m.gemm("x", 4, 2)).Network()
	checkError(t, err, ErrUnsupported, "opset 7 or later")
	m = newModel(1, 99, 4)
	if net := compare(t, m.read(t, m.gemm("x", 4, 2)), m.rng); len(net.Warnings) != 1 {
		t.Errorf("warnings %q", net.Warnings)
	}
}

// A vector that many layers use must not cost its size each time.
func TestAllocationIsBounded(t *testing.T) {
	m := newModel(1, 17, 300, 4, 50)
	x := m.last(m.first("x"))
	x = m.node("Reshape", []string{x, m.integers(-1, 60000)})
	v := m.given(make([]float64, 60000), 60000)
	one := make([]float64, 60000)
	for i := range one {
		one[i] = 1
	}
	ones := m.given(one, 60000)
	for range 200 {
		x = m.node("BatchNormalization", []string{x, ones, v, v, ones})
	}
	_, err := m.read(t, x).Network()
	checkError(t, err, ErrUnsupported, "many times the parameters")
}
