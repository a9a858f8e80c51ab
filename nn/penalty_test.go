package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// The penalty against the moments of the input's gradient, and its gradient
// against finite differences.
func TestInputPenaltyGradientIsFiniteDifference(t *testing.T) {
	compared, smooth, fused := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		net, data := randomNetwork[float64](rapid.Uint64().Draw(t, "seed"))
		const lambda = 0.3
		ws, _ := setBatch(net, data)
		w := net.ParameterCount()
		start, grad, params := make([]float64, w), make([]float64, w), make([]float64, w)
		for i := range start {
			start[i] = float64(i % 3) // of layers that train
		}
		g := net.NewGradient()
		g.Set(start) // AddInputPenalty adds
		value := net.AddInputPenalty(g, ws, lambda, data.N)
		g.CopyTo(grad)
		moments, err := net.GradientMoments(data, []int{1}, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if want := lambda * moments[0].SumX; !(math.Abs(value-want) <= 1e-11*want) {
			t.Fatalf("P = %v, want λ·sum_x = %v", value, want)
		}
		net.CopyParameters(params)
		unused := net.NewGradient()
		for range 10 {
			j := rapid.IntRange(w-net.TrainableCount(), w-1).Draw(t, "parameter")
			penalty := func(shift float64) float64 {
				at := params[j]
				params[j] = at + shift
				net.SetParameters(params)
				params[j] = at
				return net.AddInputPenalty(unused, ws, lambda, data.N)
			}
			const h = 1e-6
			up, at, down := penalty(h), penalty(0), penalty(-h)
			fd := (up - down) / (2 * h)
			if kink(up, at, down, h) { // across one P jumps
				continue
			}
			if got := grad[j] - start[j]; !(math.Abs(got-fd) <= 1e-5*(1+math.Abs(fd))) {
				t.Fatalf("∂P/∂W[%d] = %v, finite difference %v (%+v)", j, got, fd, net.Architecture)
			}
			compared++
		}
		if ws.second.lastSmooth >= 0 {
			smooth++
		}
		if _, ok := net.stages[0].(*convPool[float64]); ok {
			fused++
		}
	})
	if manyCases() && (compared == 0 || smooth == 0 || fused == 0) {
		t.Errorf("%d parameters compared, %d smooth networks, %d fused; need some of each", compared, smooth, fused)
	}
}

func TestInputPenaltyDoesNotAllocate(t *testing.T) {
	if poolForgets {
		t.Skip("the kernels' pools forget under the race detector")
	}
	for seed := range uint64(12) {
		net, data := randomNetwork[float32](seed)
		ws, _ := setBatch(net, data)
		g := net.NewGradient()
		net.AddInputPenalty(g, ws, 1, data.N)
		if allocs := testing.AllocsPerRun(3, func() { net.AddInputPenalty(g, ws, 1, data.N) }); allocs > 0 {
			t.Errorf("%v allocations in a pass of %+v", allocs, net.Architecture)
		}
	}
}

func TestSecondDerivativeIsFiniteDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for a := Tanh; int(a) < len(activationNames); a++ {
		for range 50 {
			z := 3 * rng.NormFloat64()
			const h = 1e-5
			slope := []float64{1, 1}
			applyDerivative(a, slope, []float64{z - h, z + h})
			want := (slope[1] - slope[0]) / (2 * h)
			if got := a.secondDerivative(z); !(math.Abs(got-want) <= 1e-8) {
				t.Errorf("%v″(%v) = %v, finite difference %v", a, z, got, want)
			}
		}
	}
}
