package sgd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sobolev/nn"
)

// The reference is an independent tanh network of 3-4-2 units whose gradients are
// finite differences, and the steps are those of the papers and of PyTorch's
// documentation, written out in float64.
const refInputs, refHidden, refOutputs = 3, 4, 2

type reference struct {
	x, y, w []float64
	buffer  []float64 // torch's momentum buffer, nil at first
}

func (r *reference) data() nn.Data[float64] {
	return nn.Data[float64]{N: len(r.x) / refInputs, X: r.x, Y: r.y}
}

// newReference returns random data of n samples and random parameters.
func newReference(n int) *reference {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	normal := func(size int) []float64 {
		v := make([]float64, size)
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		return v
	}
	return &reference{x: normal(n * refInputs), y: normal(n * refOutputs), w: normal(refHidden*(refInputs+1) + refOutputs*(refHidden+1))}
}

// evaluate returns f(x) and Σ_c ‖∇_x f_c(x)‖² at the parameters w.
func evaluate(w, x []float64) (f [refOutputs]float64, inputGradients float64) {
	w1, b1 := w[:refHidden*refInputs], w[refHidden*refInputs:]
	w2, b2 := b1[refHidden:], b1[refHidden+refOutputs*refHidden:]
	var slopes [refOutputs][refInputs]float64
	copy(f[:], b2)
	for j := range refHidden {
		z := b1[j]
		for l, v := range x {
			z += w1[j*refInputs+l] * v
		}
		h := math.Tanh(z)
		for c := range f {
			f[c] += w2[c*refHidden+j] * h
			for l := range x {
				slopes[c][l] += w2[c*refHidden+j] * (1 - h*h) * w1[j*refInputs+l]
			}
		}
	}
	for _, s := range slopes {
		for _, v := range s {
			inputGradients += v * v
		}
	}
	return f, inputGradients
}

// loss is torch's MSELoss over a batch at targets y, and the penalty λ/B Σ Σ ‖∇_x f‖².
func (r *reference) loss(w []float64, batch []int, y []float64, lambda float64) float64 {
	sum, penalty := 0.0, 0.0
	for _, i := range batch {
		f, p := evaluate(w, r.x[i*refInputs:(i+1)*refInputs])
		for c, v := range f {
			sum += (v - y[i*refOutputs+c]) * (v - y[i*refOutputs+c])
		}
		penalty += p
	}
	return sum/float64(len(batch)*refOutputs) + lambda*penalty/float64(len(batch))
}

// gradient is Richardson's extrapolation of central differences.
func gradient(f func(w []float64) float64, w []float64) []float64 {
	g := make([]float64, len(w))
	at := slices.Clone(w)
	for j := range w {
		slope := func(h float64) float64 {
			at[j] = w[j] + h
			up := f(at)
			at[j] = w[j] - h
			down := f(at)
			at[j] = w[j]
			return (up - down) / (2 * h)
		}
		g[j] = (4*slope(1e-4) - slope(2e-4)) / 3
	}
	return g
}

// step is one step of torch.optim.SGD along the gradient of the method.
func (r *reference) step(cfg Config, batch []int, noisy []float64) {
	y, lambda := r.y, 0.0
	switch cfg.Method {
	case LabelNoise:
		y = noisy
	case InputPenalty:
		lambda = cfg.InputPenalty
	}
	objective := func(w []float64) float64 { return r.loss(w, batch, y, lambda) }
	g := gradient(objective, r.w)
	if cfg.Method == SAM {
		norm := 0.0
		for _, v := range g {
			norm += v * v
		}
		ascended := slices.Clone(r.w)
		for j, v := range g {
			ascended[j] += cfg.SAMRadius * v / math.Sqrt(norm)
		}
		g = gradient(objective, ascended)
	}
	for j := range g {
		g[j] += cfg.WeightDecay * r.w[j]
	}
	if cfg.Momentum != 0 {
		if r.buffer == nil {
			r.buffer = slices.Clone(g)
		} else {
			for j := range g {
				r.buffer[j] = cfg.Momentum*r.buffer[j] + g[j]
			}
		}
		for j, b := range r.buffer {
			if cfg.Nesterov {
				g[j] += cfg.Momentum * b
			} else {
				g[j] = b
			}
		}
	}
	for j := range g {
		r.w[j] -= cfg.LearningRate * g[j]
	}
}

