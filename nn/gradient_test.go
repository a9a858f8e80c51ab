package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
	"sobolev/internal/kernel"
)

// randomNetwork draws an architecture, parameters and data.
func randomNetwork[T kernel.Float](seed uint64) (*Network[T], Data[T]) {
	rng := rand.New(rand.NewPCG(seed, 1))
	hidden := make([]int, rng.IntN(4))
	for i := range hidden {
		hidden[i] = 1 + rng.IntN(40)
	}
	d, c, n := 1+rng.IntN(40), 1+rng.IntN(4), 1+rng.IntN(11)
	net, err := New[T](FNN(d, hidden, c, Activation(rng.IntN(len(activationNames)))))
	if err != nil {
		panic(err)
	}
	net.Initialise(Init(rng.IntN(len(initNames))), rng)
	data := Data[T]{N: n, X: make([]T, n*d), Y: make([]T, n*c)}
	for i := range data.X {
		data.X[i] = T(rng.NormFloat64())
	}
	for i := range data.Y {
		data.Y[i] = T(rng.NormFloat64())
	}
	return net, data
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
			j := rapid.IntRange(0, w-1).Draw(t, "parameter")
			difference := func(h float64) float64 {
				at := params[j]
				defer func() { params[j] = at; net.SetParameters(params) }()
				params[j] = at + h
				net.SetParameters(params)
				up := batchLoss(net, data, loss)
				params[j] = at - h
				net.SetParameters(params)
				return (up - batchLoss(net, data, loss)) / (2 * h)
			}
			// At a kink of ReLU two step sizes disagree: nothing to compare with.
			fd, finer := difference(1e-5), difference(1e-6)
			if math.Abs(fd-finer) > 1e-6*(1+math.Abs(fd)) {
				continue
			}
			if !(math.Abs(grad[j]-fd) <= 1e-6*(1+math.Abs(fd))) {
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
	params[len(params)-1] = float32(math.NaN())
	net.SetParameters(params)
	fit, err := net.NewEvaluator().Fit(data, MSE)
	if err != nil || !math.IsNaN(fit.Loss) || !math.IsNaN(fit.Accuracy) || !math.IsNaN(fit.RelativeLoss) {
		t.Errorf("fit %+v, %v; want NaN", fit, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, arch := range []Architecture{
		{}, {Inputs: 3}, {Inputs: 0, Layers: []Layer{{Out: 2}}}, {Inputs: 3, Layers: []Layer{{Out: -2}}},
		{Inputs: 3, Layers: []Layer{{Activation: ReLU}, {Out: 2}}}, {Inputs: 3, Layers: []Layer{{Out: 2}, {Activation: ReLU}}},
		{Inputs: 3, Layers: []Layer{{Out: 2}, {Activation: ReLU}, {Activation: Tanh}, {Out: 2}}},
	} {
		if _, err := New[float64](arch); err == nil {
			t.Errorf("New accepts %+v", arch)
		}
	}
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
			for k := 1; k <= orders; k++ {
				for l, layer := range net.layers {
					for _, p := range net.Parameters() {
						got := -1.0
						switch p.Name {
						case layer.name + ".weight":
							got = s.Weight[l][k-1]
						case layer.name + ".bias":
							got = s.Bias[l][k-1]
						default:
							continue
						}
						want := 0.0
						for _, v := range grad[p.Offset : p.Offset+p.Size()] {
							want += math.Pow(v, float64(2*k))
						}
						if !(math.Abs(got-want) <= 1e-11*(want+1e-30)) {
							t.Fatalf("sample %d output %d order %d %s: %v, want %v", i, c, k, p.Name, got, want)
						}
					}
				}
			}
			if checkInputGradient(t, net, data, i, c, s.Input) {
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
	sums := func(h float64) []float64 {
		out := make([]float64, len(got))
		x := append([]float64(nil), data.input(i, net.Inputs())...)
		f := func() float64 {
			net.SetInput(ws, 0, x)
			net.Forward(ws, 1)
			return net.Output(ws, 0)[c]
		}
		for j, at := range x {
			x[j] = at + h
			up := f()
			x[j] = at - h
			d := (up - f()) / (2 * h)
			x[j] = at
			kernel.EvenPowerSums(out, []float64{d})
		}
		return out
	}
	fd, finer := sums(1e-5), sums(1e-6)
	for k := range fd {
		if math.Abs(fd[k]-finer[k]) > 1e-6*(1e-3+fd[k]) {
			return false
		}
	}
	for k, want := range fd {
		if !(math.Abs(got[k]-want) <= 1e-5*(1e-3+want)) {
			t.Fatalf("sample %d output %d order %d: Σ(∂f/∂x)^2k = %v, finite differences %v", i, c, k+1, got[k], want)
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
	least := net.transposedBytes() + net.workspaceBytes()*kernel.RowBlock + 8*3*int64(len(net.layers))*kernel.RowBlock
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
