package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"sobolev/experiment"
	"sobolev/rundir"
	"sobolev/sweep/slurm"
)

// dryRun lists the points, what of them is done, and an estimate of the time.
// It writes nothing.
func dryRun(ctx context.Context, exp *experiment.Experiment, cfg rundir.Config, opt runOptions, stdout io.Writer) error {
	if err := rundir.Check(opt.output, cfg); err != nil {
		return createError(err)
	}
	there := rundir.Dir{Path: opt.output, Config: cfg}
	var jobs map[string]slurm.Standing
	var submissions slurm.Submissions
	var unanswered error
	if opt.executor == "slurm" {
		var err error
		if submissions, err = slurm.ReadSubmissions(&there); err != nil {
			return err
		}
		asking, cancel := context.WithTimeout(ctx, answerTime)
		jobs, unanswered = submissions.Active(asking)
		cancel()
	}
	estimate := estimates(exp)
	var rest []rundir.Point
	var total time.Duration
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "point\tms/step\tat most\tstatus")
	points, todo := cfg.Points(), 0
	for _, p := range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		est, err := estimate(p)
		if err != nil {
			return err
		}
		standing, err := planned(exp, there.Point(p), opt.retryFailed)
		if err != nil {
			return err
		}
		job, queued := jobs[p.Name()]
		switch {
		case standing != "to do":
		case queued:
			standing = job.Description()
		case !opt.retryFailed && submissions.EarlyEnds(p.Name()) >= failedTries:
			standing = "failed (--retry-failed)"
		}
		if standing == "to do" {
			total += est.Total
			todo++
			rest = append(rest, p)
		}
		fmt.Fprintf(w, "%s\t%.3f\t%v\t%s\n", p.Name(), float64(est.PerStep)/1e6, est.Total.Round(time.Second), standing)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if opt.executor == "slurm" {
		fmt.Fprintf(stdout, "%d of %d points to do, into %s\n", todo, len(points), filepath.Clean(opt.output))
		if unanswered != nil {
			fmt.Fprintf(stdout, "Slurm does not say what waits: %v\n", unanswered)
		}
		if todo == 0 {
			return nil
		}
		executor, err := slurmExecutor(exp, &there, opt)
		if err != nil {
			return err
		}
		script, err := executor.Script(rest)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "\n%s", script)
		return err
	}
	atMost := ""
	if cfg.Stop.Loss > 0 || cfg.Stop.Accuracy > 0 {
		atMost = " at most (a stop rule may end a training earlier)"
	}
	_, err := fmt.Fprintf(stdout, "%d of %d points to do; about %v%s with %d at once, into %s\n",
		todo, len(points), (total / time.Duration(max(1, min(opt.jobs, todo)))).Round(time.Second), atMost, opt.jobs, filepath.Clean(opt.output))
	return err
}

// estimates returns a function that times the points of each method and batch size
// once.
func estimates(exp *experiment.Experiment) func(rundir.Point) (experiment.Estimate, error) {
	type kind struct {
		method string
		batch  int
	}
	known := map[kind]experiment.Estimate{}
	return func(p rundir.Point) (experiment.Estimate, error) {
		k := kind{p.Method, p.BatchSize}
		if est, ok := known[k]; ok {
			return est, nil
		}
		est, err := exp.Estimate(p)
		if err == nil {
			known[k] = est
		}
		return est, err
	}
}

// estimator is for packing: a point that cannot be timed fills a task, whose log will
// say why.
func estimator(exp *experiment.Experiment) func(rundir.Point) time.Duration {
	estimate := estimates(exp)
	return func(p rundir.Point) time.Duration {
		est, err := estimate(p)
		if err != nil {
			return time.Duration(1<<62 - 1)
		}
		return est.Total
	}
}

// planned says what a run would do with a point.
func planned(exp *experiment.Experiment, d rundir.PointDir, retryFailed bool) (string, error) {
	r, err := d.Record()
	if err != nil {
		return "", err
	}
	done, err := exp.Done(r)
	if err != nil {
		return "", err
	}
	switch {
	case done:
		return "done", nil
	case r.Status.State == rundir.Failed && r.Status.Failures >= failedTries && !retryFailed:
		return "failed (--retry-failed)", nil
	}
	return "to do", nil
}
