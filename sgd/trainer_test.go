package sgd

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
	"sobolev/encoding/safetensors"
	"sobolev/nn"
)

func smallTraining(t testing.TB, cfg Config) *Trainer[float32] {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	const n, d, c = 30, 6, 2
	data := nn.Data[float32]{N: n, X: make([]float32, n*d), Y: make([]float32, n*c), Classification: true}
	for i := range data.X {
		data.X[i] = float32(rng.NormFloat64())
	}
	for i := range n {
		class := 0
		if data.X[i*d]+data.X[i*d+1] > 0 {
			class = 1
		}
		data.Y[i*c+class] = 1
	}
	net, err := nn.New[float32](nn.FNN(d, []int{20, 10}, c, nn.ReLU))
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(nn.PyTorchInit, rng)
	trainer, err := NewTrainer(net, data, cfg, 77)
	if err != nil {
		t.Fatal(err)
	}
	return trainer
}

func config() Config {
	return Config{LearningRate: 0.1, BatchSize: 4, Iterations: 300, HistoryEvery: 7}
}

func parameters(tr *Trainer[float32]) []float32 {
	p := make([]float32, tr.Network.ParameterCount())
	tr.Network.CopyParameters(p)
	return p
}

func finish(t testing.TB, tr *Trainer[float32]) {
	t.Helper()
	if err := tr.Run(context.Background(), func() error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// A training that is stopped anywhere, written to bytes, read back and continued
// ends with the same bits.
func TestResumeIsBitIdentical(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := rapid.SampledFrom(everyOptimizer(rapid.SampledFrom(everyMethod()).Draw(rt, "method"))).Draw(rt, "optimizer")
		cfg.Sampling = Sampling(rapid.IntRange(0, 2).Draw(rt, "sampling"))
		cfg.StopLoss = rapid.SampledFrom([]float64{0, 0.01}).Draw(rt, "stop")
		whole := smallTraining(t, cfg)
		finish(t, whole)
		cut := rapid.IntRange(1, whole.Steps()-1).Draw(rt, "cut")
		first := smallTraining(t, cfg)
		for range cut {
			if err := first.Step(); err != nil {
				rt.Fatal(err)
			}
		}
		var file bytes.Buffer
		if err := safetensors.Write(&file, first.Checkpoint()); err != nil {
			rt.Fatal(err)
		}
		state, err := safetensors.Read(bytes.NewReader(file.Bytes()), int64(file.Len()), "checkpoint")
		if err != nil {
			rt.Fatal(err)
		}
		second := smallTraining(t, cfg)
		if err := second.Restore(state); err != nil {
			rt.Fatal(err)
		}
		finish(t, second)
		if second.Steps() != whole.Steps() || second.Outcome() != whole.Outcome() {
			rt.Fatalf("ends after %d steps (%v), uninterrupted after %d (%v)", second.Steps(), second.Outcome(), whole.Steps(), whole.Outcome())
		}
		if !slices.Equal(parameters(second), parameters(whole)) {
			rt.Fatal("parameters differ from those of the uninterrupted training")
		}
		if !slices.Equal(second.History(), whole.History()) {
			rt.Fatalf("history differs:\n%v\n%v", second.History(), whole.History())
		}
	})
}

func TestRestoreRefusesAnotherTraining(t *testing.T) {
	tr := smallTraining(t, config())
	if err := tr.Step(); err != nil {
		t.Fatal(err)
	}
	state := tr.Checkpoint()
	short := config()
	short.Iterations = 1
	if err := smallTraining(t, short).Restore(state); err == nil {
		t.Error("a checkpoint beyond the last iteration: no error")
	}
	momentum := config()
	momentum.Momentum = 0.5
	if err := smallTraining(t, momentum).Restore(state); err == nil {
		t.Error("a checkpoint without velocity for a training with momentum: no error")
	}
	if err := smallTraining(t, config()).Restore(&safetensors.File{}); err == nil {
		t.Error("an empty checkpoint: no error")
	}
}

func TestStopLossIsReached(t *testing.T) {
	cfg := config()
	cfg.Iterations, cfg.StopLoss = 100000, 0.002
	tr := smallTraining(t, cfg)
	finish(t, tr)
	fit, err := tr.Network.NewEvaluator().Fit(tr.data, cfg.Loss)
	if err != nil {
		t.Fatal(err)
	}
	if !(fit.Loss <= cfg.StopLoss) || tr.Steps() == cfg.Iterations || tr.Outcome() != Finished {
		t.Errorf("stopped after %d steps at loss %v (%v); want a loss ≤ %v before the last step", tr.Steps(), fit.Loss, tr.Outcome(), cfg.StopLoss)
	}
	if tr.Steps()%tr.Round() != 0 {
		t.Errorf("stopped after %d steps, not at the end of a round of %d", tr.Steps(), tr.Round())
	}
}

func TestStopAccuracyIsReached(t *testing.T) {
	cfg := config()
	cfg.Iterations, cfg.StopAccuracy = 100000, 1
	tr := smallTraining(t, cfg)
	finish(t, tr)
	fit, err := tr.Network.NewEvaluator().Fit(tr.data, cfg.Loss)
	if err != nil {
		t.Fatal(err)
	}
	if fit.Accuracy != 1 || tr.Steps() == cfg.Iterations {
		t.Errorf("stopped after %d steps at accuracy %v", tr.Steps(), fit.Accuracy)
	}
}

