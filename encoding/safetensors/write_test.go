package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func shapes() *rapid.Generator[[]int] { return rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4) }

func elements(shape []int) int {
	n, _ := count(shape)
	return int(n)
}

// anyFile draws files of every type that can be constructed.
func anyFile(t *rapid.T) *File {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zé"<]{1,6}(\.[0-9]+)?`), 0, 6, rapid.ID).Draw(t, "names")
	f := &File{Metadata: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")}
	for _, name := range names {
		shape := shapes().Draw(t, "shape")
		n := elements(shape)
		switch rapid.SampledFrom([]DType{TypeF32, TypeF64, TypeI64, TypeU64, TypeU8}).Draw(t, "dtype") {
		case TypeF32:
			f.Tensors = append(f.Tensors, F32(name, shape, rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "v")))
		case TypeF64:
			f.Tensors = append(f.Tensors, F64(name, shape, rapid.SliceOfN(rapid.Float64(), n, n).Draw(t, "v")))
		case TypeI64:
			f.Tensors = append(f.Tensors, I64(name, shape, rapid.SliceOfN(rapid.Int64(), n, n).Draw(t, "v")))
		case TypeU64:
			f.Tensors = append(f.Tensors, U64(name, shape, rapid.SliceOfN(rapid.Uint64(), n, n).Draw(t, "v")))
		case TypeU8:
			f.Tensors = append(f.Tensors, U8(name, shape, rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "v")))
		}
	}
	return f
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFile(t)
		b, err := Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		if header := binary.LittleEndian.Uint64(b); header%8 != 0 {
			t.Fatalf("the data section begins at byte %d, not aligned to 8", 8+header)
		}
		got, err := read(b)
		if err != nil {
			t.Fatal(err)
		}
		byName := cmpopts.SortSlices(func(a, b Tensor) bool { return a.Name < b.Name })
		if diff := cmp.Diff(f, got, byName, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(f.Tensors), func(i, j int) { f.Tensors[i], f.Tensors[j] = f.Tensors[j], f.Tensors[i] })
		if shuffled, err := Encode(f); err != nil || !bytes.Equal(b, shuffled) {
			t.Fatalf("the order of the tensors changes the bytes (%v)", err)
		}
	})
}

// Values survive bit for bit, NaN and the sign of zero included.
func TestValuesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.SliceOf(rapid.Uint64()).Draw(t, "bits")
		want := make([]float64, len(bits))
		for i, b := range bits {
			want[i] = math.Float64frombits(b)
		}
		x := F64("v", []int{len(want)}, want)
		got, err := x.Float64s()
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Float64bits(got[i]) != bits[i] {
				t.Fatalf("element %d: bits %x became %x", i, bits[i], math.Float64bits(got[i]))
			}
		}
	})
}

// Writing the golden model reproduces the tensors and the data of the file.
func TestRewriteGolden(t *testing.T) {
	f, err := ReadFile("testdata/fnn-tiny.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := read(b)
	if err != nil {
		t.Fatal(err)
	}
	byName := cmpopts.SortSlices(func(a, b Tensor) bool { return a.Name < b.Name })
	if diff := cmp.Diff(f, again, byName); diff != "" {
		t.Error(diff)
	}
	if original, err := os.ReadFile("testdata/fnn-tiny.safetensors"); err != nil || len(original) != len(b) {
		t.Errorf("%d bytes, the original has %d (%v)", len(b), len(original), err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for says, f := range map[string]*File{
		"reserved":         {Tensors: []Tensor{U8("__metadata__", nil, []byte{1})}},
		"not UTF-8":        {Tensors: []Tensor{U8("\xff", nil, []byte{1})}},
		"two tensors":      {Tensors: []Tensor{U8("a", nil, []byte{1}), U8("a", nil, []byte{2})}},
		"unknown element":  {Tensors: []Tensor{{Name: "a", DType: "F31", Data: []byte{1}}}},
		"1 bytes of data":  {Tensors: []Tensor{{Name: "a", DType: TypeF32, Data: []byte{1}}}},
		"negative":         {Tensors: []Tensor{{Name: "a", DType: TypeF32, Shape: []int{-1}}}},
		"metadata \"\\xff": {Metadata: map[string]string{"\xff": ""}},
	} {
		var b bytes.Buffer
		if err := Write(&b, f); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v does not say %q", err, says)
		}
		if b.Len() != 0 {
			t.Errorf("%s: %d bytes were written", says, b.Len())
		}
	}
}

type failing struct{ after int }

func (w *failing) Write(b []byte) (int, error) {
	if w.after--; w.after < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestWriteReportsErrors(t *testing.T) {
	f := &File{Tensors: []Tensor{U8("a", nil, []byte{1})}}
	for after := range 2 {
		if err := Write(&failing{after}, f); err == nil || err.Error() != "disk full" {
			t.Errorf("writer that fails at write %d: %v", after, err)
		}
	}
}

func TestConstructorPanics(t *testing.T) {
	for _, shape := range [][]int{{2}, {-1}, {1 << 62, 4}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("shape %v of one element did not panic", shape)
				}
			}()
			F64("a", shape, []float64{1})
		}()
	}
}

func ExampleEncode() {
	weight := F32("net.0.weight", []int{1, 2}, []float32{0.5, -1})
	b, err := Encode(&File{Tensors: []Tensor{weight}, Metadata: map[string]string{"format": "pt"}})
	if err != nil {
		panic(err)
	}
	f, err := Read(bytes.NewReader(b), int64(len(b)), "model.safetensors")
	if err != nil {
		panic(err)
	}
	t, _ := f.Tensor("net.0.weight")
	v, err := t.Float64s()
	if err != nil {
		panic(err)
	}
	fmt.Println(t.DType, t.Shape, v)
	// Output: F32 [1 2] [0.5 -1]
}
