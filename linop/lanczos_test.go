package linop

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"
)

// distinct returns ascending values without those within gap of the one before.
func distinct(values []float64, gap float64) []float64 {
	return slices.CompactFunc(slices.Clone(values), func(a, b float64) bool { return math.Abs(b-a) <= gap })
}

// expected returns the wanted among all eigenvalues, each once, by sorting.
func expected(values []float64, which Which, pairs int) []float64 {
	v := distinct(values, 1e-12*size(values))
	down := func(a, b float64) int { return cmp.Compare(b, a) }
	first := func(v []float64) []float64 { return v[:min(pairs, len(v))] }
	switch which {
	case Smallest:
		return first(v)
	case Largest:
		slices.SortFunc(v, down)
		return first(v)
	case LargestMagnitude:
		slices.SortFunc(v, func(a, b float64) int { return down(math.Abs(a), math.Abs(b)) })
		return first(v)
	}
	low := slices.Clone(v)
	slices.SortFunc(v, down)
	high := first(v)
	return append(slices.Clone(high), low[:min(pairs, len(v)-len(high))]...)
}

// Run to the end, Lanczos finds every distinct eigenvalue at the wanted ends, with
// eigenvectors; the dense eigensolver is the judge.
func TestLanczosAgainstDense(t *testing.T) {
	for name, spectrum := range spectra() {
		a := withSpectrum(spectrum, seeded(2))
		values, _, err := EigenSym(a.Dim(), slices.Clone(a.a))
		if err != nil {
			t.Fatal(err)
		}
		scale := size(spectrum)
		multiple := len(distinct(spectrum, 1e-12*scale)) < len(spectrum)
		for _, which := range []Which{Largest, Smallest, BothEnds, LargestMagnitude} {
			// Clusters of 1e-9 resolve only by far into rounding; three pairs are outside.
			pairs := 3
			if name == "clusters" {
				pairs = 1
			}
			r, err := Lanczos(context.Background(), a, gaussian(a.Dim(), seeded(3)),
				LanczosOptions{Which: which, Pairs: pairs, MaxSteps: 1000, Vectors: true, Tolerance: 1e-12})
			if err != nil {
				t.Fatal(name, which, err)
			}
			if !r.Converged && !r.Invariant {
				t.Errorf("%s, which %d: neither converged nor invariant after %d steps", name, which, r.Products)
			}
			want := expected(values, which, pairs)
			if len(r.Pairs) < len(want) || math.Abs(r.Pairs[0].Value-want[0]) > 1e-11*scale {
				t.Errorf("%s, which %d: %+v, want %v", name, which, r.Pairs, want)
				continue
			}
			at := 0
			for i, p := range r.Pairs {
				// Rounding may bring in further copies of a multiple eigenvalue.
				copied := multiple && i > 0 && math.Abs(p.Value-r.Pairs[i-1].Value) <= 1e-11*scale
				if i > 0 && !copied {
					at++
				}
				if at >= len(want) || !(math.Abs(p.Value-want[at]) <= 1e-11*scale) {
					t.Errorf("%s, which %d: value %d is %v, want %v", name, which, i, p.Value, want)
				}
				if !p.Converged || !(residualOf(a, p.Value, p.Vector) <= 2e-12*scale) {
					t.Errorf("%s, which %d: pair %d: converged %v, residual %v", name, which, i, p.Converged, residualOf(a, p.Value, p.Vector))
				}
				if !(math.Abs(floats.Norm(p.Vector, 2)-1) <= 1e-13) {
					t.Errorf("%s, which %d: ‖v‖ = %v", name, which, floats.Norm(p.Vector, 2))
				}
			}
		}
	}
}

func randomCase(t *rapid.T) (a Dense, spectrum []float64) {
	all := spectra()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	spectrum = all[rapid.SampledFrom(names).Draw(t, "spectrum")]
	if len(spectrum) > 60 {
		spectrum = spectrum[len(spectrum)-60:]
	}
	return withSpectrum(spectrum, seeded(rapid.Uint64().Draw(t, "seed"))), spectrum
}

