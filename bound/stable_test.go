package bound

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"sobolev/seminorm"
)

// tightness remembers the largest measured/right side of every form.
type tightness map[string]float64

// check holds the design's contract, measured ≤ sharp ≤ printed, and every form.
func (r tightness) check(t *testing.T, b Bound) {
	t.Helper()
	if (b.Status != Applies && b.Status != IfAssumed) || len(b.Warnings) != 0 {
		t.Fatalf("%+v", b)
	}
	if !(b.Sharp <= b.Printed && b.Printed <= math.MaxFloat64) || !(b.Measured >= 0) {
		t.Fatalf("%+v", b)
	}
	for _, f := range b.Forms {
		if !(b.Measured <= f.Value*(1+1e-9)) {
			t.Fatalf("%s, k=%d: measured %v exceeds %v, the form %q\n%+v", b.Statement, b.K, b.Measured, f.Value, f.Name, b)
		}
		if name := fmt.Sprintf("%s k=%d %s", b.Statement, b.K, f.Name); b.Measured > 0 {
			r[name] = max(r[name], b.Measured/f.Value)
		}
	}
}

// Proposition 2 and Corollary 4 hold for every dense network, and Theorem 2, its
// consequences and Theorem 3 wherever enumeration of the batches finds stability,
// at the very edge of it.
func TestStableSolutionsObeyTheTheorems(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	reached := tightness{}
	const networks = 600
	for trial := range networks {
		activation := []string{"relu", "tanh", "linear"}[trial%3]
		bias := trial/3%2 == 0
		c := 1 + random.IntN(2)
		f := randomNetwork(random, activation, bias, 1+random.IntN(4), 1+random.IntN(5), c)
		n := 1 + random.IntN(4)
		if c == 2 {
			n = 1 + random.IntN(2)
		}
		var xs [][]float64
		for range n {
			xs = append(xs, normals(random, f.d))
		}
		m := f.measure(xs, 3)
		for k := 1; k <= 3; k++ {
			reached.check(t, Corollary4(k, m.layer[k-1], m.gradients[k-1]))
			reached.check(t, Proposition2(k, m.layer[k-1], m.gradients[k-1]))
		}
		if _, rank := m.span(); rank == 0 {
			continue
		}
		batch := 1 + random.IntN(n)
		replacement := random.IntN(2) == 0
		for _, k := range []int{1, 2} {
			checkStable(t, reached, f, m, k, batch, replacement)
		}
	}
	for name, low := range map[string]float64{
		"proposition 2 k=1 delta": 0.999, "proposition 2 k=2 delta": 0.999, "proposition 2 k=3 delta": 0.999, "proposition 2 k=1 printed": 0.9,
		"corollary 4 k=1 delta": 0.999, "corollary 4 k=2 delta": 0.999, "corollary 4 k=1 own norms": 0.9,
		"theorem 2 k=1 printed": 0.99, "theorem 2 k=2 printed": 0.9, "theorem 2 k=2 coordinate": 0.9,
		"equation 34 k=1 trace": 0.95, "equation 34 k=1 samples": 0.95, "equation 34 k=2 samples": 0.5,
		"corollary 3 k=1 trace": 0.95, "theorem 3 k=1 trace": 0.8, "theorem 3 k=1 first-layer weights": 0.5, "theorem 3 k=2 bias": 0.3,
		"theorem 3 k=1 printed": 0.3, "theorem 3 k=2 samples": 0.5, "theorem 3 k=2 largest gradient": 0.5, "theorem 3 k=1 bias, samples": 0.3,
	} {
		if !(reached[name] >= low) {
			t.Errorf("%s: measured reaches %.3f of the bound, not %.3f: a form is too weak", name, reached[name], low)
		}
	}
}

func checkStable(t *testing.T, reached tightness, f *network, m measured, k, batch int, replacement bool) {
	t.Helper()
	_, rank := m.span()
	s := Solution{
		Samples: len(m.xs), Parameters: len(m.jacobians[0]), Outputs: f.c, Rank: rank, Batch: batch, WithReplacement: replacement,
		Interpolates: holds("targets are outputs"),
		LearningRate: m.stableLearningRate(f.c, k, batch, replacement),
		Orders:       []Stability{{k, holds("by enumeration")}},
	}
	largest, sum, mean := m.coordinates(f.c, k)
	reached.check(t, Theorem2(k, s, largest))
	reached.check(t, Equation34(k, s, sum))
	reached.check(t, Corollary3(k, s, mean))
	joint := seminorm.AtPoints(m.gradients[k-1].Input, f.c, k).Joint
	reached.check(t, Theorem3(k, s, m.layer[k-1], joint))
	for i := range m.xs {
		// ‖J_i‖₂ is at least the largest row, and equals it for one output.
		for _, row := range m.jacobians[i*f.c : (i+1)*f.c] {
			if limit := math.Exp(2 * s.logFreeGradient(k)); !(inner(row, row) <= limit*(1+1e-9)) {
				t.Fatalf("k=%d: ‖J‖² = %v exceeds %v; %+v", k, inner(row, row), limit, s)
			}
		}
	}
	if k == 2 {
		// Order 2 implies order 1, and allows the trace forms.
		reached.check(t, Theorem3(1, s, m.layer[0], seminorm.AtPoints(m.gradients[0].Input, f.c, 1).Joint))
		_, trace, root := m.coordinates(f.c, 1)
		reached.check(t, Equation34(1, s, trace))
		reached.check(t, Corollary3(1, s, root))
	}
}

// The enumeration is right: order 1 is 2/λ_max(H) for any batch, and one sample
// of size h is stable to order 2 up to 2/h.
func TestStableLearningRate(t *testing.T) {
	m := measured{xs: make([][]float64, 2), jacobians: [][]float64{{3, 0}, {0, 1}}}
	// H = diag(9, 1)/2.
	for _, batch := range []int{1, 2} {
		if got := m.stableLearningRate(1, 1, batch, false); !near(got, 2/4.5, 2e-3) {
			t.Errorf("order 1, B=%d: η = %v, want %v", batch, got, 2/4.5)
		}
	}
	// E(1 − ηs)² ≤ 1 with s ∈ {9, 0}: η ≤ 2/9; with batches of both, 2/4.5.
	if got := m.stableLearningRate(1, 2, 1, false); !near(got, 2.0/9, 2e-3) {
		t.Errorf("order 2, B=1: η = %v, want %v", got, 2.0/9)
	}
	if got := m.stableLearningRate(1, 2, 2, false); !near(got, 2/4.5, 2e-3) {
		t.Errorf("order 2, B=2: η = %v, want %v", got, 2/4.5)
	}
}
