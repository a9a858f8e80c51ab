package slurm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sobolev/rundir"
	"sobolev/rundir/rundirtest"
	"sobolev/sweep"
	"sobolev/sweep/slurm/slurmtest"
	"sobolev/sweep/sweeptest"
)

// workerArgument makes the test binary the worker of a task.
const workerArgument = "worker"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workerArgument {
		if err := worker(os.Args[2:]); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// worker has the arguments RETRY -- DIR SUBMISSION TASK.
func worker(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	retry, err1 := strconv.ParseBool(args[0])
	number, err2 := strconv.Atoi(args[3])
	task, err3 := strconv.Atoi(args[4])
	dir, err4 := rundir.Open(args[2])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	points, err := TaskPoints(dir, number, task)
	if err != nil {
		return err
	}
	opt := sweeptest.Options()
	opt.Jobs, opt.RetryFailed, opt.Share = 1, retry, true
	_, err = sweep.Run(ctx, dir, points, sweeptest.Point, opt)
	return err
}

func TestExecutor(t *testing.T) {
	slurmtest.Start(t, "main")
	sweeptest.TestExecutor(t, func(t *testing.T, dir *rundir.Dir, opt sweep.Options) sweep.Executor { return executor(t, dir, opt) })
	t.Run("ended meanwhile", nothingSubmitted)
	t.Run("names of folders", oddFolders)
}

func executor(t *testing.T, dir *rundir.Dir, opt sweep.Options) *Executor {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(dir, Options{
		Config: rundir.Executor{Time: "5", PointsPerTask: 2}, Program: program, ProgramName: "worker",
		Arguments: []string{workerArgument, strconv.FormatBool(opt.RetryFailed)}, Done: opt.Done, Poll: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// nothingSubmitted: points that ended since the caller looked make no job.
func nothingSubmitted(t *testing.T) {
	dir := rundirtest.Finished(t, t.TempDir(), rundirtest.Grid(t, 4), nil)
	n, err := executor(t, dir, sweeptest.Options()).Start(t.Context(), dir.Config.Points(), nil)
	if err != nil || n != 0 {
		t.Errorf("%d points are submitted again, %v", n, err)
	}
	if all, err := ReadSubmissions(dir); err != nil || len(all.all) != 0 {
		t.Errorf("%d submissions, %v", len(all.all), err)
	}
}

// oddFolders: wherever the run is, its tasks get their points, and their logs are found.
func oddFolders(t *testing.T) {
	var started []*Executor
	for _, name := range []string{"sp ace", `a'b"c`, "ideo\u3000space é", "pct%a%%", "$(id)`id` # ;", "tab\there"} {
		dir, err := rundir.Create(filepath.Join(sweeptest.Folder(t), name), rundirtest.Grid(t, 2))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		e := executor(t, dir, sweeptest.Options())
		e.opt.Program, e.opt.Arguments = "/bin/echo", []string{"worker"}
		if _, err := e.Start(t.Context(), dir.Config.Points(), &ends{}); err != nil {
			t.Error(err)
		}
		started = append(started, e)
	}
	for _, e := range started {
		if err := e.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		s, err := ReadSubmissions(e.dir)
		if err != nil {
			t.Fatal(err)
		}
		if file, last := s.Log(e.dir.Config.Points()[0].Name(), 1); fmt.Sprint(last) != fmt.Sprintf("[worker -- %s 1 0]", e.dir.Path) {
			t.Errorf("the log %q holds %q", file, last)
		}
	}
	for _, name := range []string{`back\slash`, "new\nline"} {
		dir := &rundir.Dir{Path: filepath.Join(t.TempDir(), name)}
		if _, err := New(dir, Options{}); err == nil || !strings.Contains(err.Error(), "choose another directory with -o") {
			t.Errorf("%q: error %v", name, err)
		}
	}
}
