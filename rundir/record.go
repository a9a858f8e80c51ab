package rundir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"sobolev/internal/parallel"
)

// Record is one point of a run and all that is known about it; Result is nil
// until the point is done.
type Record struct {
	Name   string
	Point  Point
	Status Status
	Result *Result
}

// Reading is what one look at the points of a run found.
type Reading struct {
	Records []Record
	// Stamp is that of Dir.Stamp before anything was read: while it returns the same,
	// another reading would find the same.
	Stamp string
}

// Records reads every point of the run, sorted by (method, η, B, repetition).
// They are those that have a folder: points that are no longer in the grid, but
// none that was never started. A folder without point.yaml is no point. A damaged
// file is an error, because a table with a hole would pass for the whole. What has
// not changed since an earlier call comes from the run's index.
func (d *Dir) Records() ([]Record, error) {
	r, err := d.Read()
	return r.Records, err
}

// Read is Records with their Stamp.
func (d *Dir) Read() (Reading, error) { return d.read(true) }

// Outline is Read for who asks where the points stand: of a Result the Records have
// Data, Training and what begins with Measured, and zero otherwise. With the run's
// index that takes a quarter of the time.
func (d *Dir) Outline() (Reading, error) { return d.read(false) }

func (d *Dir) read(whole bool) (Reading, error) {
	names, err := d.folders()
	if err != nil {
		return Reading{}, err
	}
	found := make([]foundRecord, len(names))
	var known index
	var reading sync.WaitGroup
	reading.Go(func() { known = d.readIndex() })
	parallel.Each(runtime.GOMAXPROCS(0), len(names), func(_, i int) { found[i] = d.lookAt(names[i]) })
	reading.Wait()
	parallel.Each(runtime.GOMAXPROCS(0), len(names), func(_, i int) { d.readFolder(&found[i], names[i], known, whole) })
	sum := newStampSum()
	var points []*foundRecord
	stale := 0
	for i := range found {
		f := &found[i]
		if f.err != nil {
			return Reading{}, f.err
		}
		sum.add(names[i], f.stamp)
		if !f.isPoint {
			continue
		}
		if !f.indexed {
			stale++
		}
		points = append(points, f)
	}
	if stale >= leastIndexed && stale*staleShare >= len(points) {
		d.renewIndex(points, known, whole)
	}
	r := Reading{Records: make([]Record, len(points)), Stamp: sum.String()}
	for i, f := range points {
		r.Records[i] = f.record
		if !whole {
			r.Records[i] = f.record.outline()
		}
	}
	slices.SortFunc(r.Records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Point.Method, b.Point.Method), cmp.Compare(a.Point.LearningRate, b.Point.LearningRate),
			cmp.Compare(a.Point.BatchSize, b.Point.BatchSize), cmp.Compare(a.Point.Repetition, b.Point.Repetition), cmp.Compare(a.Name, b.Name))
	})
	return r, nil
}

// folders lists what may be points: a link to a folder counts, since people move
// big points to another disk.
func (d *Dir) folders() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.Path, pointsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		folder := e.IsDir()
		if e.Type() == fs.ModeSymlink {
			info, err := os.Stat(filepath.Join(d.Path, pointsFolder, e.Name()))
			folder = err == nil && info.IsDir()
		}
		if folder && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// foundRecord is what a folder holds.
type foundRecord struct {
	record           Record
	stamp            folderStamp
	isPoint, indexed bool
	err              error
}

// lookAt takes the stamp of a folder. That comes before it is read, so that a change in
// between makes the record stale.
func (d *Dir) lookAt(name string) (f foundRecord) {
	f.stamp, f.isPoint, f.err = stampFolder(filepath.Join(d.Path, pointsFolder, name))
	return f
}

// readFolder reads the record of a folder; of an indexed one the whole or the outline.
func (d *Dir) readFolder(f *foundRecord, name string, known index, whole bool) {
	if f.err != nil || !f.isPoint {
		return
	}
	if f.record, f.indexed = known.record(name, f.stamp.Files, whole); f.indexed {
		return
	}
	f.record, f.err = readRecord(filepath.Join(d.Path, pointsFolder, name))
	if errors.Is(f.err, fs.ErrNotExist) {
		f.isPoint, f.err = false, nil // removed meanwhile
	}
}

// renewIndex writes the index of these points, whose indexed records are whole or
// outlines.
func (d *Dir) renewIndex(points []*foundRecord, known index, whole bool) {
	records, stamps := make([]Record, len(points)), make([]pointStamp, len(points))
	parallel.Each(runtime.GOMAXPROCS(0), len(points), func(_, i int) {
		f := points[i]
		records[i], stamps[i] = f.record, f.stamp.Files
		if f.indexed && !whole {
			// It cannot fail, since the index has a checksum.
			records[i], _ = known.record(f.record.Name, f.stamp.Files, true)
		}
	})
	d.writeIndex(records, stamps)
}

// outline is the record with what Outline reads of its result.
func (r Record) outline() Record {
	if r.Result != nil {
		o := new(Result)
		o.takeOutline(r.Result)
		r.Result = o
	}
	return r
}

// takeOutline decides what an index holds where: another list is another version in
// indexMagic.
func (r *Result) takeOutline(from *Result) {
	r.Format, r.Data, r.Training = from.Format, from.Data, from.Training
	r.MeasuredModel, r.MeasuredOrders, r.MeasuredStability = from.MeasuredModel, from.MeasuredOrders, from.MeasuredStability
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
	if err != nil {
		return Record{}, err
	}
	return d.Record()
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
