package onnx

import (
	"fmt"
	"os"
	"path/filepath"
)

// externalData reads weights from files beside a model. An os.Root confines the
// paths, symbolic links included, to the model's directory.
type externalData struct {
	root  *os.Root
	known map[region][]byte
	total map[string]uint64 // bytes taken from each file
}

// region is a part of a file.
type region struct {
	path           string
	offset, length uint64
}

// read returns the bytes of a region, whose size is checked against the file
// first. Two regions of a file must not overlap, or a short file could claim
// any amount of memory; the same region twice is one buffer.
func (e *externalData) read(r region) ([]byte, error) {
	if b, ok := e.known[r]; ok {
		return b, nil
	}
	if !filepath.IsLocal(r.path) {
		return nil, fmt.Errorf("external data: the path %.80q does not stay in the model's directory: %w", r.path, ErrMalformed)
	}
	info, err := e.root.Stat(r.path)
	if err != nil {
		return nil, fmt.Errorf("external data: %w", err)
	}
	size := uint64(info.Size())
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("external data: %.80q is not a regular file: %w", r.path, ErrMalformed)
	case r.offset > size || r.length > size-r.offset:
		return nil, fmt.Errorf("external data: %d bytes at offset %d of %.80q, which has %d: %w", r.length, r.offset, r.path, size, ErrMalformed)
	case r.length > size-e.total[r.path]:
		return nil, fmt.Errorf("external data: %.80q has %d bytes, fewer than its tensors together: %w", r.path, size, ErrMalformed)
	}
	f, err := e.root.Open(r.path)
	if err != nil {
		return nil, fmt.Errorf("external data: %w", err)
	}
	defer f.Close()
	e.total[r.path] += r.length
	b := make([]byte, r.length)
	if _, err := f.ReadAt(b, int64(r.offset)); err != nil {
		return nil, fmt.Errorf("external data: %.80q: %w", r.path, err)
	}
	e.known[r] = b
	return b, nil
}
