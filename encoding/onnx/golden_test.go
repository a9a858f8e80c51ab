package onnx

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// goldenInput is a batch of three samples whose numbers float32 holds.
func goldenInput(shape []int) array {
	x := zeros(append([]int{3}, shape...)...)
	for i := range x.v {
		x.v[i] = float64(float32(float64(i*37%101)/50 - 1))
	}
	return x
}

// The outputs in testdata are onnxruntime's: of a network with every kind of
// layer as Encode wrote it, and of graphs in the dialects of PyTorch and Keras.
func TestONNXRuntime(t *testing.T) {
	b, err := os.ReadFile("testdata/onnxruntime.json")
	if err != nil {
		t.Fatal(err)
	}
	var outputs map[string][]float64
	if err := json.Unmarshal(b, &outputs); err != nil {
		t.Fatal(err)
	}
	if len(outputs) != 3 {
		t.Fatalf("outputs of %d models", len(outputs))
	}
	for name, want := range outputs {
		m, err := ReadFile("testdata/" + name + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		net, err := m.Network()
		if err != nil {
			t.Fatal(err)
		}
		x := goldenInput(m.Graph.Inputs[0].Shape[1:])
		if net.ChannelsLast {
			x = x.transposed([]int64{0, 3, 1, 2})
		}
		in, err := shapeOf(net.Input)
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		for i := range 3 {
			_, y := runLayers(net.Layers, in, x.v[i*in.size():(i+1)*in.size()])
			got = append(got, y...)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d outputs, want %d", name, len(got), len(want))
		}
		for i := range want {
			if diff := math.Abs(got[i] - want[i]); !(diff <= 2e-6*(1+math.Abs(want[i]))) {
				t.Errorf("%s: output %d is %v, onnxruntime makes %v", name, i, got[i], want[i])
			}
		}
	}
}
