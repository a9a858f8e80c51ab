package dataset

import (
	"context"
	"os"
	"path/filepath"
)

const (
	cifarName    = "cifar-10"
	cifarArchive = "cifar-10-binary.tar.gz"
	cifarFolder  = "cifar-10-batches-bin"
)

var cifarClasses = []string{
	"airplane", "automobile", "bird", "cat", "deer",
	"dog", "frog", "horse", "ship", "truck",
}

// cifarBatches are the files of the binary version in the order of the samples:
// five of training images, then the test images.
var cifarBatches = []string{
	"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
	"test_batch.bin",
}

const cifarTestBatch = 5 // position in cifarBatches

// cifarEntry: the sums of the unpacked batches were never published, so the
// archive is verified as it is. Its size and SHA-256 are those in the checksum
// lists of TensorFlow Datasets; its MD5 on the authors' page is
// c32a1d4ab5d03f1284b67883e8d87530.
func cifarEntry() Entry {
	const size = 170052171
	return Entry{
		Name:        cifarName,
		Description: "60,000 colour images 32×32 of animals and vehicles, 10 classes (Krizhevsky 2009)",
		Licence: "no formal licence; cite Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images; " +
			"may not be redistributed with the program",
		Shape:   []int{3, 32, 32},
		Classes: cifarClasses,
		Train:   50000,
		Test:    10000,
		Bytes:   size,
		Files: []File{{
			Name:   cifarArchive,
			URLs:   []string{"https://www.cs.toronto.edu/~kriz/" + cifarArchive},
			SHA256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
			Bytes:  size,
			Packed: true,
		}},
		find: findCIFAR,
		load: loadCIFAR,
	}
}

// loadCIFAR reads the archive or the folder of its batches. Reduced and
// re-packed copies are in use, so content is not refused for its checksum:
// Set.Source says what it was.
func loadCIFAR(ctx context.Context, r Request) (train, test *Set, err error) {
	entry := cifarEntry()
	src := imageSource{name: entry.Name, shape: entry.Shape, classes: entry.Classes}
	if _, err := r.Preprocessing.resolve(1./255, entry.Shape); err != nil {
		return nil, nil, err
	}
	classes, err := r.classList(len(entry.Classes), entry.Name)
	if err != nil {
		return nil, nil, err
	}
	paths, err := Locate(entry, r.DataDir)
	if err != nil {
		return nil, nil, err
	}
	batches, sum, err := readCIFAR(ctx, paths[0], keepOnly(classes))
	if err != nil {
		return nil, nil, err
	}
	src.source = Source{Path: paths[0], SHA256: sum, Published: sum == entry.Files[0].SHA256}
	src.train = joinBatches(batches[:cifarTestBatch])
	src.test = joinBatches(batches[cifarTestBatch:])
	return src.load(ctx, r)
}

// readCIFAR reads the six batches from an archive or a folder, and the SHA-256
// that [Source] describes.
func readCIFAR(ctx context.Context, path string, keep keptLabels) (batches []batch, sum string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if info.IsDir() {
		return readBatchFolder(ctx, path, keep)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	return readBatchArchive(ctx, file, path, keep)
}

// joinBatches makes one part of the set of its batches.
func joinBatches(batches []batch) images {
	var all images
	start := 0
	for _, b := range batches {
		all.pixels = append(all.pixels, b.pixels...)
		all.labels = append(all.labels, b.labels...)
		for _, k := range b.index {
			all.index = append(all.index, start+k)
		}
		start += b.records
	}
	return all
}

// batchesIn returns which of the six batches are in a folder and which not.
func batchesIn(folder string) (there, missing []string, err error) {
	for _, name := range cifarBatches {
		path, err := firstFile(filepath.Join(folder, name))
		if err != nil {
			return nil, nil, err
		}
		if path == "" {
			missing = append(missing, name)
		} else {
			there = append(there, name)
		}
	}
	return there, missing, nil
}
