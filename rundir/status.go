package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of a point that this package writes.
const (
	pointFile   = "point.yaml"
	statusFile  = "status.json"
	resultFile  = "result.json"
	historyFile = "history.parquet"
)

// State is where a point stands.
type State string

// A point is pending until a worker takes it, and done when result.json says
// how it ended; a diverged training is done. Failed means that an error stopped
// it: it is tried again only on request. A process that is killed leaves its
// points running; see Dir.InUse.
const (
	Pending State = "pending"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Status is status.json: bookkeeping that does not influence any result.
type Status struct {
	Format int    `json:"format"`
	State  State  `json:"state"`
	Error  string `json:"error,omitempty"`
	// Failures counts the attempts that ended with an error.
	Failures int `json:"failures,omitzero"`
	// Attempts counts how often the point was taken up, and Seconds is the time
	// of all attempts together.
	Attempts int     `json:"attempts"`
	Steps    int     `json:"steps"`
	Seconds  float64 `json:"seconds"`
	Host     string  `json:"host"`
	Version  string  `json:"version"`
	Kernel   string  `json:"kernel"`
}

// ReadStatus returns the point's status; a point that was never started is
// pending. So is one whose status.json is damaged: that file decides nothing
// but whether a failed point is tried again, and must not stop a run.
func (d PointDir) ReadStatus() (Status, error) {
	pending := Status{Format: Format, State: Pending}
	data, err := os.ReadFile(d.File(statusFile))
	if errors.Is(err, fs.ErrNotExist) {
		return pending, nil
	}
	if err != nil {
		return pending, err
	}
	var s Status
	if err := json.Unmarshal(data, &s); err != nil || s.Format != Format {
		return pending, nil
	}
	known := s.State == Pending || s.State == Running || s.State == Done || s.State == Failed
	if !known || !countable(s.Attempts) || !countable(s.Failures) {
		return pending, nil
	}
	return s, nil
}

// countable says that n can be a number of attempts, and be counted on.
func countable(n int) bool { return n >= 0 && n <= 1<<30 }

// Begun says whether the point of that name was ever taken up.
func (d *Dir) Begun(point string) bool {
	_, err := os.Stat(filepath.Join(d.Path, pointsFolder, point, statusFile))
	return err == nil
}

// WriteStatus places status.json.
func (d PointDir) WriteStatus(s Status) error {
	s.Format = Format
	data, err := encodeJSON(d.File(statusFile), s)
	if err != nil {
		return err
	}
	return d.WriteFile(statusFile, data)
}

// ReadResult returns result.json; a point without one is fs.ErrNotExist. A
// damaged one is an error that says so: it is never measured again, or read in
// part, behind the user's back.
func (d PointDir) ReadResult() (*Result, error) {
	path := d.File(resultFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	err = json.Unmarshal(data, r)
	if err == nil && r.Format != Format {
		err = fmt.Errorf("format %d; this program reads format %d", r.Format, Format)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; delete the file to have the point measured again", path, err)
	}
	return r, nil
}

// WriteResult places result.json: the first one is published, and that of another
// measurement takes the place of the one before.
func (d PointDir) WriteResult(r *Result) error {
	r.Format = Format
	data, err := encodeJSON(d.File(resultFile), r)
	if err != nil {
		return err
	}
	if _, err := os.Stat(d.File(resultFile)); errors.Is(err, fs.ErrNotExist) {
		return d.Publish(resultFile, data)
	}
	return d.WriteFile(resultFile, data)
}

// Record reads the point's status and result.
func (d PointDir) Record() (Record, error) {
	r := Record{Name: filepath.Base(d.Path), Point: d.Point}
	var err error
	if r.Status, err = d.ReadStatus(); err != nil {
		return r, err
	}
	if r.Result, err = d.ReadResult(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	return r, nil
}
