package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"
)

// member is one array for buildNPZ.
type member struct {
	key, descr, shape string
	fortran           bool
	data              any // fixed-size numbers for binary.Write
	order             binary.ByteOrder
}

func (m member) encode() []byte {
	if m.order == nil {
		m.order = binary.LittleEndian
	}
	order := "False"
	if m.fortran {
		order = "True"
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", m.descr, order, m.shape)
	for (10+len(head)+1)%64 != 0 {
		head += " "
	}
	return npyBytes(1, head+"\n", m.data, m.order)
}

func npyBytes(version byte, head string, data any, order binary.ByteOrder) []byte {
	b := bytes.NewBufferString(npyMagic)
	b.Write([]byte{version, 0})
	if version == 1 {
		binary.Write(b, binary.LittleEndian, uint16(len(head)))
	} else {
		binary.Write(b, binary.LittleEndian, uint32(len(head)))
	}
	b.WriteString(head)
	if data != nil {
		binary.Write(b, order, data)
	}
	return b.Bytes()
}

func zipBytes(method uint16, names []string, contents [][]byte) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, name := range names {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			panic(err)
		}
		f.Write(contents[i])
	}
	w.Close()
	return b.Bytes()
}

func buildNPZ(members ...member) []byte {
	var names []string
	var contents [][]byte
	for _, m := range members {
		names = append(names, m.key+".npy")
		contents = append(contents, m.encode())
	}
	return zipBytes(zip.Deflate, names, contents)
}

func parseNPZ(data []byte) (*Set, error) {
	return readNPZ(context.Background(), bytes.NewReader(data), int64(len(data)), "f.npz", "x", "y", math.MaxInt64)
}

func TestReadNPZ(t *testing.T) {
	y := member{key: "y", descr: "<i8", shape: "(2,)", data: []int64{2, 0}}
	xs := map[string]member{
		"float32": {descr: "<f4", shape: "(2, 3)", data: []float32{0, 1, 2, 3, 4, 5}},
		"float64": {descr: "<f8", shape: "(2, 3)", data: []float64{0, 1, 2, 3, 4, 5}},
		"big":     {descr: ">f8", shape: "(2, 3)", data: []float64{0, 1, 2, 3, 4, 5}, order: binary.BigEndian},
		"uint8":   {descr: "|u1", shape: "(2, 3)", data: []uint8{0, 1, 2, 3, 4, 5}},
		"int16":   {descr: "<i2", shape: "(2, 3)", data: []int16{0, 1, 2, 3, 4, 5}},
		"uint32":  {descr: ">u4", shape: "(2, 3)", data: []uint32{0, 1, 2, 3, 4, 5}, order: binary.BigEndian},
		"fortran": {descr: "<f4", shape: "(2, 3)", data: []float32{0, 3, 1, 4, 2, 5}, fortran: true},
		"long":    {descr: "<f4", shape: "(2L, 3L)", data: []float32{0, 1, 2, 3, 4, 5}},
	}
	for name, x := range xs {
		x.key = "x"
		s, err := parseNPZ(buildNPZ(x, y))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(s.X, []float32{0, 1, 2, 3, 4, 5}) || !slices.Equal(s.Shape, []int{3}) {
			t.Errorf("%s: x %v of shape %v", name, s.X, s.Shape)
		}
		if s.Outputs != 3 || !slices.Equal(s.Y, []float32{0, 0, 1, 1, 0, 0}) || !slices.Equal(s.Labels, []int{2, 0}) {
			t.Errorf("%s: c %d, y %v, labels %v", name, s.Outputs, s.Y, s.Labels)
		}
		if !slices.Equal(s.Classes, []string{"0", "1", "2"}) || s.Len() != 2 {
			t.Errorf("%s: classes %v, n %d", name, s.Classes, s.Len())
		}
	}
}