// trainer returns the program's training from the reference's present state.
func (r *reference) trainer(t testing.TB, cfg Config) *Trainer[float64] {
	t.Helper()
	net, err := nn.New[float64](nn.FNN(refInputs, []int{refHidden}, refOutputs, nn.Tanh))
	if err != nil {
		t.Fatal(err)
	}
	net.SetParameters(r.w)
	tr, err := NewTrainer(net, r.data(), cfg, 42)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// everyMethod returns configurations of all methods.
func everyMethod() []Config {
	var cfgs []Config
	for m := range Method(len(methodNames)) {
		cfg := config()
		cfg.Method, cfg.SAMRadius, cfg.InputPenalty, cfg.LabelNoise = m, 0.05, 0.01, 0.1
		if m == GD {
			cfg.BatchSize = 0
		}
		cfgs = append(cfgs, cfg)
	}
	return cfgs
}

// everyOptimizer returns cfg with all rules of torch.optim.SGD.
func everyOptimizer(cfg Config) []Config {
	var cfgs []Config
	for _, decay := range []float64{0, 0.01} {
		for _, beta := range []float64{0, 0.9} {
			for _, nesterov := range []bool{false, true} {
				cfg.WeightDecay, cfg.Momentum, cfg.Nesterov = decay, beta, nesterov
				if !nesterov || beta > 0 {
					cfgs = append(cfgs, cfg)
				}
			}
		}
	}
	return cfgs
}

func (c Config) label() string {
	return fmt.Sprintf("%v,decay=%v,momentum=%v,nesterov=%v", c.Method, c.WeightDecay, c.Momentum, c.Nesterov)
}

func TestStepsAreThoseWrittenOut(t *testing.T) {
	const n = 12
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	for _, method := range everyMethod() {
		for _, cfg := range everyOptimizer(method) {
			t.Run(cfg.label(), func(t *testing.T) {
				ref := newReference(n)
				tr := ref.trainer(t, cfg)
				sampler := NewSampler(cfg.Sampling, n, max(1, cfg.BatchSize), 42)
				got := make([]float64, len(ref.w))
				for step := range 8 {
					batch := all
					if cfg.Method != GD {
						batch = sampler.Batch(step)
					}
					loss := ref.loss(ref.w, batch, ref.y, 0)
					if is := tr.descend(); !(math.Abs(is-loss) <= 1e-9*loss) {
						t.Fatalf("batch loss of step %d: %v, want the plain one before the step, %v", step, is, loss)
					}
					tr.step++
					noisy := slices.Clone(ref.y)
					for i, sample := range batch {
						if cfg.Method == LabelNoise {
							copy(noisy[sample*refOutputs:(sample+1)*refOutputs], tr.noisy[i*refOutputs:])
						}
					}
					ref.step(cfg, batch, noisy)
					tr.Network.CopyParameters(got)
					for j, w := range ref.w {
						if !(math.Abs(got[j]-w) <= 1e-9*(1+math.Abs(w))) {
							t.Fatalf("W[%d] after step %d: %.12g, want %.12g", j, step, got[j], w)
						}
					}
				}
			})
		}
	}
}

// The blocks of gradient descent make one batch of all samples: fewer than a
// block, whole blocks, and blocks with a remainder.
func TestFullBatchIsABatchOfAll(t *testing.T) {
	for _, n := range []int{1, 200, blockSize, 2 * blockSize, 2*blockSize + 1, 3*blockSize - 1} {
		ref := newReference(n)
		whole, blocks := config(), config()
		whole.BatchSize = n
		blocks.Method, blocks.BatchSize = GD, 0
		a, b := ref.trainer(t, whole), ref.trainer(t, blocks)
		if b.Config.BatchSize != n || b.Round() != 1 || cap(b.batch) > blockSize {
			t.Errorf("n = %d: B = %d, a round of %d, blocks of %d", n, b.Config.BatchSize, b.Round(), cap(b.batch))
		}
		wa, wb := make([]float64, len(ref.w)), make([]float64, len(ref.w))
		for step := range 5 {
			la, lb := a.descend(), b.descend()
			if !(math.Abs(la-lb) <= 1e-12*la) {
				t.Errorf("n = %d, step %d: loss %v, want %v", n, step, lb, la)
			}
			a.step++
			b.step++
		}
		a.Network.CopyParameters(wa)
		b.Network.CopyParameters(wb)
		for j := range wa {
			if !(math.Abs(wa[j]-wb[j]) <= 1e-12) {
				t.Fatalf("n = %d: W[%d] = %v, want %v", n, j, wb[j], wa[j])
			}
		}
	}
}

// A step that is too small to be seen leaves every bit.
func TestSAMRestoresParameters(t *testing.T) {
	cfg := config()
	cfg.Method, cfg.SAMRadius, cfg.LearningRate = SAM, 0.3, 1e-37
	tr := smallTraining(t, cfg)
	before := parameters(tr)
	for range 10 {
		if err := tr.Step(); err != nil {
			t.Fatal(err)
		}
	}
	for j, w := range parameters(tr) {
		if math.Float32bits(w) != math.Float32bits(before[j]) {
			t.Fatalf("W[%d] = %v, was %v", j, w, before[j])
		}
	}
}

// At a minimum there is no direction to ascend in.
func TestSAMAtZeroGradient(t *testing.T) {
	for _, y := range []float64{0, 1e-320} { // gradients of 0 and, in float64, too small for ρ/‖g‖
		ref := newReference(4)
		clear(ref.w)
		clear(ref.y)
		ref.y[0] = y
		cfg := config()
		cfg.Method, cfg.SAMRadius, cfg.WeightDecay = SAM, 1, 0
		tr := ref.trainer(t, cfg)
		tr.initialLoss = 1 // that of the data is 0, and so any other is a divergence
		for range 3 {
			if err := tr.Step(); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]float64, len(ref.w))
		tr.Network.CopyParameters(got)
		for j, w := range got {
			if !(math.Abs(w) <= y) {
				t.Errorf("y = %v: W[%d] = %v", y, j, w)
			}
		}
	}
}

