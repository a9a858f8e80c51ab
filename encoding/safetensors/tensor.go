package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Tensor is a named array. Data holds its elements row-major and little-endian,
// as in the file; a scalar has an empty Shape and one element.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
	Data  []byte
}

// File is the content of a file. Read returns Tensors by increasing offset, and
// empty tensors at the same offset by name; Write takes them in any order.
type File struct {
	Tensors  []Tensor
	Metadata map[string]string
}

// Tensor returns the tensor of that name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i], true
		}
	}
	return nil, false
}

// F32 returns v as a tensor of the given shape, row-major. Like its
// siblings it copies v, and panics when the shape does not hold len(v) elements.
func F32(name string, shape []int, v []float32) Tensor {
	t := newTensor(name, TypeF32, shape, len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(t.Data[4*i:], math.Float32bits(x))
	}
	return t
}

// F64 returns v as a tensor of the given shape, row-major.
func F64(name string, shape []int, v []float64) Tensor {
	t := newTensor(name, TypeF64, shape, len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(t.Data[8*i:], math.Float64bits(x))
	}
	return t
}

// I64 returns v as a tensor of the given shape, row-major.
func I64(name string, shape []int, v []int64) Tensor {
	t := newTensor(name, TypeI64, shape, len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(t.Data[8*i:], uint64(x))
	}
	return t
}

// U64 returns v as a tensor of the given shape, row-major.
func U64(name string, shape []int, v []uint64) Tensor {
	t := newTensor(name, TypeU64, shape, len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(t.Data[8*i:], x)
	}
	return t
}

// U8 returns v as a tensor of the given shape, row-major.
func U8(name string, shape []int, v []byte) Tensor {
	t := newTensor(name, TypeU8, shape, len(v))
	copy(t.Data, v)
	return t
}

func newTensor(name string, d DType, shape []int, elements int) Tensor {
	n, ok := count(shape)
	if !ok || n != uint64(elements) {
		panic("safetensors: the shape does not hold the given number of elements")
	}
	return Tensor{Name: name, DType: d, Shape: append([]int{}, shape...), Data: make([]byte, elements*d.Bits()/8)}
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

// byteSize is the number of bytes that dtype and shape call for, or why there
// is none.
func byteSize(d DType, shape []int) (uint64, error) {
	n, ok := count(shape)
	if !ok {
		return 0, fmt.Errorf("shape %s has a negative dimension or more elements than 2^64: %w", brief(shape), ErrMalformed)
	}
	hi, nbits := bits.Mul64(n, bitsOf[d])
	if hi != 0 {
		return 0, fmt.Errorf("shape %s of %s has more bits than 2^64: %w", brief(shape), d, ErrMalformed)
	}
	if nbits%8 != 0 {
		return 0, fmt.Errorf("shape %s of %s is not a whole number of bytes: %w", brief(shape), d, ErrMalformed)
	}
	return nbits / 8, nil
}

// brief prints a shape that may be hostile in length.
func brief(shape []int) string {
	if len(shape) > 8 {
		return fmt.Sprintf("%v… (%d dimensions)", shape[:8], len(shape))
	}
	return fmt.Sprint(shape)
}
