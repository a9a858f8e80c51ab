package linop

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// exactSecular returns f at d[origin] + offset without rounding to speak of, and
// 1/ρ + Σ |z_i²/(d_i − λ)|.
func exactSecular(d, z []float64, rho float64, origin int, offset float64) (f, size float64) {
	exact := func(x float64) *big.Float { return new(big.Float).SetPrec(400).SetFloat64(x) }
	lambda := exact(d[origin])
	lambda.Add(lambda, exact(offset))
	sum := exact(1)
	sum.Quo(sum, exact(rho))
	all := new(big.Float).Copy(sum)
	for i := range d {
		term, gap := exact(z[i]), exact(d[i])
		term.Mul(term, term).Quo(term, gap.Sub(gap, lambda))
		sum.Add(sum, term)
		all.Add(all, term.Abs(term))
	}
	f, _ = sum.Float64()
	size, _ = all.Float64()
	return f, size
}

// checkSecular holds the roots against the condition under which Gu & Eisenstat
// (1994) prove the vectors orthogonal, |f| = O(k ε)(1/ρ + Σ |terms|), and the
// eigenvectors against D + ρ z zᵀ.
func checkSecular(t rapid.TB, d, z []float64, rho float64) {
	t.Helper()
	k := len(d)
	places := make([]int, k)
	for i := range places {
		places[i] = i
	}
	var s secular
	if err := s.solve(d, z, rho, places); err != nil {
		t.Fatal(err)
	}
	unit := 10 * 0x1p-52 * math.Sqrt(float64(k))
	vectors, scale := make([]float64, k*k), math.Abs(d[0])
	for j := range k {
		scale = max(scale, math.Abs(s.value(j)))
		origin, x := s.origin[j], s.offset[j]
		rightOfItsPole, leftOfTheNext := origin == j && x > 0, j+1 < k && origin == j+1 && x < 0
		if !rightOfItsPole && !leftOfTheNext {
			t.Fatalf("root %d of %d is %g from value %d", j, k, x, origin)
		}
		if j+1 < k && !(math.Abs(x) <= (d[j+1]-d[j])*0.5000001) {
			t.Errorf("root %d is %g from value %d, which is not the nearest", j, x, origin)
		}
		if f, size := exactSecular(d, z, rho, origin, x); !(math.Abs(f) <= 2*unit*size) {
			t.Errorf("root %d of %d: f = %.3g, bound %.3g", j, k, f, 2*unit*size)
		}
		s.vector(vectors[j*k:(j+1)*k], j, places)
	}
	if defect := orthogonalityDefect(k, vectors); !(defect <= unit) {
		t.Errorf("vectors are orthonormal up to %.3g, bound %.3g", defect, unit)
	}
	for j := range k {
		v := vectors[j*k : (j+1)*k]
		inner, sum := 0.0, 0.0
		for i := range v {
			inner += z[i] * v[i]
		}
		for i := range v {
			r := d[i]*v[i] + rho*inner*z[i] - s.value(j)*v[i]
			sum += r * r
		}
		if !(math.Sqrt(sum) <= unit*scale) {
			t.Errorf("pair %d of %d has residual %.3g, bound %.3g", j, k, math.Sqrt(sum), unit*scale)
		}
	}
}

func TestSecularOfTwo(t *testing.T) {
	// (1 − λ)(3 − λ) + 2(0.36(3 − λ) + 0.64(1 − λ)) = 0
	var s secular
	if err := s.solve([]float64{1, 3}, []float64{0.6, 0.8}, 2, []int{0, 1}); err != nil {
		t.Fatal(err)
	}
	root := math.Sqrt(9 - 6.44)
	for j, want := range []float64{3 - root, 3 + root} {
		if !(math.Abs(s.value(j)-want) <= 1e-15*want) {
			t.Errorf("root %d is %v, want %v", j, s.value(j), want)
		}
	}
}

// The smallest gaps and elements are those that deflation leaves.
func TestSecularOfHardCases(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 1))
	for _, k := range []int{1, 2, 3, 10, 40} {
		for _, rho := range []float64{1e-13, 1e-6, 1, 2} {
			for _, gap := range []float64{1, 1e-3, 1e-8, 1e-14} {
				for _, small := range []float64{1, 1e-4, 1e-9, 1e-14} {
					d, z := make([]float64, k), make([]float64, k)
					norm, at := 0.0, -g.Float64()
					for i := range d {
						at += 1e-14 + math.Pow(gap, g.Float64())/float64(k)
						d[i] = at
						z[i] = math.Pow(small, g.Float64()) * float64(1-2*g.IntN(2))
						norm = math.Hypot(norm, z[i])
					}
					for i := range z {
						z[i] /= norm
					}
					checkSecular(t, d, z, rho)
				}
			}
		}
	}
}

func TestSecularOfRandomCases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 40).Draw(t, "k")
		g := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		d, z := make([]float64, k), make([]float64, k)
		norm, at := 0.0, 2*g.Float64()-1
		for i := range d {
			at += math.Pow(10, -14*g.Float64())
			d[i], z[i] = at, math.Pow(10, -15*g.Float64())*float64(1-2*g.IntN(2))
			norm = math.Hypot(norm, z[i])
		}
		for i := range z {
			z[i] /= norm
		}
		checkSecular(t, d, z, math.Pow(10, -10*g.Float64()))
	})
}
