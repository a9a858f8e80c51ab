package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// eachImplementation runs a test once for every implementation that this
// machine has.
func eachImplementation(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, on := range []bool{false, true} {
		if on && !haveSIMD {
			continue
		}
		setSIMD(on)
		t.Run(Name(), test)
	}
	setSIMD(haveSIMD)
}

// eachType is eachImplementation for both element types.
func eachType(t *testing.T, test32, test64 func(t *testing.T)) {
	t.Helper()
	eachImplementation(t, func(t *testing.T) {
		t.Run("float32", test32)
		t.Run("float64", test64)
	})
}

func epsilon[T Float]() float64 {
	if PanelWidth[T]() == 24 {
		return 0x1p-24
	}
	return 0x1p-51 // the reference rounds as well
}

// guarded is a slice between two zones of NaN that nobody may touch.
type guarded[T Float] struct {
	all  []T
	data []T
}

const guardZone = 40

func newGuarded[T Float](n int) guarded[T] {
	all := make([]T, n+2*guardZone)
	for i := range all {
		all[i] = T(math.NaN())
	}
	return guarded[T]{all, all[guardZone : guardZone+n : guardZone+n]}
}

func (g guarded[T]) check(t *testing.T, name string) {
	t.Helper()
	for i := range guardZone {
		if a, b := g.all[i], g.all[len(g.all)-1-i]; a == a || b == b {
			t.Fatalf("%s: written outside", name)
		}
	}
}

// randomBatch fills rows×features with normal numbers of which a part is
// exactly zero; padding is zero.
func randomBatch[T Float](g *rand.Rand, rows, features int, zeros float64) guarded[T] {
	stride := Stride[T](features)
	s := newGuarded[T](rows * stride)
	clear(s.data)
	for r := range rows {
		for i := range features {
			if g.Float64() >= zeros {
				s.data[r*stride+i] = T(g.NormFloat64())
			}
		}
	}
	return s
}

func clone[T Float](s []T) []T { return append([]T(nil), s...) }

func sameBits[T Float](a, b []T) bool {
	for i := range a {
		if math.Float64bits(float64(a[i])) != math.Float64bits(float64(b[i])) {
			return false
		}
	}
	return len(a) == len(b)
}

// near fails unless got is within tol of want; NaN fails.
func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Fatalf("%s: got %v, want %v ± %.2g", what, got, want, tol)
	}
}

func TestNearFailsOnNaN(t *testing.T) {
	done := make(chan bool)
	inner := &testing.T{}
	go func() {
		defer func() { done <- inner.Failed() }()
		near(inner, "NaN", math.NaN(), 0, 1)
	}()
	if !<-done {
		t.Fatal("near accepted a NaN")
	}
}

func TestGuardSeesAWrite(t *testing.T) {
	g := newGuarded[float32](5)
	g.all[guardZone+5] = 0
	done := make(chan bool)
	inner := &testing.T{}
	go func() {
		defer func() { done <- inner.Failed() }()
		g.check(inner, "guard")
	}()
	if !<-done {
		t.Fatal("a write behind the slice went unseen")
	}
}
