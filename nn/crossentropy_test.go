package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sobolev/internal/kernel"
)

// distributions replaces the targets by classes, or by probabilities.
func distributions(data Data[float64], c int, rng *rand.Rand) Data[float64] {
	data.Classification = rng.IntN(2) == 0
	for i := range data.N {
		y := data.target(i, c)
		if data.Classification {
			clear(y)
			y[rng.IntN(c)] = 1
			continue
		}
		softmax(y, gaussian(rng, c))
	}
	return data
}

// randomClassifier draws a network of two outputs or more, its data, and the
// differential of its cross-entropy.
func randomClassifier(t *rapid.T) (*Network[float64], Data[float64], *Differential[float64], *rand.Rand) {
	seed := rapid.Uint64().Draw(t, "seed")
	net, data := randomNetwork[float64](seed)
	for net.Outputs() < 2 {
		seed++
		net, data = randomNetwork[float64](seed)
	}
	rng := rand.New(rand.NewPCG(seed, 11))
	data = distributions(data, net.Outputs(), rng)
	d, err := net.NewDifferential(data, CrossEntropy, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return net, data, d, rng
}

// probabilities is softmax by its definition.
func probabilities(f []float64) []float64 {
	p, sum := make([]float64, len(f)), 0.0
	for _, v := range f {
		sum += math.Exp(v)
	}
	for o, v := range f {
		p[o] = math.Exp(v) / sum
	}
	return p
}

// outputsOf returns f(x_i) of all samples, n×c.
func outputsOf(net *Network[float64], data Data[float64]) []float64 {
	data.Y = make([]float64, len(data.Y))
	d, err := net.NewDifferential(data, HalfMSE, 1<<30)
	if err != nil {
		panic(err)
	}
	f := make([]float64, len(data.Y))
	d.Residuals(f)
	return f
}

// rootedJacobian forms R J, nc×w, from J and the rows √p_o (e_o − p)ᵀ.
func rootedJacobian(net *Network[float64], data Data[float64]) [][]float64 {
	j, c, f := jacobian(net, data), net.Outputs(), outputsOf(net, data)
	var rows [][]float64
	for i := range data.N {
		p := probabilities(f[i*c : (i+1)*c])
		for o := range c {
			sum := make([]float64, net.ParameterCount())
			for q := range c {
				r := -p[q]
				if q == o {
					r++
				}
				kernel.Axpy(sum, math.Sqrt(p[o])*r, j[i*c+q])
			}
			rows = append(rows, sum)
		}
	}
	return rows
}

// kinked says whether a layer, or one in its body, is not smooth.
func kinked(l Layer) bool {
	return l.Kind == MaxPoolLayer || l.Kind == ActivationLayer && l.Activation == ReLU || slices.ContainsFunc(l.Body, kinked)
}

// The gradient and the Hessian are finite differences of −(1/n) Σ_i Σ_o y log p, and
// of the gradient.
func TestCrossEntropyDerivatives(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		net, data, d, rng := randomClassifier(t)
		w := net.ParameterCount()
		start, v := make([]float64, w), gaussian(rng, w)
		clear(v[:w-net.TrainableCount()])
		kernel.Scale(v, 1/math.Sqrt(dot(v, v)))
		net.CopyParameters(start)
		evaluator := net.NewEvaluator()
		at := func(h float64) (loss, slope float64, gradient []float64) {
			shifted := slices.Clone(start)
			kernel.Axpy(shifted, h, v)
			net.SetParameters(shifted)
			fit, err := evaluator.Fit(data, CrossEntropy)
			if err != nil {
				t.Fatal(err)
			}
			gradient = make([]float64, w)
			d.Gradient(gradient)
			f, c, want := outputsOf(net, data), net.Outputs(), 0.0
			for i := range data.N {
				for o, p := range probabilities(f[i*c : (i+1)*c]) {
					want -= data.Y[i*c+o] * math.Log(p) / float64(data.N)
				}
			}
			if !(math.Abs(fit.Loss-want) <= 1e-12*(1+want)) {
				t.Fatalf("loss %v, want %v", fit.Loss, want)
			}
			return fit.Loss, dot(gradient, v), gradient
		}
		const h = 1e-4
		up, _, gradientUp := at(h)
		down, _, gradientDown := at(-h)
		_, slope, _ := at(0)
		hv := make([]float64, w)
		d.Hessian(hv, v)
		if slices.ContainsFunc(net.Architecture.Layers, kinked) {
			return
		}
		compared++
		if fd := (up - down) / (2 * h); !(math.Abs(slope-fd) <= 1e-5*(0.01+math.Abs(fd))) {
			t.Fatalf("∇L·v = %v, finite difference %v", slope, fd)
		}
		want := make([]float64, w)
		for k := range want {
			want[k] = (gradientUp[k] - gradientDown[k]) / (2 * h)
		}
		closeTo(t, "∇²L v", hv, want, 1e-5, 0.01)
	})
	if compared == 0 {
		t.Error("no network was smooth")
	}
}

