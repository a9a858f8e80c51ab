package nn

import (
	"fmt"
	"slices"

	"sobolev/encoding/safetensors"
	"sobolev/internal/kernel"
)

// Tensors returns the parameters, and behind them the running averages of batch
// normalisations, with PyTorch's names and shapes.
func (n *Network[T]) Tensors() []safetensors.Tensor {
	flat := make([]T, n.ParameterCount())
	n.CopyParameters(flat)
	ts := n.FlatTensors("", flat)
	n.eachBuffer(func(name string, v []T) { ts = append(ts, newTensor(name, []int{len(v)}, slices.Clone(v))) })
	return ts
}

// FlatTensors names the parts of a vector in the order of the flat vector of
// parameters, such as a velocity: prefix + "net.0.weight" and so on.
func (n *Network[T]) FlatTensors(prefix string, flat []T) []safetensors.Tensor {
	var ts []safetensors.Tensor
	for _, p := range n.Parameters() {
		ts = append(ts, newTensor(prefix+p.Name, p.Shape, flat[p.Offset:p.Offset+p.Size()]))
	}
	return ts
}

func newTensor[T kernel.Float](name string, shape []int, v []T) safetensors.Tensor {
	switch v := any(v).(type) {
	case []float32:
		return safetensors.F32(name, shape, v)
	case []float64:
		return safetensors.F64(name, shape, v)
	}
	panic("nn: a parameter is float32 or float64")
}

// ReadFlat is the inverse of FlatTensors. A missing tensor or another shape is
// an error.
func (n *Network[T]) ReadFlat(f *safetensors.File, prefix string) ([]T, error) {
	flat := make([]T, n.ParameterCount())
	for _, p := range n.Parameters() {
		t, ok := f.Tensor(prefix + p.Name)
		if !ok {
			return nil, fmt.Errorf("tensor %s is missing; it should be %v", prefix+p.Name, p.Shape)
		}
		if !slices.Equal(t.Shape, p.Shape) {
			return nil, fmt.Errorf("tensor %s is %v; the architecture needs %v", prefix+p.Name, t.Shape, p.Shape)
		}
		values, err := t.Float64s() // exact for float32 as well
		if err != nil {
			return nil, err
		}
		for i, v := range values {
			flat[p.Offset+i] = T(v)
		}
	}
	return flat, nil
}

// Load sets the parameters and running averages from the tensors of f. After an
// error the network is as it was.
func (n *Network[T]) Load(f *safetensors.File) error {
	flat, err := n.ReadFlat(f, "")
	if err != nil {
		return err
	}
	setBuffers, err := n.loadBuffers(f)
	if err != nil {
		return err
	}
	n.SetParameters(flat)
	setBuffers()
	return nil
}
