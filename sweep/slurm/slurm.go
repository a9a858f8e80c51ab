package slurm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sobolev/rundir"
	"sobolev/sweep"
)

// Options of an executor.
type Options struct {
	Config rundir.Executor
	// Program is the file of the program, and ProgramName what it is called.
	Program, ProgramName string
	// Arguments make the program work on one task; the run directory, the number of
	// the submission and that of the task follow them.
	Arguments []string
	// Estimate is the time that a point takes on one core.
	Estimate func(rundir.Point) time.Duration
	// Done is that of the sweep, and needed.
	Done func(rundir.Record) (bool, error)
	// Tries and RetryFailed are those of the sweep: a task that ends before it has begun
	// any of its points is a failed attempt of each.
	Tries       int
	RetryFailed bool
	// Poll is the longest time between two looks of Wait; 0 means 5 s.
	Poll time.Duration
}

// Executor submits points to Slurm. It is a sweep.Executor.
type Executor struct {
	dir *rundir.Dir
	opt Options

	observer sweep.Observer
	points   map[string]watched
}

// watched is a point that Wait looks at, the failures it had before, and whether the
// observer was told of another.
type watched struct {
	point    rundir.Point
	failures int
	told     bool
}

// New returns the executor of a run, whose path becomes absolute.
func New(dir *rundir.Dir, opt Options) (*Executor, error) {
	path, err := filepath.Abs(dir.Path)
	if err != nil {
		return nil, err
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if opt.Poll == 0 {
		opt.Poll = 5 * time.Second
	}
	absolute := *dir
	absolute.Path = path
	return &Executor{dir: &absolute, opt: opt, points: map[string]watched{}}, nil
}

// Script shows what Start would submit first of these points, at least one.
func (e *Executor) Script(points []rundir.Point) (string, error) {
	program, _, err := programCopy(e.dir, e.opt.Program, e.opt.ProgramName)
	if err != nil {
		return "", err
	}
	tasks := pack(points, e.opt.Config, e.opt.Estimate)
	return e.script(lastNumber(e.dir)+1, jobName(e.dir.Config.Name), program, min(len(tasks), defaultArraySize)), nil
}

// Start submits the points that are not done and in no task which waits or runs, those
// last that were begun most often: a point that kills its task then harms no other. What an
// earlier process submitted counts. The jobs do not end with ctx.
func (e *Executor) Start(ctx context.Context, points []rundir.Point, o sweep.Observer) (int, error) {
	e.observer = o
	// Before anything is written: there must be a Slurm.
	size, err := maxArraySize(ctx)
	if err != nil {
		return 0, err
	}
	before, err := ReadSubmissions(e.dir)
	if err != nil {
		return 0, err
	}
	active, err := before.Active(ctx)
	if err != nil {
		return 0, err
	}
	type begun struct {
		point    rundir.Point
		attempts int
	}
	var todo []begun
	for _, p := range points {
		r, err := e.dir.Point(p).Record()
		if err != nil {
			return 0, err
		}
		e.points[p.Name()] = watched{point: p, failures: r.Status.Failures}
		if _, ok := active[p.Name()]; ok {
			continue
		}
		// Its task may have ended with a result since the caller looked.
		if done, err := e.opt.Done(r); err != nil {
			return 0, err
		} else if done {
			continue
		}
		if err := e.givenUp(before, p); err != nil {
			o.End(p, err)
			delete(e.points, p.Name())
			continue
		}
		todo = append(todo, begun{p, r.Status.Attempts})
	}
	slices.SortStableFunc(todo, func(a, b begun) int { return a.attempts - b.attempts })
	ordered := make([]rundir.Point, len(todo))
	for i, t := range todo {
		ordered[i] = t.point
	}
	if len(ordered) == 0 {
		return 0, nil
	}
	program, err := keepProgram(e.dir, e.opt.Program, e.opt.ProgramName)
	if err != nil {
		return 0, err
	}
	for tasks := range slices.Chunk(pack(ordered, e.opt.Config, e.opt.Estimate), size) {
		if err := e.submit(ctx, program, tasks); err != nil {
			return 0, err
		}
	}
	return len(ordered), nil
}

// givenUp returns the error of a point whose tasks ended too often before they began.
func (e *Executor) givenUp(before Submissions, p rundir.Point) error {
	n := before.EarlyEnds(p.Name())
	if e.opt.RetryFailed || n < max(1, e.opt.Tries) {
		return nil
	}
	file, last := before.Log(p.Name(), 1)
	return fmt.Errorf("its task ended before it began any point, %d times; the end of %s: %q (--retry-failed tries again)", n, file, strings.Join(last, " "))
}

// submit makes one array. Its name is on disk before Slurm knows it, and stays there
// unless sbatch could not be started: that it failed, or was interrupted, does not say
// that nothing arrived, perhaps later. A name that Slurm does not know costs nothing.
func (e *Executor) submit(ctx context.Context, program string, tasks [][]string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	number, err := newSubmission(e.dir)
	if err != nil {
		return err
	}
	s := submission{Format: rundir.Format, Name: jobName(e.dir.Config.Name), Tasks: tasks, number: number}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := submissionPath(e.dir, number)
	job, record := filepath.Join(path, "job.sh"), filepath.Join(path, "submission.json")
	err = rundir.WriteFile(job, []byte(e.script(number, s.Name, program, len(tasks))))
	if err == nil {
		err = rundir.WriteFile(record, data)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(path))
	}
	out, err := commandIn(ctx, environment(e.opt.Config), "sbatch", "--parsable", job)
	if errors.Is(err, exec.ErrNotFound) {
		return errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return err
	}
	s.Job, _, _ = strings.Cut(strings.TrimSpace(out), ";")
	if data, err = json.Marshal(s); err == nil {
		_ = rundir.WriteFile(record, data) // without it status has no number to show
	}
	return nil
}

