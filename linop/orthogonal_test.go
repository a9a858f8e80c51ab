package linop

import (
	"context"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
)

func unitRows(m, n int) [][]float64 {
	basis := make([][]float64, m)
	_, vectors, err := EigenSym(n, slices.Clone(withSpectrum(floats.Span(make([]float64, n), 0, 1), seeded(1)).a))
	if err != nil {
		panic(err)
	}
	for i := range basis {
		basis[i] = vectors[i*n : (i+1)*n]
	}
	return basis
}

// A vector that is nearly in the span of the basis keeps what is outside, and that
// is orthogonal to the basis relative to its own small norm: this takes two passes.
func TestOrthogonaliseTwice(t *testing.T) {
	const n, m = 90, 40
	rows := unitRows(m+1, n)
	basis, outside := rows[:m], rows[m]
	inside := gaussian(m, seeded(2))
	for _, small := range []float64{1, 1e-3, 1e-6, 1e-9} {
		w := make([]float64, n)
		addCombination(w, 1, inside, basis)
		floats.AddScaled(w, small, outside)
		removed, norm := orthogonalise(w, basis, make([]float64, n))
		if want := floats.Norm(inside, 2); !(math.Abs(removed-want) <= 1e-13*want) || !(math.Abs(norm-small) <= 1e-14) {
			t.Errorf("%v outside: removed %v of %v, left %v", small, removed, want, norm)
		}
		for i, v := range basis {
			if cosine := floats.Dot(v, w) / norm; !(math.Abs(cosine) <= 2e-15) {
				t.Errorf("%v outside: cosine %v with row %d", small, cosine, i)
			}
		}
	}
}

// Blocks are a matter of speed alone: vectors of several blocks and a rest.
func TestBlocksOfLongVectors(t *testing.T) {
	const n = 2*blockLength + 17
	basis := [][]float64{gaussian(n, seeded(1)), gaussian(n, seeded(2)), gaussian(n, seeded(3))}
	w, h := gaussian(n, seeded(4)), make([]float64, 3)
	coefficients(h, basis, w)
	for i, v := range basis {
		var want float64
		for j := range v {
			want += v[j] * w[j]
		}
		if !(math.Abs(h[i]-want) <= 1e-11) {
			t.Errorf("coefficient %d is %v, want %v", i, h[i], want)
		}
	}
	got := slices.Clone(w)
	addCombination(got, -2, h, basis)
	for j := range got {
		if want := w[j] - 2*(h[0]*basis[0][j]+h[1]*basis[1][j]+h[2]*basis[2][j]); !(math.Abs(got[j]-want) <= 1e-11) {
			t.Fatalf("element %d is %v, want %v", j, got[j], want)
		}
	}
}

// The basis of the range has as many vectors as the matrix has rank, however many
// columns are drawn, and every product is in its span. Where the first columns happen
// to be nearly parallel, rounding adds a vector to the basis, which does no harm.
func TestRangeBasis(t *testing.T) {
	more := 0
	for seed := range uint64(60) {
		rank := int(seed % 6)
		spectrum := make([]float64, 40)
		for i := range rank {
			spectrum[i] = math.Pow(-10, float64(-i))
		}
		a := withSpectrum(spectrum, seeded(seed))
		basis, err := rangeBasis(context.Background(), a, 8, seeded(100+seed))
		if err != nil || len(basis) < rank {
			t.Fatalf("rank %d: %d vectors, %v", rank, len(basis), err)
		}
		more += len(basis) - rank
		for i, v := range basis {
			for j := range i + 1 {
				want := 0.0
				if i == j {
					want = 1
				}
				if got := floats.Dot(v, basis[j]); !(math.Abs(got-want) <= 1e-14) {
					t.Errorf("rank %d: q_%d·q_%d = %v", rank, i, j, got)
				}
			}
		}
		w := make([]float64, 40)
		a.Apply(w, gaussian(40, seeded(6)))
		if _, left := orthogonalise(w, basis, make([]float64, 40)); !(left <= 1e-13) {
			t.Errorf("rank %d: a product has a part of norm %v outside the range", rank, left)
		}
	}
	if more > 8 {
		t.Errorf("%d vectors more than the ranks of 60 matrices", more)
	}
}
