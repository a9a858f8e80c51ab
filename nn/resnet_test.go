package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sobolev/encoding/safetensors"
)

func smallResNet(t *testing.T, seed uint64) (*Network[float64], Data[float64]) {
	t.Helper()
	arch, err := ResNet([]int{3, 6, 6}, 8, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	net, err := New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	net.Initialise(KaimingFanOutInit, rng)
	data := Data[float64]{N: 5}
	for range data.N * net.Inputs() {
		data.X = append(data.X, rng.NormFloat64())
	}
	for range data.N * net.Outputs() {
		data.Y = append(data.Y, rng.NormFloat64())
	}
	return net, data
}

// He et al. (2016a), table 6: 0.27 million parameters at depth 20, 0.46 at 32 and
// 0.66 at 44, 0.85 at 56 and 1.7 at 110, for 10 classes.
func TestResNetHasThePublishedSizes(t *testing.T) {
	for depth, millions := range map[int]float64{20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7} {
		arch, err := ResNet([]int{3, 32, 32}, depth, 16, 10)
		if err != nil {
			t.Fatal(err)
		}
		net, err := New[float32](arch)
		if err != nil {
			t.Fatal(err)
		}
		weighted := 0
		for _, l := range net.layers {
			if len(l.weightShape()) > 1 {
				weighted++
			}
		}
		if got := float64(net.ParameterCount()) / 1e6; weighted != depth || !(math.Abs(got-millions) <= 0.035*millions) {
			t.Errorf("depth %d: %d layers with weights and %.3f million parameters, want %g", depth, weighted, got, millions)
		}
	}
	for _, c := range []struct {
		input        []int
		depth, width int
		want         string
	}{{[]int{3, 8, 8}, 10, 4, "6m+2"}, {[]int{3, 8, 6}, 8, 4, "square"}, {[]int{9}, 8, 4, "square"}, {[]int{3, 8, 8}, 8, 0, "width 0"}} {
		if _, err := ResNet(c.input, c.depth, c.width, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("ResNet(%v, %d, %d): %v, want %q", c.input, c.depth, c.width, err, c.want)
		}
	}
}

// A residual block on a body that is known: y = 2x + the shortcut, which takes
// every second pixel and puts a zero channel on each side.
func TestShortcutA(t *testing.T) {
	net, err := New[float64](Architecture{Input: []int{1, 3, 3}, Layers: []Layer{
		Residual(2, Conv(3, 1, 2, 0)), Flatten(), Linear(1),
	}})
	if err != nil {
		t.Fatal(err)
	}
	params := make([]float64, net.ParameterCount())
	params[0], params[1], params[2] = 2, 2, 2
	net.SetParameters(params)
	ws := net.NewWorkspace(1)
	net.SetInput(ws, 0, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9})
	net.Forward(ws, 1)
	got := row(ws.value[len(net.stages)-1], 0, 12) // [channel][y][x]
	want := []float64{2, 6, 14, 18, 3, 9, 21, 27, 2, 6, 14, 18}
	if !slices.Equal(got, want) {
		t.Errorf("output %v, want %v", got, want)
	}
}

