package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sobolev/rundir"
)

// run is what is known of one run directory. The scanner alone changes it, under
// the lock; whoever shows it reads under the lock.
type run struct {
	id    string // in addresses: the folder's name and a hash of its path
	path  string
	label string // the path as the reader knows it
	logs  func(dir string) map[string]string

	changed topic
	built   builder

	first    chan struct{} // closed after the first scan
	scanning atomic.Bool
	scanned  time.Time    // begin of the last scan; of the watching goroutine
	asked    atomic.Int64 // Unix time of the last request for the run

	mu      sync.Mutex
	known   bool // scanned once
	cfg     rundir.Config
	problem string // with the run as a whole
	unread  string // why the folder of the points, and so nothing of them, is read
	inUse   bool
	grid    map[string]bool // names of the grid's points
	points  map[string]*point
	latest  []ended // newest first
	version int     // counts visible changes
	results int     // counts changes of what the report is made of
	// changes are the results after the last change of a point, by name, and whole those
	// after the last change of anything else.
	changes map[string]int
	whole   int
	// records are those of the first look at a large run, for its first report, while
	// nothing has been read since; large, and given up when nobody wants them soon.
	records     []rundir.Record
	recordsRead time.Time

	configStamp, foldersStamp fileStamp
	bare                      []string // folders that are no points
	turn                      int
}

// point is one point of a run, without its result.
type point struct {
	rundir.Record // its Result is nil
	outcome       string
	problem       string // a damaged file, or one that may not be read
	outside       bool   // the problem is a link out of the run directory
	stamp         fileStamp
	result        fileStamp
	turn          int // the scan out of rounds in which it is looked at when settled
}

// ended is a point that has ended while the server watched.
type ended struct {
	name, outcome string
	at            time.Time
}

func newRun(path, label string) *run {
	sum := sha256.Sum256([]byte(path))
	name := []byte(filepath.Base(path))
	for i, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			name[i] = '-'
		}
	}
	return &run{id: string(name) + "-" + hex.EncodeToString(sum[:4]), path: path, label: label, first: make(chan struct{}), points: map[string]*point{}, changes: map[string]int{}}
}

func (r *run) holdsRecords() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records != nil
}

// takeRecords hands out the records of the first look, once.
func (r *run) takeRecords() []rundir.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	records := r.records
	r.records = nil
	return records
}

// has says whether the run has a point of that name which may be read.
func (r *run) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.points[name]
	return ok && !p.outside
}

// changedSince returns the points that have changed since the run's results were those
// given, in order, what the results are now, and whether a process works on the run.
func (r *run) changedSince(results int) (names []string, now int, inUse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, at := range r.changes {
		if at > results && r.points[name] != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, r.results, r.inUse
}

// outside is the first problem of a link that leads out of the run directory; the
// report, which reads all points, is not made then.
func (r *run) outside() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.points {
		if p.outside {
			return p.problem
		}
	}
	return r.unread
}

// settled says that a point has ended and nothing but a new measurement changes it.
func (p *point) settled() bool {
	return p.problem == "" && p.Status.State == rundir.Done && (p.outcome == "finished" || p.outcome == "diverged")
}

// topic tells any number of waiting goroutines that something has changed.
type topic struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that is closed at the next change.
func (t *topic) wait() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == nil {
		t.next = make(chan struct{})
	}
	return t.next
}

func (t *topic) announce() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next != nil {
		close(t.next)
		t.next = nil
	}
}
