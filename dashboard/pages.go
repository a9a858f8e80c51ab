package dashboard

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"sobolev/report"
	"sobolev/rundir"
)

//go:embed *.tmpl
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "*.tmpl"))

// routes are the addresses; everything else is not found.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveIndex)
	mux.HandleFunc("GET /events", s.serveIndexEvents)
	mux.HandleFunc("GET /static/{name}", serveStatic)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /run/{run}/{$}", s.of(s.serveOverview))
	mux.HandleFunc("GET /run/{run}/events", s.of(s.serveRunEvents))
	mux.HandleFunc("GET /run/{run}/data.json", s.of(s.serveData))
	mux.HandleFunc("GET /run/{run}/rows.json", s.of(s.serveRows))
	mux.HandleFunc("GET /run/{run}/curves.json", s.of(s.serveCurves))
	mux.HandleFunc("GET /run/{run}/figure/{figure}", s.of(s.serveFigure))
	mux.HandleFunc("GET /run/{run}/files/{file...}", s.of(scanned(s.serveFile)))
	mux.HandleFunc("GET /run/{run}/point/{point}", s.of(scanned(s.servePoint)))
	mux.HandleFunc("GET /run/{run}/point/{point}/events", s.of(scanned(s.servePointEvents)))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refusal(w, http.StatusNotFound, "There is no such page. The index of all runs is at /.")
	})
	return mux
}

// of finds the run of an address.
func (s *Server) of(serve func(http.ResponseWriter, *http.Request, *run)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		if r := s.run(req.PathValue("run")); r != nil {
			serve(w, req, r)
			return
		}
		refusal(w, http.StatusNotFound, "There is no such run. The index of all runs is at /.")
	}
}

// scanned waits for the first scan of the run: before it, every point would be one that
// the run does not have.
func scanned(serve func(http.ResponseWriter, *http.Request, *run)) func(http.ResponseWriter, *http.Request, *run) {
	return func(w http.ResponseWriter, req *http.Request, r *run) {
		select {
		case <-r.first:
			serve(w, req, r)
		case <-req.Context().Done():
		}
	}
}

// frame is what a page of this package is made of.
type frame struct {
	Title string
	// Home is the address of the run's page, empty on the pages of the index and of a run.
	Home, HomeName string
	Live           template.HTML
	Problem        string
	Waiting        bool // for the report
	Runs           []summary
	Style          []string
	Script         string
	Folders        []string
}

func servePage(w http.ResponseWriter, req *http.Request, name string, f frame) {
	f.Style, f.Script = []string{address("report.css"), address("live.css")}, address("live.js")
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, f); err != nil {
		refusal(w, http.StatusInternalServerError, "The page cannot be made.")
		return
	}
	serve(w, req, newResource(b.Bytes()), "text/html; charset=utf-8")
}

func (s *Server) serveIndex(w http.ResponseWriter, req *http.Request) {
	f := frame{Title: "Runs", Live: live("index", "/events", "", "", nil)}
	for _, r := range s.all() {
		f.Runs = append(f.Runs, r.summary())
	}
	f.Folders = s.folders
	servePage(w, req, "index.html.tmpl", f)
}

// indexChange is an event of the index: all runs, or those that have changed.
type indexChange struct {
	All  bool      `json:"all"`
	Runs []summary `json:"runs"`
	Gone []string  `json:"gone"`
}

func (s *Server) serveIndexEvents(w http.ResponseWriter, req *http.Request) {
	var seen map[string]int // versions that this reader has
	s.stream(w, req, &s.changed, func() any {
		change := indexChange{All: seen == nil, Runs: []summary{}, Gone: []string{}}
		now := map[string]int{}
		for _, r := range s.all() {
			version := r.visible()
			if now[r.id] = version; seen == nil || seen[r.id] != version {
				change.Runs = append(change.Runs, r.summary())
			}
		}
		for id := range seen {
			if _, ok := now[id]; !ok {
				change.Gone = append(change.Gone, id)
			}
		}
		seen = now
		return change
	})
}

func (s *Server) serveRunEvents(w http.ResponseWriter, req *http.Request, r *run) {
	s.stream(w, req, &r.changed, func() any {
		r.asked.Store(time.Now().UnixNano())
		return r.state()
	})
}

