package dashboard

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sobolev/rundir"
)

// watched is a run with a report and a reader who goes on asking.
type watched struct {
	*run
	s    *Server
	t    *testing.T
	home string
	d    *rundir.Dir
	c    rundir.Config
}

func watch(t *testing.T, c rundir.Config) watched {
	t.Helper()
	d := makeRun(t, t.TempDir(), c, 9)
	// Folders that have not changed for long are not looked at again.
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(d.Path, "points"), long, long); err != nil {
		t.Fatal(err)
	}
	s, h := start(t, Options{}, d.Path)
	w := watched{run: only(t, s), s: s, t: t, d: d, c: c}
	w.home = h.URL + w.run.home()
	w.until("the report", func() bool { report, _, _ := w.built.last(); return report != nil })
	return w
}

func (w watched) until(what string, holds func() bool) {
	w.t.Helper()
	eventually(w.t, what, func() bool { get(w.t, w.home); return holds() })
}

// leftOut is why the point does not count, for a page that has the data and the rows; "" if
// it counts.
func (w watched) leftOut(p rundir.Point) string {
	w.t.Helper()
	data, rows := w.built.data()
	why := "no such point"
	for _, r := range []*resource{data, rows} {
		if r == nil {
			continue
		}
		var d struct {
			Points  []string
			Columns []struct {
				Name  string
				Words []string
				Codes []int
			}
		}
		z, err := gzip.NewReader(bytes.NewReader(r.gzip))
		if err == nil {
			err = json.NewDecoder(z).Decode(&d)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		for i, name := range d.Points {
			if name != p.Name() {
				continue
			}
			why = ""
			for _, c := range d.Columns {
				if c.Name == "left_out" && c.Codes[i] >= 0 {
					why = c.Words[c.Codes[i]]
				}
			}
		}
	}
	return why
}

func (w watched) say(p rundir.Point, why string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s: %q", p.Name(), why), func() bool { return w.leftOut(p) == why })
}

// A folder that has lost its point.yaml is no point, until it has one again; the rows of
// the others go on.
func TestRowsWithoutAPoint(t *testing.T) {
	w := watch(t, experiment(t, "grid", "fashion-mnist-mini"))
	points := w.c.Points()
	write(t, w.d, points[10], rundir.Done, "")
	w.say(points[10], "")
	for _, name := range []string{"point.yaml", "result.json", "status.json"} {
		if err := os.Remove(w.d.Point(points[10]).File(name)); err != nil {
			t.Fatal(err)
		}
	}
	w.say(points[10], "not trained yet")
	write(t, w.d, points[11], rundir.Done, "")
	w.say(points[11], "")
	write(t, w.d, points[10], rundir.Done, "")
	w.say(points[10], "")
}

// A result that cannot be read leaves its row as it was, and those of the others go on.
func TestRowsBesideADamagedResult(t *testing.T) {
	w := watch(t, experiment(t, "grid", "fashion-mnist-mini"))
	points := w.c.Points()
	path := w.d.Point(points[0]).File("result.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, path, `{"format"`)
	w.until("the damage", func() bool { return w.state().Counts["damaged"] == 1 })
	write(t, w.d, points[10], rundir.Done, "")
	w.say(points[10], "")
	w.say(points[0], "")
	if err := rundir.WriteFile(path, good); err != nil {
		t.Fatal(err)
	}
	w.until("the mend", func() bool { return w.state().Counts["finished"] == 10 })
}

// More points than rows are made for wait for the report, and what changes while it is
// made comes after it.
func TestRowsOfManyPoints(t *testing.T) {
	c := experiment(t, "grid", "fashion-mnist-mini")
	c.Repetitions = (mostRows+16)/8 + 1
	w := watch(t, c)
	d, points := w.d, c.Points()
	w.s.slots <- struct{}{} // the next report has to wait
	goOn := sync.OnceFunc(func() { <-w.s.slots })
	t.Cleanup(goOn)
	for _, p := range points[11 : mostRows+12] {
		write(t, d, p, rundir.Failed, "no space left")
	}
	w.until("the failures", func() bool { return w.state().Counts["failed"] > mostRows })
	w.until("an attempt at too many", func() bool {
		w.built.mu.Lock()
		defer w.built.mu.Unlock()
		return w.built.table.tried > max(w.built.table.rowsMade, w.built.table.made)
	})
	w.until("a report on its way", func() bool { w.built.mu.Lock(); defer w.built.mu.Unlock(); return w.built.building })
	write(t, d, points[10], rundir.Done, "")
	w.until("the end", func() bool { return w.state().Counts["finished"] == 10 })
	goOn()
	w.say(points[10], "")
	w.say(points[11], "failed with an error: no space left")
}

// experiment.yaml that cannot be read for a while costs no point.
func TestWrongExperimentForAWhile(t *testing.T) {
	w := watch(t, experiment(t, "grid", "fashion-mnist-mini"))
	path := filepath.Join(w.d.Path, "experiment.yaml")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, path, "name: [")
	w.until("the problem", func() bool { return w.state().Problem != "" })
	if err := rundir.WriteFile(path, good); err != nil {
		t.Fatal(err)
	}
	w.until("the points", func() bool { return w.state().Problem == "" && w.state().Counts["finished"] == 9 })
}
