package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sobolev/report"
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
	cmd.Flags().StringVar(&opt.figures, "figures", strings.Join(report.Usual, ","), "formats of the figures in DIR/figures: "+strings.Join(report.Formats, ", "))
	return cmd
}

// drawReport is the report command.
func drawReport(path string, opt reportOptions, stdout io.Writer) error {
	formats := slices.DeleteFunc(strings.Split(opt.figures, ","), func(s string) bool { return s == "" })
	if err := report.CheckFormats(formats); err != nil {
		return usage(fmt.Errorf("--figures %s: %w", opt.figures, err))
	}
	dir, err := rundir.Open(path)
	if err != nil {
		return err
	}
	page := cmp.Or(opt.output, report.Page(dir))
	whole := !slices.ContainsFunc(report.Usual, func(f string) bool { return !slices.Contains(formats, f) })
	if opt.output == "" && whole {
		drawing, err := report.Draw(dir, formats)
		if err == nil {
			conclude(dir, drawing.Summary, page, false, stdout)
		}
		return err
	}
	r, err := report.Build(dir)
	if err != nil {
		return err
	}
	if _, err := r.Write(page, filepath.Join(dir.Path, "figures"), formats); err != nil {
		return err
	}
	conclude(dir, r.Summary(), page, false, stdout)
	return nil
}
