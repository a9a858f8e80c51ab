package experiment

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"sobolev/dataset"
	"sobolev/internal/kernel"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/sgd"
)

// Experiment is a configuration with its data in memory. Its methods may be
// called by several goroutines at once: each trains a network of its own on the
// shared data.
type Experiment struct {
	config             rundir.Config
	memory             int64 // what a point may take
	workers            int
	checkpointInterval time.Duration

	train, test nn.Data[float32]
	// shape is that of one input, and inputs its number of elements.
	shape        []int
	inputs       int
	outputs      int
	architecture nn.Architecture
	// preprocessing is what was done to the inputs.
	preprocessing dataset.Preprocessing
	hasTest       bool
	// source says which file the data came from; empty for embedded data.
	source string
	// dataDigest is the SHA-256 of all samples and targets as they enter the
	// training, in hexadecimal.
	dataDigest string
	fork       *fork // nil without one
	// train64 and test64 are train and test in float64, for what feeds a threshold or
	// a bound; made at their first use.
	train64, test64 func() nn.Data[float64]
}

// Options are what a run depends on beside its configuration; none of them
// changes a result.
type Options struct {
	DataDir string
	// Memory limits the bytes of the data and of all points that run at once; Jobs is
	// the number of those, 0 is 1.
	Memory int64
	Jobs   int
	// CheckpointInterval is the work that a kill -9 may cost; 0 means 5 s.
	// Writing the 3.6 MB of the paper's network takes some ten milliseconds.
	CheckpointInterval time.Duration
}

// New loads the data of a resolved configuration and checks all that needs it.
func New(ctx context.Context, cfg rundir.Config, opt Options) (*Experiment, error) {
	train, test, err := dataset.Load(ctx, dataset.Request{
		Name:         cfg.Dataset.Name,
		Classes:      cfg.Dataset.Classes,
		PerClass:     cfg.Dataset.PerClass,
		TestPerClass: cfg.Dataset.TestPerClass,
		Draw:         cfg.Dataset.Draw,
		Seed:         stream(cfg.Seed, subsetPurpose, 0),
		Preprocessing: dataset.Preprocessing{
			Scale: cfg.Dataset.Preprocess.Scale, Mean: cfg.Dataset.Preprocess.Mean, Std: cfg.Dataset.Preprocess.Std,
		},
		DataDir: opt.DataDir,
	})
	if err != nil {
		return nil, err
	}
	e := &Experiment{
		config: cfg, workers: 1, checkpointInterval: cmp.Or(opt.CheckpointInterval, 5*time.Second),
		train: dataOf(train), shape: train.Shape, inputs: train.Inputs(), outputs: train.Outputs,
		preprocessing: train.Preprocessing, source: train.Source.String(),
	}
	e.train64 = sync.OnceValue(func() nn.Data[float64] { return widenData(e.train) })
	e.test64 = sync.OnceValue(func() nn.Data[float64] { return widenData(e.test) })
	if test != nil {
		e.test, e.hasTest = dataOf(test), true
	}
	if e.memory, err = workingMemory(opt.Memory, e.dataBytes()); err != nil {
		return nil, &rundir.ValueError{Key: "dataset", Problem: err.Error() + " (--memory), or take fewer samples (dataset.per_class, dataset.test_per_class)"}
	}
	e.memory /= int64(max(1, opt.Jobs))
	e.dataDigest = digestData(e.train, e.test)
	if e.architecture, err = newArchitecture(cfg.Model, e.shape, e.outputs); err != nil {
		return nil, err
	}
	if cfg.Fork.From != "" {
		if e.fork, err = e.newFork(cfg.Fork); err != nil {
			return nil, err
		}
	}
	return e, e.check()
}

