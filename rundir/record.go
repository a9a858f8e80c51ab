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

	"github.com/goccy/go-yaml"
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
func (d *Dir) Records() ([]Record, error) {
	entries, err := os.ReadDir(filepath.Join(d.Path, "points"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var records []Record
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		r, err := readRecord(filepath.Join(d.Path, "points", e.Name()))
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

func readRecord(path string) (Record, error) {
	r := Record{Name: filepath.Base(path)}
	name := filepath.Join(path, "point.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		return r, err
	}
	if err := yaml.UnmarshalWithOptions(data, &r.Point, yaml.DisallowUnknownField()); err != nil {
		return r, positioned(name, err)
	}
	if is := r.Point.Name(); is != r.Name {
		return r, fmt.Errorf("%s describes the point %s; the file or the folder's name was changed by hand", name, is)
	}
	d := PointDir{Path: path, Point: r.Point}
	if r.Status, err = d.ReadStatus(); err != nil {
		return r, err
	}
	if r.Result, err = d.ReadResult(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	return r, nil
}
