package rundir

import (
	"fmt"
	"slices"
)

// check returns a *ValueError for a model that no data could be given to.
func (m Model) check() error {
	if err := m.checkForeign(); err != nil {
		return err
	}
	switch m.Kind {
	case "layers":
		return m.checkLayers()
	case "resnet":
		return m.checkResNet()
	}
	return m.checkFNN()
}

// checkForeign returns a *ValueError for a value that belongs to another kind.
func (m Model) checkForeign() error {
	for _, f := range []struct {
		key   string
		set   bool
		kinds []string
		hint  string
	}{
		{"hidden", len(m.Hidden) > 0, []string{"fnn"}, "; write linear: N entries in model.layers"},
		{"activation", m.Activation != "", []string{"fnn"}, "; write activations as entries of model.layers"},
		{"layers", len(m.Layers) > 0, []string{"layers"}, "; set model.kind"},
		{"input", len(m.Input) > 0, []string{"layers"}, "; the inputs are those of the data"},
		{"depth", m.Depth != 0, []string{"resnet"}, ""},
		{"width", m.Width != 0, []string{"resnet"}, ""},
		{"frozen", m.Frozen != 0, []string{"fnn", "layers"}, ""},
	} {
		if f.set && !slices.Contains(f.kinds, m.Kind) {
			return &ValueError{"model." + f.key, "belongs to kind: " + f.kinds[len(f.kinds)-1] + f.hint}
		}
	}
	return nil
}

func (m Model) checkFNN() error {
	if err := list("model.hidden", m.Hidden, atLeast(1)); err != nil {
		return err
	}
	if m.Frozen > len(m.Hidden) {
		return m.allFrozen(len(m.Hidden))
	}
	return one("model.activation", m.Activation, among("relu", "tanh", "gelu", "softplus", "sigmoid", "identity"))
}

func (m Model) checkResNet() error {
	if m.Depth < 8 || (m.Depth-2)%6 != 0 {
		return &ValueError{"model.depth", fmt.Sprintf("%d is not of the form 6m+2: 8, 14, 20, …", m.Depth)}
	}
	return one("model.width", m.Width, size("the number of channels of the first third"))
}

func (m Model) checkLayers() error {
	switch {
	case len(m.Layers) == 0:
		return &ValueError{"model.layers", "missing or empty; give a list such as [flatten, linear: 100, relu, linear: 10]"}
	case len(m.Input) != 0 && len(m.Input) != 1 && len(m.Input) != 3:
		return &ValueError{"model.input", fmt.Sprintf("has %d sizes; give [inputs], or [channels, height, width], or leave it out for the shape of the data", len(m.Input))}
	}
	if err := list("model.input", m.Input, atLeast(1)); err != nil {
		return err
	}
	if err := checkLayers("model.layers", m.Layers); err != nil {
		return err
	}
	weighted := 0
	for _, l := range m.Layers {
		if l.HasWeights() {
			weighted++
		}
	}
	if m.Frozen > max(0, weighted-1) {
		return m.allFrozen(weighted - 1)
	}
	return nil
}

func (m Model) allFrozen(most int) error {
	return &ValueError{"model.frozen", fmt.Sprintf("%d leaves no layer to train; at most %d", m.Frozen, most)}
}
