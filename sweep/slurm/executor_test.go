package slurm

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
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
