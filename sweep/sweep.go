// Package sweep runs the points of a grid that are not done yet, one worker a
// core, and keeps their status. It is handed the function that runs a point.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	// Jobs is the number of points that run at once, at least 1.
	Jobs int
	// RetryFailed runs the points again that failed in an earlier sweep.
	RetryFailed bool
	// Done returns whether a point needs no further work.
	Done func(rundir.PointDir) (bool, error)
	// Version and Kernel are recorded with every point.
	Version, Kernel string
	// Observer is told what happens; it is called by several goroutines. It may
	// be nil.
	Observer Observer
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
	// FirstError is the error of the first failed point in the grid's order.
	FirstError error
}

// Run works on the points until all are done or have failed, and rebuilds the
// run's indexes. A failed point does not stop the others. Run returns ctx's error
// when that left points to do, and the cause when the run directory cannot be
// read or written: points that this stopped are to be done, not failed.
func Run(ctx context.Context, dir *rundir.Dir, points []rundir.Point, run RunPoint, opt Options) (Summary, error) {
	if opt.Jobs < 1 {
		panic("sweep: Jobs is below 1")
	}
	if opt.Observer == nil {
		opt.Observer = unobserved{}
	}
	s := &sweep{dir: dir, run: run, opt: opt, points: points, ends: make([]end, len(points))}
	todo, err := s.plan()
	if err != nil {
		return Summary{}, err
	}
	opt.Observer.Begin(len(points), s.summary().Done)
	err = s.work(ctx, todo)
	return s.summary(), errors.Join(err, dir.WriteIndexes())
}

type sweep struct {
	dir    *rundir.Dir
	run    RunPoint
	opt    Options
	points []rundir.Point
	ends   []end // of each point; each is written by one worker
}

// end is how a point ended: done, failed with err, or neither.
type end struct {
	done bool
	err  error
}

// plan returns the indices of the points to run.
func (s *sweep) plan() ([]int, error) {
	var todo []int
	for i, p := range s.points {
		d := s.dir.Point(p)
		done, err := s.opt.Done(d)
		if err != nil {
			return nil, err
		}
		status, err := d.ReadStatus()
		if err != nil {
			return nil, err
		}
		switch {
		case done:
			s.ends[i].done = true
			// Killed between the result and its status.
			if status.State != rundir.Done {
				status.State, status.Error = rundir.Done, ""
				err = d.WriteStatus(status)
			}
		case status.State == rundir.Failed && !s.opt.RetryFailed:
			s.ends[i].err = fmt.Errorf("%s (an earlier attempt; --retry-failed tries again)", status.Error)
		default:
			todo = append(todo, i)
		}
		if err != nil {
			return nil, err
		}
	}
	return todo, nil
}

// work runs the points on opt.Jobs goroutines. It returns the first error that
// concerns the sweep as a whole: that of the run directory, or ctx's.
func (s *sweep) work(ctx context.Context, todo []int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan int, len(todo))
	for _, i := range todo {
		queue <- i
	}
	close(queue)
	errs := make(chan error, s.opt.Jobs)
	var workers sync.WaitGroup
	for range min(s.opt.Jobs, len(todo)) {
		workers.Go(func() {
			for i := range queue {
				if err := s.point(ctx, i); err != nil {
					errs <- err
					cancel(err)
					return
				}
			}
		})
	}
	workers.Wait()
	select {
	case err := <-errs: // the others followed from the first
		return err
	default:
		return nil
	}
}

// statusInterval is the time of a point's seconds and steps that a kill may lose,
// and the age of what another process is shown.
const statusInterval = 5 * time.Second

// point runs one point and keeps its status. The error it returns is one that
// stops the sweep; an error of the point alone is recorded.
func (s *sweep) point(ctx context.Context, i int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d := s.dir.Point(s.points[i])
	if err := d.Prepare(); err != nil {
		return err
	}
	status, err := d.ReadStatus()
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // an unknown host is an empty cell
	status.State, status.Error, status.Host, status.Version, status.Kernel = rundir.Running, "", host, s.opt.Version, s.opt.Kernel
	status.Attempts++
	if err := d.WriteStatus(status); err != nil {
		return err
	}
	err = s.attempt(ctx, d, &status)
	var unwritable *rundir.WriteError
	switch {
	case err == nil:
		status.State = rundir.Done
	// The disk is full, or gone: every other point would end in the same way.
	case errors.As(err, &unwritable), ctx.Err() != nil && errors.Is(err, ctx.Err()):
		status.State = rundir.Pending
		if werr := d.WriteStatus(status); werr != nil && unwritable == nil {
			err = werr
		}
		return err
	default:
		status.State, status.Error = rundir.Failed, err.Error()
	}
	if werr := d.WriteStatus(status); werr != nil {
		return werr
	}
	s.ends[i] = end{done: err == nil, err: err}
	s.opt.Observer.End(d.Point, err)
	return nil
}

// attempt runs the point, with its steps and seconds kept in status and, now and
// then, on disk.
func (s *sweep) attempt(ctx context.Context, d rundir.PointDir, status *rundir.Status) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	before, began := status.Seconds, time.Now()
	saved := began
	var unwritable error
	err := s.run(ctx, d, func(steps int) {
		status.Steps = steps
		s.opt.Observer.Progress(d.Point, steps)
		if now := time.Now(); unwritable == nil && now.Sub(saved) >= statusInterval {
			saved = now
			status.Seconds = before + now.Sub(began).Seconds()
			if unwritable = d.WriteStatus(*status); unwritable != nil {
				cancel(unwritable)
			}
		}
	})
	status.Seconds = before + time.Since(began).Seconds()
	if err != nil && unwritable != nil {
		return unwritable
	}
	return err
}

func (s *sweep) summary() Summary {
	sum := Summary{Points: len(s.points)}
	for i, p := range s.points {
		switch e := s.ends[i]; {
		case e.done:
			sum.Done++
		case e.err != nil:
			sum.Failed++
			if sum.FirstError == nil {
				sum.FirstError = fmt.Errorf("%s: %w", p.Name(), e.err)
			}
		}
	}
	return sum
}
