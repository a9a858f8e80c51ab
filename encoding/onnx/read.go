package onnx

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// MaxFile is the length of the longest file that is read: the limit of protocol
// buffers. Larger models keep their weights in external data.
const MaxFile = 1<<31 - 1

// ReadFile reads the model at path, with external data from its directory and
// the directories below.
func ReadFile(path string) (*Model, error) {
	b, err := readRegular(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return read(b, path, &externalData{root: root, known: map[region][]byte{}, total: map[string]uint64{}})
}

func readRegular(path string) ([]byte, error) {
	// Before it is opened: to open a pipe that nobody writes to is to wait for ever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case info.Size() > MaxFile:
		return nil, fmt.Errorf("%s: %d bytes, the format allows %d: %w", path, info.Size(), MaxFile, ErrMalformed)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, info.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// Read reads a model without external data from b; name is for errors. The
// tensors' Data may share b.
func Read(b []byte, name string) (*Model, error) { return read(b, name, nil) }

func read(b []byte, name string, external *externalData) (*Model, error) {
	d := decoder{external}
	m, err := d.model(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.File = name
	return m, nil
}
