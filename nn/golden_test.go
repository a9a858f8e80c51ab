package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sobolev/encoding/safetensors"
	"sobolev/internal/kernel"
)

// golden is the part of a golden.json that this package computes. The numbers
// come from an independent float64 implementation (torch autograd).
type golden struct {
	Meta struct {
		Sizes      []int  `json:"sizes"`
		Activation string `json:"activation"`
		N          int    `json:"n"`
	} `json:"meta"`
	Outputs   [][]float64 `json:"outputs"`
	Gradients map[string]struct {
		Parameters   [][]float64 `json:"param_grad_power_sums"`
		Input        [][]float64 `json:"input_grad_power_sums"`
		FirstWeights [][]float64 `json:"first_layer_weight_grad_power_sums"`
		FirstDelta   [][]float64 `json:"first_layer_bias_grad_power_sums(delta)"`
		ConvWeights  [][]float64 `json:"conv1_shared_weight_grad_power_sums"`
		ConvDelta    [][]float64 `json:"conv1_preactivation_grad_power_sums(delta)"`
		GW           float64     `json:"g_W"`
		GX           float64     `json:"g_x"`
		GW1          *float64    `json:"g_W1"`
		GDelta       float64     `json:"g_delta"`
	} `json:"gradients"`
}

func loadGolden[T kernel.Float](t *testing.T, fixture, model string) (golden, *Network[T], Data[T]) {
	t.Helper()
	dir := filepath.Join("testdata", fixture)
	js, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(js, &g); err != nil {
		t.Fatal(err)
	}
	net, err := New[T](goldenArchitecture(t, g))
	if err != nil {
		t.Fatal(err)
	}
	weights := readTensors(t, filepath.Join(dir, model))
	if g.Meta.Sizes == nil {
		// The fixture calls the layers features.0, features.3, classifier.0 and classifier.2.
		for i := range weights.Tensors {
			name := &weights.Tensors[i].Name
			for from, to := range map[string]string{"features.0": "net.0", "features.3": "net.3", "classifier.0": "net.7", "classifier.2": "net.9"} {
				*name = strings.Replace(*name, from, to, 1)
			}
		}
	}
	if err := net.Load(weights); err != nil {
		t.Fatal(err)
	}
	f := readTensors(t, filepath.Join(dir, "data.safetensors"))
	return g, net, Data[T]{N: g.Meta.N, X: tensor[T](t, f, "x"), Y: tensor[T](t, f, "y")}
}

func goldenArchitecture(t *testing.T, g golden) Architecture {
	if g.Meta.Sizes == nil { // cnn-tiny
		return Architecture{Input: []int{2, 8, 8}, Layers: []Layer{
			Conv(3, 3, 1, 1), Activate(ReLU), MaxPool(2), Conv(4, 3, 1, 1), Activate(ReLU), MaxPool(2),
			Flatten(), Linear(5), Activate(ReLU), Linear(2),
		}}
	}
	a, err := ParseActivation(g.Meta.Activation)
	if err != nil {
		t.Fatal(err)
	}
	sizes := g.Meta.Sizes
	return FNN(sizes[0], sizes[1:len(sizes)-1], sizes[len(sizes)-1], a)
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

// near fails unless |got − want| ≤ tol·max(|want|, floor); NaN fails.
func near(t *testing.T, what string, got, want, tol, floor float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Max(math.Abs(want), floor)) {
		t.Errorf("%s = %.17g, want %.17g (relative tolerance %g)", what, got, want, tol)
	}
}

func TestGolden(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar", "cnn-tiny"} {
		t.Run(fixture+"/float64", func(t *testing.T) { testGolden[float64](t, fixture, "model.safetensors", 1e-9) })
		t.Run(fixture+"/float32", func(t *testing.T) { testGolden[float32](t, fixture, "model_f32.safetensors", 1e-4) })
	}
}

func testGolden[T kernel.Float](t *testing.T, fixture, model string, tol float64) {
	g, net, data := loadGolden[T](t, fixture, model)
	ws := net.NewWorkspace(wholeRows(data.N))
	net.forwardBlock(ws, data, 0, data.N)
	for i, want := range g.Outputs {
		for c, w := range want {
			near(t, fmt.Sprintf("output %d of sample %d", c, i), float64(net.Output(ws, i)[c]), w, tol, 0.1)
		}
	}
	const orders = 3
	visited := 0
	err := net.EachGradientSums(data, orders, 1<<20, func(i, c int, s *GradientSums) {
		visited++
		for k := 1; k <= orders; k++ {
			want := g.Gradients[fmt.Sprintf("k%d", k)]
			at := func(name string) string { return fmt.Sprintf("k=%d sample %d output %d: %s", k, i, c, name) }
			near(t, at("parameters"), s.Parameters(k), want.Parameters[i][c], tol*float64(k), 0)
			near(t, at("input"), s.Input[k-1], want.Input[i][c], tol*float64(k), 0)
			weights, delta := want.FirstWeights, want.FirstDelta
			if weights == nil {
				weights, delta = want.ConvWeights, want.ConvDelta
			}
			near(t, at("first weights"), s.Weight[0][k-1], weights[i][c], tol*float64(k), 0)
			near(t, at("first delta"), s.Delta[k-1], delta[i][c], tol*float64(k), 0)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if visited != data.N*net.Outputs() {
		t.Fatalf("visited %d samples × outputs, want %d", visited, data.N*net.Outputs())
	}
	moments, err := net.GradientMoments(data, []int{1, 2, 3}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range moments {
		want := g.Gradients[fmt.Sprintf("k%d", m.K)]
		near(t, "g_W", m.Root(m.SumW), want.GW, tol, 0)
		near(t, "g_x", m.Root(m.SumX), want.GX, tol, 0)
		if want.GW1 != nil {
			near(t, "g_W1", m.Root(m.SumW1), *want.GW1, tol, 0)
		}
		near(t, "g_delta", m.Root(m.SumDelta), want.GDelta, tol, 0)
	}
}
