package sgd

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sobolev/encoding/safetensors"
	"sobolev/nn"
)

// normalised is the training of a small convolutional network with a batch
// normalisation.
func normalised(t testing.TB, cfg Config) (*Trainer[float32], error) {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 9))
	const n, d, c = 24, 16, 2
	data := nn.Data[float32]{N: n, X: make([]float32, n*d), Y: make([]float32, n*c), Classification: true}
	for i := range data.X {
		data.X[i] = float32(rng.NormFloat64())
	}
	for i := range n {
		data.Y[i*c+i%2] = 1
	}
	conv := nn.Conv(3, 3, 1, 1)
	conv.NoBias = true
	net, err := nn.New[float32](nn.Architecture{Input: []int{1, 4, 4}, Layers: []nn.Layer{
		conv, nn.BatchNorm(), nn.Activate(nn.ReLU), nn.Flatten(), nn.Linear(c)}})
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(nn.PyTorchInit, rng)
	return NewTrainer(net, data, cfg, 3)
}

func encode(t testing.TB, f *safetensors.File) []byte {
	t.Helper()
	data, err := safetensors.Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func averages(t *testing.T, net *nn.Network[float32]) []float32 {
	t.Helper()
	f := &safetensors.File{Tensors: net.Tensors()}
	return slices.Concat(tensor[float32](t, f, "net.1.running_mean"), tensor[float32](t, f, "net.1.running_var"))
}

// A step is that of the network in training mode, written out, and leaves it in
// evaluation mode.
func TestStepsUseBatchStatistics(t *testing.T) {
	tr, err := normalised(t, config())
	if err != nil {
		t.Fatal(err)
	}
	other, err := normalised(t, config())
	if err != nil {
		t.Fatal(err)
	}
	net, ws := other.Network, other.Network.NewWorkspace(4)
	net.UseBatchStatistics(true)
	for step := range 20 {
		if err := tr.Step(); err != nil {
			t.Fatal(err)
		}
		batch := other.draw(step)
		for i, s := range batch {
			net.SetInput(ws, i, other.data.X[s*16:(s+1)*16])
		}
		net.Descend(ws, nn.MSE, 0.1, func(i int) []float32 { return other.data.Y[2*batch[i] : 2*batch[i]+2] }, 4)
	}
	if !bytes.Equal(encode(t, &safetensors.File{Tensors: tr.Network.Tensors()}), encode(t, &safetensors.File{Tensors: net.Tensors()})) {
		t.Error("the trainer's steps are not those of the network in training mode")
	}
	if _, err := tr.Network.GradientMoments(tr.data, []int{1}, 1<<30); err != nil {
		t.Errorf("after a step: %v", err)
	}
}

func TestRunningAveragesResume(t *testing.T) {
	for _, method := range []Config{{Method: SGD}, {Method: GD}, {Method: SAM, SAMRadius: 0.05}} {
		cfg := config()
		cfg.Method, cfg.SAMRadius = method.Method, method.SAMRadius
		if cfg.Method == GD {
			cfg.BatchSize = 0
		}
		cfg.Iterations = 60
		whole, err := normalised(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		part, err := normalised(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 25 {
			if err := part.Step(); err != nil {
				t.Fatal(err)
			}
		}
		resumed, err := normalised(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := resumed.Restore(part.Checkpoint()); err != nil {
			t.Fatal(err)
		}
		finish(t, whole)
		finish(t, resumed)
		if !slices.Equal(averages(t, whole.Network), averages(t, resumed.Network)) || !slices.Equal(parameters(whole), parameters(resumed)) {
			t.Errorf("%v: a resumed training ends elsewhere", cfg.Method)
		}
	}
}

// SAM's second pass, at other parameters, leaves the running averages alone:
// after one step they are those of SGD.
func TestSAMHoldsRunningAverages(t *testing.T) {
	sam := config()
	sam.Method, sam.SAMRadius = SAM, 0.5
	after := map[Method][]float32{}
	for _, cfg := range []Config{config(), sam} {
		tr, err := normalised(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		before := averages(t, tr.Network)
		if err := tr.Step(); err != nil {
			t.Fatal(err)
		}
		after[cfg.Method] = averages(t, tr.Network)
		if slices.Equal(before, after[cfg.Method]) {
			t.Fatalf("%v: the averages stay", cfg.Method)
		}
	}
	if !slices.Equal(after[SGD], after[SAM]) {
		t.Errorf("running averages %v after a step of SAM, %v after one of SGD", after[SAM], after[SGD])
	}
}

// Gradient descent with batch statistics is a step on one batch of all samples,
// however many there are.
func TestFullBatchStatistics(t *testing.T) {
	gd := config()
	gd.Method, gd.BatchSize = GD, 0
	tr, err := normalised(t, gd)
	if err != nil {
		t.Fatal(err)
	}
	all := config()
	all.BatchSize = tr.data.N
	want, err := normalised(t, all)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := errors.Join(tr.Step(), want.Step()); err != nil {
			t.Fatal(err)
		}
	}
	p, q := parameters(tr), parameters(want)
	for i := range p {
		if !(math.Abs(float64(p[i]-q[i])) <= 1e-5) {
			t.Fatalf("parameter %d is %v after gradient descent, %v after batches of all samples", i, p[i], q[i])
		}
	}
}

func TestInputPenaltyRefusesBatchNorm(t *testing.T) {
	cfg := config()
	cfg.Method, cfg.InputPenalty = InputPenalty, 0.1
	if _, err := normalised(t, cfg); !errors.Is(err, nn.ErrBatchStatistics) {
		t.Errorf("error %v", err)
	}
}
