package sweep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sobolev/rundir"
)

func config(t testing.TB, etas, repetitions int) rundir.Config {
	t.Helper()
	c := rundir.Config{Dataset: rundir.Dataset{Name: "d"}, SGD: rundir.SGD{Iterations: 100}, Repetitions: repetitions}
	for i := range etas {
		c.Grid.LearningRate = append(c.Grid.LearningRate, float64(i+1)/8)
	}
	c.Grid.BatchSize = []int{4}
	c, err := c.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, path string, c rundir.Config) *rundir.Dir {
	t.Helper()
	d, err := rundir.Create(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// done is that of a sweep whose points need a result.
func done(r rundir.Record) (bool, error) { return r.Result != nil, nil }

// finish writes the result that the point always has.
func finish(d rundir.PointDir) error {
	r := &rundir.Result{Training: &rundir.Training{Status: "finished", Steps: 100, TrainLoss: rundir.Number(d.Point.LearningRate / float64(d.Point.Repetition))}}
	return d.WriteResult(r)
}

func succeed(_ context.Context, d rundir.PointDir, progress func(int)) error {
	progress(100)
	return finish(d)
}

// counts leaves out how many points were begun.
func counts(s Summary) Summary {
	s.Started = 0
	return s
}

// watch counts what an Observer is told.
type watch struct {
	mu                          sync.Mutex
	begins, points, donesBefore int
	progress                    int
	ends                        map[string]error
	twice                       []string
}

func (w *watch) Begin(points, done int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begins++
	w.points, w.donesBefore = points, done
}

func (w *watch) Progress(rundir.Point, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress++
}

func (w *watch) End(p rundir.Point, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ends == nil {
		w.ends = map[string]error{}
	}
	if _, ok := w.ends[p.Name()]; ok {
		w.twice = append(w.twice, p.Name())
	}
	w.ends[p.Name()] = err
}

func status(t testing.TB, d *rundir.Dir, p rundir.Point) rundir.Status {
	t.Helper()
	s, err := d.Point(p).ReadStatus()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRunDoesEveryPointOnce(t *testing.T) {
	c := config(t, 3, 3)
	for _, jobs := range []int{1, 2, 8, 100} {
		d := open(t, t.TempDir()+"/run", c)
		var w watch
		var runs, now, most atomic.Int64
		run := func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
			runs.Add(1)
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			return succeed(ctx, pd, progress)
		}
		opt := Options{Jobs: jobs, Done: done, Observer: &w, Version: "v", Kernel: "k"}
		sum, err := Run(t.Context(), d, c.Points(), run, opt)
		if err != nil || counts(sum) != (Summary{Points: 9, Done: 9}) {
			t.Errorf("%d jobs: %+v, %v", jobs, sum, err)
		}
		if runs.Load() != 9 || most.Load() > int64(jobs) || w.begins != 1 || w.points != 9 || w.donesBefore != 0 || len(w.ends) != 9 || len(w.twice) > 0 || w.progress != 9 {
			t.Errorf("%d jobs: %d runs, %d at once, %+v", jobs, runs.Load(), most.Load(), &w)
		}
		for _, p := range c.Points() {
			s := status(t, d, p)
			host, _ := os.Hostname()
			want := rundir.Status{Format: 1, State: rundir.Done, Attempts: 1, Steps: 100, Seconds: s.Seconds, Host: host, Version: "v", Kernel: "k"}
			if diff := cmp.Diff(want, s); diff != "" || !(s.Seconds >= 0) {
				t.Errorf("%s: %s", p.Name(), diff)
			}
		}
		// Again, and with more values: what is done is left alone.
		more := config(t, 4, 3)
		sum, err = Run(t.Context(), d, more.Points(), run, Options{Jobs: jobs, Done: done, RetryFailed: true})
		if err != nil || counts(sum) != (Summary{Points: 12, Done: 12}) || runs.Load() != 12 {
			t.Errorf("%d jobs, extended: %+v, %v, %d runs", jobs, sum, err, runs.Load())
		}
	}
}

func TestRunWithoutPoints(t *testing.T) {
	d := open(t, t.TempDir(), config(t, 1, 1))
	var w watch
	sum, err := Run(t.Context(), d, nil, succeed, Options{Jobs: 2, Done: done, Observer: &w})
	if err != nil || counts(sum) != (Summary{}) || w.begins != 1 {
		t.Errorf("%+v, %v, %d begins", sum, err, w.begins)
	}
	if _, err := os.Stat(filepath.Join(d.Path, "results.csv")); err != nil {
		t.Error(err)
	}
}

func TestFailedPointsDoNotStopTheOthers(t *testing.T) {
	c := config(t, 2, 3)
	points := c.Points()
	d := open(t, t.TempDir(), c)
	bad := errors.New("bad point")
	runs := 0
	run := func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
		runs++
		if pd.Point.Repetition == 2 && runs <= 6 {
			return bad
		}
		return succeed(ctx, pd, progress)
	}
	var w watch
	sum, err := Run(t.Context(), d, points, run, Options{Jobs: 1, Done: done, Observer: &w})
	if err != nil || sum.Points != 6 || sum.Done != 4 || sum.Failed != 2 || !errors.Is(sum.FirstError, bad) || !strings.HasPrefix(sum.FirstError.Error(), points[1].Name()+": ") {
		t.Errorf("%+v, %v", sum, err)
	}
	if w.ends[points[1].Name()] != bad || len(w.ends) != 6 {
		t.Errorf("ends %v", w.ends)
	}
	if s := status(t, d, points[1]); s.State != rundir.Failed || s.Error != "bad point" || s.Attempts != 1 {
		t.Errorf("status %+v", s)
	}

	sum, err = Run(t.Context(), d, points, run, Options{Jobs: 1, Done: done})
	if err != nil || sum.Done != 4 || sum.Failed != 2 || runs != 6 || sum.FirstError == nil ||
		sum.FirstError.Error() != points[1].Name()+": bad point (an earlier attempt; --retry-failed tries again)" {
		t.Errorf("%+v, %v, %d runs", sum, err, runs)
	}

	sum, err = Run(t.Context(), d, points, run, Options{Jobs: 1, Done: done, RetryFailed: true})
	if err != nil || counts(sum) != (Summary{Points: 6, Done: 6}) || runs != 8 {
		t.Errorf("%+v, %v, %d runs", sum, err, runs)
	}
	if s := status(t, d, points[1]); s.State != rundir.Done || s.Error != "" || s.Attempts != 2 {
		t.Errorf("status %+v", s)
	}
}

func TestInterruptedPointsArePending(t *testing.T) {
	c := config(t, 5, 1)
	points := c.Points()
	d := open(t, t.TempDir(), c)
	cause := errors.New("a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	run := func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
		if pd.Point.LearningRate < 0.3 {
			return succeed(ctx, pd, progress)
		}
		progress(40)
		cancel(cause)
		<-ctx.Done()
		return fmt.Errorf("saved: %w", ctx.Err())
	}
	var w watch
	sum, err := Run(ctx, d, points, run, Options{Jobs: 1, Done: done, Observer: &w})
	if !errors.Is(err, context.Canceled) || counts(sum) != (Summary{Points: 5, Done: 2}) || len(w.ends) != 2 {
		t.Errorf("%+v, %v, %d ends", sum, err, len(w.ends))
	}
	if s := status(t, d, points[2]); s.State != rundir.Pending || s.Attempts != 1 || s.Steps != 40 || s.Error != "" {
		t.Errorf("status %+v", s)
	}
	if s := status(t, d, points[3]); s.Attempts != 0 {
		t.Errorf("status %+v of a point that was not reached", s)
	}
	text, rerr := os.ReadFile(filepath.Join(d.Path, "results.csv"))
	if rerr != nil || strings.Count(string(text), "finished") != 2 {
		t.Errorf("the index of an interrupted run: %s, %v", text, rerr)
	}

	// Done before it starts: nothing is touched.
	sum, err = Run(ctx, d, points, run, Options{Jobs: 3, Done: done})
	if !errors.Is(err, context.Canceled) || counts(sum) != (Summary{Points: 5, Done: 2}) {
		t.Errorf("%+v, %v", sum, err)
	}
	sum, err = Run(t.Context(), d, points, succeed, Options{Jobs: 3, Done: done})
	if err != nil || counts(sum) != (Summary{Points: 5, Done: 5}) {
		t.Errorf("%+v, %v", sum, err)
	}
	if s := status(t, d, points[2]); s.Attempts != 2 || s.State != rundir.Done {
		t.Errorf("status %+v", s)
	}
	// Nothing was left to do when it ended.
	if sum, err = Run(ctx, d, points, succeed, Options{Jobs: 3, Done: done}); err != nil || sum.Done != 5 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// Seconds and attempts are those of all attempts, and steps those on disk when a
// kill comes.
func TestStatusKeepsTime(t *testing.T) {
	c := config(t, 1, 1)
	p := c.Points()[0]
	d := open(t, t.TempDir(), c)
	synctest.Test(t, func(t *testing.T) {
		// attempt runs the point for a minute, and then interrupts it.
		attempt := func() error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			_, err := Run(ctx, d, c.Points(), func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
				before := status(t, d, p)
				if before.State != rundir.Running {
					t.Errorf("status %+v while it runs", before)
				}
				for step := range 60 {
					time.Sleep(time.Second)
					progress(step)
					if s := status(t, d, p); s.Steps < step-5 || !(s.Seconds >= before.Seconds+float64(step)-5) {
						t.Errorf("status %+v after %d steps of a second", s, step)
					}
				}
				cancel()
				return ctx.Err()
			}, Options{Jobs: 1, Done: done})
			return err
		}
		if err := attempt(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s := status(t, d, p)
		if s.State != rundir.Pending || s.Attempts != 1 || s.Seconds != 60 {
			t.Errorf("status %+v", s)
		}
		s.State = rundir.Running // what a kill -9 leaves
		if err := d.Point(p).WriteStatus(s); err != nil {
			t.Fatal(err)
		}
		if err := attempt(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if s := status(t, d, p); s.State != rundir.Pending || s.Attempts != 2 || s.Seconds != 120 {
			t.Errorf("status %+v", s)
		}
	})
}

// A process that is killed between a result and its status leaves a lie, which
// the next sweep mends.
func TestStatusOfADonePointIsMended(t *testing.T) {
	c := config(t, 1, 1)
	d := open(t, t.TempDir(), c)
	pd := d.Point(c.Points()[0])
	if err := errors.Join(pd.Prepare(), finish(pd), pd.WriteStatus(rundir.Status{State: rundir.Running, Attempts: 3, Seconds: 7})); err != nil {
		t.Fatal(err)
	}
	never := func(context.Context, rundir.PointDir, func(int)) error { panic("a done point is run") }
	if sum, err := Run(t.Context(), d, c.Points(), never, Options{Jobs: 1, Done: done}); err != nil || sum.Done != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	if s := status(t, d, c.Points()[0]); s.State != rundir.Done || s.Attempts != 3 || s.Seconds != 7 {
		t.Errorf("status %+v", s)
	}
}

// A full disk would fail every point that follows, after its training.
func TestUnwritableRunStopsTheSweep(t *testing.T) {
	c := config(t, 6, 1)
	d := open(t, t.TempDir(), c)
	full := &rundir.WriteError{Path: "model", Err: errors.New("no space left on device")}
	var runs atomic.Int64
	var w watch
	sum, err := Run(t.Context(), d, c.Points(), func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
		if runs.Add(1) == 3 {
			return fmt.Errorf("point: %w", full)
		}
		if runs.Load() > 3 {
			<-ctx.Done() // the others are told to stop
			return ctx.Err()
		}
		return succeed(ctx, pd, progress)
	}, Options{Jobs: 2, Done: done, Observer: &w})
	if !errors.Is(err, full) || errors.Is(err, context.Canceled) || counts(sum) != (Summary{Points: 6, Done: 2}) || len(w.ends) != 2 {
		t.Errorf("%+v, %v, %d ends", sum, err, len(w.ends))
	}
	for _, p := range c.Points() {
		if s := status(t, d, p); s.State != rundir.Pending && s.State != rundir.Done {
			t.Errorf("%s: %+v", p.Name(), s)
		}
	}
	// It was the disk's fault: the points go on without --retry-failed.
	if sum, err := Run(t.Context(), d, c.Points(), succeed, Options{Jobs: 2, Done: done}); err != nil || sum.Done != 6 {
		t.Errorf("%+v, %v", sum, err)
	}
}

func TestUnwritableStatusStopsTheSweep(t *testing.T) {
	for _, when := range []string{"before", "during", "after"} {
		c := config(t, 3, 1)
		d := open(t, t.TempDir(), c)
		synctest.Test(t, func(t *testing.T) {
			runs := 0
			block := func(p rundir.PointDir) { // a folder where the file should be
				os.Remove(p.File("status.json"))
				if err := os.MkdirAll(p.File("status.json/x"), 0o755); err != nil {
					t.Error(err)
				}
			}
			if when == "before" {
				if err := os.WriteFile(d.Point(c.Points()[0]).Path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			sum, err := Run(context.Background(), d, c.Points(), func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
				runs++
				block(pd)
				if when == "during" {
					time.Sleep(2 * statusInterval)
					progress(3)
					<-ctx.Done()
					return ctx.Err()
				}
				return finish(pd)
			}, Options{Jobs: 1, Done: done})
			if err == nil || !strings.Contains(err.Error(), d.Point(c.Points()[0]).Path) || errors.Is(err, context.Canceled) || sum.Done != 0 || sum.Failed != 0 || runs > 1 {
				t.Errorf("%s: %+v, %v, %d runs", when, sum, err, runs)
			}
		})
	}
}

func TestDamagedResultStopsTheSweepAtItsBeginning(t *testing.T) {
	c := config(t, 2, 1)
	d := open(t, t.TempDir(), c)
	pd := d.Point(c.Points()[1])
	if err := errors.Join(pd.Prepare(), os.WriteFile(pd.File("result.json"), []byte("{"), 0o644)); err != nil {
		t.Fatal(err)
	}
	var w watch
	never := func(context.Context, rundir.PointDir, func(int)) error { panic("a point is run") }
	_, err := Run(t.Context(), d, c.Points(), never, Options{Jobs: 1, Done: done, Observer: &w})
	if err == nil || !strings.Contains(err.Error(), pd.File("result.json")) || !strings.Contains(err.Error(), "delete the file") || w.begins != 0 {
		t.Errorf("error %v, %d begins", err, w.begins)
	}
}

// Who has a share of the points reads no other's result while one is still to come, and
// the last to end makes the tables.
func TestAShareReadsItsOwnPoints(t *testing.T) {
	c := config(t, 3, 1)
	d := open(t, t.TempDir(), c)
	points := c.Points()
	damaged := d.Point(points[0])
	if err := errors.Join(damaged.Prepare(), damaged.WriteFile("result.json", []byte("{"))); err != nil {
		t.Fatal(err)
	}
	share := func(p rundir.Point) (Summary, error) {
		return Run(t.Context(), d, []rundir.Point{p}, succeed, Options{Jobs: 1, Done: done, Share: true})
	}
	table := filepath.Join(d.Path, "results.csv")
	sum, err := share(points[1])
	if want := (Summary{Points: 1, Done: 1, Started: 1}); err != nil || !cmp.Equal(sum, want) {
		t.Errorf("%+v, %v", sum, err)
	}
	if _, err := os.Stat(table); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a point is still to come, and there is a table: %v", err)
	}
	if err := os.Remove(damaged.File("result.json")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []rundir.Point{points[2], points[0]} {
		if _, err := share(p); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(table); err != nil || strings.Count(string(text), ",finished,") != len(points) {
		t.Errorf("the table of a run that has ended is %s, %v", text, err)
	}
	// Nothing to do.
	if sum, err := share(points[1]); err != nil || sum.Done != 1 || sum.Started != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// The results are the same bytes for any number of workers, and after any
// interruptions and failures.
func TestResultsAreTheSameWhateverHappened(t *testing.T) {
	c := config(t, 4, 3)
	results := func(d *rundir.Dir) string {
		var all string
		for _, name := range []string{"results.csv", "results.parquet"} {
			data, err := os.ReadFile(filepath.Join(d.Path, name))
			if err != nil {
				t.Fatal(err)
			}
			all += string(data)
		}
		return all
	}
	quiet := open(t, t.TempDir(), c)
	if _, err := Run(t.Context(), quiet, c.Points(), succeed, Options{Jobs: 1, Done: done}); err != nil {
		t.Fatal(err)
	}
	want := results(quiet)
	for seed := range uint64(6) {
		jobs := []int{1, 2, 8}[seed%3]
		path := t.TempDir()
		random := rand.New(rand.NewPCG(seed, 1))
		var mu sync.Mutex
		draw := func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(n)
		}
		for attempt := 0; ; attempt++ {
			if attempt == 200 {
				t.Fatal("the sweep does not come to its end")
			}
			d := open(t, path, c)
			ctx, cancel := context.WithCancel(t.Context())
			points := c.Points()
			if draw(2) == 0 {
				slices.Reverse(points)
			}
			sum, err := Run(ctx, d, points, func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
				progress(draw(100))
				time.Sleep(time.Duration(draw(1000)) * time.Microsecond)
				switch draw(6) {
				case 0:
					return errors.New("bad luck")
				case 1:
					cancel()
					return ctx.Err()
				case 2:
					if err := finish(pd); err != nil { // killed before its status
						return err
					}
					cancel()
					return ctx.Err()
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return finish(pd)
			}, Options{Jobs: jobs, Done: done, RetryFailed: true})
			cancel()
			d.Close()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if sum.Done+sum.Failed > sum.Points || err == nil && sum.Done+sum.Failed < sum.Points {
				t.Fatalf("%+v, %v", sum, err)
			}
			if sum.Done == sum.Points {
				if got := results(d); got != want {
					t.Errorf("seed %d, %d jobs, %d attempts: other bytes", seed, jobs, attempt+1)
				}
				break
			}
		}
	}
}

// Whoever shares out cores is told of the points that are left, before the first.
func TestPlannedAreThePointsThatAreLeft(t *testing.T) {
	c := config(t, 2, 2)
	d := open(t, t.TempDir()+"/run", c)
	points := c.Points()
	for _, p := range points[:3] {
		pd := d.Point(p)
		if err := errors.Join(pd.Prepare(), finish(pd)); err != nil {
			t.Fatal(err)
		}
	}
	planned := []int{}
	run := func(ctx context.Context, pd rundir.PointDir, progress func(int)) error {
		planned = append(planned, -1)
		return finish(pd)
	}
	opt := Options{Jobs: 2, Done: done, Planned: func(n int) { planned = append(planned, n) }}
	if _, err := Run(t.Context(), d, points, run, opt); err != nil || !slices.Equal(planned, []int{1, -1}) {
		t.Errorf("%v, %v", planned, err)
	}
}
