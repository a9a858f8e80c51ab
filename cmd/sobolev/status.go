package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sobolev/rundir"
	"sobolev/sweep/slurm"
)

func newStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status DIR",
		Short: "Say where every point of a run stands",
		Args:  exactly(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printStatus(cmd.Context(), args[0], cmd.OutOrStdout())
		},
	}
}

// logLines is how much of a log is shown of a point that failed or was left.
const logLines = 5

// printStatus is the status command. Points of the grid that were never started
// have no folder: they are counted from the configuration.
func printStatus(ctx context.Context, path string, stdout io.Writer) error {
	dir, err := rundir.Open(path)
	if err != nil {
		return err
	}
	reading, err := dir.Outline()
	if err != nil {
		return err
	}
	holders, err := dir.Holders()
	if err != nil {
		return err
	}
	// Without Slurm's answer the files still say what they say.
	submissions, unanswered := slurm.ReadSubmissions(dir)
	var jobs map[string]slurm.Standing
	if unanswered == nil {
		asking, cancel := context.WithTimeout(ctx, answerTime)
		jobs, unanswered = submissions.Active(asking)
		cancel()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	grid := map[string]bool{}
	points := dir.Config.Points()
	for _, p := range points {
		grid[p.Name()] = true
	}
	logs := logPrinter{submissions: submissions, shown: map[string]bool{}}
	// left says that a point without a result is with no task any more that had it.
	left := func(name string) (task string, ok bool) {
		if _, queued := jobs[name]; queued || unanswered != nil {
			return "", false
		}
		return submissions.LastTask(name)
	}
	counts := map[string]int{}
	// A tabwriter writes every cell by itself.
	buffered := bufio.NewWriter(stdout)
	w := tabwriter.NewWriter(buffered, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "point\tstatus\tsteps\tattempts\tseconds")
	seen := map[string]bool{}
	for _, r := range reading.Records {
		holder, held := holders[r.Name]
		job, queued := jobs[r.Name]
		standing := r.Standing(held || queued && job.Running())
		open := r.Outcome() == string(rundir.Pending)
		if grid[r.Name] && r.Result != nil && !r.Result.Measures(dir.Config.Measure) {
			if standing, open = "to re-measure", true; held {
				standing = string(rundir.Running)
			}
		}
		task, gone := left(r.Name)
		switch {
		case queued && open && standing != string(rundir.Running):
			standing = "waiting"
		case gone && standing == string(rundir.Pending):
			standing = "left"
		}
		counts[standing]++
		seen[r.Name] = true
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\n", r.Name, standing, r.Status.Steps, r.Status.Attempts, r.Status.Seconds)
		switch {
		case r.Status.Error != "":
			fmt.Fprintf(w, "\t%s (%d of %d attempts failed, the last on %s)\n", r.Status.Error, r.Status.Failures, r.Status.Attempts, r.Status.Host)
		case held && standing == string(rundir.Running):
			fmt.Fprintf(w, "\t%v\n", holder)
		case queued && open:
			fmt.Fprintf(w, "\t%s\n", job.Description())
		case standing == "left":
			fmt.Fprintf(w, "\tleft by %s\n", task)
		}
		if standing == string(rundir.Failed) || standing == "interrupted" || standing == "left" {
			logs.print(w, r.Name)
		}
	}
	for _, p := range points {
		name := p.Name()
		if seen[name] {
			continue
		}
		task, gone := left(name)
		switch {
		case jobs[name].Job != "":
			counts["waiting"]++
		case gone:
			counts["left"]++
			fmt.Fprintf(w, "%s\tleft\t0\t0\t0.0\n\tleft by %s\n", name, task)
			logs.print(w, name)
		default:
			counts[string(rundir.Pending)]++
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	separator := ""
	for _, s := range []string{"finished", "diverged", "failed", "running", "waiting", "interrupted", "left", "to re-measure", "pending"} {
		if counts[s] > 0 {
			fmt.Fprintf(buffered, "%s%s: %d", separator, s, counts[s])
			separator = ", "
		}
	}
	if unanswered != nil {
		fmt.Fprintf(buffered, "\nSlurm does not say what waits: %v", unanswered)
	}
	fmt.Fprintln(buffered)
	return buffered.Flush()
}

// logPrinter shows the ends of logs, each once: a task has many points.
type logPrinter struct {
	submissions slurm.Submissions
	shown       map[string]bool
}

// print shows the end of what the point's last task wrote.
func (l logPrinter) print(w io.Writer, point string) {
	path, last := l.submissions.Log(point, logLines)
	if len(last) == 0 || l.shown[path] {
		return
	}
	l.shown[path] = true
	fmt.Fprintf(w, "\t%s:\n", path)
	for _, line := range last {
		fmt.Fprintf(w, "\t  %s\n", line)
	}
}
