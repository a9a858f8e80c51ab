package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// meanSquareProblem is a small random problem, in many with fewer dimensions than
// gradients and in half of them with a sample that is there twice.
type meanSquareProblem struct {
	n, c, w  int
	j        []float64
	sampling Sampling
	batch    int
}

func randomMeanSquareProblem(rng *rand.Rand) meanSquareProblem {
	p := meanSquareProblem{n: 2 + rng.IntN(6), c: 1 + rng.IntN(3), w: 1 + rng.IntN(5), sampling: bothSamplings[rng.IntN(2)]}
	p.j = randomGradients(rng, p.n, p.c, p.w, 1+rng.IntN(p.w))
	if size := p.c * p.w; rng.IntN(2) == 0 {
		copy(p.j[:size], p.j[size:2*size])
	}
	for i := range p.n {
		scale := math.Exp(rng.NormFloat64())
		for x := range p.c * p.w {
			p.j[i*p.c*p.w+x] *= scale
		}
	}
	p.batch = 1 + rng.IntN(p.n)
	return p
}

func (p meanSquareProblem) gram() Gram { return gramOf(p.j, p.n, p.c, p.w) }

// variance is p, from its definition by the first two moments of a batch.
func (p meanSquareProblem) variance() float64 {
	n, b := float64(p.n), float64(p.batch)
	if p.sampling == WithReplacement {
		return 1 / b
	}
	return (n - b) / (b * (n - 1))
}

func (p meanSquareProblem) threshold(t testing.TB) Bracket {
	t.Helper()
	b, err := newSpan(t, p.gram()).MeanSquareThreshold(p.sampling, p.batch, testMemory)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// curvatures returns H_i of every sample and H, w×w.
func (p meanSquareProblem) curvatures() (each [][]float64, mean []float64) {
	mean = make([]float64, p.w*p.w)
	for i := range p.n {
		g := p.j[i*p.c*p.w : (i+1)*p.c*p.w]
		h := denseProduct(transpose(g, p.c, p.w), g, p.w, p.c, p.w, 1)
		each = append(each, h)
		for x, v := range h {
			mean[x] += v / float64(p.n)
		}
	}
	return each, mean
}

// kroneckerThreshold is 2/λ_max(C⁺D) with the w²×w² matrices C and D.
func (p meanSquareProblem) kroneckerThreshold(t testing.TB) float64 {
	each, mean := p.curvatures()
	w, size := p.w, p.w*p.w
	unit := unitMatrix(w)
	left, right := kroneckerProduct(mean, unit, w), kroneckerProduct(unit, mean, w)
	d := kroneckerProduct(mean, mean, w)
	for x := range d {
		d[x] *= 1 - p.variance()
	}
	for _, h := range each {
		for x, v := range kroneckerProduct(h, h, w) {
			d[x] += p.variance() / float64(p.n) * v
		}
	}
	c := make([]float64, size*size)
	for x := range c {
		c[x] = (left[x] + right[x]) / 2
	}
	root := inverseRoot(t, size, c)
	values := spectrum(t, size, denseProduct(root, denseProduct(d, root, size, size, size, 1), size, size, size, 1))
	return 2 / values[size-1]
}

// inverseRoot returns the pseudo-inverse of the square root of a.
func inverseRoot(t testing.TB, n int, a []float64) []float64 {
	values, vectors := eigenSym(t, n, a)
	root := make([]float64, n*n)
	for l, v := range values {
		if v <= 1e-10*values[n-1] {
			continue
		}
		for i := range n {
			for j := range n {
				root[i*n+j] += vectors[l*n+i] * vectors[l*n+j] / math.Sqrt(v)
			}
		}
	}
	return root
}

// residualThreshold is the power iteration on the covariance P of the residuals:
// R = (1−p)/n² P + (p/n) blockdiag(P), K X + X K = 2nR, P ← K X K.
func (p meanSquareProblem) residualThreshold(t testing.TB) float64 {
	m, n := p.n*p.c, float64(p.n)
	k := p.gram().K
	values, vectors := eigenSym(t, m, k)
	u := transpose(vectors, m, m)
	cov := unitMatrix(m)
	var mu float64
	for range 20000 {
		r := make([]float64, m*m)
		for a := range m {
			for b := range m {
				r[a*m+b] = (1 - p.variance()) / (n * n) * cov[a*m+b]
				if a/p.c == b/p.c {
					r[a*m+b] += p.variance() / n * cov[a*m+b]
				}
			}
		}
		x := denseProduct(vectors, denseProduct(r, u, m, m, m, 1), m, m, m, 2*n)
		for a := range m {
			for b := range m {
				if sum := values[a] + values[b]; sum > 1e-10*values[m-1] {
					x[a*m+b] *= values[a] * values[b] / sum
				} else {
					x[a*m+b] = 0
				}
			}
		}
		next := denseProduct(u, denseProduct(x, vectors, m, m, m, 1), m, m, m, 1)
		var along, norm, size float64
		for i, v := range next {
			along += v * cov[i]
			norm += cov[i] * cov[i]
			size += v * v
		}
		before := mu
		mu = along / norm
		if math.Abs(mu-before) <= 1e-14*mu {
			break
		}
		for i, v := range next {
			cov[i] = v / math.Sqrt(size)
		}
	}
	return 2 / mu
}

func TestMeanSquareThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 0))
	for range 150 {
		p := randomMeanSquareProblem(rng)
		b, want := p.threshold(t), p.kroneckerThreshold(t)
		if !(math.Abs(b.Value/want-1) <= 1e-9) || !b.Exact || !(b.Lower <= want*(1+1e-12)) || !(b.Upper >= want*(1-1e-12)) {
			t.Errorf("n=%d c=%d w=%d B=%d %v: %+v, dense %v", p.n, p.c, p.w, p.batch, p.sampling, b, want)
		}
	}
}

