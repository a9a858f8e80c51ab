package linop

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// orthogonalise subtracts from w its components along the orthonormal rows of
// basis and returns the norm of what was removed and of what is left. h is working
// memory of at least len(basis).
//
// It is classical Gram–Schmidt, because all coefficients come from the same w and
// the basis is read twice, in blocks, where the modified form runs through w once a
// row. A pass that leaves less than 1/√2 of the norm has cancelled digits and is
// repeated (Daniel, Gragg, Kaufman & Stewart 1976); twice is enough (Giraud, Langou,
// Rozložník & van den Eshof 2005). What a second pass shrinks as well is in the span
// of the basis as far as float64 can tell; the caller sees it by the norm, see rounding.
func orthogonalise(w []float64, basis [][]float64, h []float64) (removed, norm float64) {
	h = h[:len(basis)]
	norm = floats.Norm(w, 2)
	for range 2 {
		before := norm
		coefficients(h, basis, w)
		addCombination(w, -1, h, basis)
		removed += floats.Norm(h, 2)
		if norm = floats.Norm(w, 2); norm >= before*math.Sqrt2/2 {
			break
		}
	}
	return removed, norm
}

// blockLength is the number of elements of w that stay in the first-level cache
// while the same elements of all rows pass by.
const blockLength = 2048

// coefficients computes h_i = basis_i·w.
func coefficients(h []float64, basis [][]float64, w []float64) {
	clear(h)
	for from := 0; from < len(w); from += blockLength {
		to := min(from+blockLength, len(w))
		for i, v := range basis {
			h[i] += floats.Dot(v[from:to], w[from:to])
		}
	}
}

// addCombination computes w += s·Σ_i h_i basis_i.
func addCombination(w []float64, s float64, h []float64, basis [][]float64) {
	for from := 0; from < len(w); from += blockLength {
		to := min(from+blockLength, len(w))
		for i, v := range basis {
			floats.AddScaled(w[from:to], s*h[i], v[from:to])
		}
	}
}
