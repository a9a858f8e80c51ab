package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// A stored matrix with a stride and NaN in the gaps, which nobody may read
// into a result or write.
type strided[T Float] struct {
	guarded[T]
	rows, cols, stride int
}

func newStrided[T Float](g *rand.Rand, rows, cols, gap int) strided[T] {
	m := strided[T]{newGuarded[T](max(0, (rows-1)*(cols+gap)+cols)), rows, cols, cols + gap}
	for i := range rows {
		for j := range cols {
			m.data[i*m.stride+j] = T(g.NormFloat64())
		}
	}
	return m
}

func (m strided[T]) at(i, j int, trans bool) float64 {
	if trans {
		i, j = j, i
	}
	return float64(m.data[i*m.stride+j])
}

func checkGemm[T Float](t *testing.T, g *rand.Rand, transA, transB bool, m, n, k, gap int, alpha, beta T) {
	t.Helper()
	shape := func(rows, cols int, trans bool) strided[T] {
		if trans {
			rows, cols = cols, rows
		}
		return newStrided[T](g, rows, cols, gap)
	}
	a, b, c := shape(m, k, transA), shape(k, n, transB), newStrided[T](g, m, n, gap)
	if beta == 0 {
		for i := range c.data {
			c.data[i] = T(math.NaN())
		}
	}
	before := c
	before.data = clone(c.data)
	inA, inB := clone(a.data), clone(b.data)
	Gemm(transA, transB, m, n, k, alpha, a.data, a.stride, b.data, b.stride, beta, c.data, c.stride)
	c.check(t, "C")
	if !sameBits(inA, a.data) || !sameBits(inB, b.data) {
		t.Fatal("Gemm changed its input")
	}
	for i := range m {
		for j := range n {
			sum, scale := 0.0, 0.0
			for l := range k {
				p := float64(alpha) * a.at(i, l, transA) * b.at(l, j, transB)
				sum += p
				scale += math.Abs(p)
			}
			if beta != 0 {
				p := float64(beta) * before.at(i, j, false)
				sum += p
				scale += math.Abs(p)
			}
			near(t, fmt.Sprintf("C[%d][%d] of %d×%d×%d", i, j, m, n, k), c.at(i, j, false), sum, scale*float64(k+4)*epsilon[T]())
		}
		for j := n; j < c.stride && i+1 < m; j++ {
			if v := c.data[i*c.stride+j]; v == v {
				t.Fatal("Gemm wrote between the rows of C")
			}
		}
	}
}

func testGemm[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(21, 22))
	i := 0
	for _, m := range []int{1, 3, 4, 5, 8, 67} {
		for _, n := range []int{1, 11, 12, 13, 24, 25, 50} {
			for _, k := range []int{0, 1, 2, 7, 193} {
				i++
				checkGemm[T](t, g, i&1 > 0, i&2 > 0, m, n, k, i%3, 0.5, T(i%3)-1)
			}
		}
	}
	checkGemm[T](t, g, false, false, 130, 300, 30, 0, -1, 0)
	checkGemm[T](t, g, true, true, 65, 290, 20, 1, 0, 2)
}

func TestGemmMatchesNaiveSums(t *testing.T) {
	eachType(t, testGemm[float32], testGemm[float64])
}

func TestGemmOfAnyShape(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			size := rapid.IntRange(0, 70)
			m, n, k := size.Draw(r, "m"), size.Draw(r, "n"), size.Draw(r, "k")
			g := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
			transA, transB := rapid.Bool().Draw(r, "transA"), rapid.Bool().Draw(r, "transB")
			gap := rapid.IntRange(0, 3).Draw(r, "gap")
			checkGemm[float64](t, g, transA, transB, m, n, k, gap, 2, 1)
			checkGemm[float32](t, g, transA, transB, m, n, k, gap, 2, 0)
		})
	})
}

func TestGemmDoesNotAllocate(t *testing.T) {
	if poolForgets {
		t.Skip("sync.Pool keeps nothing here")
	}
	g := rand.New(rand.NewPCG(23, 24))
	eachImplementation(t, func(t *testing.T) {
		a := newStrided[float64](g, 13, 13, 0)
		c := newStrided[float64](g, 13, 13, 0)
		// The scratch may be collected between two runs, but not in each.
		if n := testing.AllocsPerRun(100, func() {
			Gemm(true, false, 13, 13, 13, 1, a.data, 13, a.data, 13, 0, c.data, 13)
		}); n >= 1 {
			t.Fatalf("%v allocations", n)
		}
	})
}

func TestGemmRejectsShortSlices(t *testing.T) {
	s := make([]float64, 12)
	for name, call := range map[string]func(){
		"a":      func() { Gemm(false, false, 4, 3, 3, 1, s[:11], 3, s, 3, 0, s, 3) },
		"b":      func() { Gemm(false, true, 4, 3, 3, 1, s, 3, s[:8], 3, 0, s, 3) },
		"c":      func() { Gemm(false, false, 4, 3, 3, 1, s, 3, s, 3, 0, s[:11], 3) },
		"stride": func() { Gemm(false, false, 4, 3, 3, 1, s, 2, s, 3, 0, s, 3) },
		"size":   func() { Gemm(false, false, -1, 3, 3, 1, s, 3, s, 3, 0, s, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}
