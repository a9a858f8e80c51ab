// Package sweeptest holds what every sweep.Executor does, as a test: points are done
// once and end with the same bytes wherever they run and whatever comes between.
package sweeptest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"sobolev/rundir"
	"sobolev/sweep"
)

// New returns an executor that has nothing to do yet, and whose workers run Point
// with the options of the sweep.
type New func(t *testing.T, dir *rundir.Dir, opt sweep.Options) sweep.Executor

// Options are those that workers in other processes have too.
func Options() sweep.Options {
	return sweep.Options{Jobs: 2, Tries: 2, Done: func(r rundir.Record) (bool, error) { return r.Result != nil, nil }}
}

// TestExecutor tests an executor. Its subtests run in parallel, each in a run of its own.
func TestExecutor(t *testing.T, newExecutor New) {
	for _, test := range []struct {
		name string
		run  func(*grid)
	}{
		{"once", once}, {"meanwhile", meanwhile}, {"failure", failure}, {"cancel", cancel}, {"interruption", interruption}, {"two at once", twoAtOnce},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(newGrid(t, newExecutor))
		})
	}
}

// once: every point is run once, and none a second time.
func once(g *grid) {
	want := sweep.Summary{Points: len(g.points), Done: len(g.points), Started: len(g.points)}
	var w watch
	if sum, err := g.execute(g.t.Context(), &w, false); err != nil || sum != want {
		g.t.Errorf("%+v, %v", sum, err)
	}
	w.allDone(g)
	g.finished()
	want.Started = 0
	if sum, err := g.execute(g.t.Context(), &w, false); err != nil || sum != want {
		g.t.Errorf("again: %+v, %v", sum, err)
	}
	g.begunOnce()
}

// meanwhile: points that ended since the caller looked are not run again, and their ends
// are told.
func meanwhile(g *grid) {
	if _, err := g.execute(g.t.Context(), &watch{}, false); err != nil {
		g.t.Fatal(err)
	}
	executor := g.executor(false)
	var w watch
	if _, err := executor.Start(g.t.Context(), g.points, &w); err != nil {
		g.t.Fatal(err)
	}
	if err := executor.Wait(g.t.Context()); err != nil {
		g.t.Error(err)
	}
	w.allDone(g)
	g.begunOnce()
	g.finished()
}

// failure: a point that fails keeps its error and stops no other; it is tried again up
// to the limit, and beyond it on request.
func failure(g *grid) {
	bad := g.points[1]
	g.order(fail(bad))
	for round := range 3 {
		var w watch
		sum, err := g.execute(g.t.Context(), &w, false)
		if err != nil || sum.Done != len(g.points)-1 || sum.Failed != 1 || sum.FirstError == nil ||
			!strings.HasPrefix(sum.FirstError.Error(), bad.Name()+": "+failureText) {
			g.t.Errorf("round %d: %+v, %v", round, sum, err)
		}
		tries := min(round+1, Options().Tries)
		if s := g.status(bad); s.State != rundir.Failed || s.Error != failureText || s.Failures != tries || s.Attempts != tries || s.Host == "" || g.begun(bad) != tries {
			g.t.Errorf("round %d: %+v, begun %d times", round, s, g.begun(bad))
		}
		ends := map[string]int{}
		switch round {
		case 0:
			for _, p := range g.points {
				ends[p.Name()] = 1
			}
		case 1:
			ends[bad.Name()] = 1
		}
		w.told(g, ends)
	}
	g.revoke(fail(bad))
	if sum, err := g.execute(g.t.Context(), &watch{}, true); err != nil || sum.Done != len(g.points) || sum.Started != 1 {
		g.t.Errorf("on request: %+v, %v", sum, err)
	}
	if s := g.status(bad); s.State != rundir.Done || s.Error != "" || s.Attempts != 3 {
		g.t.Errorf("on request: %+v", s)
	}
	g.finished()
}

// cancel: what is under way is saved and to be done, not failed; a later start
// finishes it.
func cancel(g *grid) {
	g.order(hold)
	executor := g.executor(false)
	var w watch
	began, err := executor.Start(g.t.Context(), g.points, &w)
	if err != nil || began != len(g.points) {
		g.t.Fatalf("%d points, %v", began, err)
	}
	g.allUnderWay()
	if err := executor.Cancel(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	if err := executor.Wait(g.t.Context()); err != nil && !errors.Is(err, context.Canceled) {
		g.t.Error(err)
	}
	w.told(g, map[string]int{})
	g.left()
	g.saved()
	g.revoke(hold)
	g.goOn()
}

// interruption: Wait ends with its context, and a later start brings all points to
// their end, whether the work ended with the wait or went on.
func interruption(g *grid) {
	g.order(hold)
	ctx, stop := context.WithCancel(g.t.Context())
	defer stop()
	ended := make(chan error)
	go func() {
		_, err := g.execute(ctx, &watch{}, false)
		ended <- err
	}()
	g.until("a point was begun", g.anyBegun)
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		g.t.Errorf("error %v, want that of the context", err)
	}
	g.revoke(hold)
	g.goOn()
	g.oneAtATime()
}

// twoAtOnce: neither a second start of an executor nor that of another one runs a
// point that is under way, and both see all points end.
func twoAtOnce(g *grid) {
	g.order(hold)
	first, second := g.executor(false), g.executor(false)
	var w1, w2 watch
	for _, want := range []int{len(g.points), 0} {
		if began, err := first.Start(g.t.Context(), g.points, &w1); err != nil || began != want {
			g.t.Fatalf("%d points were begun, want %d (%v)", began, want, err)
		}
	}
	g.until("a point was begun", g.anyBegun)
	if _, err := second.Start(g.t.Context(), g.points, &w2); err != nil {
		g.t.Fatal(err)
	}
	g.revoke(hold)
	if err := errors.Join(first.Wait(g.t.Context()), second.Wait(g.t.Context()), g.dir.WriteIndexes()); err != nil {
		g.t.Fatal(err)
	}
	w1.allDone(g)
	w2.allDone(g)
	g.begunOnce()
	g.finished()
}

// goOn brings the points to their end.
func (g *grid) goOn() {
	g.t.Helper()
	if sum, err := g.execute(g.t.Context(), &watch{}, false); err != nil || sum.Done != len(g.points) {
		g.t.Errorf("%+v, %v", sum, err)
	}
	for _, p := range g.points {
		if s := g.status(p); s.State != rundir.Done || s.Failures != 0 {
			g.t.Errorf("%s: %+v", p.Name(), s)
		}
	}
	g.finished()
}

// saved checks that no point has ended, and that those which were begun are saved.
func (g *grid) saved() {
	g.t.Helper()
	for _, p := range g.points {
		s := g.status(p)
		if s.State != rundir.Pending || s.Failures != 0 {
			g.t.Errorf("%s: %+v", p.Name(), s)
		}
		if _, err := os.Stat(g.dir.Point(p).File(savedFile)); g.begun(p) > 0 && err != nil {
			g.t.Error(err)
		}
	}
}
