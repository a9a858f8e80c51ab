package experiment

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sobolev/dataset"
	"sobolev/encoding/onnx"
	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
)

// auditFixture are the options of a fixture of package curvature.
func auditFixture(fixture string) AuditOptions {
	o := AuditOptions{
		Model: filepath.Join("..", "curvature", "testdata", fixture, "model.safetensors"),
		Data:  filepath.Join("testdata", "audit", fixture+".npz"), LearningRate: 1e-3, BatchSize: 2, Loss: "half-mse", Orders: []int{1, 2, 3},
	}
	switch fixture {
	case "fnn-tiny":
		o.Activation = "relu"
	case "fnn-scalar":
		o.Activation = "tanh"
	case "cnn-tiny":
		o.Architecture = filepath.Join("testdata", "audit", "cnn-tiny.yaml")
	}
	return o
}

func auditOf(t *testing.T, o AuditOptions) *rundir.Result {
	t.Helper()
	r, err := Audit(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// auditGolden is the part of a golden.json that an audit returns. Its numbers come
// from an independent float64 implementation; half-mse but for EtaStarMSE.
type auditGolden struct {
	Gradients map[string]struct {
		GW     float64     `json:"g_W"`
		GX     float64     `json:"g_x"`
		GW1    *float64    `json:"g_W1"`
		GDelta float64     `json:"g_delta"`
		SumW   [][]float64 `json:"param_grad_power_sums"`
		SumX   [][]float64 `json:"input_grad_power_sums"`
	}
	Hessian struct {
		Trace         float64 `json:"trace_H"`
		LambdaMax     float64 `json:"lambda_max_H"`
		NonUniformity float64 `json:"non_uniformity_sqrt_lambda_max_Sigma"`
	}
	Thresholds []goldenThreshold `json:"thresholds_k2"`
	Spectra    []struct {
		B           int
		Replacement bool
		Eta         float64
		Rho         float64 `json:"rho_span"`
	} `json:"T2_spectra"`
}

func readAuditGolden(t *testing.T, fixture string) auditGolden {
	t.Helper()
	var g auditGolden
	text := readFile(t, "..", "curvature", "testdata", fixture, "golden.json")
	if err := json.Unmarshal([]byte(text), &g); err != nil || len(g.Thresholds) < 4 || len(g.Gradients) < 3 {
		t.Fatal(err, len(g.Thresholds), len(g.Gradients))
	}
	return g
}

// near fails unless |got − want| ≤ tol·|want|; NaN fails.
func near[T ~float64](t *testing.T, what string, got T, want, tol float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tol*math.Abs(want)) {
		t.Errorf("%s = %.17g, want %.17g (relative tolerance %g)", what, float64(got), want, tol)
	}
}

func sampling(replacement bool) string {
	if replacement {
		return "with-replacement"
	}
	return "without-replacement"
}

const goldenTolerance = 1e-6

func mean(samples [][]float64) float64 {
	sum := 0.0
	for _, outputs := range samples {
		for _, v := range outputs {
			sum += v
		}
	}
	return sum / float64(len(samples))
}

// From the files to every number, in units of both losses.
func TestAuditOfTheGoldenNetworks(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar", "cnn-tiny"} {
		g := readAuditGolden(t, fixture)
		for _, loss := range []string{"half-mse", "mse"} {
			t.Run(fixture+"/"+loss, func(t *testing.T) {
				for i, want := range g.Thresholds {
					o := auditFixture(fixture)
					o.Loss, o.BatchSize, o.Sampling = loss, want.B, sampling(want.Replacement)
					eta := want.EtaStar
					if loss == "mse" {
						eta = want.EtaStarMSE
					}
					o.LearningRate = 1.1 * eta
					r := auditOf(t, o)
					near(t, fmt.Sprintf("η*_var for B = %d, %s", want.B, o.Sampling), r.Stability.EtaVar.Value, eta, goldenTolerance)
					if s := r.Stability.Orders[1]; s.K != 2 || s.Stable == nil || *s.Stable || !r.Stability.EtaVar.Exact {
						t.Errorf("B = %d at 1.1 of the threshold: %+v", want.B, s)
					}
					if i == 0 {
						checkGolden(t, r, g, loss)
					}
				}
			})
		}
	}
}

