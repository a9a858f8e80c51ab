package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sobolev/dataset"
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

// writeFile writes a file of a test and returns its path.
func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
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
	o.Smoothness, o.TargetBound, o.TargetLipschitz = 1e-3, 1e-6, 1e-9
	r = auditOf(t, o)
	if w := fmt.Sprint(r.Warnings); !strings.Contains(w, "C_s = 0.001 is wrong") {
		t.Errorf("warnings %s", w)
	}
	for statement, refuted := range map[string][]string{
		"theorem 4": {"C_s = 0.001, given, but "}, "theorem 6": {"C_s = 0.001, given, but ", "M₁ = 1e-06, given, but ", "M₂ = 1e-09, given, but "},
	} {
		b := find(r, statement)
		for _, part := range refuted {
			if b.Status != "does-not-apply" || !strings.Contains(b.WhyNot, part) {
				t.Errorf("%s: %s, %q", statement, b.Status, b.WhyNot)
			}
		}
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
	if v := o.Verdict(r); r.Data.Available != 10 || !strings.Contains(v, "for B = 2 on 7 of 10 samples") {
		t.Errorf("of %d: %s", r.Data.Available, v)
	}
	o.Seed = 1
	if other := auditOf(t, o); other.Data.SHA256 == r.Data.SHA256 {
		t.Error("another seed draws the same subset")
	}
	o.Limit = 10
	if whole := auditOf(t, o); !whole.Stability.EtaVar.Exact || whole.Data.Available != 0 {
		t.Errorf("all samples: %+v", whole.Stability.EtaVar)
	}
}

// Batches of an epoch have no exact theory, unless there is one to an epoch.
func TestAuditOfEpochs(t *testing.T) {
	o := auditFixture("fnn-tiny")
	o.Sampling = "epochs"
	r := auditOf(t, o)
	if r.Stability.EtaVar.Exact || slices.ContainsFunc(r.Stability.Orders, func(o rundir.Order) bool { return o.Exact }) {
		t.Errorf("%+v", r.Stability)
	}
	if v := o.Verdict(r); !strings.Contains(v, "for B = 2, for independent batches in place of an epoch's,") {
		t.Error(v)
	}
	o.BatchSize = 10
	r = auditOf(t, o)
	if v := o.Verdict(r); !r.Stability.EtaVar.Exact || !r.Stability.Orders[1].Exact || strings.Contains(v, "independent batches") {
		t.Errorf("one batch to an epoch: %+v, %s", r.Stability, v)
	}
	if w := fmt.Sprint(r.Warnings); !strings.Contains(w, "non_uniformity_limit is null") || !strings.Contains(w, "training is null") {
		t.Errorf("warnings %s", w)
	}
}

// Targets that are all zero have no relative loss, which is said; a network that is
// zero fits them.
func TestAuditOfZeroTargets(t *testing.T) {
	x := []float32{1, 0, 2, 1}
	for _, c := range []struct {
		weight       float64
		interpolates bool
		want         string
	}{{0, true, "fit.relative_loss is null"}, {1, false, "the targets are zero and the loss is"}} {
		o := AuditOptions{LearningRate: 0.1, BatchSize: 1, Data: writeNPZ(t, map[string]array{"x": {[]int{2, 2}, x}, "y": {[]int{2, 1}, []float32{0, 0}}}),
			Model: writeTensors(t, []safetensors.Tensor{safetensors.F64("net.0.weight", []int{1, 2}, []float64{c.weight, c.weight})})}
		r := auditOf(t, o)
		if w := fmt.Sprint(r.Warnings); r.Fit.Interpolates != c.interpolates || !strings.Contains(w, c.want) || strings.Contains(w, "NaN") {
			t.Errorf("weights %v: %+v, warnings %s", c.weight, r.Fit, w)
		}
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
