package bound

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// golden is what this package computes of a golden.json, made by an independent
// implementation.
type golden struct {
	RHS       []map[string]json.RawMessage `json:"theorem_rhs"`
	Gradients map[string]struct {
		Parameters [][]float64 `json:"param_grad_power_sums"`
		Input      [][]float64 `json:"input_grad_power_sums"`
		Delta      [][]float64 `json:"first_layer_bias_grad_power_sums(delta)"`
		ConvDelta  [][]float64 `json:"conv1_preactivation_grad_power_sums(delta)"`
		Unshared   [][]float64 `json:"conv1_unshared_weight_grad_power_sums"`
		MinPatch   []float64   `json:"min_patch_norm_2k_per_sample"`
		InputNorms []float64   `json:"x_norms_2k"`
		GX         float64     `json:"g_x"`
		Printed    float64     `json:"cor4_rhs_without_opnorm"`
		Tight      float64     `json:"cor4_tight_rhs_without_opnorm"`
	} `json:"gradients"`
	FirstLayer map[string]struct {
		Exact float64            `json:"exact"`
		Upper map[string]float64 `json:"upper"`
	} `json:"first_layer_opnorm"`
	Convolution struct {
		SigmaMax float64 `json:"sigma_max"`
		P4       struct {
			Upper map[string]float64 `json:"upper"`
		} `json:"p4"`
		P6 struct {
			Upper map[string]float64 `json:"upper"`
		} `json:"p6"`
	} `json:"conv1_operator"`
	Sides []struct {
		K           int     `json:"k"`
		B           int     `json:"B"`
		Eta         float64 `json:"eta"`
		Coordinate  float64 `json:"lhs30_max_j (sum_c J^2)^k"`
		Sum         float64 `json:"lhs34_authors"`
		Mean        float64 `json:"lhs35_mean_i (sum_cj J^2k)^(1/2k)"`
		RHS30       float64 `json:"rhs30"`
		RHS34       float64 `json:"rhs34"`
		RHS35       float64 `json:"rhs35"`
		LargestSide float64 `json:"max_i_opnorm_Ji_sq"`
		LargestRHS  float64 `json:"rhs_max_sharp"`
	} `json:"theorem2_sides"`
	Meta struct {
		N    int `json:"n"`
		W    int `json:"w"`
		C    int `json:"C"`
		Rank int `json:"span_rank_r"`
	} `json:"meta"`
}

