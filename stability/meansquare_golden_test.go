package stability

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// goldenThresholds is a reference problem with its thresholds.
type goldenThresholds struct {
	goldenProblem
	Hessian struct {
		Eigenvalues   []float64 `json:"eigenvalues_H_nonzero"`
		NonUniformity float64   `json:"non_uniformity_sqrt_lambda_max_Sigma"`
		Frobenius     float64   `json:"frobenius_sq_H"`
		Norms         []float64 `json:"lambda_max_Hi"`
	} `json:"hessian"`
	T2     []goldenSpectrum  `json:"T2_spectra"`
	Second []goldenThreshold `json:"thresholds_k2"`
	Other  []goldenThreshold `json:"thresholds_other_k"`
}

type goldenBatch struct {
	B           int
	Replacement bool
}

func (b goldenBatch) sampling() Sampling { return replacement(b.Replacement) }

type goldenSpectrum struct {
	goldenBatch
	Eta     float64
	Lowest  float64 `json:"lambda_min_span"`
	Highest float64 `json:"lambda_max_span"`
	Full    float64 `json:"rho_full"`
}

type goldenThreshold struct {
	goldenBatch
	Problem   string
	K         int
	Threshold float64 `json:"eta_star"`
	OnSpan    float64 `json:"eta_star_span_only"`
	Brackets  *struct {
		P          float64
		Mean       float64 `json:"gd_2_over_lambda_max"`
		Prop1      float64 `json:"prop1"`
		Sufficient float64 `json:"sufficient_simple"`
		Top        float64 `json:"necessary_rank1_top_eigvec_of_H"`
		Samples    float64 `json:"necessary_rank1_min_over_top_eigvecs_of_Hi"`
		Identity   float64 `json:"necessary_identity"`
	}
}

func loadGoldenThresholds(t testing.TB, fixture string) goldenThresholds {
	t.Helper()
	sizes := map[string][2]int{"fnn-scalar": {8, 1}, "fnn-tiny": {10, 3}, "cnn-tiny": {6, 2}}[fixture]
	g := goldenThresholds{goldenProblem: loadGoldenProblem(t, fixture, sizes[0], sizes[1])}
	text, err := os.ReadFile(filepath.Join("testdata", fixture, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Second) == 0 {
		t.Fatalf("%s has no thresholds", fixture)
	}
	return g
}

const testMemory = 1 << 30

func TestMeanSquareGolden(t *testing.T) {
	for _, fixture := range []string{"fnn-scalar", "fnn-tiny", "cnn-tiny"} {
		g := loadGoldenThresholds(t, fixture)
		s := newSpan(t, g.gram())
		if len(g.Hessian.Eigenvalues) != s.Rank {
			t.Errorf("%s: rank %d, want %d", fixture, s.Rank, len(g.Hessian.Eigenvalues))
		}
		for j, want := range g.Hessian.Eigenvalues {
			if got := s.Lambda[j] / float64(s.N); !(math.Abs(got-want) <= 1e-10*s.Lambda[0]) {
				t.Errorf("%s: eigenvalue %d of H %v, want %v", fixture, j, got, want)
			}
		}
		for _, e := range g.Second {
			b, err := s.MeanSquareThreshold(e.sampling(), e.B, testMemory)
			if err != nil {
				t.Fatal(err)
			}
			if !(math.Abs(b.Value/e.Threshold-1) <= 1e-8) || !b.Exact || !(b.Lower <= e.Threshold*(1+1e-14)) || !(b.Upper >= e.Threshold*(1-1e-13)) {
				t.Errorf("%s B=%d %v: %+v, want %v", fixture, e.B, e.sampling(), b, e.Threshold)
			}
		}
	}
}

func TestSpectralRadiusGolden(t *testing.T) {
	for _, fixture := range []string{"fnn-scalar", "fnn-tiny"} {
		g := loadGoldenThresholds(t, fixture)
		s := newSpan(t, g.gram())
		for _, e := range g.T2 {
			known, err := s.MeanSquareThreshold(e.sampling(), e.B, testMemory)
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.SpectralRadius2(e.Eta, e.sampling(), e.B, known, testMemory)
			if err != nil {
				t.Fatal(err)
			}
			if !(math.Abs(b.Value/e.Highest-1) <= 1e-8) || !b.Exact || !(b.Lower <= e.Highest*(1+1e-13)) || !(b.Upper >= e.Highest*(1-1e-13)) {
				t.Errorf("%s B=%d %v η=%v: %+v, want %v", fixture, e.B, e.sampling(), e.Eta, b, e.Highest)
			}
		}
	}
}
