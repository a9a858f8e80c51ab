package nn

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sobolev/internal/kernel"
)

// manyCases says whether a property sees as many random cases as there are without a
// flag. With fewer, as under an emulator, a kind of network may be missing by chance.
func manyCases() bool {
	n, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	return err != nil || n >= 100
}

// randomNetwork draws an architecture, parameters and data.
func randomNetwork[T kernel.Float](seed uint64) (*Network[T], Data[T]) {
	rng := rand.New(rand.NewPCG(seed, 1))
	arch := randomArchitecture(rng)
	if rng.IntN(4) == 0 {
		arch.Frozen = rng.IntN(len(arch.Layers))
	}
	net, err := New[T](arch)
	if err != nil {
		panic(err)
	}
	net.Initialise(Init(rng.IntN(len(initNames))), rng)
	net.eachBuffer(func(_ string, v []T) {
		for i := range v {
			v[i] = T(0.5 + rng.Float64())
		}
	})
	n, d, c := 1+rng.IntN(11), net.Inputs(), net.Outputs()
	data := Data[T]{N: n, X: make([]T, n*d), Y: make([]T, n*c)}
	for i := range data.X {
		data.X[i] = T(rng.NormFloat64())
	}
	for i := range data.Y {
		data.Y[i] = T(rng.NormFloat64())
	}
	return net, data
}

// randomArchitecture is a stack of dense layers; or convolutions and poolings of
// any shape before it; or blocks of convolution, ReLU and pooling that become one
// stage each.
func randomArchitecture(rng *rand.Rand) Architecture {
	activation := func() Activation { return Activation(rng.IntN(len(activationNames))) }
	hidden := make([]int, rng.IntN(4))
	for i := range hidden {
		hidden[i] = 1 + rng.IntN(40)
	}
	head := FNN(1+rng.IntN(40), hidden, 1+rng.IntN(4), activation())
	for i := 0; i < len(head.Layers); i += 2 {
		head.Layers[i].NoBias = rng.IntN(3) == 0
	}
	var body []Layer
	switch rng.IntN(4) {
	case 0:
		return head
	case 1:
		head.Input = []int{1 + rng.IntN(4), 5 + rng.IntN(4), 5 + rng.IntN(4)}
		if rng.IntN(4) == 0 {
			body = append(body, []Layer{MaxPool(1), AvgPool(2)}[rng.IntN(2)])
		}
		for range 1 + rng.IntN(2) {
			body = append(body, Conv(1+rng.IntN(6), 1+rng.IntN(3), 1+rng.IntN(2), rng.IntN(2)))
			if rng.IntN(4) > 0 {
				body = append(body, Activate(activation()))
			}
		}
		body = append(body, []Layer{MaxPool(2), AvgPool(2), MaxPool(1)}[rng.IntN(3)])
		if _, err := (Architecture{Input: head.Input, Layers: append(append(body, Flatten()), head.Layers...)}).shapes(); err != nil {
			return randomArchitecture(rng) // it shrank to nothing
		}
	case 2:
		blocks := 1 + rng.IntN(2)
		side := 1 << blocks * (1 + rng.IntN(2))
		head.Input = []int{[]int{3, 2, 8}[rng.IntN(3)], side, side}
		for range blocks {
			body = append(body, Conv(16, 3, 1, 1), Activate(ReLU), MaxPool(2))
		}
	case 3:
		c, side := 1+rng.IntN(4), 3+rng.IntN(3)
		head.Input = []int{c, side, side}
		for range 1 + rng.IntN(2) {
			stride, grow := 1+rng.IntN(2), rng.IntN(4)
			block := []Layer{Conv(2, 3, stride, 1), BatchNorm(), Activate(activation()), Conv(c+grow, 1, 1, 0)}
			block[0].NoBias = rng.IntN(2) == 0
			if rng.IntN(2) == 0 {
				block = append(block, BatchNorm())
			}
			body = append(body, Residual(stride, block...))
			if rng.IntN(3) > 0 {
				body = append(body, Activate(activation()))
			}
			c += grow
		}
	}
	head.Layers = append(append(body, Flatten()), head.Layers...)
	return head
}

