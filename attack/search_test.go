package attack

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"sobolev/nn"
)

// lipschitz returns the largest ‖W₁ᵀ D a‖ of all diagonal D of zeros and ones, in the
// norm dual to the ball's: a Lipschitz constant of x ↦ a·ReLU(W₁x + b), and with
// order k the largest possible ‖∇_x f‖_{2k}.
func lipschitz(w []float64, d, m int, norm func(v []float64) float64) float64 {
	largest, out := 0.0, w[m*d+m:]
	for gates := range 1 << m {
		g := make([]float64, d)
		for r := range m {
			if gates>>r&1 == 1 {
				for j, v := range row(w, r, d) {
					g[j] += out[r] * v
				}
			}
		}
		largest = max(largest, norm(g))
	}
	return largest
}

// What is found never exceeds δ times a Lipschitz constant by enumeration, nor are
// gradients larger than those of all pieces.
func TestFoundIsBelowEnumeration(t *testing.T) {
	for seed := range uint64(40) {
		rng := generator(seed)
		d, m := 1+rng.IntN(6), 1+rng.IntN(8)
		net := dense[float64](t, rng, d, []int{m}, 1, nn.ReLU)
		w, x := parameters(net), normal[float64](rng, 5*d)
		b, s := Ball{Norm: Norm(rng.IntN(2)), Radius: rng.ExpFloat64()}, Search{Steps: 10, Restarts: 3}
		a := attacker(t, net)
		limit := lipschitz(w, d, m, func(v []float64) float64 { return dualNorm(b.Norm, v) })
		change, err := a.OutputChange(x, b, s, rng)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range change.Largest {
			if !(v <= b.Radius*limit*(1+1e-12)) {
				t.Errorf("seed %d, sample %d: change %v exceeds %v", seed, i, v, b.Radius*limit)
			}
		}
		k := 1 + rng.IntN(3)
		gradient, err := a.LargestGradient(x, k, b, s, rng)
		if err != nil {
			t.Fatal(err)
		}
		largest := lipschitz(w, d, m, func(v []float64) float64 { return powerNorm(v, k) })
		for i, v := range gradient.Largest {
			if !(v <= largest*(1+1e-12)) {
				t.Errorf("seed %d, sample %d: gradient %v exceeds %v", seed, i, v, largest)
			}
		}
		clever, err := a.CLEVER(x[:d], []float64{1}, b, 10, 20, rng)
		if err != nil {
			t.Fatal(err)
		}
		if !(clever.SampleMax <= limit*(1+1e-12)) {
			t.Errorf("seed %d: a sampled gradient %v exceeds %v", seed, clever.SampleMax, limit)
		}
	}
}

// On plane inputs a dense random search of the ball is an oracle. PGD is local:
// of all it may miss a little, and of few it may miss more.
func TestSearchesAgainstRandomSearch(t *testing.T) {
	for _, act := range []nn.Activation{nn.ReLU, nn.Tanh} {
		const nets, points = 25, 3000
		behind := 0
		for seed := range uint64(nets) {
			rng := generator(seed)
			net := dense[float64](t, rng, 2, []int{8, 8}, 2, act)
			a := attacker(t, net)
			b := Ball{Norm: Norm(seed % 2), Radius: 1}
			x := normal[float64](rng, 2)
			sample, offset := make([]float64, 2*points), make([]float64, 2)
			for p := range points {
				b.draw(offset, rng)
				place(b, row(sample, p, 2), x, offset)
			}
			f, err := a.outputs(append(sample, x...))
			if err != nil {
				t.Fatal(err)
			}
			change, steepest := 0.0, 0.0
			for j, v := range f[:2*points] {
				change = max(change, math.Abs(v-f[2*points+j%2]))
			}
			a.gradients.Each(sample, 2, func(_, c int, _, u []float64) { clear(u); u[c] = 1 }, func(_, _ int, g []float64) {
				steepest = max(steepest, powerNorm(g, 2))
			})
			gotChange, err := a.OutputChange(x, b, Search{Steps: 20, Restarts: 5}, rng)
			if err != nil {
				t.Fatal(err)
			}
			gotGradient, err := a.LargestGradient(x, 2, b, Search{Steps: 20, Restarts: 10}, rng)
			if err != nil {
				t.Fatal(err)
			}
			if !(gotChange.Largest[0] >= 0.99*change) {
				t.Errorf("%v, net %d: change %v, random search has %v", act, seed, gotChange.Largest[0], change)
			}
			if !(gotGradient.Largest[0] >= 0.8*steepest) {
				t.Errorf("%v, net %d: gradient %v, random search has %v", act, seed, gotGradient.Largest[0], steepest)
			}
			if !(gotGradient.Largest[0] >= 0.99*steepest) {
				behind++
			}
		}
		if behind > nets/5 {
			t.Errorf("%v: in %d of %d nets the gradient search was more than 1%% behind random search", act, behind, nets)
		}
	}
}

