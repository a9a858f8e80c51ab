package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"sobolev/dataset"
	"sobolev/experiment"
	"sobolev/presets"
	"sobolev/report"
	"sobolev/rundir"
	"sobolev/sweep"
)

// failedTries is how often a point may fail before only --retry-failed takes it up:
// once more than once, for a node that was ill.
const failedTries = 2

// checkpointInterval is the experiment's; 0 is its default. Tests that kill the
// program make it short.
var checkpointInterval time.Duration

type runOptions struct {
	output      string
	jobs        int
	set         []string
	dataDir     string
	memory      string
	dryRun      bool
	quiet       bool
	retryFailed bool
	executor    string
	wait        bool
}

func newRunCommand() *cobra.Command {
	var opt runOptions
	cmd := &cobra.Command{
		Use:   "run PRESET|CONFIG.yaml",
		Short: "Train, measure and draw a grid; resume or extend one",
		Long: `run trains every point of a grid that is not done yet, measures it and writes a report.
On an existing directory it resumes; values added to the grid extend it; finished points are never run twice.`,
		Example: "  sobolev run quickstart\n  sobolev run fmnist-lr -o runs/figure1 -j 8 --set repetitions=3",
		Args:    exactly(1, "a preset's name or a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runGrid(cmd.Context(), args[0], opt, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&opt.output, "output", "o", "", "run directory (default runs/NAME)")
	f.IntVarP(&opt.jobs, "jobs", "j", 0, "points that run at once (default: one a core)")
	f.StringArrayVar(&opt.set, "set", nil, "override a value of the configuration, such as grid.batch_size=[10,20]")
	f.StringVar(&opt.dataDir, "data-dir", "", "folder of data sets (default: SOBOLEV_DATA, then the user's cache folder)")
	f.StringVar(&opt.memory, "memory", "", "limit of working memory, such as 2GiB (default: half of what the process may use)")
	f.BoolVar(&opt.dryRun, "dry-run", false, "list the points and an estimate of the time, and do nothing")
	f.BoolVar(&opt.quiet, "quiet", false, "no progress")
	f.BoolVar(&opt.retryFailed, "retry-failed", false, "run points again that failed too often to be tried again by themselves")
	f.StringVar(&opt.executor, "executor", "local", "where points run: local, or slurm (submits jobs and returns)")
	f.BoolVar(&opt.wait, "wait", false, "with --executor slurm: follow the jobs until all points have ended, and draw the report")
	return cmd
}

// runGrid is the run command.
func runGrid(ctx context.Context, arg string, opt runOptions, stdout, stderr io.Writer) error {
	src, err := readSource(arg, opt.set)
	if err != nil {
		return usage(err)
	}
	cfg, err := src.Config()
	if err != nil {
		return usage(err)
	}
	if opt.jobs < 0 {
		return usage(fmt.Errorf("-j %d: give the number of points that run at once, at least 1", opt.jobs))
	}
	switch {
	case opt.executor != "local" && opt.executor != "slurm":
		return usage(fmt.Errorf("--executor %s: want local or slurm", opt.executor))
	case opt.executor == "local" && opt.wait:
		return usage(errors.New("--wait is for --executor slurm: a local run always waits"))
	case opt.executor == "slurm" && opt.jobs != 0:
		return usage(errors.New("-j is for local runs; executor.cpus is the number of points that a task works on at once"))
	}
	if opt.jobs == 0 {
		opt.jobs = runtime.GOMAXPROCS(0)
	}
	memory, err := limitMemory(opt.memory)
	if err != nil {
		return usage(err)
	}
	exp, err := experiment.New(ctx, cfg, experiment.Options{DataDir: opt.dataDir, Memory: memory, Jobs: opt.jobs, CheckpointInterval: checkpointInterval})
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return statusError{exitInterrupted, errors.New("interrupted before the data were read; nothing was changed")}
	case err != nil:
		return dataError(src, err)
	}
	if opt.output == "" {
		opt.output = filepath.Join("runs", cfg.Name)
	}
	if keepsHistory(opt.output, cfg) {
		fmt.Fprintf(stderr, "measure.every and measure.probe are for trainings to come: points of %s that are trained keep their history.parquet; train them again in another directory (-o) or without their folders\n", opt.output)
	}
	if opt.dryRun {
		return dryRun(ctx, exp, cfg, opt, stdout)
	}
	dir, err := rundir.Create(opt.output, cfg)
	if err != nil {
		return createError(err)
	}
	defer dir.Close()
	return work(ctx, exp, dir, opt, stdout, stderr)
}

// createError gives the error of a directory that was not meant its exit status.
func createError(err error) error {
	var other *rundir.OtherExperimentError
	if errors.As(err, &other) {
		return usage(err)
	}
	return err
}

// keepsHistory says that the run at path holds trained points whose history was written
// at other steps than cfg asks for. No change of measure trains a point again.
func keepsHistory(path string, cfg rundir.Config) bool {
	there, err := rundir.Open(path)
	if err != nil {
		return false
	}
	was, is := there.Config.Measure, cfg.Measure
	if was.Every == is.Every && was.Probe == is.Probe && was.ProbeSamples == is.ProbeSamples {
		return false
	}
	return slices.ContainsFunc(cfg.Points(), func(p rundir.Point) bool {
		_, err := os.Stat(there.Point(p).File("history.parquet"))
		return err == nil
	})
}

// work runs the sweep and draws its report.
func work(ctx context.Context, exp *experiment.Experiment, dir *rundir.Dir, opt runOptions, stdout, stderr io.Writer) error {
	if opt.executor == "slurm" {
		return submit(ctx, exp, dir, opt, stdout, stderr)
	}
	watch := newObserver(stderr, opt.quiet, dir.Config.SGD.Iterations)
	sum, err := sweep.Run(ctx, dir, dir.Config.Points(), exp.Run, sweepOptions(exp, opt, watch))
	watch.close()
	if err != nil {
		return ended(sum, err)
	}
	return finish(dir, sum, stdout)
}

func sweepOptions(exp *experiment.Experiment, opt runOptions, watch sweep.Observer) sweep.Options {
	return sweep.Options{
		Jobs: opt.jobs, Tries: failedTries, RetryFailed: opt.retryFailed, Done: exp.Done,
		Planned: func(points int) { exp.ShareCores(runtime.GOMAXPROCS(0), opt.jobs, points) },
		Version: version(), Kernel: experiment.KernelName(), Observer: watch,
	}
}

// ended gives the end of a sweep its exit status.
func ended(sum sweep.Summary, err error) error {
	var unwritten *rundir.WriteError
	switch {
	case errors.As(err, &unwritten):
		return err // even if interrupted: the rest is not saved
	case errors.Is(err, context.Canceled):
		return statusError{exitInterrupted, fmt.Errorf("interrupted: %d of %d points are done and the rest is saved; the same command goes on from here", sum.Done, sum.Points)}
	case err != nil:
		return err
	case sum.Failed > 0:
		return statusError{exitPartial, fmt.Errorf("%d of %d points failed, the first: %w", sum.Failed, sum.Points, sum.FirstError)}
	}
	return nil
}

// finish draws the report of a run whose points have all ended, unless it is there.
func finish(dir *rundir.Dir, sum sweep.Summary, stdout io.Writer) error {
	drawing, there := report.LastDrawing(dir)
	if !there {
		var err error
		if drawing, err = report.Draw(dir, report.Usual); err != nil {
			return err
		}
	}
	conclude(dir, drawing.Summary, report.Page(dir), there, stdout)
	return ended(sum, nil)
}

// readSource reads a preset or a file.
func readSource(arg string, set []string) (rundir.Source, error) {
	src := rundir.Source{Name: arg, Set: set}
	var err error
	if ext := filepath.Ext(arg); ext == ".yaml" || ext == ".yml" {
		src.Text, err = os.ReadFile(arg)
	} else {
		src.Text, err = presets.Read(arg)
	}
	return src, err
}

// dataError gives an error in what the configuration says about its data a
// place in the source and the exit status of a wrong configuration, unlike a
// data file that cannot be read.
func dataError(src rundir.Source, err error) error {
	var request *dataset.RequestError
	if errors.As(err, &request) {
		err = &rundir.ValueError{Key: "dataset." + request.Key, Problem: request.Problem}
	}
	var value *rundir.ValueError
	if errors.As(err, &value) {
		return usage(src.Locate(err))
	}
	return err
}

// conclude prints the summary of a run and where its report is.
func conclude(dir *rundir.Dir, summary, page string, upToDate bool, stdout io.Writer) {
	remark := ""
	if upToDate {
		remark = " (up to date)"
	}
	fmt.Fprintf(stdout, "%sresults: %s\nreport:  %s%s\n", summary, filepath.Join(dir.Path, "results.csv"), page, remark)
}

// version is that of the module, with the revision if the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v
}
