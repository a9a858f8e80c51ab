package sgd

import (
	"context"
	"fmt"
	"math"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Config is one training.
type Config struct {
	Method       Method
	LearningRate float64 // η, in units of Loss
	BatchSize    int     // B; n or 0 for GD
	Iterations   int     // the largest number of steps
	Sampling     Sampling
	Loss         nn.Loss
	// Momentum β keeps a velocity v ← βv + g of the gradients g and steps by −ηv,
	// Nesterov by −η(g + βv), and WeightDecay λ puts g + λW in the place of g, as
	// torch.optim.SGD does; 0 is without.
	Momentum    float64
	Nesterov    bool
	WeightDecay float64
	// SAMRadius ρ, InputPenalty λ and LabelNoise σ are read by the method of that
	// name alone.
	SAMRadius, InputPenalty, LabelNoise float64
	// StopLoss ends the training when the loss over all data is at most this,
	// StopAccuracy when the accuracy is at least this; 0 does not. Both are
	// looked at once every ⌈n/B⌉ steps.
	StopLoss, StopAccuracy float64
	// Memory limits the bytes of the workspaces of GD's workers: those of the network,
	// if memory is there for more than one. The steps do not depend on it.
	Memory int64
	// HistoryEvery is the number of steps between rows of the history.
	HistoryEvery int
}

// DivergenceFactor: a training has diverged when a batch loss is not finite or
// above this multiple of the initial loss over all data.
const DivergenceFactor = 1e4

// HistoryRow is the mean batch loss over the steps since the previous row. For
// every method a batch loss is L_S at the parameters that the step began with:
// not at those that SAM ascends to, without a penalty, at the targets of the data.
type HistoryRow struct {
	Step      int
	BatchLoss float64
}

// Outcome says how a training ended.
type Outcome int

const (
	// Running: it can go on.
	Running Outcome = iota
	// Finished: the iterations are done, or a stop rule holds.
	Finished
	// Diverged: the loss exploded. That is a result, not an error.
	Diverged
)

// Trainer is a training in progress.
type Trainer[T kernel.Float] struct {
	Config  Config
	Network *nn.Network[T]
	// Probe is nil for none; it is set before the first step or Restore.
	Probe *Probe[T]

	data      nn.Data[T]
	draw      func(t int) []int // the batch of step t
	ws        *nn.Workspace[T]
	lanes     []*nn.Workspace[T] // for GD with more workers than one
	velocity  *nn.Gradient[T]    // nil without momentum
	gradient  *nn.Gradient[T]    // nil where steps do not need it; see needsGradient
	evaluator *nn.Evaluator[T]
	target    func(i int) []T // of row i of the current batch
	batch     []int
	// For LabelNoise: the generator, and the targets of the current batch.
	noise *generator
	noisy []T
	// Scratch: vectors in the order of the parameters, for what needs gradient,
	// and the square of a norm.
	flat, saved []T
	square      [1]float64

	step        int
	outcome     Outcome
	initialLoss float64
	// Sums of batch losses since the last look at the stop rules, and since the
	// last row of the history.
	roundLoss, rowLoss float64
	history            []HistoryRow
	probes             []ProbeRow
}

// NewTrainer prepares the training of net on data from its present parameters.
// stream determines the batches and the noise.
func NewTrainer[T kernel.Float](net *nn.Network[T], data nn.Data[T], cfg Config, stream uint64) (*Trainer[T], error) {
	if cfg.Method == GD && cfg.BatchSize == 0 {
		cfg.BatchSize = data.N
	}
	if err := cfg.checkMethod(); err != nil {
		return nil, err
	}
	if cfg.Method == InputPenalty && net.HasBatchNorm() {
		return nil, fmt.Errorf("method %v: %w", cfg.Method, nn.ErrBatchStatistics)
	}
	switch {
	case !cfg.Loss.Squared():
		return nil, fmt.Errorf("loss %v; networks train with squared errors", cfg.Loss)
	case cfg.Method == GD && cfg.BatchSize != data.N:
		return nil, fmt.Errorf("batch size %d for gradient descent; it takes all %d samples", cfg.BatchSize, data.N)
	case !(cfg.LearningRate > 0) || math.IsInf(cfg.LearningRate, 0):
		return nil, fmt.Errorf("learning rate %v is not a positive number", cfg.LearningRate)
	case cfg.BatchSize < 1 || cfg.BatchSize > data.N:
		return nil, fmt.Errorf("batch size %d is outside 1 … %d, the number of training samples", cfg.BatchSize, data.N)
	case cfg.Iterations < 1:
		return nil, fmt.Errorf("%d iterations; need at least 1", cfg.Iterations)
	case cfg.HistoryEvery < 1:
		return nil, fmt.Errorf("a history row every %d steps; need at least 1", cfg.HistoryEvery)
	}
	t := &Trainer[T]{Config: cfg, Network: net, data: data, evaluator: net.NewEvaluator()}
	t.prepare(stream)
	fit, err := t.evaluator.Fit(data, cfg.Loss)
	if err != nil {
		return nil, err
	}
	t.initialLoss = fit.Loss
	return t, nil
}

// prepare makes what the steps of the method need.
func (t *Trainer[T]) prepare(stream uint64) {
	cfg, net, rows := t.Config, t.Network, t.Config.BatchSize
	if cfg.Method == GD {
		if !net.HasBatchNorm() { // else the statistics are those of all samples together
			rows = min(rows, blockSize)
		}
		t.batch = make([]int, rows)
	} else {
		t.draw = NewSampler(cfg.Sampling, t.data.N, cfg.BatchSize, stream).Batch
	}
	t.ws = net.NewWorkspace(rows)
	if lanes := min(int64(net.Workers), int64(t.data.N/rows), cfg.Memory/net.BatchBytes(rows)); cfg.Method == GD && lanes > 1 {
		for range lanes {
			t.lanes = append(t.lanes, net.NewWorkspace(rows))
		}
	}
	if cfg.Momentum != 0 {
		t.velocity = net.NewGradient()
	}
	if cfg.needsGradient() {
		t.gradient = net.NewGradient()
	}
	if cfg.Method == SAM {
		t.flat, t.saved = make([]T, net.ParameterCount()), make([]T, net.ParameterCount())
	}
	c := net.Outputs()
	t.target = func(i int) []T { return t.data.Y[t.batch[i]*c : (t.batch[i]+1)*c] }
	if cfg.Method == LabelNoise {
		t.noise, t.noisy = newGenerator(mix(stream^noisePurpose)), make([]T, rows*c)
		t.target = func(i int) []T { return t.noisy[i*c : (i+1)*c] }
	}
}

// Steps returns the number of steps done.
func (t *Trainer[T]) Steps() int { return t.step }

// Outcome returns whether the training is running, finished or diverged.
func (t *Trainer[T]) Outcome() Outcome { return t.outcome }

// History returns the rows so far.
func (t *Trainer[T]) History() []HistoryRow { return t.history }

// Round returns the number of steps between two looks at the stop rules, ⌈n/B⌉.
func (t *Trainer[T]) Round() int { return (t.data.N + t.Config.BatchSize - 1) / t.Config.BatchSize }

// pollSteps is the largest number of steps between two calls of Run's between.
const pollSteps = 256

// Run trains until the training ends, ctx is done or between returns an error;
// it returns that error or ctx's. between is called after every Round of steps,
// and at least every 256, and may save the state.
func (t *Trainer[T]) Run(ctx context.Context, between func() error) error {
	for t.outcome == Running {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.Step(); err != nil {
			return err
		}
		if t.step%min(t.Round(), pollSteps) == 0 && t.outcome == Running {
			if err := between(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Step does one step and applies the rules for the end of training. It
// does not allocate, but for the growth of the history and what a probe needs.
func (t *Trainer[T]) Step() error {
	if err := t.probe(); err != nil { // before the first step
		return err
	}
	loss := t.descend()
	t.step++
	t.roundLoss += loss
	t.rowLoss += loss
	if err := t.judge(loss); err != nil {
		return err
	}
	if t.step%t.Config.HistoryEvery == 0 || t.outcome != Running || t.probeAt() {
		t.appendRow()
	}
	return t.probe()
}

// judge applies the rules for the end of training after a step whose batch loss
// was loss.
func (t *Trainer[T]) judge(loss float64) error {
	if t.exploded(loss) {
		t.outcome = Diverged
		return nil
	}
	if t.step%t.Round() == 0 {
		mean := t.roundLoss / float64(t.Round())
		t.roundLoss = 0
		if err := t.applyStopRules(mean); err != nil {
			return err
		}
	}
	if t.step < t.Config.Iterations || t.outcome != Running {
		return nil
	}
	// A batch loss is that before the step: what the last step did to the
	// weights shows in the loss over all data alone.
	fit, err := t.evaluator.Fit(t.data, t.Config.Loss)
	if err != nil {
		return err
	}
	t.outcome = Finished
	if t.exploded(fit.Loss) {
		t.outcome = Diverged
	}
	return nil
}

func (t *Trainer[T]) exploded(loss float64) bool { return !(loss <= DivergenceFactor*t.initialLoss) }

func (t *Trainer[T]) appendRow() {
	from := 0
	if n := len(t.history); n > 0 {
		from = t.history[n-1].Step
	}
	t.history = append(t.history, HistoryRow{Step: t.step, BatchLoss: t.rowLoss / float64(t.step-from)})
	t.rowLoss = 0
}

// applyStopRules looks at the whole data only where the batches say that it is
// worth it: a pass over the data costs a third of a round.
func (t *Trainer[T]) applyStopRules(meanBatchLoss float64) error {
	byLoss := t.Config.StopLoss > 0 && meanBatchLoss <= 2*t.Config.StopLoss
	if !byLoss && t.Config.StopAccuracy <= 0 {
		return nil
	}
	fit, err := t.evaluator.Fit(t.data, t.Config.Loss)
	if err != nil {
		return err
	}
	if byLoss && fit.Loss <= t.Config.StopLoss || t.Config.StopAccuracy > 0 && fit.Accuracy >= t.Config.StopAccuracy {
		t.outcome = Finished
	}
	return nil
}
