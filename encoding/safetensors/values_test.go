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
		{raw(TypeBF16, 0x80, 0x3f, 0x40, 0xc0, 0x80, 0x7f), []float64{1, -3, inf}},
		{raw(TypeF32, 0, 0, 0x80, 0x3f), []float64{1}},
		{raw(TypeU8, 255), []float64{255}},
		{raw(TypeI8, 255, 128), []float64{-1, -128}},
		{raw(TypeU16, 0xff, 0xff), []float64{65535}},
		{raw(TypeI16, 0xff, 0xff), []float64{-1}},
		{raw(TypeU32, 0xff, 0xff, 0xff, 0xff), []float64{4294967295}},
		{raw(TypeI32, 0xff, 0xff, 0xff, 0xff), []float64{-1}},
		{raw(TypeI64, 0, 0, 0, 0, 0, 0, 0x20, 0), []float64{1 << 53}},
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

func TestExactOrRefused(t *testing.T) {
	le := binary.LittleEndian
	big := raw(TypeI64, le.AppendUint64(nil, 1<<53+1)...)
	if _, err := big.Float64s(); err == nil {
		t.Error("2^53+1 became a float64")
	}
	if v, err := big.Int64s(); err != nil || v[0] != 1<<53+1 {
		t.Errorf("Int64s: %v, %v", v, err)
	}
	if _, err := raw(TypeI32, 1, 0, 0, 1).Float32s(); err == nil {
		t.Error("2^24+1 became a float32")
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

func TestNoValues(t *testing.T) {
	for _, d := range []DType{TypeBool, TypeC64, TypeF8E4M3, TypeF4} {
		x := raw(d, 0, 0, 0, 0, 0, 0, 0, 0)
		if _, err := x.Float64s(); !errors.Is(err, ErrUnsupported) || errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", d, err)
		}
	}
	if _, err := raw(TypeF32, 0, 0, 0, 0).Int64s(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("F32 as integers: %v", err)
	}
	if _, err := (&Tensor{Name: "x", DType: TypeF32, Shape: []int{2}, Data: []byte{1}}).Float64s(); !errors.Is(err, ErrMalformed) {
		t.Errorf("one byte of eight: %v", err)
	}
}
