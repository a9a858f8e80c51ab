package rundir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Note says from what files of a run were made that follow from its points: the
// tables, the report. It is for speed alone and may be deleted at any time; the files
// are made again then.
type Note struct {
	Format int `json:"format"`
	// Source is that of NoteSource.
	Source string `json:"source"`
	// Files are the SHA-256 of the files by their paths in the run directory, with
	// slashes.
	Files map[string]string `json:"files"`
	// Summary is what a report says in words.
	Summary string `json:"summary,omitempty"`
}

// NoteSource is the digest of all that decides what the files hold, and of the running
// program: a version would not tell two builds from changed files.
func NoteSource(of ...any) (string, error) {
	self, err := program()
	if err != nil {
		return "", err
	}
	return Digest(fmt.Appendf(nil, "%s %q", self, of)), nil
}

var program = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return FileDigest(path)
})

// ReadNote returns the note of that name, if the files hold what it says.
func (d *Dir) ReadNote(name string) (Note, bool) {
	var n Note
	text, err := os.ReadFile(filepath.Join(d.Path, name))
	if err != nil || json.Unmarshal(text, &n) != nil || n.Format != Format {
		return Note{}, false
	}
	for path, digest := range n.Files {
		if is, err := FileDigest(filepath.Join(d.Path, path)); err != nil || is != digest {
			return Note{}, false
		}
	}
	return n, true
}

// WriteNote places a note. It comes after its files: a killed program leaves none that
// holds.
func (d *Dir) WriteNote(name string, n Note) error {
	n.Format = Format
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(d.Path, name), append(text, '\n'))
}
