package nn

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sobolev/internal/kernel"
)

// jacobian forms J explicitly, nc×w, one backward pass of training for each row.
func jacobian(net *Network[float64], data Data[float64]) [][]float64 {
	var rows [][]float64
	for i := range data.N {
		for o := range net.Outputs() {
			rows = append(rows, outputGradient(net, data, i, o))
		}
	}
	return rows
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func gaussian(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

// closeTo fails unless ‖got − want‖_∞ ≤ tol·(floor + ‖want‖_∞).
func closeTo(t *rapid.T, what string, got, want []float64, tol, floor float64) {
	t.Helper()
	largest := floor
	for _, v := range want {
		largest = math.Max(largest, math.Abs(v))
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*largest) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// randomDifferential draws a network and data, in one block or in several.
func randomDifferential(t *rapid.T) (*Network[float64], Data[float64], *Differential[float64], Loss, *rand.Rand) {
	seed := rapid.Uint64().Draw(t, "seed")
	net, data := randomNetwork[float64](seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	loss := Loss(rng.IntN(2))
	d, err := net.NewDifferential(data, loss, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if rng.IntN(2) == 0 { // several blocks
		d.block = kernel.RowBlock
	}
	return net, data, d, loss, rng
}

// J v, Jᵀ u and the Gauss–Newton product against J formed explicitly; frozen
// parameters have zero columns, and what v says of them is left out.
func TestJacobianProducts(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		net, data, d, loss, rng := randomDifferential(t)
		for _, s := range net.stages {
			seen[fmt.Sprintf("%T", s)]++
		}
		j := jacobian(net, data)
		v, u := gaussian(rng, net.ParameterCount()), gaussian(rng, len(j))
		wantJv, wantJu, wantG := make([]float64, len(j)), make([]float64, len(v)), make([]float64, len(v))
		for r, row := range j {
			wantJv[r] = dot(row, v)
			for k, x := range row {
				wantJu[k] += u[r] * x
				wantG[k] += loss.Scale(net.Outputs()) / float64(data.N) * wantJv[r] * x
			}
		}
		jv, ju, g := make([]float64, len(u)), make([]float64, len(v)), make([]float64, len(v))
		d.JVP(jv, v)
		d.VJP(ju, u)
		d.GaussNewton(g, v)
		closeTo(t, "J v", jv, wantJv, 1e-11, 1e-3)
		closeTo(t, "Jᵀ u", ju, wantJu, 1e-11, 1e-3)
		closeTo(t, "G v", g, wantG, 1e-11, 1e-3)
		if a, b := dot(u, jv), dot(ju, v); !(math.Abs(a-b) <= 1e-11*(1+math.Sqrt(dot(u, u)*dot(jv, jv)))) {
			t.Fatalf("⟨u, J v⟩ = %v, ⟨Jᵀ u, v⟩ = %v", a, b)
		}
		for k := range net.ParameterCount() - net.TrainableCount() {
			if ju[k] != 0 || g[k] != 0 {
				t.Fatalf("parameter %d does not train and has a gradient", k)
			}
		}
	})
	for _, kind := range []string{"dense", "conv", "convPool", "pool", "flatten", "batchNorm", "fork", "join"} {
		if manyCases() && seen["*nn."+kind+"[float64]"] == 0 {
			t.Errorf("no network had a %s: %v", kind, seen)
		}
	}
}

// J v against finite differences of the outputs, independent of every backward
// pass.
func TestJVPIsFiniteDifference(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		net, _, d, _, rng := randomDifferential(t)
		w := net.ParameterCount()
		start, v := make([]float64, w), gaussian(rng, w)
		net.CopyParameters(start)
		clear(v[:w-net.TrainableCount()])
		got := make([]float64, d.Samples()*d.Outputs())
		d.JVP(got, v)
		at := func(h float64) []float64 {
			shifted := slices.Clone(start)
			kernel.Axpy(shifted, h, v)
			net.SetParameters(shifted)
			r := make([]float64, len(got))
			d.Residuals(r)
			return r
		}
		const h = 1e-6
		up, middle, down := at(h), at(0), at(-h)
		for i := range got {
			fd := (up[i] - down[i]) / (2 * h)
			if kink(up[i], middle[i], down[i], h) {
				continue
			}
			compared++
			if !(math.Abs(got[i]-fd) <= 1e-4*(1+math.Abs(fd))) {
				t.Fatalf("(J v)[%d] = %v, finite difference %v (%+v)", i, got[i], fd, net.Architecture)
			}
		}
	})
	if compared == 0 {
		t.Error("no output was compared: all at kinks")
	}
}

// The Hessian against finite differences of gradients, its symmetry, and its two
// parts.
func TestHessianIsFiniteDifferenceOfGradients(t *testing.T) {
	compared, curved := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		net, data, d, loss, rng := randomDifferential(t)
		w := net.ParameterCount()
		start, v, u := make([]float64, w), gaussian(rng, w), gaussian(rng, w)
		net.CopyParameters(start)
		clear(v[:w-net.TrainableCount()])
		clear(u[:w-net.TrainableCount()])
		hv, hu, gv, rv := make([]float64, w), make([]float64, w), make([]float64, w), make([]float64, w)
		d.Hessian(hv, v)
		d.Hessian(hu, u)
		d.GaussNewton(gv, v)
		d.ResidualHessian(rv, v)
		scale := math.Sqrt(dot(hv, hv)*dot(u, u)) + math.Sqrt(dot(hu, hu)*dot(v, v))
		if a, b := dot(u, hv), dot(v, hu); !(math.Abs(a-b) <= 1e-11*(1e-3+scale)) {
			t.Fatalf("⟨u, ∇²L v⟩ = %v, ⟨v, ∇²L u⟩ = %v", a, b)
		}
		kernel.Axpy(gv, 1, rv)
		closeTo(t, "G v + (∇²L − G) v", gv, hv, 1e-11, 1e-3)

		gradient := func(h float64) []float64 {
			shifted := slices.Clone(start)
			kernel.Axpy(shifted, h, v)
			net.SetParameters(shifted)
			g := make([]float64, w)
			d.Gradient(g)
			net.SetParameters(start)
			return g
		}
		middle := gradient(0)
		ws, y := setBatch(net, data)
		g := net.NewGradient()
		net.AddGradient(g, ws, loss, y, data.N)
		direct := make([]float64, w)
		g.CopyTo(direct)
		closeTo(t, "∇L", middle, direct, 1e-11, 1e-3)
		const h = 1e-6
		up, down := gradient(h), gradient(-h)
		largest := 1.0
		for _, x := range hv {
			largest = math.Max(largest, math.Abs(x))
		}
		for k := range hv {
			if math.Abs(up[k]-2*middle[k]+down[k])/h > 1e-4*largest {
				return // a kink on the way: the gradient jumps
			}
		}
		for k := range hv {
			fd := (up[k] - down[k]) / (2 * h)
			if !(math.Abs(hv[k]-fd) <= 1e-4*largest) {
				t.Fatalf("(∇²L v)[%d] = %v, finite difference %v (%+v)", k, hv[k], fd, net.Architecture)
			}
		}
		compared++
		if dot(rv, rv) > 1e-6*dot(hv, hv) {
			curved++
		}
	})
	if manyCases() && (compared == 0 || curved == 0) {
		t.Errorf("%d Hessians compared, %d with a residual part; need some of each", compared, curved)
	}
}

