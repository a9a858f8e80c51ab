package safetensors

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
)

// MaxHeader is the longest header that is read, the limit of the format's own
// reader.
const MaxHeader = 100_000_000

// ReadFile reads the file at path.
func ReadFile(path string) (*File, error) {
	// Before it is opened: to open a pipe that nobody writes to is to wait for ever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return Read(r, info.Size(), path)
}

// Read reads a file of size bytes from r; name is for errors. The tensors' Data
// share one buffer.
func Read(r io.ReaderAt, size int64, name string) (*File, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	entries, metadata, err := parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	start := 8 + int64(len(header))
	if err := checkLayout(entries, uint64(size-start)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	data := make([]byte, size-start)
	if err := readAt(r, data, start); err != nil {
		return nil, fmt.Errorf("%s: data section: %w", name, err)
	}
	f := &File{Metadata: metadata, Tensors: make([]Tensor, len(entries))}
	for i, e := range entries {
		f.Tensors[i] = Tensor{Name: e.name, DType: e.dtype, Shape: e.shape, Data: data[e.begin:e.end:e.end]}
	}
	return f, nil
}

// readHeader returns the JSON header, whose length is checked against the file
// before it is allocated.
func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < 8 {
		return nil, fmt.Errorf("%d bytes are too few for the header's length, which takes 8: %w", size, ErrMalformed)
	}
	var prefix [8]byte
	if err := readAt(r, prefix[:], 0); err != nil {
		return nil, fmt.Errorf("header length: %w", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > uint64(size-8) {
		return nil, fmt.Errorf("header of %d bytes announced, %d bytes follow: truncated, or not a safetensors file: %w", length, size-8, ErrMalformed)
	}
	if length > MaxHeader {
		return nil, fmt.Errorf("header of %d bytes announced, the format allows %d: %w", length, MaxHeader, ErrMalformed)
	}
	header := make([]byte, length)
	if err := readAt(r, header, 8); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return header, nil
}

func readAt(r io.ReaderAt, b []byte, offset int64) error {
	if len(b) == 0 {
		return nil
	}
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return fmt.Errorf("ends after %d of %d bytes: %w", n, len(b), ErrMalformed)
	}
	return err
}

// checkLayout sorts the entries by offset and requires that each has the size
// of its shape and that together they cover the data section exactly once.
func checkLayout(entries []entry, section uint64) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	covered := uint64(0)
	for _, e := range entries {
		if err := e.check(section); err != nil {
			return fmt.Errorf("tensor %.80q: %w", e.name, err)
		}
		if e.begin < covered {
			return fmt.Errorf("tensor %.80q: begins at byte %d, inside the tensor that ends at %d: %w", e.name, e.begin, covered, ErrMalformed)
		}
		if e.begin > covered {
			return fmt.Errorf("tensor %.80q: begins at byte %d, and no tensor has the bytes from %d: %w", e.name, e.begin, covered, ErrMalformed)
		}
		covered = e.end
	}
	if covered != section {
		return fmt.Errorf("%d bytes after the last tensor, which ends at byte %d of %d: %w", section-covered, covered, section, ErrMalformed)
	}
	return nil
}

func (e entry) check(section uint64) error {
	if e.begin > e.end {
		return fmt.Errorf("data_offsets [%d,%d] decrease: %w", e.begin, e.end, ErrMalformed)
	}
	if e.end > section {
		return fmt.Errorf("data_offsets [%d,%d] reach beyond the data section of %d bytes: %w", e.begin, e.end, section, ErrMalformed)
	}
	want, err := byteSize(e.dtype, e.shape)
	if err != nil {
		return err
	}
	if e.end-e.begin != want {
		return fmt.Errorf("data_offsets [%d,%d] hold %d bytes, %s of shape %s needs %d: %w", e.begin, e.end, e.end-e.begin, e.dtype, brief(e.shape), want, ErrMalformed)
	}
	return nil
}
