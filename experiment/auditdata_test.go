package experiment

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sobolev/dataset"
	"sobolev/nn"
)

// The classes behind a name, which may hold colons itself.
func TestSplitClasses(t *testing.T) {
	for data, want := range map[string]struct {
		name    string
		classes []int
	}{
		"fashion-mnist": {"fashion-mnist", nil}, "fashion-mnist:6": {"fashion-mnist", []int{6}}, "cifar-10:3,0,9": {"cifar-10", []int{3, 0, 9}},
		`C:\data\x.npz`: {`C:\data\x.npz`, nil}, "a:b:1,2": {"a:b", []int{1, 2}}, "x:1,": {"x:1,", nil}, "x:9999999999": {"x:9999999999", nil}, ":1": {":1", nil},
	} {
		if name, classes := splitClasses(data); name != want.name || !slices.Equal(classes, want.classes) {
			t.Errorf("%s: %q %v", data, name, classes)
		}
	}
}

// The same images from an npz file, from IDX files and from CIFAR-10's batches, by
// file or by folder, are the same audit.
func TestAuditOfDataForms(t *testing.T) {
	const n, d = 4, 3 * 32 * 32
	rng := rand.New(rand.NewPCG(1, 5))
	labels := []uint8{0, 0, 1, 1}
	pixels, scaled := make([]uint8, n*d), make([]float32, n*d)
	for i := range pixels {
		pixels[i] = uint8(rng.Uint32())
		scaled[i] = float32(float64(pixels[i]) / 255)
	}
	net, err := nn.New[float64](nn.FNN(d, nil, 2, nn.Identity))
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(nn.XavierInit, rng)
	want := AuditOptions{Model: writeTensors(t, net.Tensors()), LearningRate: 1e-4, BatchSize: 2,
		Data: writeNPZ(t, map[string]array{"x": {[]int{n, d}, scaled}, "y": {[]int{n}, []int64{0, 0, 1, 1}}})}

	folder := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("train-images-idx3-ubyte", encodeIDX(t, &dataset.IDX{Dims: []int{n, 32, 96}, Data: pixels}))
	write("train-labels-idx1-ubyte", encodeIDX(t, &dataset.IDX{Dims: []int{n}, Data: labels}))
	cifar := filepath.Join(folder, "cifar-10-batches-bin")
	if err := os.Mkdir(cifar, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		write("cifar-10-batches-bin/data_batch_"+string(rune('1'+i))+".bin", append([]byte{labels[i]}, pixels[i*d:(i+1)*d]...))
	}
	other := append([]byte{7}, pixels[:d]...) // of a class that is not asked for
	write("cifar-10-batches-bin/data_batch_5.bin", other)
	write("cifar-10-batches-bin/test_batch.bin", slices.Concat(append([]byte{0}, pixels[:d]...), append([]byte{1}, pixels[:d]...)))

	// Everything but the arrangement of the data, their hash and their source.
	moments := func(data string) string {
		o := want
		o.Data = data
		r := auditOf(t, o)
		if r.Data.Samples != n {
			t.Errorf("%s: %d samples", data, r.Data.Samples)
		}
		r.Data.SHA256, r.Data.Source, r.Convention.Preprocessing, r.MeasuredModel = "", "", "", ""
		r.Warnings, r.Bounds = nil, nil // a test set changes what is known
		return comparable(t, r)
	}
	first := moments(want.Data)
	for _, data := range []string{filepath.Join(folder, "train-images-idx3-ubyte"), folder, filepath.Join(folder, "train-images-idx3-ubyte") + ":0,1", cifar + ":0,1"} {
		if got := moments(data); got != first {
			t.Errorf("%s:\n%s\nfrom npz\n%s", data, got, first)
		}
	}
}

func encodeIDX(t *testing.T, x *dataset.IDX) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := x.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
