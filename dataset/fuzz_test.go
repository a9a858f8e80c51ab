package dataset

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"sobolev/internal/fuzztest"
)

const (
	allocBase  = 4 << 20 // buffers and unpackers
	allocRatio = 1032    // what deflate can unpack from a byte
)

// checkFuzzError: whatever comes in, the error is of one of the two kinds.
func checkFuzzError(t *testing.T, err error) {
	t.Helper()
	if err != nil && errors.Is(err, ErrMalformed) == errors.Is(err, ErrUnsupported) {
		t.Fatalf("error %q is not exactly one of malformed and unsupported", err)
	}
}

func FuzzReadIDX(f *testing.F) {
	good := encodeIDX(sampleIDX())
	packed := gzipped(good)
	labels := encodeIDX(&IDX{Dims: []int{4}, Data: []uint8{0, 1, 2, 3}})
	for _, seed := range [][]byte{
		nil, good, packed, labels, gzipped(labels), good[:20], packed[:20], packed[:len(packed)-4],
		append(packed, packed...), append(good, 0), {0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff}, {0, 0, 8, 2, 0, 0, 0x40, 0, 0, 0, 0x40, 0},
		{0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0}, {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3},
		gzipped(encodeIDX(&IDX{Dims: []int{1 << 16}, Data: make([]uint8, 1<<16)})),
	} {
		f.Add(seed)
	}
	fuzztest.Run(f, func(t *testing.T, data []byte) {
		var x *IDX
		var err error
		used := fuzztest.Allocated(func() { x, err = ReadIDX(bytes.NewReader(data), "fuzz") })
		if limit := allocBase + 4*allocRatio*len(data); used > limit {
			t.Fatalf("%d bytes of input allocate %d", len(data), used)
		}
		checkFuzzError(t, err)
		if err != nil {
			return
		}
		n := 1
		for _, k := range x.Dims {
			n *= k
		}
		if n != len(x.Data) {
			t.Fatalf("dimensions %v and %d elements", x.Dims, len(x.Data))
		}
		again, err := ReadIDX(bytes.NewReader(encodeIDX(x)), "again")
		if err != nil || !bytes.Equal(again.Data, x.Data) {
			t.Fatalf("not the same after writing: %v", err)
		}
	})
}

func FuzzReadNPZ(f *testing.F) {
	x := member{key: "x", descr: "<f4", shape: "(2, 3)", data: []float32{0, 1, 2, 3, 4, 5}}
	y := member{key: "y", descr: "<i8", shape: "(2,)", data: []int64{1, 0}}
	fortran := member{key: "x", descr: ">f8", shape: "(2, 1, 1, 2)", data: []float64{1, 2, 3, 4}, fortran: true, order: binary.BigEndian}
	targets := member{key: "y", descr: "|u1", shape: "(2, 2)", data: []uint8{0, 1, 1, 0}}
	objects := member{key: "x", descr: "|O", shape: "(2,)", data: []uint8{0x80, 4}}
	stored := zipBytes(zip.Store, []string{"x.npy", "y.npy"}, [][]byte{x.encode(), y.encode()})
	for _, seed := range [][]byte{
		nil, buildNPZ(x, y), buildNPZ(fortran, targets), buildNPZ(objects, y), buildNPZ(y), stored, stored[:len(stored)-10],
		zipBytes(zip.Store, []string{"x.npy", "y.npy"}, [][]byte{npyBytes(2, "{'descr': [('a', '<f4')], 'fortran_order': True, 'shape': ()}", nil, nil), nil}),
		buildNPZ(member{key: "x", descr: "|u1", shape: "(2, 32768)", data: make([]uint8, 1<<16)}, y),
	} {
		f.Add(seed)
	}
	fuzztest.Run(f, func(t *testing.T, data []byte) {
		var s *Set
		var err error
		used := fuzztest.Allocated(func() { s, err = parseNPZ(data) })
		limit := allocBase + 64*allocRatio*len(data)
		if s != nil {
			limit += 4 * len(s.Y)
		}
		if used > limit {
			t.Fatalf("%d bytes of input allocate %d", len(data), used)
		}
		checkFuzzError(t, err)
		if err == nil {
			checkSet(t, s)
		}
	})
}

