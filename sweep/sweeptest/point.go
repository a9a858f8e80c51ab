package sweeptest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"sobolev/rundir"
)

// What a test tells its points, which may be in other processes, is told by files in
// the run's folder of orders; there they also write when they begin and end.
const (
	ordersFolder = "orders"
	hold         = "hold" // all points wait while the file is there
	failureText  = "the point was told to fail"
	savedFile    = "saved"
	began, ended = "began\n", "ended\n"
)

// fail is the order to one point to fail.
func fail(p rundir.Point) string { return "fail-" + p.Name() }

func logOf(p rundir.Point) string { return p.Name() + ".log" }

// Point is the sweep.RunPoint of the tests. It saves a file when ctx is done.
func Point(ctx context.Context, d rundir.PointDir, progress func(int)) (err error) {
	orders := filepath.Join(d.Path, "..", "..", ordersFolder)
	log := filepath.Join(orders, logOf(d.Point))
	if err := appendTo(log, began); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, appendTo(log, ended)) }()
	progress(50)
	for exists(filepath.Join(orders, hold)) {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), d.WriteFile(savedFile, nil))
		case <-time.After(10 * time.Millisecond):
		}
	}
	if exists(filepath.Join(orders, fail(d.Point))) {
		return errors.New(failureText)
	}
	progress(100)
	return d.WriteResult(result(d.Point))
}

// result is the one that the point always has.
func result(p rundir.Point) *rundir.Result {
	return &rundir.Result{Training: &rundir.Training{Status: "finished", Steps: 100, TrainLoss: rundir.Number(p.LearningRate / float64(p.Repetition))}}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
