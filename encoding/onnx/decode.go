package onnx

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// decoder turns messages into a Model. No message that it enters can contain
// itself, so the depth is bounded.
type decoder struct {
	external *externalData // nil if there is no directory to read from
}

func (d *decoder) model(b []byte) (*Model, error) {
	m := &Model{}
	var graph []byte
	var producer, version string
	err := eachField(b, func(f field) error {
		switch f.number {
		case 2:
			return f.text(&producer)
		case 3:
			return f.text(&version)
		case 7:
			if graph != nil {
				return fmt.Errorf("two graphs: %w", ErrMalformed)
			}
			return f.message(&graph)
		case 8:
			return m.operatorSet(f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.Producer = producer
	if version != "" {
		m.Producer += " " + version
	}
	switch {
	case graph == nil:
		return nil, fmt.Errorf("there is no graph: %w", ErrMalformed)
	case m.Opset == 0:
		return nil, fmt.Errorf("opset_import does not name the version of the standard operators: %w", ErrMalformed)
	}
	if err := d.graph(&m.Graph, graph); err != nil {
		return nil, err
	}
	return m, m.Graph.check()
}

// standard says whether a domain is that of ONNX's own operators.
func standard(domain string) bool { return domain == "" || domain == "ai.onnx" }

func (m *Model) operatorSet(f field) error {
	var set []byte
	if err := f.message(&set); err != nil {
		return err
	}
	var domain string
	var version int64
	err := eachField(set, func(f field) error {
		switch f.number {
		case 1:
			return f.text(&domain)
		case 2:
			return f.integer(&version)
		}
		return nil
	})
	switch {
	case err != nil || !standard(domain):
		return err
	case version < 1 || version > math.MaxInt32:
		return fmt.Errorf("opset_import: version %d of the standard operators: %w", version, ErrMalformed)
	case m.Opset != 0:
		return fmt.Errorf("opset_import names the standard operators twice: %w", ErrMalformed)
	}
	m.Opset = int(version)
	return nil
}

func (d *decoder) graph(g *Graph, b []byte) error {
	return eachField(b, func(f field) error {
		var sub []byte
		switch f.number {
		case 1, 5, 11, 12, 15:
			if err := f.message(&sub); err != nil {
				return fmt.Errorf("graph: %w", err)
			}
		}
		switch f.number {
		case 1:
			n, err := d.node(sub)
			if err != nil {
				return fmt.Errorf("node %d (%.80q, %.40q): %w", len(g.Nodes), n.Name, n.Op, err)
			}
			g.Nodes = append(g.Nodes, n)
		case 5:
			t, err := d.tensor(sub)
			if err != nil {
				return fmt.Errorf("initializer %d (%.80q): %w", len(g.Initializers), t.Name, err)
			}
			g.Initializers = append(g.Initializers, t)
		case 11:
			return d.value(&g.Inputs, "input", sub)
		case 12:
			return d.value(&g.Outputs, "output", sub)
		case 15:
			return fmt.Errorf("a sparse initializer; store the weights densely: %w", ErrUnsupported)
		}
		return nil
	})
}

func (d *decoder) node(b []byte) (Node, error) {
	var n Node
	err := eachField(b, func(f field) error {
		var s string
		switch f.number {
		case 1:
			err := f.text(&s)
			n.Inputs = append(n.Inputs, s)
			return err
		case 2:
			err := f.text(&s)
			n.Outputs = append(n.Outputs, s)
			return err
		case 3:
			return f.text(&n.Name)
		case 4:
			return f.text(&n.Op)
		case 7:
			return f.text(&n.Domain)
		case 5:
			var sub []byte
			if err := f.message(&sub); err != nil {
				return err
			}
			a, err := d.attribute(sub)
			if err != nil {
				return fmt.Errorf("attribute %.40q: %w", a.Name, err)
			}
			n.Attributes = append(n.Attributes, a)
		}
		return nil
	})
	if err == nil && n.Op == "" {
		err = fmt.Errorf("no op_type: %w", ErrMalformed)
	}
	return n, err
}

func (d *decoder) attribute(b []byte) (Attribute, error) {
	var a Attribute
	var kind int64
	err := eachField(b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(&a.Name)
		case 2:
			return f.float(&a.Float)
		case 3:
			return f.integer(&a.Int)
		case 4:
			var s []byte
			err := f.message(&s)
			a.String = string(s)
			return err
		case 5:
			var sub []byte
			if err := f.message(&sub); err != nil {
				return err
			}
			t, err := d.tensor(sub)
			a.Tensor = &t
			return err
		case 7:
			return f.floats(&a.Floats)
		case 8:
			return f.integers(&a.Ints)
		case 20:
			return f.integer(&kind)
		}
		return nil
	})
	a.Type = AttributeType(kind)
	switch {
	case err != nil:
	case a.Name == "":
		err = fmt.Errorf("it has no name: %w", ErrMalformed)
	case kind < 1 || kind > 14:
		err = fmt.Errorf("type %d is none of the format: %w", kind, ErrMalformed)
	case a.Type == TensorAttribute && a.Tensor == nil:
		err = fmt.Errorf("it says that it is a tensor and has none: %w", ErrMalformed)
	}
	return a, err
}

// floats appends a repeated float, packed or not.
func (f field) floats(to *[]float32) error {
	var b []byte
	if err := f.fixed(&b, protowire.Fixed32Type); err != nil {
		return err
	}
	if len(b)%4 != 0 {
		return fmt.Errorf("field %d: %d bytes are no float32 numbers: %w", f.number, len(b), ErrMalformed)
	}
	for ; len(b) > 0; b = b[4:] {
		v, _ := protowire.ConsumeFixed32(b)
		*to = append(*to, math.Float32frombits(v))
	}
	return nil
}

// value appends an input or an output of the graph.
func (d *decoder) value(to *[]Value, what string, b []byte) error {
	var v Value
	var typ []byte
	err := eachField(b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(&v.Name)
		case 2:
			return f.message(&typ)
		}
		return nil
	})
	if err == nil {
		err = v.typed(typ)
	}
	if err != nil {
		return fmt.Errorf("%s %d (%.80q): %w", what, len(*to), v.Name, err)
	}
	*to = append(*to, v)
	return nil
}

