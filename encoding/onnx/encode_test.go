package onnx

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// roundTrip writes a network and requires that what is read again is the same.
func roundTrip(t testing.TB, net *Network) {
	t.Helper()
	if len(net.Layers) == 0 {
		return
	}
	b, err := Encode(net, Double)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Read(b, "written.onnx")
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Network()
	if err != nil {
		t.Fatal(err)
	}
	bit := cmp.Comparer(func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
	want := *net
	want.Warnings = nil
	if !want.ChannelsLast || len(want.Input) == 3 {
		if diff := cmp.Diff(&want, again, bit, cmpopts.IgnoreFields(Layer{}, "Name"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	}
	twice, err := Encode(again, Double)
	if err != nil || !bytes.Equal(b, twice) {
		t.Fatalf("the same network is other bytes: %v", err)
	}
}

func normals(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func convLayer(rng *rand.Rand, in, out, kernel, stride, padding int) Layer {
	return Layer{Kind: Conv, Out: out, Kernel: kernel, Stride: stride, Padding: padding, Weight: normals(rng, out*in*kernel*kernel), Bias: normals(rng, out)}
}

func normLayer(rng *rand.Rand, channels int) Layer {
	l := Layer{Kind: BatchNorm, Weight: normals(rng, channels), Bias: normals(rng, channels), Mean: normals(rng, channels), Epsilon: 1e-5}
	for range channels {
		l.Variance = append(l.Variance, 0.5+rng.Float64())
	}
	return l
}

// everything is a network with every kind of layer.
func everything(rng *rand.Rand) *Network {
	block := []Layer{convLayer(rng, 3, 6, 3, 2, 1), normLayer(rng, 6), {Kind: Activate, Activation: ReLU}, convLayer(rng, 6, 6, 3, 1, 1)}
	inner := []Layer{convLayer(rng, 6, 6, 1, 1, 0), {Kind: Residual, Stride: 1, Body: []Layer{{Kind: Activate, Activation: Tanh}, convLayer(rng, 6, 6, 3, 1, 1)}}}
	unbiased := convLayer(rng, 2, 3, 3, 1, 1)
	unbiased.Bias = nil
	return &Network{Input: []int{2, 12, 12}, Layers: []Layer{
		unbiased, {Kind: Activate, Activation: GELU}, {Kind: Residual, Stride: 2, Body: block}, {Kind: Activate, Activation: Softplus},
		{Kind: Residual, Stride: 1, Body: inner}, {Kind: MaxPool, Kernel: 2}, {Kind: AvgPool, Kernel: 3}, {Kind: Flatten},
		{Kind: Linear, Out: 4, Weight: normals(rng, 24), Bias: normals(rng, 4)}, {Kind: Activate, Activation: Sigmoid}, normLayer(rng, 4),
		{Kind: Linear, Out: 2, Weight: normals(rng, 8)},
	}}
}

// What is written evaluates, as a graph, to what the layers do.
func TestEncode(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, last := range []bool{false, true} {
		net := everything(rng)
		net.ChannelsLast = last
		roundTrip(t, net)
		b, err := Encode(net, Double)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(b, "written.onnx")
		if err != nil {
			t.Fatal(err)
		}
		compare(t, m, rng)
		var names []string
		for _, w := range m.Graph.Initializers {
			names = append(names, w.Name)
		}
		for _, want := range []string{"net.0.weight", "net.2.body.0.bias", "net.2.body.1.running_var", "net.4.body.1.body.1.weight", "net.11.weight"} {
			if !slices.Contains(names, want) {
				t.Errorf("no initializer %s among %v", want, names)
			}
		}
		if in, out := m.Graph.Inputs[0], m.Graph.Outputs[0]; in.Name != "x" || out.Name != "y" || !slices.Equal(out.Shape, []int{-1, 2}) {
			t.Errorf("input %+v, output %+v", in, out)
		}
	}
}

func TestEncodeFloat(t *testing.T) {
	net := &Network{Input: []int{1}, Layers: []Layer{{Kind: Linear, Out: 2, Weight: []float64{0.1, 2}, Bias: []float64{0, 1e-50}}}}
	b, err := Encode(net, Float)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Read(b, "written.onnx")
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Network()
	if err != nil {
		t.Fatal(err)
	}
	if l := got.Layers[0]; !slices.Equal(l.Weight, []float64{float64(float32(0.1)), 2}) || !slices.Equal(l.Bias, []float64{0, 0}) {
		t.Errorf("%+v", l)
	}
}

func TestEncodeRefused(t *testing.T) {
	linear := func(w ...float64) []Layer { return []Layer{{Kind: Linear, Out: 1, Weight: w}} }
	for _, c := range []struct {
		net   Network
		dtype DType
		says  string
	}{
		{Network{Input: []int{1}, Layers: linear(1)}, Float16, "not as FLOAT16"},
		{Network{Input: []int{1}}, Float, "without layers"},
		{Network{Input: []int{2, 2}, Layers: linear(1)}, Float, "shape [2 2]"},
		{Network{Input: []int{3}, Layers: linear(1)}, Float, "layer 0 (linear): 1 weights, shape [1 3] needs 3"},
		{Network{Input: []int{1}, Layers: linear(math.NaN())}, Double, "net.0.weight: element 0 is NaN"},
		{Network{Input: []int{1}, Layers: linear(1e300)}, Float, "in the range of FLOAT"},
		{Network{Input: []int{1}, Layers: []Layer{{Kind: "attention"}}}, Float, "attention"},
		{Network{Input: []int{1}, Layers: []Layer{{Kind: Activate, Activation: "step"}}}, Float, `"step"`},
		{Network{Input: []int{1}, Layers: []Layer{{Kind: Residual, Stride: 1, Body: []Layer{{Kind: Linear, Out: 2, Weight: []float64{1, 2}}}}}}, Float, "the body makes [2] of [1]"},
	} {
		if _, err := Encode(&c.net, c.dtype); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

func TestFoldBatchNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 10 {
		net := everything(rng)
		net.Layers = slices.Insert(net.Layers, 1, normLayer(rng, 3)) // behind a convolution without a bias
		folded := net.FoldBatchNorm()
		if got := kinds(folded.Layers); strings.Count(got, "batchnorm") != 1 || !strings.Contains(got, "sigmoid batchnorm") {
			t.Fatalf("layers %s; only the one behind an activation stays", got)
		}
		in, _ := shapeOf(net.Input)
		x := normals(rng, in.size())
		_, want := runLayers(net.Layers, in, x)
		_, got := runLayers(folded.Layers, in, x)
		for i := range want {
			if diff := math.Abs(got[i] - want[i]); !(diff <= 1e-9*(1+math.Abs(want[i]))) {
				t.Fatalf("output %d: %v, want %v", i, got[i], want[i])
			}
		}
	}
}
