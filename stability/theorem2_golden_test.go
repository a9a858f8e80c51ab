package stability

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/sbinet/npyio/npz"
)

// goldenProblem is a reference problem: its gradients and what is known of them.
type goldenProblem struct {
	jacobian   []float64
	n, c, w    int
	Thresholds []struct {
		K           int
		B           int
		Replacement bool
		Problem     string
		EtaStar     float64 `json:"eta_star"`
		SpanOnly    float64 `json:"eta_star_span_only"`
		EtaInf      float64 `json:"eta_inf_all_orders"`
		EtaTwo      float64 `json:"eta_star_2"`
	} `json:"thresholds_other_k"`
	Second []struct {
		B           int
		Replacement bool
		EtaStar     float64 `json:"eta_star"`
	} `json:"thresholds_k2"`
	Sides    []map[string]float64 `json:"theorem2_sides"`
	Formulas []map[string]any     `json:"theorem_rhs"`
	Hessian  struct {
		LambdaMax float64   `json:"lambda_max_H"`
		Norms     []float64 `json:"lambda_max_Hi"`
	}
}

func loadGoldenProblem(t testing.TB, fixture string, n, c int) goldenProblem {
	t.Helper()
	g := goldenProblem{n: n, c: c}
	text, err := os.ReadFile(filepath.Join("testdata", fixture, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	arrays, err := npz.Open(filepath.Join("testdata", fixture, "arrays.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer arrays.Close()
	if err := arrays.Read("param_jacobian.npy", &g.jacobian); err != nil {
		t.Fatal(err)
	}
	g.w = len(g.jacobian) / (n * c)
	return g
}

func (g goldenProblem) gram() Gram { return gramOf(g.jacobian, g.n, g.c, g.w) }

// output0 is the problem of the first output alone.
func (g goldenProblem) output0() goldenProblem {
	first := goldenProblem{n: g.n, c: 1, w: g.w}
	for i := range g.n {
		first.jacobian = append(first.jacobian, g.jacobian[i*g.c*g.w:(i*g.c+1)*g.w]...)
	}
	return first
}

func replacement(with bool) Sampling {
	if with {
		return WithReplacement
	}
	return WithoutReplacement
}

func TestTheorem2Golden(t *testing.T) {
	for fixture, size := range map[string][2]int{"fnn-tiny": {10, 3}, "fnn-scalar": {8, 1}} {
		g := loadGoldenProblem(t, fixture, size[0], size[1])
		s := newSpan(t, g.gram())
		sums := coordinateSums(g.jacobian, g.n, g.c, g.w, MaxOrder)
		for _, side := range g.Sides {
			k, batch, eta := int(side["k"]), int(side["B"]), side["eta"]
			largest, _, sum := Theorem2Left(sums, g.w, k, g.n)
			for key, got := range map[string]float64{
				"lhs30_max_j (sum_c J^2)^k":         largest,
				"lhs34 (sum_c J^2)^k":               sum,
				"lhs35_mean_i (sum_cj J^2k)^(1/2k)": meanOfNorms(g.jacobian, g.n, g.c, g.w, k),
				"rhs30":                             Theorem2Limit(k, batch, eta),
				"rhs34":                             Theorem2SumLimit(k, batch, g.w, eta),
				"rhs35":                             Corollary3Limit(k, batch, g.w, eta),
				"max_i_opnorm_Ji_sq":                s.LargestNorm(),
				"rhs_max_sharp":                     Theorem2NormLimit(k, g.n, WithoutReplacement, batch, eta),
			} {
				if want, ok := side[key]; !ok || !(math.Abs(got/want-1) <= 1e-11) {
					t.Errorf("%s k=%d B=%d: %s = %v, want %v", fixture, k, batch, key, got, want)
				}
			}
		}
		for _, formula := range g.Formulas {
			in := formula["inputs"].(map[string]any)
			k, eta, batch := int(in["k"].(float64)), in["eta"].(float64), int(in["B"].(float64))
			n, w := int(in["n"].(float64)), int(in["w"].(float64))
			for key, got := range map[string]float64{
				"thm2_30":                                Theorem2Limit(k, batch, eta),
				"thm2_34":                                Theorem2SumLimit(k, batch, w, eta),
				"thm2_34_min_w_n":                        Theorem2SumLimitByGradients(k, batch, w, n, 1, eta),
				"cor3_35":                                Corollary3Limit(k, batch, w, eta),
				"max_grad_sq_sharp(without replacement)": Theorem2NormLimit(k, n, WithoutReplacement, batch, eta),
				"batch_mean_form":                        Theorem2BatchLimit(k, eta),
			} {
				if want, ok := formula[key].(float64); !ok || !(math.Abs(got/want-1) <= 1e-13) {
					t.Errorf("%s k=%d B=%d: %s = %v, want %v", fixture, k, batch, key, got, formula[key])
				}
			}
		}
	}
}
