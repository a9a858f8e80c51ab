package experiment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
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

// Run brings one point to its result from wherever an earlier attempt left it:
// nothing, a checkpoint, a trained model, or a result of another measurement.
// progress is called now and then with the number of steps done. When ctx is
// done Run saves a checkpoint and returns ctx's error.
func (e *Experiment) Run(ctx context.Context, d rundir.PointDir, progress func(steps int)) error {
	done, err := e.Done(d)
	if done || err != nil {
		return err
	}
	t, err := e.newTrainer(d.Point)
	if err != nil {
		return err
	}
	end, err := loadModel(d, t)
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
	result, err := e.measure(t.Network, d.Point, end)
	if err != nil {
		return err
	}
	return d.WriteResult(result)
}

// Done returns whether the point has a result of what the configuration asks to
// measure.
func (e *Experiment) Done(d rundir.PointDir) (bool, error) {
	r, err := d.ReadResult()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && slices.Equal(r.MeasuredOrders, e.config.Measure.Orders), err
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
	if err := restore(d, t); err != nil {
		return ending{}, err
	}
	saved := time.Now()
	err := t.Run(ctx, func() error {
		progress(t.Steps())
		if time.Since(saved) < e.checkpointInterval {
			return nil
		}
		saved = time.Now()
		return writeTensors(d.File(checkpointFile), t.Checkpoint())
	})
	if ctx.Err() != nil && t.Outcome() == sgd.Running {
		if err := writeTensors(d.File(checkpointFile), t.Checkpoint()); err != nil {
			return ending{}, err
		}
		return ending{}, ctx.Err()
	}
	if err != nil {
		return ending{}, err
	}
	var rows []rundir.HistoryRow
	for _, r := range t.History() {
		rows = append(rows, rundir.HistoryRow{Step: int64(r.Step), BatchLoss: r.BatchLoss})
	}
	if err := d.WriteHistory(rows); err != nil {
		return ending{}, err
	}
	end := ending{status: "finished", steps: t.Steps()}
	if t.Outcome() == sgd.Diverged {
		end.status = "diverged"
	}
	f := &safetensors.File{
		Tensors:  t.Network.Tensors(),
		Metadata: map[string]string{"format": "pt", "status": end.status, "steps": strconv.Itoa(end.steps)},
	}
	var buf bytes.Buffer
	if err := safetensors.Write(&buf, f); err != nil {
		return ending{}, err
	}
	end.model = digest(buf.Bytes())
	return end, rundir.WriteFile(d.File(modelFile), buf.Bytes())
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// restore continues from the checkpoint, if there is one.
func restore(d rundir.PointDir, t *sgd.Trainer[float32]) error {
	f, err := safetensors.ReadFile(d.File(checkpointFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = t.Restore(f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; delete the file to train this point from its start", d.File(checkpointFile), err)
	}
	return nil
}

// loadModel sets the parameters from model.safetensors and returns how its
// training ended. A missing file is fs.ErrNotExist.
func loadModel(d rundir.PointDir, t *sgd.Trainer[float32]) (ending, error) {
	path := d.File(modelFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return ending{}, err
	}
	f, err := safetensors.Read(bytes.NewReader(data), int64(len(data)), path)
	if err == nil {
		err = t.Network.Load(f)
	}
	end := ending{model: digest(data)}
	if err == nil {
		end.status = f.Metadata["status"]
		end.steps, err = strconv.Atoi(f.Metadata["steps"])
	}
	if err != nil {
		return end, fmt.Errorf("%s: %w; delete the file to train this point again", path, err)
	}
	return end, nil
}

func writeTensors(path string, f *safetensors.File) error {
	var buf bytes.Buffer
	if err := safetensors.Write(&buf, f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return rundir.WriteFile(path, buf.Bytes())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