// A selection is data of its own.
func TestSelectIsData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net, data, d, loss, rng := randomDifferential(t)
		samples := make([]int, 1+rng.IntN(2*data.N))
		part := Data[float64]{N: len(samples)}
		for i := range samples {
			samples[i] = rng.IntN(data.N)
			part.X = append(part.X, data.input(samples[i], net.Inputs())...)
			part.Y = append(part.Y, data.target(samples[i], net.Outputs())...)
		}
		d.Select(samples)
		other, err := net.NewDifferential(part, loss, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		w := net.ParameterCount()
		v, got, want := gaussian(rng, w), make([]float64, w), make([]float64, w)
		for _, product := range []func(d *Differential[float64], dst []float64){
			func(d *Differential[float64], dst []float64) { d.Gradient(dst) },
			func(d *Differential[float64], dst []float64) { d.Hessian(dst, v) },
			func(d *Differential[float64], dst []float64) { d.GaussNewton(dst, v) },
		} {
			product(d, got)
			product(other, want)
			closeTo(t, "product on a selection", got, want, 1e-12, 1e-3)
		}
	})
}

func TestDifferentialRefuses(t *testing.T) {
	net, data := smallResNet(t, 1)
	net.UseBatchStatistics(true)
	if _, err := net.NewDifferential(data, MSE, 1<<30); !errors.Is(err, ErrBatchStatistics) {
		t.Errorf("batch statistics: %v", err)
	}
	net.UseBatchStatistics(false)
	fixed, perRow := net.differentialBytes()
	least := fixed + perRow*int64(differentialBlock(perRow))
	if _, err := net.NewDifferential(data, MSE, least-1); err == nil {
		t.Error("not enough memory: no error")
	}
	if _, err := net.NewDifferential(data, MSE, least); err != nil {
		t.Errorf("enough memory: %v", err)
	}
	data.N++
	if _, err := net.NewDifferential(data, MSE, 1<<30); err == nil {
		t.Error("data of another size: no error")
	}
}

