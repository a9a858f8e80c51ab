package experiment

import (
	"math"
	"slices"
	"strings"
	"testing"

	"sobolev/nn"
	"sobolev/stability"
)

// The seminorms of second order of a run against differences of gradients, element by
// element; and the reason where there are none.
func TestSecondOrderSeminorms(t *testing.T) {
	s := goldenStudy(t, nn.MSE, 0.01, 2, stability.WithoutReplacement)
	relu := (&around{study: s}).secondOrder()(1)
	if !math.IsNaN(float64(relu.Points)) || relu.Samples != 0 || !strings.Contains(relu.WhyNot, "relu") {
		t.Errorf("a ReLU network: %+v", relu)
	}
	const d, c = 6, 3
	net, err := nn.New[float64](nn.FNN(d, []int{8, 7}, c, nn.Tanh))
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]float64, net.ParameterCount())
	s.net.CopyParameters(flat)
	net.SetParameters(flat)
	s.net = net
	gradients, err := net.NewInputGradients(s.memory)
	if err != nil {
		t.Fatal(err)
	}
	second := (&around{study: s}).secondOrder()
	for _, k := range []int{1, 2, 3} {
		var multi, full [c]float64 // Σ_i of powers
		for i := range s.data.N {
			x := s.data.X[i*d : (i+1)*d]
			for o := range c {
				for a := range d {
					const h = 1e-5
					g := func(h float64) []float64 {
						y, dst := slices.Clone(x), make([]float64, d)
						y[a] += h
						gradients.Combined(dst, y, func(_ int, _, u []float64) { clear(u); u[o] = 1 })
						return dst
					}
					up, down := g(h), g(-h)
					for b := range d {
						power := math.Pow((up[b]-down[b])/(2*h), float64(2*k))
						full[o] += power
						if b >= a {
							multi[o] += power
						}
					}
				}
			}
		}
		joint := func(sums [c]float64) float64 {
			return math.Pow((sums[0]+sums[1]+sums[2])/float64(s.data.N), 1/float64(2*k))
		}
		added := func(sums [c]float64) (sum float64) {
			for _, v := range sums {
				sum += math.Pow(v/float64(s.data.N), 1/float64(2*k))
			}
			return sum
		}
		got := second(k)
		for _, v := range [][2]float64{
			{float64(got.Points), joint(multi)}, {float64(got.PointsSum), added(multi)},
			{float64(got.FullMatrix), joint(full)}, {float64(got.FullMatrixSum), added(full)},
		} {
			if !(math.Abs(v[0]-v[1]) <= 1e-7*v[1]) {
				t.Errorf("k = %d: %+v, want %v by differences", k, got, v[1])
			}
		}
		if got.Samples != s.data.N || got.WhyNot != "" {
			t.Errorf("k = %d: %+v", k, got)
		}
	}
}

// Too dear a network is measured at some samples: never at none.
func TestHessianSamples(t *testing.T) {
	for cost, want := range map[float64]int{0: 1000, 1e8: 1000, hessianBudget / 80: 80, 1e15: 1} {
		if got := hessianSamples(1000, cost); got != want {
			t.Errorf("%g multiplications a sample: %d samples, want %d", cost, got, want)
		}
	}
}
