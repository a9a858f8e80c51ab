package bound

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"sobolev/seminorm"
)

// network is f_c(x) = Σ_j a_cj φ(W₁x + b₁)_j + b_c, with all derivatives by hand.
type network struct {
	d, m, c    int
	w1, b1     []float64 // m×d, m
	a, b2      []float64 // c×m, c
	bias       bool
	activation string
}

func randomNetwork(random *rand.Rand, activation string, bias bool, d, m, c int) *network {
	f := &network{d: d, m: m, c: c, bias: bias, activation: activation}
	f.w1, f.b1 = normals(random, m*d), make([]float64, m)
	f.a, f.b2 = normals(random, c*m), make([]float64, c)
	if bias {
		f.b1, f.b2 = normals(random, m), normals(random, c)
	}
	return f
}

func normals(random *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = random.NormFloat64()
	}
	return v
}

func (f *network) act(z float64) (value, slope float64) {
	switch f.activation {
	case "tanh":
		v := math.Tanh(z)
		return v, 1 - v*v
	case "relu":
		if z > 0 {
			return z, 1
		}
		return 0, 0
	}
	return z, 1 // linear
}

func (f *network) preactivations(x []float64) []float64 {
	z := make([]float64, f.m)
	for j := range z {
		z[j] = f.b1[j]
		for l, v := range x {
			z[j] += f.w1[j*f.d+l] * v
		}
	}
	return z
}

func (f *network) value(x []float64, o int) float64 {
	sum := f.b2[o]
	for j, z := range f.preactivations(x) {
		v, _ := f.act(z)
		sum += f.a[o*f.m+j] * v
	}
	return sum
}

// delta is the gradient of output o in the pre-activations.
func (f *network) delta(x []float64, o int) []float64 {
	delta := f.preactivations(x)
	for j, z := range delta {
		_, slope := f.act(z)
		delta[j] = f.a[o*f.m+j] * slope
	}
	return delta
}

func (f *network) inputGradient(x []float64, o int) []float64 {
	g := make([]float64, f.d)
	for j, v := range f.delta(x, o) {
		for l := range g {
			g[l] += f.w1[j*f.d+l] * v
		}
	}
	return g
}

// firstGradient is that of output o in W₁, and b₁ if there is a bias.
func (f *network) firstGradient(x []float64, o int) []float64 {
	var g []float64
	delta := f.delta(x, o)
	for _, v := range delta {
		for _, in := range x {
			g = append(g, v*in)
		}
	}
	if f.bias {
		g = append(g, delta...)
	}
	return g
}

// gradient is that of output o in all parameters.
func (f *network) gradient(x []float64, o int) []float64 {
	g := f.firstGradient(x, o)
	for p := range f.c {
		for _, z := range f.preactivations(x) {
			v, _ := f.act(z)
			if p != o {
				v = 0
			}
			g = append(g, v)
		}
	}
	if f.bias {
		for p := range f.c {
			if p == o {
				g = append(g, 1)
			} else {
				g = append(g, 0)
			}
		}
	}
	return g
}

// measured is what the tests need of a network at its samples.
type measured struct {
	xs        [][]float64
	jacobians [][]float64 // nc rows of w
	layer     []FirstLayer
	gradients []Gradients
}

// measure computes everything for the orders 1 … orders; index k−1 is order k.
func (f *network) measure(xs [][]float64, orders int) measured {
	out := measured{xs: xs}
	for _, x := range xs {
		for o := range f.c {
			out.jacobians = append(out.jacobians, f.gradient(x, o))
		}
	}
	var all []int
	for k := range orders {
		all = append(all, k+1)
	}
	a := seminorm.Transpose(seminorm.NewDense(f.m, f.d, f.w1))
	brackets := seminorm.OperatorNorms(a, all, seminorm.Search{Starts: 4}, rand.New(rand.NewPCG(1, 0)))
	for _, k := range all {
		l := FirstLayer{
			Inputs: f.d, Width: f.m, Bias: f.bias, OperatorNorm: brackets[k-1].Upper, Spectral: brackets[0].Upper,
			MinNorm: math.Inf(1), MinNorm2: math.Inf(1),
		}
		g := Gradients{Outputs: f.c}
		for i, x := range xs {
			norm := seminorm.Norm(x, k)
			if norm < l.MinNorm {
				l.MinNorm, l.MinSample = norm, i
			}
			l.MinNorm2 = min(l.MinNorm2, seminorm.Norm(x, 1))
			g.InputNorms = append(g.InputNorms, norm)
			for o := range f.c {
				g.Input = append(g.Input, seminorm.Norm(f.inputGradient(x, o), k))
				g.Delta = append(g.Delta, seminorm.Norm(f.delta(x, o), k))
				g.Weights = append(g.Weights, seminorm.Norm(f.gradient(x, o), k))
			}
		}
		out.layer, out.gradients = append(out.layer, l), append(out.gradients, g)
	}
	return out
}

