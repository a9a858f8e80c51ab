package linop

import "math"

// secular is the eigenproblem of D + ρ z zᵀ with d_0 < … < d_{k−1}, no z_i zero and
// ρ > 0. Its eigenvalues are the roots of
//
//	f(λ) = 1/ρ + Σ_i z_i²/(d_i − λ),
//
// one right of every d_i. A root is held as its distance to the nearest d_i: all
// differences d_i − λ then have a small relative error, however close a root is
// to a pole.
type secular struct {
	d, z   []float64
	rho    float64
	origin []int // root j is d[origin[j]] + offset[j]
	offset []float64
	// weight replaces z: of the matrix D + ρ weight weightᵀ, the computed roots are
	// the eigenvalues up to rounding, so that its eigenvectors are orthogonal even
	// where roots are close (Gu & Eisenstat, 1994).
	weight []float64
}

// solve finds all roots for the d and z at the given places.
func (s *secular) solve(d, z []float64, rho float64, places []int) error {
	k := len(places)
	s.d, s.z, s.rho = s.d[:0], s.z[:0], rho
	for _, i := range places {
		s.d, s.z = append(s.d, d[i]), append(s.z, z[i])
	}
	s.origin, s.offset = make([]int, k), make([]float64, k)
	s.weight = resize(s.weight, k)
	for i := range s.weight {
		s.weight[i] = 1
	}
	for j := range k {
		if !s.root(j) {
			return errNoConvergence
		}
		s.multiplyWeights(j)
	}
	for i, v := range s.weight {
		s.weight[i] = math.Copysign(math.Sqrt(v), s.z[i])
	}
	return nil
}

// multiplyWeights applies the factors of root j to Löwner's formula
//
//	ρ weight_i² = Π_j (λ_j − d_i) / Π_{j≠i} (d_j − d_i).
//
// ρ is left out: it does not change the directions of the eigenvectors.
func (s *secular) multiplyWeights(j int) {
	base, offset, dj := s.d[s.origin[j]], s.offset[j], s.d[j]
	for i, d := range s.d[:j] {
		s.weight[i] *= ((d - base) - offset) / (d - dj)
	}
	s.weight[j] *= math.Abs((dj - base) - offset)
	for i, d := range s.d[j+1:] {
		s.weight[j+1+i] *= ((d - base) - offset) / (d - dj)
	}
}

// value returns root j.
func (s *secular) value(j int) float64 { return s.d[s.origin[j]] + s.offset[j] }

// vector writes the unit eigenvector of root j, weight_i/(d_i − λ_j) for all i, to
// dst; element i goes to place[i].
func (s *secular) vector(dst []float64, j int, place []int) {
	base, offset, sum := s.d[s.origin[j]], s.offset[j], 0.0
	for i, w := range s.weight {
		v := w / ((s.d[i] - base) - offset)
		sum += v * v
		dst[place[i]] = v
	}
	scale := 1 / math.Sqrt(sum)
	for i := range dst {
		dst[i] *= scale
	}
}

// maxSteps bounds the steps to a root. Four are usual; the most that random cases
// with elements over 15 orders of magnitude took is 67.
const maxSteps = 200

// root finds root j. Each step puts the root of a function c + s/(p − x) + S/(q − x)
// that has the value and the derivative of f at hand and, as a rule, the right
// weight at the nearest pole (Li, 1993, "Solving secular equations stably and
// efficiently": the fixed weight method, and the middle way). A step that leaves
// the interval known to hold the root is replaced by a bisection.
func (s *secular) root(j int) bool {
	if len(s.d) == 1 {
		s.offset[0] = s.rho * s.z[0] * s.z[0]
		return true
	}
	b := s.bracket(j)
	s.origin[j] = b.origin
	x, fixed, before := b.guess, true, math.Inf(1)
	for range maxSteps {
		at := s.evaluate(b.origin, b.split, x)
		if !(math.Abs(at.f) > at.error) || !b.shrink(x, at.f) {
			s.offset[j] = x
			return at.f == at.f
		}
		if math.Abs(at.f) > math.Abs(before)/10 {
			fixed = !fixed
		}
		before = at.f
		x = b.inside(x + s.step(&b, x, at, fixed && !b.last))
	}
	return false
}

// bracket is an interval that holds a root. Offsets count from d[origin].
type bracket struct {
	origin int
	lo, hi float64 // f < 0 left of the root, f > 0 right of it
	guess  float64
	split  int  // a step models the poles split−1 and split
	last   bool // the root is right of both
}

