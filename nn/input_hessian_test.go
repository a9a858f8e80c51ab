package nn

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sobolev/internal/kernel"
)

// inputHessian returns all d×d elements for output c at one sample x.
func inputHessian(net *Network[float64], x []float64, c int) []float64 {
	m := newHessianMeter(net)
	h := make([]float64, m.d*m.d)
	m.at(x)
	m.eachRows(1, func(o, a, rows int) {
		if o == c {
			copy(h[a*m.d:], m.rows[:rows*m.d])
		}
	})
	return h
}

// smoothNetwork is a dense network of smooth activations, with d on both sides of a
// block of directions, and with frozen layers now and then.
func smoothNetwork(rng *rand.Rand) (*Network[float64], Data[float64]) {
	activations := []Activation{Tanh, GELU, Softplus, Sigmoid, Identity}
	d, c := 1+rng.IntN(150), 1+rng.IntN(4)
	arch := Architecture{Input: []int{d}}
	if rng.IntN(3) == 0 {
		arch = Architecture{Input: []int{1, 1, d}, Layers: []Layer{Flatten()}}
	}
	for range rng.IntN(4) {
		arch.Layers = append(arch.Layers, Linear(1+rng.IntN(30)), Activate(activations[rng.IntN(len(activations))]))
	}
	arch.Layers = append(arch.Layers, Linear(c))
	if rng.IntN(4) == 0 {
		arch.Frozen = rng.IntN(len(arch.Layers))
	}
	net, err := New[float64](arch)
	if err != nil {
		panic(err)
	}
	net.Initialise(PyTorchInit, rng)
	n := 1 + rng.IntN(3)
	return net, Data[float64]{N: n, X: gaussian(rng, n*d), Y: make([]float64, n*c)}
}

// Hessians against differences of the gradients that EachGradientSums' passes
// compute, and their symmetry; sums against the elements.
func TestInputHessiansAreFiniteDifferences(t *testing.T) {
	curved, manyBlocks := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 11))
		net, data := smoothNetwork(rng)
		if net.frozen > 0 { // the features are the input of a network of their own
			var err error
			if net, data, err = net.Head(data); err != nil {
				t.Fatal(err)
			}
		}
		d, c := net.Features(), net.Outputs()
		g, err := net.NewInputGradients(1 << 30)
		if err != nil {
			t.Fatal(err)
		}
		gradient := func(x []float64, o int) []float64 {
			dst := make([]float64, d)
			g.Combined(dst, x, func(_ int, _, u []float64) { clear(u); u[o] = 1 })
			return dst
		}
		err = net.EachHessianSums(data, 3, 1<<30, func(i, o int, s *HessianSums) {
			x := data.X[i*d : (i+1)*d]
			hessian := inputHessian(net, x, o)
			const h = 1e-5
			v := gaussian(rng, d)
			up, down := append([]float64{}, x...), append([]float64{}, x...)
			kernel.Axpy(up, h, v)
			kernel.Axpy(down, -h, v)
			gUp, gDown := gradient(up, o), gradient(down, o)
			multi, full := make([]float64, 3), make([]float64, 3)
			for a := range d {
				got, want := dot(hessian[a*d:(a+1)*d], v), (gUp[a]-gDown[a])/(2*h)
				if !(math.Abs(got-want) <= 1e-7*(1+math.Abs(want))) {
					t.Fatalf("row %d of %d: %v along a direction, finite difference %v (%+v)", a, d, got, want, net.Architecture)
				}
				if math.Abs(want) > 1e-3 {
					curved++
				}
				for b := range d {
					if !(math.Abs(hessian[a*d+b]-hessian[b*d+a]) <= 1e-12*(1+math.Abs(hessian[a*d+b]))) {
						t.Fatalf("(%d, %d): %v and %v", a, b, hessian[a*d+b], hessian[b*d+a])
					}
					for k := range 3 {
						power := math.Pow(hessian[a*d+b], float64(2*k+2))
						full[k] += power
						if a <= b {
							multi[k] += power
						}
					}
				}
			}
			for k := range 3 {
				if !(math.Abs(s.MultiIndex[k]-multi[k]) <= 1e-9*multi[k]) || !(math.Abs(s.FullMatrix[k]-full[k]) <= 1e-9*full[k]) {
					t.Fatalf("order %d: sums %v and %v, want %v and %v", k+1, s.MultiIndex[k], s.FullMatrix[k], multi[k], full[k])
				}
			}
			if d > directionBlock && multi[0] > 0 {
				manyBlocks++
			}
		})
		if err != nil || c < 1 {
			t.Fatal(err)
		}
	})
	if manyCases() && (curved < 100 || manyBlocks < 10) {
		t.Errorf("%d rows that are not next to zero, %d Hessians of several blocks: too few to test with", curved, manyBlocks)
	}
}

