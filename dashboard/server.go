package dashboard

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Server.
type Options struct {
	// Token is what every request must bring; empty: none, which is for a server that
	// listens on loopback addresses alone.
	Token string
	// Logs returns the log of every point that a cluster's job had, as a path inside the
	// run directory with slashes; nil: there are none.
	Logs func(dir string) map[string]string
	// Memory bounds the reports kept in memory, in bytes as compressed; 0 means 64 MiB.
	Memory int
}

// Server shows the runs below some folders. It is an http.Handler.
type Server struct {
	folders  []string
	token    string
	loopback bool
	memory   int
	logs     func(dir string) map[string]string
	epoch    string // tells editions of this server from those of another
	handler  http.Handler

	changed   topic
	streaming streaming
	streams   atomic.Int32
	editions  atomic.Int64
	slots     chan struct{}       // of builds
	scans     chan struct{}       // of scans
	holding   atomic.Pointer[run] // the one run that keeps the records of its first look
	working   sync.WaitGroup
	stopped   <-chan struct{}

	mu     sync.Mutex
	runs   map[string]*run // by id
	byPath map[string]*run
	listed map[string]listing
	looked bool // for runs, once
}

// New returns a server of the folders, each a run directory or a folder of some. It
// works until ctx is done; Wait waits for its goroutines then. A folder that cannot
// be read is an error, one without runs is not: they may come.
func New(ctx context.Context, folders []string, opt Options) (*Server, error) {
	s := &Server{token: opt.Token, loopback: opt.Token == "", memory: opt.Memory, logs: opt.Logs, epoch: rand.Text()[:8],
		slots: make(chan struct{}, 1), scans: make(chan struct{}, 4), stopped: ctx.Done(), streaming: usualStreaming,
		runs: map[string]*run{}, byPath: map[string]*run{}, listed: map[string]listing{}}
	if s.memory == 0 {
		s.memory = 64 << 20
	}
	for _, folder := range folders {
		path, err := filepath.Abs(folder)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err == nil {
			_, err = os.ReadDir(path)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot serve %s: %w; give a run directory or a folder of run directories", folder, err)
		}
		s.folders = append(s.folders, path)
	}
	s.handler = s.guard(s.routes())
	s.discover()
	s.working.Go(func() { s.watch(ctx) })
	return s, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Limits of connections: a request's header comes soon and is short; pages, streams
// and downloads have deadlines of their own.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	mostHeader    = 16 << 10
	farewell      = 3 * time.Second // for downloads that are under way at the end
)

// Serve answers at the listener until ctx is done, which ends all streams at once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	// The guard answers everything: by default "OPTIONS *" would not come to it.
	server := &http.Server{Handler: s, DisableGeneralOptionsHandler: true, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: mostHeader,
		BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: log.New(io.Discard, "", 0)} // a browser that goes away is no news
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	budget, done := context.WithTimeout(context.Background(), farewell)
	defer done()
	if server.Shutdown(budget) != nil {
		return server.Close()
	}
	return nil
}

// Wait returns when the server, whose context is done, has ended its work.
func (s *Server) Wait() { s.working.Wait() }

// Runs is the number of run directories found so far.
func (s *Server) Runs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs)
}

// Address is where a browser finds the server that listens at addr: with its token,
// and with the name of this machine instead of "every address".
func (s *Server) Address(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	address := "http://" + net.JoinHostPort(host, port) + "/"
	if s.token != "" {
		address += "?token=" + s.token
	}
	return address
}

// run returns the run of an address, and notes that somebody wants it.
func (s *Server) run(id string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[id]
	if r != nil {
		r.asked.Store(time.Now().UnixNano())
	}
	return r
}

// all are the runs in the order of the index: by path.
func (s *Server) all() []*run {
	s.mu.Lock()
	runs := slices.Collect(maps.Values(s.runs))
	s.mu.Unlock()
	slices.SortFunc(runs, func(a, b *run) int { return strings.Compare(a.label, b.label) })
	return runs
}

// How often a run is looked at while it goes on or somebody looks at it, and
// otherwise; how often new runs are looked for; and how long a request counts as
// somebody.
const (
	tick     = 400 * time.Millisecond
	idleTick = 5 * time.Second
	findTick = 2 * time.Second
	interest = 30 * time.Second
)

// watch looks at the runs until ctx is done. One that takes long, on a disk that
// hangs, holds up no other.
func (s *Server) watch(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	found := time.Now()
	for {
		if time.Since(found) >= findTick {
			found = time.Now()
			s.discover()
		}
		for _, r := range s.all() {
			s.look(r)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look starts a scan of a run that is due.
func (s *Server) look(r *run) {
	every := idleTick
	wanted := time.Since(time.Unix(0, r.asked.Load())) < interest
	if wanted || r.active() {
		every = tick
	}
	if time.Since(r.scanned) < every-tick/10 || !r.scanning.CompareAndSwap(false, true) {
		return
	}
	r.scanned = time.Now()
	s.working.Go(func() {
		defer r.scanning.Store(false)
		select {
		case s.scans <- struct{}{}:
		case <-s.stopped:
			return
		}
		changed := r.scan()
		if r.holdsRecords() {
			if before := s.holding.Swap(r); before != nil && before != r {
				before.takeRecords()
			}
		}
		<-s.scans
		if changed {
			r.changed.announce()
			s.changed.announce()
		}
		if wanted {
			s.refreshRows(r) // first: a report, which takes all cores, waits for them
			s.refresh(r)
		}
	})
}

// active says that a process works on the run, or that nobody has looked yet.
func (r *run) active() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inUse || !r.known
}

// A folder of runs is searched to this depth, and for this many runs.
const (
	deepest  = 3
	mostRuns = 10_000
)

// listing is what a folder held when it was last read.
type listing struct {
	stamp   fileStamp
	isRun   bool
	folders []string
}

// discover finds the runs. A link to a folder is not followed.
func (s *Server) discover() {
	found := map[string]string{}
	listed := map[string]listing{}
	for _, folder := range s.folders {
		s.search(folder, filepath.Base(folder), 0, found, listed)
	}
	s.mu.Lock()
	s.listed = listed
	changed := !s.looked
	s.looked = true
	for path, label := range found {
		if s.byPath[path] == nil {
			r := newRun(path, label)
			r.logs = s.logs
			s.byPath[path], s.runs[r.id] = r, r
			changed = true
		}
	}
	for path, r := range s.byPath {
		if _, ok := found[path]; !ok {
			delete(s.byPath, path)
			delete(s.runs, r.id)
			r.changed.announce()
			changed = true
		}
	}
	s.mu.Unlock()
	if changed {
		s.changed.announce()
	}
}

// search adds the runs in and below a folder, which is known to the reader as label.
func (s *Server) search(folder, label string, depth int, found map[string]string, listed map[string]listing) {
	info, err := os.Stat(folder)
	if err != nil {
		return
	}
	l, stamp := s.listed[folder], stampOf(info)
	if stamp.differs(l.stamp) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return
		}
		l = listing{stamp: stamp}
		for _, e := range entries {
			switch name := e.Name(); {
			case name == "experiment.yaml" && (e.Type().IsRegular() || e.Type() == fs.ModeSymlink):
				l.isRun = true
			case e.IsDir() && !strings.HasPrefix(name, "."):
				l.folders = append(l.folders, name)
			}
		}
	}
	listed[folder] = l
	if l.isRun {
		if len(found) < mostRuns {
			found[folder] = label
		}
		return
	}
	if depth < deepest {
		for _, name := range l.folders {
			s.search(filepath.Join(folder, name), label+"/"+name, depth+1, found, listed)
		}
	}
}
