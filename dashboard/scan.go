package dashboard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sobolev/rundir"
)

// fileStamp tells whether a file or folder has to be read again.
type fileStamp struct {
	size     int64
	modified time.Time
	fresh    bool // it changed so shortly before that a further change may have the same time
}

// coarse is the coarsest resolution of modification times in use.
const coarse = 2 * time.Second

func stampOf(info fs.FileInfo) fileStamp {
	age := time.Since(info.ModTime())
	return fileStamp{info.Size(), info.ModTime(), age < coarse && age > -coarse}
}

// differs says whether what has the stamp now must be read, if it was last read at
// the stamp before.
func (s fileStamp) differs(before fileStamp) bool {
	return before.fresh || s.size != before.size || !s.modified.Equal(before.modified)
}

// rounds is the number of scans in which all settled points are looked at.
const rounds = 20

// scan brings the run up to date with its directory, and says whether anything
// that a reader sees has changed.
func (r *run) scan() (changed bool) {
	before := r.version
	dir, err := r.scanConfig()
	if err == nil {
		r.scanFolders(dir)
		r.scanPoints()
	}
	if time.Since(r.recordsRead) > interest {
		r.takeRecords()
	}
	inUse := err == nil && dir.InUse()
	if inUse != r.inUse || !r.known {
		first := !r.known
		// A running point is an interrupted one now, or the other way round.
		r.note(func() { r.inUse, r.known = inUse, true })
		if first {
			close(r.first)
		}
	}
	return r.version != before
}

// note makes a change of the run as a whole visible.
func (r *run) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	r.version++
	r.results++
	r.whole = r.results
}

// notePoint makes a change of a point visible.
func (r *run) notePoint(name string, results bool, change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	r.version++
	if results {
		r.results++
		r.changes[name] = r.results
	}
}

// scanConfig reads experiment.yaml if it has changed.
func (r *run) scanConfig() (*rundir.Dir, error) {
	stamp, err := r.stampInside("experiment.yaml")
	if err == nil && !stamp.differs(r.configStamp) {
		if r.grid == nil {
			return nil, errors.New(r.problem)
		}
		return &rundir.Dir{Path: r.path, Config: r.cfg}, nil
	}
	var dir *rundir.Dir
	if err == nil {
		dir, err = rundir.Open(r.path)
	}
	r.configStamp = stamp
	if err != nil {
		if problem := firstLine(err); problem != r.problem || r.grid != nil {
			r.note(func() { r.problem, r.grid, r.points, r.foldersStamp = problem, nil, map[string]*point{}, fileStamp{} })
		}
		return nil, err
	}
	text := fmt.Sprint(dir.Config)
	if r.grid == nil || r.problem != "" || text != fmt.Sprint(r.cfg) {
		grid := map[string]bool{}
		for _, p := range dir.Config.Points() {
			grid[p.Name()] = true
		}
		r.note(func() { r.cfg, r.grid, r.problem = dir.Config, grid, "" })
	}
	return dir, nil
}

// stampInside is the stamp of a file of the run directory. A link that leaves it is
// an error.
func (r *run) stampInside(name string) (fileStamp, error) {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return fileStamp{}, err
	}
	defer root.Close()
	info, err := statInside(root, name)
	if err != nil {
		return fileStamp{}, err
	}
	if !info.Mode().IsRegular() {
		return fileStamp{}, fmt.Errorf("%s is not a regular file: put one there", filepath.Join(r.path, name))
	}
	return stampOf(info), nil
}

// statInside looks at what stands at name in a run directory. The error, of a link
// that leaves it or of anything else, is for readers.
func statInside(root *os.Root, name string) (fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err == nil {
		return info, nil
	}
	path := filepath.Join(root.Name(), name)
	if link, lerr := root.Lstat(name); lerr == nil && link.Mode().Type() == fs.ModeSymlink {
		return nil, fmt.Errorf("%s is a link that leads out of the run directory, or nowhere, and is not followed: put there what it leads to", path)
	}
	return nil, fmt.Errorf("cannot read %s: %w", path, errors.Unwrap(err)) // without the name of the system call
}

// scanFolders finds points that are new or gone.
func (r *run) scanFolders(dir *rundir.Dir) {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return // the next scan tries again
	}
	defer root.Close()
	info, err := statInside(root, "points")
	unread := ""
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		unread = err.Error()
	}
	if unread != r.unread || err != nil && len(r.points) > 0 {
		r.takeRecords()
		r.note(func() { r.points, r.foldersStamp, r.unread = map[string]*point{}, fileStamp{}, unread })
	}
	if err != nil {
		return
	}
	stamp := stampOf(info)
	if !stamp.differs(r.foldersStamp) {
		return
	}
	entries, err := fs.ReadDir(root.FS(), "points")
	if err != nil {
		return // the next scan tries again
	}
	r.foldersStamp = stamp
	known := map[string]*point{}
	if len(r.points) == 0 && len(entries) >= leastAtOnce {
		known = r.readAtOnce(dir, entries)
	}
	there := make(map[string]bool, len(entries))
	r.bare = nil
	for _, e := range entries {
		if name := e.Name(); mayBePoint(e) {
			there[name] = true
			if r.points[name] == nil {
				r.readPoint(name, known[name])
			}
		}
	}
	for name := range r.points {
		if !there[name] {
			r.takeRecords()
			r.note(func() { delete(r.points, name) })
		}
	}
}

