package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"sobolev/experiment"
	"sobolev/report"
	"sobolev/rundir"
)

type auditOptions struct {
	experiment.AuditOptions
	orders, normalize, memory string
	json, report              string

	smoothness, targetBound, targetLipschitz string
	given                                    func(flag string) bool // on the command line
}

func newAuditCommand() *cobra.Command {
	var opt auditOptions
	cmd := &cobra.Command{
		Use:   "audit MODEL --data FILE --lr η --batch B",
		Short: "Measure a model that was trained elsewhere: is it stable for its SGD, and how smooth is it?",
		Long: `audit measures a trained model, an .onnx file or the weights as .safetensors, on its training data: fit, gradient
moments, curvature, the learning rates up to which SGD stays at the solution, and the bounds of Ma & Ying (2021).
Data are an .npz file with x (n×d, or n×channels×height×width) and y (n×outputs, or n class labels), a pair of IDX files
(the images, or the folder), CIFAR-10's archive or folder, or a data set's name; NAME:0,6 chooses classes.
The exit status is 0 whether or not the model is stable.`,
		Example: "  sobolev audit model.onnx --data train.npz --lr 0.1 --batch 20\n  sobolev audit model.safetensors --arch model.yaml --data train.npz --lr 0.1 --batch 20 --json audit.json",
		Args:    exactly(1, "a model, an .onnx or .safetensors file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opt.Model, opt.given = args[0], cmd.Flags().Changed
			return auditModel(cmd.Context(), opt, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Data, "data", "", "the training set: an .npz file, IDX or CIFAR-10 files, or a data set's name; NAME:0,6 chooses classes")
	f.StringVar(&opt.Test, "test", "", "a test set as .npz (default: x_test and y_test of the training set's file)")
	f.Float64Var(&opt.LearningRate, "lr", 0, "the learning rate η of the training")
	f.IntVar(&opt.BatchSize, "batch", 0, "its batch size B")
	f.StringVar(&opt.Architecture, "arch", "", "the layers that .safetensors weights belong to, as YAML")
	f.StringVar(&opt.Activation, "activation", "", "for weights of dense layers without --arch: what is between them, such as relu")
	f.StringVar(&opt.Loss, "loss", "mse", "mse (mean over batch and outputs), half-mse (½ of the sum over outputs) or cross-entropy (of softmax; targets are classes)")
	f.StringVar(&opt.orders, "orders", "1,2,3", "the orders k of moments and bounds")
	f.StringVar(&opt.Sampling, "sampling", "without-replacement", "without-replacement, with-replacement or epochs (a shuffled DataLoader)")
	f.StringVar(&opt.normalize, "normalize", "", "MEAN,STD of the inputs: (x − MEAN)/STD, where bytes of images are divided by 255 first; for several channels all means, then all deviations")
	f.Float64Var(&opt.Radius, "radius", 0, "radius δ of the balls around the samples that Theorems 4-7 are about (default: they are left out)")
	f.StringVar(&opt.smoothness, "smoothness", "", "C_s,δ_approx of Definition 1 (default: searched for)")
	f.StringVar(&opt.targetBound, "target-bound", "", "M1, a bound of the target function (default: from the data)")
	f.StringVar(&opt.targetLipschitz, "target-lipschitz", "", "M2, a Lipschitz constant of the target function (default: from the data)")
	f.Float64Var(&opt.InterpolationTolerance, "interpolation-tol", 1e-3, "largest relative loss that counts as interpolation")
	f.IntVar(&opt.Limit, "limit", 0, "use a random subset of this many training samples (default: all)")
	f.StringVar(&opt.memory, "memory", "", "limit of working memory, such as 2GiB (default: half of what the process may use)")
	f.Uint64Var(&opt.Seed, "seed", 0, "seed of subsets and random estimates")
	f.StringVar(&opt.json, "json", "", "write the result as JSON to this file; - is standard output, to which nothing else is written then")
	f.StringVar(&opt.report, "report", "", "write the result as a page")
	return cmd
}

// auditModel is the audit command.
func auditModel(ctx context.Context, opt auditOptions, stdout io.Writer) error {
	if err := opt.parse(); err != nil {
		return usage(err)
	}
	if err := opt.checkOutputs(); err != nil {
		return err
	}
	opt.Workers = runtime.GOMAXPROCS(0)
	r, err := experiment.Audit(ctx, opt.AuditOptions)
	var value *rundir.ValueError
	switch {
	case err != nil && ctx.Err() != nil:
		return statusError{exitInterrupted, errors.New("interrupted: nothing was written")}
	case errors.As(err, &value) && value.Key == "MODEL":
		return usage(errors.New(value.Problem))
	case errors.As(err, &value):
		return usage(fmt.Errorf("--%w", value))
	case err != nil:
		return err
	}
	if opt.report != "" {
		if err := writeAuditPage(opt, r); err != nil {
			return err
		}
	}
	return printAudit(opt, r, stdout)
}

// checkOutputs refuses files to write that are read, or one another, and tries the
// folders of the others: an audit may take long.
func (o *auditOptions) checkOutputs() error {
	var outputs []string
	for _, f := range []struct{ flag, path string }{{"json", o.json}, {"report", o.report}} {
		if f.path == "" || f.flag == "json" && f.path == "-" {
			continue
		}
		if f.path == "-" {
			return usage(errors.New("--report: - is no file; a page is written to one"))
		}
		for _, other := range append(o.Inputs(), outputs...) {
			if sameFile(f.path, other) {
				return usage(fmt.Errorf("--%s %s would overwrite %s", f.flag, f.path, other))
			}
		}
		outputs = append(outputs, f.path)
		if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() {
			return usage(fmt.Errorf("--%s %s is not a regular file", f.flag, f.path))
		}
		trial, err := os.CreateTemp(filepath.Dir(f.path), ".sobolev-*")
		if err != nil {
			return fmt.Errorf("--%s %s cannot be written: %w", f.flag, f.path, err)
		}
		trial.Close()
		if err := os.Remove(trial.Name()); err != nil {
			return err
		}
	}
	return nil
}

// sameFile says whether two paths are one file, there or not.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return os.SameFile(x, y)
	}
	return errX != nil && errY != nil && resolved(a) == resolved(b)
}

