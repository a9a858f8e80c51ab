package bound

import (
	"math"
	"slices"
	"testing"

	"sobolev/seminorm"
)

// The forms that no fixture has, against their formulas in plain arithmetic.

func TestCoordinateForm(t *testing.T) {
	for _, c := range []struct {
		n, batch    int
		replacement bool
		want        float64 // times η²
	}{
		{10, 1, false, 4}, // p = 1
		{10, 1, true, 4},
		{2, 2, true, 4},                 // p = 1/2
		{11, 4, true, 16.0 / 3},         // p = 1/4: 1/(p(1−p))
		{11, 5, false, 1 / (.12 * .88)}, // p = 6/50
		{2, 2, false, 8},                // p = 0: 4n
		{3, 100, true, 12},              // 4n < 1/(p(1−p))
	} {
		s, _, _ := example(2)
		s.Samples, s.Batch, s.WithReplacement, s.LearningRate = c.n, c.batch, c.replacement, 0.5
		if got := valueOf(Theorem2(2, s, 0), "coordinate"); !near(got, 4*c.want, 1e-12) {
			t.Errorf("n=%d B=%d replacement %v: %v, want %v", c.n, c.batch, c.replacement, got, 4*c.want)
		}
	}
}

// p and q are what they are called, by enumeration of the batches.
func TestSamplingConstants(t *testing.T) {
	values := []float64{3, -1, 4, 1.5}
	for _, replacement := range []bool{false, true} {
		for batch := 1; batch <= 4; batch++ {
			s := Solution{Samples: 4, Batch: batch, WithReplacement: replacement}
			all := batches(4, batch, replacement)
			var mean, square, first float64
			for _, b := range all {
				sum := 0.0
				for _, i := range b {
					sum += values[i] / float64(batch)
				}
				mean += sum / float64(len(all))
				square += sum * sum / float64(len(all))
				if slices.Contains(b, 0) {
					first += 1 / float64(len(all))
				}
			}
			variance := 0.0
			for _, v := range values {
				variance += (v - mean) * (v - mean) / 4
			}
			if got := s.variance(); !(math.Abs(got-(square-mean*mean)/variance) <= 1e-12) {
				t.Errorf("B=%d, replacement %v: p = %v, want %v", batch, replacement, got, (square-mean*mean)/variance)
			}
			if got := s.inclusion(); !near(got, first, 1e-12) {
				t.Errorf("B=%d, replacement %v: q = %v, want %v", batch, replacement, got, first)
			}
		}
	}
	one := Solution{Samples: 1, Batch: 1}
	if one.variance() != 0 || one.inclusion() != 1 {
		t.Errorf("one sample: p = %v, q = %v", one.variance(), one.inclusion())
	}
	one.WithReplacement = true
	if one.inclusion() != 1 {
		t.Errorf("one sample, replaced: q = %v", one.inclusion())
	}
}

func TestTheorem3Forms(t *testing.T) {
	for k := 1; k <= 3; k++ {
		s, l, _ := example(k)
		s.Orders = append(s.Orders, Stability{2, holds("")})
		p := float64(2 * k)
		b := Theorem3(k, s, l, math.NaN())
		// n = 10, B = 2, c = 2, η = 0.1, r = 12, N = 2, min = 0.9, q = 1/5.
		c := 5.0
		if k%2 == 1 {
			c = 9
		}
		free := math.Pow(2, 1/p) * math.Sqrt(20*(1+math.Pow(c, 1/float64(k))))
		counted := func(count float64) float64 { return math.Pow(count/2, 1/p) * math.Sqrt(40) }
		want := map[string]float64{
			"printed": 2 / 0.9 * counted(100), "first-layer weights": 2 / 0.9 * counted(30), "samples": 2 / 0.9 * counted(20),
			"largest gradient": 2 / 0.9 * free, "bias": 2 * counted(6), "bias, samples": 2 * counted(20), "bias, largest gradient": 2 * free,
		}
		if k == 1 {
			variance := 8.0 / 18
			want["trace"] = 2 / 0.9 * math.Sqrt(20/(variance/2+(1-variance)/12))
		}
		for name, value := range want {
			if got := valueOf(b, name); !near(got, value, 1e-12) {
				t.Errorf("k=%d: %s %v, want %v", k, name, got, value)
			}
		}
		if len(b.Forms) != len(want) {
			t.Errorf("k=%d: %d forms, want %d", k, len(b.Forms), len(want))
		}
	}
}

// The trace forms rest on order 2, not on the order that they are for.
func TestTraceNeedsOrderTwo(t *testing.T) {
	s, l, _ := example(1)
	for holds, want := range map[Verdict]bool{Yes: true, No: false, Unknown: false} {
		s.Orders = []Stability{{1, Condition{Yes, ""}}, {2, Condition{holds, ""}}}
		for _, b := range []Bound{Equation34(1, s, 0), Corollary3(1, s, 0), Theorem3(1, s, l, 0)} {
			if got := finite(valueOf(b, "trace")); got != want || b.Status != Applies {
				t.Errorf("order 2 %s: %+v", holds, b)
			}
		}
	}
}