func TestMeanSquareThresholdByResiduals(t *testing.T) {
	rng := rand.New(rand.NewPCG(42, 0))
	for range 25 {
		p := randomMeanSquareProblem(rng)
		if b, want := p.threshold(t), p.residualThreshold(t); !(math.Abs(b.Value/want-1) <= 1e-7) {
			t.Errorf("n=%d c=%d w=%d B=%d %v: %+v, by residuals %v", p.n, p.c, p.w, p.batch, p.sampling, b, want)
		}
	}
}

// A problem of parts that share no direction has the least of their thresholds,
// and a certificate although its eigenmatrix is singular.
func TestMeanSquareThresholdOfParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(44, 0))
	for _, ratio := range []float64{1, 0.9, 0.1, 1e-4} {
		const n, c, w = 4, 2, 6
		one := randomGradients(rng, n, c, w, w)
		j := make([]float64, 4*n*c*w)
		for row := range n * c {
			copy(j[row*2*w:], one[row*w:(row+1)*w])
			for x := range w {
				j[(n*c+row)*2*w+w+x] = math.Sqrt(ratio) * one[row*w+x]
			}
		}
		p := meanSquareProblem{n: 2 * n, c: c, w: 2 * w, j: j, batch: 1}
		alone := meanSquareProblem{n: n, c: c, w: w, j: one, batch: 1}
		// B = 1: C⁻¹D of a part does not change with n.
		if b, want := p.threshold(t), alone.threshold(t); !b.Exact || !(math.Abs(b.Value/want.Value-1) <= 1e-8) {
			t.Errorf("second part %v times the first: %+v, the first alone %+v", ratio, b, want)
		}
	}
}

// With little memory there are restarts, and the same result.
func TestMeanSquareThresholdInLittleMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(45, 0))
	const n, c, w = 20, 2, 40
	s := newSpan(t, gramOf(randomGradients(rng, n, c, w, w), n, c, w))
	want, err := s.MeanSquareThreshold(WithoutReplacement, 3, testMemory)
	if err != nil {
		t.Fatal(err)
	}
	little := s.mapBytes() + 9*s.vectorBytes()
	got, err := s.MeanSquareThreshold(WithoutReplacement, 3, little)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Exact || !(math.Abs(got.Value/want.Value-1) <= 1e-8) || !(got.Applications > want.Applications) {
		t.Errorf("%+v with three vectors, %+v with all", got, want)
	}
	if _, err := s.MeanSquareThreshold(WithoutReplacement, 3, MeanSquareMemory(n, c)); err != nil {
		t.Errorf("with MeanSquareMemory: %v", err)
	}
	if _, err := s.MeanSquareThreshold(WithoutReplacement, 3, MeanSquareMemory(n, c)-1); err == nil {
		t.Error("MeanSquareMemory is more than is needed")
	}
	if _, err := s.MeanSquareThreshold(WithoutReplacement, 3, s.mapBytes()); err == nil {
		t.Error("a threshold without memory")
	}
	if _, err := s.SpectralRadius2(2*want.Upper, WithoutReplacement, 3, want, s.mapBytes()); err == nil {
		t.Error("a spectral radius without memory")
	}
}

func TestMeanSquareThresholdAtTheEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(46, 0))
	j := randomGradients(rng, 5, 2, 7, 7)
	s := newSpan(t, gramOf(j, 5, 2, 7))
	full, err := s.MeanSquareThreshold(WithoutReplacement, 5, testMemory)
	if want := 10 / s.Lambda[0]; err != nil || full.Value != want || full.Lower != want || !full.Exact {
		t.Errorf("full batch: %+v, %v; 2/λ_max(H) is %v", full, err, want)
	}
	// One sample is the full batch in either sampling.
	one := newSpan(t, gramOf(j[:14], 1, 2, 7))
	for _, sampling := range bothSamplings {
		b, err := one.MeanSquareThreshold(sampling, 1, testMemory)
		if want := 2 / one.Lambda[0]; err != nil || !(math.Abs(b.Value/want-1) <= 1e-12) || !b.Exact {
			t.Errorf("one sample, %v: %+v, %v; want %v", sampling, b, err, want)
		}
	}
	none := newSpan(t, Gram{N: 3, C: 1, K: make([]float64, 9)})
	b, err := none.MeanSquareThreshold(WithoutReplacement, 1, testMemory)
	if err != nil || !math.IsInf(b.Value, 1) || !math.IsInf(b.Lower, 1) || len(b.Warnings) == 0 {
		t.Errorf("gradients that are all zero: %+v, %v", b, err)
	}
	if r, err := none.SpectralRadius2(1, WithoutReplacement, 1, b, testMemory); err != nil || r.Value != 0 || none.FullRadius(r.Value, 4) != 1 {
		t.Errorf("gradients that are all zero: ρ %+v, %v", r, err)
	}
	for _, batch := range []int{0, 6} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a batch of %d out of 5", batch)
				}
			}()
			s.MeanSquareThreshold(WithoutReplacement, batch, testMemory)
		}()
	}
}

// A loss of s times ½‖f−y‖² has K·s and thresholds over s; mse has s = 2/c.
func TestMeanSquareThresholdScales(t *testing.T) {
	rng := rand.New(rand.NewPCG(47, 0))
	for range 20 {
		p := randomMeanSquareProblem(rng)
		g := p.gram()
		scale := 2 / float64(p.c)
		for i := range g.K {
			g.K[i] *= scale
		}
		b, err := newSpan(t, g).MeanSquareThreshold(p.sampling, p.batch, testMemory)
		if want := p.threshold(t).Value / scale; err != nil || !(math.Abs(b.Value/want-1) <= 1e-10) {
			t.Errorf("mse: %+v, %v; want %v", b, err, want)
		}
	}
}

// Above 2,000 gradients the bracket is wider, and still holds.
func TestMeanSquareThresholdOfManySamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 0))
	const n, r = 2100, 4
	s, err := diagonalSpan(n, 1, r, normalVector(rng, n*r))
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{1, 30} {
		b, err := s.MeanSquareThreshold(WithReplacement, batch, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		tensor, err := s.Tensor(2, WithReplacement, batch)
		if err != nil {
			t.Fatal(err)
		}
		want := tensor.Crossing(0, s.MeanThreshold())
		if !b.Exact || !(b.Lower <= want) || !(want <= b.Upper*(1+1e-11)) || !(b.Upper <= b.Lower*(1+1e-3)) {
			t.Errorf("B=%d: %+v, dense %v", batch, b, want)
		}
	}
}

// Where no eigenmatrix is found, the start still proves something.
func TestCertificateOfTheStart(t *testing.T) {
	rng := rand.New(rand.NewPCG(52, 0))
	for range 30 {
		p := randomMeanSquareProblem(rng)
		s := newSpan(t, p.gram())
		a := s.newMomentMap(p.sampling, p.batch)
		want := 2 / p.kroneckerThreshold(t)
		// A Ritz value that is far too low makes a G that is not in the cone.
		found := perron{lower: want / 4, upper: math.Inf(1), g: normalVector(rng, len(a.scale))}
		a.certify(&found, want/4, a.identity(), 1)
		if !(found.upper >= want*(1-1e-12)) || math.IsInf(found.upper, 1) {
			t.Errorf("λ ≤ %v is proven, λ is %v", found.upper, want)
		}
	}
}
