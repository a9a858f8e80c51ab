package bound

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sobolev/seminorm"
)

// d = m = 1: ‖∇_x f‖ = |w₁| |δ| = N_k ‖δ‖ for every order, equality in the sharp
// form.
func TestProposition2WithEquality(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 0))
	for range 50 {
		f := randomNetwork(random, "tanh", true, 1, 1, 1)
		m := f.measure([][]float64{normals(random, 1), normals(random, 1)}, 3)
		for k := 1; k <= 3; k++ {
			for _, b := range []Bound{Proposition2(k, m.layer[k-1], m.gradients[k-1]), Corollary4(k, m.layer[k-1], m.gradients[k-1])} {
				if !near(b.Measured, b.Sharp, 1e-11) || !(b.Sharp <= b.Printed) {
					t.Fatalf("%+v", b)
				}
			}
		}
	}
}

// A linear model f = wᵀx with δ = 1: its seminorm is ‖w‖_{2k} = ‖W₁ᵀ‖_{2k} exactly,
// and along the gradient |f(x) − f(x_i)| = ‖w‖₂ δ, which is Theorem 7's delta form
// at k = 1 (the printed form is larger).
func TestLinearModelsReachTheDeltaForms(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 0))
	for range 50 {
		d := 1 + random.IntN(6)
		w := normals(random, d)
		brackets := seminorm.OperatorNorms(seminorm.Transpose(seminorm.NewDense(1, d, w)), []int{1, 2, 3}, seminorm.Search{}, random)
		x := normals(random, d)
		for k := 1; k <= 3; k++ {
			l := FirstLayer{
				Inputs: d, Width: 1, OperatorNorm: brackets[k-1].Upper, Spectral: brackets[0].Upper,
				MinNorm: seminorm.Norm(x, k), MinNorm2: seminorm.Norm(x, 1),
			}
			size := seminorm.Norm(w, k)
			g := Gradients{Outputs: 1, Input: []float64{size}, Delta: []float64{1}, Weights: []float64{l.MinNorm}, InputNorms: []float64{l.MinNorm}}
			if b := Corollary4(k, l, g); !near(b.Measured, b.Sharp, 1e-9) || !near(b.Printed, b.Sharp, 1e-9) {
				t.Fatalf("%+v", b)
			}
			delta := 0.01 * l.MinNorm2
			n := Neighbourhood{Radius: delta, DeltaSup: Constant{1, holds("constant")}}
			five := Theorem5(k, Solution{Samples: 1, Parameters: d, Outputs: 1, Batch: 1}, l, n, size)
			if got := valueOf(five, "delta"); !near(got, size, 1e-9) {
				t.Fatalf("k=%d: ‖∇_x f‖ = %v, theorem 5's delta form %v", k, size, got)
			}
			change := seminorm.Norm(w, 1) * delta
			seven := Theorem7(k, Solution{Samples: 1, Parameters: d, Outputs: 1, Batch: 1}, l, n, change)
			got := valueOf(seven, "delta")
			if !(change <= got*(1+1e-12)) || k == 1 && !near(got, change, 1e-9) {
				t.Fatalf("k=%d: |f(x) − f(x_i)| = %v, theorem 7's delta form %v", k, change, got)
			}
			if seven.Status != DoesNotApply || !math.IsNaN(seven.Sharp) {
				t.Fatalf("without stability: %+v", seven)
			}
		}
	}
}

// d^{(k−1)/2k} is the best constant between ‖z‖_q, q = 2k/(2k−1), and ‖z‖₂.
func TestDualExponent(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 0))
	dual := func(z []float64, k int) float64 {
		q, sum := float64(2*k)/float64(2*k-1), 0.0
		for _, v := range z {
			sum += math.Pow(math.Abs(v), q)
		}
		return math.Pow(sum, 1/q)
	}
	for d := 1; d <= 8; d++ {
		for k := 1; k <= 5; k++ {
			factor := math.Exp(logDual(d, k))
			ones := make([]float64, d)
			for j := range ones {
				ones[j] = 1
			}
			if !near(dual(ones, k), factor*math.Sqrt(float64(d)), 1e-12) {
				t.Errorf("d=%d, k=%d: not attained at the vector of ones", d, k)
			}
			for range 50 {
				if z := normals(random, d); !(dual(z, k) <= factor*seminorm.Norm(z, 1)*(1+1e-12)) {
					t.Errorf("d=%d, k=%d: ‖%v‖_q exceeds %v ‖·‖₂", d, k, z, factor)
				}
			}
		}
	}
	if got := math.Exp(logDual(784, 2)); !(math.Abs(got-5.29) <= 0.005) {
		t.Errorf("784^(1/4) = %v", got)
	}
}

// convolved is a network f = Σ_q a_q φ(z_q), z = conv(x), with φ tanh or linear.
type convolved struct {
	conv *seminorm.Convolution
	a    []float64
	tanh bool
}

