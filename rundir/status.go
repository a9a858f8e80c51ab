package rundir

import (
	"errors"
	"fmt"
	"io/fs"
)

// State is where a point stands.
type State string

// A point is pending until a worker takes it, and done when result.json says
// how it ended; a diverged training is done. Failed means that an error stopped
// it: it is tried again only on request.
const (
	Pending State = "pending"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Status is status.json: bookkeeping that does not influence any result.
type Status struct {
	Format   int     `json:"format"`
	State    State   `json:"state"`
	Error    string  `json:"error,omitempty"`
	Attempts int     `json:"attempts"`
	Steps    int     `json:"steps"`
	Seconds  float64 `json:"seconds"`
	Host     string  `json:"host"`
	Version  string  `json:"version"`
	Kernel   string  `json:"kernel"`
}

// ReadStatus returns the point's status; a point that was never started is
// pending.
func (d PointDir) ReadStatus() (Status, error) {
	s := Status{Format: Format, State: Pending}
	if err := readJSON(d.File("status.json"), &s); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	return s, nil
}

// WriteStatus places status.json.
func (d PointDir) WriteStatus(s Status) error {
	s.Format = Format
	return writeJSON(d.File("status.json"), s)
}

// ReadResult returns result.json; a point without one is fs.ErrNotExist.
func (d PointDir) ReadResult() (*Result, error) {
	r := new(Result)
	if err := readJSON(d.File("result.json"), r); err != nil {
		return nil, err
	}
	if r.Format != Format {
		return nil, fmt.Errorf("%s: format %d, this program reads format %d", d.File("result.json"), r.Format, Format)
	}
	return r, nil
}

// WriteResult places result.json.
func (d PointDir) WriteResult(r *Result) error {
	r.Format = Format
	return writeJSON(d.File("result.json"), r)
}
