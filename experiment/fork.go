package experiment

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"sobolev/encoding/safetensors"
	"sobolev/rundir"
	"sobolev/sgd"
)

// fork is the training whose weights all points of the experiment begin with.
type fork struct {
	from  rundir.PointDir
	step  int // 0: the end
	steps int // of the whole training

	once    sync.Once
	weights *safetensors.File
	err     error
}

// newFork looks at the point that the configuration names. Its errors are
// *rundir.ValueErrors.
func (e *Experiment) newFork(c rundir.Fork) (*fork, error) {
	refuse := func(key, format string, args ...any) (*fork, error) {
		return nil, &rundir.ValueError{Key: "fork." + key, Problem: fmt.Sprintf(format, args...)}
	}
	d, err := rundir.OpenPoint(c.From)
	if err != nil {
		return refuse("from", "%v", err)
	}
	f := &fork{from: d, step: c.Step}
	if f.weights, err = safetensors.ReadFile(d.File(modelFile)); err != nil {
		return refuse("from", "%v; the point must have been trained to its end", err)
	}
	if err := e.checkOrigin(f.weights, d.Point); err != nil {
		return refuse("from", "%s: %v", d.File(modelFile), err)
	}
	if f.steps, err = strconv.Atoi(f.weights.Metadata["steps"]); err != nil {
		return refuse("from", "%s: %v", d.File(modelFile), err)
	}
	if f.step == 0 {
		f.step = f.steps
	}
	switch p := d.Point; {
	case f.step > f.steps:
		return refuse("step", "%d is above %d, the number of steps of %s", f.step, f.steps, c.From)
	case f.step == f.steps && f.weights.Metadata["status"] == "diverged":
		return refuse("from", "the training of %s diverged; set fork.step to a moment before its last step, %d", c.From, f.steps)
	case f.step < f.steps && p.Fork.From != "":
		return refuse("step", "%s is itself a fork: only its end can be taken; leave fork.step out", c.From)
	case !sameArchitecture(p.Model, e.config.Model):
		return refuse("from", "%s has another model: %+v there, %+v here", c.From, p.Model, e.config.Model)
	}
	return f, nil
}

// sameArchitecture compares what does not depend on the initial weights.
func sameArchitecture(a, b rundir.Model) bool {
	a.Init, b.Init = "", ""
	return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

// load sets the weights of t to those of the fork: from the model of the other
// training, or by training it again up to the step. That is deterministic, so that
// no training has to keep its past.
func (e *Experiment) loadFork(ctx context.Context, t *sgd.Trainer[float32]) error {
	f := e.fork
	f.once.Do(func() {
		if f.step < f.steps {
			f.weights, f.err = e.retrain(ctx, f.from.Point, f.step)
		}
	})
	if f.err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("fork from %s: %w", f.from.Path, f.err)
	}
	return t.Network.Load(f.weights)
}

func (e *Experiment) retrain(ctx context.Context, p rundir.Point, steps int) (*safetensors.File, error) {
	t, err := e.newTrainer(p)
	if err != nil {
		return nil, err
	}
	for t.Steps() < steps && t.Outcome() == sgd.Running {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := t.Step(); err != nil {
			return nil, err
		}
	}
	if t.Steps() != steps {
		return nil, fmt.Errorf("trained again it ends after %d steps, not after the recorded ones; was it trained with another version or on another kind of processor?", t.Steps())
	}
	return &safetensors.File{Tensors: t.Network.Tensors()}, nil
}
