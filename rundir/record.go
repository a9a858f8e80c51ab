package rundir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Record is one point of a run and all that is known about it; Result is nil
// until the point is done.
type Record struct {
	Name   string
	Point  Point
	Status Status
	Result *Result
}

// Records reads every point of the run, sorted by (method, η, B, repetition).
// They are those that have a folder: points that are no longer in the grid, but
// none that was never started. A folder without point.yaml is no point. A damaged
// file is an error, because a table with a hole would pass for the whole.
func (d *Dir) Records() ([]Record, error) {
	entries, err := os.ReadDir(filepath.Join(d.Path, pointsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var records []Record
	for _, e := range entries {
		path := filepath.Join(d.Path, pointsFolder, e.Name())
		// A link to a folder counts: people move big points to another disk.
		if info, err := os.Stat(path); err != nil || !info.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		r, err := readRecord(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // killed between the folder and its point.yaml
		}
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Point.Method, b.Point.Method), cmp.Compare(a.Point.LearningRate, b.Point.LearningRate),
			cmp.Compare(a.Point.BatchSize, b.Point.BatchSize), cmp.Compare(a.Point.Repetition, b.Point.Repetition), cmp.Compare(a.Name, b.Name))
	})
	return records, nil
}

// OpenPoint reads the point.yaml of a folder.
func OpenPoint(path string) (PointDir, error) {
	d := PointDir{Path: filepath.Clean(path)}
	data, err := os.ReadFile(d.File(pointFile))
	if err != nil {
		return d, err
	}
	if err := readYAML(d.File(pointFile), data, &d.Point); err != nil {
		return d, fmt.Errorf("%w\nthe point was changed by hand or by a newer version; move its folder out of %s", err, pointsFolder)
	}
	if is := d.Point.Name(); is != filepath.Base(d.Path) {
		return d, fmt.Errorf("%s describes the point %s: the file or the folder's name was changed by hand; change it back or move the folder out of %s", d.File(pointFile), is, pointsFolder)
	}
	return d, nil
}

func readRecord(path string) (Record, error) {
	d, err := OpenPoint(path)
	r := Record{Name: filepath.Base(path), Point: d.Point}
	if err != nil {
		return r, err
	}
	if r.Status, err = d.ReadStatus(); err != nil {
		return r, err
	}
	if r.Result, err = d.ReadResult(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	return r, nil
}

// Outcome is "finished", "diverged", "failed", or the state of a point without
// a result: what the results call its status.
func (r Record) Outcome() string {
	if r.Result != nil && r.Result.Training != nil {
		return r.Result.Training.Status
	}
	if r.Status.State == Failed {
		return string(Failed)
	}
	return string(Pending)
}

// Standing is the Outcome with a word for points that have neither ended nor are
// pending: "running", or "interrupted" in a run that is not in use (Dir.InUse).
func (r Record) Standing(inUse bool) string {
	outcome := r.Outcome()
	switch {
	case outcome != string(Pending) || r.Status.State != Running:
		return outcome
	case inUse:
		return string(Running)
	}
	return "interrupted"
}
