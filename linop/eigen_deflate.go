package linop

import "math"

// extent says where a row of a merge is not zero.
type extent int

const (
	left  extent = iota // in the columns of the first block
	both                // in all
	right               // in the columns of the second block
)

const epsilon = 0x1p-53

// deflate finds the eigenpairs of D + ρ z zᵀ that need no work. Where ρ z_i is
// negligible, row i is an eigenvector already. Where two values are so close that
// a rotation of their rows makes one element of z zero and an off-diagonal element
// that is negligible, the rotated row is one. Negligible is the rounding error of
// D + ρ z zᵀ (Dongarra & Sorensen, 1987). The others are returned in strictly
// ascending order of their values, with their extents. order has to be sorted.
func (s *divided) deflate(lo, mid, hi int, rho float64) (live []int, span []extent) {
	largest, largestZ := 0.0, 0.0
	for i := lo; i < hi; i++ {
		largest = max(largest, math.Abs(s.values[i]))
		largestZ = max(largestZ, math.Abs(s.z[i]))
	}
	negligible := 8 * epsilon * max(largest, rho*largestZ)
	for _, i := range s.order[lo:hi] {
		if rho*math.Abs(s.z[i]) <= negligible {
			continue
		}
		e := left
		if i >= mid {
			e = right
		}
		if last := len(live) - 1; last >= 0 && s.rotate(live[last], i, lo, hi, negligible) {
			if e != span[last] {
				e = both
			}
			live[last], span[last] = i, e
			continue
		}
		live, span = append(live, i), append(span, e)
	}
	return live, span
}

// rotate makes z_i zero by a rotation of rows i and j if that leaves a negligible
// off-diagonal element between them, and reports whether it did.
func (s *divided) rotate(i, j, lo, hi int, negligible float64) bool {
	length := math.Hypot(s.z[i], s.z[j])
	cosine, sine := s.z[j]/length, s.z[i]/length
	gap := s.values[j] - s.values[i]
	if !(math.Abs(gap*cosine*sine) <= negligible) {
		return false
	}
	s.z[i], s.z[j] = 0, length
	s.values[i] += gap * sine * sine
	s.values[j] -= gap * sine * sine
	x, y := s.vectors[i*s.n+lo:i*s.n+hi], s.vectors[j*s.n+lo:j*s.n+hi]
	for l, v := range x {
		x[l], y[l] = cosine*v-sine*y[l], sine*v+cosine*y[l]
	}
	return true
}
