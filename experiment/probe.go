package experiment

import (
	"context"
	"math"

	"sobolev/curvature"
	"sobolev/linop"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/sgd"
)

// newProbe returns what looks at the training of p on its way; nil if the
// configuration asks for nothing. Its random numbers depend on the seed, the
// repetition and the step, so that a resumed training has the same history.
func (e *Experiment) newProbe(ctx context.Context, p rundir.Point) (*sgd.Probe[float32], error) {
	every := e.config.Measure.Probe
	if every == 0 {
		return nil, nil
	}
	loss, err := nn.ParseLoss(p.Loss)
	if err != nil {
		return nil, err
	}
	train, test := e.probeData(e.train64()), e.probeData(e.test64())
	return &sgd.Probe[float32]{Every: every, Measure: func(step int, net *nn.Network[float32]) ([]float64, error) {
		probe, err := measureProbe(ctx, nn.Float64(net), train, test, loss, p, e.memory, stream(p.Seed, probePurpose, p.Repetition)^uint64(step))
		return probeValues(probe), err
	}}, nil
}

// probeData returns the samples that a probe looks at: evenly spread over a set, whose
// classes come one after the other.
func (e *Experiment) probeData(all nn.Data[float64]) nn.Data[float64] {
	count := min(all.N, e.config.Measure.ProbeSamples)
	if count == all.N {
		return all
	}
	some := nn.Data[float64]{N: count, Classification: all.Classification}
	for j := range count {
		i := j * all.N / count
		some.X = append(some.X, all.X[i*e.inputs:(i+1)*e.inputs]...)
		some.Y = append(some.Y, all.Y[i*e.outputs:(i+1)*e.outputs]...)
	}
	return some
}

// probeTolerance is the residual of λ_max in a probe, relative to it; the value's
// own error is of the order of its square.
const probeTolerance = 1e-2

func measureProbe(ctx context.Context, net *nn.Network[float64], data, test nn.Data[float64], loss nn.Loss, p rundir.Point, memory int64, seed uint64) (rundir.Probe, error) {
	probe := rundir.NoProbe()
	probe.ProbeSamples = int64(data.N)
	moments, err := net.GradientMoments(data, []int{1}, memory)
	if err != nil {
		return probe, err
	}
	if data.Classification {
		if probe.TrainAccuracy, err = accuracy(net, data, loss); err != nil {
			return probe, err
		}
		if probe.TestAccuracy, err = accuracy(net, test, loss); err != nil {
			return probe, err
		}
	}
	m := moments[0]
	probe.Trace, probe.GW, probe.GX = m.SumW*loss.Scale(net.Outputs()), m.Root(m.SumW), m.Root(m.SumX)
	point, err := curvature.At(net, data, loss, memory)
	if err != nil {
		return probe, err
	}
	rng := generator(seed)
	// Exploded weights have no curvature; that ends no training.
	top, err := point.Leading(ctx, point.Hessian(), linop.Largest, 1, curvature.Options{Tolerance: probeTolerance, MaxSteps: 60}, rng)
	if ctx.Err() != nil {
		return probe, ctx.Err()
	}
	if err == nil {
		probe.LambdaMax = top.Pairs[0].Value
	}
	batch := p.BatchSize
	if batch == 0 {
		batch = data.N
	}
	sharpness, err := point.BatchSharpness(ctx, curvature.SharpnessOptions{
		Batch: min(batch, data.N), Replacement: p.SGD.Sampling == sgd.WithReplacement.String(), FullHessian: true,
		// A probe is a point of a curve; its interval says how good it is.
		MaxBatches: 50, RelativeSE: 0.02,
	}, rng)
	if ctx.Err() != nil {
		return probe, ctx.Err()
	}
	if err == nil {
		mean, ratio := sharpness.RatioMean, sharpness.RatioOfMeans
		probe.RatioMean, probe.RatioMeanLower, probe.RatioMeanUpper = mean.Value, mean.CI95[0], mean.CI95[1]
		probe.RatioOfMeans, probe.RatioOfMeansLower, probe.RatioOfMeansUpper = ratio.Value, ratio.CI95[0], ratio.CI95[1]
	}
	return probe, nil
}

// accuracy is the share of samples that is classified right, NaN of no samples.
func accuracy(net *nn.Network[float64], data nn.Data[float64], loss nn.Loss) (float64, error) {
	if data.N == 0 {
		return math.NaN(), nil
	}
	fit, err := net.NewEvaluator().Fit(data, loss)
	return fit.Accuracy, err
}

// probeValues and probeOf turn a probe into the values of a row, and back.
func probeValues(p rundir.Probe) []float64 {
	return []float64{p.LambdaMax, p.Trace, p.GW, p.GX, p.RatioMean, p.RatioMeanLower, p.RatioMeanUpper,
		p.RatioOfMeans, p.RatioOfMeansLower, p.RatioOfMeansUpper, float64(p.ProbeSamples), p.TrainAccuracy, p.TestAccuracy}
}

func probeOf(v []float64) rundir.Probe {
	p := rundir.NoProbe()
	p.LambdaMax, p.Trace, p.GW, p.GX = v[0], v[1], v[2], v[3]
	p.RatioMean, p.RatioMeanLower, p.RatioMeanUpper = v[4], v[5], v[6]
	p.RatioOfMeans, p.RatioOfMeansLower, p.RatioOfMeansUpper = v[7], v[8], v[9]
	p.ProbeSamples = int64(v[10])
	if len(v) > 11 { // a checkpoint of an earlier version has no accuracies
		p.TrainAccuracy, p.TestAccuracy = v[11], v[12]
	}
	return p
}

// historyRows joins the batch losses of a training with what its probe saw. Before
// the first step there is a probe and no batch.
func historyRows(t *sgd.Trainer[float32]) []rundir.HistoryRow {
	probes := map[int]rundir.Probe{}
	for _, p := range t.Probes() {
		probes[p.Step] = probeOf(p.Values)
	}
	var rows []rundir.HistoryRow
	if first, ok := probes[0]; ok {
		rows = append(rows, rundir.HistoryRow{Step: 0, BatchLoss: math.NaN(), Probe: first})
	}
	for _, r := range t.History() {
		probe, ok := probes[r.Step]
		if !ok {
			probe = rundir.NoProbe()
		}
		rows = append(rows, rundir.HistoryRow{Step: int64(r.Step), BatchLoss: r.BatchLoss, Probe: probe})
	}
	return rows
}