// Whenever it stops: the measured residual is at most the returned one, the
// interval around the Ritz value has an eigenvalue in it, and no Ritz value lies
// outside the spectrum (Cauchy's interlacing).
func TestResidualsAreHonest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, spectrum := randomCase(t)
		opt := LanczosOptions{
			Which:     rapid.SampledFrom([]Which{Largest, Smallest, BothEnds, LargestMagnitude}).Draw(t, "which"),
			Pairs:     rapid.IntRange(0, 30).Draw(t, "pairs"),
			MaxSteps:  rapid.IntRange(1, 70).Draw(t, "steps"),
			Tolerance: rapid.SampledFrom([]float64{0, 1e-8, 1e-2, 0.2}).Draw(t, "tolerance"),
			Vectors:   true,
		}
		r, err := Lanczos(context.Background(), a, gaussian(a.Dim(), seeded(rapid.Uint64().Draw(t, "start"))), opt)
		if err != nil {
			t.Fatal(err)
		}
		rounded := 1e-14 * size(spectrum)
		for _, p := range r.Pairs {
			if measured := residualOf(a, p.Value, p.Vector); !(measured <= p.Residual+rounded) {
				t.Errorf("residual %v, measured %v", p.Residual, measured)
			}
			if !(distance(p.Value, spectrum) <= p.Residual+10*rounded) {
				t.Errorf("no eigenvalue within %v of %v", p.Residual, p.Value)
			}
			if converged := p.Residual <= max(opt.Tolerance, rounding(a.Dim()))*size(r.Ritz); p.Converged != converged {
				t.Errorf("converged is %v at residual %v", p.Converged, p.Residual)
			}
		}
		if low, high := slices.Min(spectrum), slices.Max(spectrum); !(r.Ritz[0] >= low-10*rounded) || !(slices.Max(r.Ritz) <= high+10*rounded) {
			t.Errorf("Ritz values %v outside [%v, %v]", r.Ritz, low, high)
		}
		if len(r.Ritz) != r.Products || r.Products > opt.MaxSteps || r.Products > a.Dim() {
			t.Errorf("%d Ritz values, %d products, %d steps, n = %d", len(r.Ritz), r.Products, opt.MaxSteps, a.Dim())
		}
	})
}

