package experiment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"sobolev/internal/kernel"
	"sobolev/nn"
	"sobolev/rundir"
)

// interpolationTolerance: a solution interpolates when Σ‖f−y‖²/Σ‖y‖² is at most
// this. The paper's trainings end near 1e-4.
const interpolationTolerance = 1e-3

// measure describes a trained network: fit on the training and the test set and
// the moments of its gradients on the training set.
func (e *Experiment) measure(ctx context.Context, net *nn.Network[float32], p rundir.Point, end ending) (*rundir.Result, error) {
	loss, err := nn.ParseLoss(p.Loss)
	if err != nil {
		return nil, err
	}
	orders := e.config.Measure.Orders
	r := &rundir.Result{
		Model:      modelInfo(net),
		Data:       rundir.DataInfo{Samples: e.train.N, SHA256: e.dataDigest, Source: e.source, MinNorm: minNorms(net, e.train, orders)},
		Convention: e.convention(p, loss),
		Training: &rundir.Training{
			Status: end.status, Steps: end.steps,
			TrainLoss: notKnown, TrainAccuracy: notKnown, TestLoss: notKnown, TestAccuracy: notKnown,
		},
		Fit:            rundir.Fit{Loss: notKnown, RelativeLoss: notKnown, MaxResidual: notKnown},
		Moments:        []rundir.Moment{},
		Warnings:       []string{},
		MeasuredModel:  end.model,
		MeasuredOrders: orders, MeasuredStability: e.config.Measure.StabilityOptions(),
	}
	if end.status == "diverged" {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the training diverged after %d steps: nothing is measured", end.steps))
		return r, nil
	}
	if err := e.measureFit(r, net, loss); err != nil {
		return nil, err
	}
	if err := measureMoments(r, net, e.train, loss, orders, e.memory, nil); err != nil || r.MeasuredStability == nil {
		return r, err
	}
	return r, e.measureStability(ctx, r, net, p, loss)
}

var notKnown = rundir.Number(math.NaN())

func modelInfo[T kernel.Float](net *nn.Network[T]) rundir.ModelInfo {
	w1 := net.FirstWeight().Shape // [out, in] or [out, in, kh, kw]
	first := rundir.FirstLayer{Kind: "linear", Rows: w1[0], Cols: product(w1[1:])}
	switch len(w1) {
	case 4:
		first.Kind, first.Shared = "conv", true
	case 1:
		first.Kind = "batchnorm"
	}
	info := rundir.ModelInfo{Parameters: net.TrainableCount(), Inputs: net.Inputs(), Outputs: net.Outputs(), FirstLayer: first}
	if info.Frozen = net.ParameterCount() - info.Parameters; info.Frozen > 0 {
		info.Features = net.Features()
	}
	return info
}

func (e *Experiment) convention(p rundir.Point, loss nn.Loss) rundir.Convention {
	batch := p.BatchSize
	if batch == 0 {
		batch = e.train.N
	}
	return rundir.Convention{
		Loss:                  p.Loss,
		LearningRate:          rundir.Number(p.LearningRate),
		BatchSize:             batch,
		EffectiveLearningRate: rundir.Number(loss.EffectiveLearningRate(p.LearningRate, e.outputs)),
		Sampling:              p.SGD.Sampling,
		Preprocessing:         e.preprocessing.String(),
		Precision:             "float32",
		Units:                 "learning rate of the configured loss",
	}
}

func (e *Experiment) measureFit(r *rundir.Result, net *nn.Network[float32], loss nn.Loss) error {
	evaluator := net.NewEvaluator()
	fit, err := evaluator.Fit(e.train, loss)
	if err != nil {
		return err
	}
	r.Fit = rundir.Fit{
		Loss: rundir.Number(fit.Loss), RelativeLoss: rundir.Number(fit.RelativeLoss), MaxResidual: rundir.Number(fit.MaxResidual),
		Interpolates: fit.RelativeLoss <= interpolationTolerance,
	}
	if !r.Fit.Interpolates {
		r.Warnings = append(r.Warnings, fmt.Sprintf(
			"not interpolating: relative loss %.3g is above %g; the theory of linear stability is about solutions that fit their data", fit.RelativeLoss, interpolationTolerance))
	}
	r.Training.TrainLoss, r.Training.TrainAccuracy = rundir.Number(fit.Loss), rundir.Number(fit.Accuracy)
	if e.hasTest {
		fit, err := evaluator.Fit(e.test, loss)
		if err != nil {
			return err
		}
		r.Training.TestLoss, r.Training.TestAccuracy = rundir.Number(fit.Loss), rundir.Number(fit.Accuracy)
	}
	return nil
}

func measureMoments[T kernel.Float](r *rundir.Result, net *nn.Network[T], data nn.Data[T], loss nn.Loss, orders []int, memory int64, g *norms) error {
	// Order 1 comes first whether or not it was asked for: it is the trace.
	moments, err := net.EachGradientMoments(data, append([]int{1}, orders...), memory, g.add)
	if err != nil {
		return err
	}
	r.Curvature = &rundir.Curvature{Trace: rundir.Number(moments[0].SumW * loss.Scale(net.Outputs()))}
	if !loss.Squared() {
		r.Curvature.Trace = notKnown // before the study of stability
	}
	if net.HasBatchNorm() {
		r.Warnings = append(r.Warnings, "batch normalisation: everything here is of the network in evaluation mode, where it is an affine layer; the training used the statistics of its batches, so that its steps are not those of the theory")
	}
	if moments[0].SumX == 0 {
		r.Warnings = append(r.Warnings, "the gradient with respect to the input is zero at every sample: a dead network, which is constant around its data")
	}
	for _, m := range moments[1:] {
		out := rundir.Moment{
			K: m.K, SumW: rundir.Number(m.SumW), SumX: rundir.Number(m.SumX),
			GW: root(m, m.SumW), GX: root(m, m.SumX), GW1: root(m, m.SumW1), GDelta: root(m, m.SumDelta),
		}
		if r.Model.Frozen > 0 {
			g, sum := root(m, m.SumImage), rundir.Number(m.SumImage)
			out.GImage, out.SumImage = &g, &sum
		}
		for _, l := range m.Layers {
			out.Layers = append(out.Layers, rundir.LayerMoment{
				Name: l.Name, SumWeight: rundir.Number(l.SumWeight), SumBias: rundir.Number(l.SumBias)})
		}
		r.Moments = append(r.Moments, out)
		if math.IsInf(m.SumW, 0) || math.IsNaN(m.SumW) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the moments of order k = %d are not finite", m.K))
		}
	}
	return nil
}

func root(m nn.Moments, sum float64) rundir.Number { return rundir.Number(m.Root(sum)) }

// minNorms returns min_i ‖x_i‖_{2k} for every order k, under the key "2k", where x
// is the input of the first layer that trains.
func minNorms[T kernel.Float](net *nn.Network[T], data nn.Data[T], orders []int) map[string]rundir.Number {
	sums := make([]float64, slices.Max(orders))
	least := make([]float64, len(sums))
	for k := range least {
		least[k] = math.Inf(1)
	}
	net.EachFeatures(data, func(_ int, x []T) {
		clear(sums)
		kernel.EvenPowerSums(sums, x)
		for k, s := range sums {
			least[k] = math.Min(least[k], s)
		}
	})
	norms := make(map[string]rundir.Number, len(orders))
	for _, k := range orders {
		norms[strconv.Itoa(2*k)] = rundir.Number(math.Pow(least[k-1], 1/float64(2*k)))
	}
	return norms
}
