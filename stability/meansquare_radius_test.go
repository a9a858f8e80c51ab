package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// At the threshold ρ(T_2) is one; elsewhere it is the largest eigenvalue of the
// dense T_2, also where a map with parts has several.
func TestSpectralRadius2(t *testing.T) {
	rng := rand.New(rand.NewPCG(43, 0))
	for range 60 {
		p := randomMeanSquareProblem(rng)
		s, known := newSpan(t, p.gram()), p.threshold(t)
		tensor, err := s.Tensor(2, p.sampling, p.batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, share := range []float64{0.3, 1, 1.4} {
			eta := share * known.Value
			values, err := tensor.Spectrum(eta)
			if err != nil {
				t.Fatal(err)
			}
			want := values[len(values)-1]
			b, err := s.SpectralRadius2(eta, p.sampling, p.batch, known, testMemory)
			if err != nil {
				t.Fatal(err)
			}
			if !(math.Abs(b.Value/want-1) <= 1e-6) || !(b.Lower <= want*(1+1e-12)) || !(b.Upper >= want*(1-1e-12)) || !b.Exact {
				t.Errorf("%v·η*: %+v, dense %v", share, b, want)
			}
			if share == 1 && !(math.Abs(want-1) <= 1e-8) {
				t.Errorf("ρ(T_2) = %v at the threshold", want)
			}
			if full := s.FullRadius(want, s.Rank+1); full != max(1, want) || s.FullRadius(want, s.Rank) != want {
				t.Errorf("ρ on R^w is %v, on the span %v", full, want)
			}
		}
	}
}
