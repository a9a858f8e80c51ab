package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sobolev/internal/fuzztest"
)

// file puts a header and data together without any padding or check.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func read(b []byte) (*File, error) {
	return Read(bytes.NewReader(b), int64(len(b)), "test.safetensors")
}

// The golden files were written by PyTorch's library; the f32 one holds the
// rounded values of the f64 one.
func TestReadGolden(t *testing.T) {
	wide, err := ReadFile("testdata/fnn-tiny.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := ReadFile("testdata/fnn-tiny-f32.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"format": "pt", "fixture": "fnn-tiny"}, wide.Metadata); diff != "" {
		t.Error(diff)
	}
	shapes := map[string][]int{
		"net.0.weight": {8, 6}, "net.0.bias": {8}, "net.2.weight": {7, 8},
		"net.2.bias": {7}, "net.4.weight": {3, 7}, "net.4.bias": {3},
	}
	if len(wide.Tensors) != len(shapes) {
		t.Fatalf("%d tensors, want %d", len(wide.Tensors), len(shapes))
	}
	for name, shape := range shapes {
		w, ok := wide.Tensor(name)
		n, okNarrow := narrow.Tensor(name)
		if !ok || !okNarrow {
			t.Fatalf("no tensor %s", name)
		}
		if !slices.Equal(w.Shape, shape) || !slices.Equal(n.Shape, shape) || w.DType != TypeF64 || n.DType != TypeF32 {
			t.Errorf("%s: %s %v and %s %v", name, w.DType, w.Shape, n.DType, n.Shape)
		}
		rounded, err := w.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		exact, err := n.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(rounded, exact) {
			t.Errorf("%s: the rounded F64 values differ from the F32 ones", name)
		}
	}
	first, _ := wide.Tensor("net.0.weight")
	v, err := first.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range v {
		if !(math.Abs(x) < 10) || x == 0 {
			t.Errorf("net.0.weight[%d] = %v is no initialised weight", i, x)
		}
	}
}

func TestReadIntegers(t *testing.T) {
	f, err := ReadFile("testdata/sgd-trajectory-data.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	batches, ok := f.Tensor("batches")
	if !ok || batches.DType != TypeI64 || !slices.Equal(batches.Shape, []int{200, 4}) {
		t.Fatalf("batches: %+v", batches)
	}
	v, err := batches.Int64s()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range v {
		if s < 0 || s >= 16 {
			t.Fatalf("batches[%d] = %d is no sample of 16", i, s)
		}
	}
}

func TestReadOrder(t *testing.T) {
	f, err := read(file(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},`+
		`"z":{"shape":[0],"data_offsets":[1,1],"dtype":"F32"},"a":{"dtype":"U8","shape":[0,3],"data_offsets":[1,1]},`+
		`"c":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}  `, 2))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range f.Tensors {
		names = append(names, x.Name)
	}
	if want := []string{"b", "a", "z", "c"}; !slices.Equal(names, want) {
		t.Errorf("order %v, want %v", names, want)
	}
	if f.Metadata != nil {
		t.Errorf("metadata %v, want none", f.Metadata)
	}
}

func TestRefused(t *testing.T) {
	one := func(body string) string { return `{"net.0.weight":{` + body + `}}` }
	two := func(a, b string) string {
		return fmt.Sprintf(`{"a":{"dtype":"U8","shape":[4],"data_offsets":%s},"b":{"dtype":"U8","shape":[4],"data_offsets":%s}}`, a, b)
	}
	for _, c := range []struct {
		name   string
		file   []byte
		reason error
		says   string
	}{
		{"empty", nil, ErrMalformed, "0 bytes are too few"},
		{"short", []byte{1, 2, 3}, ErrMalformed, "3 bytes are too few"},
		{"no header", file("", 0), ErrMalformed, "begin with '{'"},
		{"leading space", file(" {}", 0), ErrMalformed, "begin with '{'"},
		{"header beyond the file", binary.LittleEndian.AppendUint64(nil, math.MaxUint64), ErrMalformed, "0 bytes follow"},
		{"header of 2^63 bytes", append(binary.LittleEndian.AppendUint64(nil, 1<<63), '{'), ErrMalformed, "9223372036854775808"},
		{"cut JSON", file(`{"a":`, 0), ErrMalformed, "not JSON"},
		{"text after JSON", file(`{}x`, 0), ErrMalformed, "not JSON"},
		{"not UTF-8", file("{\"\xff\":1}", 0), ErrMalformed, "UTF-8"},
		{"trailing bytes", file(`{}`, 3), ErrMalformed, "3 bytes after the last tensor"},
		{"entry is no object", file(`{"a":7}`, 0), ErrMalformed, `"a": "7" where an object`},
		{"duplicate name", file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{}}`, 0), ErrMalformed, `"a" appears twice`},
		{"duplicate key", file(one(`"dtype":"F32","dtype":"F64"`), 0), ErrMalformed, `"dtype" appears twice`},
		{"no dtype", file(one(`"shape":[1],"data_offsets":[0,4]`), 4), ErrMalformed, "dtype false"},
		{"no offsets", file(one(`"shape":[1],"dtype":"F32"`), 4), ErrMalformed, "0 data_offsets"},
		{"three offsets", file(one(`"dtype":"U8","shape":[1],"data_offsets":[0,1,1]`), 1), ErrMalformed, "more than 2"},
		{"unknown key", file(one(`"dtype":"U8","shape":[1],"data_offsets":[0,1],"sparse":true`), 1), ErrUnsupported, `"sparse"`},
		{"unknown dtype", file(one(`"dtype":"I128","shape":[1],"data_offsets":[0,16]`), 16), ErrUnsupported, `"I128" is not known`},
		{"dtype is a number", file(one(`"dtype":32,"shape":[1],"data_offsets":[0,4]`), 4), ErrMalformed, `"32" where a type`},
		{"negative dimension", file(one(`"dtype":"U8","shape":[-1],"data_offsets":[0,1]`), 1), ErrMalformed, `"-1" where an integer`},
		{"fractional dimension", file(one(`"dtype":"U8","shape":[1.0],"data_offsets":[0,1]`), 1), ErrMalformed, `"1.0" where an integer`},
		{"exponent", file(one(`"dtype":"U8","shape":[1e0],"data_offsets":[0,1]`), 1), ErrMalformed, `"1e0" where an integer`},
		{"dimension of 2^64", file(one(`"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]`), 1), ErrMalformed, "where an integer"},
		{"product overflows to 0", file(one(`"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]`), 0), ErrMalformed, "more elements than 2^64"},
		{"bits overflow", file(one(`"dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,0]`), 0), ErrMalformed, "more bits than 2^64"},
		{"half a byte", file(one(`"dtype":"F4","shape":[3],"data_offsets":[0,2]`), 2), ErrMalformed, "whole number of bytes"},
		{"size", file(one(`"dtype":"F32","shape":[2,3],"data_offsets":[0,20]`), 20), ErrMalformed, "hold 20 bytes, F32 of shape [2 3] needs 24"},
		{"beyond the data", file(one(`"dtype":"F32","shape":[2],"data_offsets":[0,8]`), 4), ErrMalformed, "data section of 4 bytes"},
		{"decreasing", file(one(`"dtype":"U8","shape":[0],"data_offsets":[1,0]`), 1), ErrMalformed, "decrease"},
		{"overlap", file(two("[0,4]", "[2,6]"), 6), ErrMalformed, `"b": begins at byte 2, inside`},
		{"same bytes", file(two("[0,4]", "[0,4]"), 4), ErrMalformed, `"b": begins at byte 0, inside`},
		{"hole", file(two("[0,4]", "[5,9]"), 9), ErrMalformed, `no tensor has the bytes from 4`},
		{"hole at the start", file(one(`"dtype":"U8","shape":[1],"data_offsets":[1,2]`), 2), ErrMalformed, "bytes from 0"},
		{"metadata is no object", file(`{"__metadata__":[]}`, 0), ErrMalformed, "__metadata__"},
		{"metadata is no string", file(`{"__metadata__":{"step":10}}`, 0), ErrMalformed, `"step": "10" where a string`},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), ErrMalformed, "appears twice"},
		{"deep JSON", file(`{"a":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`, 0), ErrMalformed, "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(c.file)
			if !errors.Is(err, c.reason) {
				t.Fatalf("error %v, want %v", err, c.reason)
			}
			other := ErrUnsupported
			if c.reason == ErrUnsupported {
				other = ErrMalformed
			}
			if errors.Is(err, other) {
				t.Errorf("%v is both malformed and unsupported", err)
			}
			for _, part := range []string{"test.safetensors: ", c.says} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
		})
	}
}

