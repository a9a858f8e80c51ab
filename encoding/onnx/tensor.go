package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Tensor is a named array. Data holds its elements row-major and little-endian;
// a scalar has an empty Shape and one element.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
}

// maxRank bounds the dimensions of a tensor; images and kernels have four.
const maxRank = 16

// Float64s returns the elements, row-major, of a tensor of floating-point
// numbers; all conversions are exact. Other types are ErrUnsupported.
func (t *Tensor) Float64s() ([]float64, error) {
	le := binary.LittleEndian
	switch t.DType {
	case Double:
		return elements(t, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })
	case Float:
		return elements(t, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) })
	case Float16:
		return elements(t, func(b []byte) float64 { return fromHalf(le.Uint16(b)) })
	case BFloat16:
		return elements(t, func(b []byte) float64 { return float64(math.Float32frombits(uint32(le.Uint16(b)) << 16)) })
	}
	return nil, fmt.Errorf("tensor %.80q is %v where FLOAT, DOUBLE, FLOAT16 or BFLOAT16 should be: %w", t.Name, t.DType, ErrUnsupported)
}

// Int64s returns the elements, row-major, of a tensor of integers or booleans.
// Other types are ErrUnsupported.
func (t *Tensor) Int64s() ([]int64, error) {
	le := binary.LittleEndian
	switch t.DType {
	case Int64:
		return elements(t, func(b []byte) int64 { return int64(le.Uint64(b)) })
	case Int32:
		return elements(t, func(b []byte) int64 { return int64(int32(le.Uint32(b))) })
	case Bool:
		return elements(t, func(b []byte) int64 { return int64(b[0]) })
	}
	return nil, fmt.Errorf("tensor %.80q is %v where INT64, INT32 or BOOL should be: %w", t.Name, t.DType, ErrUnsupported)
}

// elements maps each element's bytes; it checks the tensor first, since a
// caller may have put one together by hand.
func elements[T any](t *Tensor, value func([]byte) T) ([]T, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	size := dtypes[t.DType].bytes
	v := make([]T, len(t.Data)/size)
	for i := range v {
		v[i] = value(t.Data[i*size : (i+1)*size])
	}
	return v, nil
}

// check requires that Data has the size of the shape.
func (t *Tensor) check() error {
	want, err := t.byteSize()
	if err != nil {
		return err
	}
	if uint64(len(t.Data)) != want {
		return fmt.Errorf("tensor %.80q has %d bytes of data, %v of shape %v needs %d: %w", t.Name, len(t.Data), t.DType, t.Shape, want, ErrMalformed)
	}
	return nil
}

func (t *Tensor) byteSize() (uint64, error) {
	n, ok := count(t.Shape)
	hi, size := bits.Mul64(n, uint64(dtypes[t.DType].bytes))
	if !ok || hi != 0 {
		return 0, fmt.Errorf("tensor %.80q: shape %v has a negative dimension or more bytes than 2^64: %w", t.Name, t.Shape, ErrMalformed)
	}
	return size, nil
}

// count is the number of elements of a shape; false if it overflows or a
// dimension is negative.
func count(shape []int) (uint64, bool) {
	n := uint64(1)
	for _, dim := range shape {
		if dim < 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(n, uint64(dim))
		if hi != 0 {
			return 0, false
		}
		n = lo
	}
	return n, true
}

// fromHalf is the value of an IEEE 754 binary16.
func fromHalf(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var v float64
	switch exponent {
	case 0:
		v = fraction * 0x1p-24
	case 31:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	return math.Copysign(v, 1-2*float64(h>>15))
}
