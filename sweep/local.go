package sweep

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"sobolev/rundir"
)

// Local works on points in this process. Several processes may do so in one run
// directory: each point is worked on under a claim. A point that another process
// holds is looked at again until it has ended, or its claim has expired.
type Local struct {
	dir    *rundir.Dir
	run    RunPoint
	opt    Options
	claims *rundir.Claims

	observer Observer
	ctx      context.Context
	cancel   context.CancelCauseFunc
	workers  sync.WaitGroup

	mu    sync.Mutex
	queue []turn
	known map[string]bool // points that were started
	err   error           // the first that concerns all points
}

// turn is a point that waits for a worker, and when it is due.
type turn struct {
	point rundir.Point
	due   time.Time
}

// NewLocal returns an executor that has nothing to do yet.
func NewLocal(dir *rundir.Dir, run RunPoint, opt Options) *Local {
	if opt.Jobs < 1 {
		panic("sweep: Jobs is below 1")
	}
	opt.Heartbeat = cmp.Or(opt.Heartbeat, rundir.HeartbeatInterval)
	return &Local{dir: dir, run: run, opt: opt, claims: dir.Claims(opt.Heartbeat, opt.Job), known: map[string]bool{}}
}

// Start begins with up to Jobs of the points at once; the work ends when ctx is done.
func (l *Local) Start(ctx context.Context, points []rundir.Point, o Observer) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx == nil || l.ctx.Err() != nil {
		l.ctx, l.cancel = context.WithCancelCause(ctx)
		l.err = nil
	}
	l.observer = o
	began := 0
	for _, p := range points {
		if name := p.Name(); !l.known[name] {
			l.known[name] = true
			l.queue = append(l.queue, turn{point: p})
			began++
		}
	}
	for range min(l.opt.Jobs, began) {
		l.workers.Go(l.work)
	}
	return began, nil
}

// Wait ends the work when ctx is done.
func (l *Local) Wait(ctx context.Context) error {
	l.mu.Lock()
	cancel := l.cancel
	l.mu.Unlock()
	if cancel == nil {
		return nil
	}
	defer context.AfterFunc(ctx, func() { cancel(ctx.Err()) })()
	l.workers.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Cancel ends the work and waits until it is saved.
func (l *Local) Cancel(context.Context) error {
	l.mu.Lock()
	cancel := l.cancel
	l.mu.Unlock()
	if cancel != nil {
		cancel(context.Canceled)
		l.workers.Wait()
	}
	return nil
}

// work takes points until none is left. An error that concerns all of them stops
// the other workers too; theirs follow from the first.
func (l *Local) work() {
	for {
		p, ok := l.next()
		if !ok {
			return
		}
		err := l.point(l.ctx, p)
		var held *rundir.HeldError
		if errors.As(err, &held) {
			l.later(p)
			continue
		}
		l.mu.Lock()
		if err != nil {
			delete(l.known, p.Name())
			if l.err == nil {
				l.err = err
			}
		}
		l.mu.Unlock()
		if err != nil {
			l.cancel(err)
			return
		}
	}
}

// next waits until a point is due, and returns false when there is none.
func (l *Local) next() (rundir.Point, bool) {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.mu.Unlock()
			return rundir.Point{}, false
		}
		t := l.queue[0]
		wait := time.Until(t.due)
		if wait <= 0 || l.ctx.Err() != nil {
			l.queue = l.queue[1:]
			l.mu.Unlock()
			return t.point, true
		}
		l.mu.Unlock()
		select {
		case <-l.ctx.Done():
		case <-time.After(wait):
		}
	}
}

// later looks at a point again that somebody else holds.
func (l *Local) later(p rundir.Point) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, turn{p, time.Now().Add(l.opt.Heartbeat / 2)})
}

// statusInterval is the time of a point's seconds and steps that a kill may lose,
// and the age of what another process is shown.
const statusInterval = 5 * time.Second

