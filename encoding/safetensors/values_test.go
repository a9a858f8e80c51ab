package safetensors

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func raw(d DType, data ...byte) *Tensor {
	return &Tensor{Name: "x", DType: d, Shape: []int{len(data) * 8 / d.Bits()}, Data: data}
}

func TestFloat64s(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		x    *Tensor
		want []float64
	}{
		// Bit patterns from the tables of IEEE 754 binary16.
		{raw(TypeF16, 0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x00, 0x04, 0x01, 0x00, 0xff, 0x03, 0x00, 0x7c, 0x00, 0xfc, 0x55, 0x35),
			[]float64{1, -2, 65504, 0x1p-14, 0x1p-24, 1023 * 0x1p-24, inf, -inf, 0.333251953125}},
		// 1, −3, ∞, −∞, the least subnormal, the largest subnormal, the largest number.
		{raw(TypeBF16, 0x80, 0x3f, 0x40, 0xc0, 0x80, 0x7f, 0x80, 0xff, 0x01, 0x00, 0x7f, 0x00, 0x7f, 0x7f),
			[]float64{1, -3, inf, -inf, 0x1p-133, 127 * 0x1p-133, 255 * 0x1p120}},
		{raw(TypeF32, 0, 0, 0x80, 0x3f), []float64{1}},
		{raw(TypeF64, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f), []float64{1}},
	} {
		got, err := c.x.Float64s()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.x.DType, got, err, c.want)
		}
	}
	nan, err := raw(TypeF16, 0x01, 0x7e, 0x00, 0x80).Float64s()
	if err != nil || !math.IsNaN(nan[0]) || !(nan[1] == 0 && math.Signbit(nan[1])) {
		t.Errorf("F16 NaN and −0: %v, %v", nan, err)
	}
}

// Half precision must increase with its bit pattern and be symmetric in the
// sign, which together with the table above leaves no pattern unread.
func TestHalfIsMonotone(t *testing.T) {
	last := math.Inf(-1)
	for h := 0x7c00 - 1; h >= 0; h-- {
		v := fromHalf(uint16(h) | 0x8000)
		if !(v > last) && h != 0 {
			t.Fatalf("%#x: %v does not follow %v", h, v, last)
		}
		last = v
		if fromHalf(uint16(h)) != -v {
			t.Fatalf("%#x is not symmetric", h)
		}
	}
}

// all is a tensor of every bit pattern of a 16-bit type.
func all(d DType) *Tensor {
	var b []byte
	for h := range 1 << 16 {
		b = binary.LittleEndian.AppendUint16(b, uint16(h))
	}
	return raw(d, b...)
}

// Every pattern of binary16, by another way to its value: shifted into the
// fields of a float32, whose exponent has another bias, it is 2^112 too small.
func TestEveryHalf(t *testing.T) {
	wide, err := all(TypeF16).Float64s()
	if err != nil {
		t.Fatal(err)
	}
	for h, v := range wide {
		infinite, nan := h&0x7fff == 0x7c00, h&0x7fff > 0x7c00
		want := float64(math.Float32frombits(uint32(h&0x7fff)<<13)) * 0x1p112
		if infinite {
			want = math.Inf(1)
		}
		if got := math.Abs(v); got != want && !nan || nan != math.IsNaN(v) {
			t.Fatalf("%#04x is %v, want magnitude %v", h, v, want)
		}
		if math.Signbit(v) != (h >= 0x8000) {
			t.Fatalf("%#04x is %v, of the wrong sign", h, v)
		}
	}
}

// Every pattern of bfloat16 is the upper half of the float32 of its value.
func TestEveryBrain(t *testing.T) {
	wide, err := all(TypeBF16).Float64s()
	if err != nil {
		t.Fatal(err)
	}
	for h, v := range wide {
		if nan := h&0x7fff > 0x7f80; nan {
			if !math.IsNaN(v) {
				t.Fatalf("%#04x is %v, want NaN", h, v)
			}
			continue
		}
		if bits := math.Float32bits(float32(v)); bits != uint32(h)<<16 || float64(float32(v)) != v {
			t.Fatalf("%#04x is %v, which has the bits %#08x", h, v, bits)
		}
	}
}