// The errors of products in float32 appear in the residuals, also in the last step,
// where β alone says nothing of them.
func TestResidualsSeeNoise(t *testing.T) {
	for seed := range uint64(20) {
		spectrum := floats.Span(make([]float64, 30), -1, 3)
		a := noisy(withSpectrum(spectrum, seeded(seed)))
		r, err := Lanczos(context.Background(), a, gaussian(30, seeded(100+seed)), LanczosOptions{Pairs: 30, MaxSteps: 1000, Vectors: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range r.Pairs {
			measured := residualOf(a, p.Value, p.Vector)
			if !(measured <= 4*p.Residual) || !(p.Residual <= 3e-6) || p.Converged {
				t.Errorf("seed %d, pair %d: residual %v, measured %v, converged %v", seed, i, p.Residual, measured, p.Converged)
			}
		}
		if r.Converged || !r.Invariant || r.Products != 30 {
			t.Errorf("converged %v, invariant %v after %d products", r.Converged, r.Invariant, r.Products)
		}
	}
}

// The recurrence A·V = V·T + β·v·eᵀ holds and V is orthonormal, both to rounding,
// where without reorthogonalisation orthogonality is lost altogether.
func TestKrylovRecurrence(t *testing.T) {
	for name, spectrum := range spectra() {
		a := withSpectrum(spectrum, seeded(4))
		n, scale := a.Dim(), size(spectrum)
		k := &krylov{a: a}
		if err := k.start(gaussian(n, seeded(5))); err != nil {
			t.Fatal(err)
		}
		if err := k.run(context.Background(), n); err != nil {
			t.Fatal(err)
		}
		m := len(k.alpha)
		for i := range m {
			for j := range i + 1 {
				want := 0.0
				if i == j {
					want = 1
				}
				if got := floats.Dot(k.rows[i], k.rows[j]); !(math.Abs(got-want) <= 2e-14) {
					t.Fatalf("%s: v_%d·v_%d = %v", name, i, j, got)
				}
			}
			w := make([]float64, n)
			a.Apply(w, k.rows[i])
			floats.AddScaled(w, -k.alpha[i], k.rows[i])
			if i > 0 {
				floats.AddScaled(w, -k.beta[i-1], k.rows[i-1])
			}
			if i+1 < m {
				floats.AddScaled(w, -k.beta[i], k.rows[i+1])
			}
			want := 0.0
			if i+1 == m {
				want = k.beta[i]
			}
			if !(math.Abs(floats.Norm(w, 2)-want) <= 2e-14*scale) {
				t.Errorf("%s: row %d of the recurrence is off by %v", name, i, floats.Norm(w, 2))
			}
		}
	}
}

// A start in the span of three eigenvectors is done after three products and knows
// their eigenvalues.
func TestInvariantSubspace(t *testing.T) {
	spectrum := floats.Span(make([]float64, 50), -4, 6)
	a := withSpectrum(spectrum, seeded(6))
	values, vectors, err := EigenSym(50, slices.Clone(a.a))
	if err != nil {
		t.Fatal(err)
	}
	start := make([]float64, 50)
	chosen := []int{3, 20, 44}
	for i, j := range chosen {
		floats.AddScaled(start, float64(i+1), vectors[j*50:(j+1)*50])
	}
	r, err := Lanczos(context.Background(), a, start, LanczosOptions{Which: Smallest, Pairs: 3, MaxSteps: 50})
	if err != nil {
		t.Fatal(err)
	}
	if r.Products != 3 || !r.Invariant || !r.Converged {
		t.Fatalf("%d products, invariant %v, converged %v", r.Products, r.Invariant, r.Converged)
	}
	for i, j := range chosen {
		if !(math.Abs(r.Pairs[i].Value-values[j]) <= 1e-13) || !(r.Pairs[i].Residual <= 1e-12) {
			t.Errorf("pair %+v, want %v", r.Pairs[i], values[j])
		}
	}
	r, err = Lanczos(context.Background(), a, start, LanczosOptions{Pairs: 4, MaxSteps: 50})
	if err != nil || r.Converged || !r.Invariant || len(r.Pairs) != 3 {
		t.Errorf("four pairs of a space of three: %+v, %v", r, err)
	}
}

// The top is isolated and known after a few steps; the bottom is larger in size
// but clustered. A pair that has converged must not hide it.
func TestLargestMagnitudeWaitsForTheOtherEnd(t *testing.T) {
	for _, sign := range []float64{1, -1} {
		spectrum := append(floats.Span(make([]float64, 150), -1.002, 0), 1)
		floats.Scale(sign, spectrum)
		a := withSpectrum(spectrum, seeded(7))
		for seed := range uint64(10) {
			r, err := Lanczos(context.Background(), a, gaussian(151, seeded(seed)), LanczosOptions{Which: LargestMagnitude, MaxSteps: 151, Tolerance: 1e-4})
			if err != nil {
				t.Fatal(err)
			}
			if !r.Converged || !(math.Abs(r.Pairs[0].Value+1.002*sign) <= 1e-4) {
				t.Errorf("seed %d: %+v after %d products, want %v", seed, r.Pairs[0], r.Products, -1.002*sign)
			}
		}
	}
}

// A tolerance saves products; the wanted end is there long before the last step.
func TestToleranceStopsEarly(t *testing.T) {
	a := withSpectrum(spectra()["decaying"], seeded(8))
	products := func(tolerance float64) int {
		r, err := Lanczos(context.Background(), a, gaussian(a.Dim(), seeded(9)), LanczosOptions{MaxSteps: 100, Tolerance: tolerance})
		if err != nil || !r.Converged {
			t.Fatal(err, r)
		}
		return r.Products
	}
	if loose, tight := products(1e-3), products(1e-12); !(loose < tight) || !(tight <= 40) {
		t.Errorf("%d products at 1e-3, %d at 1e-12", loose, tight)
	}
}

func TestLanczosIsDeterministic(t *testing.T) {
	a := withSpectrum(spectra()["uniform"], seeded(10))
	run := func() *LanczosResult {
		r, err := Lanczos(context.Background(), a, gaussian(a.Dim(), seeded(11)), LanczosOptions{Which: BothEnds, Pairs: 2, MaxSteps: 60, Vectors: true})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if diff := gocmp.Diff(run(), run()); diff != "" {
		t.Error("two equal runs differ:", diff)
	}
}