func (v *Value) typed(b []byte) error {
	return eachField(b, func(f field) error {
		if f.number != 1 {
			return nil // a sequence or a map: DType stays 0
		}
		var tensor []byte
		if err := f.message(&tensor); err != nil {
			return err
		}
		return eachField(tensor, func(f field) error {
			switch f.number {
			case 1:
				var dtype int64
				err := f.integer(&dtype)
				v.DType = DType(dtype)
				return err
			case 2:
				var shape []byte
				if err := f.message(&shape); err != nil {
					return err
				}
				v.Shape = []int{}
				return eachField(shape, v.dimension)
			}
			return nil
		})
	})
}

func (v *Value) dimension(f field) error {
	if f.number != 1 {
		return nil
	}
	var b []byte
	if err := f.message(&b); err != nil {
		return err
	}
	size := int64(-1)
	err := eachField(b, func(f field) error {
		if f.number != 1 {
			return nil
		}
		if err := f.integer(&size); err != nil {
			return err
		}
		if size < 0 || size > math.MaxInt32 {
			return fmt.Errorf("dimension %d has size %d: %w", len(v.Shape), size, ErrMalformed)
		}
		return nil
	})
	if len(v.Shape) == maxRank {
		return fmt.Errorf("more than %d dimensions: %w", maxRank, ErrUnsupported)
	}
	v.Shape = append(v.Shape, int(size))
	return err
}

// stored is a tensor as its message has it.
type stored struct {
	dims, int32s, int64s []int64
	dtype, location      int64
	raw, floats, doubles []byte
	hasRaw, otherData    bool
	path, offset, length string
	segmented            bool
}