// FGSM is one PGD step: of one output, the better of x ± δ sign(g) or x ± δ g/‖g‖₂.
func TestFGSMIsOneStep(t *testing.T) {
	rng := generator(4)
	const d = 6
	net := dense[float64](t, rng, d, []int{20}, 1, nn.ReLU)
	a, x, g := attacker(t, net), normal[float64](rng, d), make([]float64, d)
	a.gradients.Combined(g, x, func(_ int, _, u []float64) { u[0] = 1 })
	for _, b := range []Ball{{Norm: L2, Radius: 0.7}, {Norm: LInf, Radius: 0.7}} {
		f, _ := a.outputs(x)
		want := 0.0
		for _, sign := range []float64{1, -1} {
			moved := make([]float64, d)
			for j, v := range g {
				if moved[j] = x[j] + sign*b.Radius*v/norm2(g); b.Norm == LInf {
					moved[j] = x[j] + math.Copysign(b.Radius, sign*v)
				}
			}
			at, _ := a.outputs(moved)
			want = max(want, math.Abs(at[0]-f[0]))
		}
		got, err := a.OutputChange(x, b, FGSM(b), rng)
		if err != nil {
			t.Fatal(err)
		}
		near(t, b.String(), got.Largest[0], want, 1e-12)
	}
}

// Everything is a function of the seed, whatever memory there is; what is found is
// at points in the ball, in float32 too, where the network has that value.
func TestPointsAndSeeds(t *testing.T) {
	const n, d = 67, 30
	net := dense[float32](t, generator(5), d, []int{40, 30}, 3, nn.ReLU)
	x := normal[float32](generator(6), n*d)
	for j := range x {
		x[j] = min(max(x[j], -1), 1)
	}
	data := nn.Data[float32]{N: n, X: x, Y: make([]float32, 3*n), Classification: true}
	for i := range n {
		data.Y[3*i+i%3] = 1
	}
	for _, b := range []Ball{
		{Norm: L2, Radius: 0.1}, {Norm: LInf, Radius: 1e-3}, {Norm: L2, Radius: 1e-7}, {Norm: LInf, Radius: 1e-7},
		{Norm: L2, Radius: 2, Box: &Box{-1, 1}}, {Norm: LInf, Radius: 0.5, Box: &Box{-1, 1}}, {Norm: L2}, {Norm: LInf},
	} {
		run := func(memory int64) []any {
			a, err := New(net, memory)
			if err != nil {
				t.Fatal(err)
			}
			rng, s := generator(7), Search{Steps: 5, Restarts: 2}
			change, err := a.OutputChange(x, b, s, rng)
			if err != nil {
				t.Fatal(err)
			}
			gradient, err := a.LargestGradient(x, 2, b, s, rng)
			if err != nil {
				t.Fatal(err)
			}
			robust, err := a.RobustAccuracy(data, b.Norm, []float64{0, b.Radius}, b.Box, s, rng)
			if err != nil {
				t.Fatal(err)
			}
			clever, err := a.CLEVER(x[:d], []float32{1, -1, 0}, b, 5, 70, rng)
			if err != nil {
				t.Fatal(err)
			}
			return []any{change, gradient, robust, clever}
		}
		results := run(1 << 30)
		if !reflect.DeepEqual(results, run(200<<10)) {
			t.Errorf("%v: two runs of one seed differ", b)
		}
		change, gradient := results[0].(*OutputChange[float32]), results[1].(*LargestGradient[float32])
		for i := range n {
			for _, point := range [][]float32{row(change.Point, i, d), row(gradient.Point, i, d)} {
				square, largest := 0.0, 0.0
				for j, v := range point {
					p := float64(v) - float64(x[i*d+j])
					square += p * p
					largest = max(largest, math.Abs(p))
					if b.Box != nil && (v < -1 || v > 1) {
						t.Fatalf("%v: coordinate %v is not in the box", b, v)
					}
				}
				if distance := []float64{math.Sqrt(square), largest}[b.Norm]; !(distance <= b.Radius) {
					t.Fatalf("%v: a point is at distance %v", b, distance)
				}
			}
		}
		if b.Radius == 0 {
			for _, v := range change.Found {
				if v != 0 {
					t.Fatalf("δ = 0: change %v", v)
				}
			}
		}
		if robust := results[2].(*Robustness[float32]); !(robust.Accuracy[1] <= robust.Accuracy[0]) {
			t.Errorf("%v: accuracies %v", b, robust.Accuracy)
		}
	}
}

