package linop

import (
	"context"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"
)

func TestPowerIterationAgainstSpectrum(t *testing.T) {
	for name, spectrum := range spectra() {
		a := withSpectrum(spectrum, seeded(1))
		r, err := PowerIteration(context.Background(), a, gaussian(a.Dim(), seeded(2)), 1e-9, 5000)
		if err != nil {
			t.Fatal(name, err)
		}
		want := spectrum[0]
		if last := spectrum[len(spectrum)-1]; math.Abs(last) > math.Abs(want) {
			want = last
		}
		if !r.Converged || !(math.Abs(r.Value-want) <= 2e-9*math.Abs(want)+1e-14*size(spectrum)) {
			t.Errorf("%s: %v ± %v after %d, converged %v; want %v", name, r.Value, r.Residual, r.Iterations, r.Converged, want)
		}
	}
}

// At whatever iteration it stops, the residual is that of the vector and the
// interval has an eigenvalue in it.
func TestPowerResidualsAreHonest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, spectrum := randomCase(t)
		limit := rapid.IntRange(1, 30).Draw(t, "iterations")
		r, err := PowerIteration(context.Background(), a, gaussian(a.Dim(), seeded(rapid.Uint64().Draw(t, "start"))), 1e-3, limit)
		if err != nil {
			t.Fatal(err)
		}
		rounded := 1e-14 * size(spectrum)
		if measured := residualOf(a, r.Value, r.Vector); !(math.Abs(measured-r.Residual) <= rounded) {
			t.Errorf("residual %v, measured %v", r.Residual, measured)
		}
		if !(math.Abs(floats.Norm(r.Vector, 2)-1) <= 1e-14) || !(distance(r.Value, spectrum) <= r.Residual+10*rounded) {
			t.Errorf("‖v‖ = %v; no eigenvalue within %v of %v", floats.Norm(r.Vector, 2), r.Residual, r.Value)
		}
		if r.Converged != (r.Residual <= 1e-3*math.Abs(r.Value)) || !r.Converged && r.Iterations != limit {
			t.Errorf("converged %v after %d of %d iterations: %v ± %v", r.Converged, r.Iterations, limit, r.Value, r.Residual)
		}
	})
}

// Eigenvalues of equal size and opposite sign have no limit; this is not taken for
// convergence.
func TestPowerIterationBetweenOppositeEigenvalues(t *testing.T) {
	a := withSpectrum([]float64{-2, 0.5, 1, 2}, seeded(3))
	r, err := PowerIteration(context.Background(), a, gaussian(4, seeded(4)), 1e-2, 500)
	if err != nil || r.Converged || r.Iterations != 500 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A matrix of positive elements keeps the cone, and its Perron vector is found.
func TestPowerIterationStaysPositive(t *testing.T) {
	random := seeded(5)
	a := make([]float64, 40*40)
	for i := range 40 {
		for j := range i + 1 {
			a[i*40+j] = random.Float64()
			a[j*40+i] = a[i*40+j]
		}
	}
	start := make([]float64, 40)
	start[7] = 1
	values, _, err := EigenSym(40, append([]float64(nil), a...))
	if err != nil {
		t.Fatal(err)
	}
	r, err := PowerIteration(context.Background(), NewDense(40, a), start, 1e-12, 200)
	if err != nil || !r.Converged || !(math.Abs(r.Value-values[39]) <= 1e-12*values[39]) || !(floats.Min(r.Vector) > 0) {
		t.Errorf("%v ± %v, converged %v, least element %v, want %v (%v)", r.Value, r.Residual, r.Converged, floats.Min(r.Vector), values[39], err)
	}
}
