package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"path/filepath"
	"sync"
	"time"

	"sobolev/report"
	"sobolev/rundir"
)

// resource is what is served of a report, compressed.
type resource struct {
	gzip []byte
	etag string
}

func newResource(data []byte) *resource {
	sum := sha256.Sum256(data)
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	w.Write(data) // a bytes.Buffer takes every write
	w.Close()
	return &resource{b.Bytes(), `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// builder holds the report of a run: the last one that could be made, and whether
// another is on its way.
type builder struct {
	mu       sync.Mutex
	building bool
	done     chan struct{} // closed at the end of the build on its way
	began    time.Time
	took     time.Duration
	made     int // the run's results of the last build; 0 for none
	edition  string
	report   *served // nil until made, or given up for memory
	problem  string  // why the last build failed
	table    table
}

// table is the data of all points, made with a report, and those of the points that have
// changed since, made at once: a point that ends is soon seen in the charts and in the
// table of points, and a little later in the statistics.
type table struct {
	data *resource // nil until made, or given up for memory
	made int       // the run's results of the data

	making   bool // rows
	began    time.Time
	took     time.Duration
	rows     *resource // nil for none
	rowsMade int       // the run's results of the rows
	tried    int       // those of the last attempt, which may have made none
}

// served is what is served of one report.
type served struct {
	page, curves *resource
	stills       map[string]*resource // by the names of the figures
}

func (m *served) size() int {
	size := len(m.page.gzip) + len(m.curves.gzip)
	for _, r := range m.stills {
		size += len(r.gzip)
	}
	return size
}

// reportState is what a reader must know of the report: Edition changes with every
// new one, and Table with the data of the points, so that the page knows what to fetch
// again.
type reportState struct {
	Edition string `json:"edition"`
	Table   string `json:"table,omitempty"`
	Problem string `json:"problem,omitempty"`
}

func (b *builder) state() reportState {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := reportState{Edition: b.edition, Problem: b.problem}
	if b.table.data != nil {
		state.Table = b.table.data.etag
	}
	if b.table.rows != nil {
		state.Table += b.table.rows.etag
	}
	return state
}

// data are those of the points as they were last made, and of those that have changed.
func (b *builder) data() (data, rows *resource) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.table.data, b.table.rows
}

// takeTable keeps the data of all points.
func (b *builder) takeTable(data *resource, results int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.table.data, b.table.made = data, results
	if b.table.rowsMade <= results {
		b.table.rows = nil
	}
	b.table.tried = 0
}

// Rows are made for as many points as mostRows: more wait for the report. It has the data
// of all made anew if more than fewRows have changed, since every page fetches them again.
const (
	mostRows = 1000
	fewRows  = 100
)

// rowsSuffice says that the data of all points need not be made anew.
func (r *run) rowsSuffice() bool {
	r.built.mu.Lock()
	t := r.built.table
	r.built.mu.Unlock()
	names, _, _ := r.changedSince(t.made)
	r.mu.Lock()
	defer r.mu.Unlock()
	return t.data != nil && r.whole <= t.made && len(names) <= fewRows && t.tried <= max(t.made, t.rowsMade)
}

// refreshRows starts to make the rows of the points that have changed since the data of
// all were made.
func (s *Server) refreshRows(r *run) {
	r.mu.Lock()
	results := r.results
	r.mu.Unlock()
	b := &r.built
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &b.table
	if b.report == nil || t.making || max(t.made, t.rowsMade, t.tried) >= results || time.Since(t.began) < max(leastRest, restFactor*t.took) {
		return
	}
	t.making, t.began = true, time.Now()
	made := t.made
	s.working.Go(func() {
		rows, results := makeRows(r, made)
		b.mu.Lock()
		t.making, t.took = false, time.Since(t.began)
		if t.tried = results; t.made < results && rows != nil {
			t.rows, t.rowsMade = rows, results
		}
		b.mu.Unlock()
		r.changed.announce()
	})
}

// makeRows makes the rows of the points that have changed since the run's results were
// those given, and returns with them what the results are now. There are none where no
// point has changed, or too many, or the report will say what is wrong; a point whose
// files cannot be read keeps the row that it has.
func makeRows(r *run, since int) (rows *resource, results int) {
	names, results, inUse := r.changedSince(since)
	if len(names) == 0 || len(names) > mostRows || r.outside() != "" {
		return nil, results
	}
	var records []rundir.Record
	for _, name := range names {
		if record, err := readRecord(filepath.Join(r.path, "points", name)); err == nil {
			records = append(records, record)
		}
	}
	var js []byte
	err := guarded(func() (err error) {
		js, err = report.Rows(records, inUse)
		return err
	})
	if len(records) == 0 || err != nil {
		return nil, results
	}
	return newResource(js), results
}

// guarded makes a panic of do an error: a bug in a report must not end the server, and
// with it the view of all other runs.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the report cannot be made: %v", p)
		}
	}()
	return do()
}

// last is what was made last, or why nothing could be.
func (b *builder) last() (report *served, edition, problem string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.report, b.edition, b.problem
}

// rest is how long a run rests between two builds, as a multiple of what the last
// one took, and at least.
const (
	restFactor = 3
	leastRest  = 500 * time.Millisecond
)

// refresh starts a build if the results have changed since the last one, and
// returns a channel that is closed when there is nothing to wait for, or more to ask.
func (s *Server) refresh(r *run) <-chan struct{} {
	r.mu.Lock()
	results := r.results
	known := r.known
	r.mu.Unlock()
	b := &r.built
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.building:
		return b.done
	case !known:
		return r.first
	case b.made == results && (b.report != nil || b.problem != ""), b.report != nil && (b.table.making || time.Since(b.began) < max(leastRest, restFactor*b.took)):
		done := make(chan struct{})
		close(done)
		return done
	}
	b.building, b.began, b.done = true, time.Now(), make(chan struct{})
	s.working.Go(func() { s.build(r, results) })
	return b.done
}

// build makes the report. One is made at a time: it uses what the machine has.
func (s *Server) build(r *run, results int) {
	s.slots <- struct{}{}
	b := &r.built
	b.mu.Lock()
	b.began = time.Now() // now that it is its turn
	b.mu.Unlock()
	edition := fmt.Sprintf("%s.%d", s.epoch, s.editions.Add(1))
	var report *served
	err := guarded(func() (err error) {
		report, err = s.makeReport(r, results, edition)
		return err
	})
	<-s.slots
	b.mu.Lock()
	b.building, b.made, b.took, b.problem = false, results, time.Since(b.began), ""
	if err != nil {
		b.problem = firstLine(err)
	} else {
		b.report, b.edition = report, edition
	}
	close(b.done)
	b.mu.Unlock()
	s.trim(r)
	r.changed.announce()
}

// makeReport reads the run, whose results are those given, and draws it.
func (s *Server) makeReport(r *run, results int, edition string) (m *served, err error) {
	if problem := r.outside(); problem != "" {
		return nil, fmt.Errorf("%s", problem)
	}
	dir, err := rundir.Open(r.path)
	if err != nil {
		return nil, err
	}
	records := r.takeRecords()
	if records == nil {
		if records, err = dir.Records(); err != nil {
			return nil, err
		}
	}
	if !r.rowsSuffice() {
		js, err := report.Data(dir.Config, records, dir.InUse())
		if err != nil {
			return nil, err
		}
		r.built.takeTable(newResource(js), results)
		r.changed.announce()
	}
	made := report.BuildFrom(dir, records)
	curves, err := made.Curves()
	if err != nil {
		return nil, err
	}
	html, err := made.Overview(r.links(r.overview(edition)))
	if err != nil {
		return nil, err
	}
	stills, err := made.Stills()
	if err != nil {
		return nil, err
	}
	m = &served{newResource(html), newResource(curves), map[string]*resource{}}
	for name, svg := range stills {
		m.stills[name] = newResource(svg)
	}
	return m, nil
}

// links are the addresses in the pages of a run.
func (r *run) links(live template.HTML) report.Links {
	home := r.home()
	return report.Links{
		Style: address("report.css"), Script: address("report.js"), Data: home + "data.json", Curves: home + "curves.json", Rows: home + "rows.json",
		Overview: home, Points: home + "point/", Files: home + "files/", Figures: home + "figure/",
		MoreStyles: []string{address("live.css")}, MoreScripts: []string{address("live.js")}, Live: live,
	}
}

// trim gives up the reports that nobody has asked for the longest, until the others
// fit into the memory allowed; never that of keep.
func (s *Server) trim(keep *run) {
	runs := s.all()
	size := 0
	sizes := make([]int, len(runs))
	for i, r := range runs {
		sizes[i] = r.built.size()
		size += sizes[i]
	}
	for size > s.memory {
		oldest := -1
		for i, r := range runs {
			if sizes[i] > 0 && r != keep && (oldest < 0 || r.asked.Load() < runs[oldest].asked.Load()) {
				oldest = i
			}
		}
		if oldest < 0 {
			return
		}
		b := &runs[oldest].built
		b.mu.Lock()
		b.report, b.table.data, b.table.rows = nil, nil, nil
		b.mu.Unlock()
		size -= sizes[oldest]
		sizes[oldest] = 0
	}
}

func (b *builder) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := 0
	if b.report != nil {
		size += b.report.size()
	}
	if b.table.data != nil {
		size += len(b.table.data.gzip)
	}
	if b.table.rows != nil {
		size += len(b.table.rows.gzip)
	}
	return size
}
