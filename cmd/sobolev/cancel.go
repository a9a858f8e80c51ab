package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sobolev/rundir"
	"sobolev/sweep/slurm"
)

func newCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel DIR",
		Short: "End the Slurm jobs of a run; what they did so far is kept",
		Args:  exactly(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return cancelJobs(cmd.Context(), args[0], cmd.OutOrStdout())
		},
	}
}

// cancelJobs is the cancel command.
func cancelJobs(ctx context.Context, path string, stdout io.Writer) error {
	dir, err := rundir.Open(path)
	if err != nil {
		return err
	}
	jobs, err := slurm.Cancel(ctx, dir)
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		_, err = fmt.Fprintf(stdout, "%s has no jobs that wait or run\n", path)
		return err
	}
	_, err = fmt.Fprintf(stdout, "cancelled: job %s; running points save a checkpoint, and run --executor slurm goes on from there\n", strings.Join(jobs, ", "))
	return err
}