// Outputs of the copy are those of float32 up to its rounding, parameters and
// running averages are equal.
func TestFloat64CopiesExactly(t *testing.T) {
	for seed := range uint64(20) {
		net, data := randomNetwork[float32](seed)
		wide := Float64(net)
		small, large := make([]float32, net.ParameterCount()), make([]float64, net.ParameterCount())
		net.CopyParameters(small)
		wide.CopyParameters(large)
		var averages []float64
		net.eachBuffer(func(_ string, v []float32) { averages = append(averages, Convert[float64](v)...) })
		wide.eachBuffer(func(_ string, v []float64) {
			if !slices.Equal(v, averages[:len(v)]) {
				t.Fatal("running averages differ")
			}
			averages = averages[len(v):]
		})
		if len(averages) > 0 || !slices.Equal(Convert[float64](small), large) {
			t.Fatal("parameters differ")
		}
		ws, _ := setBatch(net, data)
		net.Forward(ws, data.N)
		data64 := Data[float64]{N: data.N, X: Convert[float64](data.X), Y: Convert[float64](data.Y)}
		ws64, _ := setBatch(wide, data64)
		wide.Forward(ws64, data.N)
		for i := range data.N {
			for o, f := range net.Output(ws, i) {
				if want := wide.Output(ws64, i)[o]; !(math.Abs(float64(f)-want) <= 1e-4*(1+math.Abs(want))) {
					t.Fatalf("output %v in float32, %v in float64", f, want)
				}
			}
		}
		// And its gradients are those of the network that New makes.
		same, err := New[float64](net.Architecture)
		if err != nil {
			t.Fatal(err)
		}
		same.SetParameters(large)
		same.eachBuffer(func(name string, to []float64) {
			wide.eachBuffer(func(other string, v []float64) {
				if name == other {
					copy(to, v)
				}
			})
		})
		want := jacobian(same, data64)
		for r, row := range jacobian(wide, data64) {
			for p, v := range want[r] {
				if !(math.Abs(row[p]-v) <= 1e-10*(1+math.Abs(v))) {
					t.Fatalf("J[%d][%d] = %v, of New %v", r, p, row[p], v)
				}
			}
		}
	}
}

// One forward pass, and one of deltas, serves products in any order, for any number of
// workers.
func TestHoldChangesNoBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net, data, d, loss, rng := randomDifferential(t)
		samples := make([]int, 1+rng.IntN(3*evaluationBlock))
		for i := range samples {
			samples[i] = rng.IntN(data.N)
		}
		net.Workers = 1 + rng.IntN(3)
		held, err := net.NewDifferential(data, loss, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		d.Select(samples)
		held.block = d.block
		held.Select(samples)
		if bytes := held.Hold(1 << 30); bytes <= 0 {
			t.Fatalf("%d bytes are held", bytes)
		}
		w := net.ParameterCount()
		got, want := make([]float64, w), make([]float64, w)
		v, u := gaussian(rng, w), gaussian(rng, len(samples)*net.Outputs())
		products := []func(d *Differential[float64], dst []float64){
			func(d *Differential[float64], dst []float64) { d.ResidualHessian(dst, v) },
			func(d *Differential[float64], dst []float64) { d.Gradient(dst) },
			func(d *Differential[float64], dst []float64) { d.VJP(dst, u) },
			func(d *Differential[float64], dst []float64) { d.Hessian(dst, v) },
			func(d *Differential[float64], dst []float64) { d.GaussNewton(dst, v) },
		}
		for range 8 {
			k := rng.IntN(len(products))
			products[k](held, got)
			products[k](d, want)
			if !slices.Equal(got, want) {
				t.Fatalf("product %d has other bits", k)
			}
		}
		held.Select(nil)
		d.Select(nil)
		if held.Hold(1) != 0 {
			t.Fatal("workspaces of all samples in a byte")
		}
		products[0](held, got)
		products[0](d, want)
		if !slices.Equal(got, want) {
			t.Fatal("a selection that was held has other bits after its end")
		}
	})
}
