package dataset

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
)

// Synthetic holds the sizes of the synthetic sets; zero means the default.
type Synthetic struct {
	Train       int // training samples, default 100
	Test        int // test samples, default 1,000
	Dim         int // d, default 10
	Subspaces   int // m, number of subspaces, default 3
	SubspaceDim int // D, dimension of each, default 2
}

func (o Synthetic) withDefaults() Synthetic {
	for _, f := range []struct {
		value    *int
		standard int
	}{{&o.Train, 100}, {&o.Test, 1000}, {&o.Dim, 10}, {&o.Subspaces, 3}, {&o.SubspaceDim, 2}} {
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	return o
}

func (o Synthetic) check() error {
	for _, f := range []struct {
		key   string
		value int
	}{{"train", o.Train}, {"test", o.Test}, {"dim", o.Dim}, {"subspaces", o.Subspaces}, {"subspace_dim", o.SubspaceDim}} {
		if f.value < 1 || f.value > 1<<24 {
			return badRequest("synthetic."+f.key, "%d is not in 1 to 2^24", f.value)
		}
	}
	if o.SubspaceDim > o.Dim {
		return badRequest("synthetic.subspace_dim", "%d is more than dim = %d", o.SubspaceDim, o.Dim)
	}
	if o.Train > maxElements/o.Dim || o.Test > maxElements/o.Dim || o.Subspaces > maxElements/(o.Dim*o.SubspaceDim) {
		return badRequest("synthetic", "more than 2^30 values")
	}
	return nil
}

func sphereEntry() Entry {
	return Entry{
		Name:        "sphere",
		Description: "uniform on the unit sphere of R^dim; y is the first coordinate (1-Lipschitz)",
		Licence:     "none needed: computed",
		synthetic:   true,
		load: func(_ context.Context, r Request) (train, test *Set, err error) {
			o, err := r.syntheticSizes()
			if err != nil {
				return nil, nil, err
			}
			train = Sphere(o.Train, o.Dim, r.stream(trainPart))
			test = Sphere(o.Test, o.Dim, r.stream(testPart))
			return train, test, preprocessAll(r, []*Set{train, test})
		},
	}
}

func subspacesEntry() Entry {
	return Entry{
		Name:        "subspaces",
		Description: "uniform on the unit balls of a union of random subspaces of R^dim; the class is the subspace",
		Licence:     "none needed: computed",
		synthetic:   true,
		load: func(_ context.Context, r Request) (train, test *Set, err error) {
			o, err := r.syntheticSizes()
			if err != nil {
				return nil, nil, err
			}
			// Both parts are drawn from the same union.
			union := RandomUnion(o.Subspaces, o.SubspaceDim, o.Dim, r.stream(0))
			train = union.Sample(o.Train, r.stream(trainPart))
			test = union.Sample(o.Test, r.stream(testPart))
			return train, test, preprocessAll(r, []*Set{train, test})
		},
	}
}

func (r Request) syntheticSizes() (Synthetic, error) {
	o := r.Synthetic.withDefaults()
	if err := o.check(); err != nil {
		return o, err
	}
	return o, r.refuseClasses()
}

// stream is the random stream of one part of a synthetic set.
func (r Request) stream(p part) *rand.Rand {
	return rand.New(rand.NewPCG(r.Seed, uint64(p)<<32))
}

// Sphere draws n points uniformly from the unit sphere S^{d−1} of R^d: every
// input has norm 1 (to float32 rounding), mean 0 and covariance I/d, and the
// intrinsic dimension is d−1. The target is the first coordinate, a function
// with Lipschitz constant 1 on R^d. It panics if n < 0 or d < 1.
func Sphere(n, d int, rng *rand.Rand) *Set {
	if n < 0 || d < 1 {
		panic("dataset: Sphere needs n ≥ 0 and d ≥ 1")
	}
	s := &Set{
		Name: "sphere", Shape: []int{d}, Outputs: 1, Index: ramp(n), Preprocessing: Preprocessing{Scale: 1},
		X: make([]float32, 0, n*d), Y: make([]float32, 0, n),
	}
	u := make([]float64, d)
	for range n {
		unitVector(u, rng)
		for _, v := range u {
			s.X = append(s.X, float32(v))
		}
		s.Y = append(s.Y, float32(u[0]))
	}
	return s
}

// unitVector fills u with a uniform point of the unit sphere: a normalised
// Gaussian vector.
func unitVector(u []float64, rng *rand.Rand) {
	for {
		var sum float64
		for i := range u {
			u[i] = rng.NormFloat64()
			sum += u[i] * u[i]
		}
		if sum > 1e-100 {
			scale := 1 / math.Sqrt(sum)
			for i := range u {
				u[i] *= scale
			}
			return
		}
	}
}

// Union is a union of m subspaces of R^d, each of dimension D.
type Union struct {
	Dim    int         // d
	SubDim int         // D
	Bases  [][]float64 // m orthonormal bases, each D×d row-major
}

// RandomUnion draws m independent subspaces of dimension subDim uniformly (with
// respect to rotations) in R^dim. It panics unless 1 ≤ subDim ≤ dim and m ≥ 1.
func RandomUnion(m, subDim, dim int, rng *rand.Rand) *Union {
	if m < 1 || subDim < 1 || subDim > dim {
		panic("dataset: RandomUnion needs m ≥ 1 and 1 ≤ subDim ≤ dim")
	}
	u := &Union{Dim: dim, SubDim: subDim}
	for range m {
		u.Bases = append(u.Bases, randomBasis(subDim, dim, rng))
	}
	return u
}

// randomBasis returns k orthonormal rows in R^d whose span is uniform.
func randomBasis(k, d int, rng *rand.Rand) []float64 {
	basis := make([]float64, k*d)
	for i := 0; i < k; {
		row := basis[i*d : (i+1)*d]
		unitVector(row, rng)
		// Gram–Schmidt, twice: once leaves an error of the condition number
		// times the rounding, twice leaves the rounding.
		var norm float64
		for range 2 {
			for j := range i {
				subtractProjection(row, basis[j*d:(j+1)*d])
			}
			norm = normalise(row)
		}
		if norm > 0.5 {
			i++
		}
	}
	return basis
}

// subtractProjection removes from x its part along the unit vector b.
func subtractProjection(x, b []float64) {
	var dot float64
	for i, v := range b {
		dot += v * x[i]
	}
	for i, v := range b {
		x[i] -= dot * v
	}
}

// normalise scales x to norm 1 and returns the norm that it had.
func normalise(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	norm := math.Sqrt(sum)
	for i := range x {
		x[i] /= norm
	}
	return norm
}

// Sample draws n points: sample i lies in the unit ball of subspace i mod m,
// uniformly with respect to its D-dimensional volume. So every input has norm
// ≤ 1, E‖x‖² = D/(D+2), and the intrinsic dimension is D. The class is the
// subspace, targets are one-hot, and samples are sorted by class. It panics if
// n < 0.
func (u *Union) Sample(n int, rng *rand.Rand) *Set {
	if n < 0 {
		panic("dataset: Sample needs n ≥ 0")
	}
	m := len(u.Bases)
	s := &Set{
		Name: "subspaces", Shape: []int{u.Dim}, Outputs: m, Index: ramp(n), Preprocessing: Preprocessing{Scale: 1},
		X: make([]float32, 0, n*u.Dim), Labels: make([]int, 0, n),
	}
	direction := make([]float64, u.SubDim)
	x := make([]float64, u.Dim)
	for j, basis := range u.Bases {
		s.Classes = append(s.Classes, fmt.Sprintf("subspace %d", j))
		for range (n - j + m - 1) / m {
			unitVector(direction, rng)
			// The radius of a uniform point of a D-ball has P(r ≤ t) = t^D.
			radius := math.Pow(rng.Float64(), 1/float64(u.SubDim))
			clear(x)
			for k, a := range direction {
				for i, v := range basis[k*u.Dim : (k+1)*u.Dim] {
					x[i] += radius * a * v
				}
			}
			for _, v := range x {
				s.X = append(s.X, float32(v))
			}
			s.Labels = append(s.Labels, j)
		}
	}
	s.Y = OneHot(s.Labels, m)
	return s
}

// Subspaces draws a [RandomUnion] of m subspaces of dimension subDim in R^dim
// and n points of it (see [Union.Sample]).
func Subspaces(n, m, subDim, dim int, rng *rand.Rand) (*Set, *Union) {
	u := RandomUnion(m, subDim, dim, rng)
	return u.Sample(n, rng), u
}
