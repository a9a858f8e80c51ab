//go:build unix

package dashboard

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A pipe is no file of the run, and no reader waits for its writer, even when it takes
// the place of a file at the very moment in which that is opened.
func TestPipes(t *testing.T) {
	folder := t.TempDir()
	figures := filepath.Join(folder, "figures")
	writeText(t, filepath.Join(figures, "file"), "a figure")
	if err := syscall.Mkfifo(filepath.Join(figures, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRun(folder, "grid")
	offered := filepath.Join(figures, "it.svg")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for opened, refused := 0, 0; min(opened, refused) < 500; {
			f, err := r.openFile("figures/it.svg")
			if err != nil {
				refused++
				continue
			}
			if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
				t.Errorf("opened: %v, %v", info, err)
			}
			f.Close()
			opened++
		}
	}()
	link := func(to string) {
		temporary := offered + ".new"
		if err := os.Link(filepath.Join(figures, to), temporary); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temporary, offered); err != nil {
			t.Fatal(err)
		}
	}
	late := time.After(10 * time.Second)
	for {
		link("file")
		link("pipe")
		select {
		case <-ended:
			return
		case <-late:
			t.Fatal("a reader waits for the pipe's writer")
		default:
		}
	}
}
