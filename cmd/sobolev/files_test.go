package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sobolev/report"
	"sobolev/rundir"
)

// idxFile is an IDX file of unsigned bytes whose header promises the given
// dimensions.
func idxFile(dims []int, data []byte) []byte {
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func zipped(data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(data)
	w.Close()
	return buf.Bytes()
}

// objectArrayNPZ is what np.savez writes for an array of Python objects.
func objectArrayNPZ() []byte {
	header := "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"
	header += strings.Repeat(" ", 118-len(header)-1) + "\n"
	npy := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	npy = append(append(npy, header...), "\x80\x04pickle"...)
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range []string{"x.npy", "y.npy"} {
		w, err := z.Create(name)
		if err != nil {
			panic(err)
		}
		w.Write(npy)
	}
	z.Close()
	return buf.Bytes()
}

// Damaged data files end with status 1 and a message that names the file, what
// is wrong and, where there is one, the way out.
func TestDamagedData(t *testing.T) {
	images, labels := idxFile([]int{2, 28, 28}, make([]byte, 2*784)), idxFile([]int{2}, []byte{0, 1})
	for _, c := range []struct {
		name  string
		files map[string][]byte
		want  []string
	}{
		{"truncated", map[string][]byte{"train-images-idx3-ubyte": images[:1000]}, []string{"train-images-idx3-ubyte", "byte"}},
		{"magic", map[string][]byte{"train-images-idx3-ubyte": append([]byte("\x89PNG"), images...)}, []string{"train-images-idx3-ubyte", "malformed"}},
		{"gzip garbage", map[string][]byte{"train-images-idx3-ubyte": append(zipped(images)[:40], "garbage"...)}, []string{"train-images-idx3-ubyte", "malformed"}},
		{"other data", map[string][]byte{}, []string{"train-images-idx3-ubyte: wrong checksum"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string][]byte{
				"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels,
				"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels,
			}
			for name, data := range c.files {
				files[name] = data
			}
			for name, data := range files {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			expectFailure(t, exitFailed, c.want, "run", "fmnist-lr", "--data-dir", dir, "-o", filepath.Join(dir, "out"))
		})
	}
	t.Run("object arrays", func(t *testing.T) {
		dir := t.TempDir()
		data := filepath.Join(dir, "objects.npz")
		if err := os.WriteFile(data, objectArrayNPZ(), 0o644); err != nil {
			t.Fatal(err)
		}
		config := filepath.Join(dir, "objects.yaml")
		text := fmt.Sprintf("dataset: {name: %q}\nsgd: {iterations: 10}\ngrid: {learning_rate: [0.1], batch_size: [1]}\n", data)
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		expectFailure(t, exitFailed, []string{"objects.npz", "dtype=object"}, "run", config, "-o", filepath.Join(dir, "out"))
	})
}

// cifarBatches writes a folder in CIFAR-10's binary format with two images a file.
func cifarBatches(t *testing.T, change map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	folder := filepath.Join(dir, "cifar-10-batches-bin")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	two := make([]byte, 2*3073)
	two[3073] = 1
	for _, name := range []string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"} {
		data := two
		if c, ok := change[name]; ok {
			data = c
		}
		if err := os.WriteFile(filepath.Join(folder, name+".bin"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What is wrong with CIFAR-10's files, or with a list of layers for its images, is
// said with the file and the record, or the key, the layer and the shapes.
func TestDamagedCIFAR(t *testing.T) {
	label := make([]byte, 2*3073)
	label[3073] = 10
	for _, c := range []struct {
		name   string
		change map[string][]byte
		set    []string
		status int
		want   []string
	}{
		{"truncated record", map[string][]byte{"data_batch_3": make([]byte, 3073+100)}, nil, exitFailed, []string{"data_batch_3.bin", "record 1", "3073"}},
		{"label", map[string][]byte{"test_batch": label}, nil, exitFailed, []string{"test_batch.bin", "record 1 has label 10, want 0 to 9"}},
		{"empty", map[string][]byte{"data_batch_1": {}}, nil, exitFailed, []string{"data_batch_1.bin"}},
		{"too few", nil, nil, exitUsage, []string{"1000", "class"}},
		{"layers", nil, []string{"dataset.per_class=0", "model.layers=[conv: {out: 4, kernel: 3}, relu, maxpool: 31, flatten, linear: 2]"}, exitUsage,
			[]string{"model.layers: layer 2 (maxpool) on inputs of shape [4, 30, 30]: the window of 31×31 is larger than the image"}},
		{"outputs", nil, []string{"dataset.per_class=0", "model.layers=[flatten, linear: 3]"}, exitUsage, []string{"model.layers[1]", "the data have 2 outputs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := cifarBatches(t, c.change)
			args := []string{"run", "cifar-lr", "--data-dir", dir, "-o", filepath.Join(dir, "out")}
			for _, set := range c.set {
				args = append(args, "--set", set)
			}
			expectFailure(t, c.status, c.want, args...)
			if _, err := os.Stat(filepath.Join(dir, "out")); !os.IsNotExist(err) {
				t.Errorf("left behind: %v", err)
			}
		})
	}
	t.Run("wrong archive", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "cifar-10-binary.tar.gz"), zipped([]byte("not a tar archive")), 0o644); err != nil {
			t.Fatal(err)
		}
		expectFailure(t, exitFailed, []string{"cifar-10-binary.tar.gz"}, "run", "cifar-lr", "--data-dir", dir, "-o", filepath.Join(dir, "out"))
	})
}

// expectFailure runs the program and compares its exit status and message.
func expectFailure(t *testing.T, status int, want []string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := run(args, &stdout, &stderr); got != status {
		t.Errorf("exit status %d, want %d; stderr: %s", got, status, &stderr)
	}
	for _, w := range want {
		if !strings.Contains(stderr.String(), w) {
			t.Errorf("stderr does not contain %q: %s", w, &stderr)
		}
	}
	if stdout.Len() > 0 {
		t.Errorf("stdout: %s", &stdout)
	}
}

// A folder that cannot be written is an error before any training. Root may
// write everywhere but into a file system that is read-only, such as /proc.
func TestReadOnlyOutput(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "readonly")
	if err := os.Mkdir(parent, 0o555); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(parent, "run")
	if syscall.Geteuid() == 0 {
		out = "/proc/self/run"
	}
	expectFailure(t, exitFailed, []string{out, "choose another with -o"}, "run", "quickstart", "-o", out)
}

