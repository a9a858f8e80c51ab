package nn

import (
	"errors"
	"fmt"

	"sobolev/encoding/safetensors"
)

// ErrBatchStatistics says why a network in training mode has no moments.
var ErrBatchStatistics = errors.New("batch normalisation with batch statistics ties the samples of a batch together, so that per-sample gradients do not exist; measure in evaluation mode")

// UseBatchStatistics sets training mode (on) or evaluation mode for the batch
// normalisations of layers that train; it means nothing without any. In training
// mode Descend and AddGradient normalise with the statistics of their batch and
// let the running averages follow: they need exclusive access to the network.
// Forward and Evaluator use the running averages in both modes; per-sample
// gradients are an error in training mode. A new network is in evaluation mode.
func (n *Network[T]) UseBatchStatistics(on bool) { n.batchStatistics = on }

// HoldRunningAverages lets the running averages stay as they are in training mode:
// for a pass at other parameters than those that the training is at.
func (n *Network[T]) HoldRunningAverages(on bool) { n.holdAverages = on }

// HasBatchNorm says whether the network has batch normalisations that train.
func (n *Network[T]) HasBatchNorm() bool { return n.Architecture.HasBatchNorm() }

// perSample returns an error where gradients of single samples do not exist.
func (n *Network[T]) perSample() error {
	if n.batchStatistics && n.HasBatchNorm() {
		return ErrBatchStatistics
	}
	return nil
}

// SupportsInputPenalty returns an error where AddInputPenalty is not the penalty
// of the network that Descend trains: it uses the running averages of batch
// normalisations.
func (n *Network[T]) SupportsInputPenalty() error { return n.perSample() }

// eachBuffer calls f with the name and values of the running averages.
func (n *Network[T]) eachBuffer(f func(name string, values []T)) {
	for _, l := range n.norms {
		norm := n.stages[l].(*batchNorm[T])
		f(norm.label+".running_mean", norm.mean)
		f(norm.label+".running_var", norm.variance)
	}
}

// loadBuffers sets the running averages from the tensors of file, all or none.
func (n *Network[T]) loadBuffers(file *safetensors.File) (set func(), err error) {
	read := map[string][]float64{}
	n.eachBuffer(func(name string, values []T) {
		t, ok := file.Tensor(name)
		switch {
		case err != nil:
		case !ok:
			err = fmt.Errorf("tensor %s is missing; it should be [%d]", name, len(values))
		case len(t.Shape) != 1 || t.Shape[0] != len(values):
			err = fmt.Errorf("tensor %s is %v; the architecture needs [%d]", name, t.Shape, len(values))
		default:
			read[name], err = t.Float64s()
		}
	})
	return func() {
		n.eachBuffer(func(name string, values []T) {
			for i, v := range read[name] {
				values[i] = T(v)
			}
		})
	}, err
}
