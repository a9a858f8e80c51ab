package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"sobolev/experiment"
	"sobolev/rundir"
	"sobolev/sweep"
	"sobolev/sweep/slurm"
)

// newWorkerCommand is what a task of an array runs. It is not for people.
func newWorkerCommand() *cobra.Command {
	var opt runOptions
	cmd := &cobra.Command{
		Use:    "worker DIR SUBMISSION TASK",
		Short:  "Work on the points of one task of a submission",
		Hidden: true,
		Args:   cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return workOnTask(cmd.Context(), args, opt, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.dataDir, "data-dir", "", "as of run")
	f.StringVar(&opt.memory, "memory", "", "as of run")
	f.BoolVar(&opt.retryFailed, "retry-failed", false, "as of run")
	return cmd
}

// workOnTask is the worker command. The configuration is that of the run directory,
// which may have been extended since.
func workOnTask(ctx context.Context, args []string, opt runOptions, stderr io.Writer) error {
	// Slurm repeats itself: a second signal must not end what the first one saves.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, append(leaveSignals, syscall.SIGTERM)...)
	defer signal.Stop(ignored)
	number, err1 := strconv.Atoi(args[1])
	task, err2 := strconv.Atoi(args[2])
	if err := errors.Join(err1, err2); err != nil {
		return usage(err)
	}
	dir, err := rundir.Open(args[0])
	if err != nil {
		return err
	}
	points, err := slurm.TaskPoints(dir, number, task)
	if err != nil {
		return err
	}
	opt.jobs = max(1, dir.Config.Executor.CPUs)
	runtime.GOMAXPROCS(opt.jobs)
	memory, err := limitMemory(opt.memory)
	if err != nil {
		return usage(err)
	}
	exp, err := experiment.New(ctx, dir.Config, experiment.Options{DataDir: opt.dataDir, Memory: memory, Jobs: opt.jobs})
	if err != nil {
		return err
	}
	watch := newObserver(stderr, false, dir.Config.SGD.Iterations)
	settings := sweepOptions(exp, opt, watch)
	settings.Share, settings.Job, settings.Done = true, jobOfTask(), doneByNow(dir.Path, exp.Done)
	sum, err := sweep.Run(ctx, dir, points, exp.Run, settings)
	watch.close()
	return ended(sum, err)
}

// doneByNow is done for a worker that may have begun before the run's configuration
// changed: a result of what is asked for now is not replaced by one of what was.
func doneByNow(path string, done func(rundir.Record) (bool, error)) func(rundir.Record) (bool, error) {
	return func(r rundir.Record) (bool, error) {
		if is, err := done(r); is || err != nil || r.Result == nil {
			return is, err
		}
		now, err := rundir.Open(path)
		return err == nil && r.Result.Measures(now.Config.Measure), err
	}
}

// jobOfTask names the task as Slurm's commands do.
func jobOfTask() string {
	job, task := os.Getenv("SLURM_ARRAY_JOB_ID"), os.Getenv("SLURM_ARRAY_TASK_ID")
	if job == "" {
		return ""
	}
	return job + "_" + task
}

// slurmExecutor submits the points of a run with the options of this one.
func slurmExecutor(exp *experiment.Experiment, dir *rundir.Dir, opt runOptions) (*slurm.Executor, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arguments := []string{"worker"}
	if opt.dataDir != "" {
		arguments = append(arguments, "--data-dir", opt.dataDir)
	}
	if opt.memory != "" {
		arguments = append(arguments, "--memory", opt.memory)
	}
	if opt.retryFailed {
		arguments = append(arguments, "--retry-failed")
	}
	return slurm.New(dir, slurm.Options{
		Config: dir.Config.Executor, Program: program, ProgramName: programName(),
		Arguments: arguments, Estimate: estimator(exp), Done: exp.Done,
		Tries: failedTries, RetryFailed: opt.retryFailed,
	})
}

func programName() string {
	name := os.Args[0]
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

// answerTime is how long a user waits for Slurm's word on what the files do not say. Tests
// make it short.
var answerTime = 20 * time.Second

// jobsAfter says what becomes of the jobs of a run whose command was interrupted.
func jobsAfter(dir *rundir.Dir) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime/4) // who leaves is in a hurry
	defer cancel()
	switch active, err := slurm.Active(ctx, dir); {
	case err != nil:
		return fmt.Errorf("interrupted; what was submitted goes on, but which jobs that are Slurm does not say: %w", err)
	case len(active) == 0:
		return errors.New("interrupted; the run has no jobs that wait or run")
	}
	return fmt.Errorf("the jobs go on; sobolev status %s says how far they are, sobolev cancel %[1]s ends them", dir.Path)
}

// submit is the run command on a cluster, from a run directory that is ready.
func submit(ctx context.Context, exp *experiment.Experiment, dir *rundir.Dir, opt runOptions, stdout, stderr io.Writer) error {
	executor, err := slurmExecutor(exp, dir, opt)
	if err != nil {
		return err
	}
	watch := newObserver(stderr, opt.quiet, dir.Config.SGD.Iterations)
	settings := sweepOptions(exp, opt, watch)
	settings.Detach = !opt.wait
	sum, err := sweep.Execute(ctx, dir, dir.Config.Points(), executor, settings)
	watch.close()
	switch {
	case errors.Is(err, context.Canceled):
		return statusError{exitInterrupted, jobsAfter(dir)}
	case err != nil:
		return err
	case sum.Done+sum.Failed == sum.Points:
		return finish(dir, sum, stdout)
	case opt.wait:
		return statusError{exitPartial, fmt.Errorf("%d of %d points were left by their jobs (time limit, a node's death, scancel); sobolev status %s shows them, and the same command submits them again",
			sum.Points-sum.Done-sum.Failed, sum.Points, dir.Path)}
	}
	failed := ""
	if sum.Failed > 0 {
		failed = fmt.Sprintf(", %d failed", sum.Failed)
	}
	_, err = fmt.Fprintf(stdout, "%d of %d points are done%s; %d are with Slurm (%d submitted now)\nsobolev status %s says how far they are, sobolev cancel %[6]s ends them\n",
		sum.Done, sum.Points, failed, sum.Points-sum.Done-sum.Failed, sum.Started, dir.Path)
	return err
}
