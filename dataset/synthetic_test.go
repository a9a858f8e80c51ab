package dataset

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func norm(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

func TestFunction1D(t *testing.T) {
	train, test := mustLoad(t, Request{Name: "function-1d"})
	if train.Len() != 10 || test.Len() != 1000 || train.Inputs() != 1 || train.Outputs != 1 || train.Labels != nil {
		t.Fatalf("n = %d and %d, d = %d, c = %d", train.Len(), test.Len(), train.Inputs(), train.Outputs)
	}
	for _, s := range []*Set{train, test} {
		n := s.Len()
		if s.X[0] != -1 || s.X[n-1] != 1 {
			t.Errorf("from %v to %v, want −1 to 1", s.X[0], s.X[n-1])
		}
		for i, x := range s.X {
			if s.X[n-1-i] != -x {
				t.Errorf("x[%d] = %v is not mirrored", i, x)
			}
			if want := -1 + 2*float64(i)/float64(n-1); !(math.Abs(float64(x)-want) <= 1e-7) {
				t.Errorf("x[%d] = %v, want %v", i, x, want)
			}
			if want := 0.2 * math.Sin(2*math.Pi*float64(x)); !(math.Abs(float64(s.Y[i])-want) <= 1e-6) {
				t.Errorf("y[%d] = %v, want %v", i, s.Y[i], want)
			}
		}
	}
}

// Moments of the uniform distribution: E x_i² = 1/d, E x_i = 0, E x_i⁴ = 3/(d(d+2)).
func TestSphere(t *testing.T) {
	const n, d = 20000, 6
	s := Sphere(n, d, rand.New(rand.NewPCG(1, 0)))
	var mean, square, fourth [d]float64
	for i := range n {
		x := s.Input(i)
		if e := math.Abs(norm(x) - 1); !(e <= 3e-7) {
			t.Fatalf("norm of sample %d is off by %v", i, e)
		}
		if s.Y[i] != x[0] {
			t.Fatalf("target %d is %v, want %v", i, s.Y[i], x[0])
		}
		for j, v := range x {
			mean[j] += float64(v) / n
			square[j] += float64(v*v) / n
			fourth[j] += float64(v*v*v*v) / n
		}
	}
	for j := range d {
		for _, c := range []struct{ got, want, variance float64 }{
			{mean[j], 0, 1. / d},
			{square[j], 1. / d, 3./(d*(d+2)) - 1./(d*d)},
			{fourth[j], 3. / (d * (d + 2)), 105. / (d * (d + 2) * (d + 4) * (d + 6))},
		} {
			if limit := 4.5 * math.Sqrt(c.variance/n); !(math.Abs(c.got-c.want) <= limit) {
				t.Errorf("coordinate %d: moment %v, want %v ± %v", j, c.got, c.want, limit)
			}
		}
	}
}

func TestSubspaces(t *testing.T) {
	const n, m, subDim, d = 9001, 3, 2, 7
	s, u := Subspaces(n, m, subDim, d, rand.New(rand.NewPCG(2, 0)))
	if s.Len() != n || s.Outputs != m || s.Inputs() != d {
		t.Fatalf("n = %d, c = %d, d = %d", s.Len(), s.Outputs, s.Inputs())
	}
	for k, basis := range u.Bases {
		for i := range subDim {
			for j := range subDim {
				var dot float64
				for c := range d {
					dot += basis[i*d+c] * basis[j*d+c]
				}
				want := 0.
				if i == j {
					want = 1
				}
				if !(math.Abs(dot-want) <= 1e-14) {
					t.Errorf("basis %d: rows %d and %d have product %v", k, i, j, dot)
				}
			}
		}
	}
	var inClass [m]int
	var radius2 [m]float64
	for i := range n {
		x, label := s.Input(i), s.Labels[i]
		r := norm(x)
		if !(r <= 1+1e-6) {
			t.Fatalf("sample %d has norm %v", i, r)
		}
		// The projection on its subspace has the same norm: it lies inside.
		var p float64
		for k := range subDim {
			var dot float64
			for c := range d {
				dot += u.Bases[label][k*d+c] * float64(x[c])
			}
			p += dot * dot
		}
		if !(math.Abs(math.Sqrt(p)-r) <= 1e-6) {
			t.Fatalf("sample %d of norm %v has the projection %v on its subspace", i, r, math.Sqrt(p))
		}
		inClass[label]++
		radius2[label] += r * r
	}
	if inClass != [m]int{3001, 3000, 3000} {
		t.Errorf("samples per subspace: %v", inClass)
	}
	for k := range m {
		// r² of a uniform point of a disc is uniform on [0,1].
		mean := radius2[k] / float64(inClass[k])
		if limit := 4.5 * math.Sqrt(1./12/3000); !(math.Abs(mean-0.5) <= limit) {
			t.Errorf("subspace %d: mean ‖x‖² %v, want 0.5 ± %v", k, mean, limit)
		}
	}
}

// Training and test points come from one union, but are not the same points.
func TestSubspacesShareTheUnion(t *testing.T) {
	train, test := mustLoad(t, Request{Name: "subspaces", Seed: 5, Synthetic: Synthetic{Train: 60, Test: 60, Dim: 8, Subspaces: 2, SubspaceDim: 3}})
	u := RandomUnion(2, 3, 8, rand.New(rand.NewPCG(5, 0)))
	for _, s := range []*Set{train, test} {
		for i := range s.Len() {
			rest := make([]float64, 8)
			for j, v := range s.Input(i) {
				rest[j] = float64(v)
			}
			for k := range 3 {
				subtractProjection(rest, u.Bases[s.Labels[i]][k*8:(k+1)*8])
			}
			for _, v := range rest {
				if !(math.Abs(v) <= 1e-6) {
					t.Fatalf("sample %d leaves its subspace by %v", i, v)
				}
			}
		}
	}
	if slices.Equal(train.X, test.X) {
		t.Error("training and test points are the same")
	}
}

func TestSyntheticSizes(t *testing.T) {
	train, test := mustLoad(t, Request{Name: "sphere", Synthetic: Synthetic{Train: 7, Test: 3, Dim: 4}})
	if train.Len() != 7 || test.Len() != 3 || train.Inputs() != 4 {
		t.Errorf("n = %d and %d, d = %d", train.Len(), test.Len(), train.Inputs())
	}
}

func TestSelect(t *testing.T) {
	s, _ := Subspaces(6, 2, 1, 3, rand.New(rand.NewPCG(1, 1)))
	got := s.Select([]int{5, 0, 5})
	if got.Len() != 3 || !slices.Equal(got.Labels, []int{1, 0, 1}) || !slices.Equal(got.Index, []int{5, 0, 5}) {
		t.Errorf("n = %d, labels %v, index %v", got.Len(), got.Labels, got.Index)
	}
	if !slices.Equal(got.Input(2), s.Input(5)) || !slices.Equal(got.Target(1), s.Target(0)) {
		t.Error("samples differ")
	}
}
