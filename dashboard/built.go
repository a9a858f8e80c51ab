package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
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

// table is the data of all points. It is made with the report, and between two
// reports by itself, in a tenth of the time: a point that ends is seen at once in the
// charts and in the table of points, and a little later in the statistics.
type table struct {
	making bool // by itself
	began  time.Time
	took   time.Duration
	made   int       // the run's results of the data
	data   *resource // nil until made, or given up for memory
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
	return state
}

// data are those of the points as they were last made.
func (b *builder) data() *resource {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.table.data
}

// takeTable keeps the data of the points unless newer ones are there.
func (b *builder) takeTable(data *resource, results int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.table.data == nil || results >= b.table.made {
		b.table.data, b.table.made = data, results
	}
}

// mostBeside is for how many points the data are made while a report is on its way: the
// records of more would need too much memory beside those of the report, which begins
// with the data anyway.
const mostBeside = 3000

// refreshTable starts to make the data of the points if the results have changed since,
// for pages that have a report.
func (s *Server) refreshTable(r *run) {
	r.mu.Lock()
	results, points := r.results, len(r.points)
	r.mu.Unlock()
	b := &r.built
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &b.table
	if b.report == nil || t.making || t.made == results || b.building && points > mostBeside || time.Since(t.began) < max(leastRest, restFactor*t.took) {
		return
	}
	t.making, t.began = true, time.Now()
	s.working.Go(func() {
		if data := makeTable(r); data != nil {
			b.takeTable(data, results)
		}
		b.mu.Lock()
		t.making, t.took = false, time.Since(t.began)
		t.made = max(t.made, results) // also without data: not again before something changes
		b.mu.Unlock()
		r.changed.announce()
	})
}

// makeTable returns nil where the report will say what is wrong.
func makeTable(r *run) *resource {
	if r.outside() != "" {
		return nil
	}
	dir, err := rundir.Open(r.path)
	if err != nil {
		return nil
	}
	records, err := dir.Records()
	if err != nil {
		return nil
	}
	js, err := report.Data(dir.Config, records, dir.InUse())
	if err != nil {
		return nil
	}
	return newResource(js)
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
	case b.made == results && (b.report != nil || b.problem != ""), b.report != nil && time.Since(b.began) < max(leastRest, restFactor*b.took):
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
	report, err := s.makeReport(r, results, edition)
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

// makeReport reads the run, whose results are those given, and draws it. That a bug in
// it must not end the server, and with it the view of all other runs, is worth a recover.
func (s *Server) makeReport(r *run, results int, edition string) (m *served, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the report cannot be made: %v", p)
		}
	}()
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
	js, err := report.Data(dir.Config, records, dir.InUse())
	if err != nil {
		return nil, err
	}
	r.built.takeTable(newResource(js), results)
	r.changed.announce()
	made := report.BuildFrom(dir, records)
	curves, err := made.Curves()
	if err != nil {
		return nil, err
	}
	html, err := made.Overview(r.links(live("overview", r.home()+"events", edition, "")))
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
		Style: address("report.css"), Script: address("report.js"), Data: home + "data.json", Curves: home + "curves.json",
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
		b.report, b.table.data = nil, nil
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
	return size
}
