package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"sobolev/internal/fuzztest"
	"sobolev/internal/needs"
)

// fakeBatch is a file of the binary version: random pixels with the given labels.
func fakeBatch(seed uint64, labels ...byte) []byte {
	rng := rand.New(rand.NewPCG(seed, 10))
	var b []byte
	for _, label := range labels {
		b = append(b, label)
		for range cifarPixels {
			b = append(b, byte(rng.Uint32()))
		}
	}
	return b
}

// fakeCIFAR is the six files: batch k has k+1 records of each class, in an order
// that differs from file to file.
func fakeCIFAR() [][]byte {
	files := make([][]byte, len(cifarBatches))
	for k := range files {
		var labels []byte
		for i := range 10 * (k + 1) {
			labels = append(labels, byte((7*i+k)%10))
		}
		files[k] = fakeBatch(uint64(k), labels...)
	}
	return files
}

// writeBatches puts the files into a folder; nil is left out.
func writeBatches(t *testing.T, folder string, files [][]byte) {
	t.Helper()
	for k, data := range files {
		if data != nil {
			write(t, filepath.Join(folder, cifarBatches[k]), data)
		}
	}
}

func loadCIFARFrom(t *testing.T, dir string, r Request) (train, test *Set) {
	t.Helper()
	r.Name, r.DataDir = "cifar-10", dir
	return mustLoad(t, r)
}

// The bytes of a file become inputs by the definition of the format.
func TestCIFARLayout(t *testing.T) {
	files, dir := fakeCIFAR(), t.TempDir()
	writeBatches(t, filepath.Join(dir, "cifar-10-batches-bin"), files)
	train, test := loadCIFARFrom(t, dir, Request{Preprocessing: Preprocessing{Mean: []float64{0.4, 0.5, 0.6}, Std: []float64{0.25, 0.5, 1}}})
	if train.Len() != 10*(1+2+3+4+5) || test.Len() != 10*6 || train.Inputs() != 3072 || train.Outputs != 10 {
		t.Fatalf("n = %d and %d, d = %d, c = %d", train.Len(), test.Len(), train.Inputs(), train.Outputs)
	}
	if !slices.Equal(train.Shape, []int{3, 32, 32}) || train.Classes[0] != "airplane" || train.Classes[9] != "truck" {
		t.Errorf("shape %v, classes %v", train.Shape, train.Classes)
	}
	if got := train.Preprocessing.String(); got != "(x/255 - [0.4, 0.5, 0.6])/[0.25, 0.5, 1]" {
		t.Errorf("preprocessing %q", got)
	}
	for part, s := range map[string]*Set{"training": train, "test": test} {
		stream := bytes.Join(files[:5], nil)
		if part == "test" {
			stream = files[5]
		}
		seen := make([]bool, s.Len())
		for i, k := range s.Index {
			record := stream[k*3073 : (k+1)*3073]
			if seen[k] || s.Labels[i] != int(record[0]) || s.Target(i)[record[0]] != 1 {
				t.Fatalf("%s sample %d: label %d, the file has %d", part, i, s.Labels[i], record[0])
			}
			seen[k] = true
			for _, at := range []struct{ ch, row, col int }{{0, 0, 0}, {0, 0, 31}, {0, 31, 0}, {1, 2, 3}, {2, 31, 31}} {
				j := at.ch*1024 + at.row*32 + at.col
				want := float32((float64(record[1+j])/255 - []float64{0.4, 0.5, 0.6}[at.ch]) / []float64{0.25, 0.5, 1}[at.ch])
				if got := s.Input(i)[j]; got != want {
					t.Fatalf("%s sample %d at %v: %v, want %v", part, i, at, got, want)
				}
			}
		}
	}
}

