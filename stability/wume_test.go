package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// η_P, s and their limits against w×w matrices, and T_2(I) ≤ I on both sides.
func TestProposition1(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 0))
	for range 60 {
		p := randomMeanSquareProblem(rng)
		each, mean := p.curvatures()
		w := p.w
		square := make([]float64, w*w)
		for _, h := range each {
			for x, v := range denseProduct(h, h, w, w, w, 1) {
				square[x] += v / float64(p.n)
			}
		}
		sigma := denseProduct(mean, mean, w, w, w, -1)
		for x, v := range square {
			sigma[x] += v
		}
		s := newSpan(t, p.gram())
		nonUniformity, err := s.NonUniformity()
		if err != nil {
			t.Fatal(err)
		}
		if want := math.Sqrt(max(0, spectrum(t, w, sigma)[w-1])); !(math.Abs(nonUniformity-want) <= 1e-6*s.LargestNorm()) {
			t.Errorf("s = %v, want %v", nonUniformity, want)
		}
		found, err := s.Proposition1Threshold(p.sampling, p.batch)
		if err != nil {
			t.Fatal(err)
		}
		// −2H + η(H² + pΣ) is negative semi-definite up to η_P and not beyond.
		test := func(eta float64) float64 {
			m := denseProduct(mean, mean, w, w, w, eta)
			for x := range m {
				m[x] += eta*p.variance()*sigma[x] - 2*mean[x]
			}
			return spectrum(t, w, m)[w-1]
		}
		scale := s.Lambda[0] / float64(s.N)
		if low, high := test(found.Lower), test(found.Value*(1+1e-3)); !(low <= 1e-12*scale) || !(high > 1e-12*scale) {
			t.Errorf("n=%d c=%d w=%d B=%d: T_2(I) − I is %v at η_P, %v above", p.n, p.c, w, p.batch, low, high)
		}
	}
}

// Stability in the mean square implies s ≤ NonUniformityLimit (Wu, Ma & E, 2018)
// where T_2(I) ≤ I, and λ_max ≤ SharpnessLimit always.
func TestWuMaELimits(t *testing.T) {
	rng := rand.New(rand.NewPCG(52, 0))
	for range 60 {
		p := randomMeanSquareProblem(rng)
		s := newSpan(t, p.gram())
		found, err := s.Proposition1Threshold(p.sampling, p.batch)
		if err != nil {
			t.Fatal(err)
		}
		nonUniformity, err := s.NonUniformity()
		if err != nil {
			t.Fatal(err)
		}
		if limit := NonUniformityLimit(found.Lower, p.n, p.sampling, p.batch); !(nonUniformity <= limit*(1+1e-9)) {
			t.Errorf("s = %v, the limit is %v", nonUniformity, limit)
		}
		if limit := SharpnessLimit(p.threshold(t).Value); !(s.Lambda[0]/float64(s.N) <= limit*(1+1e-9)) {
			t.Errorf("sharpness %v, the limit is %v", s.Lambda[0]/float64(s.N), limit)
		}
	}
	if got, want := NonUniformityLimit(0.5, 10, WithoutReplacement, 4), 2*math.Sqrt(4*9/6.0); !(math.Abs(got-want) <= 1e-14*want) {
		t.Errorf("limit %v, want √(B(n−1)/(n−B))/η = %v", got, want)
	}
	if got := NonUniformityLimit(0.5, 10, WithoutReplacement, 10); !math.IsInf(got, 1) {
		t.Errorf("the full batch has a limit %v", got)
	}
}

func TestNonUniformityGolden(t *testing.T) {
	for _, fixture := range []string{"fnn-scalar", "fnn-tiny", "cnn-tiny"} {
		g := loadGoldenThresholds(t, fixture)
		got, err := newSpan(t, g.gram()).NonUniformity()
		if want := g.Hessian.NonUniformity; err != nil || !(math.Abs(got/want-1) <= 1e-10) {
			t.Errorf("%s: non-uniformity %v, %v; want %v", fixture, got, err, want)
		}
	}
}
