package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sobolev/rundir"
)

func TestEveryPointIsAccountedFor(t *testing.T) {
	cfg := gridConfig([]float64{0.05, 0.1, 0.2, 0.4}, []int{20}, 3)
	rs := records(cfg)
	diverge(&rs[0])
	noInterpolation(&rs[1])
	noInterpolation(&rs[2])
	rs[3].Result, rs[3].Status.State = nil, rundir.Running
	rs[4].Result.Moments = nil
	rs[5].Result.Training.Status = "stopped"
	r := fromRecords(cfg, rs[:11], true, fewDraws) // the last has no folder yet
	if r.Total != 12 || r.Counted != 5 {
		t.Errorf("%d of %d points count, want 5 of 12", r.Counted, r.Total)
	}
	got := map[string]int{}
	for _, l := range r.LeftOut {
		got[l.Text] = len(l.Points)
	}
	for text, n := range map[string]int{diverged: 1, noFit: 2, inTraining: 1, noMoments: 1, `training is "stopped"`: 1, notTrained: 1} {
		if got[text] != n {
			t.Errorf("%d points for %q, want %d; all: %v", got[text], text, n, got)
		}
	}
	if r.LeftOut[0].Text != noFit {
		t.Errorf("first reason %q, want the most frequent", r.LeftOut[0].Text)
	}
	later := fromRecords(cfg, rs[:11], false, fewDraws)
	if !slices.ContainsFunc(later.LeftOut, func(l Reason) bool { return l.Text == interrupted }) {
		t.Errorf("nobody works on the run, left out: %+v", later.LeftOut)
	}
	for _, c := range r.Correlations {
		if c.N != 5 {
			t.Errorf("%s and %s over %d points, want 5", c.X, c.Y, c.N)
		}
	}
}

func TestTargetLoss(t *testing.T) {
	cfg := gridConfig([]float64{0.05, 0.1, 0.2}, []int{20}, 1)
	cfg.Stop.Loss = 1e-3
	rs := records(cfg)
	for i, loss := range []rundir.Number{1e-3, 2e-3, rundir.Number(math.NaN())} {
		rs[i].Result.Training.TrainLoss = loss
	}
	rs[0].Result.Fit.Interpolates = false
	r := fromRecords(cfg, rs, false, fewDraws)
	if r.Counted != 1 || len(r.LeftOut) != 1 || r.LeftOut[0].Text != noTarget || len(r.LeftOut[0].Points) != 2 {
		t.Errorf("%d count, left out %+v", r.Counted, r.LeftOut)
	}
}

// The records have g_W falling and g_x rising with it by construction.
func TestKnownCorrelations(t *testing.T) {
	cfg := gridConfig([]float64{0.025, 0.05, 0.1, 0.2, 0.4, 0.8}, []int{5, 20, 80}, 3)
	r := fromRecords(cfg, records(cfg), false, 1000)
	for _, c := range []struct {
		x, y quantity
		sign float64
	}{
		{gW(1), gX(1), 1}, {gW(3), gX(3), 1}, {learningRate(), gW(2), -1}, {learningRate(), gX(1), -1},
		{batchSize(), gW(1), 1}, {batchSize(), gX(3), 1}, {ratio(), gW(1), -1}, {gX(1), testAccuracy(), -1},
	} {
		for _, method := range []string{"Spearman", "Pearson"} {
			got, ok := r.find(c.x, c.y, method)
			if !ok || got.N != 54 || got.Draws != 1000 || got.Seed != 1 {
				t.Errorf("%s of %s and %s: %+v, %v", method, c.x.name, c.y.name, got, ok)
				continue
			}
			if !(c.sign*got.Lower > 0 && c.sign*got.Upper > 0 && got.Lower <= got.Value && got.Value <= got.Upper) {
				t.Errorf("%s and %s: %s", c.x.name, c.y.name, got)
			}
		}
	}
	if got := r.headline(); len(got) != 6 || !strings.HasPrefix(got[0], "Larger η goes with smaller g_W (k=1), as predicted: Spearman −0.") {
		t.Errorf("headline %q", got)
	}
	if _, ok := fromRecords(gridConfig([]float64{0.1, 0.2}, []int{20}, 2), nil, false, 10).find(batchSize(), gW(1), "Spearman"); ok {
		t.Error("a constant batch size has a correlation")
	}
}

func TestGroupWarnings(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2, 0.4}, []int{20}, 1)
	rs := records(cfg)
	rs[0].Result.Warnings = []string{"residual 1e-3 is large", "residual 2e-3 is large", "no test set"}
	rs[1].Result.Warnings = []string{"residual -4.5 is large"}
	r := fromRecords(cfg, rs, false, fewDraws)
	want := []Warning{{Text: "residual 1e-3 is large", Points: 2, Similar: true}, {Text: "no test set", Points: 1}}
	if !slices.Equal(r.Warnings, want) {
		t.Errorf("%+v, want %+v", r.Warnings, want)
	}
}

// A warning of results.json is set as the rest of the page, and is text.
func TestMessage(t *testing.T) {
	for text, want := range map[string]string{
		"eta_all_orders: only the lower end is proven":  "η of all orders: only the lower end is proven",
		"lyapunov: the rate has not settled":            "Lyapunov exponent: the rate has not settled",
		"theorem 4, k = 2: the volume leaves float64":   "Theorem 4, k = 2: the volume leaves float64",
		"divided by V_X^(1/2), its logarithm -1652.61":  "divided by <i>V</i><sub>X</sub><sup>1/2</sup>, its logarithm −1652.61",
		"by a share of 0.02 (residual_share)":           "by a share of 0.02 (residual share)",
		"numbers times e^(−1.65)":                       "numbers times e<sup>−1.65</sup>",
		"relative loss 1.5e-05 is above 1e-3: <b>":      "relative loss 1.5·10⁻⁵ is above 1·10⁻³: &lt;b&gt;",
		"seminorms are null: no radius (--radius), l-2": "seminorms are null: no radius (--radius), l-2",
	} {
		if got := string(message(text)); got != want {
			t.Errorf("%q is set as %q, want %q", text, got, want)
		}
	}
}

func ExampleSpearman() {
	learningRate := []float64{0.05, 0.1, 0.2, 0.4}
	gW := []float64{50.1, 43.3, 33.0, 28.7}
	fmt.Println(Spearman(learningRate, gW))
	// Output: -1
}
