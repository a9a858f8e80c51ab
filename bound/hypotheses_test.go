package bound

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// inputs of every statement for one order.
type inputs struct {
	k, l      int
	s         Solution
	layer     FirstLayer
	x         Neighbourhood
	ball      Ball
	cover     Cover
	target    Target
	gradients Gradients
	measured  float64
}

// all evaluates every statement.
func (in *inputs) all() map[string]Bound {
	list := []Bound{
		Theorem2(in.k, in.s, in.measured), Equation34(in.k, in.s, in.measured), Corollary3(in.k, in.s, in.measured),
		Proposition2(in.k, in.layer, in.gradients), Corollary4(in.k, in.layer, in.gradients),
		Proposition2Unshared(in.k, in.layer, in.gradients), Corollary4Unshared(in.k, in.layer, in.gradients),
		Theorem3(in.k, in.s, in.layer, in.measured),
		Proposition3(in.k, in.layer, in.ball), Corollary5(in.k, in.l, in.s.Parameters, in.layer, in.ball),
		Theorem4(in.k, in.s, in.layer, in.x, in.cover), Theorem5(in.k, in.s, in.layer, in.x, in.measured),
		Theorem6(in.k, in.s, in.layer, in.x, in.target, in.measured), Theorem7(in.k, in.s, in.layer, in.x, in.measured),
	}
	bounds := map[string]Bound{}
	for _, b := range list {
		bounds[b.Statement] = b
	}
	return bounds
}

func exampleInputs(k int) *inputs {
	s, l, x := example(k)
	g := holds("given")
	return &inputs{
		k: k, l: 1, s: s, layer: l, x: x, measured: 1e-3,
		ball:   Ball{Radius: 0.1, Norm: 0.9, Norm2: 1, Gradient: 3, FirstGradient: 2, Smoothness: x.Smoothness, DeltaSup: x.DeltaSup, Measured: 0.1},
		cover:  Cover{LogVolume: 1, Overlap: Constant{3, g}, LogMeasured: -9},
		target: Target{Constant{1, g}, Constant{2, g}, Constant{0.1, g}},
		gradients: Gradients{
			Outputs: 2, Input: []float64{0.1, 0.2}, Delta: []float64{1, 1}, Weights: []float64{1.5, 1.5}, InputNorms: []float64{0.9},
		},
	}
}

// byNeed lists the statements that rest on something.
var (
	fromStability     = []string{"theorem 2", "equation 34", "corollary 3", "theorem 3", "theorem 4", "theorem 5", "theorem 6", "theorem 7"}
	fromDense         = []string{"proposition 2", "corollary 4", "theorem 3", "proposition 3", "corollary 5", "theorem 4", "theorem 5", "theorem 6", "theorem 7"}
	fromNorm          = append([]string{"proposition 2 (unshared)", "corollary 4 (unshared)"}, fromDense...)
	fromNeighbourhood = []string{"theorem 4", "theorem 5", "theorem 6", "theorem 7"}
	fromBall          = []string{"proposition 3", "corollary 5"}
)