// point runs one point under a claim. The error it returns is one that stops the
// work, or that the point is held by somebody else; an error of the point alone is
// recorded.
func (l *Local) point(ctx context.Context, p rundir.Point) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d := l.dir.Point(p)
	r, err := d.Record()
	if err != nil {
		return err
	}
	claim, err := l.claims.Take(p, r.Status.Attempts)
	if err != nil {
		return err
	}
	defer claim.Release()
	d = d.Under(claim)
	if err := d.Prepare(); err != nil {
		return l.stopped(claim, p, err)
	}
	// Another process may have ended the point before it was taken.
	if r, err = d.Record(); err != nil {
		return err
	}
	if done, err := l.opt.Done(r); err != nil {
		return err
	} else if done {
		l.observer.End(p, nil)
		return nil
	}
	if err := l.opt.givenUp(r.Status); err != nil {
		l.observer.End(p, err)
		return nil
	}
	return l.stopped(claim, p, l.underClaim(ctx, d, claim, r.Status))
}

// stopped turns the end of an attempt that has lost its claim into what it is: the
// point is somebody else's.
func (l *Local) stopped(claim *rundir.Claim, p rundir.Point, err error) error {
	if err != nil && (errors.Is(err, rundir.ErrLost) || errors.Is(claim.Check(), rundir.ErrLost)) {
		return &rundir.HeldError{Point: p.Name()}
	}
	return err
}

// underClaim runs the point and keeps its status.
func (l *Local) underClaim(ctx context.Context, d rundir.PointDir, claim *rundir.Claim, status rundir.Status) error {
	host, _ := os.Hostname() // an unknown host is an empty cell
	status.State, status.Error, status.Host, status.Version, status.Kernel = rundir.Running, "", host, l.opt.Version, l.opt.Kernel
	status.Attempts = claim.Attempt
	if err := d.WriteStatus(status); err != nil {
		return err
	}
	err := l.attempt(ctx, d, claim, &status)
	var unwritable *rundir.WriteError
	switch {
	case err == nil:
		status.State = rundir.Done
	case errors.Is(err, rundir.ErrLost), errors.Is(claim.Check(), rundir.ErrLost):
		return rundir.ErrLost
	// The disk is full, or gone: every other point would end in the same way.
	case errors.As(err, &unwritable), ctx.Err() != nil && errors.Is(err, ctx.Err()):
		status.State = rundir.Pending
		if werr := d.WriteStatus(status); werr != nil && unwritable == nil {
			err = werr
		}
		return err
	default:
		status.State, status.Error = rundir.Failed, err.Error()
		status.Failures++
	}
	if werr := d.WriteStatus(status); werr != nil {
		return werr
	}
	l.observer.End(d.Point, err)
	return nil
}

// attempt runs the point, with its steps and seconds kept in status and, now and
// then, on disk, and with signs of life.
func (l *Local) attempt(ctx context.Context, d rundir.PointDir, claim *rundir.Claim, status *rundir.Status) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beats sync.WaitGroup
	defer beats.Wait()
	defer cancel(nil)
	beats.Go(func() { l.beat(ctx, claim, cancel) })
	before, began := status.Seconds, time.Now()
	saved := began
	var unwritable error
	err := l.run(ctx, d, func(steps int) {
		status.Steps = steps
		l.observer.Progress(d.Point, steps)
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
	if err != nil && errors.Is(context.Cause(ctx), rundir.ErrLost) {
		return rundir.ErrLost
	}
	return err
}

// beat gives signs of life until ctx is done, and ends the attempt when the claim
// is lost. A sign that cannot be given is not missed: the next one may succeed.
func (l *Local) beat(ctx context.Context, claim *rundir.Claim, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(l.opt.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := claim.Beat(); errors.Is(err, rundir.ErrLost) {
				cancel(rundir.ErrLost)
				return
			}
		}
	}
}
