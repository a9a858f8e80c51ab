package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// Where the set is found, and what goes first.
func TestLocateCIFAR(t *testing.T) {
	whole := make([][]byte, len(cifarBatches))
	for k := range whole {
		whole[k] = []byte{}
	}
	part := append([][]byte{nil}, whole[1:]...)
	batches, python := "cifar-10-batches-bin", "cifar-10-python.tar.gz"
	for _, c := range []struct {
		name    string
		folders map[string][][]byte // with batches
		files   []string
		given   string // below the data folder
		want    string
	}{
		{"folder", map[string][][]byte{batches: whole}, nil, "", batches},
		{"folder in the subfolder", map[string][][]byte{"cifar-10/" + batches: whole}, nil, "", "cifar-10/" + batches},
		{"the folder itself", map[string][][]byte{batches: whole}, nil, batches, batches},
		{"a folder with another name", map[string][][]byte{"mine": whole}, nil, "mine", "mine"},
		{"official archive", nil, []string{cifarArchive}, "", cifarArchive},
		{"archive in the subfolder", nil, []string{"cifar-10/" + cifarArchive}, "", "cifar-10/" + cifarArchive},
		{"reduced archive", nil, []string{"cifar-10-binary-2class.tar.gz", python, "cifar-10-binary.tar.gz.part"}, "", "cifar-10-binary-2class.tar.gz"},
		{"official before reduced", nil, []string{"cifar-10-binary-2class.tar.gz", "cifar-10-binary-a.tar.gz", cifarArchive}, "", cifarArchive},
		{"the archive itself", nil, []string{"cifar-10-binary-2class.tar.gz", cifarArchive}, "cifar-10-binary-2class.tar.gz", "cifar-10-binary-2class.tar.gz"},
		{"an archive with any name", nil, []string{"pictures.tar.gz"}, "pictures.tar.gz", "pictures.tar.gz"},
		{"folder before archive", map[string][][]byte{batches: whole}, []string{cifarArchive}, "", batches},
		{"archive before part of a folder", map[string][][]byte{batches: part}, []string{cifarArchive}, "", cifarArchive},
		{"data folder before its subfolder", map[string][][]byte{"cifar-10/" + batches: whole}, []string{cifarArchive}, "", cifarArchive},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for folder, files := range c.folders {
				writeBatches(t, filepath.Join(dir, folder), files)
			}
			for _, file := range c.files {
				write(t, filepath.Join(dir, file), nil)
			}
			got, err := Locate(cifarEntry(), filepath.Join(dir, c.given))
			if want := filepath.Join(dir, c.want); err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("got %v, %v, want %s", got, err, want)
			}
		})
	}
}

func TestLocateCIFARErrors(t *testing.T) {
	locate := func(dir string) error {
		_, err := Locate(cifarEntry(), dir)
		return err
	}
	dir := t.TempDir()
	wantError(t, locate(dir), ErrMissing, dir+" was searched", "sobolev data fetch cifar-10", "--data-dir")
	wantError(t, locate(filepath.Join(dir, "none.tar.gz")), ErrMissing, "none.tar.gz was searched")

	write(t, filepath.Join(dir, "cifar-10-batches-py", "data_batch_1"), nil)
	write(t, filepath.Join(dir, "cifar-10"), nil)
	write(t, filepath.Join(dir, "notes.txt"), nil)
	wantError(t, locate(dir), ErrMissing, filepath.Join(dir, "cifar-10-batches-py")+" is the Python version, the binary version is needed")
	wantError(t, locate(filepath.Join(dir, "notes.txt")), ErrMissing, "notes.txt was searched")

	batches := filepath.Join(dir, cifarFolder)
	write(t, filepath.Join(batches, "readme.html"), nil)
	wantError(t, locate(dir), ErrMissing, batches+" lacks data_batch_1.bin, data_batch_2.bin", "test_batch.bin")
	writeBatches(t, batches, [][]byte{{}, {}, nil, {}, {}, nil})
	for _, given := range []string{dir, batches} {
		wantError(t, locate(given), ErrMissing, batches+" lacks data_batch_3.bin, test_batch.bin")
	}

	for _, name := range []string{"cifar-10-binary-b.tar.gz", "cifar-10-binary-a.tar.gz"} {
		write(t, filepath.Join(dir, name), nil)
	}
	wantError(t, locate(dir), nil, "cifar-10-binary-a.tar.gz, cifar-10-binary-b.tar.gz", cifarArchive, "--data-dir")
}

