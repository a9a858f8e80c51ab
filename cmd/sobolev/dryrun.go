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
)

// dryRun lists the points, what of them is done, and an estimate of the time.
// It writes nothing.
func dryRun(ctx context.Context, exp *experiment.Experiment, cfg rundir.Config, opt runOptions, stdout io.Writer) error {
	if err := rundir.Check(opt.output, cfg); err != nil {
		return err
	}
	there := rundir.Dir{Path: opt.output, Config: cfg}
	type kind struct {
		method string
		batch  int
	}
	perKind := map[kind]experiment.Estimate{}
	var total time.Duration
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "point\tms/step\tat most\tstatus")
	points, todo := cfg.Points(), 0
	for _, p := range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		k := kind{p.Method, p.BatchSize}
		est, ok := perKind[k]
		if !ok {
			var err error
			if est, err = exp.Estimate(p); err != nil {
				return err
			}
			perKind[k] = est
		}
		standing, err := planned(exp, there.Point(p), opt.retryFailed)
		if err != nil {
			return err
		}
		if standing == "to do" {
			total += est.Total
			todo++
		}
		fmt.Fprintf(w, "%s\t%.3f\t%v\t%s\n", p.Name(), float64(est.PerStep)/1e6, est.Total.Round(time.Second), standing)
	}
	if err := w.Flush(); err != nil {
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

// planned says what a run would do with a point.
func planned(exp *experiment.Experiment, d rundir.PointDir, retryFailed bool) (string, error) {
	done, err := exp.Done(d)
	if err != nil {
		return "", err
	}
	status, err := d.ReadStatus()
	if err != nil {
		return "", err
	}
	switch {
	case done:
		return "done", nil
	case status.State == rundir.Failed && !retryFailed:
		return "failed (--retry-failed)", nil
	}
	return "to do", nil
}
