package linop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// chosenSpectra returns spectra of n values, in any order.
func chosenSpectra(n int) map[string][]float64 {
	g := rand.New(rand.NewPCG(1, 1))
	return map[string][]float64{
		"random":                series(n, func(int) float64 { return g.NormFloat64() }),
		"positive":              series(n, func(int) float64 { return g.ExpFloat64() }),
		"arithmetic":            series(n, func(i int) float64 { return float64(i + 1) }),
		"geometric":             series(n, func(i int) float64 { return math.Pow(1e-16, float64(i)/float64(n-1)) }),
		"steep":                 series(n, func(i int) float64 { return math.Pow(1e-300, float64(i)/float64(n-1)) }),
		"cluster at one":        series(n, func(i int) float64 { return 1 + 1e-15*g.NormFloat64() }),
		"two clusters":          series(n, func(i int) float64 { return float64(i%2) + 1e-13*g.NormFloat64() }),
		"clusters of all sizes": series(n, func(i int) float64 { return math.Floor(math.Sqrt(float64(i))) }),
		"one large":             series(n, func(i int) float64 { return math.Pow(1e-12, math.Ceil(float64(i)/float64(n))) }),
		"one small":             series(n, func(i int) float64 { return math.Pow(1e-12, math.Floor(float64(i)/float64(n-1))) }),
		"plus and minus":        series(n, func(i int) float64 { return float64(i/2+1) * float64(1-i%2*2) }),
		"projection":            series(n, func(i int) float64 { return float64(i % 3 / 2) }),
		"identity":              series(n, func(int) float64 { return 1 }),
	}
}

func checkChosenSpectrum(t *testing.T, spectrum []float64) {
	n := len(spectrum)
	values, _ := checkEigen(t, n, reflectedDiagonal(rand.New(rand.NewPCG(1, 2)), spectrum))
	slices.Sort(spectrum)
	scale := max(math.Abs(spectrum[0]), math.Abs(spectrum[n-1]))
	for i, want := range spectrum {
		// The reflections of the construction round, too.
		if !(math.Abs(values[i]-want) <= 200*0x1p-52*math.Sqrt(float64(n))*scale) {
			t.Errorf("value %d is %v, chosen %v", i, values[i], want)
		}
	}
}

func TestEigenSymFindsAChosenSpectrum(t *testing.T) {
	for _, n := range []int{50, 129} {
		for name, spectrum := range chosenSpectra(n) {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) { checkChosenSpectrum(t, spectrum) })
		}
	}
	// Merges of more than one chunk of vectors, and several blocks of every kind.
	for _, name := range []string{"random", "clusters of all sizes", "two clusters"} {
		t.Run(name+"/300", func(t *testing.T) { checkChosenSpectrum(t, chosenSpectra(300)[name]) })
	}
}

// wilkinson returns W⁺_{2m+1}: its large eigenvalues come in pairs that agree to
// many digits.
func wilkinson(m int) (d, e []float64) {
	for i := -m; i <= m; i++ {
		d = append(d, math.Abs(float64(i)))
	}
	return d, series(2*m, func(int) float64 { return 1 })
}

// glued joins copies of W⁺_21 by small elements: clusters whose values are
// separated by less than they can be computed.
func glued(copies int, glue float64) []float64 {
	var d, e []float64
	for range copies {
		if len(d) > 0 {
			e = append(e, glue)
		}
		w, ones := wilkinson(10)
		d, e = append(d, w...), append(e, ones...)
	}
	return tridiagonalMatrix(d, e)
}

func TestEigenSymOfKnownMatrices(t *testing.T) {
	g := rand.New(rand.NewPCG(2, 1))
	for _, m := range []int{10, 50} {
		checkEigen(t, 2*m+1, tridiagonalMatrix(wilkinson(m)))
	}
	for _, glue := range []float64{1e-14, 1e-10, 1e-8, 1e-4} {
		checkEigen(t, 147, glued(7, glue))
	}
	for _, n := range []int{2, 33, 130} {
		checkEigen(t, n, diagonalMatrix(series(n, func(int) float64 { return g.NormFloat64() })))
		checkEigen(t, n, diagonalMatrix(series(n, func(i int) float64 { return float64(i % 5) })))
		checkEigen(t, n, tridiagonalMatrix(series(n, func(int) float64 { return g.NormFloat64() }), series(n-1, func(int) float64 { return 1e-9 * g.NormFloat64() })))
		hilbert := make([]float64, n*n)
		for i := range hilbert {
			hilbert[i] = 1 / float64(i/n+i%n+1)
		}
		checkEigen(t, n, hilbert)
	}
}

