package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Float64s returns the elements, row-major, of F64, F32, F16 and BF16 tensors.
// All conversions are exact; infinities, NaN and the sign of zero stay. Other
// types are ErrUnsupported: whole numbers have Int64s and Uint64s, and the bytes
// of a quantised tensor mean nothing without its scale.
func (t *Tensor) Float64s() ([]float64, error) {
	le := binary.LittleEndian
	switch t.DType {
	case TypeF64:
		return decode(t, 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) })
	case TypeF32:
		return decode(t, 4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) })
	case TypeF16:
		return decode(t, 2, func(b []byte) float64 { return fromHalf(le.Uint16(b)) })
	case TypeBF16:
		return decode(t, 2, func(b []byte) float64 { return fromBrain(le.Uint16(b)) })
	}
	return nil, t.noValues("numbers", TypeF64, TypeF32, TypeF16, TypeBF16)
}

// noValues is the error for a tensor of another type than those.
func (t *Tensor) noValues(kind string, readable ...DType) error {
	return fmt.Errorf("tensor %.80q has elements of type %.20q; types that can be read as %s are %v: %w", t.Name, t.DType, kind, readable, ErrUnsupported)
}

// Float32s is Float64s rounded to the nearest float32: exact for F32, F16 and
// BF16, lossy for F64. A finite element that would become infinite is an error.
func (t *Tensor) Float32s() ([]float32, error) {
	wide, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	v := make([]float32, len(wide))
	for i, x := range wide {
		v[i] = float32(x)
		if math.IsInf(float64(v[i]), 0) && !math.IsInf(x, 0) {
			return nil, fmt.Errorf("tensor %.80q: element %d is %v, beyond the range of float32", t.Name, i, x)
		}
	}
	return v, nil
}

// Int64s returns the elements, row-major, of integer tensors; one that int64
// does not hold is an error, other types are ErrUnsupported.
func (t *Tensor) Int64s() ([]int64, error) {
	ints, err := t.integers()
	if err != nil {
		return nil, err
	}
	v := make([]int64, len(ints))
	for i, x := range ints {
		if !x.negative && x.magnitude > math.MaxInt64 {
			return nil, fmt.Errorf("tensor %.80q: element %d is %s, above the range of int64", t.Name, i, x)
		}
		v[i] = int64(x.magnitude)
		if x.negative {
			v[i] = -v[i]
		}
	}
	return v, nil
}

// Uint64s returns the elements, row-major, of integer tensors; a negative one
// is an error, other types are ErrUnsupported.
func (t *Tensor) Uint64s() ([]uint64, error) {
	ints, err := t.integers()
	if err != nil {
		return nil, err
	}
	v := make([]uint64, len(ints))
	for i, x := range ints {
		if x.negative {
			return nil, fmt.Errorf("tensor %.80q: element %d is %s, below the range of uint64", t.Name, i, x)
		}
		v[i] = x.magnitude
	}
	return v, nil
}

// integer is the union of int64 and uint64.
type integer struct {
	magnitude uint64
	negative  bool
}

func signed(v int64) integer {
	if v < 0 {
		return integer{-uint64(v), true}
	}
	return integer{uint64(v), false}
}

func (x integer) String() string {
	if x.negative {
		return fmt.Sprintf("-%d", x.magnitude)
	}
	return fmt.Sprint(x.magnitude)
}

func (t *Tensor) integers() ([]integer, error) {
	le := binary.LittleEndian
	switch t.DType {
	case TypeU8:
		return decode(t, 1, func(b []byte) integer { return integer{uint64(b[0]), false} })
	case TypeI8:
		return decode(t, 1, func(b []byte) integer { return signed(int64(int8(b[0]))) })
	case TypeU16:
		return decode(t, 2, func(b []byte) integer { return integer{uint64(le.Uint16(b)), false} })
	case TypeI16:
		return decode(t, 2, func(b []byte) integer { return signed(int64(int16(le.Uint16(b)))) })
	case TypeU32:
		return decode(t, 4, func(b []byte) integer { return integer{uint64(le.Uint32(b)), false} })
	case TypeI32:
		return decode(t, 4, func(b []byte) integer { return signed(int64(int32(le.Uint32(b)))) })
	case TypeU64:
		return decode(t, 8, func(b []byte) integer { return integer{le.Uint64(b), false} })
	case TypeI64:
		return decode(t, 8, func(b []byte) integer { return signed(int64(le.Uint64(b))) })
	}
	return nil, t.noValues("whole numbers", TypeU8, TypeI8, TypeU16, TypeI16, TypeU32, TypeI32, TypeU64, TypeI64)
}

// decode maps each run of size bytes; it checks the tensor first, since a
// caller may have put one together by hand.
func decode[T any](t *Tensor, size int, value func([]byte) T) ([]T, error) {
	if want, err := byteSize(t.DType, t.Shape); err != nil {
		return nil, fmt.Errorf("tensor %.80q: %w", t.Name, err)
	} else if uint64(len(t.Data)) != want {
		return nil, fmt.Errorf("tensor %.80q: %d bytes of data, %s of shape %s needs %d: %w", t.Name, len(t.Data), t.DType, brief(t.Shape), want, ErrMalformed)
	}
	v := make([]T, len(t.Data)/size)
	for i := range v {
		v[i] = value(t.Data[i*size : (i+1)*size])
	}
	return v, nil
}

// fromBrain is the value of a bfloat16: the upper half of a float32.
func fromBrain(h uint16) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }

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
