package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sobolev/internal/kernel"
)

// Gradients of random combinations against finite differences of the outputs, for
// every kind of layer and below frozen ones.
func TestInputGradientsAreFiniteDifferences(t *testing.T) {
	seen, compared, frozen := map[string]int{}, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint64().Draw(t, "seed")
		// Several networks a case: few cases have every kind of layer too.
		for seed := first; seed != first+8; seed++ {
			net, data := randomNetwork[float64](seed)
			rng := rand.New(rand.NewPCG(seed, 5))
			g, err := net.NewInputGradients(1 << 30)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range net.stages {
				seen[fmt.Sprintf("%T", s)]++
			}
			d, c := net.Inputs(), net.Outputs()
			u := gaussian(rng, data.N*c)
			at := func(x []float64) []float64 { // Σ_o u_io f_o(x_i)
				f, v := make([]float64, data.N*c), make([]float64, data.N)
				g.Outputs(f, x)
				for i := range v {
					v[i] = dot(u[i*c:(i+1)*c], f[i*c:(i+1)*c])
				}
				return v
			}
			gradient := make([]float64, data.N*d)
			g.Combined(gradient, data.X, func(i int, _, w []float64) { copy(w, u[i*c:(i+1)*c]) })
			const h = 1e-6
			direction := gaussian(rng, data.N*d)
			shift := func(h float64) []float64 {
				x := slices.Clone(data.X)
				kernel.Axpy(x, h, direction)
				return at(x)
			}
			up, middle, down := shift(h), shift(0), shift(-h)
			for i := range data.N {
				if kink(up[i], middle[i], down[i], h) {
					continue
				}
				compared++
				if net.frozen > 0 {
					frozen++
				}
				got, want := dot(gradient[i*d:(i+1)*d], direction[i*d:(i+1)*d]), (up[i]-down[i])/(2*h)
				if !(math.Abs(got-want) <= 1e-4*(1+math.Abs(want))) {
					t.Fatalf("sample %d: %v along the gradient, finite difference %v (%+v)", i, got, want, net.Architecture)
				}
			}
		}
	})
	if manyCases() && (compared == 0 || frozen == 0) {
		t.Errorf("%d directions compared, %d of them below frozen layers", compared, frozen)
	}
	for _, kind := range []string{"dense", "conv", "convPool", "pool", "flatten", "batchNorm", "fork", "join"} {
		if manyCases() && seen["*nn."+kind+"[float64]"] == 0 {
			t.Errorf("no network had a %s: %v", kind, seen)
		}
	}
}

// A sample's outputs and gradients have the same bits alone and among others, in
// blocks of any size; the sums of EachGradientSums are those of the gradients; and
// those in float32 are close to those in float64.
func TestInputGradientsOfEachSample(t *testing.T) {
	for seed := range uint64(60) {
		net, data := randomNetwork[float32](seed)
		g, err := net.NewInputGradients(1 << 30)
		if err != nil {
			t.Fatal(err)
		}
		wide, err := Float64(net).NewInputGradients(1 << 30)
		if err != nil {
			t.Fatal(err)
		}
		d, c := net.Inputs(), net.Outputs()
		sums := make([]float64, data.N*c)
		err = net.EachGradientSums(data, 1, 1<<30, func(i, o int, s *GradientSums) {
			if sums[i*c+o] = s.Input[0]; net.frozen > 0 {
				sums[i*c+o] = s.Image[0]
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		all := make([]float32, data.N*c*d)
		unit := func(_, o int, _, u []float32) { clear(u); u[o] = 1 }
		g.Each(data.X, c, unit, func(i, o int, v []float32) { copy(all[(i*c+o)*d:], v) })
		g.block = kernel.RowBlock
		for i := range data.N {
			g.Each(data.X[i*d:(i+1)*d], c, unit, func(_, o int, v []float32) {
				if !slices.Equal(v, all[(i*c+o)*d:(i*c+o+1)*d]) {
					t.Fatalf("seed %d: the gradient of sample %d depends on the block", seed, i)
				}
				sum := make([]float64, 1)
				kernel.EvenPowerSums(sum, v)
				if !(math.Abs(sum[0]-sums[i*c+o]) <= 1e-6*sums[i*c+o]) {
					t.Fatalf("seed %d: sum of squares %v, EachGradientSums has %v", seed, sum[0], sums[i*c+o])
				}
			})
		}
		// Two networks side by side differ where a kink lies between them; few do.
		differ := 0
		wide.Each(Convert[float64](data.X), c, func(_, o int, _, u []float64) { clear(u); u[o] = 1 }, func(i, o int, v []float64) {
			largest, worst := 1e-3, 0.0
			for j, w := range v {
				largest = math.Max(largest, math.Abs(w))
				worst = math.Max(worst, math.Abs(w-float64(all[(i*c+o)*d+j])))
			}
			if !(worst <= 1e-3*largest) {
				differ++
			}
		})
		if 10*differ > data.N*c {
			t.Errorf("seed %d: %d of %d gradients differ from float64 (%+v)", seed, differ, data.N*c, net.Architecture)
		}
	}
}

func TestInputGradientsMemory(t *testing.T) {
	net, _ := randomNetwork[float64](1)
	if _, err := net.NewInputGradients(100); err == nil {
		t.Error("100 bytes were enough")
	}
}
