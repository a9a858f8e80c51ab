package seminorm

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// bruteForce returns the largest ‖Ax‖_p/‖x‖_p over a fine grid of directions in
// the plane.
func bruteForce(a *Dense, p float64) float64 {
	best := 0.0
	y := make([]float64, a.rows)
	for s := range 2_000 {
		angle := math.Pi * float64(s) / 2_000
		x := []float64{math.Cos(angle), math.Sin(angle)}
		a.Mul(y, x)
		best = max(best, powerNorm(y, p)/powerNorm(x, p))
	}
	return best
}

func TestPowerMethodFindsTheMaximumInThePlane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 6).Draw(t, "rows")
		a := NewDense(rows, 2, normals(newRandom(rapid.Uint64().Draw(t, "seed")), 2*rows))
		for _, b := range OperatorNorms(a, []int{1, 2, 3, 5}, Search{}, newRandom(1)) {
			// The grid misses the maximum by the square of its step.
			if want := bruteForce(a, float64(2*b.K)); !near(b.Lower, want, 1e-4) || !(b.Upper >= want) {
				t.Fatalf("k=%d: [%v, %v], searched %v", b.K, b.Lower, b.Upper, want)
			}
		}
	})
}

// Every certificate is above every ratio that can be found.
func TestCertificatesAreAbove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := newRandom(rapid.Uint64().Draw(t, "seed"))
		rows, cols := 1+random.IntN(8), 1+random.IntN(8)
		data := normals(random, rows*cols)
		for i := range data {
			if random.IntN(4) == 0 {
				data[i] = 0 // columns, rows and blocks of zeros
			}
		}
		if random.IntN(2) == 0 {
			for i := range data {
				data[i] *= math.Exp(4 * random.NormFloat64())
			}
		}
		a := NewDense(rows, cols, data)
		y := make([]float64, rows)
		for _, b := range OperatorNorms(a, []int{1, 2, 3, 8, 40}, Search{Starts: 4}, random) {
			p := float64(2 * b.K)
			found := b.Lower
			for range 50 {
				x := normals(random, cols)
				dualVector(x, p)
				a.Mul(y, x)
				found = max(found, powerNorm(y, p)/powerNorm(x, p)*(1-1e-14))
			}
			for _, c := range b.Certificates {
				if !(c.Value >= found) {
					t.Fatalf("k=%d: %s says ≤ %v; found %v", b.K, c.Name, c.Value, found)
				}
			}
			if !(b.Lower <= b.Upper && b.Upper <= b.Certificates[0].Value) {
				t.Fatalf("k=%d: [%v, %v]", b.K, b.Lower, b.Upper)
			}
			if b.K == 1 && !near(b.Lower, b.Upper, 1e-9) {
				t.Fatalf("‖A‖₂ in [%v, %v]", b.Lower, b.Upper)
			}
		}
	})
}

// A product of integer vectors has a spectral norm that is known to the last bit.
func TestSpectralNormIsEnclosed(t *testing.T) {
	random := newRandom(4)
	for range 300 {
		rows, cols := 1+random.IntN(9), 1+random.IntN(9)
		data := make([]float64, rows*cols)
		var uu, vv int
		u, v := make([]int, rows), make([]int, cols)
		for i := range u {
			u[i] = random.IntN(19) - 9
			uu += u[i] * u[i]
		}
		for j := range v {
			v[j] = random.IntN(19) - 9
			vv += v[j] * v[j]
			for i := range u {
				data[i*cols+j] = float64(u[i] * v[j])
			}
		}
		b := OperatorNorms(NewDense(rows, cols, data), []int{1}, Search{Starts: 1}, random)[0]
		if want := math.Sqrt(float64(uu * vv)); !(b.Lower <= want && want <= b.Upper && b.Upper-b.Lower <= 1e-6*want) {
			t.Fatalf("‖A‖₂ in [%v, %v], it is %v", b.Lower, b.Upper, want)
		}
	}
}

// A matrix without negative entries has an exact norm, certified by Schur's test;
// so has a diagonal matrix, and one with a single row, by Hölder's inequality.
func TestExactNorms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := newRandom(rapid.Uint64().Draw(t, "seed"))
		rows, cols := 1+random.IntN(8), 1+random.IntN(8)
		positive := absPow(normals(random, rows*cols), 1)
		for _, b := range OperatorNorms(NewDense(rows, cols, positive), []int{1, 2, 3}, Search{Starts: 1}, random) {
			if !near(b.Lower, b.Upper, 1e-6) {
				t.Fatalf("non-negative, k=%d: [%v, %v]", b.K, b.Lower, b.Upper)
			}
		}
		row := normals(random, cols)
		diagonal := make([]float64, cols*cols)
		for j, v := range row {
			diagonal[j*cols+j] = v
		}
		for _, b := range OperatorNorms(NewDense(1, cols, row), []int{2, 3}, Search{}, random) {
			p := float64(2 * b.K)
			if want := powerNorm(row, p/(p-1)); !near(b.Lower, want, 1e-9) || !near(b.Upper, want, 1e-9) {
				t.Fatalf("row, k=%d: [%v, %v], want %v", b.K, b.Lower, b.Upper, want)
			}
		}
		for _, b := range OperatorNorms(NewDense(cols, cols, diagonal), []int{1, 2, 3}, Search{}, random) {
			if want := largestAbs(row); !near(b.Lower, want, 1e-9) || !near(b.Upper, want, 1e-9) {
				t.Fatalf("diagonal, k=%d: [%v, %v], want %v", b.K, b.Lower, b.Upper, want)
			}
		}
	})
}