func TestReadNPZNegativeNumbers(t *testing.T) {
	for descr, data := range map[string]any{
		"|i1": []int8{-1, 2}, "<i2": []int16{-1, 2}, "<i4": []int32{-1, 2}, "<i8": []int64{-1, 2}, "<f4": []float32{-1, 2},
	} {
		s, err := parseNPZ(buildNPZ(member{key: "x", descr: descr, shape: "(2, 1)", data: data},
			member{key: "y", descr: "<f4", shape: "(2,)", data: []float32{0, 1}}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.X, []float32{-1, 2}) {
			t.Errorf("%s: %v", descr, s.X)
		}
		if s.Outputs != 1 || s.Labels != nil {
			t.Errorf("%s: a single output is a regression; c = %d, labels %v", descr, s.Outputs, s.Labels)
		}
	}
}

// Images, with Fortran order over four dimensions, and one-hot targets.
func TestReadNPZImages(t *testing.T) {
	const n, c, h, w = 2, 3, 2, 4
	var fortran, want []float32
	value := func(i, j, k, l int) float32 { return float32(1000*i + 100*j + 10*k + l) }
	for l := range w {
		for k := range h {
			for j := range c {
				for i := range n {
					fortran = append(fortran, value(i, j, k, l))
				}
			}
		}
	}
	for i := range n {
		for j := range c {
			for k := range h {
				for l := range w {
					want = append(want, value(i, j, k, l))
				}
			}
		}
	}
	s, err := parseNPZ(buildNPZ(member{key: "x", descr: "<f4", shape: "(2, 3, 2, 4)", data: fortran, fortran: true},
		member{key: "y", descr: "|u1", shape: "(2, 2)", data: []uint8{0, 1, 1, 0}}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Shape, []int{c, h, w}) || !slices.Equal(s.X, want) {
		t.Errorf("shape %v, x %v", s.Shape, s.X)
	}
	if !slices.Equal(s.Labels, []int{1, 0}) {
		t.Errorf("labels of one-hot targets: %v", s.Labels)
	}
}

// An independent writer, through a file.
func TestReadNPZOfAnotherWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.npz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := npz.NewWriter(file)
	for key, v := range map[string]any{"x": mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6}), "y": []int64{0, 1, 0}} {
		if err := w.Write(key+".npy", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := ReadNPZ(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.X, []float32{1, 2, 3, 4, 5, 6}) || !slices.Equal(s.Labels, []int{0, 1, 0}) {
		t.Errorf("x %v, labels %v", s.X, s.Labels)
	}
}

func TestReadNPZVersions(t *testing.T) {
	y := member{key: "y", descr: "<f8", shape: "(1, 2)", data: []float64{0.5, 0.25}}.encode()
	head := "{\"shape\":(1,1),'fortran_order':False , 'descr':'<f4'}\n"
	for version := byte(1); version <= 3; version++ {
		x := npyBytes(version, head, []float32{7}, binary.LittleEndian)
		s, err := parseNPZ(zipBytes(zip.Store, []string{"x.npy", "y.npy"}, [][]byte{x, y}))
		if err != nil {
			t.Errorf("version %d: %v", version, err)
			continue
		}
		if s.X[0] != 7 || s.Y[1] != 0.25 || s.Labels != nil {
			t.Errorf("version %d: %+v", version, s)
		}
	}
}

func TestReadNPZErrors(t *testing.T) {
	x := member{key: "x", descr: "<f4", shape: "(2, 1)", data: []float32{1, 2}}
	y := member{key: "y", descr: "<i8", shape: "(2,)", data: []int64{0, 1}}
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	with := func(m member, change func(*member)) member {
		change(&m)
		return m
	}
	shape := func(m member, s string) member { return with(m, func(m *member) { m.shape = s }) }
	descr := func(m member, s string) member { return with(m, func(m *member) { m.descr = s }) }
	good := buildNPZ(x, y)
	for _, c := range []struct {
		name  string
		data  []byte
		kind  error
		parts []string
	}{
		{"empty", nil, ErrMalformed, []string{"not a zip archive", "np.savez"}},
		{"npy alone", x.encode(), ErrMalformed, []string{"not a zip archive"}},
		{"truncated", good[:len(good)-30], ErrMalformed, nil},
		{"no x", buildNPZ(y), ErrMalformed, []string{`no array "x" beside "y"`}},
		{"no y", buildNPZ(x), ErrMalformed, []string{`no array "y"`, `["x"]`}},
		{"neither", buildNPZ(with(x, func(m *member) { m.key = "X_train" })), ErrMalformed, []string{`"X_train"`, "np.savez(x=..., y=...)"}},
		{"x twice", buildNPZ(x, x, y), ErrMalformed, []string{"two arrays"}},
		{"NaN", buildNPZ(with(x, func(m *member) { m.data = []float32{1, nan} }), y), ErrMalformed, []string{"x[1,0] is NaN"}},
		{"infinite y", buildNPZ(x, member{key: "y", descr: "<f4", shape: "(2, 1)", data: []float32{inf, 0}}), ErrMalformed, []string{"y[0,0] is -Inf"}},
		{"too large", buildNPZ(member{key: "x", descr: "<f8", shape: "(2, 1)", data: []float64{0, 1e39}}, y), ErrMalformed, []string{"x[1,0] is 1e+39", "float32"}},
		{"sample numbers", buildNPZ(x, member{key: "y", descr: "<i8", shape: "(3,)", data: []int64{0, 1, 0}}), ErrMalformed, []string{"3 samples", "inputs have 2"}},
		{"negative label", buildNPZ(x, with(y, func(m *member) { m.data = []int64{0, -1} })), ErrMalformed, []string{"y[1] is -1"}},
		{"huge label", buildNPZ(x, with(y, func(m *member) { m.data = []int64{1 << 40, 1} })), ErrMalformed, []string{"y[0]", "0 to 9999"}},
		{"wide labels", buildNPZ(member{key: "x", descr: "|u1", shape: "(8000, 1)", data: make([]uint8, 8000)},
			member{key: "y", descr: "<i2", shape: "(8000,)", data: append(make([]int16, 7999), 9999)}), ErrUnsupported, []string{"labels up to 9999", "2^26"}},
		{"label column", buildNPZ(x, shape(y, "(2, 1)")), ErrUnsupported, []string{"y.ravel()"}},
		{"x of 1 dimension", buildNPZ(shape(x, "(2,)"), y), ErrUnsupported, []string{"x[:, None]"}},
		{"x of 3 dimensions", buildNPZ(shape(x, "(2, 1, 1)"), y), ErrUnsupported, []string{"grey images"}},
		{"x of 5 dimensions", buildNPZ(shape(x, "(2, 1, 1, 1, 1)"), y), ErrUnsupported, nil},
		{"scalar y", buildNPZ(x, member{key: "y", descr: "<i8", shape: "()", data: []int64{1}}), ErrUnsupported, []string{"shape []"}},
		{"y of 3 dimensions", buildNPZ(x, shape(y, "(2, 1, 1)")), ErrUnsupported, nil},
		{"objects", buildNPZ(descr(x, "|O"), y), ErrUnsupported, []string{"dtype=object", "np.savez(x=..., y=...)"}},
		{"objects of size 8", buildNPZ(descr(x, "|O8"), y), ErrUnsupported, nil},
		{"float16", buildNPZ(descr(x, "<f2"), y), ErrUnsupported, []string{`"<f2"`, ".astype"}},
		{"bool", buildNPZ(descr(x, "|b1"), y), ErrUnsupported, nil},
		{"complex", buildNPZ(descr(x, "<c8"), y), ErrUnsupported, nil},
		{"text", buildNPZ(descr(x, "<U1"), y), ErrUnsupported, nil},
		{"no order", buildNPZ(descr(x, "|f4"), y), ErrUnsupported, nil},
		{"strange type", buildNPZ(descr(x, "<f\x04"), y), ErrUnsupported, nil},
		{"negative shape", buildNPZ(shape(x, "(-2, 1)"), y), ErrMalformed, []string{"[-2 1]"}},
		{"zero shape", buildNPZ(shape(x, "(0, 1)"), y), ErrMalformed, nil},
		{"absurd shape", buildNPZ(shape(x, "(4294967296, 4294967296)"), y), ErrUnsupported, []string{"2^30"}},
		{"overflowing shape", buildNPZ(shape(x, "(99999999999999999999, 1)"), y), ErrMalformed, []string{"64 bits"}},
		{"many dimensions", buildNPZ(shape(x, "(1,1,1,1,1,1,1,1,1)"), y), ErrUnsupported, nil},
		{"large shape", buildNPZ(shape(x, "(1000000, 1)"), y), ErrMalformed, []string{"shape [1000000 1] needs"}},
		{"small shape", buildNPZ(shape(x, "(1, 1)"), y), ErrMalformed, []string{"needs"}},
		{"shape of words", buildNPZ(shape(x, "(a, 1)"), y), ErrMalformed, nil},
		{"shape as a string", buildNPZ(shape(x, "'2'"), y), ErrMalformed, []string{"tuple"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseNPZ(c.data)
			wantError(t, err, c.kind, append(c.parts, "f.npz")...)
		})
	}
}

func TestReadNPYHeaders(t *testing.T) {
	y := member{key: "y", descr: "<i8", shape: "(1,)", data: []int64{0}}.encode()
	for name, c := range map[string]struct {
		x    []byte
		kind error
	}{
		"empty":              {nil, ErrMalformed},
		"magic":              {[]byte("NUMPY..."), ErrMalformed},
		"version 9":          {npyBytes(9, "{}", nil, nil), ErrUnsupported},
		"huge header":        {append([]byte(npyMagic+"\x02\x00"), 0xff, 0xff, 0xff, 0xff), ErrMalformed},
		"header cut":         {append([]byte(npyMagic+"\x01\x00"), 0x40, 0), ErrMalformed},
		"empty header":       {npyBytes(1, "", nil, nil), ErrMalformed},
		"no newline":         {npyBytes(1, "{'descr': '<f4'", nil, nil), ErrMalformed},
		"missing key":        {npyBytes(1, "{'descr': '<f4', 'shape': (1, 1)}", nil, nil), ErrMalformed},
		"extra key":          {npyBytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), 'more': True}", nil, nil), ErrMalformed},
		"key twice":          {npyBytes(1, "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}", nil, nil), ErrMalformed},
		"structured":         {npyBytes(1, "{'descr': [('a', '<f4'), ('b', '<i4', (2,))], 'fortran_order': False, 'shape': (1,)}", nil, nil), ErrUnsupported},
		"open list":          {npyBytes(1, "{'descr': [('a', '<f4')", nil, nil), ErrMalformed},
		"order not a bool":   {npyBytes(1, "{'descr': '<f4', 'fortran_order': (), 'shape': (1, 1)}", nil, nil), ErrMalformed},
		"descr not a string": {npyBytes(1, "{'descr': True, 'fortran_order': False, 'shape': (1, 1)}", nil, nil), ErrUnsupported},
		"text behind":        {npyBytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)} 7", nil, nil), ErrMalformed},
		"escape":             {npyBytes(1, `{'de\x73cr': '<f4'}`, nil, nil), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseNPZ(zipBytes(zip.Store, []string{"x.npy", "y.npy"}, [][]byte{c.x, y}))
			wantError(t, err, c.kind, "f.npz(x.npy)")
		})
	}
}

