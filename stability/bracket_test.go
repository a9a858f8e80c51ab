package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// denseGradients are gradients known as a matrix, nc×w.
type denseGradients struct {
	j    []float64
	m, w int
}

func (g denseGradients) Times(out, v []float64) {
	copy(out, denseProduct(g.j, v, g.m, g.w, 1, 1))
}

func (g denseGradients) TransposedTimes(out, u []float64) {
	copy(out, denseProduct(u, g.j, 1, g.m, g.w, 1))
}

func denseProducts(j []float64, n, c, w int) Products {
	p := Products{N: n, C: c, W: w, Blocks: make([]float64, n*c*c), Gradients: denseGradients{j, n * c, w}}
	k := gramOf(j, n, c, w).K
	for i := range n {
		for a := range c {
			for b := range c {
				p.Blocks[(i*c+a)*c+b] = k[(i*c+a)*n*c+i*c+b]
			}
		}
	}
	return p
}

// All bounds hold, in their order, and with the whole space the compression is
// exact.
func TestMeanSquareBoundsBracketTheThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 0))
	for range 60 {
		n, c := 2+rng.IntN(7), 1+rng.IntN(3)
		w := 1 + rng.IntN(2*n*c)
		j := randomGradients(rng, n, c, w, 1+rng.IntN(w))
		sampling, batch := bothSamplings[rng.IntN(2)], 1+rng.IntN(n)
		s, g := newSpan(t, gramOf(j, n, c, w)), denseProducts(j, n, c, w)
		exact, err := s.MeanSquareThreshold(sampling, batch, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		if !exact.Exact {
			t.Errorf("n=%d c=%d B=%d %v: %+v", n, c, batch, sampling, exact)
		}
		last := math.Inf(1)
		for _, columns := range []int{1, 3, n * c} {
			b, err := g.MeanSquareBounds(columns, sampling, batch, testMemory, rand.New(rand.NewPCG(5, 5)))
			if err != nil {
				t.Fatal(err)
			}
			const slack = 1 + 1e-9
			for name, upper := range map[string]float64{"mean": b.Mean, "top vector": b.TopVector, "ascent": b.Ascent, "trace": b.Trace, "compression": b.Compression} {
				if !(upper*slack >= exact.Value) {
					t.Errorf("n=%d c=%d B=%d %v, %d columns: %s %v below %v", n, c, batch, sampling, columns, name, upper, exact.Value)
				}
			}
			if !(b.Ascent <= b.TopVector*slack) || !(b.TopVector <= b.Mean*slack) || !(b.Compression <= last*slack) {
				t.Errorf("bounds out of order: %+v; compression before %v", b, last)
			}
			last = b.Compression
			if columns == n*c {
				if !(b.Simple <= exact.Value*slack) || !(math.Abs(b.Compression/exact.Value-1) <= 1e-7) {
					t.Errorf("n=%d c=%d B=%d %v: %+v around %v", n, c, batch, sampling, b, exact.Value)
				}
				p1, err := s.Proposition1Threshold(sampling, batch)
				if err != nil {
					t.Fatal(err)
				}
				if !(b.Simple <= b.Proposition1) || !(b.Proposition1 <= p1.Value*slack) || !(p1.Value <= exact.Value*slack) || !p1.Exact || !(p1.Lower <= p1.Value) {
					t.Errorf("bounds %+v, η_P %+v, η* %v out of order", b, p1, exact.Value)
				}
			}
		}
	}
}

