package experiment

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sobolev/curvature"
	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/stability"
)

// goldenStudy is the study of the network of a fixture of package curvature.
func goldenStudy(t *testing.T, loss nn.Loss, eta float64, batch int, s stability.Sampling) *study {
	t.Helper()
	dir := filepath.Join("..", "curvature", "testdata", "fnn-tiny")
	read := func(name string) *safetensors.File {
		f, err := safetensors.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	net, err := nn.New[float64](nn.FNN(6, []int{8, 7}, 3, nn.ReLU))
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Load(read("model.safetensors")); err != nil {
		t.Fatal(err)
	}
	values := func(name string) []float64 {
		tensor, ok := read("data.safetensors").Tensor(name)
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		v, err := tensor.Float64s()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	data := nn.Data[float64]{N: 10, X: values("x"), Y: values("y")}
	st := &study{Result: &rundir.Result{Model: rundir.ModelInfo{Parameters: net.ParameterCount()}, Curvature: &rundir.Curvature{},
		Fit: rundir.Fit{Interpolates: true}, MeasuredOrders: []int{1, 2, 3}}, net: net, data: data,
		options: rundir.StabilityOptions{ExactLimit: 100, Bounds: true}, eta: eta, batch: batch, sampling: s, memory: 1 << 28, seed: 1, rng: generator(1)}
	if st.point, err = curvature.At(net, data, loss, st.memory); err != nil {
		t.Fatal(err)
	}
	return st
}

type goldenThreshold struct {
	B           int
	Replacement bool
	EtaStar     float64 `json:"eta_star"`
	EtaStarMSE  float64 `json:"eta_star_torch_MSELoss_mean"`
}

// From a network to its thresholds, in units of both losses.
func TestStabilityOfTheGoldenNetwork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "curvature", "testdata", "fnn-tiny", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Thresholds []goldenThreshold `json:"thresholds_k2"`
		Hessian    struct {
			LambdaMax     float64 `json:"lambda_max_H"`
			NonUniformity float64 `json:"non_uniformity_sqrt_lambda_max_Sigma"`
		}
	}
	if err := json.Unmarshal(text, &g); err != nil || len(g.Thresholds) == 0 {
		t.Fatal(err, len(g.Thresholds))
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-6*math.Abs(want)) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	for _, want := range g.Thresholds {
		sampling := stability.WithoutReplacement
		if want.Replacement {
			sampling = stability.WithReplacement
		}
		for loss, eta := range map[nn.Loss]float64{nn.HalfMSE: want.EtaStar, nn.MSE: want.EtaStarMSE} {
			s := goldenStudy(t, loss, 0.9*eta, want.B, sampling)
			if err := s.measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			near("η*_var", float64(s.Stability.EtaVar.Value), eta)
			near("λ_max", float64(*s.Curvature.LambdaMax), g.Hessian.LambdaMax*loss.Scale(3))
			near("non-uniformity", float64(*s.Curvature.NonUniformity), g.Hessian.NonUniformity*loss.Scale(3))
			if r := *s.Curvature.Rank; r != 30 {
				t.Errorf("rank %d, want 30", r)
			}
			second := s.Stability.Orders[1]
			if second.K != 2 || second.Stable == nil || !*second.Stable || !s.Stability.EtaVar.Exact {
				t.Errorf("at 0.9 of the threshold: %+v", second)
			}
			near("margin", float64(*second.Margin), 1/0.9)
			if rho := float64(s.Stability.SpectralRadius2); !(rho > 0 && rho <= 1+1e-12) || s.Stability.SpectralRadius2Full != 1 {
				t.Errorf("spectral radius %v, on the whole space %v", rho, s.Stability.SpectralRadius2Full)
			}
			s = goldenStudy(t, loss, 1.1*eta, want.B, sampling)
			if err := s.measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			if second := s.Stability.Orders[1]; second.Stable == nil || *second.Stable || !(s.Stability.SpectralRadius2 > 1) {
				t.Errorf("at 1.1 of the threshold: %+v, spectral radius %v", second, s.Stability.SpectralRadius2)
			}
		}
	}
}