func TestBracketScales(t *testing.T) {
	data := normals(newRandom(1), 5*7)
	one := OperatorNorms(NewDense(5, 7, data), []int{1, 2, 3}, Search{}, newRandom(2))
	for _, scale := range []float64{0x1p-200, 0x1p200} {
		scaled := make([]float64, len(data))
		for i, v := range data {
			scaled[i] = scale * v
		}
		for j, b := range OperatorNorms(NewDense(5, 7, scaled), []int{1, 2, 3}, Search{}, newRandom(2)) {
			if !near(b.Lower, scale*one[j].Lower, 1e-12) || !near(b.Upper, scale*one[j].Upper, 1e-12) {
				t.Errorf("k=%d, A scaled by %v: [%v, %v], of A [%v, %v]", b.K, scale, b.Lower, b.Upper, one[j].Lower, one[j].Upper)
			}
		}
	}
}

func TestBracketOfBrokenMatrices(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), 1e200, 1e-200} {
		for _, b := range OperatorNorms(NewDense(2, 2, []float64{v, 0, 0, v}), []int{1, 2}, Search{}, newRandom(1)) {
			if !math.IsNaN(b.Lower) || !math.IsNaN(b.Upper) {
				t.Errorf("element %v, k=%d: [%v, %v], want NaN", v, b.K, b.Lower, b.Upper)
			}
		}
	}
	for _, b := range OperatorNorms(NewDense(2, 3, make([]float64, 6)), []int{1, 2}, Search{}, newRandom(1)) {
		if b.Lower != 0 || b.Upper != 0 {
			t.Errorf("zeros, k=%d: [%v, %v], want 0", b.K, b.Lower, b.Upper)
		}
	}
}

// Beyond the limit for a Gram matrix the bracket still holds, and a spectral norm
// that is known otherwise tightens it.
func TestBracketWithoutGramMatrix(t *testing.T) {
	conv := &Convolution{
		Out: 2, In: 1, KernelHeight: 3, KernelWidth: 3, Height: 12, Width: 12, Stride: 1, Padding: 1,
		Kernel: normals(newRandom(3), 18),
	}
	coarse := operatorNorms(Transpose(conv), []int{1, 2}, Search{Starts: 4}, 0, newRandom(1))
	fine := operatorNorms(Transpose(conv), []int{1, 2}, Search{Starts: 4, SpectralUpper: conv.SpectralUpper()}, 0, newRandom(1))
	exact := OperatorNorms(Transpose(conv), []int{1}, Search{Starts: 4}, newRandom(1))[0]
	if !near(fine[0].Lower, exact.Lower, 1e-4) || !(coarse[0].Upper > 1.1*exact.Upper) {
		t.Errorf("‖A‖₂ in [%v, %v], of the Gram matrix [%v, %v]", coarse[0].Lower, coarse[0].Upper, exact.Lower, exact.Upper)
	}
	for j := range fine {
		if !(fine[j].Lower <= fine[j].Upper && fine[j].Upper <= coarse[j].Upper && coarse[j].Lower <= coarse[j].Upper) {
			t.Errorf("k=%d: [%v, %v] with and [%v, %v] without the spectral norm", j+1, fine[j].Lower, fine[j].Upper, coarse[j].Lower, coarse[j].Upper)
		}
	}
	if !(fine[0].Upper <= 1.1*fine[0].Lower) {
		t.Errorf("‖A‖₂ in [%v, %v]", fine[0].Lower, fine[0].Upper)
	}
}

func BenchmarkOperatorNorms(b *testing.B) {
	a := Transpose(NewDense(500, 784, normals(newRandom(1), 500*784)))
	for b.Loop() {
		OperatorNorms(a, []int{1, 2, 3}, Search{}, newRandom(2))
	}
}

// The first layer of a VGG on CIFAR-10: 64 kernels of 3×3×3 on 32×32.
func BenchmarkOperatorNormsOfConvolution(b *testing.B) {
	conv := &Convolution{
		Out: 64, In: 3, KernelHeight: 3, KernelWidth: 3, Height: 32, Width: 32, Stride: 1, Padding: 1, Kernel: normals(newRandom(1), 64*27),
	}
	for b.Loop() {
		OperatorNorms(Transpose(conv), []int{2}, Search{SpectralUpper: conv.SpectralUpper()}, newRandom(2))
	}
}

// huge says of a matrix that it is one, and counts products.
type huge struct {
	Operator
	products *int
}

func (a huge) Multiplications() int { return 1e8 }
func (a huge) Mul(y, x []float64) {
	*a.products++
	a.Operator.Mul(y, x)
}
func (a huge) MulTrans(x, y []float64) {
	*a.products++
	a.Operator.MulTrans(x, y)
}
func (a huge) AbsPow(p float64) Operator { return huge{a.Operator.AbsPow(p), a.products} }

// A large matrix takes a limited number of products, and its bracket still holds.
func TestLargeMatricesAreLimited(t *testing.T) {
	a, products := NewDense(30, 40, normals(newRandom(1), 30*40)), 0
	limited := operatorNorms(huge{a, &products}, []int{1, 2, 3}, Search{}, 1, newRandom(2))
	for i, full := range OperatorNorms(a, []int{1, 2, 3}, Search{}, newRandom(2)) {
		if b := limited[i]; !(b.Lower > 0 && b.Lower <= full.Lower && b.Upper >= full.Lower) { // without a Gram matrix the upper end is coarse
			t.Errorf("k=%d: [%v, %v] with few products, [%v, %v] with many", full.K, b.Lower, b.Upper, full.Lower, full.Upper)
		}
	}
	if products > 4*2*2*affordable(huge{a, &products})+20 {
		t.Errorf("%d products", products)
	}
}