// Blocks that become one stage compute what their parts compute.
func TestFusedBlocksAreTheirParts(t *testing.T) {
	fusedSeen := 0
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		net, data := randomNetwork[float64](seed)
		if _, ok := net.stages[0].(*convPool[float64]); !ok {
			return
		}
		fusedSeen++
		// A pooling over single pixels changes nothing, but the chain is broken.
		apart := net.Architecture
		at := slices.IndexFunc(apart.Layers, func(l Layer) bool { return l.Kind == FlattenLayer })
		apart.Layers = slices.Insert(slices.Clone(apart.Layers), at, MaxPool(1))
		if apart.Frozen > at {
			apart.Frozen++
		}
		other, err := New[float64](apart)
		if err != nil {
			t.Fatal(err)
		}
		params := make([]float64, net.ParameterCount())
		net.CopyParameters(params)
		other.SetParameters(params)
		grads := make([][]float64, 2)
		for i, m := range []*Network[float64]{net, other} {
			ws, y := setBatch(m, data)
			g := m.NewGradient()
			m.AddGradient(g, ws, MSE, y, data.N)
			grads[i] = make([]float64, len(params))
			g.CopyTo(grads[i])
		}
		for j := range params {
			if !(math.Abs(grads[0][j]-grads[1][j]) <= 1e-11*(1+math.Abs(grads[1][j]))) {
				t.Fatalf("gradient %d: %v in one stage, %v in parts", j, grads[0][j], grads[1][j])
			}
		}
		got, err := net.GradientMoments(data, []int{1, 2, 3}, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		want, err := other.GradientMoments(data, []int{1, 2, 3}, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for k := range got {
			for _, v := range [][2]float64{{got[k].SumW, want[k].SumW}, {got[k].SumX, want[k].SumX}, {got[k].SumDelta, want[k].SumDelta}} {
				if !(math.Abs(v[0]-v[1]) <= 1e-10*math.Abs(v[1])) {
					t.Fatalf("moments %+v in one stage, %+v in parts", got[k], want[k])
				}
			}
		}
	})
	if manyCases() && fusedSeen == 0 {
		t.Error("no network had a fused block")
	}
}

// batchLoss evaluates the batch loss from its definition.
func batchLoss(net *Network[float64], data Data[float64], loss Loss) float64 {
	fit, err := net.NewEvaluator().Fit(data, loss)
	if err != nil {
		panic(err)
	}
	return fit.Loss
}

// setBatch puts all data into a workspace as one batch.
func setBatch[T kernel.Float](net *Network[T], data Data[T]) (*Workspace[T], func(int) []T) {
	ws := net.NewWorkspace(data.N)
	for i := range data.N {
		net.SetInput(ws, i, data.input(i, net.Inputs()))
	}
	return ws, func(i int) []T { return data.target(i, net.Outputs()) }
}

func TestBatchGradientIsFiniteDifference(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		net, data := randomNetwork[float64](rapid.Uint64().Draw(t, "seed"))
		loss := Loss(rapid.IntRange(0, 1).Draw(t, "loss"))
		ws, y := setBatch(net, data)
		g := net.NewGradient()
		value := net.AddGradient(g, ws, loss, y, data.N)
		if want := batchLoss(net, data, loss); !(math.Abs(value-want) <= 1e-12*(1+want)) {
			t.Fatalf("batch loss %v, want %v", value, want)
		}
		w := net.ParameterCount()
		grad, params := make([]float64, w), make([]float64, w)
		g.CopyTo(grad)
		net.CopyParameters(params)
		for range 20 {
			j := rapid.IntRange(w-net.TrainableCount(), w-1).Draw(t, "parameter")
			loss := func(shift float64) float64 {
				at := params[j]
				defer func() { params[j] = at; net.SetParameters(params) }()
				params[j] = at + shift
				net.SetParameters(params)
				return batchLoss(net, data, loss)
			}
			const h = 1e-6
			up, at, down := loss(h), loss(0), loss(-h)
			fd := (up - down) / (2 * h)
			if kink(up, at, down, h) {
				continue
			}
			if !(math.Abs(grad[j]-fd) <= 1e-5*(1+math.Abs(fd))) {
				t.Fatalf("∂L/∂W[%d] = %v, finite difference %v (%+v)", j, grad[j], fd, net.Architecture)
			}
			compared++
		}
	})
	if compared == 0 {
		t.Error("no parameter was compared: all at kinks")
	}
}

// A network that is not a number has no accuracy, and no loss that a rule could
// take for small.
func TestFitOfNaN(t *testing.T) {
	net, data := randomNetwork[float32](1)
	data.Classification = true
	params := make([]float32, net.ParameterCount())
	for i := range params {
		params[i] = float32(math.NaN())
	}
	net.SetParameters(params)
	fit, err := net.NewEvaluator().Fit(data, MSE)
	if err != nil || !math.IsNaN(fit.Loss) || !math.IsNaN(fit.Accuracy) || !math.IsNaN(fit.RelativeLoss) {
		t.Errorf("fit %+v, %v; want NaN", fit, err)
	}
}

