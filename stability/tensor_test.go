package stability

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sobolev/linop"
)

var bothSamplings = []Sampling{WithoutReplacement, WithReplacement}

// onParameters is a Span whose rows are the gradients themselves, for tensors on
// all of R^w: these do not need H to be diagonal.
func onParameters(j []float64, n, c, w int) *Span {
	return &Span{N: n, C: c, Rank: w, Q: j}
}

// kroneckerTensor returns E M^{⊗k} on R^w ⊗ … ⊗ R^w, w^k×w^k, from all batches.
func kroneckerTensor(j []float64, n, c, w, k int, eta float64, sampling Sampling, batch int) []float64 {
	size := 1
	for range k {
		size *= w
	}
	sum := make([]float64, size*size)
	eachBatch(n, batch, sampling, func(samples []int, probability float64) {
		m := unitMatrix(w)
		for _, i := range samples {
			for o := range c {
				g := j[(i*c+o)*w : (i*c+o+1)*w]
				for a, x := range g {
					for b, y := range g {
						m[a*w+b] -= eta / float64(batch) * x * y
					}
				}
			}
		}
		power := []float64{1}
		for range k {
			power = kroneckerProduct(power, m, w)
		}
		for i, v := range power {
			sum[i] += probability * v
		}
	})
	return sum
}

func kroneckerProduct(a, b []float64, n int) []float64 {
	m := int(math.Round(math.Sqrt(float64(len(a)))))
	c := make([]float64, m*n*m*n)
	for i := range m * n {
		for j := range m * n {
			c[i*m*n+j] = a[i/n*m+j/n] * b[i%n*n+j%n]
		}
	}
	return c
}

func unitMatrix(n int) []float64 {
	m := make([]float64, n*n)
	for i := range n {
		m[i*n+i] = 1
	}
	return m
}

// symmetricEmbedding returns the orthonormal basis of Sym^k in (R^w)^{⊗k} as
// columns, w^k×size, from its definition: the sum of all orders of the factors,
// normalised.
func symmetricEmbedding(w, k int) (v []float64, size int) {
	basis := symmetricBases(w, k)[k].indices
	size = len(basis)
	full := int(math.Round(math.Pow(float64(w), float64(k))))
	v = make([]float64, full*size)
	for col, index := range basis {
		for _, order := range permutations(k) {
			at := 0
			for _, j := range order {
				at = at*w + index[j]
			}
			v[at*size+col]++
		}
		var norm float64
		for row := range full {
			norm += v[row*size+col] * v[row*size+col]
		}
		for row := range full {
			v[row*size+col] /= math.Sqrt(norm)
		}
	}
	return v, size
}

func transpose(a []float64, m, n int) []float64 {
	t := make([]float64, m*n)
	for i := range m {
		for j := range n {
			t[j*m+i] = a[i*n+j]
		}
	}
	return t
}

func largestDifference(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var d float64
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
		if math.IsNaN(a[i]) || math.IsNaN(b[i]) {
			return math.NaN()
		}
	}
	return d
}

func eigenSym(t testing.TB, n int, a []float64) (values, vectors []float64) {
	t.Helper()
	values, vectors, err := linop.EigenSym(n, a)
	if err != nil {
		t.Fatal(err)
	}
	return values, vectors
}

func spectrum(t testing.TB, n int, a []float64) []float64 {
	t.Helper()
	values, _ := eigenSym(t, n, a)
	return values
}