// mayBePoint says that an entry is a folder or, perhaps, a link to one.
func mayBePoint(e fs.DirEntry) bool {
	return !strings.HasPrefix(e.Name(), ".") && (e.IsDir() || e.Type() == fs.ModeSymlink)
}

// scanPoints looks at the points that may have changed: at all that have not ended,
// and at a share of the others.
func (r *run) scanPoints() {
	r.turn = (r.turn + 1) % rounds
	bare := r.bare
	r.bare = nil
	for _, name := range bare {
		if _, err := os.Stat(filepath.Join(r.path, "points", name, "point.yaml")); err != nil {
			r.bare = append(r.bare, name)
			continue
		}
		r.readPoint(name, nil)
	}
	for name, p := range r.points {
		if p.settled() && !p.stamp.fresh && p.turn != r.turn {
			continue
		}
		info, err := os.Stat(filepath.Join(r.path, "points", name))
		if err == nil && stampOf(info).differs(p.stamp) {
			r.readPoint(name, nil)
		}
	}
}

// leastAtOnce is the number of points from which the first look at a run reads
// them through its index: their results are large.
const leastAtOnce = 8

// readAtOnce reads all points of a run; none if one of them may not be read, or
// cannot: they are read one by one then, to tell which.
func (r *run) readAtOnce(dir *rundir.Dir, entries []fs.DirEntry) map[string]*point {
	points := make(map[string]*point, len(entries))
	for _, e := range entries {
		if !mayBePoint(e) {
			continue
		}
		p, err := r.newPoint(e.Name())
		if err != nil {
			return nil
		}
		points[e.Name()] = p
	}
	records, err := dir.Records()
	if err != nil {
		return nil
	}
	r.mu.Lock()
	r.records, r.recordsRead = records, time.Now()
	r.mu.Unlock()
	read := make(map[string]*point, len(records))
	for _, record := range records {
		if p := points[record.Name]; p != nil {
			p.take(record)
			read[record.Name] = p
		}
	}
	return read
}

// newPoint is a point that has not been read, with its stamps: what changes after
// them is read again. The error is that of one that may not be read.
func (r *run) newPoint(name string) (*point, error) {
	path := filepath.Join(r.path, "points", name)
	p := &point{Record: rundir.Record{Name: name}}
	info, err := os.Stat(path)
	if err != nil {
		return p, err
	}
	p.stamp = stampOf(info)
	if info, err := os.Stat(filepath.Join(path, "result.json")); err == nil {
		p.result = fileStamp{size: info.Size(), modified: info.ModTime()}
	}
	err = r.checkInside(name)
	p.outside = err != nil
	return p, err
}

// readPoint reads a point's files, if they are not read already. A folder without
// point.yaml is no point, until it gets one.
func (r *run) readPoint(name string, p *point) {
	var err error
	if p == nil {
		r.takeRecords() // one of them is older now
		if p, err = r.newPoint(name); err == nil {
			var record rundir.Record
			record, err = readRecord(filepath.Join(r.path, "points", name))
			p.take(record)
		}
	}
	p.turn = len(r.points) % rounds
	if errors.Is(err, fs.ErrNotExist) {
		r.bare = append(r.bare, name)
		if r.points[name] != nil {
			r.note(func() { delete(r.points, name) })
		}
		return
	}
	if err != nil {
		p.outcome, p.problem = "damaged", firstLine(err)
	}
	before := r.points[name]
	if before != nil {
		p.turn = before.turn
	}
	if before != nil && before.visible() == p.visible() {
		r.mu.Lock()
		r.points[name] = p
		r.mu.Unlock()
		return
	}
	results := before == nil || before.outcome != p.outcome || before.result != p.result || before.problem != p.problem ||
		before.Status.State != p.Status.State || before.Status.Error != p.Status.Error
	r.notePoint(name, results, func() {
		r.points[name] = p
		if r.known && p.outcome != string(rundir.Pending) && (before == nil || before.outcome != p.outcome) {
			r.latest = append([]ended{{name, p.outcome, time.Now()}}, r.latest[:min(len(r.latest), mostLatest-1)]...)
		}
	})
}

// visible is what of a point a reader sees.
func (p *point) visible() string {
	return fmt.Sprint(p.outcome, p.problem, p.Status, p.result.size, p.result.modified)
}

// take keeps what the record says, but not the result: ten thousand are large.
func (p *point) take(r rundir.Record) {
	p.Record, p.outcome = r, r.Outcome()
	p.Result = nil
}

// readRecord reads all that is known of one point.
func readRecord(path string) (rundir.Record, error) {
	d, err := rundir.OpenPoint(path)
	r := rundir.Record{Name: filepath.Base(path), Point: d.Point}
	if err != nil {
		return r, err
	}
	if r.Status, err = d.ReadStatus(); err != nil {
		return r, err
	}
	if r.Result, err = d.ReadResult(); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return r, err
}

// checkInside returns an error if the folder of a point, or a file in it, is a link
// that leads out of the run directory, or something that is no file.
func (r *run) checkInside(name string) error {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return err
	}
	defer root.Close()
	inside := filepath.Join("points", name)
	folder, err := root.Open(inside)
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		return fmt.Errorf("points/%s leads out of the run directory and is not read: move the folder back, or serve the directory that it is in", name)
	}
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() || e.IsDir() {
			continue
		}
		if info, err := root.Stat(filepath.Join(inside, e.Name())); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("points/%s/%s leads out of the run directory or is no file, and is not read: put the file itself there", name, e.Name())
		}
	}
	return nil
}

// firstLine is what an error says, without the text of the file that it quotes.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
