// Package sweep runs the points of a grid that are not done yet, one worker a
// core, and keeps their status. It is handed the function that runs a point.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"sobolev/rundir"
)

// RunPoint brings one point to its result from wherever an earlier attempt left
// it. It calls progress now and then, from its own goroutine, with the number of
// steps done. When ctx is done it saves what it has and returns ctx's error.
//
// A panic in it ends the program: it is a bug, and the point is taken up again by
// the next sweep.
type RunPoint func(ctx context.Context, d rundir.PointDir, progress func(steps int)) error

// Options of a sweep.
type Options struct {
	// Jobs is the number of points that run at once in this process, at least 1.
	Jobs int
	// Tries is the number of failed attempts after which a point is left alone; 0
	// means 1. RetryFailed takes it up again.
	Tries       int
	RetryFailed bool
	// Done returns whether a point needs no further work. Of the results it gets those of
	// Dir.Outline.
	Done func(rundir.Record) (bool, error)
	// Planned, if there is one, is told the number of points to work on before the first.
	Planned func(points int)
	// Version and Kernel are recorded with every point, and Job with who works on it.
	Version, Kernel, Job string
	// Heartbeat is the time between two signs of life of a point that runs; 0 means
	// rundir.HeartbeatInterval.
	Heartbeat time.Duration
	// Observer is told what happens; it is called by several goroutines. It may
	// be nil.
	Observer Observer
	// Share says that the points are some of the run's: its indexes are rebuilt by
	// whoever sees all of them ended.
	Share bool
	// Detach returns when the work has been started, where it goes on by itself.
	Detach bool
}

// givenUp returns the error of a point that failed too often to be tried again.
func (o Options) givenUp(s rundir.Status) error {
	if s.State != rundir.Failed || o.RetryFailed || max(1, s.Failures) < max(1, o.Tries) {
		return nil
	}
	return fmt.Errorf("%s (an earlier attempt; --retry-failed tries again)", s.Error)
}

// An Executor works on points somewhere: in this process, or on a cluster.
type Executor interface {
	// Start begins the work on those points that nothing works on yet for this
	// executor, and returns how many they are.
	Start(ctx context.Context, points []rundir.Point, o Observer) (int, error)
	// Wait tells the observer what happens until nothing is under way any more, or
	// ctx is done: then it returns ctx's error, and work that would end with this
	// process has been saved.
	Wait(ctx context.Context) error
	// Cancel ends what is under way, after it has saved what it has.
	Cancel(ctx context.Context) error
}

// Observer is told how a sweep goes on.
type Observer interface {
	// Begin is called once: the number of points, and how many were done before.
	Begin(points, done int)
	// Progress is called now and then while a point runs.
	Progress(p rundir.Point, steps int)
	// End is called when a point ended: err is nil if it has a result. It is not
	// called for a point that was interrupted.
	End(p rundir.Point, err error)
}

// unobserved is the Observer of a sweep that has none.
type unobserved struct{}

func (unobserved) Begin(int, int)             {}
func (unobserved) Progress(rundir.Point, int) {}
func (unobserved) End(rundir.Point, error)    {}

// Summary counts the points of a sweep by how they ended; the rest is still to
// be done. Failed counts also those that failed earlier and were not retried.
type Summary struct {
	Points, Done, Failed int
	// Started counts the points that the executor began.
	Started int
	// FirstError is the error of the first failed point in the grid's order.
	FirstError error
}

// Run works on the points in this process until all are done or have failed; see
// Execute.
func Run(ctx context.Context, dir *rundir.Dir, points []rundir.Point, run RunPoint, opt Options) (Summary, error) {
	return Execute(ctx, dir, points, NewLocal(dir, run, opt), opt)
}

