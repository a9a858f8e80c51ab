package sgd

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"sobolev/encoding/safetensors"
	"sobolev/internal/kernel"
	"sobolev/nn"
)

// TestGoldenTrajectory follows 200 steps of torch.optim.SGD with
// torch.nn.MSELoss, batch by batch.
func TestGoldenTrajectory(t *testing.T) {
	t.Run("float64", func(t *testing.T) { testTrajectory[float64](t, "f64", 1e-10, 1e-10) })
	// The golden float32 run sums in another order; it differs from its own
	// float64 twin by 1e-6.
	t.Run("float32", func(t *testing.T) { testTrajectory[float32](t, "f32", 1e-4, 1e-4) })
}

func testTrajectory[T kernel.Float](t *testing.T, kind string, tol, lossTol float64) {
	js, err := os.ReadFile("testdata/sgd-trajectory/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Batches   [][]int   `json:"batches"`
		LossesF64 []float64 `json:"batch_losses_f64"`
		LossesF32 []float64 `json:"batch_losses_f32"`
	}
	if err := json.Unmarshal(js, &g); err != nil {
		t.Fatal(err)
	}
	losses := g.LossesF64
	if kind == "f32" {
		losses = g.LossesF32
	}
	parameters := func(step int) *safetensors.File {
		return readTensors(t, fmt.Sprintf("testdata/sgd-trajectory/params_%s_step%d.safetensors", kind, step))
	}
	net, err := nn.New[T](nn.FNN(6, []int{8, 7}, 3, nn.ReLU))
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Load(parameters(0)); err != nil {
		t.Fatal(err)
	}
	f := readTensors(t, "testdata/sgd-trajectory/data.safetensors")
	data := nn.Data[T]{N: 16, X: tensor[T](t, f, "x"), Y: tensor[T](t, f, "y")}
	cfg := Config{LearningRate: 0.05, BatchSize: 4, Iterations: 200, Loss: nn.MSE, HistoryEvery: 1}
	trainer, err := NewTrainer(net, data, cfg, 0)
	if err != nil {
		t.Fatal(err)
	}
	trainer.draw = func(step int) []int { return g.Batches[step] }
	compared := 0
	for trainer.Outcome() == Running {
		if err := trainer.Step(); err != nil {
			t.Fatal(err)
		}
		step := trainer.Steps()
		if got, want := trainer.History()[step-1].BatchLoss, losses[step-1]; !(math.Abs(got-want) <= lossTol*(1+want)) {
			t.Fatalf("batch loss of step %d = %v, want %v", step, got, want)
		}
		if step == 1 || step == 10 || step == 200 {
			compareParameters(t, net, parameters(step), step, tol)
			compared++
		}
	}
	if compared != 3 {
		t.Fatalf("compared %d times, want 3", compared)
	}
}

func compareParameters[T kernel.Float](t *testing.T, net *nn.Network[T], want *safetensors.File, step int, tol float64) {
	t.Helper()
	got := make([]T, net.ParameterCount())
	net.CopyParameters(got)
	for _, p := range net.Parameters() {
		for i, w := range tensor[float64](t, want, p.Name) {
			if g := float64(got[p.Offset+i]); !(math.Abs(g-w) <= tol*(math.Abs(w)+0.1)) {
				t.Fatalf("after step %d: %s[%d] = %.12g, want %.12g", step, p.Name, i, g, w)
			}
		}
	}
}

func readTensors(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func tensor[T kernel.Float](t *testing.T, f *safetensors.File, name string) []T {
	t.Helper()
	s, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v, err := s.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}