func TestCIFARFromEnvironment(t *testing.T) {
	env, cache := t.TempDir(), t.TempDir()
	t.Setenv(EnvDataDir, env)
	for _, key := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(key, cache)
	}
	packed := gzipped(tarred(cifarMembers(fakeCIFAR())...))
	user, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(user, "sobolev", "cifar-10", cifarArchive), filepath.Join(env, "cifar-10-binary-small.tar.gz")} {
		write(t, path, packed)
		train, _ := mustLoad(t, Request{Name: "cifar-10", Classes: []int{2}})
		if train.Source.Path != path {
			t.Errorf("read %s, want %s", train.Source.Path, path)
		}
	}
}

// cifarOrigin is a server of a small archive, and the entry to fetch it by.
func cifarOrigin(t *testing.T) (*origin, Entry) {
	t.Helper()
	packed := gzipped(tarred(smallMembers()...))
	sum := sha256.Sum256(packed)
	o := serve(t, packed, File{Name: cifarArchive, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(packed)), Packed: true})
	e := cifarEntry()
	e.Files, e.Bytes = []File{o.file}, o.file.Bytes
	return o, e
}

// The archive arrives whole in the subfolder, verified as it is, and is found.
func TestFetchArchive(t *testing.T) {
	o, entry := cifarOrigin(t)
	dir := t.TempDir()
	o.cutAfter.Store(10_000) // and resumed
	if err := fetchEntry(t.Context(), entry, dir, FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	o.wantPlaced(t, filepath.Join(dir, "cifar-10"))
	if len(o.ranges) != 2 || o.bodyBytes.Load() > o.file.Bytes+64<<10 {
		t.Errorf("ranges %q, %d bytes sent: not resumed", o.ranges, o.bodyBytes.Load())
	}
	path := filepath.Join(dir, "cifar-10", cifarArchive)
	if got, err := Locate(entry, dir); err != nil || got[0] != path {
		t.Errorf("found %v, %v", got, err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, o.packed) {
		t.Errorf("not the archive as it was sent: %v", err)
	}
	if err := fetchEntry(t.Context(), entry, dir, FetchOptions{}); err != nil || o.requests.Load() != 2 {
		t.Errorf("again: %v after %d requests", err, o.requests.Load())
	}
	// What verifies can be read; this one is not the published archive, and says so.
	_, _, err := Load(t.Context(), Request{Name: "cifar-10", DataDir: dir, Classes: []int{3}})
	wantRequestError(t, err, "test_per_class", "class 3 (cat)", "0 test samples") // one record a batch: labels 0 to 4, then 5
}

// The same content in another packing is refused: only the packed sum is known.
func TestFetchArchiveWrongContent(t *testing.T) {
	good := tarred(smallMembers()...)
	for name, change := range map[string]func(o *origin){
		"packed again":  func(o *origin) { o.packed = gzipped(append(bytes.Clone(good), make([]byte, 512)...)) },
		"unpacked":      func(o *origin) { o.packed = good },
		"one byte":      func(o *origin) { o.packed = bytes.Clone(o.packed); o.packed[5000]++ },
		"one byte more": func(o *origin) { o.packed = append(bytes.Clone(o.packed), 0) },
		"cut off":       func(o *origin) { o.packed = o.packed[:5000] },
	} {
		t.Run(name, func(t *testing.T) {
			o, entry := cifarOrigin(t)
			change(o)
			dir := t.TempDir()
			err := fetchEntry(context.Background(), entry, dir, FetchOptions{})
			wantError(t, err, nil, o.URL, "by hand to "+filepath.Join(dir, "cifar-10"))
			if int64(len(o.packed)) <= o.file.Bytes {
				wantError(t, err, ErrChecksum, "the file has")
			}
			wantFiles(t, filepath.Join(dir, "cifar-10"))
		})
	}
}

// The catalogue's entry goes through the same steps: a mirror with another
// archive is refused by the published sum.
func TestFetchCIFAR(t *testing.T) {
	o, _ := cifarOrigin(t)
	dir := t.TempDir()
	err := Fetch(t.Context(), "cifar-10", dir, FetchOptions{Mirrors: []string{o.URL}})
	wantError(t, err, ErrChecksum, o.URL+"/cifar-10-binary.tar.gz sent wrong content", "want 170052171")
	wantFiles(t, filepath.Join(dir, "cifar-10"))
	err = Fetch(t.Context(), "cifar-10", dir, FetchOptions{Mirrors: []string{unreachable()}})
	wantError(t, err, ErrUnreachable, "cifar-10-binary.tar.gz", "by hand to "+filepath.Join(dir, "cifar-10"))
}