// firstWait is how long the page of a run may wait for its report; a reader sees
// the progress meanwhile.
const firstWait = 80 * time.Millisecond

func (s *Server) serveOverview(w http.ResponseWriter, req *http.Request, r *run) {
	report, edition, problem := s.report(req, r, firstWait)
	if report != nil {
		serve(w, req, report.page, "text/html; charset=utf-8")
		return
	}
	state := r.state()
	if state.Problem != "" {
		problem = state.Problem
	}
	servePage(w, req, "wait.html.tmpl", frame{Title: state.Name, Live: r.overview(edition), Problem: problem, Waiting: problem == ""})
}

func (s *Server) serveData(w http.ResponseWriter, req *http.Request, r *run) {
	report, _, problem := s.report(req, r, longestPage)
	data, _ := r.built.data() // there is one with every report
	if report == nil || data == nil {
		refusal(w, http.StatusServiceUnavailable, "The report cannot be made. "+problem)
		return
	}
	serve(w, req, data, "application/json")
}

// noRows is what there is while no point has changed.
var noRows = newResource([]byte("null"))

// serveRows sends the data of the points that have changed since those of all were made.
func (s *Server) serveRows(w http.ResponseWriter, req *http.Request, r *run) {
	_, rows := r.built.data()
	if rows == nil {
		rows = noRows
	}
	serve(w, req, rows, "application/json")
}

// serveCurves sends what the figures draw of trainings.
func (s *Server) serveCurves(w http.ResponseWriter, req *http.Request, r *run) {
	report, _, problem := s.report(req, r, longestPage)
	if report == nil {
		refusal(w, http.StatusServiceUnavailable, "The report cannot be made. "+problem)
		return
	}
	serve(w, req, report.curves, "application/json")
}

// serveFigure sends a drawing of the page, for a browser that runs no script.
func (s *Server) serveFigure(w http.ResponseWriter, req *http.Request, r *run) {
	report, _, problem := s.report(req, r, longestPage)
	if report == nil {
		refusal(w, http.StatusServiceUnavailable, "The report cannot be made. "+problem)
		return
	}
	name, ok := strings.CutSuffix(req.PathValue("figure"), ".svg")
	still := report.stills[name]
	if !ok || still == nil {
		refusal(w, http.StatusNotFound, "The report has no such figure.")
		return
	}
	serve(w, req, still, "image/svg+xml")
}

// report returns the last report of the run, or why there is none, and has a newer
// one made if there is reason to. It waits for the first as long as allowed.
func (s *Server) report(req *http.Request, r *run, wait time.Duration) (report *served, edition, problem string) {
	late := time.After(wait)
	for {
		done := s.refresh(r)
		if report, edition, problem = r.built.last(); report != nil || problem != "" {
			return
		}
		select {
		case <-done:
		case <-late:
			return
		case <-req.Context().Done():
			return
		}
	}
}

func (s *Server) servePoint(w http.ResponseWriter, req *http.Request, r *run) {
	name := req.PathValue("point")
	record, dir, err := r.record(name)
	if errors.Is(err, fs.ErrNotExist) {
		refusal(w, http.StatusNotFound, "The run has no such point.")
		return
	}
	element := live("point", r.home()+"point/"+url.PathEscape(name)+"/events", r.edition(name), name, nil)
	var page []byte
	if err == nil {
		page, err = makePoint(dir, record, r.links(element))
	}
	if err != nil {
		servePage(w, req, "wait.html.tmpl", frame{Title: name, Home: r.home(), HomeName: r.state().Name, Live: element, Problem: firstLine(err)})
		return
	}
	serve(w, req, newResource(page), "text/html; charset=utf-8")
}

// makePoint draws the page of a point; a bug in that is the page's problem alone.
func makePoint(dir *rundir.Dir, record rundir.Record, l report.Links) (page []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the page cannot be made: %v", p)
		}
	}()
	return report.PointHTML(dir, record, l)
}

