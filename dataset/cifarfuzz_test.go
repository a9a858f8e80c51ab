package dataset

import (
	"bytes"
	"compress/gzip"
	"slices"
	"testing"

	"sobolev/internal/fuzztest"
)

// checkBatch checks what every batch promises, against the bytes if they are known.
func checkBatch(t *testing.T, b batch, keep keptLabels, data []byte) {
	t.Helper()
	if b.records < 1 || len(b.pixels) != len(b.labels) || len(b.pixels) != len(b.index) || !slices.IsSorted(b.index) {
		t.Fatalf("%d records: %d images, %d labels, %d positions", b.records, len(b.pixels), len(b.labels), len(b.index))
	}
	for i, k := range b.index {
		if k < 0 || k >= b.records || b.labels[i] < 0 || b.labels[i] > 9 || !keep[b.labels[i]] || len(b.pixels[i]) != cifarPixels {
			t.Fatalf("image %d: record %d of %d, label %d, %d pixels", i, k, b.records, b.labels[i], len(b.pixels[i]))
		}
		if data != nil {
			record := data[k*cifarRecord : (k+1)*cifarRecord]
			if int(record[0]) != b.labels[i] || !bytes.Equal(record[1:], b.pixels[i]) {
				t.Fatalf("image %d is not record %d", i, k)
			}
		}
	}
}

func FuzzReadBatch(f *testing.F) {
	good := fakeBatch(1, 3, 0, 9)
	for _, seed := range [][]byte{nil, good, good[:cifarRecord], good[:cifarRecord+1], good[:len(good)-1], {10}, append(bytes.Clone(good), 10), fakeBatch(2, 3, 10)} {
		f.Add(seed, uint16(0x3ff))
		f.Add(seed, uint16(8))
	}
	fuzztest.Run(f, func(t *testing.T, data []byte, kept uint16) {
		var keep keptLabels
		for i := range keep {
			keep[i] = kept>>i&1 == 1
		}
		var b batch
		var err error
		used := fuzztest.Allocated(func() { b, err = readBatch(bytes.NewReader(data), "fuzz", keep) })
		if limit := allocBase + 2*len(data); used > limit {
			t.Fatalf("%d bytes of input allocate %d", len(data), used)
		}
		checkFuzzError(t, err)
		if err == nil {
			checkBatch(t, b, keep, data)
			if b.records*cifarRecord != len(data) {
				t.Fatalf("%d records of %d bytes", b.records, len(data))
			}
		}
	})
}

// fuzzArchive reads a packed archive and checks all that holds for any input.
// unpacked is the number of bytes that it may honestly cost.
func fuzzArchive(t *testing.T, packed []byte, unpacked int) {
	t.Helper()
	var batches []batch
	var err error
	used := fuzztest.Allocated(func() { batches, err = parseArchive(packed) })
	// Names and records of tar headers are read, parsed, joined and kept.
	if limit := allocBase + 8*unpacked; used > limit {
		t.Fatalf("%d bytes, unpacked %d, allocate %d", len(packed), unpacked, used)
	}
	checkFuzzError(t, err)
	if err != nil {
		return
	}
	if len(batches) != len(cifarBatches) {
		t.Fatalf("%d batches", len(batches))
	}
	for _, b := range batches {
		checkBatch(t, b, keepOnly(ramp(10)), nil)
	}
}

// FuzzReadArchive starts with the packed bytes.
func FuzzReadArchive(f *testing.F) {
	good := gzipped(tarred(smallMembers()...))
	for _, seed := range [][]byte{nil, good, good[:len(good)/2], good[:len(good)-4], gzipped(nil), gzipped([]byte("text")), append(good, good...), good[:10]} {
		f.Add(seed)
	}
	fuzztest.Run(f, func(t *testing.T, packed []byte) { fuzzArchive(t, packed, allocRatio*len(packed)) })
}

// FuzzReadTar starts with the unpacked bytes, which the fuzzer can hardly reach
// through gzip, and with headers whose checksums are right if fix says so.
func FuzzReadTar(f *testing.F) {
	good := smallMembers()
	link := slices.Clone(good)
	link[2] = tarMember{name: "cifar-10-batches-bin/data_batch_2.bin", kind: '1', link: "x"}
	long := tarMember{name: "cifar-10-batches-bin/" + string(bytes.Repeat([]byte("long/"), 60)) + "data_batch_1.bin"}
	for _, seed := range [][]byte{
		nil, tarred(good...), tarred(good[:4]...), tarred(link...), tarred(long), tarred(append(good, good[1])...),
		tarred(tarMember{name: "cifar-10-batches-py/data_batch_1"}), sparseTar("cifar-10-batches-bin/data_batch_3.bin"), make([]byte, 1024),
	} {
		f.Add(seed, true)
	}
	f.Add(tarred(good...), false)
	var b bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&b, gzip.NoCompression) // its tables are large
	fuzztest.Run(f, func(t *testing.T, raw []byte, fix bool) {
		raw = bytes.Clone(raw)
		if fix {
			fixTarSums(raw)
		}
		b.Reset()
		zw.Reset(&b)
		zw.Write(raw)
		zw.Close()
		fuzzArchive(t, b.Bytes(), len(raw))
	})
}