// bracket finds the pole next to root j from the sign of f in the middle of the
// interval that holds it, and a first guess from the values of f there.
func (s *secular) bracket(j int) bracket {
	b := bracket{origin: j, split: j + 1, last: j == len(s.d)-1}
	width := 0.0
	if b.last {
		b.split = j
		for _, z := range s.z {
			width += s.rho * z * z
		}
	} else {
		width = s.d[j+1] - s.d[j]
	}
	middle := width / 2
	at := s.evaluate(j, b.split, middle)
	switch {
	case at.f >= 0:
		b.lo, b.hi = 0, middle
	case b.last:
		b.lo, b.hi = middle, width*(1+4*epsilon*float64(len(s.d))) // width is rounded
	default:
		b.origin, b.lo, b.hi = j+1, -middle, 0
	}
	b.guess = b.inside(s.guess(&b, at.f, s.d[j], middle))
	return b
}

// guess returns the root of f with all poles but two replaced by the constant that
// they are at base + x, where f is given.
func (s *secular) guess(b *bracket, f, base, x float64) float64 {
	p, q := s.d[b.split-1], s.d[b.split]
	zp, zq := s.z[b.split-1]*s.z[b.split-1], s.z[b.split]*s.z[b.split]
	others := f - zp/((p-base)-x) - zq/((q-base)-x)
	p -= s.d[b.origin]
	q -= s.d[b.origin]
	return twoPoles(others*(p+q)+zp+zq, others*p*q+zp*q+zq*p, others, b.last)
}

// shrink moves the end of the interval on the side of x, and reports whether more
// than neighbouring numbers are left.
func (b *bracket) shrink(x, f float64) bool {
	if f < 0 {
		b.lo = x
	} else {
		b.hi = x
	}
	return b.hi-b.lo > 2*epsilon*math.Abs(x)
}

// inside returns x if it lies in the interval, otherwise a middle: of the
// exponents where both ends have them, for a root may be very close to its pole.
func (b *bracket) inside(x float64) float64 {
	switch {
	case b.lo < x && x < b.hi:
		return x
	case b.lo > 0:
		return b.lo * math.Sqrt(b.hi/b.lo)
	case b.hi < 0:
		return b.hi * math.Sqrt(b.lo/b.hi)
	case b.lo == 0:
		return b.hi / 64
	default:
		return b.lo / 64
	}
}

// secularValue is f with its parts: the derivatives of the sums over the poles left
// and right of the split, and a bound of the error of f and of the change of f
// within the rounding error of λ.
type secularValue struct {
	f, left, right, error float64
}

// evaluate computes f at λ = d[origin] + x. Both sums run towards the split: the
// large terms come last.
func (s *secular) evaluate(origin, split int, x float64) secularValue {
	base := s.d[origin]
	var sumLeft, sumRight, partial float64
	var v secularValue
	for i, d := range s.d[:split] {
		z := s.z[i]
		t := z / ((d - base) - x)
		sumLeft += z * t
		v.left += t * t
		partial += math.Abs(sumLeft)
	}
	for i := len(s.d) - 1; i >= split; i-- {
		z := s.z[i]
		t := z / ((s.d[i] - base) - x)
		sumRight += z * t
		v.right += t * t
		partial += math.Abs(sumRight)
	}
	v.f = 1/s.rho + sumLeft + sumRight
	v.error = epsilon * (8*(math.Abs(sumLeft)+math.Abs(sumRight)) + partial + 1/s.rho + math.Abs(x)*(v.left+v.right))
	return v
}

// step returns the way from x to the root of the model. A step in the wrong
// direction, which rounding may cause, becomes Newton's.
func (s *secular) step(b *bracket, x float64, at secularValue, fixed bool) float64 {
	dp, dq := (s.d[b.split-1]-s.d[b.origin])-x, (s.d[b.split]-s.d[b.origin])-x
	slope := at.left + at.right
	c := at.f - dp*at.left - dq*at.right
	if fixed {
		near, far := dp, dq
		if b.origin == b.split {
			near, far = dq, dp
		}
		t := s.z[b.origin] / near
		c = at.f - far*slope - (near-far)*t*t
	}
	step := twoPoles((dp+dq)*at.f-dp*dq*slope, dp*dq*at.f, c, b.last)
	if !(step*at.f < 0) {
		return -at.f / slope
	}
	return step
}

// twoPoles returns a root of c x² − a x + b, to which a function
// c + s/(p − x) + S/(q − x) with p < q and s, S > 0 leads: the one between the
// poles, or the one right of both.
func twoPoles(a, b, c float64, right bool) float64 {
	root := math.Sqrt(math.Abs(a*a - 4*b*c))
	switch {
	case right && a >= 0:
		return (a + root) / (2 * c)
	case right:
		return 2 * b / (a - root)
	case a <= 0:
		return (a - root) / (2 * c)
	default:
		return 2 * b / (a + root)
	}
}