func jobName(run string) string { return fmt.Sprintf("sobolev-%s-%08x", run, rand.Uint32()) }

// Active returns what Slurm says about the points of the run that are in a task
// which waits or runs, by name.
func Active(ctx context.Context, dir *rundir.Dir) (map[string]Standing, error) {
	s, err := ReadSubmissions(dir)
	if err != nil {
		return nil, err
	}
	return s.Active(ctx)
}

// Active returns what Slurm says about the points that are in a task which waits or
// runs, by name.
func (s Submissions) Active(ctx context.Context) (map[string]Standing, error) {
	tasks, err := queue(ctx, s.all)
	if err != nil {
		return nil, err
	}
	points := map[string]Standing{}
	for _, s := range s.all {
		for i, names := range s.Tasks {
			standing, ok := tasks[taskKey{s.Name, i}]
			for _, name := range names {
				if ok {
					points[name] = standing
				}
			}
		}
	}
	return points, nil
}

// patience is the number of times that Slurm may not answer while Wait waits: a
// controller that starts again is no reason to give up.
const patience = 24

// Wait follows the points by their files until each has ended, or is in no task any
// more. It leaves the jobs alone when ctx is done.
func (e *Executor) Wait(ctx context.Context) error {
	unanswered, began := 0, time.Now()
	for {
		active, err := Active(ctx, e.dir)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && unanswered == patience:
			return err
		case err != nil:
			unanswered++
		default:
			unanswered = 0
			if err := e.look(active); err != nil {
				return err
			}
		}
		if len(e.points) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause(e.opt.Poll, time.Since(began))):
		}
	}
}

// pause is the time between two looks, after so long a wait: that the end of a short run
// is noticed at once, and the controller of a long one is left in peace.
func pause(poll, waited time.Duration) time.Duration { return min(poll, max(poll, waited)/10) }

// look tells the observer what has become of the points, and forgets those that
// have ended or were left behind by their task.
func (e *Executor) look(active map[string]Standing) error {
	for name, w := range e.points {
		standing, ok := active[name]
		if ok && !standing.Running() {
			continue
		}
		r, err := e.dir.Point(w.point).Record()
		if err != nil {
			return err
		}
		done, err := e.opt.Done(r)
		if err != nil {
			return err
		}
		switch {
		case done:
			e.observer.End(w.point, nil)
		case r.Status.Failures > w.failures:
			if !w.told {
				e.observer.End(w.point, errors.New(r.Status.Error))
				w.told = true
				e.points[name] = w
			}
			if ok {
				continue // Start does not take it up again while its task goes on
			}
		case ok:
			e.observer.Progress(w.point, r.Status.Steps)
			continue
		}
		delete(e.points, name)
	}
	return nil
}

// Cancel ends the jobs of the run: Slurm tells running tasks first, and they save
// what they have.
func (e *Executor) Cancel(ctx context.Context) error {
	_, err := Cancel(ctx, e.dir)
	return err
}

// Cancel ends the jobs of a run and returns their numbers, none if it has none.
func Cancel(ctx context.Context, dir *rundir.Dir) ([]string, error) {
	active, err := Active(ctx, dir)
	if err != nil {
		return nil, err
	}
	var jobs []string
	for _, s := range active {
		jobs = append(jobs, s.Job)
	}
	slices.Sort(jobs)
	jobs = slices.Compact(jobs)
	if len(jobs) == 0 {
		return nil, nil
	}
	_, err = command(ctx, "scancel", jobs...)
	return jobs, err
}

// Description says in a few words where a point of a task stands.
func (s Standing) Description() string {
	if s.Running() {
		return fmt.Sprintf("%s on %s (job %s)", strings.ToLower(s.State), s.Node, s.Job)
	}
	return fmt.Sprintf("waiting (job %s: %s)", s.Job, s.Reason)
}
