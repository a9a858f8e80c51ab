package experiment

import (
	"math"

	"sobolev/attack"
	"sobolev/nn"
	"sobolev/rundir"
)

// Robust accuracy is looked at within these multiples of measure.radius, and CLEVER
// around a few samples with 20 batches of 64 points, where Weng et al. (2018) take
// 500 of 1,024: the fit's goodness and the sample's maximum stand beside it.
var robustMultiples = []float64{1, 2, 5, 10}

const (
	cleverSamples = 5
	cleverBatches = 20
	cleverSize    = 64
)

var classSearch = attack.Search{Steps: 20, Restarts: 1}

// classification measures how far samples can be moved before their class changes,
// on test samples if there are any. It returns those whose class did.
func (a *around) classification(attacker *attack.Attacker[float64], gradients *nn.InputGradients[float64]) (turned []attacked, err error) {
	data, set := a.data, trainingSet
	if a.test.N > 0 {
		data, set = a.test, testSet
	}
	if !data.Classification || a.net.Outputs() < 2 {
		return nil, nil
	}
	indices, x := spread(data, attackedSamples)
	some := nn.Data[float64]{N: len(indices), X: x, Classification: true}
	d, c := a.net.Inputs(), a.net.Outputs()
	for _, i := range indices {
		some.Y = append(some.Y, data.Y[i*c:(i+1)*c]...)
	}
	var radii []float64
	for _, m := range robustMultiples {
		radii = append(radii, m*a.radius)
	}
	robust, err := attacker.RobustAccuracy(some, attack.L2, radii, nil, classSearch, a.rng)
	if err != nil {
		return nil, err
	}
	for i, r := range radii {
		a.Robustness.Accuracy = append(a.Robustness.Accuracy, rundir.RobustAccuracy{Radius: rundir.Number(r), Accuracy: rundir.Number(robust.Accuracy[i]), Samples: some.N})
	}
	for j, r := range robust.Radius {
		if !math.IsInf(r, 1) {
			turned = append(turned, attacked{set, indices[j], r, x[j*d : (j+1)*d], robust.Point[j*d : (j+1)*d]})
		}
	}
	return turned, a.clever(attacker, gradients, data)
}

// clever estimates, around a few samples, how far away the runner-up class is.
func (a *around) clever(attacker *attack.Attacker[float64], gradients *nn.InputGradients[float64], data nn.Data[float64]) error {
	indices, x := spread(data, cleverSamples)
	d, c := a.net.Inputs(), a.net.Outputs()
	outputs := make([]float64, c)
	for j, i := range indices {
		sample := x[j*d : (j+1)*d]
		gradients.Outputs(outputs, sample)
		right := classOf(data.Y[i*c:(i+1)*c], -1)
		other := classOf(outputs, right)
		u := make([]float64, c)
		u[right], u[other] = 1, -1
		e, err := attacker.CLEVER(sample, u, attack.Ball{Norm: attack.L2, Radius: a.radius}, cleverBatches, cleverSize, a.rng)
		if err != nil {
			return err
		}
		a.Robustness.CLEVER = append(a.Robustness.CLEVER, rundir.CLEVER{
			Sample: i, Score: rundir.Number(e.Score), Lipschitz: rundir.Number(e.Lipschitz), SampleMax: rundir.Number(e.SampleMax),
			Shape: rundir.Number(e.Fit.Shape), PValue: rundir.Number(e.Fit.PValue), Degenerate: e.Fit.Degenerate,
			Draws: cleverBatches * cleverSize, Seed: a.seed,
		})
		a.warnAbout("robustness: clever", e.Fit.Warnings)
	}
	return nil
}

// classOf returns the index of the largest value but for one.
func classOf(v []float64, without int) int {
	best, largest := -1, math.Inf(-1)
	for o, x := range v {
		if o != without && (best < 0 || x > largest) {
			best, largest = o, x
		}
	}
	return best
}