// The closed forms for k ≤ 4 and the sum over all batches are the Kronecker powers
// restricted to symmetric tensors, element by element.
func TestTensorIsTheKroneckerPower(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 0))
	for _, p := range []struct{ n, c, w int }{{4, 1, 3}, {5, 2, 3}, {3, 1, 2}, {2, 2, 3}, {1, 2, 2}} {
		j := randomGradients(rng, p.n, p.c, p.w, p.w)
		s := onParameters(j, p.n, p.c, p.w)
		for k := 1; k <= 4; k++ {
			embedding, size := symmetricEmbedding(p.w, k)
			full := len(embedding) / size
			for _, sampling := range bothSamplings {
				for batch := 1; batch <= min(p.n, 4); batch++ {
					eta := 0.3 + rng.Float64()
					kron := kroneckerTensor(j, p.n, p.c, p.w, k, eta, sampling, batch)
					want := denseProduct(transpose(embedding, full, size), denseProduct(kron, embedding, full, full, size, 1), size, full, size, 1)
					closed, err := s.newTensor(k, sampling, batch)
					if err != nil {
						t.Fatal(err)
					}
					summed, _ := s.newTensor(k, sampling, batch)
					s.addMoments(closed, sampling, batch)
					s.addBatches(summed, sampling, batch)
					if d := largestDifference(closed.At(eta), want); !(d <= 1e-12) {
						t.Fatalf("%+v, k=%d, %v, B=%d: the closed form is off by %v", p, k, sampling, batch, d)
					}
					if d := largestDifference(summed.At(eta), want); !(d <= 1e-12) {
						t.Fatalf("%+v, k=%d, %v, B=%d: the sum over batches is off by %v", p, k, sampling, batch, d)
					}
				}
			}
		}
	}
}

// Order 5 and 6 have no closed form; trace of T_k on Sym^k is the mean of the
// complete homogeneous polynomial of the eigenvalues of M_S.
func TestTensorOfHighOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 0))
	n, w := 4, 3
	s := onParameters(randomGradients(rng, n, 1, w, w), n, 1, w)
	for _, k := range []int{5, 6} {
		for _, sampling := range bothSamplings {
			tensor, err := s.Tensor(k, sampling, 2)
			if err != nil {
				t.Fatal(err)
			}
			eta, want := 1.3, 0.0
			eachBatch(n, 2, sampling, func(samples []int, probability float64) {
				m := unitMatrix(w)
				for _, i := range samples {
					for a := range w {
						for b := range w {
							m[a*w+b] -= eta / 2 * s.Q[i*w+a] * s.Q[i*w+b]
						}
					}
				}
				x := spectrum(t, w, m)
				for a := range k + 1 {
					for b := range k + 1 - a {
						want += probability * math.Pow(x[0], float64(a)) * math.Pow(x[1], float64(b)) * math.Pow(x[2], float64(k-a-b))
					}
				}
			})
			var trace float64
			for i, m := 0, tensor.At(eta); i < tensor.Size; i++ {
				trace += m[i*tensor.Size+i]
			}
			if !(math.Abs(trace-want) <= 1e-11*math.Abs(want)) {
				t.Errorf("k=%d, %v: trace %v, want %v", k, sampling, trace, want)
			}
		}
	}
}

// If w > r, T_k on Sym^k(R^w) has the eigenvalues of T_j on Sym^j of the span for
// all j ≤ k, each dim Sym^{k−j} of the complement times.
func TestSpectrumUnion(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 0))
	n, c, w, r := 4, 1, 4, 2
	j := randomGradients(rng, n, c, w, r)
	span, all := newSpan(t, gramOf(j, n, c, w)), onParameters(j, n, c, w)
	eta := 0.8 * span.MeanThreshold()
	for k := 1; k <= 4; k++ {
		for _, sampling := range bothSamplings {
			full, err := all.Tensor(k, sampling, 2)
			if err != nil {
				t.Fatal(err)
			}
			got, err := full.Spectrum(eta)
			if err != nil {
				t.Fatal(err)
			}
			want := []float64{}
			for order := 0; order <= k; order++ {
				values := []float64{1}
				if order > 0 {
					part, err := span.Tensor(order, sampling, 2)
					if err != nil {
						t.Fatal(err)
					}
					if values, err = part.Spectrum(eta); err != nil {
						t.Fatal(err)
					}
				}
				for range int(binomial(w-r+k-order-1, k-order)) {
					want = append(want, values...)
				}
			}
			slices.Sort(want)
			if d := largestDifference(got, want); !(d <= 1e-12) {
				t.Errorf("k=%d, %v: spectra differ by %v\n%v\n%v", k, sampling, d, got, want)
			}
		}
	}
}

