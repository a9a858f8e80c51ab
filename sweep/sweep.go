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
// it. It calls progress now and then with the number of steps done. When ctx is
// done it saves what it has and returns ctx's error.
type RunPoint func(ctx context.Context, d rundir.PointDir, progress func(steps int)) error

// Options of a sweep.
type Options struct {
	// Jobs is the number of points that run at once.
	Jobs int
	// RetryFailed runs the points again that failed in an earlier sweep.
	RetryFailed bool
	// Done returns whether a point needs no further work.
	Done func(rundir.PointDir) (bool, error)
	// Version and Kernel are recorded with every point.
	Version, Kernel string
	// Observer is told what happens; it is called by several goroutines.
	Observer Observer
}

// Observer is told how a sweep goes on.
type Observer interface {
	// Begin is called once: the number of points, and how many were done before.
	Begin(points, done int)
	// Progress is called now and then while a point runs.
	Progress(p rundir.Point, steps int)
	// End is called when a point ended: err is nil if it has a result.
	End(p rundir.Point, err error)
}

// Summary counts the points of a sweep by how they ended.
type Summary struct {
	Points, Done, Failed int
	// FirstError is the error of the first failed point in the grid's order.
	FirstError error
}

// Run works on the points until all are done or have failed, and rebuilds the
// run's indexes. A failed point does not stop the others. Run returns an error
// when ctx is done, or when the run directory itself cannot be written.
func Run(ctx context.Context, dir *rundir.Dir, points []rundir.Point, run RunPoint, opt Options) (Summary, error) {
	s := &sweep{dir: dir, run: run, opt: opt, errs: make([]error, len(points))}
	todo, err := s.plan(points)
	if err != nil {
		return Summary{}, err
	}
	opt.Observer.Begin(len(points), len(points)-len(todo))
	fatal := s.work(ctx, points, todo)
	if err := dir.WriteIndexes(); err != nil && fatal == nil {
		fatal = err
	}
	return s.summary(points), fatal
}

type sweep struct {
	dir  *rundir.Dir
	run  RunPoint
	opt  Options
	errs []error // of each point; nil: done, or not reached
}

// plan returns the indices of the points to run.
func (s *sweep) plan(points []rundir.Point) ([]int, error) {
	var todo []int
	for i, p := range points {
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
		case status.State == rundir.Failed && !s.opt.RetryFailed:
			s.errs[i] = fmt.Errorf("%s (an earlier attempt; --retry-failed tries again)", status.Error)
		default:
			todo = append(todo, i)
		}
	}
	return todo, nil
}

// work runs the points on opt.Jobs goroutines. It returns the first error that
// concerns the sweep as a whole: ctx's, or that of the run directory.
func (s *sweep) work(ctx context.Context, points []rundir.Point, todo []int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan int)
	var workers sync.WaitGroup
	for range min(s.opt.Jobs, len(todo)) {
		workers.Go(func() {
			for i := range queue {
				if err := s.point(ctx, points[i], i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, i := range todo {
		select {
		case queue <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	workers.Wait()
	return context.Cause(ctx)
}

// point runs one point and keeps its status. The error it returns is one that
// stops the sweep; an error of the point alone is recorded.
func (s *sweep) point(ctx context.Context, p rundir.Point, i int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d := s.dir.Point(p)
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
	start := time.Now()
	err = s.run(ctx, d, func(steps int) {
		status.Steps = steps
		s.opt.Observer.Progress(p, steps)
	})
	status.Seconds += time.Since(start).Seconds()
	switch {
	case err == nil:
		status.State = rundir.Done
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		status.State = rundir.Pending
	default:
		status.State, status.Error = rundir.Failed, err.Error()
		s.errs[i] = err
	}
	if status.State != rundir.Pending {
		s.opt.Observer.End(p, err)
	}
	if werr := d.WriteStatus(status); werr != nil {
		return errors.Join(err, werr)
	}
	return ctx.Err()
}

func (s *sweep) summary(points []rundir.Point) Summary {
	sum := Summary{Points: len(points)}
	for i, p := range points {
		if err := s.errs[i]; err != nil {
			sum.Failed++
			if sum.FirstError == nil {
				sum.FirstError = fmt.Errorf("%s: %w", p.Name(), err)
			}
			continue
		}
		if done, err := s.opt.Done(s.dir.Point(p)); done && err == nil {
			sum.Done++
		}
	}
	return sum
}