// FuzzNPYHeader goes straight to the header text, which the fuzzer can hardly
// reach through a zip archive with its checksums.
func FuzzNPYHeader(f *testing.F) {
	for _, head := range []string{
		"", "{}", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", `{"shape":(1L,),"fortran_order":True,"descr":"|u1"}`,
		"{'descr': [('a', '<f4'), ('b', '<i4', (2,))], 'fortran_order': False, 'shape': (1,)}", "{'descr': '|O', 'fortran_order': False, 'shape': ()}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 9223372036854775807)}",
	} {
		f.Add([]byte(head), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	}
	fuzztest.Run(f, func(t *testing.T, head, body []byte) {
		raw := append(npyBytes(2, string(head), nil, nil), body...)
		var err error
		used := fuzztest.Allocated(func() {
			var a *npyArray
			if a, err = openNPY(bytes.NewReader(raw), "fuzz"); err != nil {
				return
			}
			seen := 0
			err = a.values(t.Context(), func(at int, _ float64) error {
				if at < 0 || at >= a.total {
					t.Fatalf("position %d of %d", at, a.total)
				}
				seen++
				return nil
			})
			if err == nil && seen != a.total {
				t.Fatalf("%d of %d elements", seen, a.total)
			}
		})
		if limit := allocBase + 16*len(raw); used > limit {
			t.Fatalf("%d bytes of input allocate %d", len(raw), used)
		}
		checkFuzzError(t, err)
	})
}

// checkSet checks what every set promises.
func checkSet(t *testing.T, s *Set) {
	t.Helper()
	n := s.Len()
	if n < 1 || len(s.X) != n*s.Inputs() || len(s.Y) != n*s.Outputs || len(s.Index) != n {
		t.Fatalf("n = %d, d = %d, c = %d with %d inputs and %d targets", n, s.Inputs(), s.Outputs, len(s.X), len(s.Y))
	}
	if s.Labels != nil && (len(s.Labels) != n || len(s.Classes) != s.Outputs) {
		t.Fatalf("n = %d, c = %d with %d labels and %d classes", n, s.Outputs, len(s.Labels), len(s.Classes))
	}
	for _, values := range [][]float32{s.X, s.Y} {
		for i, v := range values {
			if !(math.Abs(float64(v)) <= math.MaxFloat32) {
				t.Fatalf("value %d is %v", i, v)
			}
		}
	}
}

// lyingNPZ is an archive of n inputs and labels, by its headers and its directory,
// whose deflate streams end in an invalid block.
func lyingNPZ(order string, n int) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, shape := range map[string]string{"x.npy": fmt.Sprintf("(%d, 1)", n), "y.npy": fmt.Sprintf("(%d,)", n)} {
		head := npyBytes(1, "{'descr': '|u1', 'fortran_order': "+order+", 'shape': "+shape+"}\n", nil, nil)
		var packed bytes.Buffer
		stream, _ := flate.NewWriter(&packed, flate.BestSpeed)
		stream.Write(head)
		stream.Flush()
		packed.Write(bytes.Repeat([]byte{7}, n>>10)) // 7: an invalid block
		f, _ := w.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(len(head) + n)})
		f.Write(packed.Bytes())
	}
	w.Close()
	return b.Bytes()
}

// A header of a few bytes may promise 2³⁰ elements; it gets nothing for it.
func TestLyingHeadersAllocateLittle(t *testing.T) {
	idx := append([]byte{0, 0, 8, 1, 0x40, 0, 0, 0}, make([]byte, 92)...)
	if used := fuzztest.Allocated(func() { ReadIDX(bytes.NewReader(idx), "lie") }); used > allocBase {
		t.Errorf("IDX of %d bytes allocates %d", len(idx), used)
	}
	npz := buildNPZ(member{key: "x", descr: "<f4", shape: "(1073741824, 1)", data: []float32{1}},
		member{key: "y", descr: "<i8", shape: "(1,)", data: []int64{0}})
	if used := fuzztest.Allocated(func() { parseNPZ(npz) }); used > allocBase {
		t.Errorf("npz of %d bytes allocates %d", len(npz), used)
	}
	// Sizes that agree with each other, and deflate streams that do not keep to them.
	for _, order := range []string{"False", "True"} {
		lie := lyingNPZ(order, 400_000_000)
		var err error
		if used := fuzztest.Allocated(func() { _, err = parseNPZ(lie) }); used > 16<<20 {
			t.Errorf("npz of %d bytes allocates %d", len(lie), used)
		}
		wantError(t, err, ErrMalformed, "damaged compressed data")
	}
	packed := gzipped(make([]byte, 64<<20)) // zeros are no IDX file: nothing is unpacked for it
	if used := fuzztest.Allocated(func() { ReadIDX(bytes.NewReader(packed), "bomb") }); used > allocBase {
		t.Errorf("gzip of %d bytes allocates %d", len(packed), used)
	}
}
