package bound

import (
	"math"
	"math/rand/v2"
	"testing"

	"sobolev/seminorm"
)

// smoothFor returns a constant of Definition 1 that is proven, for every order,
// for perturbations of W₁ (and b₁) of a tanh or linear network: the
// pre-activations of a sample move by ‖u‖₂ ≤ δ_approx ‖(x, 1)‖₂, and |φ'| ≤ 1 and
// |φ”| ≤ 0.77 bound what that does to the gradient, in the 2-norm and so in all
// others; ‖∇f‖ + moved ≤ max(1, moved)(‖∇f‖ + 1).
func (f *network) smoothFor(xs [][]float64, approx float64) Smoothness {
	curvature := 0.77
	if f.activation == "linear" {
		curvature = 0
	}
	moved, movedFirst := 0.0, 0.0
	for _, x := range xs {
		norm := math.Hypot(seminorm.Norm(x, 1), 1)
		largest := 0.0
		for _, v := range f.a {
			largest = max(largest, math.Abs(v))
		}
		first := curvature * largest * norm
		moved = max(moved, approx*norm*math.Hypot(first, 1))
		movedFirst = max(movedFirst, approx*norm*first)
	}
	return Smoothness{
		Constant:   Constant{max(1, moved), holds("by Lipschitz constants")},
		FirstLayer: Constant{max(1, movedFirst), holds("by Lipschitz constants")},
		Approx:     approx, Bias: f.bias,
	}
}

// supremum is that of ‖δ‖ over all inputs, since |φ'| ≤ 1.
func (f *network) supremum(o, k int) Constant {
	return Constant{seminorm.Norm(f.a[o*f.m:(o+1)*f.m], k), holds("slopes are at most 1")}
}

// inBall returns points of the ball, half of them on its surface.
func inBall(random *rand.Rand, centre []float64, radius float64, count int) [][]float64 {
	var points [][]float64
	for p := range count {
		v := normals(random, len(centre))
		scale := radius / seminorm.Norm(v, 1)
		if p%2 == 0 {
			scale *= math.Pow(random.Float64(), 1/float64(len(centre)))
		}
		x := make([]float64, len(v))
		for j := range x {
			x[j] = centre[j] + scale*v[j]
		}
		points = append(points, x)
	}
	return points
}

func TestProposition3AndCorollary5(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 0))
	reached := tightness{}
	for trial := range 200 {
		f := randomNetwork(random, []string{"tanh", "linear"}[trial%2], trial/2%2 == 0, 1+random.IntN(4), 1+random.IntN(4), 1)
		centre := normals(random, f.d)
		m := f.measure([][]float64{centre}, 3)
		approx := math.Exp(2 * random.NormFloat64())
		smooth := f.smoothFor(m.xs, approx)
		norm2 := seminorm.Norm(centre, 1)
		radius := approx * norm2 / m.layer[0].Spectral * random.Float64()
		points := inBall(random, centre, radius, 30)
		for k := 1; k <= 3; k++ {
			b := Ball{
				Radius: radius, Norm: seminorm.Norm(centre, k), Norm2: norm2, Gradient: m.gradients[k-1].Weights[0],
				FirstGradient: seminorm.Norm(f.firstGradient(centre, 0), k), Smoothness: smooth, DeltaSup: f.supremum(0, k),
			}
			for _, x := range points {
				b.Measured = max(b.Measured, seminorm.Norm(f.inputGradient(x, 0), k))
			}
			three := Proposition3(k, m.layer[k-1], b)
			reached.check(t, three)
			for l := 1; l <= 3; l++ {
				five := Corollary5(k, l, len(m.jacobians[0]), m.layer[k-1], b)
				reached.check(t, five)
				if l == k && !near(valueOf(five, "exponent"), three.Printed, 1e-12) {
					t.Fatalf("l = k: %+v, want %+v", five, three)
				}
			}
		}
	}
	for name, low := range map[string]float64{
		"proposition 3 k=1 delta": 0.9, "proposition 3 k=2 delta": 0.9, "proposition 3 k=1 printed": 0.3, "proposition 3 k=2 with the bias": 0.3,
		"proposition 3 k=2 first layer": 0.5, "corollary 5 k=3 first layer": 0.4, "corollary 5 k=2 exponent": 0.3,
	} {
		if !(reached[name] >= low) {
			t.Errorf("%s: reaches %v, not %v", name, reached[name], low)
		}
	}
}

