package rundir

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"sobolev/internal/disktest"
)

func withoutLinks(t *testing.T) {
	link = func(string, string) error { return syscall.EPERM }
	t.Cleanup(func() { link = os.Link })
}

// On a full disk without hard links a file is there whole or not at all.
func TestFullDiskWithoutLinks(t *testing.T) {
	withoutLinks(t)
	path := disktest.Mount(t, "64k")
	name := filepath.Join(path, "model")
	data := bytes.Repeat([]byte("x"), 4*disktest.Page)
	ballast := disktest.Fill(t, path)
	for free := range 4 {
		if err := placeOnce(name, data, true); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("with %d pages: error %v", free, err)
		}
		if files := tree(t, path); len(files) != 1 {
			t.Errorf("with %d pages a failed write left files: %v", free, files)
		}
		ballast.Free(1)
	}
	if err := placeOnce(name, data, true); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(name); !bytes.Equal(got, data) || len(tree(t, path)) != 2 {
		t.Errorf("%d bytes, %v; files %v", len(got), err, tree(t, path))
	}
}

// Without hard links, too, one of many writers places a file, and one that was killed on
// its way holds the others up for a while only.
func TestPlaceOnceWithoutLinks(t *testing.T) {
	withoutLinks(t)
	path := filepath.Join(t.TempDir(), "claim")
	var placed atomic.Int32
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			switch err := placeOnce(path, []byte{byte(i)}, false); {
			case err == nil:
				placed.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if placed.Load() != 1 || len(tree(t, filepath.Dir(path))) != 1 {
		t.Errorf("%d writers placed the file; files %v", placed.Load(), tree(t, filepath.Dir(path)))
	}

	os.Remove(path)
	turn := filepath.Join(filepath.Dir(path), ".claim.writing-00000000-0-00000000")
	if err := os.WriteFile(turn, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := temporaryOf(filepath.Base(turn)); !ok {
		t.Error("what a killed process leaves is not known as temporary")
	}
	if err := placeOnce(path, nil, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v while another one is at it", err)
	}
	old := time.Now().Add(-2 * abandonedAfter)
	if err := os.Chtimes(turn, old, old); err != nil {
		t.Fatal(err)
	}
	if err := placeOnce(path, nil, false); err != nil {
		t.Error(err)
	}
}
