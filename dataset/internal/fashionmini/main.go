// Command fashionmini writes the part of FashionMNIST that package dataset
// embeds: the first 1,000 training and test images of each of the classes 0 to
// 4, in the order of the original files, as gzip-packed IDX under the original
// names. The source is the full set in a data folder; its content is verified.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"sobolev/dataset"
)

const (
	classes  = 5
	perClass = 1000
)

func main() {
	out := flag.String("o", "fashionmnist", "folder to write to")
	dir := flag.String("data-dir", "", "folder of the full set (default: where the program looks for it)")
	flag.Parse()
	if err := run(*dir, *out); err != nil {
		fmt.Fprintln(os.Stderr, "fashionmini:", err)
		os.Exit(1)
	}
}

func run(dir, out string) error {
	files, err := generate(dir)
	if err != nil {
		return err
	}
	for _, x := range files {
		var packed bytes.Buffer
		zw, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := x.WriteTo(zw); err != nil {
			return err
		}
		if err := zw.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, x.Name), packed.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the four arrays of the subset: training images and labels,
// test images and labels. Their names are those of the files.
func generate(dir string) ([]*dataset.IDX, error) {
	entry, err := dataset.Lookup("fashion-mnist")
	if err != nil {
		return nil, err
	}
	paths, err := dataset.Locate(entry, dir)
	if err != nil {
		return nil, err
	}
	var subset []*dataset.IDX
	for i, path := range paths {
		if err := entry.Files[i].Verify(context.Background(), path); err != nil {
			return nil, err
		}
	}
	for i := 0; i < len(paths); i += 2 {
		images, err := readFile(paths[i])
		if err != nil {
			return nil, err
		}
		labels, err := readFile(paths[i+1])
		if err != nil {
			return nil, err
		}
		firstImages, firstLabels := firstOfEach(images, labels)
		firstImages.Name, firstLabels.Name = entry.Files[i].Name, entry.Files[i+1].Name
		subset = append(subset, firstImages, firstLabels)
	}
	return subset, nil
}

func readFile(path string) (*dataset.IDX, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return dataset.ReadIDX(f, path)
}

// firstOfEach keeps the first perClass samples of each class below classes.
func firstOfEach(images, labels *dataset.IDX) (x, y *dataset.IDX) {
	size := len(images.Data) / images.Dims[0]
	x = &dataset.IDX{Dims: []int{0, images.Dims[1], images.Dims[2]}}
	y = &dataset.IDX{Dims: []int{0}}
	var taken [classes]int
	for i, label := range labels.Data {
		if label >= classes || taken[label] == perClass {
			continue
		}
		taken[label]++
		x.Data = append(x.Data, images.Data[i*size:(i+1)*size]...)
		y.Data = append(y.Data, label)
	}
	x.Dims[0], y.Dims[0] = len(y.Data), len(y.Data)
	return x, y
}
