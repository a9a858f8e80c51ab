package seminorm

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"
)

func TestNormIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := normals(newRandom(rapid.Uint64().Draw(t, "seed")), rapid.IntRange(1, 20).Draw(t, "n"))
		k := rapid.IntRange(1, 40).Draw(t, "k")
		// In logarithms: the 80th power of a small element underflows.
		powers := make([]float64, len(v))
		for i, x := range v {
			powers[i] = float64(2*k) * math.Log(math.Abs(x))
		}
		if want := math.Exp(floats.LogSumExp(powers) / float64(2*k)); !near(Norm(v, k), want, 1e-12) {
			t.Fatalf("‖v‖_%d = %v, want %v", 2*k, Norm(v, k), want)
		}
	})
	if got := Norm([]float64{3e-300, -4e-300}, 1); !near(got, 5e-300, 1e-14) {
		t.Errorf("‖v‖₂ of tiny elements is %v", got)
	}
	if got := Norm([]float64{1e200, 0}, 3); !near(got, 1e200, 1e-14) {
		t.Errorf("‖v‖₆ of a huge element is %v", got)
	}
	if got := Norm([]float64{1, math.NaN()}, 2); !math.IsNaN(got) {
		t.Errorf("‖v‖ with NaN is %v", got)
	}
	if got := Norm(nil, 2); got != 0 {
		t.Errorf("the empty norm is %v", got)
	}
}

// The two conventions differ as they must: Joint ≤ Sum ≤ c^{1−1/2k} Joint, with
// equality on the right for equal outputs and on the left for one.
func TestConventionsForSeveralOutputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := newRandom(rapid.Uint64().Draw(t, "seed"))
		n, c, k := 1+random.IntN(6), 1+random.IntN(4), 1+random.IntN(4)
		norms := absPow(normals(random, n*c), 1)
		s := AtPoints(norms, c, k)
		p := float64(2 * k)
		factor := math.Pow(float64(c), 1-1/p)
		if !(s.Joint <= s.Sum*(1+1e-13) && s.Sum <= factor*s.Joint*(1+1e-13)) {
			t.Fatalf("joint %v, sum %v, factor %v", s.Joint, s.Sum, factor)
		}
		var total float64
		for i, v := range norms {
			total += math.Pow(v, p)
			norms[i] = norms[i/c*c]
		}
		if want := math.Pow(total/float64(n), 1/p); !near(s.Joint, want, 1e-12) {
			t.Fatalf("joint %v, want %v", s.Joint, want)
		}
		if equal := AtPoints(norms, c, k); !near(equal.Sum, factor*equal.Joint, 1e-12) {
			t.Fatalf("equal outputs: sum %v, joint %v", equal.Sum, equal.Joint)
		}
		if twice := AtPoints(append(norms, norms...), c, k); !near(twice.Sum, AtPoints(norms, c, k).Sum, 1e-13) {
			t.Fatalf("every point twice changes the mean")
		}
	})
}

// f = x₁² + 3 x₁x₂: H = [2 3; 3 0].
func TestHessianConventions(t *testing.T) {
	multi, full := HessianNorms([]float64{2, 3, 3, 0}, 2, 2)
	if !near(multi, math.Pow(16+81, 0.25), 1e-14) || !near(full, math.Pow(16+2*81, 0.25), 1e-14) {
		t.Errorf("multi-index %v, full matrix %v", multi, full)
	}
	if m, f := HessianNorms([]float64{2, 2.5, 3.5, 0}, 2, 2); m != multi || f != full {
		t.Errorf("not quite symmetric: %v, %v", m, f)
	}
}

func TestBrokenNormsStayBroken(t *testing.T) {
	s := AtPoints([]float64{1, 2, math.NaN(), 4}, 2, 1)
	if !math.IsNaN(s.Joint) || !math.IsNaN(s.Sum) || !math.IsNaN(s.PerOutput[0]) || !near(s.PerOutput[1], math.Sqrt(10), 1e-14) {
		t.Errorf("%+v", s)
	}
}