// Orthogonal outputs f_c = 10 εx_c: g_x reaches √2 times what the largest gradient
// of one output allows; the factor c^{1/2k} is needed, and enough.
func TestLargestGradientOfSeveralOutputs(t *testing.T) {
	const tiny = 1e-6
	f := &network{d: 2, m: 2, c: 2, w1: []float64{tiny, 0, 0, tiny}, b1: make([]float64, 2), a: []float64{10, 0, 0, 10}, b2: make([]float64, 2), activation: "linear"}
	m := f.measure([][]float64{{1, 0}}, 1)
	s := Solution{
		Samples: 1, Parameters: 8, Outputs: 2, Rank: 2, Batch: 1, Interpolates: holds(""), Orders: []Stability{{1, holds("")}},
		LearningRate: m.stableLearningRate(2, 1, 1, false),
	}
	measured := seminorm.AtPoints(m.gradients[0].Input, 2, 1).Joint
	if got := measured / valueOf(Theorem3(1, s, m.layer[0], measured), "largest gradient"); !(got <= 1 && got >= 0.999) {
		t.Errorf("measured/bound = %v, want 1", got)
	}
}

func TestProposition2TakesTheTightestSample(t *testing.T) {
	l := FirstLayer{Inputs: 2, Width: 2, OperatorNorm: 3}
	g := Gradients{
		Outputs: 2, Input: []float64{1, 2, 3, 0}, Delta: []float64{1, 1, 2, 0}, Weights: []float64{7, 8, 9, 0}, InputNorms: []float64{0.5, 0.1},
	}
	b := Proposition2(1, l, g)
	if b.Measured != 2 || !near(b.Sharp, 3, 1e-14) || !near(b.Printed, 48, 1e-14) {
		t.Errorf("%+v", b)
	}
	// Printed ≥ own norms ≥ delta; the least norm is sample 1's.
	c := Corollary4(1, l, g)
	if want := 3 * math.Sqrt((7*7+8*8+9*9)/2.0) / 0.1; !near(c.Printed, want, 1e-14) {
		t.Errorf("corollary 4 printed %v, want %v", c.Printed, want)
	}
	if want := 3 * math.Sqrt(((7*7+8*8)/0.25+9*9/0.01)/2); !near(valueOf(c, "own norms"), want, 1e-14) {
		t.Errorf("corollary 4 own norms %v, want %v", valueOf(c, "own norms"), want)
	}
}

func TestCorollary5Forms(t *testing.T) {
	for k := 1; k <= 3; k++ {
		for l := 1; l <= 3; l++ {
			in := exampleInputs(k)
			b := Corollary5(k, l, 1000, in.layer, in.ball)
			// C = 1.8 and 1.5, N = 2, ‖x‖ = 0.9, gradients 3 and 2; w = 1000, first layer 6·(5+1).
			outside := func(count float64) float64 { return math.Pow(count, max(0, 1/float64(2*k)-1/float64(2*l))) }
			inside := func(count float64) float64 { return math.Pow(count, max(0, 1/float64(2*l)-1/float64(2*k))) }
			biased := math.Pow(math.Pow(0.9, float64(2*k))+1, 1/float64(2*k))
			want := map[string]float64{
				"printed":       math.Sqrt(1000) * 1.8 * 2 / 0.9 * 4,
				"exponent":      1.8 * 2 / 0.9 * outside(1000) * (3*inside(1000) + 1),
				"with the bias": 1.8 * 2 / biased * outside(1000) * (3*inside(1000) + 1),
				"first layer":   1.5 * 2 / biased * outside(36) * (2*inside(36) + 1),
				"delta":         2,
			}
			for name, value := range want {
				if got := valueOf(b, name); !near(got, value, 1e-12) {
					t.Errorf("k=%d, l=%d: %s %v, want %v", k, l, name, got, value)
				}
			}
			if len(b.Forms) != len(want) || b.Free != 2 {
				t.Errorf("%+v", b)
			}
		}
	}
}

func TestMeasuredGradientsForm(t *testing.T) {
	in := exampleInputs(2)
	for _, excess := range [][]float64{{1, 2, 3}, {3, 2, 1}} {
		in.x.Excess = excess
		if got := valueOf(Theorem5(2, in.s, in.layer, in.x, 0), "measured gradients"); !near(got, 1.8*2*3, 1e-14) {
			t.Errorf("%v: %v, want %v", excess, got, 1.8*2*3)
		}
	}
	// A gradient that is not a number is not forgotten, and stability is not needed.
	in.s.Orders[0].Condition = Condition{No, "unstable"}
	if b := Theorem5(2, in.s, in.layer, in.x, 0); !finite(valueOf(b, "measured gradients")) || b.Status != DoesNotApply {
		t.Errorf("%+v", b)
	}
	in.x.Excess = []float64{math.NaN(), 1}
	if b := Theorem5(2, in.s, in.layer, in.x, 0); !math.IsNaN(valueOf(b, "measured gradients")) {
		t.Errorf("%+v", b)
	}
}
