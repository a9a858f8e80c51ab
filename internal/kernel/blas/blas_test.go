package blas

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// matrix is row-major with NaN in the gaps between its rows.
type matrix struct {
	rows, cols, stride int
	data               []float64
}

func randomMatrix(g *rand.Rand, rows, cols, gap int) matrix {
	m := matrix{rows, cols, max(1, cols) + gap, nil}
	m.data = make([]float64, max(0, (rows-1)*m.stride+cols))
	for i := range m.data {
		m.data[i] = math.NaN()
		if i%m.stride < cols {
			m.data[i] = g.NormFloat64()
		}
	}
	return m
}

func (m matrix) clone() matrix {
	m.data = append([]float64(nil), m.data...)
	return m
}

// fill sets all elements where keep is false, so that NaN there shows a read.
func (m matrix) fill(value float64, keep func(i, j int) bool) {
	for i := range m.rows {
		for j := range m.cols {
			if !keep(i, j) {
				m.data[i*m.stride+j] = value
			}
		}
	}
}

// sameUpTo compares bit by bit where both are NaN, otherwise within tolerance.
func sameUpTo(t rapid.TB, got, want matrix, tolerance float64) {
	t.Helper()
	for i, w := range want.data {
		if v := got.data[i]; !(math.Abs(v-w) <= tolerance) && !(math.IsNaN(v) && math.IsNaN(w)) {
			t.Fatalf("element (%d, %d) is %v, Gonum has %v", i/want.stride, i%want.stride, v, w)
		}
	}
}

func transposed(yes bool, rows, cols int) (int, int) {
	if yes {
		return cols, rows
	}
	return rows, cols
}

var factors = []float64{0, 1, -1, 0.3, -2.5}

// bound is above the rounding errors of products of normal variates.
func bound(k int) float64 { return 1e-14 * float64(k+10) }

func TestDgemmAgainstGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(0, 12), rapid.IntRange(0, 80))
		m, n, k := size.Draw(t, "m"), size.Draw(t, "n"), size.Draw(t, "k")
		tA := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}).Draw(t, "tA")
		tB := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}).Draw(t, "tB")
		alpha, beta := rapid.SampledFrom(factors).Draw(t, "alpha"), rapid.SampledFrom(factors).Draw(t, "beta")
		gap := rapid.IntRange(0, 5).Draw(t, "gap")
		g := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rowsA, colsA := transposed(tA != blas.NoTrans, m, k)
		rowsB, colsB := transposed(tB != blas.NoTrans, k, n)
		a, b, c := randomMatrix(g, rowsA, colsA, gap), randomMatrix(g, rowsB, colsB, gap), randomMatrix(g, m, n, gap)
		if beta == 0 {
			c.fill(math.NaN(), func(int, int) bool { return false })
		}
		want := c.clone()
		gonum.Implementation{}.Dgemm(tA, tB, m, n, k, alpha, a.data, a.stride, b.data, b.stride, beta, want.data, want.stride)
		Implementation{}.Dgemm(tA, tB, m, n, k, alpha, a.data, a.stride, b.data, b.stride, beta, c.data, c.stride)
		sameUpTo(t, c, want, bound(k))
	})
}

func TestDsyrkAgainstGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(0, 150).Draw(t, "n"), rapid.IntRange(0, 60).Draw(t, "k")
		ul := rapid.SampledFrom([]blas.Uplo{blas.Upper, blas.Lower}).Draw(t, "ul")
		tA := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}).Draw(t, "tA")
		alpha, beta := rapid.SampledFrom(factors).Draw(t, "alpha"), rapid.SampledFrom(factors).Draw(t, "beta")
		gap := rapid.IntRange(0, 5).Draw(t, "gap")
		g := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rowsA, colsA := transposed(tA != blas.NoTrans, n, k)
		a, c := randomMatrix(g, rowsA, colsA, gap), randomMatrix(g, n, n, gap)
		// The other triangle is neither read nor written. (With beta = 0, Gonum does
		// multiply an old C by zero where A is transposed and C a lower triangle.)
		c.fill(math.NaN(), func(i, j int) bool { return i == j || (i < j) == (ul == blas.Upper) })
		want := c.clone()
		gonum.Implementation{}.Dsyrk(ul, tA, n, k, alpha, a.data, a.stride, beta, want.data, want.stride)
		Implementation{}.Dsyrk(ul, tA, n, k, alpha, a.data, a.stride, beta, c.data, c.stride)
		sameUpTo(t, c, want, bound(k))
	})
}

func TestDtrsmAgainstGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size, other := rapid.IntRange(0, 100).Draw(t, "size"), rapid.IntRange(0, 40).Draw(t, "other")
		side := rapid.SampledFrom([]blas.Side{blas.Left, blas.Right}).Draw(t, "side")
		ul := rapid.SampledFrom([]blas.Uplo{blas.Upper, blas.Lower}).Draw(t, "ul")
		tA := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}).Draw(t, "tA")
		diag := rapid.SampledFrom([]blas.Diag{blas.NonUnit, blas.Unit}).Draw(t, "diag")
		alpha := rapid.SampledFrom(factors).Draw(t, "alpha")
		gap := rapid.IntRange(0, 5).Draw(t, "gap")
		g := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		rows, cols := transposed(side == blas.Right, size, other)
		a, b := randomMatrix(g, size, size, gap), randomMatrix(g, rows, cols, gap)
		// Well conditioned, and NaN where nothing is to be read.
		for i := range a.data {
			a.data[i] /= float64(size)
		}
		for i := range size {
			a.data[i*a.stride+i] += 2
		}
		a.fill(math.NaN(), func(i, j int) bool {
			return i == j && diag == blas.NonUnit || i != j && (i < j) == (ul == blas.Upper)
		})
		want := b.clone()
		gonum.Implementation{}.Dtrsm(side, ul, tA, diag, rows, cols, alpha, a.data, a.stride, want.data, want.stride)
		Implementation{}.Dtrsm(side, ul, tA, diag, rows, cols, alpha, a.data, a.stride, b.data, b.stride)
		sameUpTo(t, b, want, bound(size))
	})
}

