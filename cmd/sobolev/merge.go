package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sobolev/rundir"
)

func newMergeCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "merge DIR... -o DIR",
		Short: "Make one run of several of the same experiment",
		Long: `merge copies the points of several runs of one experiment into one run, whose grid holds those of all:
for grids that were shared out between machines without a common folder. The runs stay as they are.`,
		Example: "  sobolev merge runs/monday runs/tuesday -o runs/both",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(fmt.Errorf("%s takes run directories. See %[1]s --help", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return merge(cmd.Context(), args, output, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "run directory of the whole")
	return cmd
}

// merge is the merge command.
func merge(ctx context.Context, paths []string, output string, stdout io.Writer) error {
	if output == "" {
		return usage(errors.New("merge needs -o DIR, the run directory of the whole"))
	}
	dir, err := rundir.Merge(ctx, output, paths)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return statusError{exitInterrupted, errors.New("interrupted; what was copied is whole, and the same command goes on")}
	case err != nil:
		return err
	}
	records, err := dir.Records()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s holds %d points of %d runs; the grid has %d\n", output, len(records), len(paths), len(dir.Config.Points()))
	return err
}
