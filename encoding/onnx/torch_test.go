package onnx

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// Files that PyTorch's exporter wrote (testdata/export.py), with what PyTorch computes:
// batch normalisations in the convolutions and by themselves, a residual block, and
// weights in another file. The moments of these networks are a test of package
// experiment.
func TestTorchExports(t *testing.T) {
	b, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	var models map[string]struct {
		X, Outputs [][]float64
	}
	if err := json.Unmarshal(b, &models); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"torch-fused":     "conv relu residual(conv relu conv) relu maxpool conv relu avgpool flatten linear relu linear",
		"torch-batchnorm": "conv batchnorm relu residual(conv batchnorm relu conv batchnorm) relu maxpool conv relu avgpool flatten linear relu linear",
		"torch-external":  "linear gelu linear tanh linear",
	} {
		reference, ok := models[name]
		if !ok || len(reference.X) < 5 {
			t.Fatalf("no reference for %s", name)
		}
		m, err := ReadFile("testdata/" + name + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		net, err := m.Network()
		if err != nil {
			t.Fatal(err)
		}
		if got := kinds(net.Layers); got != want {
			t.Errorf("%s: layers %s, want %s", name, got, want)
		}
		in, err := shapeOf(net.Input)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range reference.X {
			_, y := runLayers(net.Layers, in, x)
			for o, want := range reference.Outputs[i] {
				if !(math.Abs(y[o]-want) <= 1e-6*(1+math.Abs(want))) {
					t.Errorf("%s: output %d of sample %d is %v, PyTorch's %v", name, o, i, y[o], want)
				}
			}
		}
	}
}
