package sgd

import (
	"fmt"

	"sobolev/encoding/safetensors"
	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Probe looks at the network before the first step, after every Every steps and
// at the end of a training that has not diverged. It leaves the network and every
// random stream of the training as they are.
type Probe[T kernel.Float] struct {
	Every int
	// Measure returns a fixed number of values, which depend on the step and the
	// network alone.
	Measure func(step int, n *nn.Network[T]) ([]float64, error)
}

// ProbeRow is what a probe saw after a number of steps.
type ProbeRow struct {
	Step   int
	Values []float64
}

// Probes returns the rows of the probe so far.
func (t *Trainer[T]) Probes() []ProbeRow { return t.probes }

// probeAt says whether there is something to see at the present step.
func (t *Trainer[T]) probeAt() bool {
	if t.Probe == nil || t.outcome == Diverged {
		return false
	}
	return t.step%t.Probe.Every == 0 || t.outcome == Finished
}

func (t *Trainer[T]) probe() error {
	if n := len(t.probes); !t.probeAt() || n > 0 && t.probes[n-1].Step == t.step {
		return nil
	}
	values, err := t.Probe.Measure(t.step, t.Network)
	if err != nil {
		return err // a checkpoint of this moment leads back to this probe
	}
	t.probes = append(t.probes, ProbeRow{t.step, values})
	return nil
}

// The tensors of a checkpoint that hold the probe's rows.
const (
	probeSteps  = "sgd.probe.step"
	probeValues = "sgd.probe.values"
)

func (t *Trainer[T]) probeTensors() []safetensors.Tensor {
	if len(t.probes) == 0 {
		return nil
	}
	columns := len(t.probes[0].Values)
	steps, values := make([]int64, len(t.probes)), []float64{}
	for i, p := range t.probes {
		steps[i] = int64(p.Step)
		values = append(values, p.Values...)
	}
	return []safetensors.Tensor{
		safetensors.I64(probeSteps, []int{len(steps)}, steps),
		safetensors.F64(probeValues, []int{len(steps), columns}, values),
	}
}

func readProbes(f *safetensors.File) ([]ProbeRow, error) {
	if _, ok := f.Tensor(probeSteps); !ok {
		return nil, nil
	}
	steps, err := int64s(f, probeSteps, -1)
	if err != nil {
		return nil, err
	}
	values, err := float64s(f, probeValues, -1)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 || len(values)%len(steps) != 0 {
		return nil, fmt.Errorf("tensor %s has %d elements for %d rows", probeValues, len(values), len(steps))
	}
	columns, rows := len(values)/len(steps), make([]ProbeRow, len(steps))
	for i, s := range steps {
		rows[i] = ProbeRow{int(s), values[i*columns : (i+1)*columns]}
	}
	return rows, nil
}