func TestNewRefuses(t *testing.T) {
	image := []int{2, 8, 8}
	for _, c := range []struct {
		arch Architecture
		want string
	}{
		{Architecture{}, "input shape"},
		{Architecture{Input: []int{3}}, "the last layer must be linear"},
		{Architecture{Input: []int{0}, Layers: []Layer{Linear(2)}}, "input shape [0]"},
		{Architecture{Input: []int{3}, Layers: []Layer{Linear(-2)}}, "layer 0 (linear) on inputs of shape [3]: -2 outputs"},
		{Architecture{Input: []int{3}, Layers: []Layer{Activate(ReLU), Linear(2)}}, "layer 0 is an activation"},
		{Architecture{Input: []int{3}, Layers: []Layer{Linear(2), Activate(ReLU)}}, "the last layer must be linear"},
		{Architecture{Input: []int{3}, Layers: []Layer{Linear(2), Activate(ReLU), Activate(Tanh), Linear(2)}}, "layer 2: an activation belongs behind"},
		{Architecture{Input: []int{3}, Layers: []Layer{Linear(2), Activate(99), Linear(2)}}, "unknown activation"},
		{Architecture{Input: image, Layers: []Layer{Linear(2)}}, "layer 0 (linear) on inputs of shape [2, 8, 8]: it needs vectors: put flatten"},
		{Architecture{Input: []int{9}, Layers: []Layer{Conv(3, 3, 1, 1), Flatten(), Linear(2)}}, "layer 0 (conv) on inputs of shape [9]: it needs images"},
		{Architecture{Input: image, Layers: []Layer{MaxPool(4), Conv(3, 5, 1, 1), Flatten(), Linear(2)}}, "layer 1 (conv) on inputs of shape [2, 2, 2]: the kernel of 5×5"},
		{Architecture{Input: []int{1, 3, 3}, Layers: []Layer{{Kind: FlattenLayer, NoBias: true}, Linear(2)}}, "only a linear layer or a convolution"},
		{Architecture{Input: []int{9}, Layers: []Layer{BatchNorm(), Linear(2)}}, "layer 0 (batchnorm) on inputs of shape [9]: it needs images"},
		{Architecture{Input: image, Layers: []Layer{Residual(2, Conv(2, 3, 1, 1)), Flatten(), Linear(2)}}, "layer 0 (residual) on inputs of shape [2, 8, 8]: the body makes [2, 8, 8]; the shortcut of stride 2 needs at least 2 channels on 4×4 pixels"},
		{Architecture{Input: image, Layers: []Layer{Residual(1, Conv(1, 3, 1, 1)), Flatten(), Linear(2)}}, "at least 2 channels"},
		{Architecture{Input: image, Layers: []Layer{Residual(1, Flatten()), Linear(2)}}, "the body makes [128]"},
		{Architecture{Input: image, Layers: []Layer{Residual(1), Flatten(), Linear(2)}}, "a body of 0 layers"},
		{Architecture{Input: image, Layers: []Layer{Residual(1, Activate(ReLU)), Flatten(), Linear(2)}}, "layer 0 (residual) on inputs of shape [2, 8, 8]: body: layer 0 is an activation"},
		{Architecture{Input: image, Layers: []Layer{MaxPool(9), Flatten(), Linear(2)}}, "the window of 9×9"},
		{Architecture{Input: image, Layers: []Layer{Conv(3, 3, 0, 1), Flatten(), Linear(2)}}, "stride 0"},
	} {
		if _, err := New[float64](c.arch); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New of %+v: %v, want an error with %q", c.arch, err, c.want)
		}
	}
}

// kink says whether the slopes on the two sides of a point disagree by more than
// the tolerance of the comparisons: ReLU and max-pooling have no derivative there.
func kink(up, at, down, h float64) bool {
	right, left := (up-at)/h, (at-down)/h
	return math.Abs(right-left) > 1e-5*(1+math.Abs(right)+math.Abs(left))
}

func TestDescendIsGradientStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net, data := randomNetwork[float64](rapid.Uint64().Draw(t, "seed"))
		ws, y := setBatch(net, data)
		w := net.ParameterCount()
		before, after, grad := make([]float64, w), make([]float64, w), make([]float64, w)
		net.CopyParameters(before)
		g := net.NewGradient()
		wantLoss := net.AddGradient(g, ws, MSE, y, data.N)
		g.CopyTo(grad)
		const eta = 0.03
		if loss := net.Descend(ws, MSE, eta, y, data.N); loss != wantLoss {
			t.Fatalf("Descend returns the loss %v, AddGradient %v", loss, wantLoss)
		}
		net.CopyParameters(after)
		for j := range before {
			if want := before[j] - eta*grad[j]; !(math.Abs(after[j]-want) <= 1e-12*(1+math.Abs(want))) {
				t.Fatalf("W[%d] = %v after the step, want %v", j, after[j], want)
			}
		}
	})
}