func checkGolden(t *testing.T, r *rundir.Result, g auditGolden, loss string) {
	t.Helper()
	if r.Training != nil || r.Format != rundir.Format || r.Convention.Precision != "float64" || !r.Fit.Interpolates {
		t.Errorf("training %v, format %d, precision %q, fit %+v", r.Training, r.Format, r.Convention.Precision, r.Fit)
	}
	for _, m := range r.Moments {
		want := g.Gradients[fmt.Sprintf("k%d", m.K)]
		near(t, "g_W", m.GW, want.GW, goldenTolerance)
		near(t, "g_x", m.GX, want.GX, goldenTolerance)
		near(t, "g_delta", m.GDelta, want.GDelta, goldenTolerance)
		near(t, "sum_W", m.SumW, mean(want.SumW), goldenTolerance)
		near(t, "sum_x", m.SumX, mean(want.SumX), goldenTolerance)
		if want.GW1 != nil {
			near(t, "g_W1", m.GW1, *want.GW1, goldenTolerance)
		}
	}
	scale := 1.0
	if loss == "mse" {
		scale = 2 / float64(r.Model.Outputs)
	}
	near(t, "trace", r.Curvature.Trace, scale*g.Hessian.Trace, goldenTolerance)
	near(t, "λ_max", *r.Curvature.LambdaMax, scale*g.Hessian.LambdaMax, goldenTolerance)
	near(t, "non-uniformity", *r.Curvature.NonUniformity, scale*g.Hessian.NonUniformity, goldenTolerance)
	near(t, "effective learning rate", r.Convention.EffectiveLearningRate, 1.1*g.Thresholds[0].EtaStar, goldenTolerance)
}

func TestAuditOfGoldenSpectralRadii(t *testing.T) {
	g := readAuditGolden(t, "fnn-scalar")
	if len(g.Spectra) < 6 {
		t.Fatal(len(g.Spectra))
	}
	for _, want := range g.Spectra {
		o := auditFixture("fnn-scalar")
		o.LearningRate, o.BatchSize, o.Sampling = want.Eta, want.B, sampling(want.Replacement)
		near(t, "spectral radius", auditOf(t, o).Stability.SpectralRadius2, want.Rho, goldenTolerance)
	}
}

// comparable is the result without what names the files.
func comparable(t *testing.T, r *rundir.Result) string {
	t.Helper()
	c := *r
	c.MeasuredModel, c.Data.Source, c.Warnings = "", "", nil
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeFile writes a file of a test and returns its path.
func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func readTensors(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func writeTensors(t *testing.T, tensors []safetensors.Tensor) string {
	t.Helper()
	data, err := safetensors.Encode(&safetensors.File{Tensors: tensors})
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "model.safetensors", data)
}

// layersAndWeights is the fixture as ONNX's layers.
func layersAndWeights(t *testing.T, fixture string) *onnx.Network {
	t.Helper()
	f := readTensors(t, auditFixture(fixture).Model)
	v := func(name string) []float64 {
		tensor, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		values, err := tensor.Float64s()
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	linear := func(name string) onnx.Layer {
		return onnx.Layer{Kind: onnx.Linear, Out: len(v(name + ".bias")), Weight: v(name + ".weight"), Bias: v(name + ".bias")}
	}
	conv := func(name string) onnx.Layer {
		l := linear(name)
		l.Kind, l.Kernel, l.Stride, l.Padding = onnx.Conv, 3, 1, 1
		return l
	}
	relu, pool := onnx.Layer{Kind: onnx.Activate, Activation: onnx.ReLU}, onnx.Layer{Kind: onnx.MaxPool, Kernel: 2}
	if fixture == "cnn-tiny" {
		return &onnx.Network{Input: []int{2, 8, 8}, Layers: []onnx.Layer{conv("features.0"), relu, pool, conv("features.3"), relu, pool,
			{Kind: onnx.Flatten}, linear("classifier.0"), relu, linear("classifier.2")}}
	}
	return &onnx.Network{Input: []int{6}, Layers: []onnx.Layer{linear("net.0"), relu, linear("net.2"), relu, linear("net.4")}}
}

func writeONNX(t *testing.T, n *onnx.Network) string {
	t.Helper()
	data, err := onnx.Encode(n, onnx.Double)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "model.onnx", data)
}

// The same network from ONNX is the same result, to the last bit.
func TestAuditOfONNXIsThatOfItsWeights(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "cnn-tiny"} {
		o := auditFixture(fixture)
		o.Radius, o.LearningRate = 0.01, 2e-3
		want := comparable(t, auditOf(t, o))
		o.Model, o.Architecture, o.Activation = writeONNX(t, layersAndWeights(t, fixture)), "", ""
		if got := comparable(t, auditOf(t, o)); got != want {
			t.Errorf("%s: from ONNX\n%s\nfrom safetensors\n%s", fixture, got, want)
		}
	}
}

