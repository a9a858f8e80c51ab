package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sobolev/rundir"
	"sobolev/rundir/rundirtest"
)

func removeAll(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// What a scan finds is what a new look at the directory finds, whatever happened
// in between.
func TestScanFollows(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 4)
	points := c.Points()
	r := newRun(folder, "grid")
	retime := func(path string) { // so long ago that the time tells
		for _, f := range []string{path, filepath.Dir(path)} {
			if err := os.Chtimes(f, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wider := c
	wider.Repetitions = 3
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"at first", func() {}, "finished:4 failed:1 running:1 pending:10"},
		{"nothing", func() {}, "finished:4 failed:1 running:1 pending:10"},
		{"a point ends", func() { write(t, d, points[5], rundir.Done, "") }, "finished:5 failed:1 running:0 pending:10"},
		{"a failed one is tried again", func() { write(t, d, points[4], rundir.Running, "") }, "finished:5 failed:0 running:1 pending:10"},
		{"a point appears as ended", func() { write(t, d, points[9], rundir.Done, "") }, "finished:6 failed:0 running:1 pending:9"},
		{"a point diverges", func() {
			write(t, d, points[4], rundir.Done, "")
			result := trained(points[4])
			result.Training.Status = "diverged"
			if err := d.Point(points[4]).WriteResult(result); err != nil {
				t.Fatal(err)
			}
		}, "finished:6 failed:0 running:0 pending:9"},
		{"a folder without a point", func() { os.Mkdir(filepath.Join(folder, "points", "empty"), 0o755) }, "finished:6 failed:0 running:0 pending:9"},
		{"a point goes", func() { removeAll(t, d.Point(points[9]).Path) }, "finished:5 failed:0 running:0 pending:10"},
		{"the grid grows", func() {
			d.Close()
			wide, err := rundir.Create(folder, wider)
			if err != nil {
				t.Fatal(err)
			}
			d = wide
		}, "finished:5 failed:0 running:0 pending:18"},
		{"the process ends", func() { write(t, d, points[10], rundir.Running, ""); d.Close() }, "finished:5 failed:0 running:0 pending:17"},
	} {
		before := r.version
		step.do()
		changed := r.scan()
		count := r.state().Counts
		if got := fmt.Sprintf("finished:%d failed:%d running:%d pending:%d", count["finished"], count["failed"], count["running"], count["pending"]); got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
		if none := step.what == "nothing" || step.what == "a folder without a point"; changed == none || (r.version == before) != none {
			t.Errorf("%s: changed %v", step.what, changed)
		}
		fresh := newRun(folder, "grid")
		fresh.scan()
		if a, b := fmt.Sprint(r.state().Counts, r.state().Running), fmt.Sprint(fresh.state().Counts, fresh.state().Running); a != b {
			t.Errorf("%s: a new look finds %s, the scan %s", step.what, b, a)
		}
		for _, p := range points {
			if path := d.Point(p).Path; r.points[p.Name()] != nil {
				retime(path)
			}
		}
		r.scan() // takes the old times in
	}
	if s := r.state(); s.Counts["interrupted"] != 1 || len(s.Running) != 1 || s.Running[0].Standing != "interrupted" {
		t.Errorf("after the end of the process: %+v", s)
	}
}

// The first look at a large run, through its index, finds what reading one point
// after another finds; a damaged point is found in both ways.
func TestScanAtOnce(t *testing.T) {
	folder := t.TempDir()
	c := rundirtest.Grid(t, leastAtOnce)
	d := rundirtest.Finished(t, folder, c, nil)
	writeText(t, filepath.Join(folder, "points", "notes.txt"), "not a point")
	for _, damaged := range []int{0, 1} {
		if damaged == 1 {
			writeText(t, d.Point(c.Points()[3]).File("result.json"), "{")
		}
		r := newRun(folder, "large")
		r.scan()
		state := r.state()
		if n := state.Counts["finished"] + state.Counts["diverged"]; n != state.Points-damaged || state.Counts["damaged"] != damaged || state.Points < leastAtOnce {
			t.Errorf("counts %v of %d", state.Counts, state.Points)
		}
		for name, p := range r.points {
			record, err := readRecord(filepath.Join(folder, "points", name))
			if err != nil {
				continue
			}
			if p.outcome != record.Outcome() || p.Status != record.Status || p.Point.Name() != name || p.Result != nil || p.result.size == 0 {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}

// The first report of a large run is made of what the first look has read, but not
// when anything has been read or has gone since.
func TestRecordsOfTheFirstLook(t *testing.T) {
	folder := t.TempDir()
	c := rundirtest.Grid(t, leastAtOnce)
	d := rundirtest.Finished(t, folder, c, nil)
	for _, p := range c.Points() { // so long ago that the time tells
		if err := os.Chtimes(d.Point(p).Path, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(then func(r *run)) int {
		r := newRun(folder, "large")
		r.scan()
		then(r)
		r.scan()
		n := len(r.takeRecords())
		if again := r.takeRecords(); again != nil {
			t.Error("the records are handed out twice")
		}
		return n
	}
	if n := read(func(*run) {}); n != len(c.Points()) {
		t.Errorf("%d records of %d points", n, len(c.Points()))
	}
	if n := read(func(r *run) { r.recordsRead = r.recordsRead.Add(-2 * interest) }); n != 0 {
		t.Errorf("%d records are kept that nobody has wanted", n)
	}
	if n := read(func(r *run) {
		if err := d.Point(c.Points()[3]).WriteResult(trained(c.Points()[3])); err != nil {
			t.Fatal(err)
		}
		r.turn = r.points[c.Points()[3].Name()].turn - 1
	}); n != 0 {
		t.Errorf("%d records, of which one is older than its point", n)
	}
	if n := read(func(*run) { removeAll(t, d.Point(c.Points()[5]).Path) }); n != 0 {
		t.Errorf("%d records, of which one has no point any more", n)
	}
}

// A folder of points that leads out of the run directory is a problem of the run, and
// nothing of it is known; one that leads elsewhere in it is like any other.
func TestPointsFolderLeadsOut(t *testing.T) {
	folder, away := t.TempDir(), t.TempDir()
	points, moved := filepath.Join(folder, "points"), filepath.Join(folder, "moved")
	c := experiment(t, "grid", "fashion-mnist-mini")
	makeRun(t, folder, c, 4)
	writeText(t, filepath.Join(away, "foreign", "point.yaml"), "{}")
	name := c.Points()[0].Name()
	link := func(target string) {
		os.Remove(points)
		if err := os.Symlink(target, points); err != nil {
			t.Fatal(err)
		}
	}
	r := newRun(folder, "grid")
	r.scan()
	edition := r.edition(name)
	if err := os.Rename(points, moved); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{away, "../" + filepath.Base(folder) + "/moved", filepath.Join(away, "nowhere")} {
		link(target)
		r.scan()
		want := points + " is a link that leads out of the run directory"
		state, sum := r.state(), r.summary()
		if !strings.HasPrefix(state.Problem, want) || !strings.HasPrefix(sum.Error, want) || !strings.HasPrefix(r.outside(), want) || !strings.HasPrefix(r.pointState(name).Error, want) {
			t.Errorf("%s: %+v, %+v, %q", target, state, sum, r.outside())
		}
		if len(r.points) > 0 || len(state.Failed) > 0 || state.Counts["finished"] > 0 || r.edition(name) == edition {
			t.Errorf("%s: %d points, %+v", target, len(r.points), state)
		}
		if _, _, err := r.record(name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: a point of the grid: %v", target, err)
		}
		if _, _, err := r.record("foreign"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a folder elsewhere: %v", target, err)
		}
		if r.scan() {
			t.Errorf("%s: every scan is a change", target)
		}
	}
	link("moved")
	r.scan()
	if state := r.state(); state.Problem != "" || state.Counts["finished"] != 4 || r.edition(name) != edition {
		t.Errorf("with the link inside: %+v", state)
	}
}

// A settled point is looked at again, if not in every scan.
func TestScanSeesNewMeasurements(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 16)
	r := newRun(folder, "grid")
	r.scan()
	for _, p := range c.Points() {
		os.Chtimes(d.Point(p).Path, time.Time{}, time.Now().Add(-time.Hour))
	}
	for range rounds {
		r.scan()
	}
	results := r.results
	again := trained(c.Points()[7])
	again.Moments = nil
	if err := d.Point(c.Points()[7]).WriteResult(again); err != nil {
		t.Fatal(err)
	}
	for range rounds {
		r.scan()
	}
	if r.results == results {
		t.Error("a new measurement was not seen")
	}
}

// A configuration that is changed by hand into something hostile or wrong is a
// problem that is told, and no more.
func TestWrongExperiment(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 4)
	writeText(t, filepath.Join(folder, "experiment.yaml"), "name: <script>alert(1)</script>\n")
	s, h := start(t, Options{}, folder)
	r := only(t, s)
	_, _, body := get(t, h.URL+r.home())
	wantParts(t, body, "experiment.yaml:1", "&lt;script&gt;")
	if strings.Contains(body, "<script>alert") {
		t.Error("the name is markup")
	}
	d.Close()
	removeAll(t, filepath.Join(folder, "experiment.yaml"))
	again, err := rundir.Create(folder, c)
	if err == nil {
		defer again.Close()
	} else {
		t.Fatal(err)
	}
	eventually(t, "the run", func() bool { return r.state().Counts["finished"] == 4 })
}

// Many runs cost a look at each, now and then, and the memory of reports is bounded
// by giving up those that nobody looks at.
func TestManyRuns(t *testing.T) {
	folder := t.TempDir()
	const memory = 30_000
	for i := range 5 {
		makeRun(t, filepath.Join(folder, fmt.Sprint("run", i)), experiment(t, fmt.Sprint("run", i), "fashion-mnist-mini"), 2)
	}
	s, h := start(t, Options{Memory: memory}, folder)
	if s.Runs() != 5 {
		t.Fatalf("%d runs", s.Runs())
	}
	size := func() (n, with int) {
		for _, r := range s.all() {
			if k := r.built.size(); k > 0 {
				n, with = n+k, with+1
			}
		}
		return n, with
	}
	for _, r := range s.all() {
		if status, _, _ := get(t, h.URL+r.home()+"data.json"); status != 200 {
			t.Errorf("%s: %d", r.label, status)
		}
	}
	eventually(t, "the reports to be given up", func() bool { n, with := size(); return n <= memory && with > 0 && with < 5 })
	// One that was given up is made again.
	if status, _, body := get(t, h.URL+s.all()[0].home()+"data.json"); status != 200 || !strings.Contains(body, "learning_rate") {
		t.Errorf("the first again: %d", status)
	}
}

// A folder that cannot be read is an error that names it; one without runs is none.
func TestFolders(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := New(context.Background(), []string{missing}, Options{}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("error %v", err)
	}
	folder := t.TempDir()
	makeRun(t, filepath.Join(folder, "a"), experiment(t, "a", "fashion-mnist-mini"), 2)
	if err := os.Symlink(filepath.Join(folder, "a"), filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, Options{}, folder, filepath.Join(folder, "a"))
	if s.Runs() != 1 {
		t.Errorf("%d runs, want the one", s.Runs())
	}
	// What the reader names may be a link.
	s, _ = start(t, Options{}, filepath.Join(folder, "link"))
	if state := only(t, s).state(); state.Counts["finished"] != 2 || state.Problem != "" {
		t.Errorf("by the link: %+v", state)
	}
}

// The state shows the end of the logs of points that failed or were left, which are
// files of the run, and follows no link out of it.
func TestLogsOfJobs(t *testing.T) {
	folder, away := t.TempDir(), filepath.Join(t.TempDir(), "away.log")
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, filepath.Join(folder, "grid"), c, 4)
	failed, left := c.Points()[4].Name(), c.Points()[5].Name()
	d.Close() // what runs is interrupted
	writeText(t, away, "a secret")
	logs := filepath.Join(d.Path, "slurm", "1", "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(logs, "3.log"), "1\n2\n3\n4\n5\nslurmstepd: error: <b>out of memory</b>\n")
	if err := os.Symlink(away, filepath.Join(logs, "4.log")); err != nil {
		t.Fatal(err)
	}
	of := map[string]string{failed: "slurm/1/logs/3.log", left: "slurm/1/logs/4.log"}
	s, h := start(t, Options{Logs: func(dir string) map[string]string {
		if dir != d.Path {
			t.Errorf("the logs of %s are asked for", dir)
		}
		return of
	}}, folder)
	r := only(t, s)
	var state state
	eventually(t, "the points", func() bool { state = r.state(); return len(state.Failed) == 1 && len(state.Running) == 1 })
	if log := state.Failed[0].Log; log == nil || log.File != of[failed] || fmt.Sprint(log.Last) != "[2 3 4 5 slurmstepd: error: <b>out of memory</b>]" {
		t.Errorf("the log of the failed point: %+v", log)
	}
	if log := state.Running[0].Log; log != nil {
		t.Errorf("a link out of the run is followed: %+v", log)
	}
	if log := r.pointState(failed).Log; log == nil || log.File != of[failed] || len(log.Last) != logLines {
		t.Errorf("the log on the page of the failed point: %+v", log)
	}
	for _, name := range []string{left, c.Points()[0].Name()} {
		if log := r.pointState(name).Log; log != nil {
			t.Errorf("the log on the page of %s: %+v", name, log)
		}
	}
	if status, header, body := get(t, h.URL+r.home()+"files/"+of[failed]); status != http.StatusOK || !strings.Contains(body, "slurmstepd") || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Errorf("the file: %d %q", status, body)
	}
	for _, path := range []string{of[left], "slurm/1/submission.json", "slurm/1/logs/.hidden.log", "slurm/../../away.log"} {
		if status, _, body := get(t, h.URL+r.home()+"files/"+path); status == http.StatusOK {
			t.Errorf("%s is served: %q", path, body)
		}
	}
	of[failed], of[left] = "../../../etc/passwd", ""
	if log := r.state().Failed[0].Log; log != nil {
		t.Errorf("a path out of the run is followed: %+v", log)
	}
}

// A link to a point or a file of it is right from the first moment on: who comes before
// the first scan waits for it.
func TestPointsWaitForTheFirstScan(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 4)
	r := newRun(d.Path, "grid")
	found := make(chan bool, 1)
	handler := scanned(func(_ http.ResponseWriter, _ *http.Request, r *run) { found <- r.has(c.Points()[0].Name()) })
	gone, leave := context.WithCancel(t.Context())
	leave()
	handler(nil, httptest.NewRequestWithContext(gone, "GET", "/", nil), r)
	if len(found) > 0 {
		t.Fatal("served before the first scan")
	}
	go handler(nil, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), r)
	r.scan()
	if !<-found {
		t.Error("the point is unknown")
	}
}
