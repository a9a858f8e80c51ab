package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMini(t *testing.T) {
	train, test := mustLoad(t, Request{Name: "fashion-mnist-mini"})
	for _, s := range []*Set{train, test} {
		if s.Len() != 5000 || s.Inputs() != 784 || s.Outputs != 5 {
			t.Fatalf("n = %d, d = %d, c = %d, want 5000, 784, 5", s.Len(), s.Inputs(), s.Outputs)
		}
		if !slices.Equal(s.Shape, []int{1, 28, 28}) {
			t.Errorf("shape %v", s.Shape)
		}
		if got := s.Preprocessing.String(); got != "x/255" {
			t.Errorf("preprocessing %q", got)
		}
		if !slices.Equal(s.Classes, fashionClasses[:5]) {
			t.Errorf("classes %v", s.Classes)
		}
		if !slices.IsSorted(s.Labels) {
			t.Error("not sorted by class")
		}
		if !slices.Equal(s.Labels, oneHotLabels(s.Y, s.Outputs)) {
			t.Error("targets are not the one-hot labels")
		}
		if lo, hi := slices.Min(s.X), slices.Max(s.X); lo != 0 || hi != 1 {
			t.Errorf("inputs from %v to %v, want 0 to 1", lo, hi)
		}
	}
}

// The embedded content is fixed, whether or not the full set is at hand.
func TestMiniChecksums(t *testing.T) {
	want := map[string]string{
		"t10k-images-idx3-ubyte.gz":  "63814c9ad6cad151f526a78b980375d0c1a83368ce47d46788eaf3822a8dcbb8",
		"t10k-labels-idx1-ubyte.gz":  "9d9ab00a16839ee5c80117ecc26ecafd000b1082111ccfb2728fae277298543a",
		"train-images-idx3-ubyte.gz": "f361ae052f37013bbfc4a6dee1c1bb6177faaa0a39fc834fe39363b12a504280",
		"train-labels-idx1-ubyte.gz": "b488ce2011cb29d53e54212a3aec202175632bea968b12ccc90e71375a54b693",
	}
	for name, sum := range want {
		packed, err := embedded.ReadFile("fashionmnist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if len(packed) > 6e6 {
			t.Errorf("%s has %d bytes", name, len(packed))
		}
		zr, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		if _, err := io.Copy(h, zr); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != sum {
			t.Errorf("%s: SHA-256 %s, want %s", name, got, sum)
		}
	}
}

func TestLicence(t *testing.T) {
	for _, part := range []string{"Zalando SE", "Permission is hereby granted", "WITHOUT WARRANTY"} {
		if !strings.Contains(Licence(), part) {
			t.Errorf("the licence text lacks %q", part)
		}
	}
}

func TestFullFashion(t *testing.T) {
	train, test := loadOrSkip(t, Request{Name: "fashion-mnist"})
	if train.Len() != 60000 || test.Len() != 10000 || train.Outputs != 10 {
		t.Fatalf("%d and %d samples, %d classes", train.Len(), test.Len(), train.Outputs)
	}
	// The known mean and standard deviation of the training pixels.
	var sum, squares float64
	for _, v := range train.X {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(train.X))
	mean := sum / n
	if d := mean - 0.2860; !(d*d < 1e-8) {
		t.Errorf("mean %v, want 0.2860", mean)
	}
	if d := squares/n - mean*mean - 0.3530*0.3530; !(d*d < 1e-8) {
		t.Errorf("variance %v, want 0.3530²", squares/n-mean*mean)
	}

	// The embedded subset is the first 1,000 of each of the first five classes.
	mini, miniTest := mustLoad(t, Request{Name: "fashion-mnist-mini"})
	for _, pair := range [][2]*Set{{train, mini}, {test, miniTest}} {
		full, part := pair[0], pair[1]
		inClass := full.Len() / 10
		for i := range part.Len() {
			if j := i/1000*inClass + i%1000; !slices.Equal(part.Input(i), full.Input(j)) || part.Labels[i] != full.Labels[j] {
				t.Fatalf("sample %d is not sample %d of the full set", i, j)
			}
		}
	}
}

// A set is the selected samples of the whole, whatever the draw.
func TestDrawnSamples(t *testing.T) {
	whole, _ := mustLoad(t, Request{Name: "fashion-mnist-mini"})
	byFile := map[int]int{} // position in the file → in whole
	for i, k := range whole.Index {
		byFile[k] = i
	}
	got, _ := mustLoad(t, Request{Name: "fashion-mnist-mini", Classes: []int{3, 1}, PerClass: 20, Seed: 7})
	if got.Len() != 40 || got.Outputs != 2 || !slices.Equal(got.Classes, []string{"Dress", "Trouser"}) {
		t.Fatalf("n = %d, c = %d, %v", got.Len(), got.Outputs, got.Classes)
	}
	for i, k := range got.Index {
		j := byFile[k]
		if !slices.Equal(got.Input(i), whole.Input(j)) {
			t.Fatalf("input %d is not that of the file", i)
		}
		if want := []int{3, 1}[got.Labels[i]]; whole.Labels[j] != want {
			t.Errorf("sample %d: class %d, want %d", i, whole.Labels[j], want)
		}
		if got.Target(i)[got.Labels[i]] != 1 {
			t.Errorf("target %d is %v", i, got.Target(i))
		}
	}
	if i := got.Labels; !slices.IsSorted(i) || !slices.IsSorted(got.Index[:20]) || !slices.IsSorted(got.Index[20:]) {
		t.Error("not sorted by (class order, file order)")
	}
}

