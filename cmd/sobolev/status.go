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

// The standings that status adds to those of a rundir.Record.
const (
	waiting     = "waiting"       // in a task that has not begun
	interrupted = "interrupted"   // its process has ended
	left        = "left"          // without a result, and in no task any more
	toRemeasure = "to re-measure" // its result is of another measure
)

// standings are the words of status, in the order of its last line.
var standings = []string{"finished", "diverged", string(rundir.Failed), string(rundir.Running), waiting, interrupted, left, toRemeasure, string(rundir.Pending)}

// board is what status knows of a run.
type board struct {
	dir         *rundir.Dir
	records     []rundir.Record
	holders     map[string]rundir.Holder
	submissions slurm.Submissions
	jobs        map[string]slurm.Standing
	// unanswered is why jobs says nothing: then the files still say what they say.
	unanswered error
	// grid holds the names of the points that a run works on.
	grid map[string]bool
	// logs are the logs that were shown: a task has many points.
	logs map[string]bool
}

// newBoard asks Slurm before it reads the files: what ends in between has a result then.
func newBoard(ctx context.Context, path string) (*board, error) {
	dir, err := rundir.Open(path)
	if err != nil {
		return nil, err
	}
	b := &board{dir: dir, grid: map[string]bool{}, logs: map[string]bool{}}
	if b.submissions, b.unanswered = slurm.ReadSubmissions(dir); b.unanswered == nil {
		asking, cancel := context.WithTimeout(ctx, answerTime)
		b.jobs, b.unanswered = b.submissions.Active(asking)
		cancel()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	reading, err := dir.Outline()
	if err != nil {
		return nil, err
	}
	b.records = reading.Records
	if b.holders, err = dir.Holders(); err != nil {
		return nil, err
	}
	for _, p := range dir.Config.Points() {
		b.grid[p.Name()] = true
	}
	return b, nil
}

// leftBy names the task that had the point last, if the point is in no task any more.
func (b *board) leftBy(name string) (task string, ok bool) {
	if _, queued := b.jobs[name]; queued || b.unanswered != nil {
		return "", false
	}
	return b.submissions.LastTask(name)
}

// standing is the word for a point, and what else there is to say about it.
func (b *board) standing(r rundir.Record) (word, detail string) {
	holder, held := b.holders[r.Name]
	job, queued := b.jobs[r.Name]
	word = r.Standing(held || queued && job.Running())
	open := r.Outcome() == string(rundir.Pending)
	if b.grid[r.Name] && r.Result != nil && !r.Result.Measures(b.dir.Config.Measure) {
		if word, open = toRemeasure, true; held {
			word = string(rundir.Running)
		}
	}
	task, gone := b.leftBy(r.Name)
	switch running := word == string(rundir.Running); {
	case queued && open && !running:
		word = waiting
	case gone && word == string(rundir.Pending):
		word = left
	}
	switch {
	case r.Status.Error != "":
		detail = fmt.Sprintf("%s (%d of %d attempts failed, the last on %s)", r.Status.Error, r.Status.Failures, r.Status.Attempts, r.Status.Host)
	case held && word == string(rundir.Running):
		detail = holder.String()
	case queued && open:
		detail = job.Description()
	case word == left:
		detail = "left by " + task
	}
	return word, detail
}

// printStatus is the status command. Of the points that have no folder, since they were
// never started, it shows those that a task has left; the others are counted.
func printStatus(ctx context.Context, path string, stdout io.Writer) error {
	b, err := newBoard(ctx, path)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	// A tabwriter writes every cell by itself.
	buffered := bufio.NewWriter(stdout)
	w := tabwriter.NewWriter(buffered, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "point\tstatus\tsteps\tattempts\tseconds")
	seen := map[string]bool{}
	row := func(r rundir.Record) {
		word, detail := b.standing(r)
		counts[word]++
		if !seen[r.Name] && word != left {
			return
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\n", r.Name, word, r.Status.Steps, r.Status.Attempts, r.Status.Seconds)
		if detail != "" {
			fmt.Fprintf(w, "\t%s\n", detail)
		}
		if word == string(rundir.Failed) || word == interrupted || word == left {
			b.printLog(w, r.Name)
		}
	}
	for _, r := range b.records {
		seen[r.Name] = true
		row(r)
	}
	for _, p := range b.dir.Config.Points() {
		if name := p.Name(); !seen[name] {
			row(rundir.Record{Name: name, Status: rundir.Status{State: rundir.Pending}})
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	separator := ""
	for _, s := range standings {
		if counts[s] > 0 {
			fmt.Fprintf(buffered, "%s%s: %d", separator, s, counts[s])
			separator = ", "
		}
	}
	if b.unanswered != nil {
		fmt.Fprintf(buffered, "\nSlurm does not say what waits: %v", b.unanswered)
	}
	fmt.Fprintln(buffered)
	return buffered.Flush()
}

// printLog shows the end of what the point's last task wrote, once.
func (b *board) printLog(w io.Writer, point string) {
	path, last := b.submissions.Log(point, logLines)
	if len(last) == 0 || b.logs[path] {
		return
	}
	b.logs[path] = true
	fmt.Fprintf(w, "\t%s:\n", path)
	for _, line := range last {
		fmt.Fprintf(w, "\t  %s\n", line)
	}
}
