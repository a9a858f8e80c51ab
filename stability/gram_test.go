package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// randomGradients returns n·c gradients in R^w, nc×w row-major, that span a
// random subspace of dimension min(rank, nc, w): J = G F with independent
// normal nc×rank and rank×w factors, rows of the order of one.
func randomGradients(rng *rand.Rand, n, c, w, rank int) (j []float64) {
	left, right := normalVector(rng, n*c*rank), normalVector(rng, rank*w)
	return denseProduct(left, right, n*c, rank, w, 1/math.Sqrt(float64(rank*w)))
}

// gramOf returns K = J Jᵀ of the gradients j, nc×w row-major.
func gramOf(j []float64, n, c, w int) Gram {
	m := n * c
	k := make([]float64, m*m)
	for a := range m {
		for b := range m {
			for x := range w {
				k[a*m+b] += j[a*w+x] * j[b*w+x]
			}
		}
	}
	return Gram{N: n, C: c, K: k}
}

func normalVector(rng *rand.Rand, size int) []float64 {
	v := make([]float64, size)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

// denseProduct returns scale·A B of the row-major matrices A, m×k, and B, k×n.
func denseProduct(a, b []float64, m, k, n int, scale float64) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		for l := range k {
			for j := range n {
				c[i*n+j] += scale * a[i*k+l] * b[l*n+j]
			}
		}
	}
	return c
}

// newSpan is NewSpan for a Gram matrix that has one.
func newSpan(t testing.TB, g Gram) *Span {
	t.Helper()
	s, err := NewSpan(g)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The rows of Q have the Gram matrix K, H is diagonal in their coordinates, and
// the rank is that of the gradients.
func TestSpanKeepsProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for _, size := range []struct{ n, c, w, rank int }{{5, 1, 9, 9}, {4, 3, 20, 7}, {6, 2, 5, 5}, {1, 2, 3, 1}} {
		g := gramOf(randomGradients(rng, size.n, size.c, size.w, size.rank), size.n, size.c, size.w)
		s := newSpan(t, g)
		if want := min(size.rank, size.w, size.n*size.c); s.Rank != want || len(s.Lambda) != want {
			t.Errorf("%+v: rank %d", size, s.Rank)
		}
		m := size.n * size.c
		for a := range m {
			for b := range m {
				var sum float64
				for x := range s.Rank {
					sum += s.Q[a*s.Rank+x] * s.Q[b*s.Rank+x]
				}
				if !(math.Abs(sum-g.K[a*m+b]) <= 1e-12*s.Lambda[0]) {
					t.Fatalf("%+v: Q Qᵀ[%d,%d] = %v, K %v", size, a, b, sum, g.K[a*m+b])
				}
			}
		}
		for x := range s.Rank {
			for y := range s.Rank {
				var sum float64
				for a := range m {
					sum += s.Q[a*s.Rank+x] * s.Q[a*s.Rank+y]
				}
				want := 0.0
				if x == y {
					want = s.Lambda[x]
				}
				if !(math.Abs(sum-want) <= 1e-12*s.Lambda[0]) {
					t.Fatalf("%+v: QᵀQ[%d,%d] = %v, want %v", size, x, y, sum, want)
				}
			}
		}
	}
}

func TestSpanRefuses(t *testing.T) {
	if _, err := NewSpan(Gram{N: 1, C: 2, K: []float64{1, 0, 0, math.NaN()}}); err == nil {
		t.Error("a Gram matrix with NaN has a span")
	}
	s := newSpan(t, Gram{N: 2, C: 1, K: make([]float64, 4)})
	if s.Rank != 0 || len(s.Q) != 0 {
		t.Errorf("gradients that are all zero have rank %d", s.Rank)
	}
}