// resolved is the absolute path with the links of its folder followed.
func resolved(path string) string {
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return filepath.Clean(path)
	}
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	return filepath.Join(folder, filepath.Base(path))
}

// writeAuditPage writes the page of --report.
func writeAuditPage(opt auditOptions, r *rundir.Result) error {
	page := report.Audit{Title: "Audit of " + filepath.Base(opt.Model), Verdict: opt.Verdict(r), Result: r}
	for _, f := range opt.Facts(r) {
		page.Facts = append(page.Facts, report.Fact{Name: f[0], Value: f[1]})
	}
	html, err := page.HTML()
	if err != nil {
		return err
	}
	return rundir.WriteFile(opt.report, html)
}

// printAudit writes the summary, or with --json the result.
func printAudit(opt auditOptions, r *rundir.Result, stdout io.Writer) error {
	if opt.json == "" {
		_, err := io.WriteString(stdout, opt.Summary(r))
		return err
	}
	text, err := r.AuditJSON()
	if err != nil {
		return err
	}
	if opt.json == "-" {
		_, err := stdout.Write(text)
		return err
	}
	return rundir.WriteFile(opt.json, text)
}

// parse reads the flags that are lists and sizes.
func (o *auditOptions) parse() error {
	var err error
	switch {
	case o.Data == "":
		return errors.New("--data is missing: give the training set, a file or a data set's name")
	case !o.given("lr"):
		return errors.New("--lr is missing: give the learning rate that the model was trained with")
	case !o.given("batch"):
		return errors.New("--batch is missing: give the batch size that the model was trained with")
	case o.InterpolationTolerance == 0:
		return errors.New("--interpolation-tol: 0 is not a positive number; no trained network fits to the last bit")
	}
	if o.Orders, err = parseOrders(o.orders); err != nil {
		return err
	}
	if err := o.parseNormalize(); err != nil {
		return err
	}
	if err := o.parseAssumptions(); err != nil {
		return err
	}
	o.Memory, err = limitMemory(o.memory)
	return err
}

func parseOrders(text string) ([]int, error) {
	values, err := numbers("orders", text)
	if err != nil {
		return nil, err
	}
	var orders []int
	for _, v := range values {
		if v != math.Trunc(v) || math.Abs(v) > 1e6 {
			return nil, fmt.Errorf("--orders %s: %v is no order; give whole numbers such as 1,2,3", text, v)
		}
		orders = append(orders, int(v))
	}
	return orders, nil
}

// parseNormalize splits the list into means and deviations.
func (o *auditOptions) parseNormalize() error {
	if o.normalize == "" {
		return nil
	}
	values, err := numbers("normalize", o.normalize)
	if err != nil {
		return err
	}
	if len(values)%2 != 0 {
		return fmt.Errorf("--normalize %s: %d values; give as many deviations as means, such as 0.286,0.353", o.normalize, len(values))
	}
	o.Mean, o.Std = values[:len(values)/2], values[len(values)/2:]
	return nil
}

// parseAssumptions reads the constants of Theorems 4-7.
func (o *auditOptions) parseAssumptions() error {
	for _, f := range []struct {
		flag, text string
		to         []*float64
	}{
		{"smoothness", o.smoothness, []*float64{&o.Smoothness, &o.Approximation}},
		{"target-bound", o.targetBound, []*float64{&o.TargetBound}},
		{"target-lipschitz", o.targetLipschitz, []*float64{&o.TargetLipschitz}},
	} {
		if f.text == "" {
			continue
		}
		values, err := numbers(f.flag, f.text)
		if err != nil {
			return err
		}
		if len(values) != len(f.to) {
			return fmt.Errorf("--%s %s: %d values; want %d", f.flag, f.text, len(values), len(f.to))
		}
		for i, v := range values {
			if !(v > 0) || math.IsInf(v, 0) {
				return fmt.Errorf("--%s %s: %v is not a positive number", f.flag, f.text, v)
			}
			*f.to[i] = v
		}
	}
	return nil
}

// numbers parses a list such as 0.5,0.25.
func numbers(flag, text string) ([]float64, error) {
	var list []float64
	for part := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, fmt.Errorf("--%s %s: %q is not a number", flag, text, part)
		}
		list = append(list, v)
	}
	return list, nil
}
