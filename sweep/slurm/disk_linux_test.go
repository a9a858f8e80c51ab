package slurm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"sobolev/internal/disktest"
	"sobolev/rundir"
	"sobolev/sweep/sweeptest"
)

// fakeCommands are Slurm's as far as a submission needs them.
func fakeCommands(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"scontrol": "echo MaxArraySize = 1001", "squeue": "", "sbatch": "echo 1"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

// A submission that does not fit on the disk names the file, asks Slurm for nothing
// and leaves none of its files; with space the same call submits.
func TestSubmissionOnAFullDisk(t *testing.T) {
	fakeCommands(t)
	path := disktest.Mount(t, "256k")
	cfg, err := rundir.Config{
		Dataset: rundir.Dataset{Name: "d"}, SGD: rundir.SGD{Iterations: 100},
		Grid: rundir.Grid{LearningRate: []float64{0.1}, BatchSize: []int{4}}, Repetitions: 3,
		Executor: rundir.Executor{PointsPerTask: 1},
	}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := rundir.Create(filepath.Join(path, "run"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, make([]byte, 2*disktest.Page), 0o755); err != nil {
		t.Fatal(err)
	}
	e, err := New(dir, Options{Config: cfg.Executor, Program: program, ProgramName: "sobolev", Done: sweeptest.Options().Done})
	if err != nil {
		t.Fatal(err)
	}
	ballast := disktest.Fill(t, path)
	failed := map[string]bool{}
	for {
		n, err := e.Start(t.Context(), cfg.Points(), nil)
		if err == nil {
			if n != 3 {
				t.Errorf("%d points were submitted, want 3", n)
			}
			break
		}
		var unwritten *rundir.WriteError
		if !errors.As(err, &unwritten) || !errors.Is(err, unix.ENOSPC) || !strings.HasPrefix(unwritten.Path, filepath.Join(dir.Path, folder)) {
			t.Fatalf("error %v", err)
		}
		failed[filepath.Base(unwritten.Path)] = true
		err = filepath.WalkDir(filepath.Join(dir.Path, folder), func(path string, f fs.DirEntry, err error) error {
			if err == nil && (f.Name() == "1" || strings.Contains(f.Name(), ".writing-")) {
				t.Errorf("left: %s", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !ballast.Free(1) {
			t.Fatal("nothing is left to free")
		}
	}
	for _, name := range []string{"sobolev", "job.sh", "submission.json"} {
		if !failed[name] {
			t.Errorf("%s never failed: %v", name, failed)
		}
	}
	if s, err := ReadSubmissions(dir); err != nil || len(s.all) != 1 || s.all[0].number != 1 || len(s.all[0].Tasks) != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}