// The noise that a step used is read off a step of the bias of the only layer: a
// sample's residual changes it by −η·2/c·r. Its mean, variance and correlations
// from step to step and between outputs are within five standard errors.
func TestLabelNoiseIsWhite(t *testing.T) {
	const steps, sigma = 20000, 0.3
	cfg := config()
	cfg.Method, cfg.LabelNoise, cfg.BatchSize, cfg.Iterations, cfg.HistoryEvery = LabelNoise, sigma, 1, steps+1, 1
	net, err := nn.New[float64](nn.FNN(1, nil, 2, nn.ReLU))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := NewTrainer(net, nn.Data[float64]{N: 1, X: []float64{0}, Y: []float64{5, -7}}, cfg, 3)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]float64, 4)
	noise := make([][2]float64, steps)
	for s := range noise {
		net.SetParameters(make([]float64, 4))
		if err := tr.Step(); err != nil {
			t.Fatal(err)
		}
		net.CopyParameters(p)
		// W ← −η·(2/c)·(0 − y − ξ) with c = 2.
		noise[s] = [2]float64{p[2]/cfg.LearningRate - 5, p[3]/cfg.LearningRate + 7}
	}
	for i, r := range tr.History() {
		if want := (25.0 + 49) / 2; !(math.Abs(r.BatchLoss-want) <= 1e-12*want) {
			t.Fatalf("row %d: batch loss %v, want that without noise, %v", i, r.BatchLoss, want)
		}
	}
	check := func(what string, mean, deviation float64, f func(s int) float64) {
		t.Helper()
		sum := 0.0
		for s := 1; s < steps; s++ {
			sum += f(s)
		}
		if got, se := sum/(steps-1), deviation/math.Sqrt(steps-1); !(math.Abs(got-mean) <= 5*se) {
			t.Errorf("%s = %v, want %v ± %v", what, got, mean, se)
		}
	}
	const v = sigma * sigma
	for c := range 2 {
		check("mean", 0, sigma, func(s int) float64 { return noise[s][c] })
		check("variance", v, math.Sqrt2*v, func(s int) float64 { return noise[s][c] * noise[s][c] })
		check("fourth moment", 3*v*v, math.Sqrt(96)*v*v, func(s int) float64 { return math.Pow(noise[s][c], 4) })
		check("from step to step", 0, v, func(s int) float64 { return noise[s][c] * noise[s-1][c] })
	}
	check("between outputs", 0, v, func(s int) float64 { return noise[s][0] * noise[s][1] })
	check("between outputs and steps", 0, v, func(s int) float64 { return noise[s][0] * noise[s-1][1] })
}

// Learning rates and sizes of the noise of one repetition share its stream.
func TestLabelNoiseScalesWithSigma(t *testing.T) {
	ref := newReference(6)
	noiseOf := func(sigma float64) []float64 {
		cfg := config()
		cfg.Method, cfg.LabelNoise, cfg.LearningRate = LabelNoise, sigma, sigma
		tr := ref.trainer(t, cfg)
		tr.descend()
		noise := slices.Clone(tr.noisy)
		for i, sample := range tr.batch {
			for c := range refOutputs {
				noise[i*refOutputs+c] -= ref.y[sample*refOutputs+c]
			}
		}
		return noise
	}
	a, b := noiseOf(0.1), noiseOf(0.2)
	for i := range a {
		if !(math.Abs(2*a[i]-b[i]) <= 1e-14) {
			t.Errorf("ξ[%d] = %v at σ, %v at 2σ", i, a[i], b[i])
		}
	}
}

