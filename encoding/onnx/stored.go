package onnx

import (
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

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
