package dataset

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
)

const (
	cifarPixels = 3 * 32 * 32     // planes R, G, B, each row by row
	cifarRecord = 1 + cifarPixels // a label, then the pixels

	// Files with fewer records are read, for subsets in the official layout are
	// in use. The cap keeps a file that unpacks without end from taking more
	// memory than the real data set.
	cifarMaxRecords = 10000

	// Pixels are kept in blocks of this many images: nothing is reserved for
	// what a header promises, and nothing is copied as more comes in.
	cifarBlock = 64
)

// batch is one file of the binary version: its kept images.
type batch struct {
	records int       // in the file
	pixels  [][]uint8 // kept images × 3072
	labels  []int     // of the kept images
	index   []int     // of the kept images: position in the file, from 0
}

// keptLabels says for each label whether its images are kept: a subset of two
// classes should cost the memory of two.
type keptLabels [10]bool

func keepOnly(classes []int) (keep keptLabels) {
	for _, class := range classes {
		keep[class] = true
	}
	return keep
}

// readBatch reads one file of the binary version: records of a label byte, 0 to
// 9, and 3072 pixel bytes, up to the end of r.
//
// A record that is cut off, another label and a file without records are
// [ErrMalformed], with the record (counted from 0) and the byte in the file;
// more than 10,000 records are [ErrUnsupported].
func readBatch(r io.Reader, name string, keep keptLabels) (batch, error) {
	var b batch
	var block []uint8
	var record [cifarRecord]byte
	for {
		start := int64(b.records) * cifarRecord
		n, err := io.ReadFull(r, record[:])
		switch {
		case err == io.EOF && b.records == 0:
			return b, malformed(name, 0, "the file is empty; want records of %d bytes", cifarRecord)
		case err == io.EOF:
			return b, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return b, malformed(name, start+int64(n), "the file ends inside record %d, after %d of its %d bytes", b.records, n, cifarRecord)
		case err != nil:
			return b, readError(err, name, start+int64(n), "records")
		case record[0] > 9:
			return b, malformed(name, start, "record %d has label %d, want 0 to 9", b.records, record[0])
		case b.records == cifarMaxRecords:
			return b, unsupported(name, start, "more than the %d records of the official file", cifarMaxRecords)
		}
		if keep[record[0]] {
			if len(block) == cap(block) {
				block = make([]uint8, 0, cifarBlock*cifarPixels)
			}
			at := len(block)
			block = append(block, record[1:]...)
			b.pixels = append(b.pixels, block[at:len(block):len(block)])
			b.labels = append(b.labels, int(record[0]))
			b.index = append(b.index, b.records)
		}
		b.records++
	}
}

// readBatchFolder reads the six files of a folder. sum is the SHA-256 of their
// contents one after the other.
func readBatchFolder(ctx context.Context, folder string, keep keptLabels) (batches []batch, sum string, err error) {
	all := sha256.New()
	for _, name := range cifarBatches {
		b, err := readBatchFile(ctx, filepath.Join(folder, name), keep, all)
		if err != nil {
			return nil, "", err
		}
		batches = append(batches, b)
	}
	return batches, hex.EncodeToString(all.Sum(nil)), nil
}

// readBatchFile reads one file and shows its content to sum.
func readBatchFile(ctx context.Context, path string, keep keptLabels, sum io.Writer) (batch, error) {
	file, err := os.Open(path)
	if err != nil {
		return batch{}, err
	}
	defer file.Close()
	return readBatch(bufio.NewReaderSize(io.TeeReader(ctxReader{ctx, file}, sum), 256<<10), path, keep)
}