func loadGolden(t *testing.T, fixture string) golden {
	t.Helper()
	js, err := os.ReadFile(filepath.Join("testdata", fixture, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(js, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Abs(want)
}

// valueOf returns a form's value, NaN if it does not apply.
func valueOf(b Bound, name string) float64 {
	for _, f := range b.Forms {
		if f.Name == name {
			return f.Value
		}
	}
	return math.NaN()
}

func holds(evidence string) Condition { return Condition{Yes, evidence} }

// rhsInputs are the inputs of one row of theorem_rhs.
type rhsInputs struct {
	K         int
	Eta       float64
	B, N, W   int
	W1, M, D  int
	OpNorm    float64 `json:"op_norm"`
	MinNorm   float64 `json:"min_x_norm_2k"`
	Smooth    float64 `json:"C"`
	Overlap   float64 `json:"-"`
	Volume    float64 `json:"V_X"`
	Delta     float64
	M1, M2    float64
	Eps2      float64
	VolumeOne float64 `json:"V_ball"`
}

func TestGoldenRightHandSides(t *testing.T) {
	rows := 0
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar"} {
		for _, row := range loadGolden(t, fixture).RHS {
			rows++
			checkGoldenRow(t, fixture, row)
		}
	}
	if rows != 12 {
		t.Errorf("%d rows, want 12", rows)
	}
}

func checkGoldenRow(t *testing.T, fixture string, row map[string]json.RawMessage) {
	t.Helper()
	// K (overlap) and k (order) differ by case alone, which encoding/json ignores.
	var in rhsInputs
	var raw map[string]json.RawMessage
	unmarshal(t, row["inputs"], &raw)
	unmarshal(t, raw["K"], &in.Overlap)
	delete(raw, "K")
	lower, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	unmarshal(t, lower, &in)

	k := in.K
	s := Solution{
		Samples: in.N, Parameters: in.W, Outputs: 1, Rank: in.N, LearningRate: in.Eta, Batch: in.B, Interpolates: holds("by construction"),
		Orders: []Stability{{k, holds("given")}},
	}
	l := FirstLayer{
		Inputs: in.D, Width: in.M, Bias: true, OperatorNorm: in.OpNorm, Spectral: 1, MinNorm: in.MinNorm, MinNorm2: in.MinNorm,
	}
	x := Neighbourhood{Radius: in.Delta, Smoothness: Smoothness{Constant: Constant{in.Smooth, holds("given")}, Approx: 100}}
	target := Target{Constant{in.M1, holds("given")}, Constant{in.M2, holds("given")}, Constant{in.Eps2, holds("given")}}
	cover := Cover{LogVolume: math.Log(in.Volume), Overlap: Constant{in.Overlap, holds("given")}, LogMeasured: math.NaN()}
	nan := math.NaN()
	two, sum, three := Theorem2(k, s, nan), Equation34(k, s, nan), Theorem3(k, s, l, nan)
	four, five := Theorem4(k, s, l, x, cover), Theorem5(k, s, l, x, nan)
	six, seven := Theorem6(k, s, l, x, target, nan), Theorem7(k, s, l, x, nan)
	want := map[string]float64{
		"thm2_30": two.Printed, "thm2_34": sum.Printed, "thm2_34_min_w_n": valueOf(sum, "samples"),
		"cor3_35":                                Corollary3(k, s, nan).Printed,
		"max_grad_sq_sharp(without replacement)": math.Exp(2 * s.logFreeGradient(k)),
		"thm3_paper_40":                          three.Printed,
		"thm3_first_layer_only(w1)":              valueOf(three, "first-layer weights"),
		"thm3_first_layer_bias(m)":               valueOf(three, "bias"),
		"thm4_paper_44":                          four.Printed,
		"thm4_tight(nVball,Minkowski)":           valueOf(four, "tight"),
		"thm5_paper_48":                          five.Printed,
		"thm5_tight":                             valueOf(five, "tight"),
		"thm5_w_free":                            valueOf(five, "largest gradient"),
		"thm6_paper_49":                          six.Printed,
		"thm6_tight":                             valueOf(six, "tight"),
		"thm6_w_free":                            valueOf(six, "largest gradient"),
		"thm7_paper_54":                          seven.Printed,
		"thm7_tight":                             valueOf(seven, "tight"),
		"thm7_w_free":                            valueOf(seven, "largest gradient"),
	}
	if k == 2 {
		want["k2_sharp_coordinate_m4_bound_without"] = valueOf(two, "coordinate")
		with := s
		with.WithReplacement = true
		want["k2_sharp_coordinate_m4_bound_with"] = valueOf(Theorem2(k, with, nan), "coordinate")
	}
	for name, got := range want {
		var value float64
		if row[name] == nil {
			t.Fatalf("%s has no %s", fixture, name)
		}
		unmarshal(t, row[name], &value)
		if !near(got, value, 1e-12) {
			t.Errorf("%s k=%d B=%d: %s %.15g, want %.15g", fixture, k, in.B, name, got, value)
		}
	}
}

func unmarshal(t *testing.T, js []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(js, v); err != nil {
		t.Fatal(err)
	}
}

// At their exact thresholds the fixtures satisfy Theorem 2 and its consequences.
func TestGoldenSides(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar"} {
		g := loadGolden(t, fixture)
		for _, side := range g.Sides {
			s := Solution{
				Samples: g.Meta.N, Parameters: g.Meta.W, Outputs: g.Meta.C, Rank: g.Meta.Rank, LearningRate: side.Eta, Batch: side.B,
				Interpolates: holds("by construction"), Orders: []Stability{{side.K, holds("half the threshold")}},
			}
			for _, c := range []struct {
				bound   Bound
				printed float64
			}{
				{Theorem2(side.K, s, side.Coordinate), side.RHS30},
				{Equation34(side.K, s, side.Sum), side.RHS34},
				{Corollary3(side.K, s, side.Mean), side.RHS35},
			} {
				if b := c.bound; !near(b.Printed, c.printed, 1e-12) || !(b.Measured <= b.Sharp && b.Sharp <= b.Printed) || b.Status != Applies {
					t.Errorf("%s: %+v, want %v", fixture, b, c.printed)
				}
			}
			if got := math.Exp(2 * s.logFreeGradient(side.K)); !near(got, side.LargestRHS, 1e-12) || !(side.LargestSide <= got) {
				t.Errorf("%s k=%d B=%d: max ‖J‖² = %v <= %v, want %v", fixture, side.K, side.B, side.LargestSide, got, side.LargestRHS)
			}
		}
	}
}

// flatten takes power sums to norms.
func flatten(sums [][]float64, k int) (norms []float64) {
	for _, row := range sums {
		for _, v := range row {
			norms = append(norms, math.Pow(v, 1/float64(2*k)))
		}
	}
	return norms
}

func TestGoldenCorollary4(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar"} {
		g := loadGolden(t, fixture)
		for k, name := range []string{1: "k1", 2: "k2", 3: "k3"} {
			if k == 0 {
				continue
			}
			v := g.Gradients[name]
			l := FirstLayer{Inputs: 6, Width: 8, OperatorNorm: max(g.FirstLayer[name].Exact, g.FirstLayer[name].Upper["min"])}
			gradients := Gradients{
				Outputs: g.Meta.C, Input: flatten(v.Input, k), Weights: flatten(v.Parameters, k), Delta: flatten(v.Delta, k), InputNorms: v.InputNorms,
			}
			b := Corollary4(k, l, gradients)
			if !near(b.Measured, v.GX, 1e-12) || !near(b.Printed, l.OperatorNorm*v.Printed, 1e-12) || !near(b.Sharp, l.OperatorNorm*v.Tight, 1e-12) {
				t.Errorf("%s k=%d: %+v", fixture, k, b)
			}
			for _, b := range []Bound{b, Proposition2(k, l, gradients)} {
				if !(b.Measured <= b.Sharp && b.Sharp <= b.Printed) || b.SharpForm != "delta" || b.Status != Applies {
					t.Errorf("%s: %+v", fixture, b)
				}
			}
		}
	}
}