// The effect that the program is about, on a reduced quickstart: real images,
// equal training loss, seven learning rates.
func TestQuickstartShowsTheEffect(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var stdout, stderr bytes.Buffer
	status := run([]string{"run", "quickstart", "-o", dir, "--quiet", "--set", "dataset.per_class=40",
		"--set", "model.hidden=[50, 50]", "--set", "repetitions=3"}, &stdout, &stderr)
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, &stderr)
	}
	r := buildReport(t, dir)
	for _, want := range []struct {
		x, y string
		sign float64
	}{{"η", "g_W (k=1)", -1}, {"η", "g_x (k=1)", -1}, {"g_W (k=1)", "g_x (k=1)", 1}} {
		found := false
		for _, c := range r.Correlations {
			if c.X == want.x && c.Y == want.y && c.Method == "Spearman" {
				found = true
				if !(want.sign*c.Lower > 0 && want.sign*c.Upper > 0) {
					t.Errorf("Spearman's correlation of %s and %s: %.3f, interval [%.3f, %.3f]; want the sign of %v", c.X, c.Y, c.Value, c.Lower, c.Upper, want.sign)
				}
			}
		}
		if !found {
			t.Errorf("no correlation of %s and %s", want.x, want.y)
		}
	}
}

func buildReport(t *testing.T, path string) *report.Report {
	t.Helper()
	dir, err := rundir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
