package sgd

import (
	"fmt"

	"sobolev/encoding/safetensors"
)

// The tensors of a checkpoint beside the parameters, which keep their names.
const (
	velocityPrefix = "velocity."
	sumsName       = "sgd.sums"
	historySteps   = "sgd.history.step"
	historyLosses  = "sgd.history.batch_loss"
	counterName    = "sgd.step"
)

// Checkpoint returns the state of a running training as named tensors, from
// which Restore continues with the same bits.
func (t *Trainer[T]) Checkpoint() *safetensors.File {
	f := &safetensors.File{Tensors: t.Network.Tensors()}
	if t.velocity != nil {
		flat := make([]T, t.Network.ParameterCount())
		t.velocity.CopyTo(flat)
		f.Tensors = append(f.Tensors, t.Network.FlatTensors(velocityPrefix, flat)...)
	}
	steps, losses := make([]int64, len(t.history)), make([]float64, len(t.history))
	for i, r := range t.history {
		steps[i], losses[i] = int64(r.Step), r.BatchLoss
	}
	f.Tensors = append(f.Tensors,
		safetensors.I64(counterName, []int{1}, []int64{int64(t.step)}),
		safetensors.F64(sumsName, []int{3}, []float64{t.initialLoss, t.roundLoss, t.rowLoss}),
		safetensors.I64(historySteps, []int{len(steps)}, steps),
		safetensors.F64(historyLosses, []int{len(losses)}, losses))
	f.Tensors = append(f.Tensors, t.probeTensors()...)
	return f
}

// Restore puts a trainer that was made for the same training into the state of a
// checkpoint.
func (t *Trainer[T]) Restore(f *safetensors.File) error {
	step, err := int64s(f, counterName, 1)
	if err != nil {
		return err
	}
	if step[0] < 0 || step[0] >= int64(t.Config.Iterations) {
		return fmt.Errorf("checkpoint after %d steps of a training of %d", step[0], t.Config.Iterations)
	}
	sums, err := float64s(f, sumsName, 3)
	if err != nil {
		return err
	}
	steps, err := int64s(f, historySteps, -1)
	if err != nil {
		return err
	}
	losses, err := float64s(f, historyLosses, len(steps))
	if err != nil {
		return err
	}
	probes, err := readProbes(f)
	if err != nil {
		return err
	}
	if t.velocity != nil {
		flat, err := t.Network.ReadFlat(f, velocityPrefix)
		if err != nil {
			return err
		}
		t.velocity.Set(flat)
	}
	if err := t.Network.Load(f); err != nil {
		return err
	}
	t.step, t.probes = int(step[0]), probes
	t.initialLoss, t.roundLoss, t.rowLoss = sums[0], sums[1], sums[2]
	t.history = t.history[:0]
	for i := range steps {
		t.history = append(t.history, HistoryRow{Step: int(steps[i]), BatchLoss: losses[i]})
	}
	return nil
}

// int64s returns a tensor of n integers, any number if n < 0.
func int64s(f *safetensors.File, name string, n int) ([]int64, error) {
	t, ok := f.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("tensor %s is missing", name)
	}
	v, err := t.Int64s()
	if err == nil && n >= 0 && len(v) != n {
		err = fmt.Errorf("tensor %s has %d elements; need %d", name, len(v), n)
	}
	return v, err
}

// float64s returns a tensor of n numbers, any number if n < 0.
func float64s(f *safetensors.File, name string, n int) ([]float64, error) {
	t, ok := f.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("tensor %s is missing", name)
	}
	v, err := t.Float64s()
	if err == nil && n >= 0 && len(v) != n {
		err = fmt.Errorf("tensor %s has %d elements; need %d", name, len(v), n)
	}
	return v, err
}
