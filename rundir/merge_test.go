package rundir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shard is a run of part of the grid whose points are finished.
func shard(t *testing.T, sets ...string) *Dir {
	t.Helper()
	c := resolved(t, good, sets...)
	d := create(t, t.TempDir()+"/run", c)
	for _, p := range c.Points() {
		finished(t, d, p)
	}
	if err := d.WriteIndexes(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	return d
}

func TestMergeIsTheWholeRun(t *testing.T) {
	a, b := shard(t, "grid.learning_rate=[0.1]", "repetitions=2"), shard(t, "grid.learning_rate=[0.1, 0.2]", "repetitions=2")
	whole := shard(t, "grid.learning_rate=[0.1, 0.2]", "repetitions=2")
	out := t.TempDir() + "/out"
	for range 2 { // again: what is there takes part
		d, err := Merge(t.Context(), out, []string{a.Path, b.Path})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Config.Points()) != len(whole.Config.Points()) {
			t.Errorf("the grid has %d points", len(d.Config.Points()))
		}
		want, err1 := os.ReadFile(filepath.Join(whole.Path, "results.csv"))
		got, err2 := os.ReadFile(filepath.Join(out, "results.csv"))
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%v %v\n%s\nwant\n%s", err1, err2, got, want)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	a, other := shard(t), shard(t, "seed=7")
	out := t.TempDir() + "/out"
	conflict := shard(t)
	p := conflict.Point(conflict.Config.Points()[0])
	r := exampleResult(p.Point)
	r.Training.Steps++
	if err := p.WriteResult(r); err != nil {
		t.Fatal(err)
	}
	measured := shard(t, "measure={orders: [1]}")
	for _, c := range []struct {
		with string
		want []string
	}{
		{other.Path, []string{a.Path, other.Path, "hold different experiments", "seed"}},
		{conflict.Path, []string{a.Path, conflict.Path, "different results of the same point"}},
		{measured.Path, []string{a.Path, measured.Path, "measure differently"}},
		{t.TempDir(), []string{"is not a run directory"}},
	} {
		_, err := Merge(t.Context(), out, []string{a.Path, c.with})
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v, want %s", err, w)
			}
		}
		if _, err := os.Stat(out); !os.IsNotExist(err) {
			t.Errorf("written: %v", err)
		}
	}
}

// A re-measuring that was cut off left results of two measures: the one that was asked
// for counts, whatever the order, unless the models differ.
func TestMergeTakesTheMeasureThatWasAskedFor(t *testing.T) {
	a, b := shard(t, "measure={orders: [1, 2]}"), shard(t, "measure={orders: [1, 2]}")
	p := b.Point(b.Config.Points()[0])
	older := exampleResult(p.Point)
	older.MeasuredOrders, older.Moments = []int{1}, older.Moments[:1]
	if err := p.WriteResult(older); err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]string{{a.Path, b.Path}, {b.Path, a.Path}} {
		d, err := Merge(t.Context(), t.TempDir()+"/out", order)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := d.Point(p.Point).ReadResult(); err != nil || !r.Measures(d.Config.Measure) {
			t.Errorf("the result of the older measure was taken: %v", err)
		}
	}
	older.MeasuredModel = "another"
	if err := p.WriteResult(older); err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(t.Context(), t.TempDir()+"/out", []string{a.Path, b.Path}); err == nil || !strings.Contains(err.Error(), "different results") {
		t.Errorf("error %v", err)
	}
}

// countdown is a context that is done when it was asked so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// An interrupted merge leaves whole points, and goes on.
func TestMergeCanBeInterrupted(t *testing.T) {
	a := shard(t, "repetitions=3")
	out := t.TempDir() + "/out"
	points := a.Config.Points()
	if _, err := Merge(&countdown{t.Context(), 3}, out, []string{a.Path}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	d, err := Open(out)
	if err != nil {
		t.Fatal(err)
	}
	records, err := d.Records()
	if err != nil || len(records) != 2 || len(points) <= 2 {
		t.Errorf("%d of %d points, %v", len(records), len(points), err)
	}
	for _, r := range records {
		if r.Result == nil || r.Status.State != Done {
			t.Errorf("half a point: %+v", r)
		}
	}
	if d, err = Merge(t.Context(), out, []string{a.Path}); err != nil {
		t.Fatal(err)
	}
	if records, err = d.Records(); err != nil || len(records) != len(points) {
		t.Errorf("%d points, %v", len(records), err)
	}
	take(t, d.Claims(0, "7"), points[0], 0)
	if _, err := Merge(t.Context(), out, []string{a.Path}); err == nil || !strings.Contains(err.Error(), "is in use; merge into it") {
		t.Errorf("error %v", err)
	}
}

func TestExecutorKeysAreChecked(t *testing.T) {
	for set, want := range map[string]string{
		`executor={partition: "a b"}`:       `executor.partition: "a b" is not a name of Slurm`,
		`executor={time: "soon"}`:           `executor.time: "soon" is not a time limit`,
		`executor={memory: "4 GB"}`:         `executor.memory: "4 GB" is not a size`,
		`executor={cpus: -1}`:               "executor.cpus: -1 is below 0",
		`executor={lines: ["gres=gpu"]}`:    "executor.lines[0]",
		`executor={lines: ["--x\nrm -rf"]}`: "executor.lines[0]",
		`executor={lines: ["-J foo"]}`:      `executor.lines[0]: "-J" is set by sobolev itself`,
		`executor={lines: ["-QJfoo"]}`:      `executor.lines[0]: "-QJfoo" is set`,
		`executor={lines: ["-a 0-5"]}`:      "is set by sobolev itself",
		`executor={lines: ["--arr=0-5"]}`:   `"--arr" is set by sobolev itself`,
		`executor={lines: ["--wrap=true"]}`: "is set by sobolev itself",
		`executor={lines: ["--output=x"]}`:  "is set by sobolev itself",
		`executor={lines: ["-n 1 '-e' x"]}`: `"-e" is set by sobolev itself`,
		`executor={task_minutes: 50000}`:    "executor.task_minutes: 50000 is above 44640",
		`executor={partitions: "a"}`:        `unknown key "partitions"`,
		`executor={setup: ["a\nb"]}`:        "executor.setup[0]",
	} {
		c, err := ParseConfig("good", []byte(good))
		if err == nil {
			err = c.Set(set)
		}
		if err == nil {
			_, err = c.Resolve()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", set, err, want)
		}
	}
	with := resolved(t, good, `executor={partition: gpu, time: "1-12", memory: 4G, cpus: 4, lines: ["--gres=gpu:1", "-w node-a --exclusive --mail-type=FAIL --wait-all-nodes=1 -p a -Q -C e"], setup: ["module load x"]}`)
	if a, b := with.Points()[0].Hash(), resolved(t, good).Points()[0].Hash(); a != b {
		t.Errorf("the executor is part of the hash: %s, %s", a, b)
	}
	d := create(t, t.TempDir(), with)
	if there, err := Open(d.Path); err != nil || there.Config.Executor.Time != "1-12" || there.Config.Executor.Lines[0] != "--gres=gpu:1" {
		t.Errorf("%+v, %v", there, err)
	}
}
