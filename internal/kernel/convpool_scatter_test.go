package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// checkScatter adds the patches of random deltas, at random maxima, to images that
// already hold something.
func checkScatter[T Float](t *testing.T, g *rand.Rand, outC, inC, h, w, samples int, live float64) {
	t.Helper()
	c := NewConvPool[T](outC, inC, h, w)
	dense := make([]T, outC*inC*9)
	for i := range dense {
		dense[i] = T(g.NormFloat64())
	}
	c.Pack(dense)
	size := c.ImageSize()
	dx := newGuarded[T](samples * size)
	want, scale := make([]float64, samples*size), make([]float64, samples*size)
	for i := range dx.data {
		dx.data[i] = T(g.NormFloat64())
		want[i], scale[i] = float64(dx.data[i]), math.Abs(float64(dx.data[i]))
	}
	dy, offset := newGuarded[T](samples*c.Outputs()), make([]int32, samples*c.Outputs())
	steps := c.steps()
	for n := range dy.data {
		dy.data[n] = 0
		if g.Float64() < live {
			dy.data[n] = T(g.NormFloat64())
		}
		b, p, o := n/c.Outputs(), n%c.Outputs()/outC, n%outC
		at := p/(w/2)*2*c.row() + p%(w/2)*2*c.channels + int(steps[g.IntN(4)])
		offset[n] = int32(at)
		for i := range inC {
			for tap := range 9 {
				to := b*size + at + tap/3*c.row() + tap%3*c.channels + i
				v := float64(dy.data[n]) * float64(dense[(o*inC+i)*9+tap])
				want[to] += v
				scale[to] += math.Abs(v)
			}
		}
	}
	deltas := clone(dy.data)
	records := newGuarded[T](c.WorkSize() - c.group()*size)
	if c.slice == 3 {
		c.placeWeights(records.data)
		placed := clone(records.data)
		for b := range samples {
			c.scatterImage(dx.data[b*size:(b+1)*size], records.data, dy.data[b*c.Outputs():], offset[b*c.Outputs():])
		}
		if !sameBits(placed, records.data) {
			t.Fatal("the weights changed")
		}
	} else {
		c.scatter(dx.data, records.data, dy.data, offset, samples)
	}
	dx.check(t, "dx")
	dy.check(t, "dy")
	records.check(t, "records")
	if !sameBits(deltas, dy.data) {
		t.Fatal("dy changed")
	}
	for i, v := range dx.data {
		near(t, fmt.Sprintf("%d×%d×%d×%d: dx[%d]", outC, inC, h, w, i), float64(v), want[i], scale[i]*float64(9*outC)*epsilon[T]())
	}
}

// TestScatter has maps of one window, of one row and column of windows, and of
// more rows than are sorted together; no, some and all outputs are live.
func TestScatter(t *testing.T) {
	for _, inC := range []int{3, 1, 8, 20} {
		for _, s := range [][3]int{{16, 2, 2}, {32, 2, 6}, {48, 8, 2}, {16, 12, 10}} {
			for _, live := range []float64{0, 0.5, 1} {
				g := rand.New(rand.NewPCG(121, uint64(inC)))
				eachType(t,
					func(t *testing.T) { checkScatter[float32](t, g, s[0], inC, s[1], s[2], 1+g.IntN(4), live) },
					func(t *testing.T) { checkScatter[float64](t, g, s[0], inC, s[1], s[2], 1+g.IntN(4), live) })
			}
		}
	}
}
