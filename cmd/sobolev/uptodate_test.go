package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sobolev/rundir"
)

// A run with nothing to do draws nothing, and draws as soon as anything is not as the
// last drawing left it.
func TestReportIsDrawnOnceAndWhenItMust(t *testing.T) {
	config, dir := filepath.Join(t.TempDir(), "small.yaml"), filepath.Join(t.TempDir(), "run")
	if err := os.WriteFile(config, []byte(strings.Replace(killConfig, "8000", "200", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	program := programNamed(t, "sobolev")
	run := func(program string, arguments ...string) (upToDate bool) {
		t.Helper()
		out, err := exec.Command(program, append([]string{"run", config, "-o", dir, "--quiet"}, arguments...)...).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), "4 points, ") {
			t.Errorf("no summary in %q", out)
		}
		return strings.HasSuffix(string(out), "report.html (up to date)\n")
	}
	if run(program) {
		t.Error("the first report is called up to date")
	}
	whole := runBytes(t, dir)
	page, err := os.Stat(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	if !run(program) {
		t.Error("drawn again without a reason")
	}
	if again, err := os.Stat(filepath.Join(dir, "report.html")); err != nil || !os.SameFile(page, again) {
		t.Error("the page of a report that is up to date was written")
	}

	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	first := d.Point(d.Config.Points()[0])
	remove := func(path string) func() error {
		return func() error { return os.Remove(filepath.Join(dir, path)) }
	}
	for _, c := range []struct {
		what   string
		change func() error
	}{
		{"the page is gone", remove("report.html")},
		{"a figure is gone", remove("figures/figure1-k1.pdf")},
		{"the data of a figure are gone", remove("figures/figure1-k1.csv")},
		{"the note is gone", remove(".report")},
		{"the note is half a note", func() error { return os.Truncate(filepath.Join(dir, ".report"), 20) }},
		{"a figure is another", func() error {
			return os.WriteFile(filepath.Join(dir, "figures", "training.svg"), []byte("<svg/>"), 0o644)
		}},
		{"a point has to be run again", func() error { return os.RemoveAll(first.Path) }},
		{"a point has to be measured again", func() error { return os.Remove(first.File("result.json")) }},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		if run(program) {
			t.Errorf("%s: the report is called up to date", c.what)
		}
		compareRuns(t, whole, runBytes(t, dir))
		if !run(program) {
			t.Errorf("%s: drawn twice", c.what)
		}
	}

	// The tables are no reason to draw, and as they should be in any case.
	for what, change := range map[string]func() error{
		"gone":      remove("results.csv"),
		"cut short": func() error { return os.Truncate(filepath.Join(dir, "results.parquet"), 20) },
		"another":   func() error { return os.WriteFile(filepath.Join(dir, "results.csv"), []byte("point\n"), 0o644) },
		"not noted": remove(".results"),
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if !run(program) {
			t.Errorf("a table is %s: the report is drawn again", what)
		}
		compareRuns(t, whole, runBytes(t, dir))
	}
	table, err := os.Stat(filepath.Join(dir, "results.csv"))
	if err != nil {
		t.Fatal(err)
	}
	run(program)
	if again, err := os.Stat(filepath.Join(dir, "results.csv")); err != nil || !os.SameFile(table, again) {
		t.Error("tables that are up to date were written")
	}

	// The curves of training are those of the histories.
	if err := os.Remove(first.File("history.parquet")); err != nil {
		t.Fatal(err)
	}
	if run(program) {
		t.Error("a history is gone: the report is called up to date")
	}
	// Another measurement.
	if run(program, "--set", "measure.orders=[1, 2]") || !run(program, "--set", "measure.orders=[1, 2]") {
		t.Error("with another measurement the report is not drawn once")
	}
	if _, err := os.Stat(filepath.Join(dir, "figures", "figure1-k2.svg")); err != nil {
		t.Error(err)
	}
	// The report command draws always, all of it for run as well.
	if err := exec.Command(program, "report", dir, "--figures", "svg").Run(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "report", dir).Output(); err != nil || strings.Contains(string(out), "up to date") {
		t.Errorf("report: %v\n%s", err, out)
	}
	if !run(program, "--set", "measure.orders=[1, 2]") {
		t.Error("drawn again after the report command, which drew the same")
	}
	if runtime.GOOS != "linux" {
		t.Skip("a program with bytes after its end runs on Linux")
	}
	self, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "sobolev")
	if err := os.WriteFile(other, append(self, "another version"...), 0o755); err != nil {
		t.Fatal(err)
	}
	orders := []string{"--set", "measure.orders=[1, 2]"}
	if run(other, orders...) || !run(other, orders...) || run(program, orders...) {
		t.Error("two versions of the program take each other's reports for theirs")
	}
}