// coordinates returns the left sides of Theorem 2, max_j (1/n) Σ_i (Σ_c J_icj²)^k,
// of (34) and of (35).
func (m *measured) coordinates(c, k int) (largest, sum, mean float64) {
	n, w := len(m.xs), len(m.jacobians[0])
	for j := range w {
		moment := 0.0
		for i := range n {
			squares := 0.0
			for _, row := range m.jacobians[i*c : (i+1)*c] {
				squares += row[j] * row[j]
				sum += math.Pow(row[j], float64(2*k)) / float64(n)
			}
			moment += math.Pow(squares, float64(k)) / float64(n)
		}
		largest = max(largest, moment)
	}
	for i := range n {
		var rows []float64
		for _, row := range m.jacobians[i*c : (i+1)*c] {
			rows = append(rows, row...)
		}
		mean += seminorm.Norm(rows, k) / float64(n)
	}
	return largest, sum, mean
}

// span returns every gradient in an orthonormal basis of the span of all: nc rows
// of r numbers, by Gram–Schmidt.
func (m *measured) span() (rows [][]float64, rank int) {
	var basis [][]float64
	for _, row := range m.jacobians {
		v := append([]float64(nil), row...)
		for range 2 {
			for _, b := range basis {
				scale := inner(v, b)
				for j := range v {
					v[j] -= scale * b[j]
				}
			}
		}
		if size := math.Sqrt(inner(v, v)); size > 1e-9*math.Sqrt(inner(row, row)) {
			for j := range v {
				v[j] /= size
			}
			basis = append(basis, v)
		}
	}
	for _, row := range m.jacobians {
		var c []float64
		for _, b := range basis {
			c = append(c, inner(row, b))
		}
		rows = append(rows, c)
	}
	return rows, len(basis)
}

func inner(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// batches lists all batches: subsets, or tuples with replacement.
func batches(n, size int, replacement bool) [][]int {
	if size == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, head := range batches(n, size-1, replacement) {
		from := 0
		if !replacement && len(head) > 0 {
			from = head[len(head)-1] + 1
		}
		for i := from; i < n; i++ {
			all = append(all, append(append([]int(nil), head...), i))
		}
	}
	return all
}

// stableLearningRate returns a learning rate to which E_S[M_S^{⊗k}] has spectral
// radius at most 1, k = 1 or 2, and just above which it has not, by enumeration of
// the batches and bisection.
func (m *measured) stableLearningRate(c, k, batch int, replacement bool) float64 {
	rows, r := m.span()
	all := batches(len(m.xs), batch, replacement)
	radius := func(eta float64) float64 {
		side := r
		if k == 2 {
			side = r * r
		}
		mean := mat.NewSymDense(side, nil)
		for _, s := range all {
			step := identity(r)
			for _, i := range s {
				for _, row := range rows[i*c : (i+1)*c] {
					v := mat.NewVecDense(r, row)
					step.RankOne(step, -eta/float64(batch), v, v)
				}
			}
			add(mean, step, k, 1/float64(len(all)))
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(mean, false) {
			panic("eigenvalues did not converge")
		}
		values := eigen.Values(nil)
		return max(math.Abs(values[0]), math.Abs(values[side-1]))
	}
	low, high := 0.0, 1.0
	for radius(high) <= 1 {
		high *= 2
	}
	for range 20 {
		if middle := (low + high) / 2; radius(middle) <= 1 {
			low = middle
		} else {
			high = middle
		}
		if high-low < 1e-3*low {
			break
		}
	}
	return low
}

func identity(r int) *mat.Dense {
	d := mat.NewDense(r, r, nil)
	for i := range r {
		d.Set(i, i, 1)
	}
	return d
}

// add adds scale·step^{⊗k} to mean.
func add(mean *mat.SymDense, step *mat.Dense, k int, scale float64) {
	product := step
	if k == 2 {
		product = new(mat.Dense)
		product.Kronecker(step, step)
	}
	side, _ := product.Dims()
	for i := range side {
		for j := i; j < side; j++ {
			mean.SetSym(i, j, mean.At(i, j)+scale*product.At(i, j))
		}
	}
}
