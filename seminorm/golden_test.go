package seminorm

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// golden is what this package computes of a golden.json, which an independent
// float64 implementation (torch autograd, numpy) made.
type golden struct {
	Meta struct {
		N int `json:"n"`
	} `json:"meta"`
	Gradients map[string]struct {
		Input   [][]float64 `json:"input_grad_power_sums"`
		GX      float64     `json:"g_x"`
		Paper   *float64    `json:"sobolev_1_2k_paper_sum_over_outputs"`
		Weights [][]float64 `json:"param_grad_power_sums"`
		GW      float64     `json:"g_W"`
	} `json:"gradients"`
	FirstLayer map[string]struct {
		Exact float64            `json:"exact"`
		Lower float64            `json:"lower_multistart_power"`
		Upper map[string]float64 `json:"upper"`
	} `json:"first_layer_opnorm"`
	Q2 json.RawMessage `json:"sobolev_q2"`
	// For cnn-tiny.
	Convolution struct {
		SigmaMax float64      `json:"sigma_max"`
		P4       goldenFourth `json:"p4"`
		P6       goldenFourth `json:"p6"`
	} `json:"conv1_operator"`
}

type goldenFourth struct {
	Lower float64            `json:"lower_multistart_power"`
	Upper map[string]float64 `json:"upper"`
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

// goldenTensor reads one float64 tensor of a fixture's model.
func goldenTensor(t *testing.T, fixture, name string) (shape []int, data []float64) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", fixture, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	header := 8 + binary.LittleEndian.Uint64(file)
	tensors := map[string]struct {
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}{}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(file[8:header], &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "__metadata__")
	for name, js := range raw {
		entry := tensors[name]
		if err := json.Unmarshal(js, &entry); err != nil {
			t.Fatal(err)
		}
		tensors[name] = entry
	}
	entry, ok := tensors[name]
	if !ok {
		t.Fatalf("%s has no tensor %s", fixture, name)
	}
	for at := entry.Offsets[0]; at < entry.Offsets[1]; at += 8 {
		data = append(data, math.Float64frombits(binary.LittleEndian.Uint64(file[int(header)+at:])))
	}
	return entry.Shape, data
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Abs(want)
}

// roots turns power sums into norms, n×c row-major.
func roots(sums [][]float64, k int) (norms []float64, c int) {
	for _, row := range sums {
		for _, s := range row {
			norms = append(norms, math.Pow(s, 1/float64(2*k)))
		}
	}
	return norms, len(sums[0])
}

func TestGoldenSeminorms(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar", "cnn-tiny"} {
		g := loadGolden(t, fixture)
		for k, name := range []string{1: "k1", 2: "k2", 3: "k3"} {
			if k == 0 {
				continue
			}
			want := g.Gradients[name]
			norms, c := roots(want.Input, k)
			s := AtPoints(norms, c, k)
			if !near(s.Joint, want.GX, 1e-13) {
				t.Errorf("%s %s: joint %v, want %v", fixture, name, s.Joint, want.GX)
			}
			if want.Paper != nil && !near(s.Sum, *want.Paper, 1e-13) {
				t.Errorf("%s %s: sum %v, want %v", fixture, name, s.Sum, *want.Paper)
			}
			norms, c = roots(want.Weights, k)
			if got := AtPoints(norms, c, k).Joint; !near(got, want.GW, 1e-13) {
				t.Errorf("%s %s: g_W %v, want %v", fixture, name, got, want.GW)
			}
		}
	}
}

func TestGoldenSecondOrder(t *testing.T) {
	g := loadGolden(t, "fnn-scalar")
	type pair struct {
		Train float64 `json:"train"`
		All   float64 `json:"train+extra"`
	}
	type order struct {
		MultiIndex pair `json:"multi_index (each mixed partial once)"`
		FullMatrix pair `json:"full_matrix (mixed partials twice)"`
	}
	var q2 struct {
		Hessians [][][]float64 `json:"input_hessians"`
		K1       order         `json:"k1"`
		K2       order         `json:"k2"`
		K3       order         `json:"k3"`
	}
	if err := json.Unmarshal(g.Q2, &q2); err != nil {
		t.Fatal(err)
	}
	for k, want := range []order{1: q2.K1, 2: q2.K2, 3: q2.K3} {
		if k == 0 {
			continue
		}
		var multi, full []float64
		for _, rows := range q2.Hessians {
			var flat []float64
			for _, row := range rows {
				flat = append(flat, row...)
			}
			m, f := HessianNorms(flat, len(rows), k)
			multi, full = append(multi, m), append(full, f)
		}
		for _, c := range []struct {
			norms []float64
			want  float64
		}{
			{multi[:g.Meta.N], want.MultiIndex.Train}, {multi, want.MultiIndex.All},
			{full[:g.Meta.N], want.FullMatrix.Train}, {full, want.FullMatrix.All},
		} {
			if got := AtPoints(c.norms, 1, k).Joint; !near(got, c.want, 1e-12) {
				t.Errorf("k=%d on %d points: %v, want %v", k, len(c.norms), got, c.want)
			}
		}
	}
}