// Without the Gram matrix there are brackets, which hold the exact values.
func TestBracketsHoldTheExactThresholds(t *testing.T) {
	for _, batch := range []int{1, 3, 10} {
		for _, sampling := range []stability.Sampling{stability.WithoutReplacement, stability.WithReplacement} {
			exact, wide := goldenStudy(t, nn.MSE, 0.05, batch, sampling), goldenStudy(t, nn.MSE, 0.05, batch, sampling)
			wide.options.ExactLimit = 29
			for _, s := range []*study{exact, wide} {
				if err := s.measure(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for i, o := range wide.Stability.Orders {
				e := exact.Stability.Orders[i]
				const slack = 1e-9
				if o.K != e.K || !(o.EtaLower <= e.EtaUpper*(1+slack)) || !(o.EtaUpper >= e.EtaLower*(1-slack)) || !(o.EtaLower <= o.EtaUpper*(1+slack)) {
					t.Errorf("B = %d, %v: order %d is bracketed by [%v, %v], and by [%v, %v] from the Gram matrix", batch, sampling, o.K, o.EtaLower, o.EtaUpper, e.EtaLower, e.EtaUpper)
				}
			}
			if v := exact.Stability.EtaVar; !(wide.Stability.EtaVar.Lower <= v.Value*(1+1e-9)) || !(wide.Stability.EtaVar.Upper >= v.Lower*(1-1e-9)) || wide.Stability.EtaVar.Exact && batch < 10 {
				t.Errorf("B = %d, %v: η*_var %+v, exactly %+v", batch, sampling, wide.Stability.EtaVar, v)
			}
			if a, b := float64(*wide.Curvature.NonUniformity), float64(*exact.Curvature.NonUniformity); !(math.Abs(a-b) <= 1e-5*b) {
				t.Errorf("non-uniformity %v by products, %v from the Gram matrix", a, b)
			}
			if !slices.ContainsFunc(wide.Warnings, func(w string) bool { return strings.Contains(w, "thresholds are brackets") }) {
				t.Errorf("warnings %q", wide.Warnings)
			}
		}
	}
}

// A run with measure.stability has it in its results; switching it on measures
// the trained networks again.
func TestStabilityIsMeasuredOnRequest(t *testing.T) {
	cfg := onePoint(rundir.Model{Hidden: []int{8}})
	cfg.Dataset.PerClass = 6
	dir := t.TempDir()
	record := func() rundir.Record {
		t.Helper()
		if err := runGrid(t.Context(), dir, cfg, 1, silent{}); err != nil {
			t.Fatal(err)
		}
		run, err := rundir.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		records, err := run.Records()
		if err != nil || len(records) != 1 {
			t.Fatal(records, err)
		}
		return records[0]
	}
	before := record().Result
	if before.Stability != nil || before.MeasuredStability != nil || before.Curvature.LambdaMax != nil {
		t.Errorf("not asked for: %+v", before.Stability)
	}
	cfg.Measure.Stability = true
	after := record().Result
	if after.MeasuredModel != before.MeasuredModel {
		t.Error("trained again")
	}
	s := after.Stability
	if s == nil || len(s.Orders) != highestOrder || len(s.Frontier) == 0 || len(s.Lyapunov) == 0 || !(s.EtaVar.Value > 0) || !s.EtaVar.Exact {
		t.Fatalf("stability %+v", s)
	}
	if last := s.Frontier[len(s.Frontier)-1]; last.BatchSize != 12 || !(math.Abs(float64(last.Value/s.EtaMean-1)) <= 1e-9) {
		t.Errorf("frontier ends with %+v; the full batch has η_mean = %v", last, s.EtaMean)
	}
	// 30 steps from random weights do not interpolate.
	if after.Fit.Interpolates || !hasWarning(after, "thresholds are those of its Gauss–Newton matrix, from which the Hessian differs by a share of") || !(*after.Curvature.ResidualShare > 0) {
		t.Errorf("fit %+v, warnings %q", after.Fit, after.Warnings)
	}
	if got := readFile(t, dir, "results.csv"); !strings.Contains(got, "eta_var") || strings.Contains(got, "true,,") {
		t.Errorf("table\n%s", got)
	}
}

func TestStabilityOfOddSolutions(t *testing.T) {
	one := onePoint(rundir.Model{Hidden: []int{8}})
	one.Dataset.PerClass, one.Measure.Stability = 1, true
	one.Grid = rundir.Grid{Method: []string{"gd"}, LearningRate: []float64{0.1}}
	if s := resultOf(t, one).Stability; s == nil || !(math.Abs(float64(s.EtaVar.Value/s.EtaMean-1)) <= 1e-9) {
		t.Errorf("the full batch of two samples: %+v", s)
	}
	s := goldenStudy(t, nn.MSE, 0.1, 2, stability.WithoutReplacement)
	dead := make([]float64, s.net.ParameterCount())
	s.net.SetParameters(dead)
	s.net.CopyParameters(dead)
	s.data.X = make([]float64, len(s.data.X))
	// All weights zero: the last bias alone has a gradient, the same for all samples.
	if err := s.measure(t.Context()); err != nil || *s.Curvature.Rank != 3 {
		t.Errorf("zero weights: %v, %+v", err, s.Curvature)
	}
	dead[0] = math.NaN()
	s.net.SetParameters(dead)
	if err := s.measure(t.Context()); err == nil || !strings.Contains(err.Error(), "finite") {
		t.Errorf("NaN weights: %v", err)
	}
}

func TestFrontierBatches(t *testing.T) {
	for _, c := range []struct {
		asked    []int
		n, batch int
		want     []int
	}{
		{nil, 30, 7, []int{1, 7, 10, 30}},
		{nil, 1, 1, []int{1}},
		{[]int{4, 50}, 30, 7, []int{4, 7, 30}},
	} {
		if got := frontierBatches(c.asked, c.n, c.batch); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Bounds of a network that is stable: what is measured is below the sharp form,
// that below the printed one; of one that is not, there are none from stability.
func TestBoundsOfTheGoldenNetwork(t *testing.T) {
	for _, c := range []struct {
		eta    float64
		stable bool
	}{{0.01, true}, {10, false}} {
		s := goldenStudy(t, nn.MSE, c.eta, 2, stability.WithoutReplacement)
		if err := s.measure(t.Context()); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, b := range s.Bounds {
			seen[b.Statement]++
			fromStability := !slices.Contains([]string{"proposition 2", "corollary 4"}, b.Statement)
			if b.Applies != (c.stable || !fromStability) {
				t.Errorf("η = %v: %s, k = %d applies: %v, because %s %+v", c.eta, b.Statement, b.K, b.Applies, b.WhyNot, b.Hypotheses)
			}
			const slack = 1 + 1e-9
			if b.Applies && !(b.Measured > 0 && b.Measured <= b.Sharp*slack && b.Sharp <= b.Printed*slack) {
				t.Errorf("η = %v: %s, k = %d: measured %v, sharp %v, printed %v", c.eta, b.Statement, b.K, b.Measured, b.Sharp, b.Printed)
			}
			if !b.Applies && (b.WhyNot == "" || !math.IsNaN(float64(b.Sharp))) {
				t.Errorf("η = %v: %s, k = %d does not apply: %q, %v", c.eta, b.Statement, b.K, b.WhyNot, b.Sharp)
			}
		}
		for _, statement := range []string{"theorem 2", "equation 34", "corollary 3", "proposition 2", "corollary 4", "theorem 3"} {
			if seen[statement] != 3 {
				t.Errorf("%s: %d orders, want 3", statement, seen[statement])
			}
		}
		if len(s.OperatorNorms) != 3 || s.OperatorNorms[0].P != 2 || !(s.OperatorNorms[0].Lower <= s.OperatorNorms[0].Upper) {
			t.Errorf("operator norms %+v", s.OperatorNorms)
		}
		if len(s.Curvature.Layers) != 3 || len(s.Spectrum.Eigenvalues) != 30 || !(s.Curvature.Layers[0].LambdaMax <= *s.Curvature.LambdaMax*(1+1e-6)) {
			t.Errorf("layers %+v, %d eigenvalues", s.Curvature.Layers, len(s.Spectrum.Eigenvalues))
		}
	}
}

// The balls around the samples: every statement is there once for every order, and
// what was measured is below what bounds it.
func TestBoundsAroundTheGoldenData(t *testing.T) {
	s := goldenStudy(t, nn.MSE, 0.01, 2, stability.WithoutReplacement)
	s.options.Radius = 0.02
	s.test = nn.Data[float64]{N: s.data.N, X: slices.Clone(s.data.X), Y: s.data.Y, Classification: true}
	for i := range s.test.X {
		s.test.X[i] += 1e-3
	}
	if err := s.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	applied := map[string]int{}
	for _, b := range s.Bounds {
		const slack = 1 + 1e-9
		if !b.Applies {
			t.Errorf("%s, k = %d: %s", b.Statement, b.K, b.WhyNot)
			continue
		}
		applied[b.Statement]++
		if !(b.Measured > 0 && b.Measured <= b.Sharp*slack && b.Sharp <= b.Printed*slack) && !(b.Statement == "theorem 6" && b.Measured == 0) {
			t.Errorf("%s, k = %d: measured %v, sharp %v (%s), printed %v", b.Statement, b.K, b.Measured, b.Sharp, b.SharpForm, b.Printed)
		}
	}
	for _, statement := range []string{"proposition 3", "corollary 5", "theorem 4", "theorem 5", "theorem 6", "theorem 7"} {
		if applied[statement] != 3 {
			t.Errorf("%s applies for %d orders, want 3", statement, applied[statement])
		}
	}
	if g := s.Geometry; g != nil && !(g.Dimension > 0 && g.DimensionCI95[0] < g.Dimension && g.Dimension < g.DimensionCI95[1] && g.Rate == nil) {
		t.Errorf("dimension %v in %v, rate %v of ten samples", g.Dimension, g.DimensionCI95, g.Rate)
	}
	if g := s.Geometry; g == nil || g.Uncovered != 0 || !(g.UncoveredCI95[1] > 0.2 && g.UncoveredCI95[1] < 0.5) || g.OverlapLower < 1 || g.OverlapUpper < g.OverlapLower {
		t.Errorf("geometry %+v", g)
	}
	for _, c := range s.Smoothness {
		if !(c.Found > 0 && c.Found <= c.Certified) {
			t.Errorf("Definition 1 at k = %d: found %v, certified %v", c.K, c.Found, c.Certified)
		}
	}
	if a := s.Robustness.Accuracy; len(a) != len(robustMultiples) || !(a[0].Accuracy >= a[3].Accuracy) || a[0].Samples != 10 {
		t.Errorf("robust accuracy %+v", a)
	}
	for _, c := range s.Robustness.CLEVER {
		endless := math.IsInf(float64(c.Lipschitz), 1) && math.IsNaN(float64(c.Score))
		if !(c.SampleMax > 0 && (endless || c.Score >= 0 && c.Score <= 0.02*(1+1e-9))) {
			t.Errorf("CLEVER %+v in balls of 0.02", c)
		}
	}
	if len(s.Robustness.CLEVER) != cleverSamples || len(s.Smoothness) != 3 || len(s.Seminorms) != 3 || s.Robustness == nil || len(s.Robustness.Gradients) != 3 {
		t.Errorf("%d constants, %d seminorms, robustness %+v", len(s.Smoothness), len(s.Seminorms), s.Robustness)
	}
}

// On points of a disc in six dimensions the radius of the cover falls like n^{−1/2}.
func TestCoverRateOfARun(t *testing.T) {
	s := goldenStudy(t, nn.MSE, 0.01, 2, stability.WithoutReplacement)
	disc := func(n int) nn.Data[float64] {
		data := nn.Data[float64]{N: n, X: make([]float64, 6*n), Y: make([]float64, 3*n)}
		for i := range n {
			data.X[6*i], data.X[6*i+1] = s.rng.Float64(), s.rng.Float64()
		}
		return data
	}
	s.data, s.test = disc(512), disc(400)
	a := &around{study: s, radius: 0.05, test: s.test}
	if err := a.measureGeometry(); err != nil {
		t.Fatal(err)
	}
	r := s.Geometry.Rate
	if r == nil || len(r.Levels) != 6 || r.Levels[0].N != 512 || r.Levels[5].N != 16 {
		t.Fatalf("rate %+v", r)
	}
	if e := r.Exponent.Value; !(e > -0.65 && e < -0.4) || !(r.Levels[0].Radius < r.Levels[5].Radius) {
		t.Errorf("exponent %v, want about −1/2; radii %+v", e, r.Levels)
	}
	if d := s.Geometry.Dimension; !(d > 1.7 && d < 2.3) {
		t.Errorf("dimension %v, want 2", d)
	}
}

// With frozen layers the balls are those of the features: what is found is what is
// found of the layers that train on features that are given as data.
func TestBoundsAroundFeatures(t *testing.T) {
	golden := goldenStudy(t, nn.MSE, 0.01, 2, stability.WithoutReplacement)
	arch := golden.net.Architecture
	arch.Frozen = 2
	flat := make([]float64, golden.net.ParameterCount())
	golden.net.CopyParameters(flat)
	measured := func(net *nn.Network[float64], data nn.Data[float64], frozen int) *study {
		s := goldenStudy(t, nn.MSE, 0.01, 2, stability.WithoutReplacement)
		s.net, s.data, s.options.Radius = net, data, 0.02
		s.Model.Frozen, s.Model.Parameters = frozen, net.TrainableCount()
		var err error
		if s.point, err = curvature.At(net, data, nn.MSE, s.memory); err != nil {
			t.Fatal(err)
		}
		if err := s.measure(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	net, err := nn.New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	net.SetParameters(flat)
	head, features, err := net.Head(golden.data)
	if err != nil {
		t.Fatal(err)
	}
	frozen, plain := measured(net, golden.data, net.ParameterCount()-net.TrainableCount()), measured(head, features, 0)
	if frozen.Geometry.Space != "features" || frozen.Robustness.Space != "features" || plain.Geometry.Space != "" {
		t.Errorf("spaces %q, %q and %q", frozen.Geometry.Space, frozen.Robustness.Space, plain.Geometry.Space)
	}
	if !slices.ContainsFunc(frozen.Warnings, func(w string) bool { return strings.Contains(w, "balls of features") }) {
		t.Errorf("warnings %q do not say what the balls are of", frozen.Warnings)
	}
	if len(frozen.Bounds) != len(plain.Bounds) || len(plain.Bounds) < 30 {
		t.Fatalf("%d bounds, and %d of the head", len(frozen.Bounds), len(plain.Bounds))
	}
	near := func(a, b rundir.Number) bool {
		return math.IsNaN(float64(a)) && math.IsNaN(float64(b)) || math.Abs(float64(a-b)) <= 1e-6*math.Abs(float64(b))
	}
	around := 0
	for i, b := range frozen.Bounds {
		if h := plain.Bounds[i]; b.Statement != h.Statement || b.K != h.K || b.Status != h.Status || !near(b.Measured, h.Measured) || !near(b.Sharp, h.Sharp) || !near(b.Printed, h.Printed) {
			t.Errorf("%+v; of the head %+v", b, h)
		}
		if b.Applies && slices.Contains([]string{"proposition 3", "theorem 4", "theorem 5", "theorem 7"}, b.Statement) {
			around++
		}
	}
	if around == 0 {
		t.Error("no bound around the features applies")
	}
}
