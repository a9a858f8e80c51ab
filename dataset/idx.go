package dataset

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// IDX is the content of a file in the format of the MNIST family: an array of
// unsigned bytes with a small header.
type IDX struct {
	Name string // of the file, for messages
	Dims []int  // first dimension: samples
	Data []uint8
}

const (
	idxUnsignedByte = 0x08
	maxIDXDims      = 4
	maxElements     = 1 << 30 // cap on one array: 1 Gi elements
)

// idxTypes are the element types of the format.
var idxTypes = map[byte]string{
	idxUnsignedByte: "unsigned byte", 0x09: "signed byte", 0x0B: "int16",
	0x0C: "int32", 0x0D: "float32", 0x0E: "float64",
}

// ReadIDX reads an IDX file of unsigned bytes, gzip-packed or plain (told apart
// by the first two bytes, not by the name). name is used in messages only.
//
// The array must end where the stream ends. Element types other than unsigned
// byte, more than 4 dimensions and more than 2³⁰ elements are [ErrUnsupported];
// everything else that is not an IDX file is [ErrMalformed], with the byte
// offset in the unpacked content. A header that promises more than follows
// costs no more memory than what follows.
func ReadIDX(r io.Reader, name string) (*IDX, error) {
	return readIDX(context.Background(), r, name, nil, math.MaxInt64)
}

// readIDX is ReadIDX with a context, with a writer (or nil) that is shown the
// unpacked content, and with a limit of the values to become inputs.
func readIDX(ctx context.Context, r io.Reader, name string, sum io.Writer, memory int64) (*IDX, error) {
	src, err := unpacked(ctxReader{ctx, r}, name)
	if err != nil {
		return nil, err
	}
	if sum != nil {
		src = io.TeeReader(src, sum)
	}
	in := &idxReader{r: src, name: name}
	dims, total, err := in.header()
	if err != nil {
		return nil, err
	}
	if err := fits(name, int(total), memory); err != nil {
		return nil, err
	}
	data, err := in.body(total)
	if err != nil {
		return nil, err
	}
	return &IDX{Name: name, Dims: dims, Data: data}, nil
}

// unpacked returns r, or its unpacked content if it starts like a gzip file.
func unpacked(r io.Reader, name string) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, err := buffered.Peek(2)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil
	}
	zr, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, readError(err, name, 0, "gzip header")
	}
	return zr, nil
}

// readError sorts the failure of a read: content that ends too early or cannot
// be unpacked is the file's fault, the rest is the system's (or ctx's).
func readError(err error, name string, offset int64, what string) error {
	var corrupt flate.CorruptInputError
	var known *FormatError
	switch {
	case errors.As(err, &known): // by a reader further down, with the name and the place
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed(name, offset, "the file ends inside the %s", what)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, zip.ErrChecksum):
		return malformed(name, offset, "the checksum is wrong: the file is damaged")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, zip.ErrFormat):
		return malformed(name, offset, "no valid compressed data in the %s", what)
	case errors.As(err, &corrupt):
		return malformed(name, offset, "damaged compressed data in the %s: %v", what, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// idxReader counts what it has read.
type idxReader struct {
	r      io.Reader
	name   string
	offset int64
}

func (in *idxReader) full(buf []byte, what string) error {
	n, err := io.ReadFull(in.r, buf)
	in.offset += int64(n)
	if err != nil {
		return readError(err, in.name, in.offset, what)
	}
	return nil
}

// header reads the magic number and the dimensions.
func (in *idxReader) header() (dims []int, total int64, err error) {
	var word [4]byte
	if err := in.full(word[:], "magic number"); err != nil {
		return nil, 0, err
	}
	typeName, known := idxTypes[word[2]]
	if word[0] != 0 || word[1] != 0 || !known || word[3] == 0 {
		return nil, 0, malformed(in.name, 0, "starts with % x, want 00 00 08 and the number of dimensions: not an IDX file", word)
	}
	if word[2] != idxUnsignedByte {
		return nil, 0, unsupported(in.name, 2, "elements of type %s (0x%02x); only unsigned byte (0x08) is read", typeName, word[2])
	}
	if word[3] > maxIDXDims {
		return nil, 0, unsupported(in.name, 3, "%d dimensions; at most %d are read", word[3], maxIDXDims)
	}
	total = 1
	for i := range int(word[3]) {
		at := in.offset
		if err := in.full(word[:], "dimensions"); err != nil {
			return nil, 0, err
		}
		size := int64(binary.BigEndian.Uint32(word[:]))
		if size == 0 {
			return nil, 0, malformed(in.name, at, "dimension %d is 0", i)
		}
		if size > maxElements/total {
			return nil, 0, unsupported(in.name, at, "dimension %d of %d makes more than 2^30 elements", i, size)
		}
		total *= size
		dims = append(dims, int(size))
	}
	return dims, total, nil
}

// body reads exactly total bytes and the end of the stream. The buffer doubles
// as the bytes come in, so that only a file's real content is paid for.
func (in *idxReader) body(total int64) ([]uint8, error) {
	start := in.offset
	data := make([]uint8, 0, min(total, 1<<20))
	for int64(len(data)) < total {
		if len(data) == cap(data) {
			grown := make([]uint8, len(data), min(total, 2*int64(len(data))))
			copy(grown, data)
			data = grown
		}
		n, err := in.r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		in.offset += int64(n)
		if err == io.EOF && int64(len(data)) < total {
			return nil, malformed(in.name, in.offset, "the file ends after %d of %d elements", in.offset-start, total)
		}
		if err != nil && err != io.EOF {
			return nil, readError(err, in.name, in.offset, "elements")
		}
	}
	// Reading on also makes gzip check its sum.
	var extra [1]byte
	switch _, err := io.ReadFull(in.r, extra[:]); {
	case err == nil:
		return nil, malformed(in.name, in.offset, "more bytes follow after all %d elements", total)
	case err != io.EOF:
		return nil, readError(err, in.name, in.offset, "end of the gzip data")
	}
	return data, nil
}

func (x *IDX) headerSize() int64 { return 4 + 4*int64(len(x.Dims)) }

// WriteTo writes the plain IDX form of x; pack the writer to get a .gz file.
func (x *IDX) WriteTo(w io.Writer) (int64, error) {
	head := []byte{0, 0, idxUnsignedByte, byte(len(x.Dims))}
	for _, size := range x.Dims {
		head = binary.BigEndian.AppendUint32(head, uint32(size))
	}
	n, err := w.Write(head)
	if err != nil {
		return int64(n), err
	}
	m, err := w.Write(x.Data)
	return int64(n) + int64(m), err
}

// ctxReader fails with the context's error once that is done.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
