package stability

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"sobolev/internal/kernel"
	"sobolev/linop"
)

// diagonalSpan returns the Span of nc rows in R^r, turned so that H is diagonal.
func diagonalSpan(n, c, r int, rows []float64) (*Span, error) {
	m := n * c
	gram := make([]float64, r*r)
	kernel.Gemm(true, false, r, r, m, 1, rows, r, rows, r, 0, gram, r)
	values, vectors, err := linop.EigenSym(r, gram)
	if err != nil {
		return nil, err
	}
	s := &Span{N: n, C: c}
	for j := r - 1; j >= 0 && values[j] > rankTolerance*values[r-1]; j-- {
		s.Lambda = append(s.Lambda, values[j])
	}
	s.Rank = len(s.Lambda)
	turn := make([]float64, r*s.Rank)
	for j := range s.Rank {
		for i := range r {
			turn[i*s.Rank+j] = vectors[(r-1-j)*r+i]
		}
	}
	s.Q = make([]float64, m*s.Rank)
	kernel.Gemm(false, false, m, s.Rank, r, 1, rows, r, turn, s.Rank, 0, s.Q, s.Rank)
	return s, nil
}

// ascent maximises f(v) = ((1−p) l² + p mean q_i²)/(l ‖v‖²), l = mean q_i,
// q_i = ‖J_i v‖², by conjugate gradients with an exact search along each line:
// J(v+td) is J v + t J d.
type ascent struct {
	Products
	p float64
	// jv and jd are J v and J d; q, cross and qd the sums of their products over
	// the outputs of each sample.
	jv, jd, u    []float64
	q, cross, qd []float64
}

// The bracket around η*_var is wide without the Gram matrix: the last digits of the
// ascent are not worth their products.
const (
	ascentSteps  = 40
	ascentStarts = 3
	ascentGain   = 1e-4
	// searchShare: one sample of so many is for the ascent with few of them, unless
	// these are fewer than fewestSearched.
	searchShare    = 10
	fewestSearched = 64
)

func (g Products) newAscent(p float64) *ascent {
	m := g.N * g.C
	return &ascent{
		Products: g, p: p, jv: make([]float64, m), jd: make([]float64, m), u: make([]float64, m),
		q: make([]float64, g.N), cross: make([]float64, g.N), qd: make([]float64, g.N),
	}
}

// sampleVectors returns J_iᵀ u_i of the samples with the largest ‖H_i‖, u_i their
// top left singular vectors.
func (g Products) sampleVectors(norms, left []float64) [][]float64 {
	order := make([]int, g.N)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		if norms[i] > norms[j] {
			return -1
		} else if norms[i] < norms[j] {
			return 1
		}
		return 0
	})
	var vectors [][]float64
	u := make([]float64, g.N*g.C)
	for _, i := range order[:min(ascentStarts-1, g.N)] {
		if norms[i] == 0 {
			break
		}
		copy(u[i*g.C:], left[i*g.C:(i+1)*g.C])
		v := make([]float64, g.W)
		g.TransposedTimes(v, u)
		clear(u[i*g.C : (i+1)*g.C])
		vectors = append(vectors, v)
	}
	return vectors
}

// ascend returns the end of an ascent from Jᵀu, whose rayleigh is given, or from the
// gradient of a sample with large norm, whichever is better. Where samples are many, an
// ascent with the few that have the largest norms comes first, at the price of these:
// they make most of the directions that f is large in.
func (g Products) ascend(p float64, u []float64, ofTop rayleigh, norms, left []float64) ([]float64, error) {
	search, few := g, g.N/searchShare
	if g.Search != nil {
		var err error
		if search.Gradients, err = g.Search(nil); err != nil {
			return nil, err
		}
	}
	top := make([]float64, g.W)
	search.TransposedTimes(top, u)
	if g.Search == nil || few < fewestSearched {
		return search.newAscent(p).best(append(search.sampleVectors(norms, left), top)), nil
	}
	start, err := g.ascendAmong(largestOf(norms, few), p, top, norms, left)
	if err != nil {
		return nil, err
	}
	a := search.newAscent(p)
	if f := a.value(start); !(f < a.quotient(ofTop.l, ofTop.squares, 1)) {
		a.climb(start, f)
		return start, nil
	}
	return a.best([][]float64{top}), nil
}

// ascendAmong is ascend with some of the samples: without the others, f is that of the
// share of p that makes up for n/m times the means.
func (g Products) ascendAmong(samples []int, p float64, top, norms, left []float64) ([]float64, error) {
	few := Products{N: len(samples), C: g.C, W: g.W}
	var err error
	if few.Gradients, err = g.Search(samples); err != nil {
		return nil, err
	}
	var ownNorms, ownLeft []float64
	for _, i := range samples {
		ownNorms, ownLeft = append(ownNorms, norms[i]), append(ownLeft, left[i*g.C:(i+1)*g.C]...)
	}
	ratio := float64(g.N) / float64(few.N)
	starts := append(few.sampleVectors(ownNorms, ownLeft), slices.Clone(top))
	return few.newAscent(p * ratio / (1 - p + p*ratio)).best(starts), nil
}

