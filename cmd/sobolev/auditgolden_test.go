package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"sobolev/rundir"
)

// goldenThreshold is a threshold of an independent implementation, in half-mse.
type goldenThreshold struct {
	Problem     string
	K, B        int
	Replacement bool
	EtaStar     float64  `json:"eta_star"`
	EtaStarMSE  float64  `json:"eta_star_torch_MSELoss_mean"`
	AllOrders   *float64 `json:"eta_inf_all_orders"`
}

// goldenNorm is an operator norm of the same, between two bounds.
type goldenNorm struct {
	Lower float64 `json:"lower_multistart_power"`
	Upper struct{ Min float64 }
}

type goldenFile struct {
	Thresholds []goldenThreshold `json:"thresholds_k2"`
	Others     []goldenThreshold `json:"thresholds_other_k"`
	Spectra    []struct {
		B           int
		Replacement bool
		Eta         float64
		Rho         float64 `json:"rho_span"`
		RhoFull     float64 `json:"rho_full"`
	} `json:"T2_spectra"`
	Hessian struct {
		LambdaMax float64 `json:"lambda_max_H"`
	}
	Norms struct {
		K1 struct{ Exact float64 }
		K2 goldenNorm
		K3 goldenNorm
	} `json:"first_layer_opnorm"`
	Convolution struct {
		Sigma float64 `json:"sigma_max"`
		P4    goldenNorm
		P6    goldenNorm
	} `json:"conv1_operator"`
}

// auditGolden runs the program on a fixture.
func auditGolden(t *testing.T, fixture, loss string, eta float64, batch int, replacement bool) *rundir.Result {
	t.Helper()
	args := map[string][]string{
		"fnn-tiny": {"--activation", "relu"}, "fnn-scalar": {"--activation", "tanh"}, "cnn-tiny": {"--arch", "../../experiment/testdata/audit/cnn-tiny.yaml"},
	}[fixture]
	args = append([]string{"audit", filepath.Join("../../curvature/testdata", fixture, "model.safetensors"), "--data", "../../experiment/testdata/audit/" + fixture + ".npz",
		"--lr", strconv.FormatFloat(eta, 'g', -1, 64), "--batch", strconv.Itoa(batch), "--loss", loss, "--json", "-"}, args...)
	if replacement {
		args = append(args, "--sampling", "with-replacement")
	}
	var stdout, stderr bytes.Buffer
	if status := run(args, &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("%s: exit status %d, stderr %s", fixture, status, &stderr)
	}
	var r rundir.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func readGolden(t *testing.T, fixture string) goldenFile {
	t.Helper()
	var g goldenFile
	text, err := os.ReadFile(filepath.Join("../../curvature/testdata", fixture, "golden.json"))
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil || len(g.Thresholds) < 4 {
		t.Fatal(err, len(g.Thresholds))
	}
	return g
}

const goldenTolerance = 1e-6

func closeTo(t *testing.T, what string, got rundir.Number, want float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= goldenTolerance*want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// holds fails unless lower ≤ want ≤ upper, up to rounding.
func holds(t *testing.T, what string, lower, upper rundir.Number, want float64) {
	t.Helper()
	if !(float64(lower) <= want*(1+goldenTolerance) && want <= float64(upper)*(1+goldenTolerance)) {
		t.Errorf("%s is in [%v, %v], want %v", what, lower, upper, want)
	}
}

// Mean and mean-square thresholds of every batch size, in units of both losses; the
// orders 3 and 4 and all orders at once, where the implementation solved them, lie in
// the brackets.
func TestGoldenThresholdsThroughTheProgram(t *testing.T) {
	orders := 0
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar", "cnn-tiny"} {
		g := readGolden(t, fixture)
		for _, loss := range []string{"half-mse", "mse"} {
			for _, want := range g.Thresholds {
				eta := want.EtaStar
				if loss == "mse" {
					eta = want.EtaStarMSE
				}
				scale := eta / want.EtaStar // of thresholds between the losses
				r := auditGolden(t, fixture, loss, 0.5*eta, want.B, want.Replacement)
				closeTo(t, fixture+": eta_var", r.Stability.EtaVar.Value, eta)
				closeTo(t, fixture+": eta_mean", r.Stability.EtaMean, scale*2/g.Hessian.LambdaMax)
				for _, other := range g.Others {
					if other.B != want.B || other.Replacement != want.Replacement || other.Problem == "output 0 only (C=1, a_i=J_i[0])" {
						continue
					}
					o := r.Stability.Orders[other.K-1]
					if o.K != other.K {
						t.Fatalf("order %d in place %d", o.K, other.K)
					}
					holds(t, fixture+": order "+strconv.Itoa(other.K), o.EtaLower, o.EtaUpper, scale*other.EtaStar)
					if other.AllOrders != nil {
						all := r.Stability.EtaAllOrders
						holds(t, fixture+": all orders", all.Lower, all.Upper, scale**other.AllOrders)
						if all.Exact {
							closeTo(t, fixture+": all orders", all.Lower, scale**other.AllOrders)
						}
						orders++
					}
				}
			}
		}
	}
	if orders < 16 {
		t.Errorf("%d orders were compared", orders)
	}
}

func TestGoldenSpectralRadiiThroughTheProgram(t *testing.T) {
	g := readGolden(t, "fnn-scalar")
	if len(g.Spectra) < 20 {
		t.Fatal(len(g.Spectra))
	}
	for _, want := range g.Spectra {
		r := auditGolden(t, "fnn-scalar", "half-mse", want.Eta, want.B, want.Replacement)
		closeTo(t, "spectral_radius_2", r.Stability.SpectralRadius2, want.Rho)
		closeTo(t, "spectral_radius_2_full", r.Stability.SpectralRadius2Full, want.RhoFull)
	}
}

// Both implementations enclose the norm: their intervals meet.
func TestGoldenOperatorNormsThroughTheProgram(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "fnn-scalar", "cnn-tiny"} {
		g := readGolden(t, fixture)
		exact, p4, p6 := g.Norms.K1.Exact, g.Norms.K2, g.Norms.K3
		if fixture == "cnn-tiny" {
			exact, p4, p6 = g.Convolution.Sigma, g.Convolution.P4, g.Convolution.P6
		}
		norms := auditGolden(t, fixture, "half-mse", 1e-3, 2, false).OperatorNorms
		if len(norms) != 3 || norms[0].P != 2 || norms[1].P != 4 || norms[2].P != 6 {
			t.Fatalf("%s: %+v", fixture, norms)
		}
		holds(t, fixture+": ‖·‖₂", norms[0].Lower, norms[0].Upper, exact)
		for i, want := range []goldenNorm{p4, p6} {
			got := norms[i+1]
			if !(want.Lower > 0 && float64(got.Lower) <= want.Upper.Min*(1+goldenTolerance) && want.Lower <= float64(got.Upper)*(1+goldenTolerance) && got.Lower <= got.Upper) {
				t.Errorf("%s: ‖·‖_%d in [%v, %v], want [%v, %v]", fixture, got.P, got.Lower, got.Upper, want.Lower, want.Upper.Min)
			}
		}
	}
}