// Execute has the points worked on until all are done or have failed, and rebuilds
// the run's indexes. A failed point does not stop the others. It returns ctx's error
// when that left points to do, and the cause when the run directory cannot be
// read or written: points that this stopped are to be done, not failed.
func Execute(ctx context.Context, dir *rundir.Dir, points []rundir.Point, executor Executor, opt Options) (Summary, error) {
	if opt.Observer == nil {
		opt.Observer = unobserved{}
	}
	s := &sweep{dir: dir, opt: opt, points: points, names: make([]string, len(points)), ends: map[string]error{}}
	for i, p := range points {
		s.names[i] = p.Name() // takes a digest
	}
	todo, err := s.plan()
	if err != nil {
		return Summary{}, err
	}
	opt.Observer.Begin(len(points), s.summary().Done)
	if opt.Planned != nil {
		opt.Planned(len(todo))
	}
	started, err := executor.Start(ctx, todo, s)
	if err == nil && !opt.Detach {
		err = executor.Wait(ctx)
	}
	sum := s.summary()
	sum.Started = started
	if opt.Share {
		if rest, rerr := s.rest(); rest || rerr != nil {
			return sum, errors.Join(err, rerr)
		}
	}
	if s.unchanged != "" {
		return sum, errors.Join(err, dir.RenewIndexes(s.unchanged))
	}
	return sum, errors.Join(err, dir.WriteIndexes())
}

// rest says whether a point of the run is still to come. Most often it is one of the
// last, and no result has to be read.
func (s *sweep) rest() (bool, error) {
	points := s.dir.Config.Points()
	for _, p := range slices.Backward(points) {
		d := s.dir.Point(p)
		if _, err := os.Stat(d.File("result.json")); errors.Is(err, fs.ErrNotExist) {
			if status, err := d.ReadStatus(); err != nil || status.State != rundir.Failed {
				return true, err
			}
		}
	}
	read, err := s.dir.Outline()
	if err != nil {
		return false, err
	}
	ended := map[string]bool{}
	for _, r := range read.Records {
		done, err := s.opt.Done(r)
		if err != nil {
			return false, err
		}
		ended[r.Name] = done || r.Status.State == rundir.Failed
	}
	return slices.ContainsFunc(points, func(p rundir.Point) bool { return !ended[p.Name()] }), nil
}

// sweep is the observer between an executor and the caller's.
type sweep struct {
	dir    *rundir.Dir
	opt    Options
	points []rundir.Point
	names  []string // of the points
	// unchanged is the points' stamp, if the plan found nothing to do.
	unchanged string

	mu   sync.Mutex
	ends map[string]error // of the points that have ended, by name: nil is done
}

func (s *sweep) Begin(int, int) {}

func (s *sweep) Progress(p rundir.Point, steps int) { s.opt.Observer.Progress(p, steps) }

func (s *sweep) End(p rundir.Point, err error) {
	s.mu.Lock()
	s.ends[p.Name()] = err
	s.mu.Unlock()
	s.opt.Observer.End(p, err)
}

// records are what is known of the points by their names, with the run's stamp. Who has
// a share of them does not read the whole run for it.
func (s *sweep) records() (known map[string]rundir.Record, stamp string, err error) {
	known = make(map[string]rundir.Record, len(s.points))
	if s.opt.Share {
		for i, p := range s.points {
			if known[s.names[i]], err = s.dir.Point(p).Record(); err != nil {
				return nil, "", err
			}
		}
		return known, "", nil
	}
	read, err := s.dir.Outline()
	for _, r := range read.Records {
		known[r.Name] = r
	}
	return known, read.Stamp, err
}

// plan returns the points to run.
func (s *sweep) plan() ([]rundir.Point, error) {
	known, stamp, err := s.records()
	if err != nil {
		return nil, err
	}
	var todo []rundir.Point
	mended := false
	for i, p := range s.points {
		name := s.names[i]
		r, ok := known[name]
		if !ok {
			todo = append(todo, p)
			continue
		}
		done, err := s.opt.Done(r)
		if err != nil {
			return nil, err
		}
		gone := s.opt.givenUp(r.Status)
		switch {
		case done:
			gone = nil
			if r.Status.State != rundir.Done {
				mended = true
				if err := s.mend(p, r.Status); err != nil {
					return nil, err
				}
			}
		case gone == nil:
			todo = append(todo, p)
			continue
		}
		s.ends[name] = gone
	}
	if len(todo) == 0 && !mended {
		s.unchanged = stamp
	}
	return todo, nil
}

// mend corrects the status of a done point whose process was killed between the
// result and the status.
func (s *sweep) mend(p rundir.Point, status rundir.Status) error {
	status.State, status.Error = rundir.Done, ""
	return s.dir.Point(p).WriteStatus(status)
}

func (s *sweep) summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := Summary{Points: len(s.points)}
	for _, name := range s.names {
		switch err, ended := s.ends[name]; {
		case !ended:
		case err == nil:
			sum.Done++
		default:
			sum.Failed++
			if sum.FirstError == nil {
				sum.FirstError = fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return sum
}
