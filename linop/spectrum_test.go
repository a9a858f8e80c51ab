package linop

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func gaussian(n int, random *rand.Rand) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = random.NormFloat64()
	}
	return x
}

// withSpectrum returns the matrix H_n…H_1·diag(values)·H_1…H_n of random
// Householder reflections.
func withSpectrum(values []float64, random *rand.Rand) Dense {
	n := len(values)
	a := make([]float64, n*n)
	for i, v := range values {
		a[i*n+i] = v
	}
	for range n {
		u := gaussian(n, random)
		floats.Scale(1/floats.Norm(u, 2), u)
		au := make([]float64, n)
		NewDense(n, a).Apply(au, u)
		// (I−2uuᵀ)A(I−2uuᵀ) = A − u·pᵀ − p·uᵀ with p = 2Au − 2(uᵀAu)u.
		p := make([]float64, n)
		floats.AddScaled(p, 2, au)
		floats.AddScaled(p, -2*floats.Dot(u, au), u)
		for i := range n {
			floats.AddScaled(a[i*n:(i+1)*n], -u[i], p)
			floats.AddScaled(a[i*n:(i+1)*n], -p[i], u)
		}
	}
	for i := range n {
		for j := range i {
			a[i*n+j] = a[j*n+i]
		}
	}
	return NewDense(n, a)
}

// spectra are the chosen spectra, ascending, on which the methods are tested.
func spectra() map[string][]float64 {
	between := func(n int, low, high float64) []float64 {
		return floats.Span(make([]float64, n), low, high)
	}
	repeated := slices.Concat(slices.Repeat([]float64{-2}, 5), slices.Repeat([]float64{0}, 40), slices.Repeat([]float64{3}, 4), []float64{7, 7})
	decaying := make([]float64, 100)
	for i := range decaying {
		decaying[len(decaying)-1-i] = math.Pow(0.8, float64(i))
	}
	clusters := slices.Concat(between(20, -1, -1+1e-6), between(60, 0.2, 0.4), between(10, 5-1e-9, 5))
	negative := between(30, -9, -0.5)
	deficient := slices.Concat(make([]float64, 180), between(20, 1, 4))
	return map[string][]float64{
		"1×1": {-3}, "2×2": {-1, 2}, "zero": make([]float64, 4), "identity": slices.Repeat([]float64{1}, 30),
		"uniform": between(120, -1, 2), "repeated": repeated, "decaying": decaying,
		"clusters": clusters, "negative definite": negative, "rank deficient": deficient,
		"tiny": between(20, 1e-120, 1e-118), "huge": between(20, -1e120, 0.95e120),
	}
}

func size(values []float64) float64 { return floats.Norm(values, math.Inf(1)) }

// The matrices of the tests have the spectra they were made for, by the dense
// eigensolver.
func TestMatricesHaveTheChosenSpectra(t *testing.T) {
	for name, values := range spectra() {
		a := withSpectrum(values, seeded(1))
		got, _, err := EigenSym(a.Dim(), slices.Clone(a.a))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if !(math.Abs(got[i]-v) <= 1e-13*size(values)) {
				t.Errorf("%s: eigenvalue %d is %v, want %v", name, i, got[i], v)
			}
		}
	}
}

// noisy is a with products rounded to float32 and back.
func noisy(a Operator) Operator {
	return Func{a.Dim(), func(dst, x []float64) {
		a.Apply(dst, x)
		for i, v := range dst {
			dst[i] = float64(float32(v))
		}
	}}
}

// residualOf is ‖A·v − λ·v‖.
func residualOf(a Operator, value float64, v []float64) float64 {
	w := make([]float64, a.Dim())
	a.Apply(w, v)
	floats.AddScaled(w, -value, v)
	return floats.Norm(w, 2)
}

func distance(value float64, from []float64) float64 {
	d := math.Inf(1)
	for _, v := range from {
		d = min(d, math.Abs(v-value))
	}
	return d
}