func TestEigenSymOfTheSecondDifference(t *testing.T) {
	for _, n := range []int{40, 150} {
		a := tridiagonalMatrix(series(n, func(int) float64 { return 2 }), series(n-1, func(int) float64 { return -1 }))
		values, vectors := checkEigen(t, n, a)
		for k, got := range values {
			angle := float64(k+1) * math.Pi / float64(n+1)
			if want := 2 - 2*math.Cos(angle); !(math.Abs(got-want) <= 1e-14*math.Sqrt(float64(n))) {
				t.Errorf("value %d is %v, want %v", k, got, want)
			}
			v := vectors[k*n : (k+1)*n]
			sign := math.Copysign(math.Sqrt(2/float64(n+1)), v[0])
			for i, got := range v {
				if want := sign * math.Sin(float64(i+1)*angle); !(math.Abs(got-want) <= 1e-12*float64(n)) {
					t.Fatalf("vector %d, element %d: %v, want %v", k, i, got, want)
				}
			}
		}
	}
}

// A Gram matrix of duplicated rows has a large null space, and one of ones a
// single value n.
func TestEigenSymOfRankDeficientGramMatrices(t *testing.T) {
	g := rand.New(rand.NewPCG(3, 1))
	for _, test := range []struct{ n, rank, distinct int }{{60, 5, 60}, {60, 80, 20}, {200, 30, 100}, {270, 300, 269}, {100, 1, 100}} {
		x := make([]float64, test.n*test.rank)
		for i := range x {
			x[i] = g.NormFloat64()
		}
		for i := test.distinct; i < test.n; i++ {
			copy(x[i*test.rank:(i+1)*test.rank], x[(i-test.distinct)*test.rank:])
		}
		a := make([]float64, test.n*test.n)
		for i := range test.n {
			for j := range test.n {
				for l := range test.rank {
					a[i*test.n+j] += x[i*test.rank+l] * x[j*test.rank+l]
				}
			}
		}
		values, _ := checkEigen(t, test.n, a)
		null := test.n - min(test.rank, test.distinct)
		for i, v := range values[:null] {
			if !(math.Abs(v) <= eigenTolerance*0x1p-52*math.Sqrt(float64(test.n))*values[test.n-1]) {
				t.Errorf("n = %d: value %d of the null space is %v", test.n, i, v)
			}
		}
		if !(values[null] > 1e-9*values[test.n-1]) {
			t.Errorf("n = %d: value %d of the range is %v", test.n, null, values[null])
		}
	}
	ones := series(90*90, func(int) float64 { return 1 })
	if values, _ := checkEigen(t, 90, ones); !(math.Abs(values[89]-90) <= 1e-12) || !(math.Abs(values[88]) <= 1e-12) {
		t.Errorf("matrix of ones: %v", values[88:])
	}
}

func TestEigenSymAtTheEdgesOfBlocks(t *testing.T) {
	g := rand.New(rand.NewPCG(4, 1))
	for _, n := range []int{1, 2, 3, 4, 5, 16, 17, 31, 32, 33, 34, 63, 64, 65, 66, 96, 97, 127, 128, 129, 130, 160, 161, 257} {
		a := make([]float64, n*n)
		for i := range a {
			a[i] = g.NormFloat64()
		}
		checkEigen(t, n, a)
		checkEigen(t, n, make([]float64, n*n))
	}
}

// Blocks far below the norm, where squares and inverses leave the range. Gonum's
// own eigenvalues panic there (v0.17, Dsterf).
func TestEigenSymOfBlocksOfExtremeScales(t *testing.T) {
	g := rand.New(rand.NewPCG(7, 1))
	const blocks, m = 6, 30
	const n = blocks * m
	for _, touch := range []float64{0, 1e-20, 1e-170} {
		a := make([]float64, n*n)
		for i := range n {
			scale := []float64{1e-160, 1e-250, 1, 1e-310, 1e-30, 1e-100}[i/m]
			for j := i; j < i/m*m+m; j++ {
				a[i*n+j] = scale * g.NormFloat64()
			}
			if i+1 < n {
				a[i*n+i+1] += touch
			}
		}
		checkEigenpairs(t, n, a)
	}
}

