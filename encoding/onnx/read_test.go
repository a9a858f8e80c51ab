package onnx

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"sobolev/internal/fuzztest"
)

// graphOf is a model with one graph.
func graphOf(g message) []byte {
	return message{}.int(1, 8).bytes(7, g).bytes(8, message{}.int(2, 17))
}

func TestReadRefused(t *testing.T) {
	node := func(in, out string) message {
		return message{}.text(1, in).text(2, out).text(3, "the "+out).text(4, "Relu")
	}
	x := message{}.bytes(11, typed("x", message{}))
	weights := func(m message) message { return x.bytes(5, m.text(8, "w")) }
	for _, c := range []struct {
		name   string
		file   []byte
		reason error
		says   string
	}{
		{"empty", nil, ErrMalformed, "no graph"},
		{"text", []byte("import onnx\n"), ErrMalformed, "not protocol buffers"},
		{"cut", graphOf(x)[:8], ErrMalformed, "not protocol buffers"},
		{"graph is a number", message{}.int(7, 1), ErrMalformed, "field 7 has wire type 0, the format has 2"},
		{"two graphs", append(graphOf(x), graphOf(x)...), ErrMalformed, "two graphs"},
		{"no opset", message{}.bytes(7, x), ErrMalformed, "opset_import"},
		{"opset twice", append(graphOf(x), message{}.bytes(8, message{}.int(2, 17))...), ErrMalformed, "twice"},
		{"opset 0", message{}.bytes(7, x).bytes(8, message{}.int(2, 0)), ErrMalformed, "version 0"},
		{"node without an operator", graphOf(x.bytes(1, message{}.text(3, "a"))), ErrMalformed, `node 0 ("a", ""): no op_type`},
		{"name is not UTF-8", graphOf(x.bytes(1, message{}.text(3, "\xff"))), ErrMalformed, "UTF-8"},
		{"value that nobody makes", graphOf(x.bytes(1, node("z", "y"))), ErrMalformed, `"the y" (Relu) reads "z", which is no input`},
		{"cycle", graphOf(x.bytes(1, node("b", "a")).bytes(1, node("a", "b"))), ErrMalformed, `"the b" (Relu) makes: nodes must be in topological order, without cycles`},
		{"node that reads itself", graphOf(x.bytes(1, node("a", "a"))), ErrMalformed, "without cycles"},
		{"output twice", graphOf(x.bytes(1, node("x", "a")).bytes(1, node("x", "a"))), ErrMalformed, `makes "a": the name is given twice`},
		{"initializer twice", graphOf(x.bytes(5, doubles("w", nil, 0)).bytes(5, doubles("w", nil, 0))), ErrMalformed, `initializer "w"`},
		{"input twice", graphOf(x.bytes(11, typed("x", message{}))), ErrMalformed, `input "x"`},
		{"initializer without a name", graphOf(x.bytes(5, doubles("", nil, 0))), ErrMalformed, "without a name"},
		{"output that nobody makes", graphOf(x.bytes(12, typed("y", message{}))), ErrMalformed, `output "y" is made by no node`},
		{"attribute twice", graphOf(x.bytes(1, node("x", "y").bytes(5, intAttr("a", 1)).bytes(5, intAttr("a", 1)))), ErrMalformed, `"a" appears twice`},
		{"attribute without a type", graphOf(x.bytes(1, node("x", "y").bytes(5, message{}.text(1, "a").int(3, 1)))), ErrMalformed, "type 0"},
		{"attribute without its tensor", graphOf(x.bytes(1, node("x", "y").bytes(5, message{}.text(1, "a").int(20, 4)))), ErrMalformed, "is a tensor and has none"},
		{"sparse initializer", graphOf(x.bytes(15, nil)), ErrUnsupported, "densely"},
		{"strings", graphOf(weights(message{}.int(2, 8).text(6, "a"))), ErrUnsupported, "element type 8"},
		{"no type", graphOf(weights(message{}.int(1, 0))), ErrUnsupported, "element type 0"},
		{"too little data", graphOf(weights(message{}.ints(1, 2, 3).int(2, 1).bytes(9, make([]byte, 20)))), ErrMalformed, `"w" has 20 bytes of data, FLOAT of shape [2 3] needs 24`},
		{"no data", graphOf(weights(message{}.ints(1, 2).int(2, 1))), ErrMalformed, "0 bytes of data"},
		{"absurd size", graphOf(weights(message{}.ints(1, math.MaxInt32, math.MaxInt32, math.MaxInt32, math.MaxInt32).int(2, 1))), ErrMalformed, "2^64"},
		{"negative size", graphOf(weights(message{}.ints(1, -1).int(2, 1))), ErrMalformed, "size -1"},
		{"many dimensions", graphOf(weights(message{}.ints(1, make([]int64, 17)...).int(2, 1))), ErrUnsupported, "17 dimensions"},
		{"half a float", graphOf(weights(message{}.int(1, 1).int(2, 1).bytes(4, []byte{1, 2, 3}))), ErrMalformed, "3 bytes"},
		{"half beyond 16 bits", graphOf(weights(message{}.int(1, 1).int(2, 10).ints(5, 1<<16))), ErrMalformed, "too large for 2 bytes"},
		{"external data", graphOf(weights(external("w.bin", "0", "8").int(1, 1))), ErrUnsupported, `"w.bin"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(c.file, "test.onnx")
			checkError(t, err, c.reason, "test.onnx", c.says)
		})
	}
}

// Every way to store the numbers 1, −2 and 0.5 of the types that have them.
func TestTensorStorage(t *testing.T) {
	shape := message{}.int(1, 3)
	packed := func(number protowire.Number) message {
		var b []byte
		for _, v := range []float32{1, -2, 0.5} {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return shape.int(2, 1).bytes(number, b)
	}
	var raw64 []byte
	for _, v := range []float64{1, -2, 0.5} {
		raw64 = binary.LittleEndian.AppendUint64(raw64, math.Float64bits(v))
	}
	for name, m := range map[string]message{
		"float, raw":          packed(9),
		"float, packed":       packed(4),
		"float, one by one":   shape.int(2, 1).float(4, 1).float(4, -2).float(4, 0.5),
		"float, in two parts": shape.int(2, 1).bytes(4, packed(4)[len(packed(4))-12:][:4]).float(4, -2).float(4, 0.5),
		"double, raw":         shape.int(2, 11).bytes(9, raw64),
		"double, typed":       shape.int(2, 11).bytes(10, raw64),
		"half, raw":           shape.int(2, 10).bytes(9, []byte{0, 0x3c, 0, 0xc0, 0, 0x38}),
		"half, typed":         shape.int(2, 10).ints(5, 0x3c00, 0xc000, 0x3800),
		"bfloat, raw":         shape.int(2, 16).bytes(9, []byte{0x80, 0x3f, 0, 0xc0, 0, 0x3f}),
		"bfloat, typed":       shape.int(2, 16).ints(5, 0x3f80, 0xc000, 0x3f00),
	} {
		got, err := (&decoder{}).tensor(m)
		if err != nil {
			t.Fatal(name, err)
		}
		if v, err := got.Float64s(); err != nil || !slices.Equal(v, []float64{1, -2, 0.5}) {
			t.Errorf("%s: %v %v", name, v, err)
		}
		if _, err := got.Int64s(); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s as integers: %v", name, err)
		}
	}
	for name, m := range map[string]message{
		"int64": shape.int(2, 7).ints(7, 1, -2, math.MaxInt64), "int64, raw": shape.int(2, 7).bytes(9, []byte("\x01\x00\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")),
	} {
		got, err := (&decoder{}).tensor(m)
		if err != nil {
			t.Fatal(name, err)
		}
		if v, err := got.Int64s(); err != nil || !slices.Equal(v, []int64{1, -2, math.MaxInt64}) {
			t.Errorf("%s: %v %v", name, v, err)
		}
		if _, err := got.Float64s(); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s as floats: %v", name, err)
		}
	}
}

// The values of IEEE 754 that need care in 16 bits.
func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0001: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14, 0x7bff: 65504, 0xfbff: -65504, 0x3555: 0.333251953125, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := fromHalf(bits); got != want {
			t.Errorf("%#04x is %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(fromHalf(0x7e00)) || !math.Signbit(fromHalf(0x8000)) {
		t.Error("NaN or -0")
	}
}

func TestReadFileRefused(t *testing.T) {
	if _, err := ReadFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestReadModel(t *testing.T) {
	m := newModel(1, 17, 2, 3, 3)
	x := m.node("Relu", []string{m.conv("x", 2, 2, 3, 1, 1)})
	// Models of ir_version 3 repeat the initializers among the inputs.
	m.graph = m.graph.bytes(11, typed("w1", message{}))
	got := m.read(t, x)
	if got.Producer != "pytorch 2.3.0" || got.Opset != 17 || got.File != "test.onnx" {
		t.Errorf("%+v", got)
	}
	g := got.Graph
	if len(g.Inputs) != 1 || !slices.Equal(g.Inputs[0].Shape, []int{-1, 2, 3, 3}) || g.Inputs[0].DType != Double {
		t.Errorf("inputs %+v", g.Inputs)
	}
	if len(g.Nodes) != 2 || g.Nodes[1].Op != "Relu" || g.Nodes[1].Outputs[0] != x || len(g.Initializers) != 2 {
		t.Errorf("nodes %+v", g.Nodes)
	}
	pads := arguments{&g.Nodes[0]}.ints("pads")
	if !slices.Equal(pads, []int64{1, 1, 1, 1}) {
		t.Errorf("pads %v", pads)
	}
}

func external(path, offset, length string) message {
	entry := func(key, value string) message { return message{}.text(1, key).text(2, value) }
	return message{}.int(2, 11).int(14, 1).bytes(13, entry("location", path)).bytes(13, entry("offset", offset)).bytes(13, entry("length", length)).bytes(13, entry("checksum", "0"))
}

// write stores a model whose 2×1 weights are in another file.
func write(t *testing.T, dir string, tensors ...message) string {
	t.Helper()
	m := newModel(1, 17, 1)
	for _, w := range tensors {
		m.graph = m.graph.bytes(5, w)
	}
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, m.finish(m.node("Gemm", []string{"x", "w"}, intAttr("transB", 1))), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExternalData(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "models")
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o777); err != nil {
		t.Fatal(err)
	}
	bytes := make([]byte, 4)
	for _, v := range []float64{3, -4} {
		bytes = binary.LittleEndian.AppendUint64(bytes, math.Float64bits(v))
	}
	for _, path := range []string{filepath.Join(dir, "data", "w.bin"), filepath.Join(outside, "secret")} {
		if err := os.WriteFile(path, bytes, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "link")); err != nil {
		if runtime.GOOS != "windows" { // where links need a privilege
			t.Fatal(err)
		}
		t.Skip(err)
	}
	shaped := func(m message, name string) message { return m.ints(1, 2, 1).text(8, name) }

	m, err := ReadFile(write(t, dir, shaped(external("data/w.bin", "4", "16"), "w"), shaped(external("data/w.bin", "4", "16"), "same")))
	if err != nil {
		t.Fatal(err)
	}
	net, err := m.Network()
	if err != nil {
		t.Fatal(err)
	}
	if got := net.Layers[0].Weight; !slices.Equal(got, []float64{3, -4}) {
		t.Errorf("weights %v", got)
	}

	for _, c := range []struct {
		path, offset, length string
		reason               error
		says                 string
	}{
		{"../secret", "4", "16", ErrMalformed, "does not stay"},
		{filepath.Join(outside, "secret"), "4", "16", ErrMalformed, "does not stay"},
		{"link", "4", "16", nil, "escapes"},
		{"data/none", "4", "16", fs.ErrNotExist, "none"},
		{"data", "0", "16", ErrMalformed, "not a regular file"},
		{"data/w.bin", "8", "16", ErrMalformed, "16 bytes at offset 8"},
		{"data/w.bin", "9223372036854775807", "16", ErrMalformed, "at offset 9223372036854775807"},
		{"data/w.bin", "-4", "16", ErrMalformed, `offset "-4"`},
		{"data/w.bin", "4", "12", ErrMalformed, "length 12, DOUBLE of shape [2 1] needs 16"},
	} {
		_, err := ReadFile(write(t, dir, shaped(external(c.path, c.offset, c.length), "w")))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `initializer 0 ("w")`) || c.reason != nil && !errors.Is(err, c.reason) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	_, err = ReadFile(write(t, dir, shaped(external("data/w.bin", "4", "16"), "w"), shaped(external("data/w.bin", "0", "16"), "overlap")))
	checkError(t, err, ErrMalformed, "fewer than its tensors together")
}

// FuzzRead requires that any input is read, refused with a class, or lowered,
// and that what is lowered is written and read again.
func FuzzRead(f *testing.F) {
	m := newModel(1, 17, 2, 4, 4)
	f.Add(m.finish(m.gemm(m.randomImages("x", []int{2, 4, 4}, false), m.flat, 2)))
	m = newModel(3, 17, 4, 4, 2)
	f.Add(m.finish(m.gemm(m.randomImages("x", []int{4, 4, 2}, true), m.flat, 2)))
	m = newModel(1, 17, 3)
	f.Add(m.finish(m.gemm(m.node("Add", []string{"x", m.erfGELU(m.gemm("x", 3, 3))}), 3, 1)))
	m = newModel(1, 17, 1, 3, 3)
	s := m.node("Slice", []string{"x", m.integers(0, 0), m.integers(9, 9), m.integers(2, 3), m.integers(2, 2)})
	s = m.node("Pad", []string{s, m.integers(0, 0, 0, 0, 0, 1, 0, 0)})
	f.Add(m.finish(m.node("Add", []string{m.conv("x", 1, 2, 1, 2, 0), s})))
	m = newModel(1, 17, 2, 2, 2)
	n := m.node("Unsqueeze", []string{m.node("Gather", []string{m.node("Shape", []string{"x"}), m.node("Constant", nil, intAttr("value_int", 0))}), m.integers(0)})
	f.Add(m.finish(m.node("Reshape", []string{m.node("Relu", []string{"x"}), m.node("Concat", []string{n, m.integers(-1)}, intAttr("axis", 0))})))
	fuzztest.Run(f, func(t *testing.T, b []byte) {
		m, err := Read(b, "fuzz.onnx")
		var net *Network
		if err == nil {
			net, err = m.Network()
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("error of no class: %v", err)
			}
			return
		}
		roundTrip(t, net)
	})
}