// The loss with batch statistics and its gradient by finite differences: samples
// are tied, so this is not a mean of losses of single samples.
func TestBatchStatisticsGradientIsFiniteDifference(t *testing.T) {
	compared := 0
	for seed := range uint64(3) {
		net, data := smallResNet(t, seed)
		net.UseBatchStatistics(true)
		ws, y := setBatch(net, data)
		g, unused := net.NewGradient(), net.NewGradient()
		w := net.ParameterCount()
		params, grad := make([]float64, w), make([]float64, w)
		net.CopyParameters(params)
		net.AddGradient(g, ws, MSE, y, data.N)
		g.CopyTo(grad)
		rng := rand.New(rand.NewPCG(seed, 3))
		for range 200 {
			j := rng.IntN(w)
			loss := func(shift float64) float64 {
				at := params[j]
				params[j] += shift
				net.SetParameters(params)
				params[j] = at
				return net.AddGradient(unused, ws, MSE, y, data.N)
			}
			const h = 1e-6
			up, at, down := loss(h), loss(0), loss(-h)
			fd := (up - down) / (2 * h)
			if math.Abs(up-2*at+down)/h > 1e-3*(1+math.Abs(fd)) {
				continue // a kink
			}
			compared++
			if !(math.Abs(grad[j]-fd) <= 1e-3*(1e-2+math.Abs(fd))) {
				t.Errorf("seed %d: ∂L/∂W[%d] = %v, finite difference %v", seed, j, grad[j], fd)
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d of 600 parameters were compared", compared)
	}
}

// One layer by its definition: outputs have mean β and variance γ² over the
// batch, and the running averages follow with momentum 0.1, the variance unbiased.
func TestBatchStatisticsFollowTheirDefinition(t *testing.T) {
	net, err := New[float64](Architecture{Input: []int{1, 2, 2}, Layers: []Layer{BatchNorm(), Flatten(), Linear(1)}})
	if err != nil {
		t.Fatal(err)
	}
	params := make([]float64, net.ParameterCount())
	params[0], params[1] = 3, 0.5 // γ, β
	net.SetParameters(params)
	net.UseBatchStatistics(true)
	x := []float64{1, 2, 3, 4, 5, 6, 7, 12}
	data := Data[float64]{N: 2, X: x, Y: make([]float64, 2)}
	ws, y := setBatch(net, data)
	net.AddGradient(net.NewGradient(), ws, MSE, y, 2)
	const mean, squares = 5, 84 // Σ(x−5)²
	for i, v := range x {
		want := 3*(v-mean)/math.Sqrt(squares/8.0+1e-5) + 0.5
		if got := row(ws.value[2], i/4, 4)[i%4]; !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("output of %v is %v, want %v", v, got, want)
		}
	}
	want := map[string]float64{"net.0.running_mean": 0.5, "net.0.running_var": 0.9 + 0.1*squares/7}
	net.eachBuffer(func(name string, v []float64) {
		if !(math.Abs(v[0]-want[name]) <= 1e-12) {
			t.Errorf("%s = %v, want %v", name, v[0], want[name])
		}
	})
	// Forward uses them, in both modes.
	net.Forward(ws, 2)
	first := 3*(1-0.5)/math.Sqrt(want["net.0.running_var"]+1e-5) + 0.5
	if got := row(ws.value[2], 0, 4)[0]; !(math.Abs(got-first) <= 1e-12) {
		t.Errorf("evaluation gives %v, want %v", got, first)
	}
}

func TestBatchStatisticsHaveNoMoments(t *testing.T) {
	net, data := smallResNet(t, 1)
	net.UseBatchStatistics(true)
	if _, err := net.GradientMoments(data, []int{1}, 1<<30); !errors.Is(err, ErrBatchStatistics) {
		t.Errorf("moments in training mode: %v", err)
	}
	if err := net.SupportsInputPenalty(); !errors.Is(err, ErrBatchStatistics) {
		t.Errorf("penalty in training mode: %v", err)
	}
	net.UseBatchStatistics(false)
	if _, err := net.GradientMoments(data, []int{1}, 1<<30); err != nil || net.SupportsInputPenalty() != nil {
		t.Errorf("moments in evaluation mode: %v; penalty: %v", err, net.SupportsInputPenalty())
	}
	plain, err := New[float64](FNN(net.Inputs(), []int{3}, net.Outputs(), ReLU))
	if err != nil {
		t.Fatal(err)
	}
	plain.UseBatchStatistics(true)
	if _, err := plain.GradientMoments(data, []int{1}, 1<<30); err != nil {
		t.Errorf("a network without batch normalisation in training mode: %v", err)
	}
}

// Training lowers the loss with batch statistics; the network that comes back
// from a checkpoint computes the same bits, running averages included.
func TestResNetTrainsAndComesBack(t *testing.T) {
	net, data := smallResNet(t, 5)
	net.UseBatchStatistics(true)
	ws, y := setBatch(net, data)
	first := net.Descend(ws, MSE, 0.02, y, data.N)
	var last float64
	for range 200 {
		last = net.Descend(ws, MSE, 0.02, y, data.N)
	}
	if !(last < first/5) {
		t.Errorf("the loss went from %v to %v in 200 steps", first, last)
	}
	file := &safetensors.File{Tensors: net.Tensors()}
	other, _ := New[float64](net.Architecture)
	if err := other.Load(file); err != nil {
		t.Fatal(err)
	}
	if a, b := batchLoss(net, data, MSE), batchLoss(other, data, MSE); a != b {
		t.Errorf("the loss is %v, from a checkpoint %v", a, b)
	}
	name := func(s string) int {
		return slices.IndexFunc(file.Tensors, func(t safetensors.Tensor) bool { return t.Name == s })
	}
	if name("net.3.body.1.running_var") < 0 || name("net.3.body.0.weight") < 0 || name("net.3.body.0.bias") >= 0 {
		t.Error("tensors of the first block are not named as expected")
	}
	at := name("net.1.running_mean")
	file.Tensors = slices.Delete(file.Tensors, at, at+1)
	if err := other.Load(file); err == nil || !strings.Contains(err.Error(), "net.1.running_mean is missing") {
		t.Errorf("a checkpoint without running averages: %v", err)
	}
}