func TestLoadIsPure(t *testing.T) {
	for _, name := range []string{"fashion-mnist-mini", "function-1d", "sphere", "subspaces"} {
		r := Request{Name: name, Seed: 3}
		if name == "fashion-mnist-mini" {
			r.PerClass, r.TestPerClass = 5, 5
		}
		a, aTest := mustLoad(t, r)
		b, bTest := mustLoad(t, r)
		if d := cmp.Diff([]*Set{a, aTest}, []*Set{b, bTest}); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRequestErrors(t *testing.T) {
	mini := "fashion-mnist-mini"
	for _, c := range []struct {
		r     Request
		key   string
		parts []string
	}{
		{Request{Name: "mnist"}, "name", []string{`"mnist"`, "fashion-mnist-mini", ".npz"}},
		{Request{Name: mini, Classes: []int{0, 5}}, "classes", []string{"no class 5", "0 to 4"}},
		{Request{Name: mini, Classes: []int{-1}}, "classes", nil},
		{Request{Name: mini, Classes: []int{2, 2}}, "classes", []string{"class 2", "twice"}},
		{Request{Name: mini, PerClass: 1001}, "per_class", []string{"class 0 (T-shirt/top)", "1000 training", "1001"}},
		{Request{Name: mini, TestPerClass: 1001}, "test_per_class", []string{"1000 test", "1001"}},
		{Request{Name: mini, PerClass: -1}, "per_class", nil},
		{Request{Name: mini, TestPerClass: -1}, "test_per_class", nil},
		{Request{Name: mini, Draw: "random"}, "draw", []string{`"random"`, `"seed"`, `"first"`}},
		{Request{Name: mini, Synthetic: Synthetic{Dim: 3}}, "synthetic", nil},
		{Request{Name: mini, Preprocessing: Preprocessing{Mean: []float64{1, 2}}}, "preprocess.mean", []string{"2 values"}},
		{Request{Name: mini, Preprocessing: Preprocessing{Std: []float64{0}}}, "preprocess.std", nil},
		{Request{Name: "function-1d", PerClass: 5}, "per_class", nil},
		{Request{Name: "function-1d", Classes: []int{0}}, "classes", nil},
		{Request{Name: "sphere", Synthetic: Synthetic{Dim: -1}}, "synthetic.dim", nil},
		{Request{Name: "sphere", Synthetic: Synthetic{Dim: 1 << 24, Train: 1 << 24}}, "synthetic", nil},
		{Request{Name: "subspaces", Synthetic: Synthetic{Dim: 3, SubspaceDim: 4}}, "synthetic.subspace_dim", nil},
		{Request{Name: "sphere", Preprocessing: Preprocessing{Scale: 1e38, Std: []float64{1e-30}}}, "preprocess", nil},
	} {
		_, _, err := Load(context.Background(), c.r)
		wantRequestError(t, err, c.key, c.parts...)
	}
}

func TestMissingNamesTheWaysOut(t *testing.T) {
	_, _, err := Load(context.Background(), Request{Name: "fashion-mnist", DataDir: t.TempDir()})
	wantError(t, err, ErrMissing, "sobolev data fetch fashion-mnist", "apt install dataset-fashion-mnist", "--data-dir", "fashion-mnist-mini")

	// Part of the files: say which are missing. A file where a folder should
	// be is "not there", not a failure.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "t10k-labels-idx1-ubyte"), nil)
	write(t, filepath.Join(dir, "fashion-mnist"), nil)
	_, _, err = Load(context.Background(), Request{Name: "fashion-mnist", DataDir: dir})
	wantError(t, err, ErrMissing, "lacks train-images-idx3-ubyte.gz")
}

// MNIST's files have the same names and shapes.
func TestOtherContentIsRefused(t *testing.T) {
	dir := t.TempDir()
	for _, f := range fashionFiles() {
		x := &IDX{Dims: []int{2}, Data: []uint8{0, 1}}
		if strings.Contains(f.Name, "images") {
			x = &IDX{Dims: []int{2, 28, 28}, Data: make([]uint8, 2*784)}
		}
		write(t, filepath.Join(dir, "fashion-mnist", f.Name), encodeIDX(x))
	}
	_, _, err := Load(context.Background(), Request{Name: "fashion-mnist", DataDir: dir})
	wantError(t, err, ErrChecksum, "train-images-idx3-ubyte.gz", "SHA-256")
}

func TestDataDirs(t *testing.T) {
	env, home := t.TempDir(), t.TempDir()
	t.Setenv(EnvDataDir, env)
	// Every system's variable for the cache folder.
	for _, key := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(key, home)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	e := Entry{Name: "some", system: filepath.Join(home, "system")}
	if got := DataDirs("given", e); !slices.Equal(got, []string{"given"}) {
		t.Errorf("explicit: %v", got)
	}
	if got, want := DataDirs("", e), []string{env, filepath.Join(cache, "sobolev"), e.system}; !slices.Equal(got, want) {
		t.Errorf("default: %v, want %v", got, want)
	}
	e.system = ""
	if got, want := DataDirs("", e), []string{env, filepath.Join(cache, "sobolev")}; !slices.Equal(got, want) {
		t.Errorf("without a system folder: %v, want %v", got, want)
	}
	if dir, err := DefaultDir(); err != nil || dir != env {
		t.Errorf("DefaultDir = %q, %v", dir, err)
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := Load(ctx, Request{Name: "fashion-mnist-mini"})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrMalformed) {
		t.Errorf("error %v", err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func encodeIDX(x *IDX) []byte {
	var b bytes.Buffer
	x.WriteTo(&b)
	return b.Bytes()
}
