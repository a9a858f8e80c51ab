package stability

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
)

// apply is D written out, over more than one panel of its products, and
// self-adjoint.
func TestMomentMapIsTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(50, 0))
	for _, size := range []struct{ n, c, w int }{{1, 1, 1}, {5, 3, 7}, {mapPanel/2 + 5, 2, 3 * mapPanel}} {
		s := newSpan(t, gramOf(randomGradients(rng, size.n, size.c, size.w, size.w), size.n, size.c, size.w))
		r, n, c := s.Rank, s.N, s.C
		x := normalVector(rng, r*r)
		for a := range r {
			for b := range a {
				x[a*r+b] = x[b*r+a]
			}
		}
		a := s.newMomentMap(WithReplacement, 3)
		p := 1.0 / 3
		want := make([]float64, r*r)
		for i := range r {
			for j := range r {
				want[i*r+j] = (1 - p) * s.Lambda[i] * s.Lambda[j] / float64(n*n) * x[i*r+j]
			}
		}
		for i := range n {
			q := s.Q[i*c*r : (i+1)*c*r]
			block := denseProduct(denseProduct(q, x, c, r, r, 1), transpose(q, c, r), c, r, c, p/float64(n))
			for at, v := range denseProduct(transpose(q, c, r), denseProduct(block, q, c, c, r, 1), r, c, r, 1) {
				want[at] += v
			}
		}
		v, got := make([]float64, len(a.scale)), make([]float64, len(a.scale))
		a.each(func(at, i, j int) {
			v[at] = x[i*r+j] / a.scale[at]
			if i != j {
				v[at] *= math.Sqrt2
			}
		})
		a.apply(got, v)
		norm := s.Lambda[0] * s.Lambda[0] / float64(n*n)
		a.each(func(at, i, j int) {
			w := want[i*r+j] * a.scale[at]
			if i != j {
				w *= math.Sqrt2
			}
			if !(math.Abs(got[at]-w) <= 1e-12*a.scale[at]*norm*float64(r)) {
				t.Fatalf("%+v: element (%d,%d) is %v, want %v", size, i, j, got[at], w)
			}
		})
		u, image := normalVector(rng, len(v)), make([]float64, len(v))
		a.apply(image, u)
		if left, right := floats.Dot(u, got), floats.Dot(image, v); !(math.Abs(left-right) <= 1e-10*floats.Norm(u, 2)*floats.Norm(got, 2)) {
			t.Errorf("%+v: ⟨U, A V⟩ = %v, ⟨A U, V⟩ = %v", size, left, right)
		}
	}
}

// No G proves a bound that is too low, wherever it comes from: a certificate that
// accepts it would be worthless.
func TestNoProofOfWhatIsWrong(t *testing.T) {
	rng := rand.New(rand.NewPCG(53, 0))
	for range 100 {
		p := randomMeanSquareProblem(rng)
		s := newSpan(t, p.gram())
		a := s.newMomentMap(p.sampling, p.batch)
		theta := 2 / p.kroneckerThreshold(t) * (1 - 1e-7)
		g, image := a.identity(), a.identity()
		for range 40 {
			a.apply(image, g)
			if a.proves(theta, g, image) {
				t.Fatalf("n=%d c=%d w=%d B=%d %v: λ ≤ %v is proven, and wrong", p.n, p.c, p.w, p.batch, p.sampling, theta)
			}
			for i, v := range a.identity() {
				g[i] = image[i]/theta + 0.1*rng.Float64()*v
			}
		}
	}
}
