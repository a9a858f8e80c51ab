package rundir_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sobolev/rundir"
	"sobolev/rundir/rundirtest"
)

func records(t *testing.T, d *rundir.Dir) []rundir.Record {
	t.Helper()
	r, err := d.Records()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outlined is what Outline should find where Records finds r.
func outlined(r []rundir.Record) []rundir.Record {
	r = slices.Clone(r)
	for i := range r {
		if all := r[i].Result; all != nil {
			r[i].Result = &rundir.Result{Format: all.Format, Data: all.Data, Training: all.Training,
				MeasuredModel: all.MeasuredModel, MeasuredOrders: all.MeasuredOrders, MeasuredStability: all.MeasuredStability}
		}
	}
	return r
}

// fresh reads the run without its index, and leaves the index as it was.
func fresh(t *testing.T, d *rundir.Dir) []rundir.Record {
	t.Helper()
	index := filepath.Join(d.Path, ".index")
	was, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	r := records(t, d)
	if err := os.WriteFile(index, was, 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

// An index gives the records that the files give, to the last bit and to the
// difference between an empty list and none.
func TestIndexedRecordsAreThoseOfTheFiles(t *testing.T) {
	d := rundirtest.Finished(t, t.TempDir(), rundirtest.Grid(t, 40), nil)
	if !rundir.SameRecords(fresh(t, d), records(t, d)) {
		t.Error("other records")
	}
	a, err := os.ReadFile(filepath.Join(d.Path, ".index"))
	if err != nil {
		t.Fatal(err)
	}
	if outline, err := d.Outline(); err != nil || !rundir.SameRecords(outlined(records(t, d)), outline.Records) {
		t.Errorf("another outline: %v", err)
	}
	os.Remove(filepath.Join(d.Path, ".index"))
	records(t, d)
	if b, err := os.ReadFile(filepath.Join(d.Path, ".index")); err != nil || !bytes.Equal(a, b) {
		t.Errorf("an index of the same files has other bytes: %v", err)
	}
}

// Whatever happens to the files, the index never says otherwise.
func TestIndexFollowsTheFiles(t *testing.T) {
	d := rundirtest.Finished(t, t.TempDir(), rundirtest.Grid(t, 40), nil)
	all := records(t, d)
	folder := func(i int) string { return filepath.Join(d.Path, "points", all[i].Name) }
	before, err := d.Stamp()
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, i int, want func(rundir.Record) bool) {
		t.Helper()
		got := records(t, d)
		if !rundir.SameRecords(fresh(t, d), got) {
			t.Errorf("%s: other records", what)
		}
		outline, err := d.Outline()
		if err != nil || !rundir.SameRecords(outlined(got), outline.Records) {
			t.Errorf("%s: another outline: %v", what, err)
		}
		// The stamp says that something has changed, and nothing after that.
		stamp, err := d.Stamp()
		if err != nil || stamp != outline.Stamp || stamp == before {
			t.Errorf("%s: stamp %s and of the outline %s, before %s: %v", what, stamp, outline.Stamp, before, err)
		}
		before = stamp
		for _, r := range got {
			if r.Name == all[i].Name && !want(r) {
				t.Errorf("%s: %+v", what, r.Status)
			}
		}
	}
	p := rundir.PointDir{Path: folder(3), Point: all[3].Point}
	if err := p.WriteStatus(rundir.Status{State: rundir.Done, Host: "node2"}); err != nil {
		t.Fatal(err)
	}
	check("another status", 3, func(r rundir.Record) bool { return r.Status.Host == "node2" })

	changed := *all[4].Result
	changed.Fit.MaxResidual = 12
	p = rundir.PointDir{Path: folder(4), Point: all[4].Point}
	if err := p.WriteResult(&changed); err != nil {
		t.Fatal(err)
	}
	check("another result", 4, func(r rundir.Record) bool { return r.Result.Fit.MaxResidual == 12 })

	// As an editor changes a file: in place, the same size, and then the old time.
	path := filepath.Join(folder(5), "status.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond) // more than a tick of the file system's clock
	if err := os.WriteFile(path, bytes.Replace(text, []byte("node1"), []byte("node7"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	check("the same size and time", 5, func(r rundir.Record) bool { return r.Status.Host == "node7" })

	if err := os.Remove(filepath.Join(folder(6), "result.json")); err != nil {
		t.Fatal(err)
	}
	check("no result", 6, func(r rundir.Record) bool { return r.Result == nil && r.Outcome() == "pending" })
	if err := os.RemoveAll(folder(7)); err != nil {
		t.Fatal(err)
	}
	check("no point", 7, func(rundir.Record) bool { return false })
	if err := os.WriteFile(filepath.Join(folder(8), "result.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Records(); err == nil {
		t.Error("a damaged result passes")
	}
	if _, err := d.Outline(); err == nil {
		t.Error("a damaged result passes in the outline")
	}
}

// Whoever finds that the index is old makes the same new one, with an outline of the
// indexed points or the whole.
func TestOutlineRenewsTheIndex(t *testing.T) {
	d := rundirtest.Finished(t, t.TempDir(), rundirtest.Grid(t, 40), nil)
	path := filepath.Join(d.Path, ".index")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records(t, d)[:20] {
		p := rundir.PointDir{Path: filepath.Join(d.Path, "points", r.Name), Point: r.Point}
		if err := p.WriteStatus(rundir.Status{State: rundir.Done, Host: "node2"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Outline(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || bytes.Equal(got, old) {
		t.Errorf("the index is as it was: %v", err)
	}
	os.Remove(path)
	records(t, d)
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("an index of the same files has other bytes: %v", err)
	}
}

// A damaged index costs time and nothing else.
func TestDamagedIndex(t *testing.T) {
	d := rundirtest.Finished(t, t.TempDir(), rundirtest.Grid(t, 40), nil)
	path := filepath.Join(d.Path, ".index")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := records(t, d)
	random := rand.New(rand.NewPCG(1, 7))
	damaged := [][]byte{nil, whole[:10], whole[:len(whole)/2], whole[:len(whole)-1], append(bytes.Clone(whole), 0)}
	for range 6 {
		data := bytes.Clone(whole)
		data[random.IntN(len(data))] ^= byte(1 + random.IntN(255))
		damaged = append(damaged, data)
	}
	for i, data := range damaged {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if !rundir.SameRecords(want, records(t, d)) {
			t.Errorf("%d: other records", i)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
			t.Errorf("%d: the index was not made again: %v", i, err)
		}
	}
}

// Small runs have no index, and reading one writes nothing.
func TestSmallRunsHaveNoIndex(t *testing.T) {
	d := rundirtest.Finished(t, t.TempDir(), rundirtest.Grid(t, 4), nil)
	if _, err := os.Stat(filepath.Join(d.Path, ".index")); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
