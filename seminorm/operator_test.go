package seminorm

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func normals(random *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = random.NormFloat64()
	}
	return v
}

// denseOf forms a matrix from its products with unit vectors, and checks the
// transposed product against it.
func denseOf(t *rapid.T, a Operator) *Dense {
	rows, cols := a.Dims()
	data := make([]float64, rows*cols)
	x, y := make([]float64, cols), make([]float64, rows)
	for j := range cols {
		x[j] = 1
		a.Mul(y, x)
		x[j] = 0
		for i, v := range y {
			data[i*cols+j] = v
		}
	}
	for i := range rows {
		y := make([]float64, rows)
		y[i] = 1
		a.MulTrans(x, y)
		for j, v := range x {
			if v != data[i*cols+j] {
				t.Fatalf("Aᵀ[%d,%d] = %v, A has %v", j, i, v, data[i*cols+j])
			}
		}
	}
	return NewDense(rows, cols, data)
}

// naiveConvolution is the definition: Σ over the kernel, one output at a time.
func naiveConvolution(a *Convolution, x []float64) []float64 {
	h, w := a.image()
	var y []float64
	for o := range a.Out {
		for oy := range h {
			for ox := range w {
				sum := 0.0
				for i := range a.In {
					for ky := range a.KernelHeight {
						for kx := range a.KernelWidth {
							iy, ix := oy*a.Stride+ky-a.Padding, ox*a.Stride+kx-a.Padding
							if iy >= 0 && iy < a.Height && ix >= 0 && ix < a.Width {
								sum += a.Kernel[((o*a.In+i)*a.KernelHeight+ky)*a.KernelWidth+kx] * x[(i*a.Height+iy)*a.Width+ix]
							}
						}
					}
				}
				y = append(y, sum)
			}
		}
	}
	return y
}

func drawConvolution(t *rapid.T) *Convolution {
	draw := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	a := &Convolution{
		Out: draw("out", 1, 3), In: draw("in", 1, 3), KernelHeight: draw("kh", 1, 3), KernelWidth: draw("kw", 1, 4),
		Stride: draw("stride", 1, 3), Padding: draw("padding", 0, 4),
	}
	a.Height, a.Width = draw("h", max(1, a.KernelHeight-2*a.Padding), 6), draw("w", max(1, a.KernelWidth-2*a.Padding), 6)
	a.Kernel = normals(newRandom(rapid.Uint64().Draw(t, "seed")), a.Out*a.In*a.KernelHeight*a.KernelWidth)
	return a
}

func TestConvolutionIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawConvolution(t)
		rows, cols := a.Dims()
		x, y := normals(newRandom(1), cols), make([]float64, rows)
		a.Mul(y, x)
		want := naiveConvolution(a, x)
		if len(want) != rows {
			t.Fatalf("%d rows, want %d", rows, len(want))
		}
		for i := range want {
			if !(math.Abs(y[i]-want[i]) <= 1e-12) {
				t.Fatalf("y[%d] = %v, want %v", i, y[i], want[i])
			}
		}
		dense := denseOf(t, a)
		square := denseOf(t, a.AbsPow(1.5))
		for e, v := range dense.data {
			if want := math.Pow(math.Abs(v), 1.5); !(math.Abs(square.data[e]-want) <= 1e-14*want) {
				t.Fatalf("|A|^1.5 has %v, want %v", square.data[e], want)
			}
		}
		exact := OperatorNorms(dense, []int{1}, Search{}, newRandom(2))[0]
		if fourier := a.SpectralUpper(); !(fourier >= exact.Lower) {
			t.Fatalf("by Fourier transform ‖A‖₂ ≤ %v; it is at least %v", fourier, exact.Lower)
		}
	})
}

func TestComplexSpectralNorm(t *testing.T) {
	random := newRandom(5)
	for range 100 {
		m, n := 1+random.IntN(5), 1+random.IntN(5)
		a := make([]complex128, m*n)
		for e := range a {
			a[e] = complex(random.NormFloat64(), random.NormFloat64())
		}
		// Power iteration on the Gram matrix, in complex arithmetic.
		x, want := make([]complex128, n), 0.0
		for j := range x {
			x[j] = complex(random.NormFloat64(), 0)
		}
		for range 3000 {
			next := make([]complex128, n)
			for i := range m {
				var y complex128
				for j, v := range x {
					y += a[i*n+j] * v
				}
				for j := range next {
					next[j] += cmplx.Conj(a[i*n+j]) * y
				}
			}
			want = 0
			for _, v := range next {
				want += real(v)*real(v) + imag(v)*imag(v)
			}
			want = math.Sqrt(want)
			for j := range next {
				next[j] /= complex(want, 0)
			}
			x = next
		}
		if got := complexSpectralSquare(a, m, n); !near(got, want, 1e-9) {
			t.Fatalf("%d×%d: %v, want %v", m, n, got, want)
		}
	}
}

// Without padding beyond the kernel and on a large image the torus is exact in
// the limit: a 1-D kernel (1, 1) has norm 2 cos(π/(2(n+1))) < 2.
func TestFourierBoundIsSharp(t *testing.T) {
	a := &Convolution{Out: 1, In: 1, KernelHeight: 1, KernelWidth: 2, Height: 1, Width: 50, Stride: 1, Padding: 0, Kernel: []float64{1, 1}}
	if got := a.SpectralUpper(); !(got >= 2 && got <= 2+1e-12) {
		t.Errorf("‖A‖₂ ≤ %v, want 2", got)
	}
}

func TestTransposedOperator(t *testing.T) {
	a := NewDense(2, 3, []float64{1, -2, 3, 4, 5, -6})
	rapid.Check(t, func(t *rapid.T) {
		b := denseOf(t, Transpose(a))
		want := []float64{1, 4, -2, 5, 3, -6}
		if fmt.Sprint(b.data) != fmt.Sprint(want) {
			t.Fatalf("Aᵀ = %v, want %v", b.data, want)
		}
	})
	if Transpose(Transpose(a)) != Operator(a) {
		t.Error("(Aᵀ)ᵀ is not A")
	}
}
