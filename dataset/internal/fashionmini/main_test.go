package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sobolev/dataset"
	"sobolev/internal/needs"
)

// What is embedded is what the generator makes of the full set.
func TestEmbeddedIsGenerated(t *testing.T) {
	files, err := generate("")
	if errors.Is(err, dataset.ErrMissing) {
		needs.Missing(t, "fashion-mnist", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range files {
		packed, err := os.ReadFile(filepath.Join("..", "..", "fashionmnist", x.Name))
		if err != nil {
			t.Fatal(err)
		}
		zr, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		// The unpacked bytes: packing may change with the Go version.
		got, err := io.ReadAll(zr)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if _, err := x.WriteTo(&want); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s differs from what go generate makes", x.Name)
		}
	}
}

func TestFirstOfEach(t *testing.T) {
	labels := &dataset.IDX{Dims: []int{0}}
	images := &dataset.IDX{Dims: []int{0, 1, 2}}
	for i := range 3 * perClass {
		label := byte(i % 2 * 7) // classes 0 and 7
		labels.Data = append(labels.Data, label)
		images.Data = append(images.Data, label, byte(i/2))
	}
	labels.Dims[0], images.Dims[0] = len(labels.Data), len(labels.Data)
	x, y := firstOfEach(images, labels)
	if !slices.Equal(x.Dims, []int{perClass, 1, 2}) || !slices.Equal(y.Data, make([]byte, perClass)) {
		t.Fatalf("dimensions %v, labels %v…", x.Dims, y.Data[:10])
	}
	for i := range perClass {
		if x.Data[2*i] != 0 || x.Data[2*i+1] != byte(i) {
			t.Fatalf("image %d is %v", i, x.Data[2*i:2*i+2])
		}
	}
}