// The brackets of further batch sizes hold their thresholds, in the order of these, and
// that of the batch size itself is no wider than without them.
func TestFrontierFromProducts(t *testing.T) {
	rng := rand.New(rand.NewPCG(37, 0))
	const slack = 1 + 1e-9
	for range 30 {
		n, c := 3+rng.IntN(6), 1+rng.IntN(3)
		w := 1 + rng.IntN(2*n*c)
		j := randomGradients(rng, n, c, w, 1+rng.IntN(w))
		sampling, batch := bothSamplings[rng.IntN(2)], 1+rng.IntN(n)
		s, g := newSpan(t, gramOf(j, n, c, w)), denseProducts(j, n, c, w)
		g.Frontier = []int{batch, n, 1, 2}
		for _, columns := range []int{2, n * c} {
			b, err := g.MeanSquareBounds(columns, sampling, batch, testMemory, rand.New(rand.NewPCG(5, 5)))
			if err != nil || len(b.Frontier) != len(g.Frontier) {
				t.Fatal(err, len(b.Frontier))
			}
			for i, size := range g.Frontier {
				exact, err := s.MeanSquareThreshold(sampling, size, testMemory)
				if err != nil {
					t.Fatal(err)
				}
				f := b.Frontier[i]
				if !(f.Upper*slack >= exact.Value) || !(f.Lower <= f.Upper) || f.Value != f.Upper {
					t.Errorf("B=%d %v, %d columns: %+v around %v", size, sampling, columns, f, exact.Value)
				}
				if columns == n*c && !(f.Lower <= exact.Value*slack) { // fewer rest on Ritz values
					t.Errorf("B=%d %v: %+v from below of %v", size, sampling, f, exact.Value)
				}
				if sampling == WithoutReplacement && size == n && columns == n*c && !f.Exact {
					t.Errorf("full batch: %+v, want %v", f, exact.Value)
				}
				for k, other := range g.Frontier {
					if other < size && !(b.Frontier[k].Lower <= f.Lower && b.Frontier[k].Upper <= f.Upper) {
						t.Errorf("brackets %+v of B=%d and %+v of B=%d", b.Frontier[k], other, f, size)
					}
				}
			}
			if own := b.Frontier[0]; !(own.Upper <= b.Upper*slack) || !(own.Lower*slack >= b.Lower) {
				t.Errorf("B=%d: %+v on the frontier, %+v", batch, own, b.Bracket)
			}
		}
	}
}

// coarseGradients are gradients whose products have few digits, or none.
type coarseGradients struct {
	Gradients
	none bool
}

func (g coarseGradients) Times(out, v []float64) {
	g.Gradients.Times(out, v)
	g.round(out)
}

func (g coarseGradients) TransposedTimes(out, u []float64) {
	g.Gradients.TransposedTimes(out, u)
	g.round(out)
}

func (g coarseGradients) round(out []float64) {
	for i, v := range out {
		if out[i] = float64(float32(v)); g.none {
			out[i] = math.NaN()
		}
	}
}

// coarse returns the gradients of some samples, nil for all, by products with few digits,
// or none.
func (g Products) coarse(samples []int, none bool) (Gradients, error) {
	all := g.Gradients.(denseGradients)
	if samples == nil {
		return coarseGradients{all, none}, nil
	}
	var some []float64
	for _, i := range samples {
		some = append(some, all.j[i*g.C*all.w:(i+1)*g.C*all.w]...)
	}
	return coarseGradients{denseGradients{some, len(samples) * g.C, all.w}, none}, nil
}

