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
		jobs, unanswered = submissions.Active(ctx)
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
		if queued && standing != string(rundir.Running) && r.Outcome() == string(rundir.Pending) {
			standing = "waiting"
		}
		counts[standing]++
		seen[r.Name] = true
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\n", r.Name, standing, r.Status.Steps, r.Status.Attempts, r.Status.Seconds)
		switch {
		case r.Status.Error != "":
			fmt.Fprintf(w, "\t%s (%d of %d attempts failed, the last on %s)\n", r.Status.Error, r.Status.Failures, r.Status.Attempts, r.Status.Host)
		case held && standing == string(rundir.Running):
			fmt.Fprintf(w, "\t%v\n", holder)
		case queued && r.Outcome() == string(rundir.Pending):
			fmt.Fprintf(w, "\t%s\n", job.Description())
		}
		if standing == string(rundir.Failed) || standing == "interrupted" {
			printLog(w, submissions, r.Name)
		}
	}
	for _, p := range dir.Config.Points() {
		switch name := p.Name(); {
		case seen[name]:
		case jobs[name].Job != "":
			counts["waiting"]++
		default:
			counts[string(rundir.Pending)]++
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	separator := ""
	for _, s := range []string{"finished", "diverged", "failed", "running", "waiting", "interrupted", "pending"} {
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

// printLog shows the end of what the point's last task wrote.
func printLog(w io.Writer, submissions slurm.Submissions, point string) {
	path, last := submissions.Log(point, logLines)
	if len(last) == 0 {
		return
	}
	fmt.Fprintf(w, "\t%s:\n", path)
	for _, line := range last {
		fmt.Fprintf(w, "\t  %s\n", line)
	}
}