func TestDivergenceIsAnOutcome(t *testing.T) {
	cfg := config()
	cfg.LearningRate, cfg.Iterations = 1e4, 1000
	tr := smallTraining(t, cfg)
	finish(t, tr)
	if tr.Outcome() != Diverged || tr.Steps() == cfg.Iterations {
		t.Errorf("outcome %v after %d steps, want a divergence", tr.Outcome(), tr.Steps())
	}
	// No later step sees what the last one did.
	cfg.Iterations = 1
	last := smallTraining(t, cfg)
	finish(t, last)
	if last.Outcome() != Diverged {
		t.Errorf("outcome %v after one step with η = %v, want a divergence", last.Outcome(), cfg.LearningRate)
	}
}

func TestHistoryEndsWithTheTraining(t *testing.T) {
	stopped, diverged := config(), config()
	stopped.StopLoss, stopped.Iterations, stopped.HistoryEvery = 0.002, 100000, 7777
	diverged.LearningRate, diverged.HistoryEvery = 1e4, 7777
	for _, cfg := range []Config{stopped, diverged} {
		tr := smallTraining(t, cfg)
		finish(t, tr)
		if h := tr.History(); len(h) == 0 || h[len(h)-1].Step != tr.Steps() {
			t.Errorf("%v after %d steps: history %v", tr.Outcome(), tr.Steps(), h)
		}
	}
}

// PyTorch's momentum, written out: v ← βv + ∇L, W ← W − ηv.
func TestMomentumIsPyTorchs(t *testing.T) {
	cfg := config()
	cfg.Momentum = 0.9
	tr, plain := smallTraining(t, cfg), smallTraining(t, config())
	w := plain.Network.ParameterCount()
	velocity := make([]float64, w)
	for range 20 {
		if err := tr.Step(); err != nil {
			t.Fatal(err)
		}
		before := parameters(plain)
		plain.descend()
		plain.step++
		after := parameters(plain)
		for j := range velocity {
			gradient := (float64(before[j]) - float64(after[j])) / cfg.LearningRate
			velocity[j] = cfg.Momentum*velocity[j] + gradient
			after[j] = float32(float64(before[j]) - cfg.LearningRate*velocity[j])
		}
		plain.Network.SetParameters(after)
	}
	got, want := parameters(tr), parameters(plain)
	for j := range got {
		if !(math.Abs(float64(got[j]-want[j])) <= 1e-4) {
			t.Fatalf("W[%d] = %v after 20 steps with momentum, want %v", j, got[j], want[j])
		}
	}
}

func TestHistoryHoldsMeansOfBatchLosses(t *testing.T) {
	cfg := config()
	each := cfg
	each.HistoryEvery = 1
	coarse, fine := smallTraining(t, cfg), smallTraining(t, each)
	finish(t, coarse)
	finish(t, fine)
	losses := fine.History()
	from := 0
	for _, r := range coarse.History() {
		sum := 0.0
		for _, f := range losses[from:r.Step] {
			sum += f.BatchLoss
		}
		if want := sum / float64(r.Step-from); !(math.Abs(r.BatchLoss-want) <= 1e-12*want) {
			t.Fatalf("row at step %d: %v, want %v", r.Step, r.BatchLoss, want)
		}
		from = r.Step
	}
	if from != cfg.Iterations {
		t.Errorf("the history ends at step %d of %d", from, cfg.Iterations)
	}
}

func TestRunStopsOnRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tr := smallTraining(t, config())
	err := tr.Run(ctx, func() error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || tr.Steps() != tr.Round() {
		t.Errorf("stopped after %d steps with %v", tr.Steps(), err)
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	check := func(cfg Config) {
		t.Helper()
		cfg.Iterations, cfg.HistoryEvery, cfg.StopLoss = 1<<40, 1<<40, 1e-30
		tr := smallTraining(t, cfg)
		if a := testing.AllocsPerRun(200, func() {
			if err := tr.Step(); err != nil {
				t.Fatal(err)
			}
		}); a != 0 {
			t.Errorf("%s, %v: %v allocations a step", cfg.label(), cfg.Sampling, a)
		}
	}
	for _, sampling := range []Sampling{WithoutReplacement, WithReplacement, Epochs} {
		cfg := config()
		cfg.Sampling = sampling
		check(cfg)
	}
	for _, method := range everyMethod() {
		for _, cfg := range everyOptimizer(method) {
			check(cfg)
		}
	}
}

// A step of mse at η is one of half-mse at 2η/c; with two outputs the same one.
func TestLossesDifferByTheirScale(t *testing.T) {
	mse, half := config(), config()
	half.Loss = nn.HalfMSE
	half.LearningRate = nn.MSE.EffectiveLearningRate(mse.LearningRate, 2)
	a, b := smallTraining(t, mse), smallTraining(t, half)
	finish(t, a)
	finish(t, b)
	if !slices.Equal(parameters(a), parameters(b)) {
		t.Error("other weights")
	}
	for i, row := range a.History() {
		// (1/2B) Σ‖r‖² is c/2 = 1 times (1/Bc) Σ‖r‖².
		if got := b.History()[i].BatchLoss; !(math.Abs(got-row.BatchLoss) <= 1e-12*row.BatchLoss) {
			t.Errorf("row %d: loss %v of half-mse, %v of mse", i, got, row.BatchLoss)
		}
	}
	one, scaled := config(), config()
	scaled.Loss, scaled.LearningRate = nn.HalfMSE, one.LearningRate/2
	c, d := smallTraining(t, one), smallTraining(t, scaled)
	if err := c.Step(); err != nil {
		t.Fatal(err)
	}
	if err := d.Step(); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(parameters(c), parameters(d)) {
		t.Error("half the learning rate takes the same step")
	}
}