func panicOf(f func()) (message any) {
	defer func() { message = recover() }()
	f()
	return nil
}

func TestRefusesWhatGonumRefuses(t *testing.T) {
	const n = 40
	x := make([]float64, n*n)
	for name, call := range map[string]func(i blas.Float64, y []float64){
		"transpose A":    func(i blas.Float64, y []float64) { i.Dgemm('x', 'N', n, n, n, 1, x, n, x, n, 0, y, n) },
		"transpose B":    func(i blas.Float64, y []float64) { i.Dgemm('N', 0, n, n, n, 1, x, n, x, n, 0, y, n) },
		"negative":       func(i blas.Float64, y []float64) { i.Dgemm('N', 'N', n, -1, n, 1, x, n, x, n, 0, y, n) },
		"stride":         func(i blas.Float64, y []float64) { i.Dgemm('N', 'N', n, n, n, 1, x, n-1, x, n, 0, y, n) },
		"short A":        func(i blas.Float64, y []float64) { i.Dgemm('T', 'N', n, n, n, 1, x[1:], n, x, n, 0, y, n) },
		"short B":        func(i blas.Float64, y []float64) { i.Dgemm('T', 'N', n, n, n, 1, x, n, x[1:], n, 0, y, n) },
		"short C":        func(i blas.Float64, y []float64) { i.Dgemm('T', 'N', n, n, n, 1, x, n, x, n, 0, y[1:], n) },
		"triangle":       func(i blas.Float64, y []float64) { i.Dsyrk('x', 'N', n, n, 1, x, n, 0, y, n) },
		"syrk transpose": func(i blas.Float64, y []float64) { i.Dsyrk('U', 'x', n, n, 1, x, n, 0, y, n) },
		"syrk stride":    func(i blas.Float64, y []float64) { i.Dsyrk('U', 'N', n, n, 1, x, n, 0, y, n-1) },
		"syrk short A":   func(i blas.Float64, y []float64) { i.Dsyrk('L', 'N', n, n, 1, x[1:], n, 0, y, n) },
		"side":           func(i blas.Float64, y []float64) { i.Dtrsm('x', 'L', 'N', 'N', n, n, 1, x, n, y, n) },
		"trsm triangle":  func(i blas.Float64, y []float64) { i.Dtrsm('L', 'x', 'N', 'N', n, n, 1, x, n, y, n) },
		"trsm transpose": func(i blas.Float64, y []float64) { i.Dtrsm('L', 'L', 'x', 'N', n, n, 1, x, n, y, n) },
		"diagonal":       func(i blas.Float64, y []float64) { i.Dtrsm('L', 'L', 'N', 'x', n, n, 1, x, n, y, n) },
		"trsm stride":    func(i blas.Float64, y []float64) { i.Dtrsm('L', 'L', 'N', 'N', n, n, 1, x, n-1, y, n) },
		"trsm short A":   func(i blas.Float64, y []float64) { i.Dtrsm('R', 'L', 'N', 'N', n, n, 1, x[1:], n, y, n) },
		"trsm short B":   func(i blas.Float64, y []float64) { i.Dtrsm('R', 'L', 'N', 'N', n, n, 1, x, n, y[1:], n) },
		"syrk short C":   func(i blas.Float64, y []float64) { i.Dsyrk('L', 'N', n, n, 1, x, n, 0, y[1:], n) },
	} {
		want := panicOf(func() { call(gonum.Implementation{}, make([]float64, n*n)) })
		if got := panicOf(func() { call(Implementation{}, make([]float64, n*n)) }); got == nil || got != want {
			t.Errorf("%s: panic %v, Gonum's %v", name, got, want)
		}
	}
}

// A factorisation works in place on parts of one matrix.
func TestUseReachesLapack(t *testing.T) {
	Use()
	t.Cleanup(func() { blas64.Use(gonum.Implementation{}) })
	if _, ok := blas64.Implementation().(Implementation); !ok {
		t.Fatalf("blas64 uses %T", blas64.Implementation())
	}
	const n = 300
	g := rand.New(rand.NewPCG(1, 1))
	x := mat.NewDense(n, n, randomMatrix(g, n, n, 0).data)
	var qr mat.QR
	qr.Factorize(x)
	var q, r, product, difference mat.Dense
	qr.QTo(&q)
	qr.RTo(&r)
	product.Mul(&q, &r)
	difference.Sub(&product, x)
	if norm := mat.Norm(&difference, math.Inf(1)); !(norm <= 1e-11) {
		t.Errorf("QR − X is %v", norm)
	}
	var gram, back mat.SymDense
	gram.SymOuterK(1, x)
	var c mat.Cholesky
	if !c.Factorize(&gram) {
		t.Fatal("a Gram matrix is not positive definite")
	}
	c.ToSym(&back)
	difference.Sub(&back, &gram)
	if norm := mat.Norm(&difference, math.Inf(1)); !(norm <= 1e-9) {
		t.Errorf("LLᵀ − XXᵀ is %v", norm)
	}
}
