package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"sobolev/dataset"
)

func newDataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data list | fetch NAME | info NAME",
		Short: "List, download and describe data sets",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(fmt.Errorf("data has no command %q; it has list, fetch and info", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var dataDir string
	list := &cobra.Command{
		Use: "list", Short: "List the data sets", Args: exactly(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error { return listData(dataDir, cmd.OutOrStdout()) },
	}
	var mirrors []string
	fetch := &cobra.Command{
		Use: "fetch NAME", Short: "Download a data set into the data folder", Args: exactly(1, "the name of a data set"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return fetchData(cmd.Context(), args[0], dataDir, mirrors, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fetch.Flags().StringArrayVar(&mirrors, "mirror", nil, "base URL to download from instead of the original location")
	info := &cobra.Command{
		Use: "info NAME", Short: "Describe a data set", Args: exactly(1, "the name of a data set"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return describeData(args[0], dataDir, cmd.OutOrStdout())
		},
	}
	cmd.PersistentFlags().StringVar(&dataDir, "data-dir", "", "folder of data sets (default: SOBOLEV_DATA, then the user's cache folder)")
	cmd.AddCommand(list, fetch, info)
	return cmd
}

// listData is the data list command.
func listData(dataDir string, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, e := range dataset.Catalogue() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, whereabouts(e, dataDir), e.Description)
	}
	return w.Flush()
}

// whereabouts says whether the set can be used now.
func whereabouts(e dataset.Entry, dataDir string) string {
	if len(e.Files) == 0 {
		return "built in"
	}
	if _, err := dataset.Locate(e, dataDir); err != nil {
		return fmt.Sprintf("not here (%d MB)", e.Bytes/1e6)
	}
	return "here"
}

// describeData is the data info command.
func describeData(name, dataDir string, stdout io.Writer) error {
	e, err := dataset.Lookup(name)
	if err != nil {
		return usage(err)
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	row := func(key, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", key, fmt.Sprintf(format, args...)) }
	row("name", "%s", e.Name)
	row("what", "%s", e.Description)
	row("licence", "%s", e.Licence)
	if e.Shape != nil {
		row("input", "%v", e.Shape)
	}
	if e.Train > 0 {
		row("samples", "%d training, %d test", e.Train, e.Test)
	}
	for i, class := range e.Classes {
		row(fmt.Sprintf("class %d", i), "%s", class)
	}
	paths, err := dataset.Locate(e, dataDir)
	for i, f := range e.Files {
		at := "not here"
		if err == nil {
			at = paths[i]
		}
		packing := "unpacked "
		if f.Packed {
			packing = ""
		}
		row("file", "%s: %d bytes, %sSHA-256 %s; %s", f.Name, f.Bytes, packing, f.SHA256, at)
	}
	if e.Debian != "" {
		row("Debian", "package %s", e.Debian)
	}
	return w.Flush()
}

// fetchData is the data fetch command.
func fetchData(ctx context.Context, name, dataDir string, mirrors []string, stdout, stderr io.Writer) error {
	if _, err := dataset.Lookup(name); err != nil {
		return usage(err)
	}
	watch := newDownloads(stderr)
	err := dataset.Fetch(ctx, name, dataDir, dataset.FetchOptions{Mirrors: mirrors, Progress: watch.progress})
	watch.close()
	var request *dataset.RequestError
	switch {
	case errors.As(err, &request):
		return usage(errors.New(request.Problem))
	case err != nil:
		return err
	}
	folder, err := dataset.FetchFolder(name, dataDir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, folder)
	return err
}

// downloads shows one bar a file on a terminal, and lines otherwise.
type downloads struct {
	out  io.Writer
	bars *mpb.Progress

	mu   sync.Mutex
	bar  map[string]*mpb.Bar
	last map[string]time.Time
}

func newDownloads(out io.Writer) *downloads {
	return &downloads{out: out, bars: newBars(out), bar: map[string]*mpb.Bar{}, last: map[string]time.Time{}}
}

func (d *downloads) progress(file string, done, total int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bars == nil {
		if done == total || time.Since(d.last[file]) >= plainInterval {
			d.last[file] = time.Now()
			fmt.Fprintf(d.out, "%s: %.1f of %.1f MB\n", file, float64(done)/1e6, float64(total)/1e6)
		}
		return
	}
	if d.bar[file] == nil {
		d.bar[file] = d.bars.AddBar(max(total, 0),
			mpb.PrependDecorators(decor.Name(file+strings.Repeat(" ", max(0, 28-len(file))))),
			mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)))
	}
	d.bar[file].SetTotal(max(total, 0), false)
	d.bar[file].SetCurrent(done)
}

// close leaves the terminal as a later line expects it.
func (d *downloads) close() {
	if d.bars == nil {
		return
	}
	for _, b := range d.bar {
		b.Abort(false)
	}
	d.bars.Wait()
}
