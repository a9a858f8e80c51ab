package linop

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// Every bound of an error is this many rounding errors times √n: rounding errors
// of n operations rarely add up to n, and a method that loses accuracy loses
// orders of magnitude.
const eigenTolerance = 10

// checkEigen holds the eigenpairs of the upper triangle of a against their
// definition and against Gonum's eigenvalues.
func checkEigen(t rapid.TB, n int, a []float64) (values, vectors []float64) {
	t.Helper()
	values, vectors = checkEigenpairs(t, n, a)
	scale := max(math.Abs(values[0]), math.Abs(values[n-1]))
	bound := eigenTolerance * 0x1p-52 * math.Sqrt(float64(n)) * scale
	for i, want := range gonumEigenvalues(t, n, a) {
		if !(math.Abs(values[i]-want) <= bound) {
			t.Errorf("n = %d: value %d is %v, Gonum has %v; bound %.3g", n, i, values[i], want, bound)
		}
	}
	return values, vectors
}

func checkEigenpairs(t rapid.TB, n int, a []float64) (values, vectors []float64) {
	t.Helper()
	values, vectors, err := EigenSym(n, a)
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != n || len(vectors) != n*n || !slices.IsSorted(values) {
		t.Fatalf("%d values, %d elements of vectors, sorted: %v", len(values), len(vectors), slices.IsSorted(values))
	}
	scale := max(math.Abs(values[0]), math.Abs(values[n-1]))
	unit := eigenTolerance * 0x1p-52 * math.Sqrt(float64(n))
	if residual := eigenResidual(n, a, values, vectors); !(residual <= unit*scale) {
		t.Errorf("n = %d: ‖A v − λ v‖ = %.3g‖A‖, bound %.3g", n, residual/scale, unit)
	}
	if defect := orthogonalityDefect(n, vectors); !(defect <= unit) {
		t.Errorf("n = %d: vectors are orthonormal up to %.3g, bound %.3g", n, defect, unit)
	}
	return values, vectors
}

// eigenResidual returns the largest ‖A v − λ v‖₂.
func eigenResidual(n int, a, values, vectors []float64) float64 {
	largest := 0.0
	for k, value := range values {
		v, product := vectors[k*n:(k+1)*n], make([]float64, n)
		for i := range n {
			for j := i; j < n; j++ {
				product[i] += a[i*n+j] * v[j]
				if j > i {
					product[j] += a[i*n+j] * v[i]
				}
			}
		}
		// Relative to the largest value: squares of extreme matrices overflow.
		scale := max(math.Abs(values[0]), math.Abs(values[n-1]), math.SmallestNonzeroFloat64)
		sum := 0.0
		for i, p := range product {
			r := p/scale - value/scale*v[i]
			sum += r * r
		}
		largest = math.Max(largest, math.Sqrt(sum)*scale)
	}
	return largest
}

// orthogonalityDefect returns the largest element of |V Vᵀ − I|.
func orthogonalityDefect(n int, vectors []float64) float64 {
	largest := 0.0
	for i := range n {
		for j := range i + 1 {
			sum := 0.0
			for l, v := range vectors[i*n : (i+1)*n] {
				sum += v * vectors[j*n+l]
			}
			if i == j {
				sum--
			}
			largest = math.Max(largest, math.Abs(sum))
		}
	}
	return largest
}

func gonumEigenvalues(t rapid.TB, n int, a []float64) []float64 {
	t.Helper()
	var e mat.EigenSym
	if !e.Factorize(mat.NewSymDense(n, slices.Clone(a)), false) {
		t.Fatal("Gonum's eigenvalues did not converge")
	}
	return e.Values(nil)
}

// reflectedDiagonal returns a symmetric matrix with the given eigenvalues up to
// rounding: a diagonal one between random reflections.
func reflectedDiagonal(g *rand.Rand, spectrum []float64) []float64 {
	n := len(spectrum)
	a := diagonalMatrix(spectrum)
	v, w := make([]float64, n), make([]float64, n)
	for range min(n, 40) {
		norm := 0.0
		for i := range v {
			v[i] = g.NormFloat64()
			norm += v[i] * v[i]
		}
		// A − v wᵀ − w vᵀ with u = 2Av/‖v‖², w = u − (vᵀu/‖v‖²) v.
		inner := 0.0
		for i := range w {
			w[i] = 0
			for j, x := range a[i*n : (i+1)*n] {
				w[i] += 2 / norm * x * v[j]
			}
			inner += w[i] * v[i]
		}
		for i := range w {
			w[i] -= inner / norm * v[i]
		}
		for i := range n {
			for j := range n {
				a[i*n+j] -= v[i]*w[j] + w[i]*v[j]
			}
		}
	}
	return a
}

func diagonalMatrix(d []float64) []float64 {
	n := len(d)
	a := make([]float64, n*n)
	for i, v := range d {
		a[i*n+i] = v
	}
	return a
}

func tridiagonalMatrix(d, e []float64) []float64 {
	n := len(d)
	a := diagonalMatrix(d)
	for i, v := range e {
		a[i*n+i+1], a[(i+1)*n+i] = v, v
	}
	return a
}

func series(n int, value func(i int) float64) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = value(i)
	}
	return s
}
