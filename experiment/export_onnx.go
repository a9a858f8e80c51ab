package experiment

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"sobolev/dataset"
	"sobolev/encoding/onnx"
	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
)

// ONNX returns the trained network of a point of Trained as an ONNX file. Its
// input x is what entered the network in training, after the preprocessing that
// the result's convention names: [batch, d] for a model of vectors, else
// [batch, channels, height, width]. The data are not needed, except that those
// of an .npz file say which shape its images have. A model.safetensors that is
// missing, damaged or not the one that was measured is an error.
func (e *Export) ONNX(r rundir.Record) ([]byte, error) {
	d := e.dir.Point(r.Point)
	weights, err := readMeasured(d, r.Result)
	if err != nil {
		return nil, err
	}
	arch, err := architectureOf(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	net, err := nn.New[float32](arch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	if err := net.Load(weights); err != nil {
		return nil, fmt.Errorf("%s: %w", d.File(modelFile), err)
	}
	data, err := onnx.Encode(graphOf(net), onnx.Float)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	return data, nil
}

// readMeasured reads the model.safetensors that a result is about.
func readMeasured(d rundir.PointDir, r *rundir.Result) (*safetensors.File, error) {
	path := d.File(modelFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if rundir.Digest(data) != r.MeasuredModel {
		return nil, fmt.Errorf("%s is not the model that result.json is about: it was changed or replaced since it was measured", path)
	}
	return safetensors.Read(bytes.NewReader(data), int64(len(data)), path)
}

// architectureOf returns the architecture of a measured point without its data.
func architectureOf(r rundir.Record) (nn.Architecture, error) {
	shape, err := inputShape(r.Point, r.Result.Model.Inputs)
	if err != nil {
		return nn.Architecture{}, err
	}
	return newArchitecture(r.Point.Model, shape, r.Result.Model.Outputs)
}

// inputShape returns the shape of one of the d inputs of a point's network.
func inputShape(p rundir.Point, d int) ([]int, error) {
	switch {
	case p.Model.Kind == "fnn":
		return []int{d}, nil
	case len(p.Model.Input) > 0:
		return p.Model.Input, nil
	case strings.HasSuffix(strings.ToLower(p.Dataset.Name), ".npz"):
		set, err := dataset.ReadNPZ(p.Dataset.Name)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; the shape of the images is in that file: go where it is, or set model.input in the configuration of such a run", err)
		}
		if err != nil {
			return nil, err
		}
		return set.Shape, nil
	}
	entry, err := dataset.Lookup(p.Dataset.Name)
	if err != nil {
		return nil, err
	}
	if entry.Shape == nil {
		return []int{d}, nil // synthetic data are vectors
	}
	return entry.Shape, nil
}

// graphOf returns a network in the terms of ONNX. Identity activations are left
// out, which moves the numbers in the names of the layers behind them.
func graphOf(net *nn.Network[float32]) *onnx.Network {
	p := parameters{}
	for _, t := range net.Tensors() {
		v, err := t.Float64s()
		if err != nil {
			panic("experiment: a network has a parameter that is no number")
		}
		p[t.Name] = v
	}
	return &onnx.Network{Input: net.Architecture.Input, Layers: p.layers("net.", net.Architecture.Layers)}
}

// parameters are those of a network, and its running averages, by name.
type parameters map[string][]float64

func (p parameters) layers(prefix string, layers []nn.Layer) []onnx.Layer {
	var list []onnx.Layer
	for i, l := range layers {
		if l.Kind == nn.ActivationLayer && l.Activation == nn.Identity {
			continue
		}
		list = append(list, p.layer(prefix+strconv.Itoa(i), l))
	}
	return list
}

func (p parameters) layer(name string, l nn.Layer) onnx.Layer {
	weight, bias := p[name+".weight"], p[name+".bias"] // nil where a layer has none
	switch l.Kind {
	case nn.LinearLayer:
		return onnx.Layer{Kind: onnx.Linear, Out: l.Out, Weight: weight, Bias: bias}
	case nn.ConvLayer:
		return onnx.Layer{Kind: onnx.Conv, Out: l.Out, Kernel: l.Kernel, Stride: l.Stride, Padding: l.Padding, Weight: weight, Bias: bias}
	case nn.ActivationLayer:
		// Both packages call the activations by the names of the configuration.
		return onnx.Layer{Kind: onnx.Activate, Activation: onnx.Activation(l.Activation.String())}
	case nn.MaxPoolLayer:
		return onnx.Layer{Kind: onnx.MaxPool, Kernel: l.Kernel}
	case nn.AvgPoolLayer:
		return onnx.Layer{Kind: onnx.AvgPool, Kernel: l.Kernel}
	case nn.FlattenLayer:
		return onnx.Layer{Kind: onnx.Flatten}
	case nn.BatchNormLayer:
		return onnx.Layer{
			Kind: onnx.BatchNorm, Weight: weight, Bias: bias,
			Mean: p[name+".running_mean"], Variance: p[name+".running_var"], Epsilon: normEpsilon,
		}
	case nn.ResidualLayer:
		return onnx.Layer{Kind: onnx.Residual, Stride: l.Stride, Body: p.layers(name+".body.", l.Body)}
	}
	panic("experiment: a kind of layer that has no form in ONNX")
}

// normEpsilon is the ε of package nn's batch normalisation, that of PyTorch.
const normEpsilon = 1e-5
