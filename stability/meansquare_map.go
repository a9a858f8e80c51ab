package stability

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"sobolev/internal/kernel"
)

// momentMap is a linear map of symmetric r×r matrices that takes positive
// semi-definite matrices to such, in coordinates in which it is self-adjoint:
//
//	V ↦ shift∘V + gain·scale∘D(scale∘V),
//	D X = (1−p) (h hᵀ)∘X + (p/n) Σ_i Q_iᵀ (Q_i X Q_iᵀ) Q_i,
//
// where h = Λ/n, Q_i are the c rows of Q that belong to sample i and p is
// Sampling.BatchVariance. The matrix X = scale∘V is the one in the cone. With
// scale_ab = ((h_a+h_b)/2)^{−1/2}, shift = 0 and gain = 1 it is similar to C⁻¹D,
// C X = (HX+XH)/2; with scale = 1, shift_ab = 1−η(h_a+h_b) and gain = η² it is T_2.
//
// Vectors hold the upper triangle row by row, elements off the diagonal times
// √2, so that their inner product is that of the matrices.
type momentMap struct {
	*Span
	p            float64
	scale, shift []float64
	gain         float64
	h            []float64
	// transposed is Qᵀ, r×nc; blocks, n×c×c, and the rest are work: matrix is r×r,
	// the panels are r×mapPanel and nc×mapPanel.
	transposed, blocks, matrix, panel, gradientPanel []float64
}

// mapPanel is the width of the panels in which apply cuts its triangles: a multiple
// of the columns of kernel's tiles. With 2,000 gradients panels that lie together
// make the products 1.4 times as fast as columns of a matrix.
const mapPanel = 132

// newMomentMap returns the map for C⁻¹D.
func (s *Span) newMomentMap(sampling Sampling, batch int) *momentMap {
	r, m := s.Rank, s.N*s.C
	a := &momentMap{
		Span: s, p: sampling.BatchVariance(s.N, batch), gain: 1,
		h: make([]float64, r), transposed: make([]float64, r*m), blocks: make([]float64, m*s.C), matrix: make([]float64, r*r),
		panel: make([]float64, r*mapPanel), gradientPanel: make([]float64, m*mapPanel), scale: make([]float64, r*(r+1)/2),
	}
	for j, l := range s.Lambda {
		a.h[j] = l / float64(s.N)
	}
	for i := range m {
		for j, q := range s.Q[i*r : (i+1)*r] {
			a.transposed[j*m+i] = q
		}
	}
	a.each(func(at, i, j int) { a.scale[at] = math.Sqrt(2 / (a.h[i] + a.h[j])) })
	return a
}

// newRadiusMap returns the map T_2.
func (s *Span) newRadiusMap(eta float64, sampling Sampling, batch int) *momentMap {
	a := s.newMomentMap(sampling, batch)
	a.gain, a.shift = eta*eta, make([]float64, len(a.scale))
	a.each(func(at, i, j int) { a.scale[at], a.shift[at] = 1, 1-eta*(a.h[i]+a.h[j]) })
	return a
}

// mapBytes is the memory of a momentMap, and vectorBytes that of a vector.
func (s *Span) mapBytes() int64 {
	r, m := int64(s.Rank), int64(s.N)*int64(s.C)
	return 8*(r*r+m*r+(r+m)*mapPanel+m*int64(s.C)) + 2*s.vectorBytes()
}

func (s *Span) vectorBytes() int64 { return 4 * int64(s.Rank) * int64(s.Rank+1) }

// each calls f for every element of a vector and its place in the matrix.
func (a *momentMap) each(f func(at, i, j int)) {
	at := 0
	for i := range a.Rank {
		for j := i; j < a.Rank; j++ {
			f(at, i, j)
			at++
		}
	}
}

// identity returns the vector whose X is the identity.
func (a *momentMap) identity() []float64 {
	v := make([]float64, len(a.scale))
	a.each(func(at, i, j int) {
		if i == j {
			v[at] = 1 / a.scale[at]
		}
	})
	return v
}