// The per-sample sums against gradients formed explicitly, one sample and one
// output at a time: the half-mse gradient of a batch of one whose residual is
// the unit vector e_c is ∇_W f_c. The input's gradient is a finite difference.
func TestGradientSumsAreThoseOfExplicitGradients(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		net, data := randomNetwork[float64](rapid.Uint64().Draw(t, "seed"))
		const orders = 4
		err := net.EachGradientSums(data, orders, 1<<20, func(i, c int, s *GradientSums) {
			grad := outputGradient(net, data, i, c)
			// What is next to nothing beside other gradients is known to their rounding.
			rounding := 0.0
			for _, v := range grad {
				rounding = math.Max(rounding, 1e-14*math.Abs(v))
			}
			for k := 1; k <= orders; k++ {
				for l, layer := range net.training() {
					for _, p := range net.Parameters() {
						got := -1.0
						switch p.Name {
						case layer.name() + ".weight":
							got = s.Weight[l][k-1]
						case layer.name() + ".bias":
							got = s.Bias[l][k-1]
						default:
							continue
						}
						want, slack := 0.0, 0.0
						for _, v := range grad[p.Offset : p.Offset+p.Size()] {
							power := math.Pow(v, float64(2*k))
							want += power
							slack += math.Pow(math.Abs(v)+rounding, float64(2*k)) - power
						}
						if !(math.Abs(got-want) <= 1e-11*(want+1e-30)+slack) {
							t.Fatalf("sample %d output %d order %d %s: %v, want %v", i, c, k, p.Name, got, want)
						}
					}
				}
			}
			input := s.Input
			if net.frozen > 0 {
				input = s.Image
			}
			if i < 2 && checkInputGradient(t, net, data, i, c, input) {
				compared++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if compared == 0 {
		t.Error("no sample was compared: all at kinks")
	}
}

func outputGradient(net *Network[float64], data Data[float64], i, c int) []float64 {
	ws := net.NewWorkspace(1)
	net.SetInput(ws, 0, data.input(i, net.Inputs()))
	net.Forward(ws, 1)
	y := append([]float64(nil), net.Output(ws, 0)...)
	y[c]--
	g := net.NewGradient()
	net.AddGradient(g, ws, HalfMSE, func(int) []float64 { return y }, 1)
	grad := make([]float64, net.ParameterCount())
	g.CopyTo(grad)
	return grad
}

// checkInputGradient compares the sums over the inputs, of every order, with
// those of finite differences, and returns whether it could: not at a kink.
func checkInputGradient(t *rapid.T, net *Network[float64], data Data[float64], i, c int, got []float64) bool {
	ws := net.NewWorkspace(1)
	x := append([]float64(nil), data.input(i, net.Inputs())...)
	f := func() float64 {
		net.SetInput(ws, 0, x)
		net.Forward(ws, 1)
		return net.Output(ws, 0)[c]
	}
	const h = 1e-6
	want := make([]float64, len(got))
	for j, at := range x {
		middle := f()
		x[j] = at + h
		up := f()
		x[j] = at - h
		down := f()
		x[j] = at
		if kink(up, middle, down, h) {
			return false
		}
		kernel.EvenPowerSums(want, []float64{(up - down) / (2 * h)})
	}
	for k, w := range want {
		if !(math.Abs(got[k]-w) <= 1e-3*(1e-2+w)) {
			t.Fatalf("sample %d output %d order %d: Σ(∂f/∂x)^2k = %v, finite differences %v (%+v)", i, c, k+1, got[k], w, net.Architecture)
		}
	}
	return true
}

// The blocks follow the memory; the bits do not.
func TestMomentsDoNotDependOnMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		testMemory[float64](t, seed)
		testMemory[float32](t, seed)
	})
}

func testMemory[T kernel.Float](t *rapid.T, seed uint64) {
	net, small := randomNetwork[T](seed)
	data := Data[T]{N: 7 * small.N}
	for range 7 {
		data.X = append(data.X, small.X...)
		data.Y = append(data.Y, small.Y...)
	}
	want, err := net.GradientMoments(data, []int{1, 3}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	least := net.transposedBytes() + net.workspaceBytes()*kernel.RowBlock
	for _, memory := range []int64{least, least + 9*net.workspaceBytes(), 3*least + 1} {
		got, err := net.GradientMoments(data, []int{1, 3}, memory)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("moments with %d bytes of memory differ:\n%v\n%v", memory, got, want)
		}
	}
	if _, err := net.GradientMoments(data, []int{1, 3}, least-1); err == nil {
		t.Fatal("moments without enough memory: no error")
	}
}