// With a bias that Definition 1 lets move, balls are larger, and x_* = 0 has one.
func TestProposition3AtZero(t *testing.T) {
	f := randomNetwork(rand.New(rand.NewPCG(7, 0)), "tanh", true, 3, 4, 1)
	centre := make([]float64, 3)
	m := f.measure([][]float64{centre}, 2)
	smooth := f.smoothFor(m.xs, 0.5)
	radius := 0.5 / m.layer[0].Spectral
	for k := 1; k <= 2; k++ {
		b := Ball{Sample: 7, Radius: radius * (1 - 1e-12), Gradient: m.gradients[k-1].Weights[0], FirstGradient: math.NaN(), Smoothness: smooth}
		for _, x := range inBall(rand.New(rand.NewPCG(8, 0)), centre, radius, 200) {
			b.Measured = max(b.Measured, seminorm.Norm(f.inputGradient(x, 0), k))
		}
		got := Proposition3(k, m.layer[k-1], b)
		if got.Status != Applies || !math.IsNaN(got.Printed) || got.SharpForm != "with the bias" || !(got.Measured <= got.Sharp) || len(got.Warnings) != 1 {
			t.Errorf("%+v", got)
		}
		want := smooth.Constant.Value * m.layer[k-1].OperatorNorm * (b.Gradient + 1)
		if !near(got.Sharp, want, 1e-12) {
			t.Errorf("sharp %v, want %v", got.Sharp, want)
		}
		b.Radius = 1.01 * radius
		if got := Proposition3(k, m.layer[k-1], b); got.Status != DoesNotApply || got.WhyNot == "" {
			t.Errorf("beyond the radius: %+v", got)
		}
	}
}

// Theorems 4 to 7 at solutions that are stable by enumeration, with constants of
// Definition 1 that are proven.
func TestStableSolutionsObeyTheNeighbourhoodTheorems(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 0))
	reached := tightness{}
	for trial := range 200 {
		f := randomNetwork(random, []string{"tanh", "linear"}[trial%2], trial/2%2 == 0, 1+random.IntN(3), 1+random.IntN(3), 1)
		n := 1 + random.IntN(3)
		var xs [][]float64
		for range n {
			xs = append(xs, normals(random, f.d))
		}
		m := f.measure(xs, 2)
		batch := 1 + random.IntN(n)
		for _, k := range []int{1, 2} {
			checkNeighbourhood(t, random, reached, f, m, k, batch)
		}
	}
	for name, low := range map[string]float64{
		"theorem 4 k=1 delta": 0.6, "theorem 5 k=1 delta": 0.9, "theorem 5 k=2 measured gradients": 0.2, "theorem 7 k=1 delta": 0.8,
		"theorem 5 k=1 largest gradient": 0.2, "theorem 5 k=1 printed": 0.1, "theorem 7 k=2 largest gradient": 0.05, "theorem 6 k=1 tight": 0.03,
	} {
		if !(reached[name] >= low) {
			t.Errorf("%s: reaches %v, not %v", name, reached[name], low)
		}
	}
}

