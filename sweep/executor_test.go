package sweep_test

import (
	"testing"

	"sobolev/rundir"
	"sobolev/sweep"
	"sobolev/sweep/sweeptest"
)

func TestLocal(t *testing.T) {
	sweeptest.TestExecutor(t, func(_ *testing.T, dir *rundir.Dir, opt sweep.Options) sweep.Executor {
		return sweep.NewLocal(dir, sweeptest.Point, opt)
	})
}