// Members whose directory entry lies about the sizes, or whose data are damaged.
func TestReadNPZLyingDirectory(t *testing.T) {
	x := member{key: "x", descr: "<f4", shape: "(2, 1)", data: []float32{1, 2}}.encode()
	y := member{key: "y", descr: "<i8", shape: "(2,)", data: []int64{0, 1}}.encode()
	build := func(h zip.FileHeader, raw []byte) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		h.Name = "x.npy"
		f, _ := w.CreateRaw(&h)
		f.Write(raw)
		f, _ = w.Create("y.npy")
		f.Write(y)
		w.Close()
		return b.Bytes()
	}
	size := uint64(len(x))
	bomb := member{key: "x", descr: "<f4", shape: "(250000000, 1)"}.encode()
	for name, c := range map[string]struct {
		data []byte
		kind error
		part string
	}{
		"wrong checksum": {build(zip.FileHeader{CRC32: 1, CompressedSize64: size, UncompressedSize64: size}, x), ErrMalformed, "checksum"},
		"sizes differ":   {build(zip.FileHeader{CompressedSize64: size, UncompressedSize64: size + 1}, x), ErrMalformed, "differ"},
		"beyond the end": {build(zip.FileHeader{CompressedSize64: 1 << 40, UncompressedSize64: 1 << 40}, x), ErrMalformed, "more than the file holds"},
		"bomb": {build(zip.FileHeader{Method: zip.Deflate, CompressedSize64: uint64(len(bomb)),
			UncompressedSize64: uint64(len(bomb)) + 1e9}, bomb), ErrMalformed, "cannot unpack"},
		"method":          {build(zip.FileHeader{Method: 12, CompressedSize64: size, UncompressedSize64: size}, x), ErrUnsupported, "method 12"},
		"encrypted":       {build(zip.FileHeader{Flags: 1, CompressedSize64: size, UncompressedSize64: size}, x), ErrUnsupported, "encrypted"},
		"damaged deflate": {build(zip.FileHeader{Method: zip.Deflate, CompressedSize64: size, UncompressedSize64: size}, x), ErrMalformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseNPZ(c.data)
			wantError(t, err, c.kind, "x.npy", c.part)
		})
	}
}