// For even k the largest eigenvalue is the spectral radius, and its eigentensor is
// in the cone: its flattening to Sym^{k/2} is positive semi-definite.
func TestKreinRutman(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 0))
	for range 12 {
		n, c, r := 3+rng.IntN(3), 1+rng.IntN(2), 2+rng.IntN(2)
		s := onParameters(randomGradients(rng, n, c, r, r), n, c, r)
		batch, sampling := 1+rng.IntN(n), bothSamplings[rng.IntN(2)]
		for _, k := range []int{2, 4} {
			tensor, err := s.Tensor(k, sampling, batch)
			if err != nil {
				t.Fatal(err)
			}
			eta := 6 * rng.Float64()
			values, vectors, err := linop.EigenSym(tensor.Size, tensor.At(eta))
			if err != nil {
				t.Fatal(err)
			}
			last := tensor.Size - 1
			if !(-values[0] <= values[last]*(1+1e-12)) {
				t.Fatalf("k=%d: eigenvalues from %v to %v", k, values[0], values[last])
			}
			if last > 0 && values[last]-values[last-1] < 1e-6*values[last] {
				continue
			}
			embedding, size := symmetricEmbedding(r, k)
			flat := denseProduct(embedding, vectors[last*size:(last+1)*size], len(embedding)/size, size, 1, 1)
			half := int(math.Round(math.Sqrt(float64(len(flat)))))
			eigen := spectrum(t, half, flat)
			if low, high := eigen[0], eigen[half-1]; !(min(high, -low) <= 1e-8 || low >= -1e-8) || !(math.Max(high, -low) > 0) {
				t.Fatalf("k=%d: the eigentensor's flattening has eigenvalues %v", k, eigen)
			} else if low < -1e-8 && high > 1e-8 {
				t.Fatalf("k=%d: the eigentensor is not in the cone: %v", k, eigen)
			}
		}
	}
}

func TestTensorRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 0))
	s := onParameters(randomGradients(rng, 40, 1, 12, 12), 40, 1, 12)
	if _, err := s.Tensor(5, WithoutReplacement, 20); err == nil {
		t.Error("T_5 on 4,368 dimensions was made")
	}
	s = onParameters(randomGradients(rng, 40, 1, 3, 3), 40, 1, 3)
	if _, err := s.Tensor(5, WithoutReplacement, 20); err == nil {
		t.Error("1.4e11 batches were added up")
	}
	if _, err := s.Tensor(0, WithoutReplacement, 20); err == nil {
		t.Error("there is a T_0")
	}
}

// A step with a single sample with probability p, and else with the full batch,
// has the second moments of a batch (Mulayoff & Michaeli, 2024, ALG(p)).
func TestSecondMomentsOfTheMixture(t *testing.T) {
	rng := rand.New(rand.NewPCG(48, 0))
	for range 20 {
		p := randomMeanSquareProblem(rng)
		s := onParameters(p.j, p.n, p.c, p.w)
		at := func(sampling Sampling, batch int, eta float64) []float64 {
			tensor, err := s.newTensor(2, sampling, batch)
			if err != nil {
				t.Fatal(err)
			}
			s.addBatches(tensor, sampling, batch)
			return tensor.At(eta)
		}
		eta := p.threshold(t).Value
		want := at(p.sampling, p.batch, eta)
		single, all := at(WithoutReplacement, 1, eta), at(WithoutReplacement, p.n, eta)
		for i := range single {
			single[i] = p.variance()*single[i] + (1-p.variance())*all[i]
		}
		if d := largestDifference(single, want); !(d <= 1e-12) {
			t.Errorf("n=%d B=%d %v: second moments differ by %v", p.n, p.batch, p.sampling, d)
		}
	}
}