// Second derivatives in the features of frozen layers are those of the head alone.
func TestInputHessiansInFeatures(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	arch := Architecture{Input: []int{5}, Layers: []Layer{Linear(70), Activate(ReLU), Linear(8), Activate(Tanh), Linear(2)}, Frozen: 2}
	net, err := New[float64](arch)
	if err != nil {
		t.Fatal(err)
	}
	net.Initialise(PyTorchInit, rng)
	data := Data[float64]{N: 4, X: gaussian(rng, 20), Y: make([]float64, 8)}
	head, features, err := net.Head(data)
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	if err := head.EachHessianSums(features, 2, 1<<30, func(_, _ int, s *HessianSums) { want = append(want, s.FullMatrix...) }); err != nil {
		t.Fatal(err)
	}
	var got []float64
	if err := net.EachHessianSums(data, 2, 1<<30, func(_, _ int, s *HessianSums) { got = append(got, s.FullMatrix...) }); err != nil {
		t.Fatal(err)
	}
	for j, v := range got {
		if !(math.Abs(v-want[j]) <= 1e-12*want[j]) || v == 0 {
			t.Errorf("%d: %v, want %v", j, v, want[j])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d sums, want %d", len(got), len(want))
	}
}

// One hidden unit, f = v a(w·x + b): ∇²f = v a″ w wᵀ.
func TestInputHessianOfOneUnit(t *testing.T) {
	for _, act := range []Activation{Tanh, GELU, Softplus, Sigmoid} {
		net, err := New[float64](FNN(3, []int{1}, 1, act))
		if err != nil {
			t.Fatal(err)
		}
		net.SetParameters([]float64{0.5, -1, 2, 0.3, -1.5, 0.7}) // w, b, v, and a constant
		x := []float64{0.2, 0.4, 0.1}
		z, second := 0.5*0.2-0.4+0.2+0.3, 0.0
		switch t := math.Tanh(z); act {
		case Tanh:
			second = -2 * t * (1 - t*t)
		case GELU:
			second = (2 - z*z) * math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		case Softplus:
			second = 1 / (4 * math.Cosh(z/2) * math.Cosh(z/2))
		case Sigmoid:
			second = -math.Tanh(z/2) / (4 * math.Cosh(z/2) * math.Cosh(z/2))
		}
		w := []float64{0.5, -1, 2}
		for j, got := range inputHessian(net, x, 0) {
			if want := -1.5 * second * w[j/3] * w[j%3]; !(math.Abs(got-want) <= 1e-14) {
				t.Errorf("%v: element %d is %v, want %v", act, j, got, want)
			}
		}
	}
}

func TestInputHessianGolden(t *testing.T) {
	_, net, data := loadGolden[float64](t, "fnn-scalar", "model.safetensors")
	js, err := os.ReadFile(filepath.Join("testdata", "fnn-scalar", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Q2 struct {
			Hessians [][][]float64 `json:"input_hessians"`
		} `json:"sobolev_q2"`
	}
	if err := json.Unmarshal(js, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Q2.Hessians) < data.N {
		t.Fatalf("%d Hessians of %d samples", len(golden.Q2.Hessians), data.N)
	}
	d := net.Inputs()
	for i := range data.N {
		got := inputHessian(net, data.X[i*d:(i+1)*d], 0)
		for j, v := range got {
			near(t, "second derivative", v, golden.Q2.Hessians[i][j/d][j%d], 1e-12, 1e-12)
		}
	}
}

func TestInputHessianRefusals(t *testing.T) {
	for _, c := range []struct {
		arch Architecture
		want string
	}{
		{FNN(4, []int{3}, 2, ReLU), "net.0 is followed by relu"},
		{Architecture{Input: []int{1, 4, 4}, Layers: []Layer{Conv(2, 3, 1, 1), Activate(Tanh), Flatten(), Linear(2)}}, "layer 1"},
	} {
		net, err := New[float64](c.arch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := net.HessianCost(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.arch, err, c.want)
		}
	}
	net, err := New[float64](FNN(100, []int{50}, 2, Tanh))
	if err != nil {
		t.Fatal(err)
	}
	data := Data[float64]{N: 1, X: make([]float64, 100), Y: make([]float64, 2)}
	visit := func(_, _ int, _ *HessianSums) {}
	if err := net.EachHessianSums(data, 1, 1000, visit); err == nil || !strings.Contains(err.Error(), "limit is 1000") {
		t.Errorf("1,000 bytes: %v", err)
	}
	if err := net.EachHessianSums(data, 1, net.hessianBytes(), visit); err != nil {
		t.Errorf("what it asks for is not enough: %v", err)
	}
}
