package linop

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/lapack"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"

	"sobolev/internal/kernel"
)

const (
	leafRows  = 32  // a tridiagonal matrix of at most this size is solved by QL iterations
	chunkRows = 256 // eigenvectors of a merge that are formed at once
)

var errNoConvergence = errors.New("the eigenvalues of a symmetric matrix did not converge")

// divided solves the eigenproblem of a symmetric tridiagonal matrix T by divide
// and conquer (Cuppen, 1981): T is two tridiagonal blocks plus a matrix of rank
// one, ρ u uᵀ with u = (0 … 0 1 ±1 0 … 0). In the basis of the blocks'
// eigenvectors that is D + ρ z zᵀ, whose eigenvalues are the roots of the secular
// equation.
type divided struct {
	n             int
	diagonal, off []float64 // of T; solve changes them
	// values[i] belongs to row i of vectors, which is zero outside the columns of
	// the block that is solved.
	values, vectors []float64
	// order lists the rows of every solved block in ascending order of its values.
	order []int

	z       []float64
	secular secular
	// gathered holds the live rows of a merge, chunk some of the eigenvectors of
	// D + ρ z zᵀ, product some of the merged vectors.
	gathered, chunk, product []float64
}

func newDivided(diagonal, off []float64) *divided {
	n := len(diagonal)
	return &divided{
		n: n, diagonal: diagonal, off: off,
		values: make([]float64, n), vectors: make([]float64, n*n), order: make([]int, n), z: make([]float64, n),
	}
}

// solve finds the eigenvalues and vectors of rows and columns lo … hi−1.
func (s *divided) solve(lo, hi int) error {
	if hi-lo <= leafRows {
		return s.leaf(lo, hi)
	}
	mid := (lo + hi) / 2
	rho, sign := math.Abs(s.off[mid-1]), math.Copysign(1, s.off[mid-1])
	s.diagonal[mid-1] -= rho
	s.diagonal[mid] -= rho
	if err := s.solve(lo, mid); err != nil {
		return err
	}
	if err := s.solve(mid, hi); err != nil {
		return err
	}
	return s.merge(lo, mid, hi, rho, sign)
}

func (s *divided) leaf(lo, hi int) error {
	m := hi - lo
	columns, work := make([]float64, m*m), make([]float64, max(1, 2*m-2))
	copy(s.values[lo:hi], s.diagonal[lo:hi])
	off := slices.Clone(s.off[lo : hi-1])
	if !(lapackgonum.Implementation{}).Dsteqr(lapack.EVTridiag, m, s.values[lo:hi], off, columns, m, work) {
		return errNoConvergence
	}
	for i := range m {
		s.order[lo+i] = lo + i
		for j := range m {
			s.vectors[(lo+i)*s.n+lo+j] = columns[j*m+i]
		}
	}
	return nil
}

// merge joins the solutions of lo … mid−1 and mid … hi−1.
func (s *divided) merge(lo, mid, hi int, rho, sign float64) error {
	// u has norm √2; z has norm one.
	rho *= 2
	for i := lo; i < mid; i++ {
		s.z[i] = s.vectors[i*s.n+mid-1] * math.Sqrt2 / 2
	}
	for i := mid; i < hi; i++ {
		s.z[i] = s.vectors[i*s.n+mid] * math.Sqrt2 / 2 * sign
	}
	s.sort(lo, hi)
	live, span := s.deflate(lo, mid, hi, rho)
	if len(live) > 0 {
		if err := s.update(lo, mid, hi, rho, live, span); err != nil {
			return err
		}
		s.sort(lo, hi)
	}
	return nil
}

// sort orders the rows of a block by their values.
func (s *divided) sort(lo, hi int) {
	slices.SortStableFunc(s.order[lo:hi], func(i, j int) int { return cmp.Compare(s.values[i], s.values[j]) })
}

// update replaces the live rows by the eigenvectors of the merged block: D + ρ z zᵀ
// of the live values is solved, and the eigenvectors are multiplied by the live
// rows, those rows left out of the product of a half that are zero there.
func (s *divided) update(lo, mid, hi int, rho float64, live []int, span []extent) error {
	if err := s.secular.solve(s.values, s.z, rho, live); err != nil {
		return err
	}
	k, width, first, second := len(live), hi-lo, mid-lo, hi-mid
	place, inFirst, inSecond := grouped(span)
	s.gathered = resize(s.gathered, inFirst*first+inSecond*second)
	top, bottom := s.gathered[:inFirst*first], s.gathered[inFirst*first:]
	for i, row := range live {
		v := s.vectors[row*s.n:]
		if p := place[i]; p < inFirst {
			copy(top[p*first:(p+1)*first], v[lo:mid])
		}
		if p := place[i] - (k - inSecond); p >= 0 {
			copy(bottom[p*second:(p+1)*second], v[mid:hi])
		}
	}
	rows := min(chunkRows, k)
	s.chunk, s.product = resize(s.chunk, rows*k), resize(s.product, rows*width)
	for from := 0; from < k; from += rows {
		h := min(rows, k-from)
		for j := range h {
			s.secular.vector(s.chunk[j*k:(j+1)*k], from+j, place)
		}
		kernel.Gemm(false, false, h, first, inFirst, 1, s.chunk, k, top, first, 0, s.product, width)
		kernel.Gemm(false, false, h, second, inSecond, 1, s.chunk[k-inSecond:], k, bottom, second, 0, s.product[first:], width)
		for j, row := range live[from : from+h] {
			copy(s.vectors[row*s.n+lo:row*s.n+hi], s.product[j*width:(j+1)*width])
			s.values[row] = s.secular.value(from + j)
		}
	}
	return nil
}

// grouped returns a new place for every live row, such that those that are not
// zero in the first half are the first inFirst ones, and those that are not zero
// in the second half the last inSecond.
func grouped(span []extent) (place []int, inFirst, inSecond int) {
	var counts [3]int
	for _, e := range span {
		counts[e]++
	}
	next := [3]int{left: 0, both: counts[left], right: counts[left] + counts[both]}
	place = make([]int, len(span))
	for i, e := range span {
		place[i] = next[e]
		next[e]++
	}
	return place, counts[left] + counts[both], counts[both] + counts[right]
}

// resize returns a slice of the given length, in the memory of x if it fits.
func resize(x []float64, length int) []float64 {
	if cap(x) < length {
		return make([]float64, length)
	}
	return x[:length]
}

// ascending sorts the rows of vectors, in place, and returns the sorted values.
func (s *divided) ascending() []float64 {
	values := make([]float64, s.n)
	for i, row := range s.order {
		values[i] = s.values[row]
	}
	// Row i is to hold row order[i]: along every cycle, the first row waits aside.
	aside := make([]float64, s.n)
	row := func(i int) []float64 { return s.vectors[i*s.n : (i+1)*s.n] }
	for start, from := range s.order {
		if from < 0 {
			continue
		}
		copy(aside, row(start))
		i := start
		for from != start {
			copy(row(i), row(from))
			s.order[i] = -1
			i, from = from, s.order[from]
		}
		copy(row(i), aside)
		s.order[i] = -1
	}
	return values
}
