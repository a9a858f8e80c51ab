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
	there := rundir.Dir{Path: opt.output, Config: cfg}
	perBatchSize := map[int]experiment.Estimate{}
	var total time.Duration
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "point\tms/step\tat most\tstatus")
	points, done := cfg.Points(), 0
	for _, p := range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		est, ok := perBatchSize[p.BatchSize]
		if !ok {
			var err error
			if est, err = exp.Estimate(p); err != nil {
				return err
			}
			perBatchSize[p.BatchSize] = est
		}
		status := "to do"
		switch finished, err := exp.Done(there.Point(p)); {
		case err != nil:
			return err
		case finished:
			status = "done"
			done++
		default:
			total += est.Total
		}
		fmt.Fprintf(w, "%s\t%.3f\t%v\t%s\n", p.Name(), float64(est.PerStep)/1e6, est.Total.Round(time.Second), status)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	atMost := ""
	if cfg.Stop.Loss > 0 || cfg.Stop.Accuracy > 0 {
		atMost = " at most (a stop rule may end a training earlier)"
	}
	_, err := fmt.Fprintf(stdout, "%d points, %d done; about %v%s with %d at once, into %s\n",
		len(points), done, (total / time.Duration(opt.jobs)).Round(time.Second), atMost, opt.jobs, filepath.Clean(opt.output))
	return err
}