// Memory for deflated numbers grows with what is really unpacked, and the result
// does not show it: large arrays in both orders, much and little compressed.
func TestReadNPZGrowth(t *testing.T) {
	const n, d = 3000, 50
	y := member{key: "y", descr: "<f4", shape: "(3000, 1)", data: make([]float32, n)}
	for _, step := range []int{1, 7919} { // 0, 0, … compresses a thousandfold
		rows, columns := make([]float32, n*d), make([]float32, n*d)
		for i := range n {
			for j := range d {
				v := float32((i*d + j) * (step - 1) % 10007)
				rows[i*d+j], columns[j*n+i] = v, v
			}
		}
		for _, fortran := range []bool{false, true} {
			x := member{key: "x", descr: "<f4", shape: "(3000, 50)", data: rows, fortran: fortran}
			if fortran {
				x.data = columns
			}
			s, err := parseNPZ(buildNPZ(x, y))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.X, rows) || cap(s.X) != len(rows) {
				t.Errorf("step %d, fortran %v: other values, or %d of capacity %d", step, fortran, len(s.X), cap(s.X))
			}
		}
	}
}

func TestLoadNPZ(t *testing.T) {
	var labels []int64
	var x []float32
	for i := range 30 {
		labels = append(labels, int64(i%3))
		x = append(x, float32(i))
	}
	path := filepath.Join(t.TempDir(), "data.npz")
	arrays := []member{
		{key: "x", descr: "<f4", shape: "(30, 1)", data: x},
		{key: "y", descr: "<i8", shape: "(30,)", data: labels},
		{key: "x_test", descr: "<f4", shape: "(2, 1)", data: []float32{100, 101}},
		{key: "y_test", descr: "<i8", shape: "(2,)", data: []int64{1, 0}},
	}
	write(t, path, buildNPZ(arrays...))

	train, test := mustLoad(t, Request{Name: path})
	if !slices.Equal(train.X, x) || train.Outputs != 3 || test.Outputs != 3 || !slices.Equal(test.Y, []float32{0, 1, 0, 1, 0, 0}) {
		t.Errorf("x %v, c %d and %d, test y %v", train.X, train.Outputs, test.Outputs, test.Y)
	}
	train, test = mustLoad(t, Request{Name: path, Classes: []int{1, 0}, PerClass: 2, Draw: DrawFirst, Preprocessing: Preprocessing{Scale: 0.5}})
	if !slices.Equal(train.X, []float32{0.5, 2, 0, 1.5}) || !slices.Equal(train.Labels, []int{0, 0, 1, 1}) || !slices.Equal(train.Classes, []string{"1", "0"}) {
		t.Errorf("x %v, labels %v, classes %v", train.X, train.Labels, train.Classes)
	}
	if !slices.Equal(test.X, []float32{50, 50.5}) || !slices.Equal(test.Y, []float32{1, 0, 0, 1}) || test.Preprocessing.String() != "x/2" {
		t.Errorf("test x %v, y %v, %v", test.X, test.Y, test.Preprocessing)
	}

	load := func(r Request, members ...member) error {
		write(t, path, buildNPZ(members...))
		r.Name = path
		_, _, err := Load(context.Background(), r)
		return err
	}
	targets := member{key: "y", descr: "<f4", shape: "(30, 1)", data: x}
	wantRequestError(t, load(Request{Classes: []int{3}}, arrays...), "classes", "no class 3")
	wantRequestError(t, load(Request{PerClass: 11}, arrays...), "per_class", "class 0", "10 training")
	wantRequestError(t, load(Request{PerClass: 1}, arrays[0], targets), "classes", "no class labels")
	wantRequestError(t, load(Request{TestPerClass: 1}, arrays[:2]...), "test_per_class", "x_test")
	wantError(t, load(Request{}, arrays[:3]...), ErrMalformed, `no array "y_test" beside "x_test"`)
	wantError(t, load(Request{}, arrays[0], targets, arrays[2], arrays[3]), ErrMalformed, "y_test has 2")
	wantError(t, load(Request{}, arrays[0], arrays[1], member{key: "x_test", descr: "<f4", shape: "(1, 2)", data: []float32{1, 2}}, arrays[3]),
		ErrMalformed, "2 samples, the inputs have 1")
	wantError(t, load(Request{}, arrays[0], arrays[1], member{key: "x_test", descr: "<f4", shape: "(2, 2)", data: []float32{1, 2, 3, 4}}, arrays[3]),
		ErrMalformed, "shape [2], those of x [1]")
	// A wide training target must not blow up narrow test labels.
	wide := make([]uint8, 1<<16)
	wide[0] = 1
	wantError(t, load(Request{}, member{key: "x", descr: "<f4", shape: "(1, 1)", data: []float32{0}}, member{key: "y", descr: "|u1", shape: "(1, 65536)", data: wide},
		member{key: "x_test", descr: "|u1", shape: "(2000, 1)", data: make([]uint8, 2000)}, member{key: "y_test", descr: "|u1", shape: "(2000,)", data: make([]uint8, 2000)}),
		ErrUnsupported, "2000 test samples in 65536 classes")
	// Rows that happen to be one-hot are not widened as labels are.
	wantError(t, load(Request{}, member{key: "x", descr: "<f4", shape: "(1, 1)", data: []float32{0}}, member{key: "y", descr: "<f4", shape: "(1, 3)", data: []float32{0, 1, 0}},
		member{key: "x_test", descr: "<f4", shape: "(1, 1)", data: []float32{0}}, member{key: "y_test", descr: "<f4", shape: "(1, 2)", data: []float32{0, 1}}),
		ErrMalformed, "y_test has 2")
	if err := load(Request{}, arrays[:2]...); err != nil {
		t.Error(err)
	}
	_, err := ReadNPZ(filepath.Join(t.TempDir(), "none.npz"))
	wantError(t, err, os.ErrNotExist, "none.npz")
}

