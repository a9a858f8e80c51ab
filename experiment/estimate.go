package experiment

import (
	"time"

	"sobolev/rundir"
)

// Estimate is what a point is expected to take on one core of this machine.
type Estimate struct {
	PerStep time.Duration
	// Total assumes that the training runs to its last iteration; a stop rule
	// can only shorten it.
	Total time.Duration
}

// Estimate times some steps of p's training from its initial parameters, and its
// measurement on a share of the data.
func (e *Experiment) Estimate(p rundir.Point) (Estimate, error) {
	t, err := e.newTrainer(p)
	if err != nil {
		return Estimate{}, err
	}
	const warmUp, least, longest = 3, 10, 300 * time.Millisecond
	for range min(warmUp, p.SGD.Iterations-1) {
		if err := t.Step(); err != nil {
			return Estimate{}, err
		}
	}
	start, steps := time.Now(), 0
	for t.Steps() < p.SGD.Iterations && (steps < least || time.Since(start) < longest) {
		if err := t.Step(); err != nil {
			return Estimate{}, err
		}
		steps++
	}
	perStep := time.Since(start) / time.Duration(max(1, steps))
	start = time.Now()
	share := e.train
	share.N = min(share.N, 256)
	share.X, share.Y = share.X[:share.N*e.inputs], share.Y[:share.N*e.outputs]
	if _, err := t.Network.GradientMoments(share, e.config.Measure.Orders, e.memory); err != nil {
		return Estimate{}, err
	}
	measuring := time.Since(start) * time.Duration(e.train.N) / time.Duration(share.N)
	return Estimate{PerStep: perStep, Total: perStep*time.Duration(p.SGD.Iterations) + measuring}, nil
}