// The scale of a matrix leaves vectors alone, as long as nothing underflows.
func TestEigenSymOfExtremeScales(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 1))
	const n = 70
	a := reflectedDiagonal(g, series(n, func(int) float64 { return g.NormFloat64() }))
	values, vectors := checkEigen(t, n, a)
	for _, exponent := range []int{-1060, -990, -600, 600, 990, 1020} {
		scaled := make([]float64, n*n)
		for i, v := range a {
			scaled[i] = math.Ldexp(v, exponent)
		}
		got, v, err := EigenSym(n, scaled)
		if err != nil {
			t.Fatal(err)
		}
		if exponent > -900 && !slices.Equal(v, vectors) {
			t.Errorf("2^%d: the vectors differ", exponent)
		}
		for i := range got {
			// A denormal number has an absolute error.
			if want := math.Ldexp(values[i], exponent); !(math.Abs(got[i]-want) <= n*math.SmallestNonzeroFloat64) {
				t.Errorf("2^%d: value %d is %v, want %v", exponent, i, got[i], want)
			}
		}
		if defect := orthogonalityDefect(n, v); !(defect <= 1e-13) {
			t.Errorf("2^%d: vectors are orthonormal up to %v", exponent, defect)
		}
	}
	if values, _, err := EigenSym(2, []float64{math.MaxFloat64, math.MaxFloat64, 0, math.MaxFloat64}); err == nil {
		t.Errorf("values beyond the range: %v", values)
	}
	if values, _, err := EigenSym(2, []float64{1e308, 1e-308, 0, -1e308}); err != nil || values[0] != -1e308 || values[1] != 1e308 {
		t.Errorf("values %v, %v", values, err)
	}
}

func TestEigenSymReadsTheUpperTriangleOnly(t *testing.T) {
	g := rand.New(rand.NewPCG(6, 1))
	const n = 150
	a := make([]float64, n*n)
	for i := range n {
		for j := range n {
			a[i*n+j] = g.NormFloat64()
			if j < i {
				a[i*n+j] = math.NaN()
			}
		}
	}
	before := slices.Clone(a)
	values, vectors := checkEigen(t, n, a)
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(before[i]) {
			t.Fatal("EigenSym changed its argument")
		}
	}
	for i := range n {
		for j := range i {
			a[i*n+j] = a[j*n+i]
		}
	}
	again, v, err := EigenSym(n, a)
	if err != nil || !slices.Equal(values, again) || !slices.Equal(vectors, v) {
		t.Error("the lower triangle changed the result, or a second call did")
	}
}

// Calls at the same time share the products' scratch memory, and nothing else.
func TestEigenSymOfManyGoroutines(t *testing.T) {
	const n = 140
	a := reflectedDiagonal(rand.New(rand.NewPCG(8, 1)), chosenSpectra(n)["random"])
	values, vectors, err := EigenSym(n, a)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			again, v, err := EigenSym(n, a)
			if err != nil || !slices.Equal(values, again) || !slices.Equal(vectors, v) {
				t.Error("calls at the same time differ from one alone")
			}
		})
	}
	group.Wait()
}

func TestEigenSymRefuses(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		a := make([]float64, 40*40)
		a[3*40+7] = bad
		if _, _, err := EigenSym(40, a); err == nil || !strings.Contains(err.Error(), "(3, 7)") {
			t.Errorf("%v: error %v", bad, err)
		}
	}
	if values, vectors, err := EigenSym(0, nil); err != nil || len(values) != 0 || len(vectors) != 0 {
		t.Errorf("n = 0: %v %v %v", values, vectors, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic about a matrix that is too short")
		}
	}()
	EigenSym(3, make([]float64, 8))
}

// Matrices with repeated and close values, zero rows, and blocks that do not touch.
func TestEigenSymOfRandomStructure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 110).Draw(t, "n")
		g := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		distinct := rapid.IntRange(1, n).Draw(t, "distinct")
		spread := math.Pow(10, -float64(rapid.IntRange(0, 18).Draw(t, "spread")))
		noise := math.Pow(10, -float64(rapid.IntRange(8, 20).Draw(t, "noise")))
		centres := series(distinct, func(int) float64 { return math.Pow(spread, g.Float64()) * float64(g.IntN(3)-1) })
		centres[0] = 1
		a := reflectedDiagonal(g, series(n, func(i int) float64 { return centres[i%distinct] + noise*g.NormFloat64() }))
		if cut := rapid.IntRange(0, n).Draw(t, "cut"); rapid.Bool().Draw(t, "split") {
			for i := range cut {
				clear(a[i*n+cut : (i+1)*n])
			}
		}
		checkEigen(t, n, a)
	})
}
