package main

import (
	"context"
	"errors"
	"io"
	"testing"

	"sobolev/rundir"
	"sobolev/rundir/rundirtest"
)

func TestMergeInterrupted(t *testing.T) {
	dir := rundirtest.Finished(t, t.TempDir()+"/run", rundirtest.Grid(t, 2), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var status statusError
	if err := merge(ctx, []string{dir.Path}, t.TempDir()+"/out", io.Discard); !errors.As(err, &status) || status.status != exitInterrupted {
		t.Errorf("error %v", err)
	}
}

// A result of another measure than the run's is not the end of its point.
func TestStatusOfAnOlderMeasure(t *testing.T) {
	c := rundirtest.Grid(t, 2)
	dir := rundirtest.Finished(t, t.TempDir()+"/run", c, nil)
	contains(t, expect(t, 0, "status", dir.Path), "finished: 2")
	c.Measure.Orders = []int{1}
	d, err := rundir.Create(dir.Path, c)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	contains(t, expect(t, 0, "status", dir.Path), "\nto re-measure: 2")
}

// A worker that began before the measure changed leaves what was measured since.
func TestWorkerLeavesWhatWasMeasuredSince(t *testing.T) {
	c := rundirtest.Grid(t, 2)
	dir := rundirtest.Finished(t, t.TempDir()+"/run", c, nil)
	records, err := dir.Records()
	if err != nil {
		t.Fatal(err)
	}
	old := func(r rundir.Record) (bool, error) {
		return r.Result.Measures(rundir.Measure{Orders: []int{1}}), nil
	}
	done := doneByNow(dir.Path, old)
	if is, err := done(records[0]); !is || err != nil {
		t.Errorf("the result that is asked for now counts for nothing: %v", err)
	}
	records[0].Result.MeasuredOrders = []int{2}
	if is, err := done(records[0]); is || err != nil {
		t.Errorf("a result that nobody asks for is done: %v", err)
	}
}

// Histories that a change of measure leaves as they are, are told of once.
func TestProbesOfATrainedRun(t *testing.T) {
	c := rundirtest.Grid(t, 2)
	dir := rundirtest.Finished(t, t.TempDir()+"/run", c, nil)
	other := c
	other.Measure.Probe, other.Measure.ProbeSamples = 10, 5
	if keepsHistory(dir.Path, c) || !keepsHistory(dir.Path, other) || keepsHistory(t.TempDir(), other) {
		t.Error("a change of the probes is not seen")
	}
	other.Grid.LearningRate = []float64{7}
	if keepsHistory(dir.Path, other) {
		t.Error("points to train take the new probes")
	}
}