// Each hypothesis that fails, is open or is assumed changes the statements that
// rest on it, and no others.
func TestHypotheses(t *testing.T) {
	nan := math.NaN()
	cases := []struct {
		name   string
		change func(in *inputs)
		status Status
		hit    []string
		says   string
	}{
		{"nothing", func(*inputs) {}, Applies, nil, ""},
		{"unstable", func(in *inputs) { in.s.Orders[0].Condition = Condition{No, "0.1 > 0.05"} }, DoesNotApply, fromStability, "stable: 0.1 > 0.05"},
		{"undecided", func(in *inputs) { in.s.Orders[0].Condition = Condition{Unknown, "0.05 < 0.1 < 0.2"} }, Undecided, fromStability, "0.05 < 0.1 < 0.2"},
		{"not examined", func(in *inputs) { in.s.Orders = nil }, Undecided, fromStability, "not examined"},
		{"no interpolation", func(in *inputs) { in.s.Interpolates = Condition{No, "0.2 > 1e-3"} }, DoesNotApply, fromStability, "interpolating solution: 0.2 > 1e-3"},
		{"interpolation not examined", func(in *inputs) { in.s.Interpolates = Condition{} }, Undecided, fromStability, "not examined"},
		{"epochs", func(in *inputs) { in.s.Epochs = true }, IfAssumed, fromStability, ""},
		{"η = 0", func(in *inputs) { in.s.LearningRate = 0 }, DoesNotApply, fromStability, "learning rate"},
		{"η = NaN", func(in *inputs) { in.s.LearningRate = nan }, DoesNotApply, fromStability, "learning rate"},
		{"η = ∞", func(in *inputs) { in.s.LearningRate = math.Inf(1) }, DoesNotApply, fromStability, "learning rate"},
		{"B > n", func(in *inputs) { in.s.Batch = 11 }, DoesNotApply, fromStability, "batch size"},
		{"B > n, replaced", func(in *inputs) { in.s.Batch, in.s.WithReplacement = 11, true }, Applies, nil, ""},
		{"shared", func(in *inputs) { in.layer.Shared = true }, DoesNotApply, fromDense, "convolution"},
		{"N = NaN", func(in *inputs) { in.layer.OperatorNorm = nan }, Undecided, fromNorm, "operator norm"},
		{"N = ∞", func(in *inputs) { in.layer.OperatorNorm = math.Inf(1) }, Undecided, fromNorm, "operator norm"},
		{"no C_s", func(in *inputs) { in.x.Smoothness.Constant = Constant{} }, Undecided, fromNeighbourhood, "no C_s"},
		{"C_s = NaN", func(in *inputs) { in.x.Smoothness.Constant.Value = nan }, Undecided, fromNeighbourhood, "no C_s"},
		{"C_s < 0", func(in *inputs) { in.x.Smoothness.Constant.Value = -1 }, DoesNotApply, fromNeighbourhood, "C_s = -1"},
		{"C_s searched", func(in *inputs) { in.x.Smoothness.Constant.Holds = Assumed }, IfAssumed, fromNeighbourhood, ""},
		{"no δ_approx", func(in *inputs) { in.x.Smoothness.Approx = nan }, Undecided, fromNeighbourhood, "δ_approx"},
		{"δ = 0", func(in *inputs) { in.x.Radius = 0 }, DoesNotApply, fromNeighbourhood, "not positive"},
		{"δ < 0", func(in *inputs) { in.x.Radius = -1 }, DoesNotApply, fromNeighbourhood, "not positive"},
		{"δ = NaN", func(in *inputs) { in.x.Radius = nan }, Undecided, fromNeighbourhood, "no radius"},
		{"δ too large", func(in *inputs) { in.x.Radius = 0.34 }, DoesNotApply, fromNeighbourhood, "0.34 > 0.333333"},
		{"δ at the limit", func(in *inputs) { in.x.Radius = 0.5 * 1 / 1.5 }, Applies, nil, ""},
		{"σ = NaN", func(in *inputs) { in.layer.Spectral = nan }, Undecided, fromNeighbourhood, "‖W₁‖₂"},
		{"x = 0", func(in *inputs) { in.layer.MinNorm, in.layer.MinNorm2 = 0, 0 }, DoesNotApply, fromNeighbourhood, "sample 4 is zero"},
		{"ball too large", func(in *inputs) { in.ball.Radius = 0.9; in.ball.DeltaSup = Constant{} }, DoesNotApply, fromBall, "> 0.333333"},
		{"ball of no radius", func(in *inputs) { in.ball.Radius = nan }, Undecided, fromBall, "no radius"},
		{"no M1", func(in *inputs) { in.target.Bound = Constant{} }, Undecided, []string{"theorem 6"}, "no M₁"},
		{"M2 < 0", func(in *inputs) { in.target.Lipschitz.Value = -2 }, DoesNotApply, []string{"theorem 6"}, "M₂ = -2"},
		{"ε₂ > 1", func(in *inputs) { in.target.Outside.Value = 1.5 }, DoesNotApply, []string{"theorem 6"}, "ε₂ = 1.5"},
		{"M2 from data", func(in *inputs) { in.target.Lipschitz.Holds = Assumed }, IfAssumed, []string{"theorem 6"}, ""},
		{"gradient NaN", func(in *inputs) { in.gradients.Delta[1] = nan }, Undecided,
			[]string{"proposition 2", "corollary 4", "proposition 2 (unshared)", "corollary 4 (unshared)"}, "sample 0, output 1"},
	}
	for _, c := range cases {
		for k := 1; k <= 3; k++ {
			in := exampleInputs(k)
			c.change(in)
			for statement, b := range in.all() {
				checkBound(t, b)
				want, says := Applies, ""
				for _, hit := range c.hit {
					if hit == statement {
						want, says = c.status, c.says
					}
				}
				if b.Status != want || !strings.Contains(b.WhyNot, says) {
					t.Errorf("%s: %s k=%d is %s (%s), want %s", c.name, statement, k, b.Status, b.WhyNot, want)
				}
			}
		}
	}
}

