package report

import (
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml"

	"sobolev/rundir"
)

// drawingNote says from what the report of a run directory was drawn: report.html, and
// figures in every format.
const drawingNote = ".report"

// Page is the path of the run directory's report.
func Page(dir *rundir.Dir) string { return filepath.Join(dir.Path, "report.html") }

// Usual are the formats that a run draws by itself: what papers take.
var Usual = []string{"svg", "pdf"}

// LastDrawing returns the note of the run's report if this program would draw the same
// again, by what it would read and by what is in the files now.
func LastDrawing(dir *rundir.Dir) (rundir.Note, bool) {
	points, err := dir.Stamp()
	if err != nil {
		return rundir.Note{}, false
	}
	n, holds := dir.ReadNote(drawingNote)
	if !holds {
		return rundir.Note{}, false
	}
	for _, work := range []string{ended, workOf(dir)} {
		if source, err := sourceOf(dir, points, work); err == nil && source == n.Source {
			return n, true
		}
	}
	return rundir.Note{}, false
}

// Draw reads the run and draws its whole report, with the figures in some formats, which
// have the Usual ones among them.
func Draw(dir *rundir.Dir, formats []string) (rundir.Note, error) {
	work := workOf(dir)
	read, err := dir.Read()
	if err != nil {
		return rundir.Note{}, err
	}
	if !slices.ContainsFunc(read.Records, func(r rundir.Record) bool { return r.Standing(true) != r.Standing(false) }) {
		work = ended
	}
	r := BuildFrom(dir, read.Records)
	files, err := r.Write(Page(dir), filepath.Join(dir.Path, "figures"), formats)
	if err != nil {
		return rundir.Note{}, err
	}
	n := rundir.Note{Files: map[string]string{}, Summary: r.Summary()}
	for path, digest := range files {
		name, err := filepath.Rel(dir.Path, path)
		if err != nil {
			return rundir.Note{}, err
		}
		n.Files[filepath.ToSlash(name)] = digest
	}
	// Whatever changed since the points were looked at makes it another source.
	if n.Source, err = sourceOf(dir, read.Stamp, work); err != nil {
		return n, nil // drawn, though nobody will know from what
	}
	return n, dir.WriteNote(drawingNote, n)
}

// A report says of points at work whether they still are; without any it is the same
// whether the run is in use or not.
const (
	ended = "ended"
	inUse = "in use"
	left  = "left"
)

func workOf(dir *rundir.Dir) string {
	if dir.InUse() {
		return inUse
	}
	return left
}

// sourceOf is the digest of all that decides what a report looks like.
func sourceOf(dir *rundir.Dir, points, work string) (string, error) {
	configuration, err := yaml.Marshal(dir.Config)
	if err != nil {
		return "", err
	}
	return rundir.NoteSource(points, work, string(configuration))
}