// Products, Gram matrix, blocks and sums of coordinates are those of R J formed
// explicitly; the Gauss–Newton product is that of diag p − p pᵀ.
func TestCrossEntropyCurvature(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net, data, d, rng := randomClassifier(t)
		j, c, w := rootedJacobian(net, data), net.Outputs(), net.ParameterCount()
		v, u := gaussian(rng, w), gaussian(rng, len(j))
		jv, ju, g := make([]float64, len(j)), make([]float64, w), make([]float64, w)
		d.JVP(jv, v)
		d.VJP(ju, u)
		d.GaussNewton(g, v)
		wantJv, wantJu, wantG := make([]float64, len(j)), make([]float64, w), make([]float64, w)
		for r, row := range j {
			wantJv[r] = dot(row, v)
			kernel.Axpy(wantJu, u[r], row)
		}
		plain, f := jacobian(net, data), outputsOf(net, data)
		for i := range data.N {
			p := probabilities(f[i*c : (i+1)*c])
			for o := range c {
				sum := p[o] * dot(plain[i*c+o], v)
				for q := range c {
					sum -= p[o] * p[q] * dot(plain[i*c+q], v)
				}
				kernel.Axpy(wantG, sum/float64(data.N), plain[i*c+o])
			}
		}
		// Rounding is that of the terms, which the root lets cancel where the outputs
		// have the same derivatives.
		largest, terms, sumU := 0.0, 0.0, 0.0
		for _, row := range plain {
			sum := 0.0
			for k, x := range row {
				largest = math.Max(largest, math.Abs(x))
				sum += math.Abs(x * v[k])
			}
			terms = math.Max(terms, sum)
		}
		for _, x := range u {
			sumU += math.Abs(x)
		}
		closeTo(t, "R J v", jv, wantJv, 1e-12, terms)
		closeTo(t, "Jᵀ Rᵀ u", ju, wantJu, 1e-12, largest*sumU)
		closeTo(t, "G v", g, wantG, 1e-12, largest*terms)

		want := products(j, 0, w)
		k, err := net.Gram(data, CrossEntropy, nil, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "K", k, want, 1e-11, 1e-20)
		blocks, err := net.GramBlocks(data, CrossEntropy, nil, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		sums, err := net.CoordinateSums(data, CrossEntropy, 2, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		wantBlocks, wantSums := []float64(nil), make([]float64, 2*w)
		for i := range data.N {
			for o := range c {
				at := (i*c+o)*len(j) + i*c
				wantBlocks = append(wantBlocks, want[at:at+c]...)
			}
			for p := range w {
				h := 0.0
				for _, row := range j[i*c : (i+1)*c] {
					h += row[p] * row[p]
				}
				wantSums[p] += h
				wantSums[w+p] += h * h
			}
		}
		closeTo(t, "K_ii", blocks, wantBlocks, 1e-11, 1e-20)
		closeTo(t, "S_1", sums[:w], wantSums[:w], 1e-11, 1e-20)
		closeTo(t, "S_2", sums[w:], wantSums[w:], 1e-11, 1e-20)
	})
}

