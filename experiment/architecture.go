package experiment

import (
	"fmt"
	"slices"

	"sobolev/nn"
	"sobolev/rundir"
)

// newArchitecture returns the architecture of a model for inputs of the given
// shape and the given number of outputs, or a *rundir.ValueError for one that
// does not fit.
func newArchitecture(m rundir.Model, shape []int, outputs int) (nn.Architecture, error) {
	if m.Kind == "fnn" {
		a, err := nn.ParseActivation(m.Activation)
		return nn.FNN(product(shape), m.Hidden, outputs, a), err
	}
	arch := nn.Architecture{Input: m.Input}
	if len(m.Input) == 0 {
		arch.Input = shape
	}
	if !slices.Equal(arch.Input, shape) && !(len(arch.Input) == 1 && arch.Inputs() == product(shape)) {
		return arch, &rundir.ValueError{Key: "model.input", Problem: fmt.Sprintf("%v does not fit inputs of shape %v", m.Input, shape)}
	}
	for i, l := range m.Layers {
		layer, err := newLayer(l)
		if err != nil {
			return arch, &rundir.ValueError{Key: fmt.Sprintf("model.layers[%d]", i), Problem: err.Error()}
		}
		arch.Layers = append(arch.Layers, layer)
	}
	if last := m.Layers[len(m.Layers)-1]; last.Kind == "linear" && last.Size != outputs {
		return arch, &rundir.ValueError{Key: fmt.Sprintf("model.layers[%d]", len(m.Layers)-1),
			Problem: fmt.Sprintf("linear: %d is the last layer, but the data have %d outputs", last.Size, outputs)}
	}
	if _, err := arch.ParameterCount(); err != nil {
		return arch, &rundir.ValueError{Key: "model.layers", Problem: err.Error()}
	}
	return arch, nil
}

func product(shape []int) int {
	d := 1
	for _, s := range shape {
		d *= s
	}
	return d
}

func newLayer(l rundir.Layer) (nn.Layer, error) {
	switch l.Kind {
	case "linear":
		return nn.Linear(l.Size), nil
	case "conv":
		return nn.Conv(l.Conv.Out, l.Conv.Kernel, l.Conv.Stride, l.Conv.Padding), nil
	case "maxpool":
		return nn.MaxPool(l.Size), nil
	case "avgpool":
		return nn.AvgPool(l.Size), nil
	case "flatten":
		return nn.Flatten(), nil
	}
	a, err := nn.ParseActivation(l.Kind)
	return nn.Activate(a), err
}
