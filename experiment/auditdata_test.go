package experiment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// A set with n samples whose inputs are 0, 1, 2, ….
func counting(name string, n int, shape ...int) *dataset.Set {
	s := &dataset.Set{Name: name, Shape: shape, Outputs: 1, Y: make([]float32, n), X: make([]float32, n*product(shape))}
	for i := range s.X {
		s.X[i] = float32(i)
	}
	return s
}

// Inputs in the shape that the model's file declares are taken as they are, and so
// are those of one channel wherever it stands.
func TestAuditFitsInputs(t *testing.T) {
	for _, c := range []struct {
		declared, want, shape []int
		refused               bool
	}{
		{[]int{6, 6, 1}, []int{1, 6, 6}, []int{6, 6, 1}, false},
		{[]int{6, 6, 1}, []int{1, 6, 6}, []int{1, 6, 6}, false},
		{[]int{6, 6, 1}, []int{6, 6, 1}, []int{1, 6, 6}, false},
		{[]int{6, 6}, []int{1, 6, 6}, []int{6, 6, 1}, false},
		{[]int{4, 3, 2}, []int{2, 4, 3}, []int{4, 3, 2}, false},
		{nil, []int{1, 4, 3}, []int{4, 3, 1}, false},
		{nil, []int{1, 4, 3}, []int{3, 4, 1}, true},
		{nil, []int{2, 4, 3}, []int{4, 3, 2}, true},
	} {
		a := &audit{model: &auditedModel{architecture: nn.Architecture{Input: c.want}, declared: c.declared}}
		s := counting("x.npz", 2, c.shape...)
		x := slices.Clone(s.X)
		err := a.fitInputs(s)
		if (err != nil) != c.refused || err == nil && (!slices.Equal(s.Shape, c.want) || !slices.Equal(s.X, x)) {
			t.Errorf("%+v: shape %v, inputs %v, error %v", c, s.Shape, s.X, err)
		}
	}
}

// The channels of --normalize are those of the images, whatever their order in the
// file and in the model.
func TestAuditNormalisesChannels(t *testing.T) {
	want := counting("", 2, 2, 3, 5).X // [channels][height][width]
	for i := range want {
		want[i] = []float32{want[i] - 1, (want[i] - 2) / 4}[i/15%2]
	}
	last := counting("last.npz", 2, 3, 5, 2)
	for i := range last.X {
		sample, pixel, channel := i/30, i%30/2, i%2
		last.X[i] = float32(30*sample + 15*channel + pixel)
	}
	for _, c := range []struct {
		set  *dataset.Set
		last bool
	}{{counting("first.npz", 2, 2, 3, 5), false}, {counting("first.npz", 2, 2, 3, 5), true}, {last, true}} {
		a := &audit{AuditOptions: AuditOptions{Mean: []float64{1, 2}, Std: []float64{1, 4}},
			model: &auditedModel{architecture: nn.Architecture{Input: []int{2, 3, 5}, Layers: []nn.Layer{nn.Linear(1)}}, channelsLast: c.last}}
		if err := a.fit(c.set); err != nil || !slices.Equal(c.set.X, want) || c.set.Preprocessing.String() != "(x - [1, 2])/[1, 4]" {
			t.Errorf("%s, model channels-last %v: %v, want %v, as %v, error %v", c.set.Name, c.last, c.set.X, want, c.set.Preprocessing, err)
		}
	}
}

// Class labels become as wide as the outputs; targets never do.
func TestAuditFitsTargets(t *testing.T) {
	a := &audit{model: &auditedModel{architecture: nn.Architecture{Layers: []nn.Layer{nn.Linear(3)}}}}
	s := &dataset.Set{Outputs: 2, Labels: []int{0, 1}, Y: []float32{1, 0, 0, 1}}
	if err := a.fitTargets(s); err != nil || s.Outputs != 3 || !slices.Equal(s.Y, []float32{1, 0, 0, 0, 1, 0}) {
		t.Errorf("labels: %+v, error %v", s, err)
	}
	s = &dataset.Set{Outputs: 2, Labels: []int{0, 1}, Y: []float32{1, 0, 0, 1}, Rows: true}
	if err := a.fitTargets(s); err == nil || !strings.Contains(err.Error(), "y has 2 columns") {
		t.Errorf("one-hot rows: %+v, error %v", s, err)
	}
}

// Bytes are divided by 255 before --normalize; to ask for it again is warned of.
func TestAuditOfBytesDividedTwice(t *testing.T) {
	for _, c := range []struct {
		mean, std float64
		warned    bool
	}{{0, 255, true}, {72.9, 90, true}, {0.286, 0.353, false}, {0, 1, false}} {
		a := &audit{AuditOptions: AuditOptions{Data: "fashion-mnist-mini:0,1", Mean: []float64{c.mean}, Std: []float64{c.std}}, memory: 1 << 30}
		if err := a.loadData(t.Context()); err != nil || strings.Contains(fmt.Sprint(a.warnings), "divided by 255 before") != c.warned {
			t.Errorf("%+v: warnings %q, error %v", c, a.warnings, err)
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
