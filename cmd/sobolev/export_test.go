package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sobolev/rundir"
)

// measuredRun makes the directory of a run with one finished point, of which
// nothing but its result is there.
func measuredRun(t *testing.T) *rundir.Dir {
	t.Helper()
	cfg, err := rundir.Config{
		Name: "small", Dataset: rundir.Dataset{Name: "fashion-mnist-mini"}, Model: rundir.Model{Hidden: []int{3}},
		SGD: rundir.SGD{Iterations: 20}, Grid: rundir.Grid{LearningRate: []float64{0.01}, BatchSize: []int{5}},
	}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := rundir.Create(filepath.Join(t.TempDir(), "run"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	point := dir.Point(cfg.Points()[0])
	err = point.Prepare()
	if err == nil {
		err = point.WriteResult(&rundir.Result{Moments: []rundir.Moment{{K: 1, GW: 2, GX: 3}}, Training: &rundir.Training{Status: "finished"}})
	}
	if err == nil {
		err = dir.WriteIndexes()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The run's own tables belong to the process that runs it.
func TestExportLeavesTheTablesOfARunInUse(t *testing.T) {
	path := measuredRun(t).Path // which holds the lock
	expectFailure(t, exitFailed, []string{"in use by another sobolev process", "-o"}, "export", path, "--format", "parquet")
	copied := filepath.Join(t.TempDir(), "copy.csv")
	var stdout, stderr bytes.Buffer
	if status := run([]string{"export", path, "--format", "csv", "-o", copied}, &stdout, &stderr); status != 0 {
		t.Fatalf("exit status %d: %s", status, &stderr)
	}
	if readDoc(t, copied) != readDoc(t, filepath.Join(path, "results.csv")) {
		t.Error("the copy differs from results.csv")
	}
}

// A rename would replace a device by a file.
func TestExportReplacesNoDevice(t *testing.T) {
	path, pipe := measuredRun(t).Path, filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{pipe, link} {
		expectFailure(t, exitUsage, []string{"is a folder or a device"}, "export", path, "--format", "json", "-o", output)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe has become %v, %v", info, err)
	}
}

// An export that fails leaves the file of an earlier one, and no other.
func TestFailedExportLeavesTheOldFile(t *testing.T) {
	dir, folder := measuredRun(t), t.TempDir()
	output := filepath.Join(folder, "arrays.npz")
	args := []string{"export", dir.Path, "--format", "npz", "-o", output}
	var stdout, stderr bytes.Buffer
	if status := run(args, &stdout, &stderr); status != 0 || strings.TrimSpace(stdout.String()) != output {
		t.Fatalf("exit status %d: %s%s", status, &stdout, &stderr)
	}
	before := readDoc(t, output)
	result := dir.Point(dir.Config.Points()[0]).File("result.json")
	if err := os.Truncate(result, 10); err != nil {
		t.Fatal(err)
	}
	expectFailure(t, exitFailed, []string{result}, args...)
	if readDoc(t, output) != before {
		t.Error("the old file has changed")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("files beside it: %v, %v", left, err)
	}
}