func (d *decoder) tensor(b []byte) (Tensor, error) {
	var t Tensor
	var s stored
	err := eachField(b, func(f field) error {
		switch f.number {
		case 1:
			return f.integers(&s.dims)
		case 2:
			return f.integer(&s.dtype)
		case 3:
			s.segmented = true
		case 4:
			return f.fixed(&s.floats, protowire.Fixed32Type)
		case 5:
			return f.integers(&s.int32s)
		case 7:
			return f.integers(&s.int64s)
		case 8:
			return f.text(&t.Name)
		case 9:
			s.hasRaw = true
			return f.message(&s.raw)
		case 10:
			return f.fixed(&s.doubles, protowire.Fixed64Type)
		case 6, 11:
			s.otherData = true
		case 13:
			return s.keyValue(f)
		case 14:
			return f.integer(&s.location)
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	t.DType = DType(s.dtype)
	if _, ok := dtypes[t.DType]; !ok {
		return t, fmt.Errorf("element type %d; known are FLOAT, DOUBLE, FLOAT16, BFLOAT16, INT64, INT32, BOOL: %w", s.dtype, ErrUnsupported)
	}
	if t.Shape, err = s.shape(); err != nil {
		return t, err
	}
	if t.Data, err = d.data(&t, &s); err != nil {
		return t, err
	}
	return t, t.check()
}

func (s *stored) keyValue(f field) error {
	var entry []byte
	var key, value string
	if err := f.message(&entry); err != nil {
		return err
	}
	err := eachField(entry, func(f field) error {
		switch f.number {
		case 1:
			return f.text(&key)
		case 2:
			return f.text(&value)
		}
		return nil
	})
	switch key {
	case "location":
		s.path = value
	case "offset":
		s.offset = value
	case "length":
		s.length = value
	}
	return err
}

func (s *stored) shape() ([]int, error) {
	if len(s.dims) > maxRank {
		return nil, fmt.Errorf("%d dimensions; up to %d are known: %w", len(s.dims), maxRank, ErrUnsupported)
	}
	shape := make([]int, len(s.dims))
	for i, dim := range s.dims {
		if dim < 0 || dim > math.MaxInt32 {
			return nil, fmt.Errorf("dimension %d has size %d: %w", i, dim, ErrMalformed)
		}
		shape[i] = int(dim)
	}
	return shape, nil
}

// data returns the elements as little-endian bytes, from the one place that the
// message stores them in.
func (d *decoder) data(t *Tensor, s *stored) ([]byte, error) {
	switch {
	case s.segmented:
		return nil, fmt.Errorf("it is stored in segments: %w", ErrUnsupported)
	case s.location == 1:
		return d.externalTensor(t, s)
	case s.location != 0:
		return nil, fmt.Errorf("data_location %d; known are 0 (in the file) and 1 (external): %w", s.location, ErrMalformed)
	case s.hasRaw:
		return s.raw[:len(s.raw):len(s.raw)], nil
	case s.otherData:
		return nil, fmt.Errorf("data of another type than %v: %w", t.DType, ErrMalformed)
	}
	switch t.DType {
	case Float:
		return s.floats, nil
	case Double:
		return s.doubles, nil
	case Int64:
		return narrow(s.int64s, 8)
	case Bool, Int32, Float16, BFloat16:
		return narrow(s.int32s, dtypes[t.DType].bytes)
	}
	panic("onnx: an element type without data")
}

// narrow writes integers with size bytes each, as typed data holds them.
func narrow(v []int64, size int) ([]byte, error) {
	b := make([]byte, 0, len(v)*size)
	for i, x := range v {
		if size < 8 && (x < -1<<(8*size-1) || x >= 1<<(8*size)) {
			return nil, fmt.Errorf("element %d is %d, too large for %d bytes: %w", i, x, size, ErrMalformed)
		}
		for at := range size {
			b = append(b, byte(x>>(8*at)))
		}
	}
	return b, nil
}

func (d *decoder) externalTensor(t *Tensor, s *stored) ([]byte, error) {
	if d.external == nil {
		return nil, fmt.Errorf("its data is in the file %.80q beside the model; read the model with ReadFile: %w", s.path, ErrUnsupported)
	}
	want, err := t.byteSize()
	if err != nil {
		return nil, err
	}
	length := want
	if s.length != "" {
		if length, err = strconv.ParseUint(s.length, 10, 63); err != nil {
			return nil, fmt.Errorf("external data: length %.40q is no number of bytes: %w", s.length, ErrMalformed)
		}
	}
	offset := uint64(0)
	if s.offset != "" {
		if offset, err = strconv.ParseUint(s.offset, 10, 63); err != nil {
			return nil, fmt.Errorf("external data: offset %.40q is no number of bytes: %w", s.offset, ErrMalformed)
		}
	}
	if length != want {
		return nil, fmt.Errorf("external data: length %d, %v of shape %v needs %d: %w", length, t.DType, t.Shape, want, ErrMalformed)
	}
	return d.external.read(region{s.path, offset, length})
}
