package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

const (
	fashionName     = "fashion-mnist"
	fashionMiniName = "fashion-mnist-mini"
	fashionLicence  = "MIT, © 2017 Zalando SE"

	// The embedded subset: the first miniPerClass images of the classes below
	// miniClasses, training and test.
	miniClasses  = 5
	miniPerClass = 1000
)

var fashionClasses = []string{
	"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
	"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
}

func fashionShape() []int { return []int{1, 28, 28} }

// Where FashionMNIST is published: its authors' bucket, Keras' copy, and the
// authors' repository. The content is verified, so the order is only a matter
// of who should carry the load.
var fashionMirrors = []string{
	"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
	"https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
	"https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
}

// fashionFiles: the order (training images and labels, test images and labels)
// is relied on by loadFashion. Bytes are the sizes of the authors' .gz files.
// Debian's are the same compressed data without the name and time in the gzip
// header; the sums of the unpacked content hold for both.
func fashionFiles() []File {
	files := []File{
		{Name: "train-images-idx3-ubyte.gz", Bytes: 26421880, Raw: 47040016,
			SHA256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
		{Name: "train-labels-idx1-ubyte.gz", Bytes: 29515, Raw: 60008,
			SHA256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
		{Name: "t10k-images-idx3-ubyte.gz", Bytes: 4422102, Raw: 7840016,
			SHA256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
		{Name: "t10k-labels-idx1-ubyte.gz", Bytes: 5148, Raw: 10008,
			SHA256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
	}
	for i := range files {
		for _, base := range fashionMirrors {
			files[i].URLs = append(files[i].URLs, base+files[i].Name)
		}
	}
	return files
}

func fashionFull() Entry {
	e := Entry{
		Name:        fashionName,
		Description: "70,000 grey images 28×28 of clothing, 10 classes (Xiao, Rasul, Vollgraf 2017)",
		Licence:     fashionLicence,
		Shape:       fashionShape(),
		Classes:     fashionClasses,
		Train:       60000,
		Test:        10000,
		Files:       fashionFiles(),
		Debian:      "dataset-fashion-mnist",
		system:      "/usr/share/datasets/fashion-mnist",
		load:        loadFashion,
	}
	for _, f := range e.Files {
		e.Bytes += f.Bytes
	}
	return e
}

func fashionMini() Entry {
	return Entry{
		Name:        fashionMiniName,
		Description: "embedded part of fashion-mnist: classes 0 to 4, the first 1,000 training and 1,000 test images of each",
		Licence:     fashionLicence,
		Shape:       fashionShape(),
		Classes:     fashionClasses[:miniClasses],
		Train:       miniClasses * miniPerClass,
		Test:        miniClasses * miniPerClass,
		load:        loadFashionMini,
	}
}

// loadFashion reads the full set from a data folder. It never falls back to
// the embedded subset: by seed, that would be another sample under the same name.
func loadFashion(ctx context.Context, r Request) (train, test *Set, err error) {
	entry := fashionFull()
	paths, err := Locate(entry, r.DataDir)
	if err != nil {
		return nil, nil, err
	}
	var idx [4]*IDX
	for i, path := range paths {
		if idx[i], err = readPublished(ctx, path, entry.Files[i]); err != nil {
			return nil, nil, err
		}
	}
	// readPublished has compared the content.
	return loadIDX(ctx, r, entry, idx, Source{Path: filepath.Dir(paths[0]), Published: true})
}

// readPublished reads an IDX file and compares its content with the published one.
func readPublished(ctx context.Context, path string, want File) (*IDX, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := sha256.New()
	x, err := readIDX(ctx, file, path, sum, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return nil, fmt.Errorf("%s: %w: the unpacked content has SHA-256 %s, want %s (other data sets use the same file names)",
			path, ErrChecksum, got, want.SHA256)
	}
	return x, nil
}

//go:generate go run ./internal/fashionmini -o fashionmnist
//go:embed fashionmnist
var embedded embed.FS

func loadFashionMini(ctx context.Context, r Request) (train, test *Set, err error) {
	entry := fashionMini()
	var idx [4]*IDX
	for i, f := range fashionFiles() {
		name := "fashionmnist/" + f.Name
		data, err := embedded.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		if idx[i], err = readIDX(ctx, bytes.NewReader(data), name, nil, math.MaxInt64); err != nil {
			return nil, nil, err
		}
	}
	return loadIDX(ctx, r, entry, idx, Source{})
}

// loadIDX draws from training images and labels, test images and labels.
func loadIDX(ctx context.Context, r Request, e Entry, idx [4]*IDX, from Source) (train, test *Set, err error) {
	src := imageSource{name: e.Name, shape: e.Shape, classes: e.Classes, source: from}
	if src.train, err = joinIDX(idx[0], idx[1], e.Shape, len(e.Classes)); err != nil {
		return nil, nil, err
	}
	if src.test, err = joinIDX(idx[2], idx[3], e.Shape, len(e.Classes)); err != nil {
		return nil, nil, err
	}
	return src.load(ctx, r)
}

// Licence returns the licence text of the embedded data.
func Licence() string {
	text, err := embedded.ReadFile("fashionmnist/LICENSE")
	if err != nil {
		return fashionLicence
	}
	return strings.TrimSpace(string(text)) + "\n"
}