// An ascent by products with few digits climbs as high, also where some of the samples
// begin, and its end is weighed with all digits; where it finds nothing, all digits
// climb.
func TestAscentInFewDigits(t *testing.T) {
	rng := rand.New(rand.NewPCG(36, 0))
	for round := range 24 {
		n, c := 3+rng.IntN(6), 1+rng.IntN(3)
		if round >= 20 {
			n, c = searchShare*fewestSearched, 1
		}
		w := 2 + rng.IntN(2*min(n, 8)*c)
		j := randomGradients(rng, n, c, w, w)
		g := denseProducts(j, n, c, w)
		bounds := func() MeanSquareBounds {
			b, err := g.MeanSquareBounds(3, WithoutReplacement, 1+n/2, testMemory, rand.New(rand.NewPCG(5, 5)))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		want := bounds()
		exact, err := newSpan(t, gramOf(j, n, c, w)).MeanSquareThreshold(WithoutReplacement, 1+n/2, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		g.Search = func(samples []int) (Gradients, error) { return g.coarse(samples, false) }
		coarse := bounds()
		if !(math.Abs(coarse.Ascent/want.Ascent-1) <= 2*ascentGain) || !(coarse.Ascent*(1+1e-9) >= exact.Value) {
			t.Errorf("an ascent in few digits ends at %v, in all at %v; the threshold is %v", coarse.Ascent, want.Ascent, exact.Value)
		}
		g.Search = func(samples []int) (Gradients, error) { return g.coarse(samples, true) }
		if again := bounds(); !(again.Ascent == want.Ascent) {
			t.Errorf("an ascent without digits ends at %v, with them at %v", again.Ascent, want.Ascent)
		}
	}
}

// With some Ritz vectors the bound of Proposition 1 is between the simple one and
// η_P, where few samples have large gradients and all share some directions; with
// the whole space it is η_P if the gradients are independent.
func TestProposition1Bound(t *testing.T) {
	rng := rand.New(rand.NewPCG(35, 0))
	better := 0
	for range 15 {
		n, c := 20+rng.IntN(20), 1+rng.IntN(3)
		w := n*c + rng.IntN(20)
		j := randomGradients(rng, n, c, w, w)
		for r := range n * c {
			size := math.Exp(rng.NormFloat64())
			for k := range w {
				j[r*w+k] = size * (j[r*w+k] + 3*math.Sin(float64(k))*rng.Float64())
			}
		}
		batch := 1 + rng.IntN(n-1)
		g := denseProducts(j, n, c, w)
		p1, err := newSpan(t, gramOf(j, n, c, w)).Proposition1Threshold(WithoutReplacement, batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, columns := range []int{4, 8, 12, n * c} {
			b, err := g.MeanSquareBounds(columns, WithoutReplacement, batch, testMemory, rng)
			if err != nil {
				t.Fatal(err)
			}
			if !(b.Simple <= b.Proposition1) || !(b.Proposition1 <= p1.Value*(1+1e-9)) {
				t.Errorf("n=%d c=%d B=%d, %d columns: simple %v, bound %v, η_P %v", n, c, batch, columns, b.Simple, b.Proposition1, p1.Value)
			}
			if columns == n*c && !(b.Proposition1 >= p1.Value*(1-1e-3)) {
				t.Errorf("n=%d c=%d B=%d: bound %v with the whole space, η_P %v", n, c, batch, b.Proposition1, p1.Value)
			}
			if columns == 12 && b.Proposition1 > 1.02*b.Simple {
				better++
			}
		}
	}
	if better < 5 {
		t.Errorf("the bound is better than the simple one %d times", better)
	}
}

// The gradient of the ascent is that of f, and the ascent ends where f is largest:
// in two dimensions all directions can be tried.
func TestAscentInThePlane(t *testing.T) {
	rng := rand.New(rand.NewPCG(32, 0))
	for range 20 {
		n, c, w := 3+rng.IntN(4), 1+rng.IntN(2), 2
		g := denseProducts(randomGradients(rng, n, c, w, w), n, c, w)
		a := g.newAscent(rng.Float64())
		v := []float64{1, 0.4}
		f, gradient := a.value(v), make([]float64, 2)
		a.gradient(gradient, v, f)
		for j := range v {
			const h = 1e-6
			up, down := []float64{v[0], v[1]}, []float64{v[0], v[1]}
			up[j] += h
			down[j] -= h
			// f of a vector that is not a unit vector is that of its direction.
			want := (a.value(up) - a.value(down)) / (2 * h)
			if !(math.Abs(gradient[j]-want) <= 1e-7*f) {
				t.Fatalf("gradient[%d] = %v, want %v", j, gradient[j], want)
			}
		}
		var want float64
		for angle := 0.0; angle < math.Pi; angle += 1e-3 {
			want = max(want, a.value([]float64{math.Cos(angle), math.Sin(angle)}))
		}
		got := a.value(a.best([][]float64{{1, 0}, {0, 1}, {1, 1}, {1, -1}}))
		if !(math.Abs(got/want-1) <= 1e-5) {
			t.Errorf("the ascent ends at %v, the largest is %v", got, want)
		}
	}
}

func TestBracketsGolden(t *testing.T) {
	for _, fixture := range []string{"fnn-scalar", "fnn-tiny"} {
		g := loadGoldenThresholds(t, fixture)
		products, s := denseProducts(g.jacobian, g.n, g.c, g.w), newSpan(t, g.gram())
		norms, left := s.topSingular()
		for i, want := range g.Hessian.Norms {
			if !(math.Abs(norms[i]/want-1) <= 1e-10) {
				t.Errorf("%s: ‖H_%d‖ = %v, want %v", fixture, i, norms[i], want)
			}
		}
		for _, e := range g.Second {
			p := e.sampling().BatchVariance(g.n, e.B)
			b, err := products.MeanSquareBounds(g.n*g.c, e.sampling(), e.B, testMemory, rand.New(rand.NewPCG(6, 0)))
			if err != nil {
				t.Fatal(err)
			}
			p1, err := s.Proposition1Threshold(e.sampling(), e.B)
			if err != nil {
				t.Fatal(err)
			}
			ascent := products.newAscent(p)
			samples := math.Inf(1)
			for i := range g.n {
				u, v := make([]float64, g.n*g.c), make([]float64, g.w)
				copy(u[i*g.c:], left[i*g.c:(i+1)*g.c])
				products.TransposedTimes(v, u)
				samples = min(samples, 2/ascent.value(v))
			}
			for name, pair := range map[string][2]float64{
				"p": {p, e.Brackets.P}, "mean": {b.Mean, e.Brackets.Mean}, "η_P": {p1.Value, e.Brackets.Prop1},
				"simple": {b.Simple, e.Brackets.Sufficient}, "top vector": {b.TopVector, e.Brackets.Top},
				"samples": {samples, e.Brackets.Samples}, "identity": {b.Trace, e.Brackets.Identity},
				"compression": {b.Compression, e.Threshold},
			} {
				if !(math.Abs(pair[0]-pair[1]) <= 1e-8*pair[1]) {
					t.Errorf("%s B=%d %v: %s %v, want %v", fixture, e.B, e.sampling(), name, pair[0], pair[1])
				}
			}
		}
	}
}

func TestMeanSquareBoundsAtTheEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 0))
	const n, c, w = 6, 2, 30
	j := randomGradients(rng, n, c, w, w)
	g := denseProducts(j, n, c, w)
	// The full batch needs no more than λ_max(H).
	b, err := g.MeanSquareBounds(n*c, WithoutReplacement, n, testMemory, rng)
	want := newSpan(t, gramOf(j, n, c, w)).MeanThreshold()
	if err != nil || !b.Exact || !(math.Abs(b.Value/want-1) <= 1e-10) {
		t.Errorf("full batch: %+v, %v; want %v", b, err, want)
	}
	// The memory of all columns leaves none for the compression.
	b, err = g.MeanSquareBounds(n*c, WithoutReplacement, 2, 6*8*n*c*n*c, rng)
	if err != nil || !math.IsInf(b.Compression, 1) || len(b.Warnings) == 0 || !(b.Upper <= b.Ascent) || !(b.Lower > 0) {
		t.Errorf("little memory: %+v, %v", b, err)
	}
	if _, err = g.MeanSquareBounds(n*c, WithoutReplacement, 2, 8*n*c, rng); err == nil {
		t.Error("bounds without memory")
	}
	g.Blocks[1] = math.NaN()
	if _, err = g.MeanSquareBounds(n*c, WithoutReplacement, 2, testMemory, rng); err == nil {
		t.Error("bounds of gradients that are not finite")
	}
	zero := denseProducts(make([]float64, n*c*w), n, c, w)
	if b, err = zero.MeanSquareBounds(3, WithoutReplacement, 2, testMemory, rng); err != nil || !math.IsInf(b.Lower, 1) || len(b.Warnings) == 0 {
		t.Errorf("gradients that are all zero: %+v, %v", b, err)
	}
}