// gradients returns what the unshared and, in naive, the shared form need.
func (f *convolved) gradients(x []float64, k int) (unshared, naive Gradients) {
	rows, cols := f.conv.Dims()
	z, delta, dx := make([]float64, rows), make([]float64, rows), make([]float64, cols)
	f.conv.Mul(z, x)
	for q := range delta {
		delta[q] = f.a[q]
		if f.tanh {
			v := math.Tanh(z[q])
			delta[q] *= 1 - v*v
		}
	}
	f.conv.MulTrans(dx, delta)

	// One channel in and out, stride 1, no padding: patch q is a window of x.
	width := f.conv.KernelWidth
	shared := make([]float64, width)
	var apart []float64
	least := math.Inf(1)
	for q, v := range delta {
		patch := x[q : q+width]
		least = min(least, seminorm.Norm(patch, k))
		for j, in := range patch {
			shared[j] += v * in
			apart = append(apart, v*in)
		}
	}
	unshared = Gradients{
		Outputs: 1, Input: []float64{seminorm.Norm(dx, k)}, Delta: []float64{seminorm.Norm(delta, k)},
		Weights: []float64{seminorm.Norm(apart, k)}, InputNorms: []float64{least},
	}
	naive = unshared
	naive.Weights, naive.InputNorms = []float64{seminorm.Norm(shared, k)}, []float64{seminorm.Norm(x, k)}
	return unshared, naive
}

func line(kernel []float64, width int) *seminorm.Convolution {
	return &seminorm.Convolution{Out: 1, In: 1, KernelHeight: 1, KernelWidth: len(kernel), Height: 1, Width: width, Stride: 1, Kernel: kernel}
}

func shared(conv *seminorm.Convolution, k int) FirstLayer {
	rows, cols := conv.Dims()
	b := seminorm.OperatorNorms(seminorm.Transpose(conv), []int{k}, seminorm.Search{}, rand.New(rand.NewPCG(1, 0)))[0]
	return FirstLayer{Inputs: cols, Width: rows, Shared: true, OperatorNorm: b.Upper}
}

// x = (1, 1, 1), kernel (2, 1), f = z₀ − z₁: the kernel's gradient is zero, that
// of x is (2, −1, −1). The naive form of Proposition 2 says ‖∇_x f‖ ≤ 0.
func TestConvolutionCounterexample(t *testing.T) {
	f := &convolved{conv: line([]float64{2, 1}, 3), a: []float64{1, -1}}
	for k := 1; k <= 3; k++ {
		l := shared(f.conv, k)
		unshared, naive := f.gradients([]float64{1, 1, 1}, k)
		if want := seminorm.Norm([]float64{2, -1, -1}, k); !near(naive.Input[0], want, 1e-14) || naive.Weights[0] != 0 {
			t.Fatalf("k=%d: %+v", k, naive)
		}
		for _, b := range []Bound{Proposition2(k, l, naive), Corollary4(k, l, naive)} {
			if b.Status != DoesNotApply || !math.IsNaN(b.Printed) || !strings.Contains(b.WhyNot, "convolution") || b.Forms != nil {
				t.Errorf("%+v", b)
			}
		}
		unaware := l
		unaware.Shared = false
		if b := Proposition2(k, unaware, naive); b.Status != DoesNotApply || !(b.Measured > 1) || !strings.Contains(b.WhyNot, "exceeds the bound 0 (printed)") {
			t.Errorf("taken for a dense layer: %+v", b)
		}
		for _, b := range []Bound{Proposition2Unshared(k, l, unshared), Corollary4Unshared(k, l, unshared)} {
			if b.Status != Applies || !(b.Measured <= b.Sharp && b.Sharp <= b.Printed) {
				t.Errorf("%+v", b)
			}
		}
	}
}

func TestUnsharedFormOnRandomConvolutions(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 0))
	reached, violated := tightness{}, 0
	for trial := range 150 {
		conv := line(normals(random, 1+random.IntN(3)), 3+random.IntN(4))
		rows, cols := conv.Dims()
		f := &convolved{conv: conv, a: normals(random, rows), tanh: trial%2 == 0}
		x := normals(random, cols)
		for k := 1; k <= 3; k++ {
			l := shared(conv, k)
			unshared, naive := f.gradients(x, k)
			reached.check(t, Proposition2Unshared(k, l, unshared))
			reached.check(t, Corollary4Unshared(k, l, unshared))
			// The naive form has the norm of the kernel as a 1×width matrix.
			q := float64(2*k) / float64(2*k-1)
			norm := 0.0
			for _, v := range conv.Kernel {
				norm += math.Pow(math.Abs(v), q)
			}
			norm = math.Pow(norm, 1/q)
			if naive.Input[0] > norm*naive.Weights[0]/naive.InputNorms[0] {
				violated++
			}
		}
	}
	if violated < 100 {
		t.Errorf("the naive form failed in %d of 450 cases only", violated)
	}
	if got := reached["proposition 2 (unshared) k=2 delta"]; !(got > 0.99) {
		t.Errorf("the delta form is never reached: %v", got)
	}
}