// apply sets dst to the image of v. Symmetry halves both products of
// 2·nc·r² operations: with X = U + Uᵀ, U upper triangular, Q_i X Q_iᵀ is
// Q_i U Q_iᵀ plus its transpose, and of the result only the upper triangle is
// computed. Workers share the rows of the products.
func (a *momentMap) apply(dst, v []float64) {
	m := a.N * a.C
	clear(a.blocks)
	for j := 0; j < a.Rank; j += mapPanel {
		cols := min(mapPanel, a.Rank-j)
		a.fillPanel(v, j, cols)
		eachChunk(a.Workers, m, func(from, to int) {
			kernel.Gemm(false, false, to-from, cols, j+cols, 1, a.Q[from*a.Rank:], a.Rank, a.panel, mapPanel, 0, a.gradientPanel[from*mapPanel:], mapPanel)
			a.addBlocks(j, cols, from, to)
		})
	}
	for j := 0; j < a.Rank; j += mapPanel {
		cols := min(mapPanel, a.Rank-j)
		eachChunk(a.Workers, m, func(from, to int) { a.multiplyBlocks(j, cols, from, to) })
		eachChunk(a.Workers, j+cols, func(from, to int) {
			kernel.Gemm(false, false, to-from, cols, m, a.p/float64(a.N), a.transposed[from*m:], m, a.gradientPanel, mapPanel, 0, a.panel[from*mapPanel:], mapPanel)
			a.gatherPanel(dst, v, j, cols, from, to)
		})
	}
}

// rowStart is the place in a vector of element (i, 0), had it one.
func (a *momentMap) rowStart(i int) int { return i*a.Rank - i*(i+1)/2 }

// fillPanel sets panel to columns j … j+cols−1 of U, which end with row j+cols−1.
func (a *momentMap) fillPanel(v []float64, j, cols int) {
	for i := range j + cols {
		row, start := a.panel[i*mapPanel:i*mapPanel+cols], a.rowStart(i)
		first := max(i, j)
		clear(row[:first-j])
		for l := first; l < j+cols; l++ {
			row[l-j] = v[start+l] * a.scale[start+l] * (1 / math.Sqrt2)
		}
		if i >= j {
			row[i-j] = v[start+i] * a.scale[start+i] / 2
		}
	}
}

// addBlocks adds to the rows from … to−1 of blocks Z_i Q_iᵀ over these columns, Z = Q U.
func (a *momentMap) addBlocks(j, cols, from, to int) {
	c := a.C
	for row := from; row < to; row++ {
		z, first := a.gradientPanel[row*mapPanel:row*mapPanel+cols], row/c*c
		for o := range c {
			a.blocks[row*c+o] += floats.Dot(z, a.Q[(first+o)*a.Rank+j:][:cols])
		}
	}
}

// multiplyBlocks sets these rows of the panel to P_i Q_i in these columns, P_i a block and
// its transpose.
func (a *momentMap) multiplyBlocks(j, cols, from, to int) {
	c := a.C
	for row := from; row < to; row++ {
		y, first := a.gradientPanel[row*mapPanel:row*mapPanel+cols], row/c*c
		clear(y)
		for o := range c {
			kernel.Axpy(y, a.blocks[row*c+o]+a.blocks[(first+o)*c+row-first], a.Q[(first+o)*a.Rank+j:][:cols])
		}
	}
}

// gatherPanel sets dst in these columns and rows, from the panel and the elementwise part.
func (a *momentMap) gatherPanel(dst, v []float64, j, cols, from, to int) {
	for i := from; i < to; i++ {
		row, start := a.panel[i*mapPanel:i*mapPanel+cols], a.rowStart(i)
		for l := max(i, j); l < j+cols; l++ {
			at, root := start+l, math.Sqrt2
			if l == i {
				root = 1
			}
			s := a.scale[at]
			dst[at] = a.gain * s * ((1-a.p)*a.h[i]*a.h[l]*s*v[at] + root*row[l-j])
			if a.shift != nil {
				dst[at] += a.shift[at] * v[at]
			}
		}
	}
}