// The 16-bit types fit float32.
func TestNarrowTypesAsFloat32(t *testing.T) {
	for _, d := range []DType{TypeF16, TypeBF16} {
		wide, err := all(d).Float64s()
		if err != nil {
			t.Fatal(err)
		}
		narrow, err := all(d).Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for h := range wide {
			if same := float64(narrow[h]) == wide[h] || math.IsNaN(wide[h]) && math.IsNaN(float64(narrow[h])); !same {
				t.Fatalf("%s %#04x: %v and %v", d, h, narrow[h], wide[h])
			}
		}
	}
}

func TestExactOrRefused(t *testing.T) {
	le := binary.LittleEndian
	big := raw(TypeI64, le.AppendUint64(nil, 1<<53+1)...)
	if v, err := big.Int64s(); err != nil || v[0] != 1<<53+1 {
		t.Errorf("Int64s: %v, %v", v, err)
	}
	huge := F64("x", []int{2}, []float64{0.1, 1e39})
	if _, err := huge.Float32s(); err == nil || !strings.Contains(err.Error(), "element 1") {
		t.Errorf("1e39 became a float32: %v", err)
	}
	rounded := F64("x", []int{2}, []float64{0.1, math.Inf(-1)})
	if v, err := rounded.Float32s(); err != nil || v[0] != float32(0.1) || !math.IsInf(float64(v[1]), -1) {
		t.Errorf("Float32s: %v, %v", v, err)
	}
	top := U64("x", []int{1}, []uint64{math.MaxUint64})
	if _, err := top.Int64s(); err == nil {
		t.Error("2^64−1 became an int64")
	}
	if v, err := top.Uint64s(); err != nil || v[0] != math.MaxUint64 {
		t.Errorf("Uint64s: %v, %v", v, err)
	}
	bottom := I64("x", []int{1}, []int64{math.MinInt64})
	if v, err := bottom.Int64s(); err != nil || v[0] != math.MinInt64 {
		t.Errorf("Int64s: %v, %v", v, err)
	}
	if _, err := bottom.Uint64s(); err == nil {
		t.Error("−2^63 became a uint64")
	}
}

// Whole numbers of every width, at the ends of their ranges.
func TestInt64s(t *testing.T) {
	ff := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, c := range []struct {
		d    DType
		want int64
	}{
		{TypeU8, 255}, {TypeI8, -1}, {TypeU16, 65535}, {TypeI16, -1}, {TypeU32, 4294967295}, {TypeI32, -1}, {TypeI64, -1},
	} {
		v, err := raw(c.d, ff[:c.d.Bits()/8]...).Int64s()
		if err != nil || len(v) != 1 || v[0] != c.want {
			t.Errorf("%s: %v, %v; want %d", c.d, v, err, c.want)
		}
	}
	if v, err := raw(TypeI8, 128).Int64s(); err != nil || v[0] != -128 {
		t.Errorf("I8 128: %v, %v", v, err)
	}
}

// A type without values is an error that names the tensor, the type and the
// types that have some: a quantised weight must not pass for a number.
func TestNoValues(t *testing.T) {
	for _, d := range []DType{TypeBool, TypeC64, TypeF8E4M3, TypeF8E5M2, TypeF8E8M0, TypeF6E2M3, TypeF4, TypeI8, TypeU8, TypeI32, TypeI64} {
		x := raw(d, make([]byte, 24)...)
		_, err := x.Float64s()
		if !errors.Is(err, ErrUnsupported) || errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", d, err)
			continue
		}
		for _, says := range []string{`tensor "x"`, `"` + string(d) + `"`, "[F64 F32 F16 BF16]"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%v does not say %s", err, says)
			}
		}
	}
	for _, d := range []DType{TypeF16, TypeBF16, TypeF32, TypeF64, TypeBool} {
		if _, err := raw(d, make([]byte, 8)...).Int64s(); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "[U8 I8 U16 I16 U32 I32 U64 I64]") {
			t.Errorf("%s as integers: %v", d, err)
		}
	}
	for _, d := range []DType{TypeF16, TypeF32} {
		if _, err := (&Tensor{Name: "x", DType: d, Shape: []int{2}, Data: []byte{1}}).Float64s(); !errors.Is(err, ErrMalformed) {
			t.Errorf("one byte of two %s: %v", d, err)
		}
	}
}