func digestData(sets ...nn.Data[float32]) string {
	h := sha256.New()
	var buf []byte
	for _, s := range sets {
		for _, v := range [][]float32{s.X, s.Y} {
			buf = binary.LittleEndian.AppendUint64(buf[:0], uint64(len(v)))
			for _, x := range v {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
				if len(buf) >= 1<<16 {
					h.Write(buf)
					buf = buf[:0]
				}
			}
			h.Write(buf)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// check returns a *rundir.ValueError for what does not fit the data or the memory.
func (e *Experiment) check() error {
	cfg := e.config
	for i, b := range cfg.Grid.BatchSize {
		if b > e.train.N {
			return &rundir.ValueError{Key: fmt.Sprintf("grid.batch_size[%d]", i),
				Problem: fmt.Sprintf("%d is above %d, the number of training samples of %s", b, e.train.N, cfg.Dataset.Name)}
		}
	}
	if cfg.Stop.Accuracy > 0 && !e.train.Classification {
		return &rundir.ValueError{Key: "stop.accuracy",
			Problem: fmt.Sprintf("%s has no classes; stop by stop.loss or sgd.iterations", cfg.Dataset.Name)}
	}
	if e.train.Classification && e.outputs < 2 {
		return &rundir.ValueError{Key: "dataset.classes", Problem: "one class alone leaves nothing to tell apart; give at least two"}
	}
	for i, lr := range cfg.Grid.LearningRate {
		// Steps are taken in float32: a rate outside its range moves nothing, or everything.
		if single := float64(float32(lr)); single < 0x1p-126 || math.IsInf(single, 0) {
			return &rundir.ValueError{Key: fmt.Sprintf("grid.learning_rate[%d]", i), Problem: fmt.Sprintf("%v is outside the range of float32", lr)}
		}
	}
	if i := slices.Index(cfg.Grid.Method, sgd.InputPenalty.String()); i >= 0 && e.architecture.HasBatchNorm() {
		return &rundir.ValueError{Key: fmt.Sprintf("grid.method[%d]", i), Problem: "input-penalty needs the gradients of single samples, which batch normalisation ties together; leave one of the two out"}
	}
	return e.checkMemory()
}

// dataBytes is what the data take: in float32, and in float64 too where stability is
// measured.
func (e *Experiment) dataBytes() int64 {
	values := int64(len(e.train.X) + len(e.train.Y) + len(e.test.X) + len(e.test.Y))
	if e.config.Measure.Stability {
		return values * (4 + 8)
	}
	return values * 4
}

// workingMemory is what a limit leaves beside the data: three quarters of the rest,
// since between two collections garbage takes memory too.
func workingMemory(limit, data int64) (int64, error) {
	if data > limit {
		return 0, fmt.Errorf("the data alone take %.3g MB and the memory limit leaves %.3g MB; raise it", float64(data)/1e6, float64(limit)/1e6)
	}
	return (limit - data) / 4 * 3, nil
}

// checkMemory returns a *rundir.ValueError for a network that one point at a
// time could not hold.
func (e *Experiment) checkMemory() error {
	w, err := e.architecture.ParameterCount()
	if err != nil {
		return &rundir.ValueError{Key: "model", Problem: err.Error()}
	}
	// Parameters, gradient, velocity, two flat copies, a checkpoint and its
	// encoding, in float32.
	const bytesPerParameter = 7 * 4
	if w*bytesPerParameter > float64(e.memory) {
		key := map[string]string{"fnn": "model.hidden", "layers": "model.layers", "resnet": "model.width"}[e.config.Model.Kind]
		return &rundir.ValueError{Key: key,
			Problem: fmt.Sprintf("%.3g parameters need about %.3g MB for each point that runs at once; the limit is %.3g MB (--memory, -j)",
				w, w*bytesPerParameter/1e6, float64(e.memory)/1e6)}
	}
	return nil
}

// KernelName says which implementation of the arithmetic runs; results of
// different ones differ by rounding.
func KernelName() string { return kernel.Name() }

func dataOf(s *dataset.Set) nn.Data[float32] {
	return nn.Data[float32]{N: s.Len(), X: s.X, Y: s.Y, Classification: s.Labels != nil}
}

func widenData(d nn.Data[float32]) nn.Data[float64] {
	return nn.Data[float64]{N: d.N, X: nn.Convert[float64](d.X), Y: nn.Convert[float64](d.Y), Classification: d.Classification}
}

// newTrainer returns the training of p at its initial parameters. A fork has its
// weights still to come; its loss counts as diverged from that of the initial
// parameters, since the loss of a solution is next to nothing.
func (e *Experiment) newTrainer(p rundir.Point) (*sgd.Trainer[float32], error) {
	net, err := nn.New[float32](e.architecture)
	if err != nil {
		return nil, err
	}
	net.Workers = e.workers
	rule, err := nn.ParseInit(p.Model.Init)
	if err != nil {
		return nil, err
	}
	net.Initialise(rule, generator(stream(p.Seed, initPurpose, p.Repetition)))
	cfg, err := e.trainingConfig(p)
	if err != nil {
		return nil, err
	}
	purpose := orderPurpose
	if p.Fork.From != "" {
		purpose = forkPurpose
	}
	return sgd.NewTrainer(net, e.train, cfg, stream(p.Seed, purpose, p.Repetition))
}

func (e *Experiment) trainingConfig(p rundir.Point) (sgd.Config, error) {
	loss, err := nn.ParseLoss(p.Loss)
	if err != nil {
		return sgd.Config{}, err
	}
	sampling, err := sgd.ParseSampling(p.SGD.Sampling)
	if err != nil {
		return sgd.Config{}, err
	}
	method, err := sgd.ParseMethod(p.Method)
	if err != nil {
		return sgd.Config{}, err
	}
	every := cmp.Or(e.config.Measure.Every, max(1, p.SGD.Iterations/200))
	return sgd.Config{
		LearningRate: p.LearningRate, BatchSize: p.BatchSize, Iterations: p.SGD.Iterations, Sampling: sampling, Loss: loss,
		Memory: e.memory / 2, Method: method, Momentum: p.SGD.Momentum, Nesterov: p.SGD.Nesterov, WeightDecay: p.SGD.WeightDecay,
		SAMRadius: p.SGD.SAMRadius, InputPenalty: p.SGD.InputPenalty, LabelNoise: p.SGD.LabelNoise, StopLoss: p.Stop.Loss, StopAccuracy: p.Stop.Accuracy, HistoryEvery: every,
	}, nil
}