// With two outputs it is the logistic loss of z = f_1 − f_0: log(1 + e^{−z}) for
// class 1, whose second derivative is p(1 − p) = 1/(4 cosh²(z/2)), to all digits
// however far the sample is from the boundary.
func TestTwoOutputsAreLogistic(t *testing.T) {
	net, err := New[float64](FNN(1, nil, 2, Identity))
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range []float64{-60, -3, -0.1, 0, 0.5, 10, 40, 300} {
		net.SetParameters([]float64{0, 0, 1, 1 + z}) // W = 0, f = (1, 1 + z)
		data := Data[float64]{N: 1, X: []float64{2}, Y: []float64{0, 1}, Classification: true}
		fit, err := net.NewEvaluator().Fit(data, CrossEntropy)
		if err != nil {
			t.Fatal(err)
		}
		d, err := net.NewDifferential(data, CrossEntropy, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		gradient, h := make([]float64, 4), make([]float64, 4)
		d.Gradient(gradient)
		d.Hessian(h, []float64{0, 0, 0, 1})
		loss := math.Log1p(math.Exp(-math.Abs(z))) + math.Max(0, -z)
		share := 1 / (1 + math.Exp(z)) // 1 − p of class 1
		if 1+z == 1 {
			share = 0.5
		}
		curvature := 1 / math.Pow(2*math.Cosh(z/2), 2)
		for _, c := range []struct {
			what      string
			got, want float64
		}{
			{"loss", fit.Loss, loss}, {"largest residual", fit.MaxResidual, share},
			{"∂L/∂b_1", gradient[3], -share}, {"∂L/∂b_0", gradient[2], share}, {"∂L/∂w_1", gradient[1], -2 * share},
			{"∂²L/∂b_1²", h[3], curvature}, {"∂²L/∂b_0∂b_1", h[2], -curvature}, {"∂²L/∂w_1∂b_1", h[1], 2 * curvature},
		} {
			if !(math.Abs(c.got-c.want) <= 1e-13*math.Abs(c.want)) {
				t.Errorf("z = %v: %s = %v, want %v", z, c.what, c.got, c.want)
			}
		}
		if fit.Accuracy != 1 && z > 0 || fit.Accuracy != 0 && z < 0 {
			t.Errorf("z = %v: accuracy %v", z, fit.Accuracy)
		}
	}
}

func TestCrossEntropyRefuses(t *testing.T) {
	for _, c := range []struct {
		outputs int
		y       []float64
		want    string
	}{
		{1, []float64{1, 0}, "two outputs"},
		{2, []float64{1, 0, 0.5, 0.6}, "target of sample 1 is [0.5 0.6]"},
		{2, []float64{-1, 2, 0, 1}, "target of sample 0 is [-1 2]"},
		{2, []float64{1, 0, math.NaN(), 1}, "target of sample 1"},
	} {
		net, err := New[float64](FNN(1, nil, c.outputs, Identity))
		if err != nil {
			t.Fatal(err)
		}
		data := Data[float64]{N: 2, X: []float64{1, 2}, Y: c.y}
		for _, f := range []func() error{
			func() error { _, err := net.NewEvaluator().Fit(data, CrossEntropy); return err },
			func() error { _, err := net.NewDifferential(data, CrossEntropy, 1<<20); return err },
			func() error { _, err := net.Gram(data, CrossEntropy, nil, 1<<20); return err },
			func() error { _, err := net.GramBlocks(data, CrossEntropy, nil, 1<<20); return err },
			func() error { _, err := net.CoordinateSums(data, CrossEntropy, 1, 1<<20); return err },
		} {
			if err := f(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v", c.y, err)
			}
		}
	}
}