// Keeping only the requested classes while reading changes no draw.
func TestCIFARSubsets(t *testing.T) {
	dir := t.TempDir()
	writeBatches(t, dir, fakeCIFAR())
	whole, wholeTest := loadCIFARFrom(t, dir, Request{})
	for _, draw := range []string{DrawFirst, DrawSeed} {
		r := Request{Classes: []int{8, 3}, PerClass: 6, TestPerClass: 2, Draw: draw, Seed: 5}
		train, test := loadCIFARFrom(t, dir, r)
		for _, pair := range []struct{ part, of *Set }{{train, whole}, {test, wholeTest}} {
			rule := drawRule{part: trainPart, classes: r.Classes, perClass: 6, draw: draw, seed: 5}
			if pair.part == test {
				rule.part, rule.perClass = testPart, 2
			}
			// The draw from all labels, in file order.
			labels := make([]int, pair.of.Len())
			at := make([]int, pair.of.Len())
			for i, k := range pair.of.Index {
				labels[k], at[k] = pair.of.Labels[i], i
			}
			if want := indices(t, rule, labels); !slices.Equal(pair.part.Index, want) {
				t.Errorf("%s: positions %v, want %v", draw, pair.part.Index, want)
			}
			for i, k := range pair.part.Index {
				if !slices.Equal(pair.part.Input(i), pair.of.Input(at[k])) || r.Classes[pair.part.Labels[i]] != labels[k] {
					t.Fatalf("%s: sample %d is not record %d", draw, i, k)
				}
			}
		}
		if !slices.Equal(train.Classes, []string{"ship", "cat"}) || train.Outputs != 2 {
			t.Errorf("classes %v", train.Classes)
		}
	}
	_, _, err := Load(context.Background(), Request{Name: "cifar-10", DataDir: dir, Classes: []int{2}, PerClass: 16})
	wantRequestError(t, err, "per_class", "class 2 (bird)", "15 training samples", "16")
	_, _, err = Load(context.Background(), Request{Name: "cifar-10", DataDir: dir, Classes: []int{10}})
	wantRequestError(t, err, "classes", "no class 10", "0 to 9")
	_, _, err = Load(context.Background(), Request{Name: "cifar-10", DataDir: dir, Preprocessing: Preprocessing{Mean: []float64{1, 2}}})
	wantRequestError(t, err, "preprocess.mean", "give 1 or 3")
}

// A folder, an archive and an archive in another order hold the same set.
func TestCIFARForms(t *testing.T) {
	files := fakeCIFAR()
	packed := gzipped(tarred(cifarMembers(files)...))
	shuffled := cifarMembers(files)
	slices.Reverse(shuffled)
	shuffled = append([]tarMember{{name: "cifar-10-batches-bin/batches.meta.txt", content: []byte("airplane\n")}}, shuffled...)
	folder, archive, other := t.TempDir(), filepath.Join(t.TempDir(), cifarArchive), filepath.Join(t.TempDir(), "cifar-10-binary-mine.tar.gz")
	writeBatches(t, folder, files)
	write(t, archive, packed)
	write(t, other, gzipped(tarred(shuffled...)))

	wantTrain, wantTest := loadCIFARFrom(t, folder, Request{})
	whole := sha256.Sum256(bytes.Join(files, nil))
	if got, want := wantTrain.Source, (Source{Path: folder, SHA256: hex.EncodeToString(whole[:])}); got != want {
		t.Errorf("folder: source %+v, want %+v", got, want)
	}
	for _, dir := range []string{archive, filepath.Dir(archive), other} {
		train, test := loadCIFARFrom(t, dir, Request{})
		for _, pair := range [][2]*Set{{train, wantTrain}, {test, wantTest}} {
			got, want := pair[0], pair[1]
			if !slices.Equal(got.X, want.X) || !slices.Equal(got.Y, want.Y) || !slices.Equal(got.Index, want.Index) {
				t.Errorf("%s: another set of %d samples than in the folder", dir, got.Len())
			}
		}
		if dir == other {
			continue
		}
		sum := sha256.Sum256(packed)
		if got, want := test.Source, (Source{Path: archive, SHA256: hex.EncodeToString(sum[:])}); got != want {
			t.Errorf("archive: source %+v, want %+v", got, want)
		}
	}
}

