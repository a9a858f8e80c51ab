package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sobolev/experiment"
	"sobolev/rundir"
)

var exportFormats = []string{"npz", "onnx", "csv", "parquet", "json"}

type exportOptions struct {
	format string
	output string
	point  string
}

func newExportCommand() *cobra.Command {
	var opt exportOptions
	cmd := &cobra.Command{
		Use:   "export DIR --format " + strings.Join(exportFormats, "|"),
		Short: "Write the results or the networks of a run for other programs",
		Long: `export writes what is finished of a run.
  npz      gradW, gradx, train_loss, train_acc, test_loss, test_acc: one array each, an entry a trained
           network in the order of results.csv; gradW and gradx are g_W and g_x of order 1
  onnx     the trained networks, a file each; with --point one of them
  csv      results.csv as the points give it now
  parquet  results.parquet as the points give it now
  json     an array of the points' result.json, each with its point`,
		Example: "  sobolev export runs/quickstart --format npz\n  sobolev export runs/quickstart --format onnx -o models",
		Args:    exactly(1, "a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return exportRun(cmd.Context(), args[0], opt, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.format, "format", "", "one of "+strings.Join(exportFormats, ", "))
	f.StringVarP(&opt.output, "output", "o", "", "file, - for stdout, or for onnx without --point a folder (default DIR/results.FORMAT, DIR/onnx)")
	f.StringVar(&opt.point, "point", "", "with onnx: the point's name, as in results.csv")
	return cmd
}

func (opt exportOptions) validate() error {
	switch {
	case opt.format == "":
		return fmt.Errorf("export needs --format, one of %s", strings.Join(exportFormats, ", "))
	case !slices.Contains(exportFormats, opt.format):
		return fmt.Errorf("--format %s is not known; it is one of %s", opt.format, strings.Join(exportFormats, ", "))
	case opt.output == "-" && opt.format == "onnx" && opt.point == "":
		return fmt.Errorf("-o -: onnx is a file a point; choose one with --point, or give a folder")
	case opt.point != "" && opt.format != "onnx":
		return fmt.Errorf("--point belongs to --format onnx; %s holds all points", opt.format)
	}
	return nil
}

// exportRun is the export command.
func exportRun(ctx context.Context, path string, opt exportOptions, stdout, stderr io.Writer) error {
	if err := opt.validate(); err != nil {
		return usage(err)
	}
	dir, err := rundir.Open(path)
	if err != nil {
		return err
	}
	export, err := experiment.NewExport(dir)
	if err != nil {
		return err
	}
	switch {
	case opt.point != "":
		return exportPoint(export, dir, opt, stdout)
	case opt.format == "onnx":
		err = exportModels(ctx, export, cmp.Or(opt.output, filepath.Join(path, "onnx")), stdout)
	default:
		err = exportTable(export, dir, opt, stdout)
	}
	if err != nil {
		return err
	}
	tellMissing(export, stderr)
	return nil
}

func exportTable(export *experiment.Export, dir *rundir.Dir, opt exportOptions, stdout io.Writer) error {
	// The run rebuilds these two itself, and the older of two writers may be the last.
	own := opt.format == "csv" || opt.format == "parquet"
	if own && opt.output == "" && dir.InUse() {
		return fmt.Errorf("%s is in use by another sobolev process, which will write its results.%s; give another file with -o", dir.Path, opt.format)
	}
	data, err := export.Encode(opt.format)
	if err != nil {
		return err
	}
	return place(cmp.Or(opt.output, filepath.Join(dir.Path, "results."+opt.format)), data, stdout)
}

func exportPoint(export *experiment.Export, dir *rundir.Dir, opt exportOptions, stdout io.Writer) error {
	trained := export.Trained()
	i := slices.IndexFunc(trained, func(r rundir.Record) bool { return r.Name == opt.point })
	if i < 0 {
		return usage(fmt.Errorf("--point %s: %s has no trained network of that name; sobolev status %s lists its points", opt.point, dir.Path, dir.Path))
	}
	data, err := export.ONNX(trained[i])
	if err != nil {
		return err
	}
	output := opt.output
	if output == "" {
		output = filepath.Join(dir.Path, "onnx", opt.point+".onnx")
		if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
			return err
		}
	}
	return place(output, data, stdout)
}

func exportModels(ctx context.Context, export *experiment.Export, folder string, stdout io.Writer) error {
	trained := export.Trained()
	if len(trained) == 0 {
		return fmt.Errorf("no training has finished without diverging: there is no network to export")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, r := range trained {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := export.ONNX(r)
		if err != nil {
			return err
		}
		if err := place(filepath.Join(folder, r.Name+".onnx"), data, stdout); err != nil {
			return err
		}
	}
	return nil
}

// place writes a file whole and prints its name; "-" is stdout. A link stays one,
// and a device such as /dev/null stays what it is, which a rename would replace.
func place(path string, data []byte, stdout io.Writer) error {
	if path == "-" {
		_, err := stdout.Write(data)
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return usage(fmt.Errorf("-o %s is a folder or a device; give the name of a file, or - for stdout", path))
	}
	if err := rundir.WriteFile(path, data); err != nil {
		return err
	}
	_, err := fmt.Fprintln(stdout, path)
	return err
}

// tellMissing says how many points are not in an export, or in it without values.
func tellMissing(export *experiment.Export, stderr io.Writer) {
	var reasons []string
	for _, r := range []struct {
		n    int
		text string
	}{{export.Unfinished, "unfinished"}, {export.Failed, "failed"}, {export.Diverged, "diverged"}} {
		if r.n > 0 {
			reasons = append(reasons, fmt.Sprintf("%d %s", r.n, r.text))
		}
	}
	if reasons != nil {
		fmt.Fprintf(stderr, "sobolev: points that have no values to export: %s\n", strings.Join(reasons, ", "))
	}
}