func TestTruncatedReader(t *testing.T) {
	b := file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4)
	for n := range b {
		if _, err := Read(bytes.NewReader(b[:n]), int64(len(b)), "cut"); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
		if _, err := read(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("file of %d bytes: %v", n, err)
		}
	}
}

func TestReadFileRefuses(t *testing.T) {
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := ReadFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
}

// A few bytes that claim terabytes must not cost memory.
func TestHostileAllocation(t *testing.T) {
	hostile := map[string][]byte{
		"header length": binary.LittleEndian.AppendUint64(nil, 1<<40),
		"data offsets":  file(`{"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}`, 0),
		"no data":       file(`{"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,0]}}`, 0),
		"brackets":      file(`{"a":`+strings.Repeat("[", 9_000)+strings.Repeat("]", 9_000)+`}`, 0),
		"dimensions":    file(`{"a":{"dtype":"U8","shape":[`+strings.Repeat("0,", 4_000)+`0],"data_offsets":[0,1]}}`, 0),
	}
	for name, b := range hostile {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := read(b)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: %d bytes of input allocated %d bytes", name, len(b), grown)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"fnn-tiny", "fnn-tiny-f32", "sgd-trajectory-data"} {
		b, err := os.ReadFile("testdata/" + name + ".safetensors")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(file(`{"__metadata__":{"a":"b"},"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, 4))
	f.Add(file(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[4,5]}}`, 5))
	f.Add(file(`{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"b":{"dtype":"I8","shape":[],"data_offsets":[1,2]}}`, 2))
	fuzztest.Run(f, func(t *testing.T, b []byte) {
		got, err := read(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("error of no class: %v", err)
			}
			return
		}
		for i := range got.Tensors {
			x := &got.Tensors[i]
			x.Float64s()
			x.Float32s()
			x.Int64s()
			x.Uint64s()
		}
		again, err := Encode(got)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := read(again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		twice, err := Encode(back)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("encoding is not a fixed point: %v", err)
		}
	})
}