// The input gradients of a linear network are the rows of its weights, so that
// the penalty is weight decay with 2λ, but for the biases.
func TestInputPenaltyOfALinearNetwork(t *testing.T) {
	ref := newReference(10)
	linear := func(cfg Config) *Trainer[float64] {
		net, err := nn.New[float64](nn.FNN(refInputs, nil, refOutputs, nn.ReLU))
		if err != nil {
			t.Fatal(err)
		}
		net.SetParameters(ref.w[:net.ParameterCount()])
		tr, err := NewTrainer(net, ref.data(), cfg, 1)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	decay, penalty := config(), config()
	decay.WeightDecay = 0.02
	penalty.Method, penalty.InputPenalty = InputPenalty, 0.01
	want, got := linear(decay), linear(penalty)
	w := make([]float64, want.Network.ParameterCount())
	before, after := slices.Clone(w), slices.Clone(w)
	want.Network.CopyParameters(before)
	if a, b := want.descend(), got.descend(); a != b {
		t.Errorf("batch loss %v, want %v", b, a)
	}
	want.Network.CopyParameters(w)
	got.Network.CopyParameters(after)
	for j := range w {
		if j >= refInputs*refOutputs {
			w[j] += decay.LearningRate * decay.WeightDecay * before[j] // biases
		}
		if !(math.Abs(after[j]-w[j]) <= 1e-14) {
			t.Errorf("W[%d] = %v, want %v", j, after[j], w[j])
		}
	}
}

func TestEveryMethodStopsAndDiverges(t *testing.T) {
	for _, method := range everyMethod() {
		for _, cfg := range everyOptimizer(method) {
			stopping, diverging := cfg, cfg
			stopping.StopLoss, stopping.Iterations = 0.05, 20000
			tr := smallTraining(t, stopping)
			finish(t, tr)
			fit, err := tr.Network.NewEvaluator().Fit(tr.data, cfg.Loss)
			if err != nil {
				t.Fatal(err)
			}
			if tr.Outcome() != Finished || !(fit.Loss <= stopping.StopLoss) || tr.Steps() == stopping.Iterations {
				t.Errorf("%s: %v after %d steps at loss %v", cfg.label(), tr.Outcome(), tr.Steps(), fit.Loss)
			}
			diverging.LearningRate = 1e4
			tr = smallTraining(t, diverging)
			finish(t, tr)
			if tr.Outcome() != Diverged {
				t.Errorf("%s: %v with η = %v", cfg.label(), tr.Outcome(), diverging.LearningRate)
			}
		}
	}
}

func TestMethodsThatCannotStep(t *testing.T) {
	ref := newReference(5)
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Method = SAM }, "method sam: 0 is not a positive number for the radius"},
		{func(c *Config) { c.Method = LabelNoise; c.LabelNoise = math.NaN() }, "method label-noise: NaN is not a positive number for the standard deviation"},
		{func(c *Config) { c.Method = InputPenalty; c.InputPenalty = math.Inf(1) }, "method input-penalty: +Inf is not a positive number for the factor"},
		{func(c *Config) { c.Method = 17 }, "method 17 is not known"},
		{func(c *Config) { c.Method = GD }, "batch size 4 for gradient descent; it takes all 5 samples"},
		{func(c *Config) { c.BatchSize = 0 }, "batch size 0 is outside 1 … 5"},
		{func(c *Config) { c.WeightDecay = -1 }, "weight decay -1"},
		{func(c *Config) { c.Nesterov = true }, "momentum 0; Nesterov's step needs one above 0"},
	} {
		net, err := nn.New[float64](nn.FNN(refInputs, nil, refOutputs, nn.ReLU))
		if err != nil {
			t.Fatal(err)
		}
		cfg := config()
		c.change(&cfg)
		if _, err := NewTrainer(net, ref.data(), cfg, 1); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// A step passes through one workspace several times. On convolutions, fused with
// their pooling and not, it does what fresh workspaces do.
func TestPassesOfAStepAreIndependent(t *testing.T) {
	const n, batch = 7, 4
	rng := rand.New(rand.NewPCG(8, 1))
	data := nn.Data[float64]{N: n, X: make([]float64, n*2*8*8), Y: make([]float64, n*3)}
	for _, v := range [][]float64{data.X, data.Y} {
		for i := range v {
			v[i] = rng.NormFloat64()
		}
	}
	for name, layers := range map[string][]nn.Layer{
		"fused":  {nn.Conv(16, 3, 1, 1), nn.Activate(nn.ReLU), nn.MaxPool(2), nn.Flatten(), nn.Linear(3)},
		"smooth": {nn.Conv(5, 3, 2, 0), nn.Activate(nn.Tanh), nn.AvgPool(3), nn.Flatten(), nn.Linear(3)},
	} {
		for _, cfg := range everyMethod() {
			if cfg.Method == GD {
				continue
			}
			t.Run(name+"/"+cfg.Method.String(), func(t *testing.T) {
				cfg.BatchSize = batch
				net, err := nn.New[float64](nn.Architecture{Input: []int{2, 8, 8}, Layers: layers})
				if err != nil {
					t.Fatal(err)
				}
				net.Initialise(nn.PyTorchInit, rand.New(rand.NewPCG(1, 2)))
				start, end := make([]float64, net.ParameterCount()), make([]float64, net.ParameterCount())
				net.CopyParameters(start)
				tr, err := NewTrainer(net, data, cfg, 1)
				if err != nil {
					t.Fatal(err)
				}
				loss := tr.descend()
				net.CopyParameters(end)

				samples := NewSampler(cfg.Sampling, n, batch, 1).Batch(0)
				target := func(i int) []float64 { return data.Y[samples[i]*3 : samples[i]*3+3] }
				fresh := func() *nn.Workspace[float64] {
					ws := net.NewWorkspace(batch)
					for i, s := range samples {
						net.SetInput(ws, i, data.X[s*128:(s+1)*128])
					}
					return ws
				}
				net.SetParameters(start)
				g := net.NewGradient()
				if want := net.AddGradient(g, fresh(), cfg.Loss, target, batch); !(math.Abs(loss-want) <= 1e-13*want) {
					t.Errorf("batch loss %v, want %v", loss, want)
				}
				switch cfg.Method {
				case SAM:
					flat, norm := make([]float64, len(start)), 0.0
					g.CopyTo(flat)
					for _, v := range flat {
						norm += v * v
					}
					net.Add(cfg.SAMRadius/math.Sqrt(norm), g)
					g = net.NewGradient()
					net.AddGradient(g, fresh(), cfg.Loss, target, batch)
					net.SetParameters(start)
				case InputPenalty:
					net.AddInputPenalty(g, fresh(), cfg.InputPenalty, batch)
				case LabelNoise:
					g = net.NewGradient()
					net.AddGradient(g, fresh(), cfg.Loss, func(i int) []float64 { return tr.noisy[3*i : 3*i+3] }, batch)
				}
				net.Add(-cfg.LearningRate, g)
				want := make([]float64, len(start))
				net.CopyParameters(want)
				for j := range want {
					if !(math.Abs(end[j]-want[j]) <= 1e-13) {
						t.Fatalf("W[%d] = %v, want %v", j, end[j], want[j])
					}
				}
			})
		}
	}
}

func TestMethodNames(t *testing.T) {
	for m := range Method(len(methodNames)) {
		if back, err := ParseMethod(m.String()); back != m || err != nil {
			t.Errorf("%v reads as %v, %v", m, back, err)
		}
	}
	if _, err := ParseMethod("adam"); err == nil {
		t.Error("no error for adam")
	}
}

// Gradient descent takes the same steps with any number of workers.
func TestGradientDescentWithWorkers(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 0))
	const n = 4*blockSize + 30 // a short block, and windows that are not full
	data := nn.Data[float32]{N: n}
	for range n {
		x, y := rng.Float32(), rng.Float32()
		data.X = append(data.X, x, y)
		data.Y = append(data.Y, x*y, x-y)
	}
	var want []float32
	var history []HistoryRow
	for _, workers := range []int{1, 2, 3} {
		net, err := nn.New[float32](nn.FNN(2, []int{30, 20}, 2, nn.ReLU))
		if err != nil {
			t.Fatal(err)
		}
		net.Initialise(nn.HeInit, rand.New(rand.NewPCG(9, 0)))
		net.Workers = workers
		tr, err := NewTrainer(net, data, Config{Method: GD, LearningRate: 0.1, Iterations: 7, HistoryEvery: 1, Loss: nn.MSE, Memory: 1 << 28}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if workers > 1 && len(tr.lanes) != workers {
			t.Errorf("%d workspaces for %d workers", len(tr.lanes), workers)
		}
		if err := tr.Run(t.Context(), func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, net.ParameterCount())
		net.CopyParameters(got)
		if workers == 1 {
			want, history = got, tr.History()
		}
		if !slices.Equal(got, want) || !slices.Equal(tr.History(), history) {
			t.Errorf("%d workers change bits", workers)
		}
	}
}