func TestGoldenConvolution(t *testing.T) {
	g := loadGolden(t, "cnn-tiny")
	norms := []float64{1: g.Convolution.SigmaMax, 2: g.Convolution.P4.Upper["min"], 3: g.Convolution.P6.Upper["min"]}
	for k, name := range []string{1: "k1", 2: "k2", 3: "k3"} {
		if k == 0 {
			continue
		}
		v := g.Gradients[name]
		l := FirstLayer{Inputs: 128, Width: 192, Shared: true, OperatorNorm: norms[k]}
		gradients := Gradients{
			Outputs: len(v.Input[0]), Input: flatten(v.Input, k), Weights: flatten(v.Unshared, k), Delta: flatten(v.ConvDelta, k), InputNorms: v.MinPatch,
		}
		for _, b := range []Bound{Proposition2Unshared(k, l, gradients), Corollary4Unshared(k, l, gradients)} {
			if !(b.Measured > 0 && b.Measured <= b.Sharp && b.Sharp <= b.Printed) || b.Status != Applies {
				t.Errorf("%+v", b)
			}
		}
		for _, b := range []Bound{Proposition2(k, l, gradients), Corollary4(k, l, gradients)} {
			if b.Status != DoesNotApply || !math.IsNaN(b.Printed) || !math.IsNaN(b.Sharp) || !math.IsNaN(b.Free) {
				t.Errorf("shared weights: %+v", b)
			}
		}
	}
}