func TestRobustAccuracyFalls(t *testing.T) {
	const n, d = 90, 8
	rng := generator(8)
	net := dense[float64](t, rng, d, []int{16, 16}, 3, nn.ReLU)
	a := attacker(t, net)
	data := nn.Data[float64]{N: n, X: normal[float64](rng, n*d), Classification: true}
	f, err := a.outputs(data.X)
	if err != nil {
		t.Fatal(err)
	}
	data.Y = make([]float64, 3*n)
	for i := range n {
		data.Y[3*i+largest(row(f, i, 3), -1)] = 1
	}
	got, err := a.RobustAccuracy(data, L2, []float64{0, 0.02, 0.1, 0.5, 5}, nil, Search{Steps: 10, Restarts: 2}, rng)
	if err != nil {
		t.Fatal(err)
	}
	for r := range 4 {
		if !(got.Accuracy[r+1] <= got.Accuracy[r]) {
			t.Errorf("accuracies %v rise", got.Accuracy)
		}
	}
	if got.Accuracy[0] != 1 || !(got.Accuracy[4] < 0.5) || !(got.Accuracy[2] < 1) {
		t.Errorf("accuracies %v of a network's own classes", got.Accuracy)
	}
}

func TestErrors(t *testing.T) {
	rng := generator(9)
	net := dense[float64](t, rng, 2, []int{3}, 2, nn.ReLU)
	a, s := attacker(t, net), Search{Steps: 1, Restarts: 1}
	nan, unit := math.NaN(), Ball{Radius: 1}
	broken := dense[float64](t, rng, 2, []int{3}, 2, nn.Tanh)
	w := parameters(broken)
	w[len(w)-1] = nan
	broken.SetParameters(w)
	for _, test := range []struct {
		want string
		net  *nn.Network[float64]
		x    []float64
		ball Ball
		s    Search
	}{
		{"0 values", net, nil, unit, s},
		{"3 values", net, []float64{1, 2, 3}, unit, s},
		{"coordinate 1 of sample 1 is NaN", net, []float64{1, 2, 3, nan}, unit, s},
		{"is +Inf", net, []float64{math.Inf(1), 2}, unit, s},
		{"radius NaN", net, []float64{1, 2}, Ball{Radius: nan}, s},
		{"radius -1", net, []float64{1, 2}, Ball{Radius: -1}, s},
		{"unknown norm 2", net, []float64{1, 2}, Ball{Norm: 2}, s},
		{"outside of the box", net, []float64{1, 2}, Ball{Box: &Box{0, 1}}, s},
		{"a box from 1 to 0", net, []float64{1, 2}, Ball{Box: &Box{1, 0}}, s},
		{"0 steps", net, []float64{1, 2}, unit, Search{Restarts: 1}},
		{"0 restarts", net, []float64{1, 2}, unit, Search{Steps: 1}},
		{"of NaN", net, []float64{1, 2}, unit, Search{1, 1, nan}},
		{"not finite", broken, []float64{1, 2}, unit, s},
	} {
		a := attacker(t, test.net)
		_, err := a.OutputChange(test.x, test.ball, test.s, rng)
		expect(t, err, test.want)
		_, err = a.LargestGradient(test.x, 1, test.ball, test.s, rng)
		expect(t, err, test.want)
		data := nn.Data[float64]{N: len(test.x) / 2, X: test.x, Y: make([]float64, len(test.x)/2*2), Classification: true}
		_, err = a.RobustAccuracy(data, test.ball.Norm, []float64{test.ball.Radius}, test.ball.Box, test.s, rng)
		if !math.IsNaN(test.ball.Radius) {
			expect(t, err, test.want)
		} else if err == nil {
			t.Error("a radius that is NaN: no error")
		}
	}
	_, err := a.LargestGradient([]float64{1, 2}, 0, unit, s, rng)
	expect(t, err, "order 0")
	_, err = a.RobustAccuracy(nn.Data[float64]{N: 1, X: []float64{1, 2}, Y: []float64{1, 0}}, L2, []float64{1}, nil, s, rng)
	expect(t, err, "one-hot")
	_, err = a.RobustAccuracy(nn.Data[float64]{N: 1, X: []float64{1, 2}, Y: []float64{1, 0}, Classification: true}, L2, []float64{2, 1}, nil, s, rng)
	expect(t, err, "do not fall")
	_, err = a.CLEVER([]float64{1, 2}, []float64{1, 0}, unit, 1, 5, rng)
	expect(t, err, "1 batches")
	_, err = a.CLEVER([]float64{1, 2}, []float64{1}, unit, 2, 5, rng)
	expect(t, err, "1 weights")
	_, err = a.CLEVER([]float64{1, nan}, []float64{1, 0}, unit, 2, 5, rng)
	expect(t, err, "NaN")
	_, err = New(net, 1000)
	expect(t, err, "memory")
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}
