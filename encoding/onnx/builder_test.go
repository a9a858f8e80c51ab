package onnx

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a message that a test writes field by field, independently of the
// package's own writer and free to be wrong. Appending leaves the original alone.
type message []byte

func (m message) int(number protowire.Number, v int64) message {
	return protowire.AppendVarint(protowire.AppendTag(slices.Clip(m), number, protowire.VarintType), uint64(v))
}

func (m message) float(number protowire.Number, v float32) message {
	return protowire.AppendFixed32(protowire.AppendTag(slices.Clip(m), number, protowire.Fixed32Type), math.Float32bits(v))
}

func (m message) bytes(number protowire.Number, v []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(slices.Clip(m), number, protowire.BytesType), v)
}

func (m message) text(number protowire.Number, v string) message { return m.bytes(number, []byte(v)) }

func (m message) texts(number protowire.Number, v ...string) message {
	for _, s := range v {
		m = m.text(number, s)
	}
	return m
}

// ints is packed, as protobuf 3 writes repeated integers.
func (m message) ints(number protowire.Number, v ...int64) message {
	var packed []byte
	for _, x := range v {
		packed = protowire.AppendVarint(packed, uint64(x))
	}
	return m.bytes(number, packed)
}

func intAttr(name string, v int64) message {
	return message{}.text(1, name).int(3, v).int(20, 2)
}

func floatAttr(name string, v float32) message {
	return message{}.text(1, name).float(2, v).int(20, 1)
}

func stringAttr(name, v string) message {
	return message{}.text(1, name).text(4, v).int(20, 3)
}

func intsAttr(name string, v ...int64) message {
	return message{}.text(1, name).ints(8, v...).int(20, 7)
}

func tensorAttr(name string, t message) message {
	return message{}.text(1, name).bytes(5, t).int(20, 4)
}

// doubles is a TensorProto with raw data.
func doubles(name string, v []float64, shape ...int) message {
	var raw []byte
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
	}
	return dims(shape).int(2, int64(Double)).text(8, name).bytes(9, raw)
}

// longs is a TensorProto of INT64 with typed data.
func longs(name string, v []int64, shape ...int) message {
	return dims(shape).int(2, int64(Int64)).ints(7, v...).text(8, name)
}

func dims(shape []int) message {
	m := message{}
	for _, size := range shape {
		m = m.int(1, int64(size))
	}
	return m
}

// model puts a graph together; values are named by a running number.
type model struct {
	rng    *rand.Rand
	graph  message
	opset  int64
	count  int
	nodes  int
	inputs []int // of the sample
	flat   int   // elements of the vector that randomImages returns
}

func newModel(seed uint64, opset int64, input ...int) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 7)), opset: opset, inputs: input}
	shape := message{}.bytes(1, message{}.text(2, "batch"))
	for _, size := range input {
		shape = shape.bytes(1, message{}.int(1, int64(size)))
	}
	m.graph = m.graph.bytes(11, typed("x", shape))
	return m
}

func typed(name string, shape message) message {
	return message{}.text(1, name).bytes(2, message{}.bytes(1, message{}.int(1, int64(Double)).bytes(2, shape)))
}

func (m *model) fresh(prefix string) string {
	m.count++
	return prefix + strconv.Itoa(m.count)
}

// node appends a node and returns its first output.
func (m *model) node(op string, inputs []string, attributes ...message) string {
	out := m.fresh("v")
	n := message{}.texts(1, inputs...).text(2, out).text(3, "/"+op+"_"+strconv.Itoa(m.nodes)).text(4, op)
	for _, a := range attributes {
		n = n.bytes(5, a)
	}
	m.nodes++
	m.graph = m.graph.bytes(1, n)
	return out
}

// weights appends an initializer of normal numbers.
func (m *model) weights(shape ...int) string {
	n, _ := count(shape)
	v := make([]float64, n)
	for i := range v {
		v[i] = m.rng.NormFloat64() / math.Sqrt(float64(n))
	}
	return m.given(v, shape...)
}

func (m *model) given(v []float64, shape ...int) string {
	name := m.fresh("w")
	m.graph = m.graph.bytes(5, doubles(name, v, shape...))
	return name
}

func (m *model) scalar(v float64) string { return m.given([]float64{v}) }

