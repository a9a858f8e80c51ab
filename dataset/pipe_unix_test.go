//go:build unix

package dataset

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe that nobody writes to is an error, not a wait.
func TestPipesAreNoFiles(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "train-images-idx3-ubyte")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadNPZ(pipe)
	_, _, idxErr := LoadIDX(context.Background(), Request{Name: pipe})
	for _, err := range []error{err, idxErr} {
		if err == nil || !strings.Contains(err.Error(), pipe+": not a regular file") {
			t.Error(err)
		}
	}
}
