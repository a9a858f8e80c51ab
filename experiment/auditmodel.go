package experiment

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"sobolev/encoding/onnx"
	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
)

// auditedModel is a network from a file: its layers, and its tensors under the
// names that package nn gives them.
type auditedModel struct {
	file         string
	architecture nn.Architecture
	tensors      []safetensors.Tensor
	// channelsLast says that the file's own inputs are [height, width, channels].
	channelsLast bool
	declared     []int // the shape that the file gives its inputs; nil: that of the layers
	warnings     []string
	memory       int64 // limit in bytes
}

// readModel reads the model's file. shape is that of the data's inputs, for an
// architecture that does not say its own.
func (a *audit) readModel(shape []int) (*auditedModel, error) {
	m := &auditedModel{file: a.Model, memory: a.memory}
	var err error
	switch strings.ToLower(filepath.Ext(a.Model)) {
	case ".onnx":
		for _, f := range []struct{ key, value string }{{"arch", a.Architecture}, {"activation", a.Activation}} {
			if f.value != "" {
				return nil, &rundir.ValueError{Key: f.key, Problem: "is for .safetensors files; an .onnx file says its layers itself"}
			}
		}
		err = m.readONNX()
	case ".safetensors":
		err = m.readSafetensors(a.AuditOptions, shape)
	default:
		return nil, &rundir.ValueError{Key: "MODEL", Problem: fmt.Sprintf("%q ends in neither .onnx nor .safetensors", a.Model)}
	}
	return m, err
}

// network returns the network with its parameters.
func (m *auditedModel) network() (*nn.Network[float64], error) {
	if err := m.checkSize(); err != nil {
		return nil, err
	}
	net, err := nn.New[float64](m.architecture)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.file, err)
	}
	if err := net.Load(&safetensors.File{Tensors: m.tensors}); err != nil {
		return nil, fmt.Errorf("%s: %w", m.file, err)
	}
	return net, nil
}

// checkSize returns an error for an architecture that no network has, or which does
// not fit the memory: its parameters, or what lies between its layers for one
// sample. A small file may ask for both, the second with a padding.
func (m *auditedModel) checkSize() error {
	w, err := m.architecture.ParameterCount()
	if err != nil {
		return fmt.Errorf("%s: %w", m.file, err)
	}
	values, err := m.architecture.SampleValues()
	if err != nil {
		return fmt.Errorf("%s: %w", m.file, err)
	}
	// The network, and copies of its parameters while it is filled.
	if need := w * 4 * 8; need > float64(m.memory) {
		return &rundir.ValueError{Key: "memory", Problem: fmt.Sprintf("%.3g parameters need about %.3g MB; the limit is %.3g MB", w, need/1e6, float64(m.memory)/1e6)}
	}
	if need := values * 8; need > float64(m.memory) {
		return &rundir.ValueError{Key: "memory", Problem: fmt.Sprintf("one sample in the layers of %s needs about %.3g MB; the limit is %.3g MB", m.file, need/1e6, float64(m.memory)/1e6)}
	}
	return nil
}

func (m *auditedModel) readONNX() error {
	decoded, err := onnx.ReadFile(m.file)
	if err != nil {
		return err
	}
	net, err := decoded.Network()
	if err != nil {
		return err
	}
	m.architecture.Input, m.channelsLast, m.warnings = net.Input, net.ChannelsLast, net.Warnings
	m.declared = decoded.Graph.Inputs[0].Shape[1:] // behind the batch
	if mustFold(net.Layers, len(net.Input) == 1) {
		net = net.FoldBatchNorm()
		m.warnings = append(m.warnings, "batch normalisations are folded into the layers in front of them: parameters and their gradients are those of the folded layers, and the training used the statistics of its batches, so that its steps are not those of the theory")
	}
	if mustFold(net.Layers, len(net.Input) == 1) {
		return fmt.Errorf("%s: a batch normalisation of vectors can be audited behind a linear layer only, into which it is folded", m.file)
	}
	if n := len(net.Layers); n > 0 && net.Layers[n-1].Kind != onnx.Linear {
		last := net.Layers[n-1]
		return fmt.Errorf("%s: the network ends in node %.80q (%s): its outputs must be those of a dense layer; export it without what comes behind", m.file, last.Name, cmp.Or(string(last.Activation), string(last.Kind)))
	}
	m.architecture.Layers, m.tensors, err = layersOfONNX(net.MoveActivations().Layers, "net.")
	if err != nil {
		return fmt.Errorf("%s: %w", m.file, err)
	}
	return nil
}

