package nn

import "fmt"

// Architecture is a list of layers on inputs of a given size. The position of a
// layer in the list is the number in its parameters' names, as in PyTorch's
// Sequential: "net.0.weight" belongs to Layers[0].
type Architecture struct {
	Inputs int
	Layers []Layer
}

// Layer is one entry of an architecture: a dense map to Out outputs if Out > 0,
// otherwise the activation, applied to every unit.
type Layer struct {
	Out        int
	Activation Activation
}

// FNN returns the architecture inputs–hidden…–outputs with the activation after
// every layer but the last.
func FNN(inputs int, hidden []int, outputs int, a Activation) Architecture {
	arch := Architecture{Inputs: inputs}
	for _, m := range hidden {
		arch.Layers = append(arch.Layers, Layer{Out: m}, Layer{Activation: a})
	}
	arch.Layers = append(arch.Layers, Layer{Out: outputs})
	return arch
}

// check returns an error for a list that is not dense layers with at most one
// activation behind each, the last without.
func (a Architecture) check() error {
	if a.Inputs < 1 {
		return fmt.Errorf("architecture: %d inputs; need at least 1", a.Inputs)
	}
	if len(a.Layers) == 0 || a.Layers[0].Out == 0 {
		return fmt.Errorf("architecture: the first layer must be linear")
	}
	for i, l := range a.Layers {
		if l.Out < 0 {
			return fmt.Errorf("architecture: layer %d has %d outputs; need at least 1", i, l.Out)
		}
	}
	for i, l := range a.Layers[1:] {
		if l.Out == 0 && a.Layers[i].Out == 0 {
			return fmt.Errorf("architecture: layer %d is an activation after an activation", i+1)
		}
	}
	if a.Layers[len(a.Layers)-1].Out == 0 {
		return fmt.Errorf("architecture: the last layer must be linear: its outputs are the function")
	}
	return nil
}