// best returns the unit vector that an ascent from the best of the starts reaches.
func (a *ascent) best(starts [][]float64) []float64 {
	from, highest := 0, math.Inf(-1)
	for i, v := range starts {
		if f := a.value(v); f > highest {
			from, highest = i, f
		}
	}
	if from < len(starts)-1 || math.IsInf(highest, -1) { // J v is that of the last
		highest = a.value(starts[from])
	}
	a.climb(starts[from], highest)
	return starts[from]
}

// value returns f(v) and leaves J v and q_i, for v scaled to a unit vector.
func (a *ascent) value(v []float64) float64 {
	r := a.rayleigh(v)
	return a.quotient(r.l, r.squares, 1)
}

// rayleigh is l = mean q_i and mean q_i² of a unit vector.
type rayleigh struct{ l, squares float64 }

// rayleigh returns those of v, scaled to a unit vector.
func (a *ascent) rayleigh(v []float64) rayleigh {
	toUnit(v)
	a.Times(a.jv, v)
	a.sums(a.q, a.jv, a.jv)
	return rayleigh{floats.Sum(a.q) / float64(a.N), floats.Dot(a.q, a.q) / float64(a.N)}
}

// bound returns the bound of η*_var from above that v vᵀ gives.
func (r rayleigh) bound(p float64) float64 { return 2 * r.l / ((1-p)*r.l*r.l + p*r.squares) }

func (a *ascent) quotient(l, squares, norm float64) float64 {
	return ((1-a.p)*l*l + a.p*squares) / (l * norm)
}

// sums sets dst to Σ over the outputs of each sample of x·y.
func (a *ascent) sums(dst, x, y []float64) {
	for i := range dst {
		dst[i] = floats.Dot(x[i*a.C:(i+1)*a.C], y[i*a.C:(i+1)*a.C])
	}
}

// climb moves v up, from f(v) and J v, until a step gains less than ascentGain of f. A
// step takes one product with J and one with Jᵀ.
func (a *ascent) climb(v []float64, f float64) {
	g, d, last := make([]float64, a.W), make([]float64, a.W), make([]float64, a.W)
	for step := range ascentSteps {
		a.gradient(g, v, f)
		turn := 0.0
		if step > 0 {
			turn = max(0, (floats.Dot(g, g)-floats.Dot(g, last))/floats.Dot(last, last))
		}
		copy(last, g)
		floats.Scale(turn, d)
		floats.Add(d, g)
		size := floats.Norm(d, 2)
		if !(size > 1e-14*f) {
			break
		}
		t := a.lineSearch(v, d, size)
		floats.AddScaled(v, t, d)
		before := f
		if f = a.moved(v, t); !(f-before > ascentGain*f) {
			break
		}
	}
}

// moved returns f of v after a step of t along d, from J v and J d, and makes v a
// unit vector.
func (a *ascent) moved(v []float64, t float64) float64 {
	floats.AddScaled(a.jv, t, a.jd)
	scale := 1 / floats.Norm(v, 2)
	floats.Scale(scale, v)
	floats.Scale(scale, a.jv)
	a.sums(a.q, a.jv, a.jv)
	return a.quotient(floats.Sum(a.q)/float64(a.N), floats.Dot(a.q, a.q)/float64(a.N), 1)
}

// gradient sets g to that of f at the unit vector v.
func (a *ascent) gradient(g, v []float64, f float64) {
	n := float64(a.N)
	l := floats.Sum(a.q) / n
	for i, q := range a.q {
		weight := (4*(1-a.p)*l + 4*a.p*q - 2*f) / (n * l)
		for o := range a.C {
			a.u[i*a.C+o] = weight * a.jv[i*a.C+o]
		}
	}
	a.TransposedTimes(g, a.u)
	floats.AddScaled(g, -2*f, v)
}

// lineSearch returns the t ≥ 0 with the largest f(v+td), to a thousandth of it.
func (a *ascent) lineSearch(v, d []float64, size float64) float64 {
	a.Times(a.jd, d)
	a.sums(a.cross, a.jv, a.jd)
	a.sums(a.qd, a.jd, a.jd)
	n, vd := float64(a.N), floats.Dot(v, d)
	// Coefficients in t of mean q_i, mean q_i² and ‖v+td‖².
	line := [3]float64{floats.Sum(a.q) / n, 2 * floats.Sum(a.cross) / n, floats.Sum(a.qd) / n}
	square := [5]float64{
		floats.Dot(a.q, a.q) / n, 4 * floats.Dot(a.q, a.cross) / n,
		(2*floats.Dot(a.q, a.qd) + 4*floats.Dot(a.cross, a.cross)) / n,
		4 * floats.Dot(a.cross, a.qd) / n, floats.Dot(a.qd, a.qd) / n,
	}
	at := func(t float64) float64 {
		return a.quotient(line[0]+t*(line[1]+t*line[2]),
			square[0]+t*(square[1]+t*(square[2]+t*(square[3]+t*square[4]))), 1+t*(2*vd+t*size*size))
	}
	best, value := 0.0, at(0)
	for t := math.Ldexp(1, -30) / size; t < 1e3/size; t *= 2 {
		if f := at(t); f > value {
			best, value = t, f
		}
	}
	low, high := best/2, best*2
	for high-low > 1e-3*best {
		left, right := low+(high-low)/3, high-(high-low)/3
		if at(left) < at(right) {
			low = left
		} else {
			high = right
		}
	}
	if middle := (low + high) / 2; at(middle) > value {
		return middle
	}
	return best
}