// mustFold says whether a batch normalisation is none of package nn's: those are
// of images, with ε = 1e-5. Another ε is as good as another variance, as long as
// that does not become negative. vector says that the first layer takes vectors.
func mustFold(layers []onnx.Layer, vector bool) bool {
	for _, l := range layers {
		switch l.Kind {
		case onnx.Linear, onnx.Flatten:
			vector = true
		case onnx.Residual:
			if mustFold(l.Body, vector) {
				return true
			}
		case onnx.BatchNorm:
			if vector {
				return true
			}
			for _, v := range l.Variance {
				if !(v+l.Epsilon >= normEpsilon) {
					return true
				}
			}
		}
	}
	return false
}

// layersOfONNX returns the layers and their tensors, whose names begin with prefix
// and the position in the list.
func layersOfONNX(layers []onnx.Layer, prefix string) ([]nn.Layer, []safetensors.Tensor, error) {
	var list []nn.Layer
	var tensors []safetensors.Tensor
	for i, l := range layers {
		name := prefix + strconv.Itoa(i)
		layer, own, err := layerOfONNX(&l, name)
		if err != nil {
			if l.Name != "" {
				name = l.Name
			}
			return nil, nil, fmt.Errorf("layer %d (%s): %w", i, name, err)
		}
		list, tensors = append(list, layer), append(tensors, own...)
	}
	return list, tensors, nil
}

// withBias returns the layer with the weight, of the given shape, and the bias that l
// has, if any.
func withBias(layer nn.Layer, l *onnx.Layer, tensor func(string, []float64, ...int) safetensors.Tensor, shape ...int) (nn.Layer, []safetensors.Tensor) {
	ts := []safetensors.Tensor{tensor("weight", l.Weight, shape...)}
	if layer.NoBias = l.Bias == nil; !layer.NoBias {
		ts = append(ts, tensor("bias", l.Bias, l.Out))
	}
	return layer, ts
}

func layerOfONNX(l *onnx.Layer, name string) (nn.Layer, []safetensors.Tensor, error) {
	tensor := func(part string, v []float64, shape ...int) safetensors.Tensor {
		return safetensors.F64(name+"."+part, shape, v)
	}
	switch l.Kind {
	case onnx.Linear:
		layer, ts := withBias(nn.Linear(l.Out), l, tensor, l.Out, len(l.Weight)/l.Out)
		return layer, ts, nil
	case onnx.Conv:
		layer, ts := withBias(nn.Conv(l.Out, l.Kernel, l.Stride, l.Padding), l, tensor, l.Out, len(l.Weight)/(l.Out*l.Kernel*l.Kernel), l.Kernel, l.Kernel)
		return layer, ts, nil
	case onnx.BatchNorm:
		c, variance := len(l.Weight), make([]float64, len(l.Variance))
		for i, v := range l.Variance {
			variance[i] = v + (l.Epsilon - normEpsilon)
		}
		return nn.BatchNorm(), []safetensors.Tensor{tensor("weight", l.Weight, c), tensor("bias", l.Bias, c),
			tensor("running_mean", l.Mean, c), tensor("running_var", variance, c)}, nil
	case onnx.Residual:
		body, ts, err := layersOfONNX(l.Body, name+".body.")
		return nn.Residual(l.Stride, body...), ts, err
	case onnx.MaxPool:
		return nn.MaxPool(l.Kernel), nil, nil
	case onnx.AvgPool:
		return nn.AvgPool(l.Kernel), nil, nil
	case onnx.Flatten:
		return nn.Flatten(), nil, nil
	case onnx.Activate:
		a, err := nn.ParseActivation(string(l.Activation))
		return nn.Activate(a), nil, err
	}
	return nn.Layer{}, nil, fmt.Errorf("layers of kind %s are not supported", l.Kind)
}
