package experiment

import (
	"encoding/json"
	"fmt"
	"testing"
)

// The moments of models that PyTorch's exporter wrote are those of autograd; see
// encoding/onnx/testdata/export.py.
func TestAuditOfTorchExports(t *testing.T) {
	var models map[string]struct {
		Shape      []int
		X, Outputs [][]float64
		Moments    map[string]struct {
			SumW float64 `json:"sum_W"`
			SumX float64 `json:"sum_x"`
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "..", "encoding", "onnx", "testdata", "torch.json")), &models); err != nil {
		t.Fatal(err)
	}
	if len(models) != 3 {
		t.Fatalf("%d models", len(models))
	}
	for name, want := range models {
		x, y := array{append([]int{len(want.X)}, want.Shape...), []float32(nil)}, array{[]int{len(want.X), len(want.Outputs[0])}, []float32(nil)}
		for i := range want.X {
			x.values, y.values = append(x.values.([]float32), float32s(want.X[i])...), append(y.values.([]float32), float32s(want.Outputs[i])...)
		}
		r := auditOf(t, AuditOptions{
			Model: "../encoding/onnx/testdata/" + name + ".onnx", Data: writeNPZ(t, map[string]array{"x": x, "y": y}), LearningRate: 1e-3, BatchSize: 2,
		})
		if !(r.Fit.MaxResidual <= 1e-6) || !r.Fit.Interpolates {
			t.Errorf("%s: fit %+v on PyTorch's outputs", name, r.Fit)
		}
		if len(r.Moments) != 3 {
			t.Fatalf("%s: %d moments", name, len(r.Moments))
		}
		for _, m := range r.Moments {
			near(t, fmt.Sprintf("%s: sum_W, k = %d", name, m.K), m.SumW, want.Moments[fmt.Sprint(m.K)].SumW, 1e-5)
			near(t, fmt.Sprintf("%s: sum_x, k = %d", name, m.K), m.SumX, want.Moments[fmt.Sprint(m.K)].SumX, 1e-5)
		}
	}
}

func float32s(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}