func checkNeighbourhood(t *testing.T, random *rand.Rand, reached tightness, f *network, m measured, k, batch int) {
	t.Helper()
	l, g := m.layer[k-1], m.gradients[k-1]
	_, rank := m.span()
	s := Solution{
		Samples: len(m.xs), Parameters: len(m.jacobians[0]), Outputs: 1, Rank: rank, Batch: batch, Interpolates: holds("targets are outputs"),
		LearningRate: m.stableLearningRate(1, k, batch, false), Orders: []Stability{{k, holds("by enumeration")}},
	}
	approx := 0.3 * random.Float64()
	n := Neighbourhood{Radius: approx * l.MinNorm2 / l.Spectral, Smoothness: f.smoothFor(m.xs, approx), DeltaSup: f.supremum(0, k)}
	n.Radius *= 1 - 1e-12
	for i, x := range g.InputNorms {
		n.Excess = append(n.Excess, (g.Weights[i]+1)/x)
	}

	// f* is linear around each sample, so that it interpolates; its gradient is M₂.
	slope := normals(random, f.d)
	var steepest, change, worst float64
	for _, x := range m.xs {
		for _, y := range inBall(random, x, n.Radius, 40) {
			steepest = max(steepest, seminorm.Norm(f.inputGradient(y, 0), k))
			moved := f.value(y, 0) - f.value(x, 0)
			change = max(change, math.Abs(moved))
			target := 0.0
			for j := range y {
				target += slope[j] * (y[j] - x[j])
			}
			worst = max(worst, (moved-target)*(moved-target))
		}
	}
	reached.check(t, Theorem5(k, s, l, n, steepest))
	reached.check(t, Theorem7(k, s, l, n, change))
	target := Target{Constant{1, holds("")}, Constant{seminorm.Norm(slope, 1), holds("linear")}, Constant{0, holds("X_δ alone")}}
	reached.check(t, Theorem6(k, s, l, n, target, worst))
	reached.check(t, Theorem4(k, s, l, n, coverOf(random, f, m.xs, n.Radius, k)))
}

// coverOf draws from the union of balls; its seminorm is the lower end of the
// interval, which is below the truth but for 2.5% of the draws.
func coverOf(random *rand.Rand, f *network, xs [][]float64, radius float64, k int) Cover {
	var norms []float64
	var kappa []int
	largest := 1
	for range 200 {
		x := inBall(random, xs[random.IntN(len(xs))], radius, 1)[0]
		balls := 0
		for _, centre := range xs {
			distance := 0.0
			for j := range x {
				distance = math.Hypot(distance, x[j]-centre[j])
			}
			if distance <= radius*(1+1e-12) {
				balls++
			}
		}
		largest = max(largest, balls)
		norms, kappa = append(norms, seminorm.Norm(f.inputGradient(x, 0), k)), append(kappa, balls)
	}
	b := seminorm.OnBalls(norms, kappa, 1, k, len(xs), seminorm.LogBallVolume(f.d, radius))
	return Cover{
		LogVolume: b.LogVolume.Upper, Overlap: Constant{float64(len(xs)), holds("as many as balls")},
		LogMeasured: b.LogIntegral.PerOutput[0].Lower,
	}
}

// The measured form of Theorem 4 is (V_ball Σ_i (C N_k/‖x_i‖)^{2k} (‖a_i‖ + 1)^{2k})^{1/2k},
// and at the edge of what stability allows for the mean gradient it is at most
// the tight form, by Minkowski's inequality; without overlap and with C = 1/2 the
// printed form is the tight one.
func TestTheorem4Forms(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 0))
	for range 200 {
		k, n, d := 1+random.IntN(3), 1+random.IntN(5), 1+random.IntN(4)
		p := float64(2 * k)
		s := Solution{
			Samples: n, Parameters: 1 + random.IntN(50), Outputs: 1, Batch: 1 + random.IntN(n), LearningRate: math.Exp(random.NormFloat64()),
			Interpolates: holds(""), Orders: []Stability{{k, holds("")}},
		}
		// Gradients whose mean 2k-th power is w 2^k B^{k−1}/η^k.
		gradients := normals(random, n)
		total := 0.0
		for i, v := range gradients {
			gradients[i] = math.Abs(v)
			total += math.Pow(v, p) / float64(n)
		}
		scale := math.Pow(Equation34(k, s, math.NaN()).Printed/total, 1/p)
		radius, c, norm := 0.3, 0.7, 1.3
		x := Neighbourhood{Radius: radius, Smoothness: Smoothness{Constant: Constant{c, holds("")}, Approx: 1}}
		want := 0.0
		for _, v := range gradients {
			own := 1 + random.Float64()
			x.Excess = append(x.Excess, (scale*v+1)/own)
			want += math.Pow(c*norm/own, p) * math.Pow(scale*v+1, p)
		}
		want = math.Pow(want*math.Exp(seminorm.LogBallVolume(d, radius)), 1/p)
		l := FirstLayer{Inputs: d, Width: 3, OperatorNorm: norm, Spectral: 1, MinNorm: 1, MinNorm2: 1}
		apart := Cover{LogVolume: math.Log(float64(n)) + seminorm.LogBallVolume(d, radius), Overlap: Constant{1, holds("")}, LogMeasured: math.NaN()}
		b := Theorem4(k, s, l, x, apart)
		if got := valueOf(b, "measured gradients"); !near(got, want, 1e-10) || !(got <= valueOf(b, "tight")*(1+1e-10)) {
			t.Fatalf("measured form %v, want %v; %+v", got, want, b)
		}
		if !near(b.Printed, 2*valueOf(b, "tight"), 1e-10) {
			t.Fatalf("printed %v, want twice %v", b.Printed, valueOf(b, "tight"))
		}
	}
}

