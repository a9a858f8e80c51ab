package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sobolev/rundir"
)

func newStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status DIR",
		Short: "Say where every point of a run stands",
		Args:  exactly(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printStatus(args[0], cmd.OutOrStdout())
		},
	}
}

// printStatus is the status command. Points of the grid that were never started
// have no folder: they are counted from the configuration.
func printStatus(path string, stdout io.Writer) error {
	dir, err := rundir.Open(path)
	if err != nil {
		return err
	}
	records, err := dir.Records()
	if err != nil {
		return err
	}
	counts, inUse := map[string]int{}, dir.InUse()
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "point\tstatus\tsteps\tattempts\tseconds")
	seen := map[string]bool{}
	for _, r := range records {
		standing := r.Standing(inUse)
		counts[standing]++
		seen[r.Name] = true
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\n", r.Name, standing, r.Status.Steps, r.Status.Attempts, r.Status.Seconds)
		if r.Status.Error != "" {
			fmt.Fprintf(w, "\t%s\n", r.Status.Error)
		}
	}
	for _, p := range dir.Config.Points() {
		if !seen[p.Name()] {
			counts[string(rundir.Pending)]++
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	separator := ""
	for _, s := range []string{"finished", "diverged", "failed", "running", "interrupted", "pending"} {
		if counts[s] > 0 {
			fmt.Fprintf(stdout, "%s%s: %d", separator, s, counts[s])
			separator = ", "
		}
	}
	_, err = fmt.Fprintln(stdout)
	return err
}