// record reads a point of the run, or makes the record of one that has not begun.
// Another name is fs.ErrNotExist.
func (r *run) record(name string) (rundir.Record, *rundir.Dir, error) {
	r.mu.Lock()
	p, started := r.points[name]
	planned, unread := r.grid[name], r.unread
	dir := &rundir.Dir{Path: r.path, Config: r.cfg}
	r.mu.Unlock()
	switch {
	case started && p.outside:
		return rundir.Record{}, dir, errors.New(p.problem)
	case started:
		record, err := readRecord(filepath.Join(r.path, "points", name))
		return record, dir, err
	case planned && unread != "":
		return rundir.Record{}, dir, errors.New(unread)
	case planned:
		for _, p := range dir.Config.Points() {
			if p.Name() == name {
				return rundir.Record{Name: name, Point: p, Status: rundir.Status{State: rundir.Pending}}, dir, nil
			}
		}
	}
	return rundir.Record{}, dir, fs.ErrNotExist
}

// pointState is a point as its page sees it at a moment.
type pointState struct {
	Standing   string  `json:"standing"`
	Steps      int     `json:"steps"`
	Iterations int     `json:"iterations"`
	Seconds    float64 `json:"seconds"`
	Attempts   int     `json:"attempts"`
	Host       string  `json:"host"`
	Error      string  `json:"error,omitempty"`
	Log        *logEnd `json:"log,omitempty"` // of a point that failed or was left
	Edition    string  `json:"edition"`
}

func (s *Server) servePointEvents(w http.ResponseWriter, req *http.Request, r *run) {
	name := req.PathValue("point")
	if _, _, err := r.record(name); errors.Is(err, fs.ErrNotExist) {
		refusal(w, http.StatusNotFound, "The run has no such point.")
		return
	}
	s.stream(w, req, &r.changed, func() any {
		r.asked.Store(time.Now().UnixNano())
		return r.pointState(name)
	})
}

// pointState is the point as it stands, pending if it has not begun.
func (r *run) pointState(name string) pointState {
	state := r.pointProgress(name)
	if r.logs != nil && (state.Standing == "failed" || state.Standing == "damaged" || state.Standing == "interrupted") {
		if file := r.logs(r.path)[name]; file != "" {
			state.Log = r.endOf(file)
		}
	}
	return state
}

// pointProgress is what of a point's state needs no look at the disk.
func (r *run) pointProgress(name string) pointState {
	edition := r.edition(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	state := pointState{Standing: string(rundir.Pending), Iterations: r.cfg.SGD.Iterations, Edition: edition, Error: r.unread}
	if p := r.points[name]; p != nil {
		state.Standing, state.Steps, state.Seconds = p.standing(r.inUse), p.Status.Steps, p.Status.Seconds
		state.Attempts, state.Host, state.Error = p.Status.Attempts, p.Status.Host, p.Status.Error
		if p.problem != "" {
			state.Error = p.problem
		}
	}
	return state
}

// edition changes when the page of a point does.
func (r *run) edition(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.points[name]
	switch {
	case r.unread != "":
		return "unread"
	case p == nil:
		return "none"
	}
	return fmt.Sprintf("%x", digest(fmt.Sprint(p.outcome, p.problem, p.Status.State, p.Status.Error, p.result))[:8])
}

// visible is the number of changes that a reader could see so far.
func (r *run) visible() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}

func (r *run) home() string { return "/run/" + r.id + "/" }

var liveTemplate = template.Must(template.New("").Parse(
	`<section id="live" class="live" data-kind="{{.Kind}}" data-events="{{.Events}}" data-edition="{{.Edition}}" data-point="{{.Point}}" aria-label="Progress">` +
		`{{if eq .Kind "overview"}}<nav aria-label="Runs and files"><a href="/">← all runs</a>{{range .Files}}<a href="files/{{.}}" download="">{{.}}</a>{{end}}</nav>{{end}}` +
		`<noscript><p>Without JavaScript this page shows a moment: load it again for news.</p></noscript></section>`))

// overview is the live element of the run's page.
func (r *run) overview(edition string) template.HTML {
	return live("overview", r.home()+"events", edition, "", r.files())
}

// live is the element that the script fills from the events; edition is that of
// the rest of the page. What it links to is there without the script, too.
func live(kind, events, edition, point string, files []string) template.HTML {
	var b bytes.Buffer
	// The template is constant and its data are strings: it cannot fail.
	_ = liveTemplate.Execute(&b, struct {
		Kind, Events, Edition, Point string
		Files                        []string
	}{kind, events, edition, point, files})
	return template.HTML(b.String())
}