// What does not fit is refused by the headers, before an element is read: here those
// of x are none that would be accepted.
func TestNPZIsRefusedByItsHeaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "set.npz")
	load := func(memory int64, members ...member) error {
		write(t, path, buildNPZ(members...))
		_, _, err := Load(context.Background(), Request{Name: path, Memory: memory})
		return err
	}
	nan := []float32{float32(math.NaN()), 0, 0, 0}
	x := member{key: "x", descr: "<f4", shape: "(2, 2)", data: nan}
	y := member{key: "y", descr: "<f4", shape: "(2, 1)", data: []float32{0, 1}}
	wantError(t, load(0, x, member{key: "y", descr: "<f4", shape: "(1, 1)", data: []float32{0}}), ErrMalformed, "y has 1 samples, the inputs have 2")
	wantRequestError(t, load(23, x, y), "memory", path)
	wantError(t, load(24, x, y), ErrMalformed, "x[0,0] is NaN")

	x.data = []float32{1, 2, 3, 4}
	labels := member{key: "y", descr: "|u1", shape: "(2,)", data: []uint8{0, 9}}
	wantRequestError(t, load(16+79, x, labels), "memory", "y.npy")
	x.key, labels.key = "x_test", "y_test"
	first := []member{{key: "x", descr: "<f4", shape: "(2, 2)", data: x.data}, y}
	wantRequestError(t, load(24+23, append(first, x, member{key: "y_test", descr: "<f4", shape: "(2, 1)", data: y.data})...), "memory", path)
	if err := load(24+24, append(first, x, member{key: "y_test", descr: "<f4", shape: "(2, 1)", data: y.data})...); err != nil {
		t.Error(err)
	}
}