func (m *model) integers(v ...int64) string {
	name := m.fresh("k")
	m.graph = m.graph.bytes(5, longs(name, v, len(v)))
	return name
}

func (m *model) finish(output string) []byte {
	g := append(message{}, m.graph...).bytes(12, typed(output, message{}))
	return message{}.int(1, 8).text(2, "pytorch").text(3, "2.3.0").bytes(7, g).bytes(8, message{}.int(2, m.opset))
}

func (m *model) read(t testing.TB, output string) *Model {
	t.Helper()
	got, err := Read(m.finish(output), "test.onnx")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The next methods append what exporters write for a layer.

func (m *model) gemm(x string, in, out int) string {
	return m.node("Gemm", []string{x, m.weights(out, in), m.weights(out)}, floatAttr("alpha", 1), floatAttr("beta", 1), intAttr("transB", 1))
}

func (m *model) conv(x string, in, out, kernel, stride, padding int) string {
	k, s, p := int64(kernel), int64(stride), int64(padding)
	return m.node("Conv", []string{x, m.weights(out, in, kernel, kernel), m.weights(out)}, intsAttr("dilations", 1, 1), intAttr("group", 1),
		intsAttr("kernel_shape", k, k), intsAttr("pads", p, p, p, p), intsAttr("strides", s, s))
}

func (m *model) batchNorm(x string, channels int) string {
	variance := make([]float64, channels)
	for i := range variance {
		variance[i] = 0.5 + m.rng.Float64()
	}
	return m.node("BatchNormalization", []string{x, m.weights(channels), m.weights(channels), m.weights(channels), m.given(variance, channels)},
		floatAttr("epsilon", 1e-5), floatAttr("momentum", 0.9), intAttr("training_mode", 0))
}

// erfGELU is PyTorch's GELU for operators of version < 20.
func (m *model) erfGELU(x string) string {
	erf := m.node("Erf", []string{m.node("Div", []string{x, m.scalar(math.Sqrt2)})})
	sum := m.node("Add", []string{erf, m.scalar(1)})
	return m.node("Mul", []string{m.node("Mul", []string{x, sum}), m.scalar(0.5)})
}

func (m *model) pool(op, x string, size int) string {
	s := int64(size)
	return m.node(op, []string{x}, intAttr("ceil_mode", 0), intsAttr("kernel_shape", s, s), intsAttr("pads", 0, 0, 0, 0), intsAttr("strides", s, s))
}

// activate appends a random activation.
func (m *model) activate(x string) string {
	switch i := m.rng.IntN(6); i {
	case 5:
		return m.erfGELU(x)
	default:
		return m.node([]string{"Relu", "Tanh", "Sigmoid", "Softplus", "Gelu"}[i], []string{x})
	}
}

// randomImages appends a few layers on images and a flattening, whose elements
// it leaves in m.flat; last is the dialect of Keras, with all in between
// channels-last.
func (m *model) randomImages(x string, input []int, last bool) string {
	c, h, w := input[0], input[1], input[2]
	in, out := func(x string) string { return x }, func(x string) string { return x }
	if last {
		c, h, w = input[2], input[0], input[1]
		in, out = m.first, m.last
	}
	for range 1 + m.rng.IntN(4) {
		next := 1 + m.rng.IntN(3)
		switch i := m.rng.IntN(5); {
		case i == 0 && min(h, w) >= 2:
			x, h, w = out(m.pool([]string{"MaxPool", "AveragePool"}[m.rng.IntN(2)], in(x), 2)), h/2, w/2
		case i == 1:
			y := m.activate(out(m.conv(in(x), c, next, 3, 1, 1)))
			y = out(m.batchNorm(m.conv(in(y), next, c, 1, 1, 0), c))
			x = m.activate(m.node("Add", []string{x, y}))
		case i == 2:
			x = out(m.batchNorm(in(x), c))
		case i == 3:
			x, c, h, w = out(m.conv(in(x), c, next, 1, 2, 0)), next, (h-1)/2+1, (w-1)/2+1
		default:
			x, c = m.activate(out(m.conv(in(x), c, next, 3, 1, 1))), next
		}
	}
	m.flat = c * h * w
	return m.activate(m.node("Reshape", []string{x, m.integers(-1, int64(m.flat))}))
}
