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
				if !(b.Simple <= p1.Value*slack) || !(p1.Value <= exact.Value*slack) || !p1.Exact || !(p1.Lower <= p1.Value) {
					t.Errorf("simple %v, η_P %+v, η* %v out of order", b.Simple, p1, exact.Value)
				}
			}
		}
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
		got := a.best([][]float64{{1, 0}, {0, 1}, {1, 1}, {1, -1}})
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
