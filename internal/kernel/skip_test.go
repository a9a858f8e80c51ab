package kernel

import (
	"math/rand/v2"
	"testing"
)

// Leaving out products with exact zeros must not change a sum.
func testSkipping[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(31, 32))
	for _, s := range [][3]int{{121, 300, 20}, {49, 130, 7}, {24, 97, 5}, {500, 50, 9}} {
		l := newLayer[T](g, s[0], s[1], s[2], 0.5)
		run := func(skip bool) (y, dx, w []T) {
			setSkipZeros(skip)
			defer setSkipZeros(true)
			l.w.Pack(l.dense)
			l.w.Forward(l.y.data, l.x.data, l.bias.data, l.batch, false)
			l.w.Backward(l.dx.data, l.dy.data, l.x.data, l.batch)
			l.w.Update(-0.1, l.dy.data, l.x.data, nil, l.batch)
			return clone(l.y.data), clone(l.dx.data), clone(l.w.data)
		}
		y, dx, w := run(true)
		denseY, denseDX, denseW := run(false)
		if !equal(y, denseY) || !equal(dx, denseDX) || !equal(w, denseW) {
			t.Fatalf("%v: skipping zeros changed a result", s)
		}
	}
}

// equal takes both zeros for the same.
func equal[T Float](a, b []T) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestSkippingZerosChangesNothing(t *testing.T) {
	eachType(t, testSkipping[float32], testSkipping[float64])
}
