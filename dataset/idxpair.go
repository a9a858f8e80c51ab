package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the files of the MNIST family: images and labels of one part differ in
// these words.
const (
	idxImages = "images-idx3-ubyte"
	idxLabels = "labels-idx1-ubyte"
)

// IsIDXImages says whether a path has the name of a file of images of the MNIST
// family, such as train-images-idx3-ubyte.gz.
func IsIDXImages(path string) bool { return strings.Contains(filepath.Base(path), idxImages) }

// LoadIDX returns the images of the IDX file that r.Name is the path of, with the
// labels of the file beside it that has the name of labels, packed (.gz) or not:
// train-labels-idx1-ubyte for train-images-idx3-ubyte. The part t10k in the same
// folder is the test set of the part train; test is nil where there is none.
// Images are of one channel and any size, and classes are 0 to the largest label of
// the training set, some of which may have no sample. The content may be that of any data set.
func LoadIDX(ctx context.Context, r Request) (train, test *Set, err error) {
	if err := r.check(); err != nil {
		return nil, nil, err
	}
	sum := sha256.New()
	pictures, labels, err := readPair(ctx, r.Name, sum, r.memory())
	if err != nil {
		return nil, nil, err
	}
	if len(pictures.Dims) != 3 {
		return nil, nil, malformed(pictures.Name, 4, "dimensions %v, want [n height width]", pictures.Dims)
	}
	src := imageSource{name: filepath.Base(r.Name), shape: []int{1, pictures.Dims[1], pictures.Dims[2]}}
	src.classes = numberNames(int(slices.Max(labels.Data)) + 1)
	src.gaps = len(r.Classes) == 0 // the numbers of a foreign set need not be without gaps
	src.source = Source{Path: r.Name, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if src.train, err = joinIDX(pictures, labels, src.shape, len(src.classes)); err != nil {
		return nil, nil, err
	}
	path, err := testImages(r.Name)
	if err != nil {
		return nil, nil, err
	}
	if src.trainOnly = path == ""; !src.trainOnly {
		if pictures, labels, err = readPair(ctx, path, io.Discard, r.memory()); err != nil {
			return nil, nil, err
		}
		if src.test, err = joinIDX(pictures, labels, src.shape, len(src.classes)); err != nil {
			return nil, nil, err
		}
	}
	return src.load(ctx, r)
}

// testImages returns the file of test images that belongs to one of training images,
// or "".
func testImages(path string) (string, error) {
	folder, name := filepath.Split(path)
	rest, ok := strings.CutPrefix(name, "train-")
	if !ok {
		return "", nil
	}
	return packedOrNot(filepath.Join(folder, "t10k-"+rest))
}

// readPair reads a file of images and that of their labels.
func readPair(ctx context.Context, path string, sum io.Writer, memory int64) (pictures, labels *IDX, err error) {
	folder, name := filepath.Split(path)
	other := filepath.Join(folder, strings.Replace(name, idxImages, idxLabels, 1))
	beside, err := packedOrNot(other)
	if err != nil {
		return nil, nil, err
	}
	if beside == "" {
		beside = other // for the error
	}
	var pair [2]*IDX
	for i, p := range []string{path, beside} {
		file, _, err := openRegular(p)
		if err != nil {
			return nil, nil, err
		}
		pair[i], err = readIDX(ctx, file, p, sum, memory)
		file.Close()
		if err != nil {
			return nil, nil, err
		}
	}
	return pair[0], pair[1], nil
}

// packedOrNot returns which of path with and without .gz is a file, or "".
func packedOrNot(path string) (string, error) {
	plain := strings.TrimSuffix(path, ".gz")
	return firstFile(path, plain, plain+".gz")
}
