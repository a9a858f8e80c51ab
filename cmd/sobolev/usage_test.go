package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sobolev/rundir/rundirtest"
)

// What the user got wrong ends with the status for that.
func TestWrongUsage(t *testing.T) {
	dir := rundirtest.Finished(t, filepath.Join(t.TempDir(), "run"), rundirtest.Grid(t, 2), nil).Path
	experiment := filepath.Join(dir, "experiment.yaml")
	for _, c := range []struct {
		want string
		args []string
	}{
		{`"foo" is not known; one of svg, pdf, png`, []string{"report", dir, "--figures", "svg,foo"}},
		{"no trained network of that name", []string{"export", dir, "--format", "onnx", "--point", "nope"}},
		{"holds another experiment", []string{"run", experiment, "-o", dir, "--set", "seed=2"}},
		{"holds another experiment", []string{"run", experiment, "-o", dir, "--set", "seed=2", "--dry-run"}},
		{"--set repetitions=0: 0 is below 1", []string{"run", experiment, "-o", dir, "--set", "repetitions=0"}},
	} {
		expectFailure(t, exitUsage, []string{c.want}, c.args...)
	}
}

// Who interrupts the reading of the data is told so, and of no broken file.
func TestInterruptedWhileDataLoad(t *testing.T) {
	data := cifarBatches(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	output := filepath.Join(data, "out")
	err := runGrid(ctx, "cifar-lr", runOptions{dataDir: data, output: output, executor: "local"}, io.Discard, io.Discard)
	var status statusError
	if !errors.As(err, &status) || status.status != exitInterrupted || !strings.HasPrefix(err.Error(), "interrupted") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(output); !os.IsNotExist(err) {
		t.Errorf("left: %v", err)
	}
}