// A ball of radius 0.1 in 784 dimensions has volume e^−3308: the numbers are
// reported beside a factor, and their ratios are those of the logarithms.
func TestTheorem4BeyondFloat64(t *testing.T) {
	for _, k := range []int{1, 2} {
		s, l, x := example(k)
		l.Inputs, x.Radius = 784, 0.1
		p := float64(2 * k)
		logVolume := seminorm.LogBallVolume(784, 0.1) + math.Log(float64(s.Samples)) - 0.5
		c := Cover{LogVolume: logVolume, Overlap: Constant{3, holds("")}, LogMeasured: logVolume/p + math.Log(0.01)}
		b := Theorem4(k, s, l, x, c)
		if b.Status != Applies || !near(b.LogFactor, logVolume/p, 1e-12) || !near(b.Measured, 0.01, 1e-9) || len(b.Warnings) != 1 {
			t.Fatalf("%+v", b)
		}
		q := 1.8 * l.OperatorNorm / l.MinNorm
		mean := math.Pow(float64(s.Parameters)/float64(s.Batch), 1/p) * math.Sqrt(2*float64(s.Batch)/s.LearningRate)
		if want := math.Log(2*q*(mean+1)) + (math.Log(3)+logVolume)/p; !near(b.LogFactor+math.Log(b.Printed), want, 1e-12) {
			t.Errorf("log printed %v, want %v", b.LogFactor+math.Log(b.Printed), want)
		}
		// n V_ball/V_X = e^0.5.
		if got, want := valueOf(b, "tight")/b.Printed, math.Pow(math.Exp(0.5)/3, 1/p)/2; !near(got, want, 1e-9) {
			t.Errorf("k=%d: tight/printed = %v, want %v", k, got, want)
		}
	}
}

// example is an easy case in which everything applies.
func example(k int) (Solution, FirstLayer, Neighbourhood) {
	s := Solution{
		Samples: 10, Parameters: 100, Outputs: 2, Rank: 12, LearningRate: 0.1, Batch: 2, Interpolates: holds("relative loss 1e-5 <= 1e-3"),
		Orders: []Stability{{k, holds("0.1 <= 0.31")}},
	}
	l := FirstLayer{Inputs: 5, Width: 6, Bias: true, OperatorNorm: 2, Spectral: 1.5, MinNorm: 0.9, MinNorm2: 1, MinSample: 4}
	x := Neighbourhood{
		Radius: 0.1, Excess: []float64{1, 2, 3}, DeltaSup: Constant{1, holds("proven")},
		Smoothness: Smoothness{Constant: Constant{1.8, holds("proven")}, Approx: 0.5, FirstLayer: Constant{1.5, holds("proven")}, Bias: true},
	}
	return s, l, x
}
