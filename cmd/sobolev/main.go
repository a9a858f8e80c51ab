// Command sobolev trains networks over grids of learning rates and batch sizes
// and measures how smooth the solutions are that SGD chooses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitPartial     = 3
	exitInterrupted = 130
)

// statusError is an error with the exit status that it asks for.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string { return e.err.Error() }
func (e statusError) Unwrap() error { return e.err }

// usage marks err as wrong usage or configuration.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return statusError{exitUsage, err}
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), append(leaveSignals, os.Interrupt, syscall.SIGTERM)...)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	status := exitFailed
	var se statusError
	switch {
	case errors.As(err, &se):
		status = se.status
	case errors.Is(err, context.Canceled):
		status = exitInterrupted
	}
	if err == context.Canceled {
		err = errors.New("interrupted")
	}
	fmt.Fprintln(stderr, "sobolev:", err)
	return status
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "sobolev",
		Short:         "See, measure and predict how SGD chooses smooth functions",
		Long:          "sobolev trains networks over grids of learning rates and batch sizes until they interpolate,\nand measures how smooth the solutions are that SGD chooses (Ma & Ying, 2021).",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("there is no command %q; see sobolev --help", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	root.AddCommand(newRunCommand(), newAuditCommand(), newReportCommand(), newServeCommand(), newStatusCommand(), newCancelCommand(), newMergeCommand(), newWorkerCommand(), newExportCommand(), newDataCommand(), newPresetsCommand())
	return root
}

// exactly is cobra.ExactArgs with the exit status of wrong usage.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage(fmt.Errorf("%s takes %s; got %q. See %s --help", cmd.CommandPath(), what, args, cmd.CommandPath()))
		}
		return nil
	}
}
