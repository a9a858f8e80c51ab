package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sobolev/rundir"
)

type reportOptions struct {
	output  string
	figures string
}

func newReportCommand() *cobra.Command {
	var opt reportOptions
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Draw the figures and the page of a run again",
		Args:  exactly(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return drawReport(args[0], opt, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&opt.output, "output", "o", "", "the page's file (default DIR/report.html)")
	cmd.Flags().StringVar(&opt.figures, "figures", "svg,pdf,png", "formats of the figures in DIR/figures")
	return cmd
}

// drawReport is the report command.
func drawReport(path string, opt reportOptions, stdout io.Writer) error {
	dir, err := rundir.Open(path)
	if err != nil {
		return err
	}
	formats := slices.DeleteFunc(strings.Split(opt.figures, ","), func(s string) bool { return s == "" })
	return writeReport(dir, opt.output, formats, stdout)
}