// The compressed problem has the gradients' components in the space that Jᵀ makes
// of the Krylov vectors, made here by Gram and Schmidt.
func TestCompressionIsAProjection(t *testing.T) {
	rng := rand.New(rand.NewPCG(34, 0))
	const n, c, w = 7, 2, 20
	j := randomGradients(rng, n, c, w, w)
	g := denseProducts(j, n, c, w)
	for _, columns := range []int{1, 3, 6} {
		k := g.krylov(columns, rng)
		s, err := g.compressed(k)
		if err != nil {
			t.Fatal(err)
		}
		var basis []float64
		for col := range columns {
			v := make([]float64, w)
			g.TransposedTimes(v, k.basis[col])
			for range 2 {
				along := denseProduct(basis, v, col, w, 1, 1)
				for x, back := range denseProduct(along, basis, 1, col, w, 1) {
					v[x] -= back
				}
			}
			toUnit(v)
			basis = append(basis, v...)
		}
		rows := denseProduct(j, transpose(basis, columns, w), n*c, w, columns, 1)
		want := gramOf(rows, n, c, columns).K
		if d := largestDifference(gramOf(s.Q, n, c, s.Rank).K, want); s.Rank != columns || !(d <= 1e-12*s.Lambda[0]) {
			t.Errorf("%d columns: rank %d, products off by %v", columns, s.Rank, d)
		}
	}
}
