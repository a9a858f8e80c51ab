package curvature

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sobolev/encoding/safetensors"
	"sobolev/nn"
)

// golden is the part of a golden.json that this package computes. The numbers
// come from an independent float64 implementation, for half-mse.
type golden struct {
	Meta struct {
		Sizes      []int  `json:"sizes"`
		Activation string `json:"activation"`
		N          int    `json:"n"`
	} `json:"meta"`
	Hessian struct {
		Trace         float64   `json:"trace_H"`
		LambdaMax     float64   `json:"lambda_max_H"`
		Eigenvalues   []float64 `json:"eigenvalues_H_nonzero"`
		Frobenius     *float64  `json:"frobenius_sq_H"`
		NonUniformity float64   `json:"non_uniformity_sqrt_lambda_max_Sigma"`
		SigmaTrace    *float64  `json:"trace_Sigma"`
		SampleNorms   []float64 `json:"lambda_max_Hi"`
		MeanFrobenius *float64  `json:"mean_frobenius_sq_Hi"`
	} `json:"hessian"`
}

func readGolden(t *testing.T, fixture string) (golden, *nn.Network[float64], nn.Data[float64]) {
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
	net, err := nn.New[float64](goldenArchitecture(t, g))
	if err != nil {
		t.Fatal(err)
	}
	model := readFile(t, filepath.Join(dir, "model.safetensors"))
	names := strings.NewReplacer("features.0", "net.0", "features.3", "net.3", "classifier.0", "net.7", "classifier.2", "net.9")
	for i := range model.Tensors {
		model.Tensors[i].Name = names.Replace(model.Tensors[i].Name)
	}
	if err := net.Load(model); err != nil {
		t.Fatal(err)
	}
	data := readFile(t, filepath.Join(dir, "data.safetensors"))
	return g, net, nn.Data[float64]{N: g.Meta.N, X: values(t, data, "x"), Y: values(t, data, "y")}
}

func goldenArchitecture(t *testing.T, g golden) nn.Architecture {
	if g.Meta.Sizes == nil { // cnn-tiny
		return nn.Architecture{Input: []int{2, 8, 8}, Layers: []nn.Layer{
			nn.Conv(3, 3, 1, 1), nn.Activate(nn.ReLU), nn.MaxPool(2), nn.Conv(4, 3, 1, 1), nn.Activate(nn.ReLU), nn.MaxPool(2),
			nn.Flatten(), nn.Linear(5), nn.Activate(nn.ReLU), nn.Linear(2),
		}}
	}
	a, err := nn.ParseActivation(g.Meta.Activation)
	if err != nil {
		t.Fatal(err)
	}
	sizes := g.Meta.Sizes
	return nn.FNN(sizes[0], sizes[1:len(sizes)-1], sizes[len(sizes)-1], a)
}

func readFile(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func values(t *testing.T, f *safetensors.File, name string) []float64 {
	t.Helper()
	s, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v, err := s.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// near fails unless |got − want| ≤ tol·max(|want|, floor); NaN fails.
func near(t *testing.T, what string, got, want, tol, floor float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*math.Max(math.Abs(want), floor)) {
		t.Errorf("%s = %.17g, want %.17g (relative tolerance %g)", what, got, want, tol)
	}
}

var fixtures = []string{"fnn-tiny", "fnn-scalar", "cnn-tiny"}

func TestGolden(t *testing.T) {
	for _, fixture := range fixtures {
		for _, loss := range []nn.Loss{nn.HalfMSE, nn.MSE} {
			t.Run(fmt.Sprint(fixture, "/", loss), func(t *testing.T) { testGolden(t, fixture, loss) })
		}
	}
}

func testGolden(t *testing.T, fixture string, loss nn.Loss) {
	g, net, data := readGolden(t, fixture)
	p, err := At(net, data, loss, 1<<26)
	if err != nil {
		t.Fatal(err)
	}
	want, s := g.Hessian, loss.Scale(net.Outputs())
	const tol = 1e-8
	got, err := p.Summarise(t.Context(), Options{Tolerance: 1e-12, MaxSteps: 1000}, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Warnings) > 0 {
		t.Errorf("warnings %q", got.Warnings)
	}
	near(t, "trace", got.Trace, s*want.Trace, tol, 0)
	near(t, "λ_max", got.LambdaMax.Value, s*want.LambdaMax, tol, 0)
	near(t, "non-uniformity", got.NonUniformity, s*want.NonUniformity, tol, 0)
	near(t, "residual share", got.ResidualShare, 0, tol, 1) // targets are outputs
	for i, norm := range want.SampleNorms {
		near(t, "‖H_i‖", got.Norms[i], s*norm, tol, 0)
	}
	if want.MeanFrobenius != nil {
		near(t, "mean ‖H_i‖²", got.MeanFrobeniusSquared, s*s**want.MeanFrobenius, tol, 0)
	}
	k, err := p.Gram()
	if err != nil {
		t.Fatal(err)
	}
	spectrum, err := p.Spectrum(k)
	if err != nil {
		t.Fatal(err)
	}
	frobenius := 0.0
	if len(spectrum) != len(want.Eigenvalues) {
		t.Fatalf("rank %d, want %d", len(spectrum), len(want.Eigenvalues))
	}
	for i, v := range want.Eigenvalues {
		near(t, "eigenvalue", spectrum[i], s*v, tol, 1e-3*want.LambdaMax)
		frobenius += s * s * v * v
	}
	near(t, "‖H‖_F²", p.FrobeniusSquared(k, 0, nil).Value, frobenius, tol, 0)
	if want.Frobenius != nil {
		near(t, "‖H‖_F²", frobenius, s*s**want.Frobenius, tol, 0)
	}
	if want.SigmaTrace != nil {
		covariance, err := p.Covariance()
		if err != nil {
			t.Fatal(err)
		}
		trace, m := 0.0, dense(covariance)
		for i := range p.Parameters() {
			trace += m[i*p.Parameters()+i]
		}
		near(t, "Tr Σ", trace, s*s**want.SigmaTrace, tol, 0)
	}
}
