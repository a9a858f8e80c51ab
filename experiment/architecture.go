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
	switch m.Kind {
	case "fnn":
		a, err := nn.ParseActivation(m.Activation)
		arch := nn.FNN(product(shape), m.Hidden, outputs, a)
		arch.Frozen = 2 * m.Frozen // a dense layer and its activation
		return arch, err
	case "resnet":
		arch, err := nn.ResNet(shape, m.Depth, m.Width, outputs)
		if err != nil {
			err = &rundir.ValueError{Key: "model.kind", Problem: err.Error()}
		}
		return arch, err
	}
	arch := nn.Architecture{Input: m.Input}
	if len(m.Input) == 0 {
		arch.Input = shape
	}
	if !slices.Equal(arch.Input, shape) && !(len(arch.Input) == 1 && arch.Inputs() == product(shape)) {
		return arch, &rundir.ValueError{Key: "model.input", Problem: fmt.Sprintf("%v does not fit inputs of shape %v", m.Input, shape)}
	}
	weighted := 0
	for i, l := range m.Layers {
		layer, err := newLayer(l)
		if err != nil {
			return arch, &rundir.ValueError{Key: fmt.Sprintf("model.layers[%d]", i), Problem: err.Error()}
		}
		arch.Layers = append(arch.Layers, layer)
		if l.HasWeights() && weighted < m.Frozen {
			weighted++
			arch.Frozen = i + 1
		}
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
		linear := nn.Linear(l.Size)
		linear.NoBias = l.Bias != nil && !*l.Bias
		return linear, nil
	case "conv":
		c := nn.Conv(l.Conv.Out, l.Conv.Kernel, l.Conv.Stride, l.Conv.Padding)
		c.NoBias = l.Conv.Bias != nil && !*l.Conv.Bias
		return c, nil
	case "batchnorm":
		return nn.BatchNorm(), nil
	case "residual":
		return newResidual(l.Residual)
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

func newResidual(r rundir.Residual) (nn.Layer, error) {
	body := make([]nn.Layer, len(r.Body))
	for i, l := range r.Body {
		var err error
		if body[i], err = newLayer(l); err != nil {
			return nn.Layer{}, fmt.Errorf("body[%d]: %w", i, err)
		}
	}
	return nn.Residual(r.Stride, body...), nil
}
