package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func testVectors[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(1, 1))
	for n := range 80 {
		for offset := range 3 {
			x, y := newGuarded[T](n+offset), newGuarded[T](n+offset)
			for i := range x.data {
				x.data[i], y.data[i] = T(g.NormFloat64()), T(g.NormFloat64())
			}
			before, in := clone(y.data), clone(x.data)
			Axpy(y.data[offset:], 0.75, x.data[offset:])
			y.check(t, "Axpy")
			for i, v := range y.data {
				want := float64(before[i])
				if i >= offset {
					want += 0.75 * float64(in[i])
				}
				near(t, "Axpy", float64(v), want, 4*epsilon[T]()*(math.Abs(want)+1))
			}
			if !sameBits(in, x.data) {
				t.Fatal("Axpy changed x")
			}
			sum, size := 0.0, 0.0
			for i, v := range in[offset:] {
				sum += float64(v) * float64(y.data[offset+i])
				size += math.Abs(float64(v) * float64(y.data[offset+i]))
			}
			near(t, "Dot", float64(Dot(x.data[offset:], y.data[offset:])), sum, float64(n+1)*epsilon[T]()*size)
			for terms := range 6 {
				checkPowerSums(t, x.data[offset:], terms)
			}
			Scale(x.data[offset:], -3)
			x.check(t, "Scale")
			for i, v := range x.data {
				want := in[i]
				if i >= offset {
					want *= -3
				}
				near(t, "Scale", float64(v), float64(want), 0)
			}
		}
	}
}

func checkPowerSums[T Float](t *testing.T, x []T, terms int) {
	t.Helper()
	dst := newGuarded[float64](terms)
	for k := range dst.data {
		dst.data[k] = float64(k)
	}
	EvenPowerSums(dst.data, x)
	dst.check(t, "EvenPowerSums")
	for k, got := range dst.data {
		want := float64(k)
		for _, v := range x {
			want += math.Pow(float64(v), float64(2*k+2))
		}
		near(t, "EvenPowerSums", got, want, 1e-13*want)
	}
}

func TestVectors(t *testing.T) {
	eachType(t, testVectors[float32], testVectors[float64])
}

func TestPowersOfTinyNumbersSurvive(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		x := make([]float32, 19)
		for i := range x {
			x[i] = 1e-30
		}
		dst := make([]float64, 3)
		EvenPowerSums(dst, x)
		want := 19 * math.Pow(float64(x[0]), 6)
		near(t, "Σx⁶", dst[2], want, 1e-12*want)
	})
}

func TestPeakLoopsCountTheirWork(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		if FMAPeakLoop32(10) <= 0 || FMAPeakLoop64(10) <= 0 {
			t.Fatal("no operations")
		}
	})
}

func TestGate(t *testing.T) {
	testGate[float32](t)
	testGate[float64](t)
}

func testGate[T Float](t *testing.T) {
	gate := []T{0, 1, -1, T(math.Copysign(0, -1)), 1e-30, -1e-30, T(math.Inf(1)), T(math.Inf(-1)), T(math.NaN()), 1}
	want := []T{0, 3, 0, 0, 3, 0, 3, 0, 0, 3}
	x := []T{3, 3, 3, 3, 3, 3, 3, 3, 3, 3}
	Gate(x, gate)
	if !slices.Equal(x, want) {
		t.Errorf("gates %v leave %v, want %v", gate, x, want)
	}
}