// checkBound holds what is true of every Bound, whatever the inputs.
func checkBound(t interface{ Errorf(string, ...any) }, b Bound) {
	good := b.Status == Applies || b.Status == IfAssumed
	switch {
	case good && (!finite(b.Sharp) || b.SharpForm == "" || b.WhyNot != ""):
		t.Errorf("applies without a number: %+v", b)
	case !good && (finite(b.Printed) || finite(b.Sharp) || finite(b.Free) || b.WhyNot == ""):
		t.Errorf("does not apply, but has a number or no reason: %+v", b)
	case !good && b.Status != DoesNotApply && b.Status != Undecided:
		t.Errorf("status of %+v", b)
	case math.IsInf(b.Measured, 0) || math.IsInf(b.Printed, 0) || math.IsInf(b.Sharp, 0) || math.IsInf(b.Free, 0) || !finite(b.LogFactor):
		t.Errorf("not finite: %+v", b)
	case good && (b.Sharp > b.Printed || b.Sharp > b.Free):
		t.Errorf("sharp is not the least: %+v", b)
	case good && math.IsNaN(b.Printed) && len(b.Warnings) == 0:
		t.Errorf("the printed form is missing without a word: %+v", b)
	}
	for _, f := range b.Forms {
		if !finite(f.Value) || f.Value < 0 || f.Holds != Yes && f.Holds != Assumed {
			t.Errorf("form %+v of %+v", f, b)
		}
	}
	for _, h := range b.Hypotheses {
		if h.Name == "" || h.Holds == "" || good && h.Holds == Unknown && !math.IsNaN(b.Printed) {
			t.Errorf("hypothesis %+v of %+v", h, b)
		}
	}
	if (b.Status == Applies || b.Status == DoesNotApply) && !math.IsNaN(b.Printed) {
		for _, h := range b.Hypotheses {
			if h.Holds != Yes {
				t.Errorf("%+v although its hypothesis %+v", b, h)
			}
		}
	}
}

// No input, however broken, makes a number that is not finite appear as one that
// applies; sharp ≤ printed and sharp ≤ free always.
func TestEveryInputIsAnsweredOrRefused(t *testing.T) {
	special := []float64{0, -1, 1, math.NaN(), math.Inf(1), math.Inf(-1), 1e-300, 1e300, 5e-324, 0.3}
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) float64 {
			if rapid.IntRange(0, 4).Draw(t, name+" special") == 0 {
				return rapid.SampledFrom(special).Draw(t, name)
			}
			return math.Exp(rapid.Float64Range(-5, 5).Draw(t, name))
		}
		condition := func(name string) Condition {
			return Condition{rapid.SampledFrom([]Verdict{Yes, Yes, Yes, Yes, Yes, Assumed, Unknown, No, ""}).Draw(t, name), ""}
		}
		constant := func(name string) Constant { return Constant{number(name), condition(name + " holds")} }
		integer := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }

		in := exampleInputs(integer("k", 1, 60))
		in.l = integer("l", 1, 60)
		in.s = Solution{
			Samples: integer("n", 1, 1000), Parameters: integer("w", 1, 1<<40), Outputs: integer("c", 1, 10), Rank: integer("r", 0, 100),
			LearningRate: number("eta"), Batch: integer("B", 1, 100), WithReplacement: rapid.Bool().Draw(t, "replacement"),
			Epochs: rapid.Bool().Draw(t, "epochs"), Interpolates: condition("interpolates"),
			Orders: []Stability{{in.k, condition("stable")}, {2, condition("stable 2")}},
		}
		in.layer = FirstLayer{
			Inputs: integer("d", 1, 1000), Width: integer("m", 1, 1000), Bias: rapid.Bool().Draw(t, "bias"), Shared: integer("shared", 0, 5) == 0,
			OperatorNorm: number("N"), Spectral: number("sigma"), MinNorm: number("x"), MinNorm2: number("x2"),
		}
		smooth := Smoothness{constant("C"), number("approx"), constant("C first"), rapid.Bool().Draw(t, "bias moves")}
		in.x = Neighbourhood{Radius: number("delta"), Smoothness: smooth, Excess: []float64{number("e0"), number("e1")}, DeltaSup: constant("sup")}
		in.ball = Ball{0, number("radius"), number("norm"), number("norm2"), number("g"), number("g1"), smooth, constant("ball sup"), number("ball measured")}
		in.cover = Cover{number("log volume"), constant("K"), number("log measured")}
		in.target = Target{constant("M1"), constant("M2"), constant("eps2")}
		for i := range in.gradients.Input {
			in.gradients.Input[i], in.gradients.Delta[i], in.gradients.Weights[i] = number("gx"), number("gdelta"), number("gw")
		}
		in.gradients.InputNorms[0] = number("x norm")
		in.measured = number("measured")
		for _, b := range in.all() {
			// The bounds themselves, not luck with the numbers: printed above the sharp
			// form is a theorem only for gradients that belong together.
			checkBound(t, b)
		}
	})
}

