package experiment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"sobolev/encoding/safetensors"
	"sobolev/rundir"
	"sobolev/sgd"
)

// The files of a point that this package writes beside those of rundir.
const (
	checkpointFile = "checkpoint.safetensors"
	modelFile      = "model.safetensors"
)

// progressInterval keeps the counting of progress from costing more than the
// steps of a small network.
const progressInterval = 100 * time.Millisecond

// Run brings one point to its result from wherever an earlier attempt left it:
// nothing, a checkpoint, a trained model, or a result of another measurement.
// progress is called now and then with the number of steps done. When ctx is
// done Run saves a checkpoint and returns ctx's error.
func (e *Experiment) Run(ctx context.Context, d rundir.PointDir, progress func(steps int)) error {
	r, err := d.Record()
	if err != nil {
		return err
	}
	if done, err := e.Done(r); done || err != nil {
		return err
	}
	t, err := e.newTrainer(d.Point)
	if err != nil {
		return err
	}
	end, err := e.loadModel(d, t)
	if errors.Is(err, fs.ErrNotExist) {
		end, err = e.trainPoint(ctx, d, t, progress)
	}
	if err != nil {
		return err
	}
	// The model has taken the checkpoint's place. Removed before the result
	// appears: nobody looks at a point again that has one.
	if err := removeIfThere(d.File(checkpointFile)); err != nil {
		return err
	}
	progress(end.steps)
	result, err := e.measure(ctx, t.Network, d.Point, end)
	if err != nil {
		return err
	}
	return d.WriteResult(result)
}

// ShareCores gives the cores to so many points, of which up to jobs run at once: each may
// use what the others leave. No Run may be under way.
func (e *Experiment) ShareCores(cores, jobs, points int) {
	e.workers = max(1, cores/max(1, min(jobs, points)))
}

// Done returns whether the point has a result of what the configuration asks to
// measure.
func (e *Experiment) Done(r rundir.Record) (bool, error) {
	if r.Result == nil {
		return false, nil
	}
	if err := e.checkData(r.Result.Data.SHA256); err != nil {
		return false, fmt.Errorf("result.json of %s: %w", r.Name, err)
	}
	return r.Result.Measures(e.config.Measure), nil
}

// ending is how a training ended, and what it left.
type ending struct {
	status string // rundir's "finished" or "diverged"
	steps  int
	model  string // SHA-256 of model.safetensors
}

// trainPoint trains a point to its end, from its checkpoint if there is one, and
// places history.parquet, then model.safetensors: whoever sees the model finds
// the history.
func (e *Experiment) trainPoint(ctx context.Context, d rundir.PointDir, t *sgd.Trainer[float32], progress func(steps int)) (ending, error) {
	var err error
	if t.Probe, err = e.newProbe(ctx, d.Point); err != nil {
		return ending{}, err
	}
	if e.fork != nil {
		if err := e.loadFork(ctx, t); err != nil {
			return ending{}, err
		}
	}
	if err := e.restore(d, t); err != nil {
		return ending{}, err
	}
	saved, told := time.Now(), time.Time{}
	err = t.Run(ctx, func() error {
		now := time.Now()
		if now.Sub(told) >= progressInterval {
			told = now
			progress(t.Steps())
		}
		if now.Sub(saved) < e.checkpointInterval {
			return nil
		}
		saved = now
		return e.writeCheckpoint(d, t)
	})
	if ctx.Err() != nil && t.Outcome() == sgd.Running {
		if err := e.writeCheckpoint(d, t); err != nil {
			return ending{}, err
		}
		return ending{}, ctx.Err()
	}
	if err != nil {
		return ending{}, err
	}
	if err := d.WriteHistory(historyRows(t)); err != nil {
		return ending{}, err
	}
	end := ending{status: "finished", steps: t.Steps()}
	if t.Outcome() == sgd.Diverged {
		end.status = "diverged"
	}
	f := &safetensors.File{Tensors: t.Network.Tensors(), Metadata: e.origin(d.Point)}
	f.Metadata["format"], f.Metadata["status"], f.Metadata["steps"] = "pt", end.status, strconv.Itoa(end.steps)
	data, err := safetensors.Encode(f)
	if err != nil {
		return ending{}, fmt.Errorf("%s: %w", d.File(modelFile), err)
	}
	end.model = rundir.Digest(data)
	return end, d.Publish(modelFile, data)
}

// origin says where weights come from: the point and the data. It is stored
// with them, so that files that were moved between points, and data that
// changed under a run, are noticed.
func (e *Experiment) origin(p rundir.Point) map[string]string {
	return map[string]string{"point": p.Hash(), "data": e.dataDigest}
}

func (e *Experiment) checkOrigin(f *safetensors.File, p rundir.Point) error {
	want := e.origin(p)
	if is := f.Metadata["point"]; is != want["point"] {
		return fmt.Errorf("it belongs to the point with the hash %q, not to this one", is)
	}
	return e.checkData(f.Metadata["data"])
}

// checkData compares the digest of the data that something was made from.
func (e *Experiment) checkData(digest string) error {
	if digest != e.dataDigest {
		return fmt.Errorf("the data of %s have changed since: take the old data, or another directory with -o", e.config.Dataset.Name)
	}
	return nil
}

func (e *Experiment) writeCheckpoint(d rundir.PointDir, t *sgd.Trainer[float32]) error {
	f := t.Checkpoint()
	f.Metadata = e.origin(d.Point)
	data, err := safetensors.Encode(f)
	if err != nil {
		return fmt.Errorf("%s: %w", d.File(checkpointFile), err)
	}
	return d.WriteFile(checkpointFile, data)
}

// restore continues from the checkpoint, if there is one.
func (e *Experiment) restore(d rundir.PointDir, t *sgd.Trainer[float32]) error {
	f, err := safetensors.ReadFile(d.File(checkpointFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w; delete the file to train this point from its start", err)
	}
	if err = e.checkOrigin(f, d.Point); err == nil {
		err = t.Restore(f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; delete the file to train this point from its start", d.File(checkpointFile), err)
	}
	return nil
}

// loadModel sets the parameters from model.safetensors and returns how its
// training ended. A missing file is fs.ErrNotExist.
func (e *Experiment) loadModel(d rundir.PointDir, t *sgd.Trainer[float32]) (ending, error) {
	path := d.File(modelFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return ending{}, err
	}
	f, err := safetensors.Read(bytes.NewReader(data), int64(len(data)), path)
	if err != nil {
		return ending{}, fmt.Errorf("%w; delete the file to train this point again", err)
	}
	if err = e.checkOrigin(f, d.Point); err == nil {
		err = t.Network.Load(f)
	}
	end := ending{model: rundir.Digest(data)}
	if err == nil {
		end.status = f.Metadata["status"]
		end.steps, err = strconv.Atoi(f.Metadata["steps"])
	}
	if err != nil {
		return end, fmt.Errorf("%s: %w; delete the file to train this point again", path, err)
	}
	return end, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
