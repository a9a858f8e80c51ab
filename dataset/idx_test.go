package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"
)

func sampleIDX() *IDX {
	rng := rand.New(rand.NewPCG(1, 2))
	x := &IDX{Dims: []int{3, 2, 5}, Data: make([]uint8, 30)}
	for i := range x.Data {
		x.Data[i] = uint8(rng.Uint32())
	}
	return x
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func TestReadIDX(t *testing.T) {
	want := sampleIDX()
	plain := encodeIDX(want)
	for name, r := range map[string]io.Reader{
		"plain":        bytes.NewReader(plain),
		"gzip":         bytes.NewReader(gzipped(plain)),
		"one byte":     iotest.OneByteReader(bytes.NewReader(gzipped(plain))),
		"data and EOF": iotest.DataErrReader(bytes.NewReader(plain)),
	} {
		got, err := ReadIDX(r, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(got.Dims, want.Dims) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: got %v %v", name, got.Dims, got.Data)
		}
	}
}

// The growing buffer ends at the right size past its first mebibyte.
func TestReadIDXLarge(t *testing.T) {
	for _, n := range []int{1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7} {
		x := &IDX{Dims: []int{n}, Data: make([]uint8, n)}
		x.Data[0], x.Data[n-1] = 1, 2
		got, err := ReadIDX(bytes.NewReader(encodeIDX(x)), "large")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Data, x.Data) {
			t.Errorf("n = %d: content differs", n)
		}
	}
}

func TestReadIDXErrors(t *testing.T) {
	good := encodeIDX(sampleIDX())
	packed := gzipped(good)
	with := func(b []byte, at int, v ...byte) []byte {
		b = slices.Clone(b)
		copy(b[at:], v)
		return b
	}
	for _, c := range []struct {
		name  string
		data  []byte
		kind  error
		parts []string
	}{
		{"empty", nil, ErrMalformed, []string{"byte 0", "magic number"}},
		{"short magic", good[:3], ErrMalformed, []string{"byte 3"}},
		{"wrong magic", []byte("<html>not found"), ErrMalformed, []string{"byte 0", "3c 68 74 6d", "00 00 08"}},
		{"unknown type", with(good, 2, 0x0A), ErrMalformed, nil},
		{"int32", with(good, 2, 0x0C), ErrUnsupported, []string{"byte 2", "int32", "unsigned byte"}},
		{"float64", with(good, 2, 0x0E), ErrUnsupported, []string{"float64"}},
		{"no dimensions", with(good, 3, 0), ErrMalformed, nil},
		{"5 dimensions", with(good, 3, 5), ErrUnsupported, []string{"byte 3", "5 dimensions"}},
		{"zero dimension", with(good, 8, 0, 0, 0, 0), ErrMalformed, []string{"byte 8", "dimension 1"}},
		{"absurd", with(good, 4, 0xff, 0xff, 0xff, 0xff), ErrUnsupported, []string{"byte 4", "2^30"}},
		{"absurd product", with(good, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0), ErrUnsupported, []string{"2^30"}},
		{"lying", with(good, 4, 0x03, 0, 0, 0), ErrMalformed, []string{"byte 46", "30 of 503316480"}},
		{"short dimensions", good[:13], ErrMalformed, []string{"byte 13", "dimensions"}},
		{"truncated", good[:40], ErrMalformed, []string{"byte 40", "24 of 30"}},
		{"trailing", append(slices.Clone(good), 0), ErrMalformed, []string{"byte 46", "more bytes"}},
		{"gzip header only", packed[:5], ErrMalformed, []string{"gzip"}},
		{"gzip truncated", packed[:len(packed)-12], ErrMalformed, nil},
		{"gzip without sum", packed[:len(packed)-8], ErrMalformed, nil},
		{"gzip wrong sum", with(packed, len(packed)-8, packed[len(packed)-8]+1), ErrMalformed, []string{"checksum"}},
		{"gzip garbage", append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}, "garbage garbage"...), ErrMalformed, nil},
		{"gzip bad method", append([]byte{0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 3}, "garbage"...), ErrMalformed, nil},
		{"gzip trailing", append(slices.Clone(packed), "trailing"...), ErrMalformed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadIDX(bytes.NewReader(c.data), "file.gz")
			wantError(t, err, c.kind, append(c.parts, "file.gz")...)
			if errors.Is(err, ErrMalformed) && errors.Is(err, ErrUnsupported) {
				t.Error("both malformed and unsupported")
			}
		})
	}
}

// A failing disk or a cancelled context is not the file's fault.
func TestReadIDXSystemErrors(t *testing.T) {
	boom := errors.New("boom")
	for _, cut := range []int{0, 10, 20} {
		r := io.MultiReader(bytes.NewReader(encodeIDX(sampleIDX())[:cut]), iotest.ErrReader(boom))
		_, err := ReadIDX(r, "disk")
		if !errors.Is(err, boom) || errors.Is(err, ErrMalformed) {
			t.Errorf("after %d bytes: %v", cut, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := readIDX(ctx, bytes.NewReader(encodeIDX(sampleIDX())), "x", nil, math.MaxInt64)
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrMalformed) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestJoinIDXErrors(t *testing.T) {
	pictures := &IDX{Name: "images", Dims: []int{2, 2, 2}, Data: make([]uint8, 8)}
	labels := &IDX{Name: "labels", Dims: []int{2}, Data: []uint8{0, 4}}
	shape := []int{1, 2, 2}
	if _, err := joinIDX(pictures, labels, shape, 5); err != nil {
		t.Fatal(err)
	}
	_, err := joinIDX(pictures, labels, shape, 4)
	wantError(t, err, ErrMalformed, "labels", "byte 9", "label 4 of sample 1", "0 to 3")
	_, err = joinIDX(pictures, &IDX{Name: "labels", Dims: []int{3}, Data: make([]uint8, 3)}, shape, 5)
	wantError(t, err, ErrMalformed, "3 labels for the 2 images")
	_, err = joinIDX(labels, labels, shape, 5)
	wantError(t, err, ErrMalformed, "want [n 2 2]")
	_, err = joinIDX(pictures, pictures, shape, 5)
	wantError(t, err, ErrMalformed, "want [n]")
}
