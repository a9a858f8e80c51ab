package sweeptest

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sobolev/rundir"
	"sobolev/sweep"
)

// grid is a run of six points that an executor works on.
type grid struct {
	t      *testing.T
	new    New
	dir    *rundir.Dir
	points []rundir.Point
}

func newGrid(t *testing.T, newExecutor New) *grid {
	t.Helper()
	g := &grid{t: t, new: newExecutor, dir: create(t)}
	g.points = g.dir.Config.Points()
	if err := os.Mkdir(filepath.Join(g.dir.Path, ordersFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	return g
}

// Folder is t.TempDir for runs with workers elsewhere: these go on to write the indexes
// when they have let go of their points, and may be at it when the test ends.
func Folder(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "sobolev-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var err error
		for range 600 {
			if err = os.RemoveAll(path); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error(err)
	})
	return path
}

func create(t *testing.T) *rundir.Dir {
	t.Helper()
	c, err := rundir.Config{
		Dataset: rundir.Dataset{Name: "d"}, SGD: rundir.SGD{Iterations: 100}, Repetitions: 3,
		Grid: rundir.Grid{LearningRate: []float64{0.1, 0.2}, BatchSize: []int{4}},
	}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	d, err := rundir.Create(filepath.Join(Folder(t), "run"), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func (g *grid) executor(retryFailed bool) sweep.Executor {
	opt := Options()
	opt.RetryFailed = retryFailed
	return g.new(g.t, g.dir, opt)
}

// execute runs a sweep with an executor of its own.
func (g *grid) execute(ctx context.Context, w *watch, retryFailed bool) (sweep.Summary, error) {
	opt := Options()
	opt.RetryFailed, opt.Observer = retryFailed, w
	return sweep.Execute(ctx, g.dir, g.points, g.executor(retryFailed), opt)
}

func (g *grid) orders(name string) string { return filepath.Join(g.dir.Path, ordersFolder, name) }

func (g *grid) order(name string) {
	g.t.Helper()
	if err := os.WriteFile(g.orders(name), nil, 0o644); err != nil {
		g.t.Fatal(err)
	}
}

func (g *grid) revoke(name string) {
	g.t.Helper()
	if err := os.Remove(g.orders(name)); err != nil {
		g.t.Fatal(err)
	}
}

// log is what the point wrote when it began and ended.
func (g *grid) log(p rundir.Point) string {
	data, _ := os.ReadFile(g.orders(logOf(p))) // none: it was never begun
	return string(data)
}

func (g *grid) begun(p rundir.Point) int { return strings.Count(g.log(p), began) }

func (g *grid) anyBegun() bool {
	return slices.ContainsFunc(g.points, func(p rundir.Point) bool { return g.begun(p) > 0 })
}

// allUnderWay waits until no more points begin, while all hold. A task that Slurm ends
// while it is launched may hear nothing but the kill half a minute later, and then
// saves nothing.
func (g *grid) allUnderWay() {
	g.t.Helper()
	count := func() (n int) {
		for _, p := range g.points {
			n += g.begun(p)
		}
		return n
	}
	g.until("points were begun, and no more for a second", func() bool {
		before := count()
		time.Sleep(time.Second)
		return before > 0 && count() == before
	})
}

func (g *grid) begunOnce() {
	g.t.Helper()
	for _, p := range g.points {
		if log := g.log(p); log != began+ended {
			g.t.Errorf("%s was not run once: %q", p.Name(), log)
		}
	}
}

func (g *grid) oneAtATime() {
	g.t.Helper()
	for _, p := range g.points {
		if log := g.log(p); log == "" || strings.ReplaceAll(log, began+ended, "") != "" {
			g.t.Errorf("%s was run twice at once, or not to its end: %q", p.Name(), log)
		}
	}
}

func (g *grid) status(p rundir.Point) rundir.Status {
	g.t.Helper()
	s, err := g.dir.Point(p).ReadStatus()
	if err != nil {
		g.t.Fatal(err)
	}
	return s
}

// until waits until the condition holds.
func (g *grid) until(what string, holds func() bool) {
	g.t.Helper()
	for range 6000 {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.t.Fatalf("not within two minutes: %s", what)
}

// finished checks that the run has the bytes of one that no executor worked on, and
// that nothing else is left.
func (g *grid) finished() {
	g.t.Helper()
	want := create(g.t)
	for _, p := range g.points {
		d := want.Point(p)
		if err := errors.Join(d.Prepare(), d.WriteResult(result(p)), d.WriteStatus(rundir.Status{State: rundir.Done})); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := want.WriteIndexes(); err != nil {
		g.t.Fatal(err)
	}
	files := []string{"results.csv", "results.parquet"}
	for _, p := range g.points {
		files = append(files, filepath.Join("points", p.Name(), "result.json"))
	}
	for _, name := range files {
		w, err1 := os.ReadFile(filepath.Join(want.Path, name))
		got, err2 := os.ReadFile(filepath.Join(g.dir.Path, name))
		if err1 != nil || err2 != nil || string(got) != string(w) {
			g.t.Errorf("%s has other bytes: %v, %v", name, err1, err2)
		}
	}
	g.left()
	if temporary, err := filepath.Glob(filepath.Join(g.dir.Path, "points", "*", ".*")); err != nil || len(temporary) > 0 {
		g.t.Errorf("temporary files are left: %q, %v", temporary, err)
	}
}

// left waits until no worker has a point any more: one elsewhere lets go of it after its
// result can be seen, and on a busy machine ends after its task is gone.
func (g *grid) left() {
	g.t.Helper()
	g.until("no claims are left", func() bool {
		claims, err := filepath.Glob(filepath.Join(g.dir.Path, "claims", "*"))
		return err == nil && len(claims) == 0
	})
}

// watch keeps what an Observer is told of the ends of points.
type watch struct {
	mu   sync.Mutex
	ends map[string]int
	errs []error
}

func (w *watch) Begin(int, int)             {}
func (w *watch) Progress(rundir.Point, int) {}

func (w *watch) End(p rundir.Point, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ends == nil {
		w.ends = map[string]int{}
	}
	w.ends[p.Name()]++
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// told checks how often the end of each point was told.
func (w *watch) told(g *grid, want map[string]int) {
	g.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !maps.Equal(w.ends, want) {
		g.t.Errorf("the observer was told of the ends %v, want %v", w.ends, want)
	}
}

// allDone checks that each point's end was told once, without an error.
func (w *watch) allDone(g *grid) {
	g.t.Helper()
	want := map[string]int{}
	for _, p := range g.points {
		want[p.Name()] = 1
	}
	w.told(g, want)
	if err := errors.Join(w.errs...); err != nil {
		g.t.Error(err)
	}
}
