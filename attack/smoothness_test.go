package attack

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sobolev/nn"
)

// measured returns ‖∇_W f_c(x)‖_{2k} at W + v and its first layer's part, by the
// power sums of nn: another way than the search's.
func measured(t testing.TB, net *nn.Network[float64], x, v []float64, c, k int) (all, first float64) {
	t.Helper()
	moved := nn.Float64(net)
	w := parameters(net)
	for j := range v {
		w[j] += v[j]
	}
	moved.SetParameters(w)
	data := nn.Data[float64]{N: 1, X: x, Y: make([]float64, net.Outputs())}
	err := moved.EachGradientSums(data, k, 1<<30, func(_, o int, s *nn.GradientSums) {
		if o == c {
			all, first = math.Pow(s.Parameters(k), 1/float64(2*k)), math.Pow(s.Weight[0][k-1]+s.Bias[0][k-1], 1/float64(2*k))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, first
}

// randomDense draws a dense network, with frozen layers now and then, and inputs.
func randomDense(t testing.TB, rng *rand.Rand) (*nn.Network[float64], []float64) {
	t.Helper()
	hidden := make([]int, rng.IntN(4))
	for l := range hidden {
		hidden[l] = 1 + rng.IntN(7)
	}
	arch := nn.FNN(1+rng.IntN(4), hidden, 1+rng.IntN(2), []nn.Activation{nn.ReLU, nn.Tanh, nn.Identity}[rng.IntN(3)])
	if rng.IntN(4) == 0 {
		arch.Frozen = rng.IntN(len(arch.Layers))
	}
	bare := rng.IntN(3) == 0
	for i := range arch.Layers {
		arch.Layers[i].NoBias = bare && arch.Layers[i].Kind == nn.LinearLayer
	}
	net, err := nn.New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(nn.PyTorchInit, rng)
	x := normal[float64](rng, 2*net.Inputs())
	if bare { // small inputs show what the bias's 1 would add
		for j := range x {
			x[j] *= 1e-3
		}
	}
	return net, x
}

// No V of the ball, random or searched for, exceeds the certificate; the search
// attains what it says, in the ball, and so do the values at V = 0.
func TestCertificateHolds(t *testing.T) {
	closest := 0.0
	for seed := range uint64(120) {
		rng := generator(seed)
		net, x := randomDense(t, rng)
		p, k, radius := Perturbation(seed%5), 1+rng.IntN(3), 0.5*rng.ExpFloat64()
		if _, bias, end := firstLayer(net); p.bias() && bias == end {
			p = RankOne
		}
		if seed%10 == 0 {
			radius = 0
		}
		label := fmt.Sprintf("seed %d, %v, k = %d, δ = %v, %+v", seed, p, k, radius, net.Architecture)
		before := parameters(net)
		found, err := SearchSmoothness(net, x, p, k, radius, Search{Steps: 8, Restarts: 2}, rng, 1<<30)
		if err != nil {
			t.Fatal(label, err)
		}
		if !slices.Equal(parameters(net), before) {
			t.Fatal("the search changed the network")
		}
		certificate, err := Certify(net, x, p, k, radius)
		if err != nil {
			t.Fatal(label, err)
		}
		d, c := net.Inputs(), net.Outputs()
		space := subspace{kind: p}
		space.begin, space.bias, space.end = firstLayer(net)
		if p.rankOne() {
			data := nn.Data[float64]{N: 2, X: x, Y: make([]float64, 2*c)}
			inputs := firstInputs(net, data)
			space.input = inputs[0]
		}
		v := make([]float64, len(before))
		for trial := range 12 {
			space.draw(v, radius*math.Pow(rng.Float64(), float64(trial%2)), rng)
			for o := range c {
				all, first := measured(t, net, x[:d], v, o, k)
				if !(all <= certificate.UpperGradient[o]) || !(first <= certificate.UpperFirstGradient[o]) {
					t.Fatalf("%s: V with norms %v, %v; certified are %v, %v", label, all, first, certificate.UpperGradient[o], certificate.UpperFirstGradient[o])
				}
			}
		}
		for i := range 2 * c {
			all, first := measured(t, net, row(x, i/c, d), nil, i%c, k)
			near(t, label+": gradient", found.Gradient[i], all, 1e-10)
			near(t, label+": first gradient", found.FirstGradient[i], first, 1e-10)
			near(t, label+": certificate's gradient", certificate.Gradient[i], all, 1e-10)
			near(t, label+": certificate's first gradient", certificate.FirstGradient[i], first, 1e-10)
			if !(found.LargestGradient[i] <= certificate.UpperGradient[i]) || !(found.LargestFirstGradient[i] <= certificate.UpperFirstGradient[i]) {
				t.Fatalf("%s: the search exceeds the certificate at %d: %v, %v", label, i, found, certificate)
			}
			if radius == 0 {
				near(t, label+": certificate of δ = 0", certificate.UpperGradient[i], all, 1e-8)
			}
		}
		at := found.Constant
		all, _ := measured(t, net, row(x, at.Sample, d), found.V, at.Output, k)
		near(t, label+": constant", at.Value, all/(found.Gradient[at.Sample*c+at.Output]+1), 1e-10)
		if !(norm2(found.V) <= radius) {
			t.Errorf("%s: ‖V‖ = %v", label, norm2(found.V))
		}
		projected := slices.Clone(found.V)
		space.input = nil
		if p == FirstWeights || p == FirstLayer {
			space.project(projected)
			if !slices.Equal(projected, found.V) {
				t.Errorf("%s: V is not in the subspace", label)
			}
		}
		ratio := certificate.Ratio(found)
		if !(ratio >= 1) {
			t.Errorf("%s: the certificate is %v times what was found", label, ratio)
		}
		if radius > 0.1 {
			closest = max(closest, 1/ratio)
		}
	}
	if !(closest > 0.99) {
		t.Errorf("no certificate is within 1%% of what was found: %v", closest)
	}
}

// With one hidden layer, no activation and perturbations of the first layer,
// ‖∇_W f‖₂² = ‖a‖²(‖x‖² + 1) + ‖z + V x̃‖² + 1 is largest where V x̃ = δ‖x̃‖ z/‖z‖: both
// the search and the certificate have that, for all perturbations of Proposition 3.
func TestClosedFormOfDefinition1(t *testing.T) {
	const d, m, delta = 4, 6, 0.7
	rng := generator(11)
	net := dense[float64](t, rng, d, []int{m}, 1, nn.Identity)
	w, x := parameters(net), normal[float64](rng, d)
	z := slices.Clone(w[m*d : m*d+m])
	for r := range z {
		for j, v := range x {
			z[r] += w[r*d+j] * v
		}
	}
	out := norm2(w[m*d+m : len(w)-1])
	square := func(move float64) float64 {
		return math.Sqrt(out*out*(norm2(x)*norm2(x)+1) + math.Pow(norm2(z)+move, 2) + 1)
	}
	for p, length := range map[Perturbation]float64{
		FirstWeights: norm2(x), RankOne: norm2(x), FirstLayer: math.Hypot(norm2(x), 1), RankOneBias: math.Hypot(norm2(x), 1),
	} {
		want := square(delta*length) / (square(0) + 1)
		found, err := SearchSmoothness(net, x, p, 1, delta, Search{Steps: 60, Restarts: 1}, rng, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := Certify(net, x, p, 1, delta)
		if err != nil {
			t.Fatal(err)
		}
		near(t, p.String()+": found", found.Constant.Value, want, 1e-5)
		near(t, p.String()+": certified", certificate.Constant.Value, want, 1e-8)
		// ∇f moves by V x̃ in the output's weights alone.
		near(t, p.String()+": Lipschitz", found.Lipschitz.Value, length, 1e-6)
		near(t, p.String()+": delta", certificate.UpperDelta[0], out, 1e-8)
	}
}

// Of a linear model the gradient does not depend on W.
func TestSmoothnessOfLinearModel(t *testing.T) {
	rng := generator(12)
	net, x := dense[float64](t, rng, 3, nil, 2, nn.Identity), normal[float64](rng, 9)
	for k := 1; k <= 3; k++ {
		found, err := SearchSmoothness(net, x, AllParameters, k, 2, Search{Steps: 3, Restarts: 2}, rng, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := Certify(net, x, AllParameters, k, 2)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for i := range 3 {
			g := math.Pow(1+math.Pow(powerNorm(x[3*i:3*i+3], k), float64(2*k)), 1/float64(2*k))
			want = max(want, g/(g+1))
		}
		near(t, "found", found.Constant.Value, want, 1e-12)
		near(t, "certified", certificate.Constant.Value, want, 1e-8)
		near(t, "first layer", found.FirstLayer.Value, want, 1e-12)
		near(t, "Lipschitz", found.Lipschitz.Value, 0, 1e-12)
	}
}

// Against many random V on the sphere the search is not far behind; it is local, and
// the pieces of a ReLU network are many.
func TestSmoothnessSearchAgainstRandom(t *testing.T) {
	for seed := range uint64(16) {
		rng := generator(100 + seed)
		net := dense[float64](t, rng, 3, []int{5, 4}, 1, []nn.Activation{nn.ReLU, nn.Tanh}[seed%2])
		x, p, k := normal[float64](rng, 3), Perturbation(seed%5), 1+int(seed%2)
		found, err := SearchSmoothness(net, x, p, k, 0.5, Search{Steps: 20, Restarts: 4}, rng, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		space := subspace{kind: p, input: x}
		space.begin, space.bias, space.end = firstLayer(net)
		v, all, first := make([]float64, net.ParameterCount()), 0.0, 0.0
		for range 600 {
			space.draw(v, 0.5, rng)
			g, h := measured(t, net, x, v, 0, k)
			all, first = max(all, g), max(first, h)
		}
		if !(found.LargestGradient[0] >= 0.95*all) || !(found.LargestFirstGradient[0] >= 0.95*first) {
			t.Errorf("seed %d, %v: found %v, %v; random search has %v, %v", seed, p, found.LargestGradient[0], found.LargestFirstGradient[0], all, first)
		}
	}
}

// Other networks can be searched but not certified.
func TestConvolutions(t *testing.T) {
	rng := generator(13)
	net, err := nn.New[float32](nn.Architecture{Input: []int{1, 4, 4}, Layers: []nn.Layer{
		nn.Conv(2, 3, 1, 0), nn.Activate(nn.ReLU), nn.Flatten(), nn.Linear(2),
	}})
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(nn.PyTorchInit, rng)
	x := normal[float32](rng, 16)
	for _, p := range []Perturbation{AllParameters, FirstWeights, FirstLayer} {
		found, err := SearchSmoothness(net, x, p, 2, 0.1, Search{Steps: 3, Restarts: 1}, rng, 1<<30)
		if err != nil || !(found.Constant.Value > 0) || !(found.Lipschitz.Value > 0) {
			t.Errorf("%v: %+v, %v", p, found, err)
		}
	}
	_, err = SearchSmoothness(net, x, RankOne, 2, 0.1, Search{Steps: 3, Restarts: 1}, rng, 1<<30)
	expect(t, err, "dense first layer")
	_, err = Certify(net, x, AllParameters, 2, 0.1)
	expect(t, err, "layer 0 is conv")
	_, err = Certify(dense[float64](t, rng, 2, []int{2}, 1, nn.GELU), []float64{1, 2}, AllParameters, 1, 0.1)
	expect(t, err, "activation gelu")
}

func TestSmoothnessErrors(t *testing.T) {
	rng := generator(14)
	net, s, nan := dense[float64](t, rng, 2, []int{3}, 2, nn.ReLU), Search{Steps: 1, Restarts: 1}, math.NaN()
	for _, test := range []struct {
		want   string
		x      []float64
		p      Perturbation
		k      int
		radius float64
	}{
		{"0 values", nil, 0, 1, 1},
		{"is NaN", []float64{1, nan}, 0, 1, 1},
		{"radius NaN", []float64{1, 2}, 0, 1, nan},
		{"radius -1", []float64{1, 2}, 0, 1, -1},
		{"order 0", []float64{1, 2}, 0, 0, 1},
		{"unknown perturbation", []float64{1, 2}, 5, 1, 1},
	} {
		_, err := SearchSmoothness(net, test.x, test.p, test.k, test.radius, s, rng, 1<<30)
		expect(t, err, test.want)
		_, err = Certify(net, test.x, test.p, test.k, test.radius)
		expect(t, err, test.want)
	}
	_, err := SearchSmoothness(net, []float64{1, 2}, 0, 1, 1, s, rng, 1000)
	expect(t, err, "memory")
	w := parameters(net)
	w[0] = nan
	net.SetParameters(w)
	_, err = SearchSmoothness(net, []float64{1, 2}, 0, 1, 1, s, rng, 1<<30)
	expect(t, err, "not finite")
	_, err = Certify(net, []float64{1, 2}, 0, 1, 1)
	expect(t, err, "not finite")
}

// The bound on gates that turn against all sets of gates that are within reach.
func TestTurnedGates(t *testing.T) {
	for seed := range uint64(200) {
		rng := generator(seed)
		m := 1 + rng.IntN(10)
		z, p := point(normal[float64](rng, m)), normal[float64](rng, m)
		z.distance = 2 * rng.Float64()
		largest := 0.0
		for set := range 1 << m {
			cost, gain := 0.0, 0.0
			for r := range m {
				if set>>r&1 == 1 {
					cost += z.v[r] * z.v[r]
					gain += p[r] * p[r]
				}
			}
			if cost <= z.distance*z.distance {
				largest = max(largest, math.Sqrt(gain))
			}
		}
		got := turned(nn.ReLU, z, p, p)
		if !(got >= largest) || !(got <= norm2(p)*(1+1e-9)) {
			t.Errorf("seed %d: %v; a set of gates has %v, all have %v", seed, got, largest, norm2(p))
		}
		for range 20 {
			moved, direction := 0.0, normal[float64](rng, m)
			rescale(direction, z.distance)
			for r, d := range direction {
				moved = math.Hypot(moved, (nn.Tanh.Derivative(z.v[r]+d)-nn.Tanh.Derivative(z.v[r]))*p[r])
			}
			if got := turned(nn.Tanh, z, p, affine(p, 1e9, 0)); !(got >= moved) {
				t.Errorf("seed %d: %v for tanh; a direction has %v", seed, got, moved)
			}
		}
	}
}

// Projections on the perturbations are orthogonal: twice is once, and what is left
// is perpendicular. Every u x_*ᵀ is its own projection.
func TestProjections(t *testing.T) {
	rng := generator(15)
	net, x := dense[float64](t, rng, 3, []int{4}, 2, nn.ReLU), normal[float64](rng, 3)
	for p := range Perturbation(5) {
		s := subspace{kind: p, input: x}
		s.begin, s.bias, s.end = firstLayer(net)
		v := normal[float64](rng, net.ParameterCount())
		once := slices.Clone(v)
		s.project(once)
		twice, product, size := slices.Clone(once), 0.0, 0.0
		s.project(twice)
		for j := range v {
			near(t, p.String()+": projected twice", twice[j], once[j], 1e-14)
			product += (v[j] - once[j]) * once[j]
			size += once[j] * once[j]
		}
		near(t, p.String()+": product with what is left", product, 0, 1e-13)
		if !(size > 0) {
			t.Errorf("%v: a projection is zero", p)
		}
		u := normal[float64](rng, 4)
		rankOne := make([]float64, len(v))
		for r := range u {
			for j := range x {
				rankOne[r*3+j] = u[r] * x[j]
			}
			if p.bias() {
				rankOne[12+r] = u[r]
			}
		}
		moved := slices.Clone(rankOne)
		s.project(moved)
		for j := range moved {
			near(t, p.String()+": u x^T", moved[j], rankOne[j], 1e-14)
		}
	}
}

// The search by products finds what the one with vectors of parameters finds: the
// same steps lead to the same numbers.
func TestRankOneSearchIsTheSearch(t *testing.T) {
	activations, compared := []nn.Activation{nn.ReLU, nn.Tanh, nn.GELU, nn.Softplus, nn.Sigmoid}, 0
	for seed := range uint64(200) {
		rng := generator(seed)
		hidden := []int{1 + rng.IntN(9), 1 + rng.IntN(9), 1 + rng.IntN(9)}[:1+rng.IntN(3)]
		arch := nn.FNN(1+rng.IntN(5), hidden, 1+rng.IntN(3), activations[rng.IntN(len(activations))])
		if rng.IntN(3) == 0 {
			arch.Frozen = 1 + rng.IntN(2)
		}
		net, err := nn.New[float64](arch)
		if err != nil {
			t.Fatal(err)
		}
		net.Initialise(nn.PyTorchInit, rng)
		x := normal[float64](rng, 4*net.Inputs())
		p, k, radius := []Perturbation{RankOne, RankOneBias}[seed%2], 1+rng.IntN(3), 0.2+rng.Float64()
		search := func() *smoothnessSearch {
			l, err := newSmoothnessSearch(net, x, p, k, Ball{Radius: radius}, Search{Steps: 4, Restarts: 1}, generator(seed), 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		slow, fast := search(), search()
		layers, ok := rankOneLayers(fast.net)
		if !ok {
			t.Fatalf("%+v is not dense", arch)
		}
		if err := errors.Join(slow.each(), fast.eachRankOne(layers)); err != nil {
			t.Fatal(err)
		}
		if slow.rng.Uint64() != fast.rng.Uint64() || slow.rng.Uint64() != generator2(seed) {
			continue // random steps were taken, where no gradient changes: not the same ones
		}
		compared++
		label := fmt.Sprintf("seed %d, %v, k = %d, %+v", seed, p, k, arch)
		for _, v := range [][2]float64{
			{fast.result.Constant.Value, slow.result.Constant.Value}, {fast.result.FirstLayer.Value, slow.result.FirstLayer.Value},
			{fast.result.Lipschitz.Value, slow.result.Lipschitz.Value},
		} {
			near(t, label, v[0], v[1], 1e-6)
		}
		for i := range slow.result.Gradient {
			near(t, label+": gradient", fast.result.Gradient[i], slow.result.Gradient[i], 1e-11)
			near(t, label+": largest", fast.result.LargestGradient[i], slow.result.LargestGradient[i], 1e-6)
			near(t, label+": largest of the first layer", fast.result.LargestFirstGradient[i], slow.result.LargestFirstGradient[i], 1e-6)
		}
		at := fast.result.Constant
		d := net.Inputs()
		attained, _ := measured(t, net, row(x, at.Sample, d), fast.result.V, at.Output, k)
		near(t, label+": what V attains", attained/(fast.result.Gradient[at.Sample*net.Outputs()+at.Output]+1), at.Value, 1e-10)
		if norm := norm2(fast.result.V); !(norm <= radius*(1+1e-12)) {
			t.Errorf("%s: V of norm %v in a ball of %v", label, norm, radius)
		}
	}
	if compared < 100 {
		t.Errorf("compared on %d networks: too few", compared)
	}
}

// generator2 is the second number of a generator that no one has used.
func generator2(seed uint64) uint64 {
	rng := generator(seed)
	rng.Uint64()
	return rng.Uint64()
}