// File order means nothing, nor does how often the audit is done.
func TestAuditOrdersTensorsByTheirNumbers(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "cnn-tiny"} {
		o := auditFixture(fixture)
		want := comparable(t, auditOf(t, o))
		f := readTensors(t, o.Model)
		// Numbers of one and two digits: as text, net.10 would come before net.2.
		renamed := strings.NewReplacer("net.4", "net.10", "features.3", "features.12", "classifier.2", "classifier.10")
		for i := range f.Tensors {
			f.Tensors[i].Name = renamed.Replace(f.Tensors[i].Name)
		}
		for range 3 {
			generator(uint64(len(f.Tensors))).Shuffle(len(f.Tensors), func(i, j int) { f.Tensors[i], f.Tensors[j] = f.Tensors[j], f.Tensors[i] })
			o.Model = writeFile(t, "model.safetensors", inThisOrder(t, f.Tensors))
			if got := comparable(t, auditOf(t, o)); got != want {
				t.Errorf("%s: permuted and renamed\n%s\nbefore\n%s", fixture, got, want)
			}
		}
	}
}

// inThisOrder encodes the tensors with header and data in the order that they have.
func inThisOrder(t *testing.T, tensors []safetensors.Tensor) []byte {
	t.Helper()
	var header, data []byte
	for i, s := range tensors {
		shape, err := json.Marshal(s.Shape)
		if err != nil {
			t.Fatal(err)
		}
		separator := byte('{')
		if i > 0 {
			separator = ','
		}
		header = append(header, separator)
		header = fmt.Appendf(header, `%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, s.Name, s.DType, shape, len(data), len(data)+len(s.Data))
		data = append(data, s.Data...)
	}
	header = append(header, '}')
	length := make([]byte, 8)
	for i := range length {
		length[i] = byte(len(header) >> (8 * i))
	}
	return slices.Concat(length, header, data)
}

// A batch normalisation of another ε is one with another variance; one of vectors
// is folded into the layer in front. Both leave the function as it is.
func TestAuditOfBatchNormalisations(t *testing.T) {
	norm := func(c int, epsilon float64) onnx.Layer {
		l := onnx.Layer{Kind: onnx.BatchNorm, Epsilon: epsilon}
		for i := range c {
			x := float64(i + 1)
			l.Weight, l.Bias = append(l.Weight, 1+x/10), append(l.Bias, x/20)
			l.Mean, l.Variance = append(l.Mean, x/30), append(l.Variance, x/5)
		}
		return l
	}
	with := func(n *onnx.Network, at int, l onnx.Layer) *onnx.Network {
		m := *n
		m.Layers = slices.Insert(slices.Clone(n.Layers), at, l)
		return &m
	}
	for _, c := range []struct {
		fixture string
		network *onnx.Network
		folded  bool
	}{
		{"cnn-tiny", with(layersAndWeights(t, "cnn-tiny"), 1, norm(3, 1e-3)), false},
		{"cnn-tiny", with(layersAndWeights(t, "cnn-tiny"), 1, norm(3, 1e-7)), false},
		{"fnn-tiny", with(layersAndWeights(t, "fnn-tiny"), 1, norm(8, 1e-3)), true},
	} {
		o := auditFixture(c.fixture)
		o.Architecture, o.Activation = "", ""
		o.Model = writeONNX(t, c.network)
		r := auditOf(t, o)
		o.Model = writeONNX(t, c.network.FoldBatchNorm())
		f := auditOf(t, o)
		near(t, "loss", r.Fit.Loss, float64(f.Fit.Loss), 1e-9)
		for i := range r.Moments { // that of the input does not depend on the parameters
			near(t, "g_x", r.Moments[i].GX, float64(f.Moments[i].GX), 1e-9)
		}
		if folded := r.Model.Parameters == f.Model.Parameters; folded != c.folded {
			t.Errorf("%s: %d parameters, %d when folded", c.fixture, r.Model.Parameters, f.Model.Parameters)
		}
		if said := strings.Contains(fmt.Sprint(r.Warnings), "are folded into"); said != c.folded {
			t.Errorf("%s: warnings %q", c.fixture, r.Warnings)
		}
		if !strings.Contains(fmt.Sprint(r.Warnings), "statistics of its batches") {
			t.Errorf("%s: warnings %q", c.fixture, r.Warnings)
		}
	}
}

// What a run says of a point is what an audit says of its weights on its data.
func TestAuditOfARunsPoint(t *testing.T) {
	cfg := smallGrid()
	cfg.Grid.LearningRate, cfg.Grid.BatchSize, cfg.Repetitions = []float64{0.2}, []int{10}, 1
	cfg.Measure = rundir.Measure{Stability: true, Bounds: true}
	cfg, err := cfg.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	if err := runGrid(t.Context(), path, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	exp, err := New(t.Context(), cfg, Options{Memory: 1 << 28})
	if err != nil {
		t.Fatal(err)
	}
	point := filepath.Join(path, "points", cfg.Points()[0].Name())
	var want rundir.Result
	if err := json.Unmarshal([]byte(readFile(t, point, "result.json")), &want); err != nil {
		t.Fatal(err)
	}
	data := writeNPZ(t, map[string]array{
		"x": {[]int{exp.train.N, exp.inputs}, exp.train.X}, "y": {[]int{exp.train.N, exp.outputs}, exp.train.Y},
		"x_test": {[]int{exp.test.N, exp.inputs}, exp.test.X}, "y_test": {[]int{exp.test.N, exp.outputs}, exp.test.Y},
	})
	got := auditOf(t, AuditOptions{Model: filepath.Join(point, "model.safetensors"), Activation: "relu", Data: data, LearningRate: 0.2, BatchSize: 10, Seed: cfg.Seed})
	if got.Data.SHA256 != want.Data.SHA256 || got.MeasuredModel != want.MeasuredModel || got.Model != want.Model {
		t.Errorf("another model or other data: %+v %+v, in the run %+v %+v", got.Model, got.Data, want.Model, want.Data)
	}
	for i, w := range want.Moments {
		g := got.Moments[i]
		near(t, "g_W", g.GW, float64(w.GW), 1e-4)
		near(t, "g_x", g.GX, float64(w.GX), 1e-4)
		near(t, "g_W1", g.GW1, float64(w.GW1), 1e-4)
		near(t, "g_delta", g.GDelta, float64(w.GDelta), 1e-4)
	}
	near(t, "relative loss", got.Fit.RelativeLoss, float64(want.Fit.RelativeLoss), 1e-4)
	// Thresholds are in float64 in both, with the same random streams.
	for _, pair := range [][2]any{{got.Stability, want.Stability}, {got.OperatorNorms, want.OperatorNorms}} {
		g, _ := json.Marshal(pair[0])
		w, _ := json.Marshal(pair[1])
		if string(g) != string(w) {
			t.Errorf("in the audit\n%s\nin the run\n%s", g, w)
		}
	}
}

// Constants that are given replace those of the search, and are doubted where the
// search knows better.
func TestAuditWithGivenConstants(t *testing.T) {
	o := auditFixture("fnn-tiny")
	o.Radius, o.LearningRate, o.Orders = 0.01, 0.05, []int{1}
	o.Smoothness, o.Approximation, o.TargetBound, o.TargetLipschitz = 7, 0.5, 100, 50
	find := func(r *rundir.Result, statement string) rundir.Bound {
		at := slices.IndexFunc(r.Bounds, func(b rundir.Bound) bool { return b.Statement == statement })
		if at < 0 {
			t.Fatalf("no %s", statement)
		}
		return r.Bounds[at]
	}
	r := auditOf(t, o)
	once, printed := fmt.Sprint(find(r, "theorem 4").Hypotheses), float64(find(r, "theorem 4").Printed)
	if !strings.Contains(once, "given") || strings.Contains(once, "found by search") {
		t.Errorf("theorem 4: %s", once)
	}
	if six := fmt.Sprint(find(r, "theorem 6").Hypotheses); strings.Count(six, "given") != 3 {
		t.Errorf("theorem 6: %s", six)
	}
	o.Smoothness = 14
	near(t, "theorem 4 with twice the constant", find(auditOf(t, o), "theorem 4").Printed, 2*printed, 1e-9)
	o.Smoothness = 1e-3
	if w := fmt.Sprint(auditOf(t, o).Warnings); !strings.Contains(w, "C_s = 0.001 is wrong") {
		t.Errorf("warnings %s", w)
	}
}

// A subset says so, and calls nothing exact.
func TestAuditOfASubset(t *testing.T) {
	o := auditFixture("fnn-tiny")
	o.Limit = 7
	r := auditOf(t, o)
	if r.Data.Samples != 7 || r.Stability.EtaVar.Exact || slices.ContainsFunc(r.Stability.Orders, func(o rundir.Order) bool { return o.Exact }) {
		t.Errorf("%d samples, %+v", r.Data.Samples, r.Stability)
	}
	if w := fmt.Sprint(r.Warnings); !strings.Contains(w, "7 of 10 training samples") {
		t.Errorf("warnings %s", w)
	}
	o.Seed = 1
	if other := auditOf(t, o); other.Data.SHA256 == r.Data.SHA256 {
		t.Error("another seed draws the same subset")
	}
	o.Limit = 10
	if whole := auditOf(t, o); !whole.Stability.EtaVar.Exact {
		t.Errorf("all samples: %+v", whole.Stability.EtaVar)
	}
}

// Labels are one-hot in the outputs that the model has, and --normalize is what it
// says.
func TestAuditOfLabelsAndNormalisation(t *testing.T) {
	o := auditFixture("fnn-tiny")
	x := make([]float32, 4*6)
	for i := range x {
		x[i] = float32(i%7) / 4
	}
	scaled := make([]float32, len(x))
	for i, v := range x {
		scaled[i] = 10*v + 300
	}
	o.Data = writeNPZ(t, map[string]array{"x": {[]int{4, 6}, x}, "y": {[]int{4, 3}, []float32{1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0}}})
	want := auditOf(t, o)
	o.Data = writeNPZ(t, map[string]array{"x": {[]int{4, 6}, scaled}, "y": {[]int{4}, []int64{0, 1, 0, 1}}})
	if w := fmt.Sprint(auditOf(t, o).Warnings); !strings.Contains(w, "go up to 315") || !strings.Contains(w, "one-hot in the model's 3 outputs") {
		t.Errorf("warnings %s", w)
	}
	o.Mean, o.Std = []float64{300}, []float64{10}
	got := auditOf(t, o)
	if got.Convention.Preprocessing != "(x - 300)/10" {
		t.Errorf("preprocessing %q", got.Convention.Preprocessing)
	}
	near(t, "loss", got.Fit.Loss, float64(want.Fit.Loss), 1e-5)
	near(t, "g_W", got.Moments[0].GW, float64(want.Moments[0].GW), 1e-5)
}

// Images [height][width][channels] are turned.
func TestAuditTurnsChannels(t *testing.T) {
	shape := []int{2, 3, 5}
	first := func(c, y, x int) float32 { return float32(100*c + 10*y + x) }
	var last, want []float32
	for y := range 3 {
		for x := range 5 {
			last = append(last, first(0, y, x), first(1, y, x))
		}
	}
	for c := range 2 {
		for y := range 3 {
			for x := range 5 {
				want = append(want, first(c, y, x))
			}
		}
	}
	if got := channelsFirst(append(slices.Clone(last), last...), shape); !slices.Equal(got, append(slices.Clone(want), want...)) {
		t.Errorf("%v, want twice %v", got, want)
	}
}

// Images that a model takes channels-last are turned; those that are channels-first
// are left as they are, with a warning.
func TestAuditOfChannelsLastModels(t *testing.T) {
	x := make([]float32, 2*30)
	for i := range x {
		x[i] = float32(i)
	}
	for _, c := range []struct {
		shape  []int
		turned bool
		want   string // in the error, or the warning
	}{
		{[]int{3, 5, 2}, true, ""}, {[]int{30}, true, ""}, {[]int{2, 3, 5}, false, "channels-first"}, {[]int{5, 3, 2}, false, "takes [3 5 2]"}, {[]int{31}, false, "takes [3 5 2]"},
	} {
		a := &audit{model: &auditedModel{architecture: nn.Architecture{Input: []int{2, 3, 5}}, channelsLast: true}}
		set := &dataset.Set{Name: "data", Shape: c.shape, X: x}
		err := a.fitInputs(set)
		if said := fmt.Sprint(err, a.warnings); c.want == "" && err != nil || !strings.Contains(said, c.want) {
			t.Errorf("%v: %s", c.shape, said)
		}
		want := x
		if c.turned {
			want = channelsFirst(x, []int{2, 3, 5})
		}
		if err == nil && (!slices.Equal(set.X, want) || !slices.Equal(set.Shape, []int{2, 3, 5})) {
			t.Errorf("%v: %v", c.shape, set.X)
		}
	}
}

// The outputs of foreign files are those that onnxruntime computes.
func TestAuditOfForeignONNX(t *testing.T) {
	folder := filepath.Join("..", "encoding", "onnx", "testdata")
	var outputs map[string][]float32
	if err := json.Unmarshal([]byte(readFile(t, folder, "onnxruntime.json")), &outputs); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, refusal string }{
		{"pytorch", ""},
		{"layers", "a batch normalisation of vectors"},
		{"keras", "a batch normalisation of vectors"}, // behind an activation
	} {
		name := c.name
		model := filepath.Join(folder, name+".onnx")
		decoded, err := onnx.ReadFile(model)
		if err != nil {
			t.Fatal(err)
		}
		shape := append([]int{3}, decoded.Graph.Inputs[0].Shape[1:]...)
		x := make([]float32, product(shape))
		for i := range x {
			x[i] = float32(float64(i*37%101)/50 - 1)
		}
		y := outputs[name]
		data := writeNPZ(t, map[string]array{"x": {shape, x}, "y": {[]int{3, len(y) / 3}, y}})
		r, err := Audit(t.Context(), AuditOptions{Model: model, Data: data, LearningRate: 0.01, BatchSize: 1})
		if c.refusal != "" {
			if err == nil || !strings.Contains(err.Error(), c.refusal) || !strings.Contains(err.Error(), name+".onnx") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !(r.Fit.MaxResidual <= 1e-5) || len(r.Moments) != 3 || r.Stability == nil {
			t.Errorf("%s: %+v, %d moments, warnings %q", name, r.Fit, len(r.Moments), r.Warnings)
		}
	}
}

// Every architecture comes back from ONNX, and its tensors from any order.
func TestAuditOfEveryArchitecture(t *testing.T) {
	all := architectures(t)
	delete(all, "identity") // which is no layer in ONNX
	for name, arch := range all {
		net := randomNetwork(t, arch, generator(uint64(len(name))))
		layers, tensors, err := layersOfONNX(graphOf(net).Layers, "net.")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := fmt.Sprint(layers), fmt.Sprint(arch.Layers); got != want {
			t.Errorf("%s: layers %s, want %s", name, got, want)
		}
		shuffled := net.Tensors()
		generator(3).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		groups, err := modulesOf(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		m := &auditedModel{architecture: arch, memory: 1 << 30}
		modules, err := m.fitArchitecture(groups, nil)
		if err == nil {
			err = m.take(modules)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for from, file := range map[string][]safetensors.Tensor{"ONNX": tensors, "safetensors": m.tensors} {
			again, err := nn.New[float32](arch)
			if err == nil {
				err = again.Load(&safetensors.File{Tensors: file})
			}
			if err != nil || !reflect.DeepEqual(again.Tensors(), net.Tensors()) {
				t.Errorf("%s from %s: other parameters, error %v", name, from, err)
			}
		}
	}
}

func TestAuditComparesNamesByNumbers(t *testing.T) {
	names := []string{"0", "2", "10", "a.1.b", "a.2", "a.02.x", "a.10.a", "a.10.b", "b.1"}
	shuffled := slices.Clone(names)
	for seed := range uint64(20) {
		generator(seed).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		slices.SortFunc(shuffled, compareNumbered)
		if !slices.Equal(shuffled, names) {
			t.Fatalf("%q, want %q", shuffled, names)
		}
	}
}

// Wrong files and options say what is wrong, where, and what would be right.
func TestAuditRefuses(t *testing.T) {
	tiny, cnn := readTensors(t, auditFixture("fnn-tiny").Model).Tensors, readTensors(t, auditFixture("cnn-tiny").Model).Tensors
	without := func(name string) []safetensors.Tensor {
		return slices.DeleteFunc(slices.Clone(tiny), func(s safetensors.Tensor) bool { return s.Name == name })
	}
	nan := slices.Clone(tiny)
	for i := range nan {
		if nan[i].Name == "net.2.bias" {
			nan[i] = safetensors.F64("net.2.bias", []int{7}, []float64{0, 0, 0, math.NaN(), 0, 0, 0})
		}
	}
	square := func(prefixes ...string) []safetensors.Tensor {
		var ts []safetensors.Tensor
		for _, p := range prefixes {
			ts = append(ts, safetensors.F64(p+".0.weight", []int{6, 6}, make([]float64, 36)), safetensors.F64(p+".0.bias", []int{6}, make([]float64, 6)))
		}
		return ts
	}
	yaml := func(text string) string { return writeFile(t, "arch.yaml", []byte(text)) }
	labels := writeNPZ(t, map[string]array{"x": {[]int{2, 4}, make([]float32, 8)}, "y": {[]int{2}, []int64{0, 1}}})
	sixes := writeNPZ(t, map[string]array{"x": {[]int{2, 6}, make([]float32, 12)}, "y": {[]int{2, 6}, make([]float32, 12)}})
	noBias := layersAndWeights(t, "fnn-tiny")
	noBias.Layers[2].Bias = nil
	for _, c := range []struct {
		name, fixture string
		change        func(*AuditOptions)
		key           string // of a *rundir.ValueError; "" for other errors
		want          []string
	}{
		{"missing tensor", "fnn-tiny", func(o *AuditOptions) { o.Model = writeTensors(t, without("net.2.bias")) }, "", []string{"tensor net.2.bias is missing"}},
		{"missing tensor of an architecture", "cnn-tiny", func(o *AuditOptions) {
			o.Model = writeTensors(t, slices.DeleteFunc(slices.Clone(cnn), func(s safetensors.Tensor) bool { return s.Name == "features.0.bias" }))
		}, "", []string{"tensor features.0.bias is missing", "layers[0]", "bias: false"}},
		{"wrong shape", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("input: [2, 8, 8]\nlayers: [conv: {out: 3, kernel: 3, padding: 1}, relu, maxpool: 2, conv: {out: 4, kernel: 3, padding: 1}, relu, maxpool: 2, flatten, linear: 6, relu, linear: 2]\nweights: [features, classifier]")
		}, "", []string{"tensor classifier.0.weight has shape [5 16]: layers[7] needs [6 16]", "the architecture:"}},
		{"too few tensors", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Architecture = "", yaml("layers: [linear: 8, relu, linear: 7, relu, linear: 3, relu, linear: 3]")
		}, "", []string{"no tensors are left for layers[6]"}},
		{"too many tensors", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Architecture = "", yaml("layers: [linear: 8, relu, linear: 7]")
		}, "", []string{"tensors net.4 are left over"}},
		{"two orders", "fnn-tiny", func(o *AuditOptions) { o.Data, o.Model = sixes, writeTensors(t, square("a", "b")) }, "", []string{"more than one order", `["a" "b"]`, "key weights"}},
		{"weights without a prefix", "fnn-tiny", func(o *AuditOptions) {
			o.Data, o.Model, o.Activation = sixes, writeTensors(t, square("a", "b")), ""
			o.Architecture = yaml("layers: [linear: 6, relu, linear: 6]\nweights: [a, c]")
		}, "arch", []string{`"a" "c"`, `"a" "b"`}},
		{"not a number", "fnn-tiny", func(o *AuditOptions) { o.Model = writeTensors(t, nan) }, "", []string{"net.2.bias", "NaN", "position 3"}},
		{"foreign tensor", "fnn-tiny", func(o *AuditOptions) {
			o.Model = writeTensors(t, append(slices.Clone(tiny), safetensors.F64("lstm.weight_ih", []int{1}, []float64{1})))
		}, "", []string{"lstm.weight_ih", "belongs to no layer"}},
		{"unknown key", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("input: [2, 8, 8]\nlayers:\n  - conv: {out: 3, kernal: 3}\n")
		}, "arch", []string{"arch.yaml:3:20", "kernal"}},
		{"wrong value", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("input: [2, 8, 8]\nweights:\n- a\n- b\nlayers:\n- flatten\n- linear: 0\n")
		}, "arch", []string{"arch.yaml:7:", "layers[1].linear: 0 is below 1"}},
		{"no activation", "fnn-tiny", func(o *AuditOptions) { o.Activation = "" }, "activation", []string{"missing"}},
		{"two activations", "cnn-tiny", func(o *AuditOptions) { o.Activation = "relu" }, "activation", []string{"architecture file"}},
		{"labels of one output", "fnn-scalar", func(o *AuditOptions) { o.Data = labels }, "", []string{"class labels", "one output"}},
		{"other inputs", "fnn-tiny", func(o *AuditOptions) { o.Data = labels }, "", []string{"net.0.weight has shape [8 6], but gets 4 inputs"}},
		{"large batch", "fnn-tiny", func(o *AuditOptions) { o.BatchSize = 11 }, "batch", []string{"11 is above 10"}},
		{"no rate", "fnn-tiny", func(o *AuditOptions) { o.LearningRate = math.NaN() }, "lr", []string{"not a positive number"}},
		{"order 17", "fnn-tiny", func(o *AuditOptions) { o.Orders = []int{17} }, "orders", []string{"17 is above 16"}},
		{"unknown loss", "fnn-tiny", func(o *AuditOptions) { o.Loss = "hinge" }, "loss", []string{"mse"}},
		{"cross-entropy", "fnn-tiny", func(o *AuditOptions) { o.Loss = "cross-entropy" }, "loss", []string{"not implemented"}},
		{"unknown sampling", "fnn-tiny", func(o *AuditOptions) { o.Sampling = "shuffle" }, "sampling", []string{"epochs"}},
		{"constants without balls", "fnn-tiny", func(o *AuditOptions) { o.TargetBound = 1 }, "radius", []string{"--target-bound"}},
		{"unknown data", "fnn-tiny", func(o *AuditOptions) { o.Data = "mnist" }, "data", []string{`"mnist" is not known`}},
		{"several means", "fnn-tiny", func(o *AuditOptions) { o.Mean, o.Std = []float64{1, 2}, []float64{1, 1} }, "normalize", []string{"2 values"}},
		{"little memory", "fnn-tiny", func(o *AuditOptions) { o.Memory = 600 }, "memory", []string{"limit"}},
		{"no bias", "fnn-tiny", func(o *AuditOptions) { o.Activation, o.Model = "", writeONNX(t, noBias) }, "", []string{"layer 2", "without bias"}},
		{"ends in neither", "fnn-tiny", func(o *AuditOptions) { o.Model = "model.pt" }, "MODEL", []string{"model.pt", ".onnx"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := auditFixture(c.fixture)
			c.change(&o)
			_, err := Audit(t.Context(), o)
			if err == nil {
				t.Fatal("no error")
			}
			var v *rundir.ValueError
			key := ""
			if errors.As(err, &v) {
				key = v.Key
			}
			if key != c.key {
				t.Errorf("key %q, want %q: %v", key, c.key, err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
		})
	}
}

// A truncated file, whatever is left of it, is an error that names it.
func TestAuditOfTruncatedFiles(t *testing.T) {
	model := []byte(readFile(t, auditFixture("fnn-tiny").Model))
	graph := []byte(readFile(t, writeONNX(t, layersAndWeights(t, "fnn-tiny"))))
	data := []byte(readFile(t, auditFixture("fnn-tiny").Data))
	for share := range 8 {
		for _, c := range []struct {
			name string
			text []byte
			set  func(o *AuditOptions, path string)
		}{
			{"cut.safetensors", model, func(o *AuditOptions, path string) { o.Model = path }},
			{"cut.onnx", graph, func(o *AuditOptions, path string) { o.Model, o.Activation = path, "" }},
			{"cut.npz", data, func(o *AuditOptions, path string) { o.Data = path }},
		} {
			o := auditFixture("fnn-tiny")
			c.set(&o, writeFile(t, c.name, c.text[:len(c.text)*share/8]))
			if _, err := Audit(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.name) {
				t.Errorf("%d/8 of %s: %v", share, c.name, err)
			}
		}
	}
}

// The verdict says what the numbers say.
func TestAuditVerdict(t *testing.T) {
	yes, no := true, false
	margin := func(m float64) *rundir.Number { n := rundir.Number(m); return &n }
	result := func(stable *bool, m float64, lyapunov [2]float64) *rundir.Result {
		r := &rundir.Result{Fit: rundir.Fit{Interpolates: true}, Stability: &rundir.Stability{
			EtaVar: rundir.Threshold{Value: 0.03125, Lower: 0.03125, Upper: 0.03125, Exact: true},
			Orders: []rundir.Order{{K: 1}, {K: 2, EtaLower: 0.03125, EtaUpper: 0.03125, Stable: stable}},
		}}
		if stable != nil {
			r.Stability.Orders[1].Margin = margin(m)
		} else {
			r.Stability.EtaVar.Exact, r.Stability.Orders[1].EtaUpper = false, 0.5
		}
		r.Stability.Lyapunov = []rundir.LyapunovExponent{{LearningRate: 0.1, Estimate: rundir.Estimate{
			Value: rundir.Number((lyapunov[0] + lyapunov[1]) / 2), SE: 0.001, CI95: [2]rundir.Number{rundir.Number(lyapunov[0]), rundir.Number(lyapunov[1])}}}}
		return r
	}
	o := AuditOptions{LearningRate: 0.1, BatchSize: 20}
	for _, c := range []struct {
		r    *rundir.Result
		want string
	}{
		{result(&yes, 3, [2]float64{-2, -1}), "stable in mean square for B = 20 up to η = 0.03125; you trained at 0.1: SGD stays here, with a margin of 3"},
		{result(&no, 0.31, [2]float64{0.01, 0.02}), "in mean square SGD leaves this point (threshold/η = 0.31); its typical path leaves too (Lyapunov exponent +0.015 ± 0.001)"},
		{result(&no, 0.31, [2]float64{-0.02, -0.01}), "; its typical path returns (Lyapunov exponent -0.015 ± 0.001): rare large excursions carry the mean"},
		{result(&no, 0.31, [2]float64{-0.02, 0.01}), "; whether its typical path returns is not decided"},
		{result(nil, 0, [2]float64{0.01, 0.02}), "up to a learning rate between 0.03125 and 0.5; you trained at 0.1: whether SGD stays here is not decided; its typical path leaves too"},
		{&rundir.Result{}, "stability is not decided"},
	} {
		if got := o.Verdict(c.r); !strings.Contains(got, c.want) {
			t.Errorf("%q does not contain %q", got, c.want)
		}
	}
	notThere := result(&yes, 3, [2]float64{-2, -1})
	notThere.Fit.Interpolates = false
	if got := o.Verdict(notThere); !strings.Contains(got, "linearised at a point that does not interpolate") {
		t.Error(got)
	}
}

// An architecture without input sizes takes those of the data.
func TestAuditTakesTheShapeOfTheData(t *testing.T) {
	o := auditFixture("cnn-tiny")
	want := comparable(t, auditOf(t, o))
	text := readFile(t, o.Architecture)
	o.Architecture = writeFile(t, "arch.yaml", []byte(strings.Replace(text, "input: [2, 8, 8]", "weights: [features, classifier] # in this order", 1)))
	if got := comparable(t, auditOf(t, o)); got != want {
		t.Errorf("%s\nwith an input section %s", got, want)
	}
}
