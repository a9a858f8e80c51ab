package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sobolev/internal/disktest"
)

// diskConfig has as many points as make the run's index worth writing.
const diskConfig = `
name: disk
dataset: {name: function-1d}
model: {hidden: [5]}
sgd: {iterations: 50}
grid: {learning_rate: [0.01, 0.02], batch_size: [5]}
repetitions: 16
measure: {orders: [1]}
`

func diskRun(t *testing.T) (config string) {
	t.Helper()
	config = filepath.Join(t.TempDir(), "disk.yaml")
	if err := os.WriteFile(config, []byte(diskConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	return config
}

// A run on a disk that is full ends with the name of what could not be written, at
// whatever file that is, and leaves nothing that is half written; with space the same
// command ends with the same bytes.
func TestRunOnAFullDisk(t *testing.T) {
	path, config := disktest.Mount(t, "16m"), diskRun(t)
	args := func(dir string) []string { return []string{"run", config, "-o", dir, "--quiet", "-j", "2"} }
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(path, "run")
	var stdout, stderr bytes.Buffer
	if status := run(args(whole), &stdout, &stderr); status != 0 {
		t.Fatal(&stderr)
	}
	ballast := disktest.Fill(t, path)
	var said []string
	for pages := int64(1); ; pages *= 2 {
		stdout.Reset()
		stderr.Reset()
		status := run(args(dir), &stdout, &stderr)
		if status == 0 {
			break
		}
		if status != exitFailed || !strings.Contains(stderr.String(), "cannot write "+dir+"/") || !strings.Contains(stderr.String(), "no space left on device") || stdout.Len() > 0 {
			t.Fatalf("exit status %d: %s%s", status, &stdout, &stderr)
		}
		said = append(said, strings.ReplaceAll(stderr.String(), dir, "DIR"))
		runBytes(t, dir) // for what it finds left
		if _, err := os.Stat(filepath.Join(dir, "experiment.yaml")); err == nil {
			if status := run([]string{"status", dir}, &stdout, &stderr); status != 0 {
				t.Errorf("status: exit status %d: %s", status, &stderr)
			}
		}
		if !ballast.Free(pages) {
			t.Fatal("nothing is left to free")
		}
	}
	t.Logf("%d times full:\n%s", len(said), strings.Join(said, ""))
	if len(said) < 5 {
		t.Errorf("the disk was full %d times", len(said))
	}
	compareRuns(t, runBytes(t, whole), runBytes(t, dir))
}

// Reading somebody's run needs no right to write, and what is to be written says
// where it cannot.
func TestReadOnlyRun(t *testing.T) {
	path, config := disktest.Mount(t, "16m"), diskRun(t)
	dir := filepath.Join(path, "run")
	var stdout, stderr bytes.Buffer
	if status := run([]string{"run", config, "-o", dir, "--quiet"}, &stdout, &stderr); status != 0 {
		t.Fatal(&stderr)
	}
	if err := os.Remove(filepath.Join(dir, ".index")); err != nil {
		t.Fatal(err)
	}
	disktest.ReadOnly(t, path)
	stdout.Reset()
	if status := run([]string{"status", dir}, &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), "finished: 32\n") {
		t.Errorf("status: exit status %d: %s%s", status, &stdout, &stderr)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	if status := run([]string{"report", dir, "-o", page, "--figures", ""}, &stdout, &stderr); status != 0 {
		t.Errorf("report elsewhere: exit status %d: %s", status, &stderr)
	}
	if info, err := os.Stat(page); err != nil || info.Size() == 0 {
		t.Errorf("the page: %v", err)
	}
	const readOnly = "read-only file system"
	expectFailure(t, exitFailed, []string{"cannot write " + dir + "/figures/", readOnly}, "report", dir)
	expectFailure(t, exitFailed, []string{"cannot write " + dir + "/report.html", readOnly}, "report", dir, "--figures", "")
	expectFailure(t, exitFailed, []string{"cannot write " + dir + "/experiment.yaml", readOnly}, "run", config, "-o", dir)
}
