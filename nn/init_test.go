package nn

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The mean, the variance and the fourth moment over the square of the variance
// (3 for a normal, 9/5 for a uniform law) of the numbers that each rule draws.
func TestInitialiseDrawsTheStatedLaws(t *testing.T) {
	arch := Architecture{Input: []int{16, 8, 8}, Layers: []Layer{
		Conv(32, 3, 1, 1), Activate(ReLU), MaxPool(2), Conv(48, 5, 1, 2), Flatten(), Linear(60), Activate(ReLU), Linear(2),
	}}
	net, err := New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	const normal, uniform = 3.0, 1.8
	type law struct{ variance, bias, kurtosis float64 }
	for rule, laws := range map[Init][3]law{ // of the two convolutions and the first linear layer
		PyTorchInit:       {{1.0 / (3 * 144), 1.0 / (3 * 144), uniform}, {1.0 / (3 * 800), 1.0 / (3 * 800), uniform}, {1.0 / (3 * 768), 1.0 / (3 * 768), uniform}},
		HeInit:            {{2.0 / 144, 0, normal}, {2.0 / 800, 0, normal}, {2.0 / 768, 0, normal}},
		XavierInit:        {{2.0 / (144 + 288), 0, uniform}, {2.0 / (800 + 1200), 0, uniform}, {2.0 / (768 + 60), 0, uniform}},
		KaimingFanOutInit: {{2.0 / (9 * 32), 0, normal}, {2.0 / (25 * 48), 0, normal}, {1.0 / (3 * 768), 1.0 / (3 * 768), uniform}},
	} {
		net.Initialise(rule, rand.New(rand.NewPCG(uint64(rule), 7)))
		flat := make([]float64, net.ParameterCount())
		net.CopyParameters(flat)
		for i, p := range net.Parameters()[:6] {
			v, want := flat[p.Offset:p.Offset+p.Size()], laws[i/2]
			var m1, m2, m4 float64
			for _, x := range v {
				m1, m2, m4 = m1+x, m2+x*x, m4+x*x*x*x
			}
			n := float64(len(v))
			m1, m2, m4 = m1/n, m2/n, m4/n
			if i%2 == 1 {
				if want.bias == 0 && m2 != 0 || !(math.Abs(m2-want.bias) <= 0.6*want.bias) {
					t.Errorf("%v: %s has the variance %v, want %v", rule, p.Name, m2, want.bias)
				}
				continue
			}
			// Five standard errors: Var x² is 2σ⁴ for a normal law.
			if !(math.Abs(m1) <= 5*math.Sqrt(want.variance/n)) {
				t.Errorf("%v: %s has the mean %v", rule, p.Name, m1)
			}
			if !(math.Abs(m2/want.variance-1) <= 5*math.Sqrt(2/n)) {
				t.Errorf("%v: %s has the variance %v, want %v", rule, p.Name, m2, want.variance)
			}
			// Var x⁴ is 96σ⁸ for a normal law.
			if !(math.Abs(m4/(m2*m2)-want.kurtosis) <= 5*math.Sqrt(96/n)) {
				t.Errorf("%v: %s has the kurtosis %v, want %v", rule, p.Name, m4/(m2*m2), want.kurtosis)
			}
		}
		if got, err := ParseInit(rule.String()); err != nil || got != rule {
			t.Errorf("ParseInit(%q) = %v, %v", rule, got, err)
		}
	}
	if _, err := ParseInit("kaiming"); err == nil {
		t.Error("ParseInit of an unknown name: no error")
	}
}