// goldenUpper maps our names to the fixture's.
var goldenUpper = map[string]string{
	RieszThorin1: "riesz_thorin_1_inf", RieszThorin2: "riesz_thorin_2_inf",
	Spectral: "sigma_times_ncols_pow_half_minus_1_over_p", RowHolder: "row_hoelder",
	AbsoluteValue: "norm_of_entrywise_abs_(Boyd+Schur_certificate)",
}

// checkGoldenBracket takes a tolerance for the lower end: both sides are the best
// of many starts, and large matrices have many local maxima.
func checkGoldenBracket(t *testing.T, b Bracket, lower, tolerance float64, upper map[string]float64) {
	t.Helper()
	for _, c := range b.Certificates {
		if want := upper[goldenUpper[c.Name]]; !near(c.Value, want, 1e-8) {
			t.Errorf("k=%d: %s %.15g, want %.15g", b.K, c.Name, c.Value, want)
		}
	}
	if len(b.Certificates) != len(goldenUpper) {
		t.Errorf("k=%d: %d certificates, want %d", b.K, len(b.Certificates), len(goldenUpper))
	}
	if !near(b.Lower, lower, tolerance) || !(b.Lower <= b.Upper) {
		t.Errorf("k=%d: [%v, %v], want the lower end %v", b.K, b.Lower, b.Upper, lower)
	}
}

func TestGoldenFirstLayers(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar"} {
		g := loadGolden(t, fixture)
		shape, weights := goldenTensor(t, fixture, "net.0.weight")
		a := Transpose(NewDense(shape[0], shape[1], weights))
		got := OperatorNorms(a, []int{1, 2, 3}, Search{Starts: 100}, newRandom(1))
		if exact := g.FirstLayer["k1"].Exact; !near(got[0].Lower, exact, 1e-10) || !near(got[0].Upper, exact, 1e-10) {
			t.Errorf("%s: ‖A‖₂ in [%v, %v], want %v", fixture, got[0].Lower, got[0].Upper, exact)
		}
		checkGoldenBracket(t, got[1], g.FirstLayer["k2"].Lower, 1e-6, g.FirstLayer["k2"].Upper)
		checkGoldenBracket(t, got[2], g.FirstLayer["k3"].Lower, 1e-6, g.FirstLayer["k3"].Upper)
	}
}

func TestGoldenConvolution(t *testing.T) {
	g := loadGolden(t, "cnn-tiny").Convolution
	shape, kernel := goldenTensor(t, "cnn-tiny", "features.0.weight")
	conv := &Convolution{
		Out: shape[0], In: shape[1], KernelHeight: shape[2], KernelWidth: shape[3],
		Height: 8, Width: 8, Stride: 1, Padding: 1, Kernel: kernel,
	}
	got := OperatorNorms(Transpose(conv), []int{1, 2, 3}, Search{Starts: 30}, newRandom(1))
	if !near(got[0].Lower, g.SigmaMax, 1e-10) || !near(got[0].Upper, g.SigmaMax, 1e-10) {
		t.Errorf("‖A‖₂ in [%v, %v], want %v", got[0].Lower, got[0].Upper, g.SigmaMax)
	}
	checkGoldenBracket(t, got[1], g.P4.Lower, 1e-2, g.P4.Upper)
	checkGoldenBracket(t, got[2], g.P6.Lower, 1e-2, g.P6.Upper)
	if fourier := conv.SpectralUpper(); !(fourier >= g.SigmaMax && fourier <= 1.2*g.SigmaMax) {
		t.Errorf("by Fourier transform ‖A‖₂ ≤ %v; it is %v", fourier, g.SigmaMax)
	}
}
