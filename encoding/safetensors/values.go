package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Float64s returns the elements, row-major, of F64, F32, F16, BF16 and integer
// tensors. All conversions are exact: an integer beyond ±2^53 that float64
// would round is an error. Other types are ErrUnsupported.
func (t *Tensor) Float64s() ([]float64, error) {
	switch t.DType {
	case TypeF64:
		return decode(t, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
	case TypeF32:
		return decode(t, 4, func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) })
	case TypeF16:
		return decode(t, 2, func(b []byte) float64 { return fromHalf(binary.LittleEndian.Uint16(b)) })
	case TypeBF16:
		return decode(t, 2, func(b []byte) float64 {
			return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16))
		})
	}
	ints, err := t.integers("float64")
	if err != nil {
		return nil, err
	}
	v := make([]float64, len(ints))
	for i, x := range ints {
		v[i] = x.float64()
		if x.magnitude > 1<<53 {
			return nil, fmt.Errorf("tensor %.80q: element %d is the integer %s, which float64 would round", t.Name, i, x)
		}
	}
	return v, nil
}

// Float32s is Float64s rounded to the nearest float32: exact for F32, F16 and
// BF16, lossy for F64. A finite element that would become infinite and an
// integer beyond ±2^24 are errors.
func (t *Tensor) Float32s() ([]float32, error) {
	wide, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	integral := t.DType != TypeF64 && t.DType != TypeF32 && t.DType != TypeF16 && t.DType != TypeBF16
	v := make([]float32, len(wide))
	for i, x := range wide {
		v[i] = float32(x)
		if math.IsInf(float64(v[i]), 0) && !math.IsInf(x, 0) {
			return nil, fmt.Errorf("tensor %.80q: element %d is %v, beyond the range of float32", t.Name, i, x)
		}
		if integral && math.Abs(x) > 1<<24 {
			return nil, fmt.Errorf("tensor %.80q: element %d is the integer %v, which float32 would round", t.Name, i, x)
		}
	}
	return v, nil
}

// Int64s returns the elements, row-major, of integer tensors; one that int64
// does not hold is an error, other types are ErrUnsupported.
func (t *Tensor) Int64s() ([]int64, error) {
	ints, err := t.integers("int64")
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
	ints, err := t.integers("uint64")
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

func (x integer) float64() float64 {
	if x.negative {
		return -float64(x.magnitude)
	}
	return float64(x.magnitude)
}

func (x integer) String() string {
	if x.negative {
		return fmt.Sprintf("-%d", x.magnitude)
	}
	return fmt.Sprint(x.magnitude)
}

func (t *Tensor) integers(target string) ([]integer, error) {
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
	return nil, fmt.Errorf("tensor %.80q: no conversion from %.20q to %s: %w", t.Name, t.DType, target, ErrUnsupported)
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