func TestEvenOrdersImplyLowerOnes(t *testing.T) {
	s, _, _ := example(3)
	s.Orders = []Stability{{4, holds("0.1 <= 0.2")}, {3, Condition{Unknown, ""}}, {1, Condition{No, "0.1 > 0.05"}}}
	for k, want := range []Verdict{1: No, 2: Yes, 3: Yes, 4: Yes, 5: Unknown} {
		if k > 0 && s.stable(k).Holds != want {
			t.Errorf("order %d: %+v, want %s", k, s.stable(k), want)
		}
	}
	s.Orders = []Stability{{3, holds("")}}
	if got := s.stable(2).Holds; got != Unknown {
		t.Errorf("order 3 implies order 2: %s", got)
	}
}

// A zero input makes the printed form infinite, and names the sample; with a bias
// the sharper form stays.
func TestZeroInput(t *testing.T) {
	for _, bias := range []bool{true, false} {
		in := exampleInputs(2)
		in.layer.Bias, in.layer.MinNorm, in.layer.MinSample = bias, 0, 17
		b := Theorem3(2, in.s, in.layer, in.measured)
		checkBound(t, b)
		want, text := DoesNotApply, b.WhyNot
		if bias {
			want, text = Applies, strings.Join(b.Warnings, "")
		}
		if b.Status != want || !math.IsNaN(b.Printed) || !strings.Contains(text, "sample 17 is zero") {
			t.Errorf("bias %v: %+v", bias, b)
		}
		in.gradients.InputNorms[0] = 0
		for _, b := range []Bound{Proposition2(2, in.layer, in.gradients), Corollary4(2, in.layer, in.gradients)} {
			if b.Status != Applies || !math.IsNaN(b.Printed) || b.SharpForm != "delta" || !strings.Contains(strings.Join(b.Warnings, ""), "sample 0 is zero") {
				t.Errorf("%+v", b)
			}
		}
	}
}

// A right side beyond float64 is no number.
func TestOverflowIsRefused(t *testing.T) {
	s, _, _ := example(300)
	if b := Theorem2(300, s, 1); b.Status != DoesNotApply || !math.IsNaN(b.Printed) || !strings.Contains(b.WhyNot, "beyond float64") {
		t.Errorf("%+v", b)
	}
	s.LearningRate = 1e6
	if b := Theorem2(300, s, 1e-100); b.Status != DoesNotApply || !math.IsNaN(b.Sharp) {
		t.Errorf("underflow: %+v", b)
	}
}

// A bound that is exceeded rests on something false: it is no number. What is exceeded
// only under an assumption leaves the forms without one.
func TestViolationIsRefused(t *testing.T) {
	s, l, _ := example(1)
	b := Theorem2(1, s, 1e9)
	if b.Status != DoesNotApply || !math.IsNaN(b.Printed) || !math.IsNaN(b.Sharp) || !strings.Contains(b.WhyNot, "exceeds") || len(b.Warnings) != 1 {
		t.Errorf("%+v", b)
	}
	yes, assumed := Condition{Holds: Yes}, Condition{Holds: Assumed, Evidence: "found by search"}
	ball := Ball{Radius: 0.1, Norm: 2, Norm2: 2, Gradient: 3, FirstGradient: 1, DeltaSup: Constant{5, yes},
		Smoothness: Smoothness{Constant: Constant{1, assumed}, FirstLayer: Constant{1, assumed}, Approx: 1e6}}
	least := l.OperatorNorm * (1 + 1) / math.Sqrt(2*2+1) // with the bias
	ball.Measured = 0.9 * least
	if b := Proposition3(1, l, ball); b.Status != IfAssumed || b.SharpForm != "first layer" || math.Abs(b.Sharp/least-1) > 1e-12 {
		t.Errorf("%+v", b)
	}
	ball.Measured = 1.1 * least
	if b := Proposition3(1, l, ball); b.Status != Applies || b.SharpForm != "delta" || !math.IsNaN(b.Printed) || math.Abs(b.Sharp/l.OperatorNorm-5) > 1e-12 || len(b.Warnings) != 2 {
		t.Errorf("%+v", b)
	}
	ball.Measured = 5.1 * l.OperatorNorm
	if b := Proposition3(1, l, ball); b.Status != DoesNotApply || !math.IsNaN(b.Sharp) {
		t.Errorf("%+v", b)
	}
}
