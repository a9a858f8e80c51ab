package sgd

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"sobolev/nn"
)

// sumProbe sees the step and the sum of the parameters.
func sumProbe(every int) *Probe[float32] {
	return &Probe[float32]{Every: every, Measure: func(step int, n *nn.Network[float32]) ([]float64, error) {
		w := make([]float32, n.ParameterCount())
		n.CopyParameters(w)
		sum := 0.0
		for _, v := range w {
			sum += float64(v)
		}
		return []float64{float64(step), sum}, nil
	}}
}

// Probes come at the first weights, on their schedule and at the end, do not
// change the training, and come back from a checkpoint.
func TestProbes(t *testing.T) {
	cfg := config()
	cfg.Iterations, cfg.HistoryEvery = 50, 7
	plain, probed, part := smallTraining(t, cfg), smallTraining(t, cfg), smallTraining(t, cfg)
	probed.Probe, part.Probe = sumProbe(20), sumProbe(20)
	finish(t, plain)
	finish(t, probed)
	if !reflect.DeepEqual(parameters(plain), parameters(probed)) {
		t.Error("a probe changes the training")
	}
	var steps, history []int
	for _, p := range probed.Probes() {
		steps = append(steps, p.Step)
		if len(p.Values) != 2 || p.Values[0] != float64(p.Step) {
			t.Errorf("row %+v", p)
		}
	}
	for _, h := range probed.History() {
		history = append(history, h.Step)
	}
	if want := []int{0, 20, 40, 50}; !reflect.DeepEqual(steps, want) {
		t.Errorf("probes after %v steps, want %v", steps, want)
	}
	if want := []int{7, 14, 20, 21, 28, 35, 40, 42, 49, 50}; !reflect.DeepEqual(history, want) {
		t.Errorf("history after %v steps, want %v: a row for every probe but the first", history, want)
	}

	for range 31 {
		if err := part.Step(); err != nil {
			t.Fatal(err)
		}
	}
	checkpoint := part.Checkpoint()
	resumed := smallTraining(t, cfg)
	resumed.Probe = sumProbe(20)
	if err := resumed.Restore(checkpoint); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, resumed.Checkpoint()), encode(t, checkpoint)) {
		t.Error("a restored training has another checkpoint")
	}
	finish(t, resumed)
	if !reflect.DeepEqual(resumed.Probes(), probed.Probes()) || !reflect.DeepEqual(resumed.History(), probed.History()) {
		t.Errorf("resumed: %v, want %v", resumed.Probes(), probed.Probes())
	}
}

func TestProbesOfADivergedTraining(t *testing.T) {
	cfg := config()
	cfg.LearningRate = 1e6
	tr := smallTraining(t, cfg)
	tr.Probe = sumProbe(1000)
	finish(t, tr)
	if tr.Outcome() != Diverged || len(tr.Probes()) != 1 {
		t.Errorf("outcome %v, probes %v; want the first alone", tr.Outcome(), tr.Probes())
	}
}

func TestProbeErrorsEndTheRun(t *testing.T) {
	broken := errors.New("no")
	tr := smallTraining(t, config())
	tr.Probe = &Probe[float32]{Every: 10, Measure: func(step int, _ *nn.Network[float32]) ([]float64, error) {
		if step == 10 {
			return nil, broken
		}
		return []float64{1}, nil
	}}
	if err := tr.Run(t.Context(), func() error { return nil }); !errors.Is(err, broken) || tr.Steps() != 10 || len(tr.Probes()) != 1 {
		t.Errorf("%v after %d steps, %d probes", err, tr.Steps(), len(tr.Probes()))
	}
	resumed := smallTraining(t, config())
	resumed.Probe = sumProbe(10)
	if err := resumed.Restore(tr.Checkpoint()); err != nil {
		t.Fatal(err)
	}
	if err := resumed.Step(); err != nil || len(resumed.Probes()) != 2 || resumed.Probes()[1].Step != 10 {
		t.Errorf("the probe that failed is not made up for: %v, %v", resumed.Probes(), err)
	}
}