func TestSourceString(t *testing.T) {
	for want, s := range map[string]Source{
		"":                                      {},
		"the published data (SHA-256 verified)": {Path: "/a", SHA256: "12", Published: true},
		"SHA-256 12, not shown to be the published data": {Path: "/a", SHA256: "12"},
	} {
		if got := s.String(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
	mini, _ := mustLoad(t, Request{Name: "fashion-mnist-mini", PerClass: 1, TestPerClass: 1})
	if mini.Source != (Source{}) {
		t.Errorf("embedded: %+v", mini.Source)
	}
}

func TestReadBatchErrors(t *testing.T) {
	good := fakeBatch(1, 0, 9, 4)
	wrong := slices.Clone(good)
	wrong[2*3073] = 10
	for _, c := range []struct {
		name  string
		data  []byte
		kind  error
		parts []string
	}{
		{"empty", nil, ErrMalformed, []string{"byte 0", "empty", "3073"}},
		{"one byte", good[:1], ErrMalformed, []string{"byte 1", "record 0", "after 1 of its 3073"}},
		{"truncated", good[:2*3073+100], ErrMalformed, []string{"byte 6246", "record 2", "after 100 of its 3073"}},
		{"one byte too many", append(slices.Clone(good), 0), ErrMalformed, []string{"byte 9220", "record 3", "after 1 of"}},
		{"label 10", wrong, ErrMalformed, []string{"byte 6146", "record 2", "label 10", "0 to 9"}},
		{"page", bytes.Repeat([]byte("<html>"), 1000), ErrMalformed, []string{"byte 0", "record 0", "label 60"}},
		{"too many records", make([]byte, 10001*3073), ErrUnsupported, []string{"byte 30730000", "10000 records"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readBatch(bytes.NewReader(c.data), "batch.bin", keptLabels{})
			wantError(t, err, c.kind, append(c.parts, "batch.bin")...)
		})
	}
	b, err := readBatch(bytes.NewReader(make([]byte, 10000*3073)), "full", keptLabels{})
	if err != nil || b.records != 10000 || len(b.pixels) != 0 {
		t.Errorf("%d records, %d kept, %v", b.records, len(b.pixels), err)
	}
}

func TestCIFARFolderErrors(t *testing.T) {
	files := fakeCIFAR()
	files[3] = files[3][:len(files[3])-1]
	dir := t.TempDir()
	writeBatches(t, filepath.Join(dir, "cifar-10", cifarFolder), files)
	_, _, err := Load(context.Background(), Request{Name: "cifar-10", DataDir: dir})
	wantError(t, err, ErrMalformed, filepath.Join(dir, "cifar-10", cifarFolder, "data_batch_4.bin"), "record 39", "after 3072 of")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err = Load(ctx, Request{Name: "cifar-10", DataDir: dir})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrMalformed) {
		t.Errorf("cancelled: %v", err)
	}
}

// One class of ten costs the memory of one: its pixels, rounded up to a block.
func TestReadBatchMemory(t *testing.T) {
	data := make([]byte, 4000*cifarRecord)
	for i := range 4000 {
		data[i*cifarRecord] = byte(i % 10)
	}
	used := fuzztest.Allocated(func() { readBatch(bytes.NewReader(data), "x", keepOnly([]int{7})) })
	if limit := (400+cifarBlock)*cifarPixels + 256<<10; used > limit {
		t.Errorf("400 images allocate %d bytes, want at most %d", used, limit)
	}
}

// Real images, from the folder that SOBOLEV_DATA names: smooth in both
// directions of a plane, which any other layout of the bytes would not be, and
// with the sky's blue in class 0.
func TestRealCIFAR(t *testing.T) {
	const perClass = 1000
	train, test := loadOrSkip(t, Request{Name: "cifar-10", Classes: []int{0, 1}, PerClass: perClass, TestPerClass: perClass, Draw: DrawFirst})
	for _, s := range []*Set{train, test} {
		if s.Len() != 2*perClass || s.Outputs != 2 || s.Inputs() != 3072 || !slices.Equal(s.Classes, []string{"airplane", "automobile"}) {
			t.Fatalf("n = %d, d = %d, classes %v", s.Len(), s.Inputs(), s.Classes)
		}
		if lo, hi := slices.Min(s.X), slices.Max(s.X); lo != 0 || hi != 1 {
			t.Errorf("inputs from %v to %v", lo, hi)
		}
		var mean [2][3]float64
		for i, label := range s.Labels {
			for j, v := range s.Input(i) {
				mean[label][j/1024] += float64(v) / (perClass * 1024)
			}
		}
		t.Logf("means of R, G, B: %.4f; %v", mean, s.Source)
		if !(mean[0][2] > mean[0][1] && mean[0][1] > mean[0][0] && mean[1][0] > mean[1][2]) {
			t.Errorf("means of R, G, B by class: %v; want blue airplanes and red automobiles", mean)
		}
		for _, c := range []struct {
			what string
			lag  int
			want float64
		}{{"right", 1, 0.9}, {"lower", 32, 0.9}, {"same, of the next channel", 1024, 0.85}} {
			if r := correlation(s, c.lag); !(r > c.want) {
				t.Errorf("pixels and their %s neighbours correlate by %.3f, want more than %v", c.what, r, c.want)
			}
		}
	}
}

// correlation is that of pixels with those lag further on, over all of a set.
func correlation(s *Set, lag int) float64 {
	var n, x, y, xx, yy, xy float64
	for i := range s.Len() {
		in := s.Input(i)
		for j := 0; j+lag < len(in); j++ {
			if lag == 1 && j%32 == 31 || lag < 1024 && j/1024 != (j+lag)/1024 {
				continue
			}
			a, b := float64(in[j]), float64(in[j+lag])
			n, x, y, xx, yy, xy = n+1, x+a, y+b, xx+a*a, yy+b*b, xy+a*b
		}
	}
	cov := func(ab, a, b float64) float64 { return ab/n - a/n*b/n }
	return cov(xy, x, y) / math.Sqrt(cov(xx, x, x)*cov(yy, y, y))
}

func BenchmarkLoadCIFAR(b *testing.B) {
	r := Request{Name: "cifar-10", Classes: []int{0, 1}, PerClass: 1000}
	if _, _, err := Load(b.Context(), r); err != nil {
		needs.Missing(b, "cifar-10", err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Load(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
