package experiment

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sobolev/encoding/onnx"
	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
)

// randomNetwork returns a network with random parameters and running averages.
func randomNetwork(t *testing.T, arch nn.Architecture, rng *rand.Rand) *nn.Network[float32] {
	t.Helper()
	net, err := nn.New[float32](arch)
	if err != nil {
		t.Fatal(err)
	}
	tensors := net.Tensors()
	for i, x := range tensors {
		v := make([]float32, len(x.Data)/4)
		for j := range v {
			v[j] = float32(0.5 * rng.NormFloat64())
			if strings.HasSuffix(x.Name, "running_var") {
				// Small enough for ε to show in the outputs.
				v[j] = float32(1e-5 * (0.5 + rng.Float64()))
			}
		}
		tensors[i] = safetensors.F32(x.Name, x.Shape, v)
	}
	if err := net.Load(&safetensors.File{Tensors: tensors}); err != nil {
		t.Fatal(err)
	}
	return net
}

// readBack writes a network, reads the file and returns the layers in it.
func readBack(t *testing.T, net *nn.Network[float32]) *onnx.Network {
	t.Helper()
	data, err := onnx.Encode(graphOf(net), onnx.Float)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return lowered(t, path)
}

func lowered(t *testing.T, path string) *onnx.Network {
	t.Helper()
	model, err := onnx.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.Network()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// architectures has every kind of layer that a configuration can have.
func architectures(t *testing.T) map[string]nn.Architecture {
	t.Helper()
	resnet, err := nn.ResNet([]int{2, 6, 6}, 8, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	noBias, plain := nn.Conv(4, 3, 2, 0), nn.Linear(4)
	noBias.NoBias, plain.NoBias = true, true
	return map[string]nn.Architecture{
		"one layer": {Input: []int{3}, Layers: []nn.Layer{nn.Linear(2)}},
		"relu":      nn.FNN(5, []int{4, 3}, 2, nn.ReLU),
		"tanh":      nn.FNN(5, []int{4, 3}, 1, nn.Tanh),
		"gelu":      nn.FNN(5, []int{4}, 2, nn.GELU),
		"softplus":  nn.FNN(5, []int{4}, 2, nn.Softplus),
		"sigmoid":   nn.FNN(5, []int{4}, 2, nn.Sigmoid),
		"identity":  nn.FNN(5, []int{4, 3}, 2, nn.Identity),
		"resnet":    resnet,
		"images": {Input: []int{2, 9, 7}, Layers: []nn.Layer{
			nn.Conv(3, 3, 1, 1), nn.Activate(nn.ReLU), nn.MaxPool(2), noBias, nn.Activate(nn.Tanh), nn.Flatten(),
			plain, nn.Activate(nn.Softplus), nn.Linear(2)}},
		"averages": {Input: []int{1, 6, 8}, Frozen: 2, Layers: []nn.Layer{
			nn.Conv(2, 1, 1, 0), nn.BatchNorm(), nn.Activate(nn.GELU), nn.AvgPool(2),
			nn.Residual(2, nn.Conv(5, 3, 2, 1), nn.BatchNorm()), nn.Flatten(), nn.Linear(3)}},
	}
}

// What comes back from the file are the layers of the architecture, with the
// weights of the network.
func TestONNXHasTheSameLayers(t *testing.T) {
	for name, arch := range architectures(t) {
		net := randomNetwork(t, arch, rand.New(rand.NewPCG(1, 2)))
		back := readBack(t, net)
		if !slices.Equal(back.Input, arch.Input) || back.ChannelsLast || len(back.Warnings) > 0 {
			t.Errorf("%s: input %v, channels last %v, warnings %v", name, back.Input, back.ChannelsLast, back.Warnings)
		}
		epsilon := cmpopts.EquateApprox(1e-7, 0) // stored as float32
		if diff := cmp.Diff(graphOf(net).Layers, back.Layers, cmpopts.IgnoreFields(onnx.Layer{}, "Name"), cmpopts.EquateEmpty(), epsilon); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got, want := describe(back.Layers), describeArchitecture(arch.Layers); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}

func describe(layers []onnx.Layer) string {
	var b strings.Builder
	for _, l := range layers {
		fmt.Fprintf(&b, "%s out=%d kernel=%d stride=%d padding=%d bias=%v %s(%s); ",
			l.Kind, l.Out, l.Kernel, l.Stride, l.Padding, l.Bias != nil, l.Activation, describe(l.Body))
	}
	return b.String()
}

func describeArchitecture(layers []nn.Layer) string {
	var b strings.Builder
	for _, l := range layers {
		activation := ""
		if l.Kind == nn.ActivationLayer {
			if l.Activation == nn.Identity {
				continue
			}
			activation = l.Activation.String()
		}
		bias := (l.Kind == nn.LinearLayer || l.Kind == nn.ConvLayer) && !l.NoBias || l.Kind == nn.BatchNormLayer
		fmt.Fprintf(&b, "%s out=%d kernel=%d stride=%d padding=%d bias=%v %s(%s); ",
			l.Kind, l.Out, l.Kernel, l.Stride, l.Padding, bias, activation, describeArchitecture(l.Body))
	}
	return b.String()
}

// The function in the file is that of the network: its layers, evaluated one by
// one from their definitions in float64, give the outputs of nn on the same
// weights in float64. In float32 outputs that are small by cancellation would
// have no digits to compare.
func TestONNXIsTheSameFunction(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	all := architectures(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		arch := all[name]
		written := randomNetwork(t, arch, rng)
		back := readBack(t, written)
		net, err := nn.New[float64](arch)
		if err != nil {
			t.Fatal(err)
		}
		if err := net.Load(&safetensors.File{Tensors: written.Tensors()}); err != nil {
			t.Fatal(err)
		}
		ws := net.NewWorkspace(1)
		for range 5 {
			in := image{dims: arch.Input, v: make([]float64, net.Inputs())}
			for i := range in.v {
				in.v[i] = rng.NormFloat64()
			}
			net.SetInput(ws, 0, in.v)
			net.Forward(ws, 1)
			want := evaluate(back.Layers, in).v
			scale := 0.0
			for _, v := range want {
				scale = math.Max(scale, math.Abs(v))
			}
			for i, got := range net.Output(ws, 0)[:len(want)] {
				if !(math.Abs(got-want[i]) <= 1e-10*scale) {
					t.Errorf("%s: output %d is %v, in the file %v", name, i, got, want[i])
				}
			}
		}
	}
}

// image is one sample: dims is [d] or [channels, height, width].
type image struct {
	v    []float64
	dims []int
}

func (m image) at(c, y, x int) float64 {
	if y < 0 || x < 0 || y >= m.dims[1] || x >= m.dims[2] {
		return 0
	}
	return m.v[(c*m.dims[1]+y)*m.dims[2]+x]
}

// newImage computes every pixel.
func newImage(c, h, w int, pixel func(c, y, x int) float64) image {
	m := image{dims: []int{c, h, w}}
	for i := range c * h * w {
		m.v = append(m.v, pixel(i/(h*w), i/w%h, i%w))
	}
	return m
}

// evaluate is the plainest form of every layer.
func evaluate(layers []onnx.Layer, m image) image {
	for _, l := range layers {
		m = evaluateLayer(l, m)
	}
	return m
}

func evaluateLayer(l onnx.Layer, m image) image {
	switch l.Kind {
	case onnx.Flatten:
		return image{m.v, []int{len(m.v)}}
	case onnx.Linear:
		out := image{dims: []int{l.Out}}
		for o := range l.Out {
			z := 0.0
			if l.Bias != nil {
				z = l.Bias[o]
			}
			for i, x := range m.v {
				z += l.Weight[o*len(m.v)+i] * x
			}
			out.v = append(out.v, z)
		}
		return out
	case onnx.Activate:
		out := image{dims: m.dims}
		for _, z := range m.v {
			out.v = append(out.v, map[onnx.Activation]float64{
				onnx.ReLU: math.Max(0, z), onnx.Tanh: math.Tanh(z), onnx.GELU: z * (1 + math.Erf(z/math.Sqrt2)) / 2,
				onnx.Softplus: math.Log1p(math.Exp(z)), onnx.Sigmoid: 1 / (1 + math.Exp(-z)),
			}[l.Activation])
		}
		return out
	case onnx.Conv:
		return convolve(l, m)
	case onnx.MaxPool, onnx.AvgPool:
		return pool(l, m)
	case onnx.BatchNorm:
		return newImage(m.dims[0], m.dims[1], m.dims[2], func(c, y, x int) float64 {
			return l.Weight[c]*(m.at(c, y, x)-l.Mean[c])/math.Sqrt(l.Variance[c]+l.Epsilon) + l.Bias[c]
		})
	}
	body := evaluate(l.Body, m)
	front := (body.dims[0] - m.dims[0]) / 2
	return newImage(body.dims[0], body.dims[1], body.dims[2], func(c, y, x int) float64 {
		if c < front || c-front >= m.dims[0] {
			return body.at(c, y, x)
		}
		return body.at(c, y, x) + m.at(c-front, l.Stride*y, l.Stride*x)
	})
}

func convolve(l onnx.Layer, m image) image {
	size := func(n int) int { return (n+2*l.Padding-l.Kernel)/l.Stride + 1 }
	return newImage(l.Out, size(m.dims[1]), size(m.dims[2]), func(o, y, x int) float64 {
		z := 0.0
		if l.Bias != nil {
			z = l.Bias[o]
		}
		for i, w := range l.Weight[o*m.dims[0]*l.Kernel*l.Kernel:][:m.dims[0]*l.Kernel*l.Kernel] {
			c, dy, dx := i/(l.Kernel*l.Kernel), i/l.Kernel%l.Kernel, i%l.Kernel
			z += w * m.at(c, l.Stride*y+dy-l.Padding, l.Stride*x+dx-l.Padding)
		}
		return z
	})
}

func pool(l onnx.Layer, m image) image {
	return newImage(m.dims[0], m.dims[1]/l.Kernel, m.dims[2]/l.Kernel, func(c, y, x int) float64 {
		most, sum := math.Inf(-1), 0.0
		for i := range l.Kernel * l.Kernel {
			v := m.at(c, l.Kernel*y+i/l.Kernel, l.Kernel*x+i%l.Kernel)
			most, sum = math.Max(most, v), sum+v
		}
		if l.Kind == onnx.MaxPool {
			return most
		}
		return sum / float64(l.Kernel*l.Kernel)
	})
}

// A trained point gives the weights of its model.safetensors, and the shape of
// its images without the data.
func TestONNXOfATrainedPoint(t *testing.T) {
	cfg := exportGrid()
	cfg.Grid.LearningRate, cfg.Repetitions = []float64{0.05}, 1
	cfg.Model = rundir.Model{Kind: "layers", Layers: []rundir.Layer{
		{Kind: "conv", Conv: rundir.Conv{Out: 2, Kernel: 3, Stride: 2}}, {Kind: "relu"}, {Kind: "maxpool", Size: 2}, {Kind: "flatten"}, {Kind: "linear", Size: 2}}}
	dir, e := exportOf(t, cfg)
	r := e.Trained()[0]
	data, err := e.ONNX(r)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	n := lowered(t, path)
	if !slices.Equal(n.Input, []int{1, 28, 28}) {
		t.Errorf("input %v, want [1 28 28]", n.Input)
	}
	stored, err := readMeasured(dir.Point(r.Point), r.Result)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]float64{
		"net.0.weight": n.Layers[0].Weight, "net.0.bias": n.Layers[0].Bias, "net.4.weight": n.Layers[4].Weight, "net.4.bias": n.Layers[4].Bias,
	} {
		x, ok := stored.Tensor(name)
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		if want, err := x.Float64s(); err != nil || !slices.Equal(want, got) {
			t.Errorf("%s: %v, stored are %v (%v)", name, got, want, err)
		}
	}
}

func TestInputShape(t *testing.T) {
	named := func(data string, m rundir.Model) rundir.Point {
		return rundir.Point{Dataset: rundir.Dataset{Name: data}, Model: m}
	}
	layers := rundir.Model{Kind: "layers"}
	reshaped := rundir.Model{Kind: "layers", Input: []int{784}}
	for _, c := range []struct {
		p    rundir.Point
		d    int
		want []int
	}{
		{named("fashion-mnist", rundir.Model{Kind: "fnn"}), 784, []int{784}},
		{named("fashion-mnist", layers), 784, []int{1, 28, 28}},
		{named("fashion-mnist", reshaped), 784, []int{784}},
		{named("cifar-10", rundir.Model{Kind: "resnet"}), 3072, []int{3, 32, 32}},
		{named("function-1d", layers), 1, []int{1}},
		{named("gone.npz", rundir.Model{Kind: "fnn"}), 7, []int{7}},
	} {
		if got, err := inputShape(c.p, c.d); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s, %s: %v, %v; want %v", c.p.Dataset.Name, c.p.Model.Kind, got, err, c.want)
		}
	}
	if _, err := inputShape(named("gone.npz", layers), 7); err == nil || !strings.Contains(err.Error(), "the shape of the images is in that file") {
		t.Errorf("images of a file that is gone: %v", err)
	}
}
