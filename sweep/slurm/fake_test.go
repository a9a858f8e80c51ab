package slurm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sobolev/rundir"
	"sobolev/rundir/rundirtest"
	"sobolev/sweep/sweeptest"
)

// fake makes commands of Slurm out of shell scripts, and returns their folder.
func fake(t *testing.T, scripts map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\ncd "+folder+"\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	return folder
}

// unstarted is a run of two points, the tasks of the executor have two.
func unstarted(t *testing.T) *rundir.Dir {
	t.Helper()
	c := rundirtest.Grid(t, 2)
	dir, err := rundir.Create(filepath.Join(t.TempDir(), "run"), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// ends counts the points that ended with an error.
type ends struct{ errors []error }

func (e *ends) Begin(int, int)             {}
func (e *ends) Progress(rundir.Point, int) {}

func (e *ends) End(_ rundir.Point, err error) { e.errors = append(e.errors, err) }

func fakeExecutor(t *testing.T, dir *rundir.Dir, retryFailed bool) *Executor {
	t.Helper()
	e := executor(t, dir, sweeptest.Options())
	e.opt.Program = "/bin/sh"
	e.opt.Tries, e.opt.RetryFailed = 2, retryFailed
	return e
}

// An array that arrives after sbatch gave up is not submitted again, and no submission
// gets the number of another.
func TestAnswerOfSbatchIsLost(t *testing.T) {
	folder := fake(t, map[string]string{
		"scontrol": "", "squeue": "cat queue 2>/dev/null; true",
		"sbatch": "echo sbatch: error: Socket timed out on send/recv operation >&2; exit 1",
	})
	dir := unstarted(t)
	if _, err := fakeExecutor(t, dir, false).Start(t.Context(), dir.Config.Points(), &ends{}); err == nil || !strings.Contains(err.Error(), "Socket timed out") {
		t.Errorf("error %v", err)
	}
	s, err := ReadSubmissions(dir)
	if err != nil || len(s.all) != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	if task, ok := s.LastTask(dir.Config.Points()[0].Name()); ok {
		t.Errorf("nothing is known to have arrived, and yet %s had the point", task)
	}
	queue := ""
	for i := range s.all[0].Tasks {
		queue += fmt.Sprintf("%s|7|%d|PENDING||Resources\n", s.all[0].Name, i)
	}
	if err := os.WriteFile(filepath.Join(folder, "queue"), []byte(queue), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := fakeExecutor(t, dir, false).Start(t.Context(), dir.Config.Points(), &ends{}); n != 0 || err != nil {
		t.Errorf("%d points are submitted again, %v", n, err)
	}
	if n, err := newSubmission(dir); n != 2 || err != nil {
		t.Errorf("the next submission has the number %d, %v", n, err)
	}
}

// Tasks that die in their setup count as failed attempts; those that never ran, or
// began one of their points, do not.
func TestTasksThatEndEarly(t *testing.T) {
	fake(t, map[string]string{"scontrol": "", "squeue": "", "sbatch": "echo '12;cluster'"})
	dir := unstarted(t)
	points := dir.Config.Points()
	log := func(submission int, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(submissionPath(dir, submission), "logs", "0.log"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const broken = "module: command not found\n"
	start := func(retryFailed bool, submitted int, failed int) *ends {
		t.Helper()
		told := &ends{}
		if n, err := fakeExecutor(t, dir, retryFailed).Start(t.Context(), points, told); n != submitted || len(told.errors) != failed || err != nil {
			t.Fatalf("%d points were submitted and %d given up, %v; want %d and %d", n, len(told.errors), err, submitted, failed)
		}
		return told
	}
	start(false, 2, 0)
	start(false, 2, 0) // cancelled before it ran
	log(2, broken)
	start(false, 2, 0)
	log(3, "slurmstepd-n1: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-28T08:22:29 ***\n")
	start(false, 2, 0)
	log(4, broken)
	start(false, 2, 0)
	log(5, broken)
	err := errors.Join(start(false, 0, 2).errors...)
	for _, want := range []string{"before it began any point, 2 times", "5/logs/0.log", "module: command not found", "--retry-failed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	s, err := ReadSubmissions(dir)
	if task, ok := s.LastTask(points[1].Name()); err != nil || !ok || task != "job 12_0" {
		t.Errorf("%q, %v", task, err)
	}
	start(true, 2, 0)
	log(6, broken)
	start(false, 0, 2)
	d := dir.Point(points[0])
	if err := errors.Join(d.Prepare(), d.WriteStatus(rundir.Status{State: rundir.Running, Attempts: 1})); err != nil {
		t.Fatal(err)
	}
	start(false, 2, 0)
}

// An interrupt that ends sbatch does not call its request back, and takes nothing away.
func TestInterruptedSbatch(t *testing.T) {
	folder := fake(t, map[string]string{"scontrol": "", "squeue": "", "sbatch": "touch asked; sleep 100"})
	dir := unstarted(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for range 1200 {
			if _, err := os.Stat(filepath.Join(folder, "asked")); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	if _, err := fakeExecutor(t, dir, false).Start(ctx, dir.Config.Points(), &ends{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if s, err := ReadSubmissions(dir); err != nil || len(s.all) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}
