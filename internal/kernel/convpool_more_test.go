package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestConvPoolTies has constant images, whose inner windows have four equal
// pixels: the first one is the maximum. With a negative bias every window is
// dead and nothing passes back.
func TestConvPoolTies(t *testing.T) {
	test := func(t *testing.T, inC int) {
		c := NewConvPool[float32](16, inC, 8, 8)
		dense := make([]float32, 16*inC*9)
		g := rand.New(rand.NewPCG(51, 52))
		for i := range dense {
			dense[i] = 0.1 + g.Float32()
		}
		c.Pack(dense)
		planes := make([]float32, inC*64)
		for i := range planes {
			planes[i] = 0.1 + float32(i/64)
		}
		x, y := make([]float32, c.ImageSize()), make([]float32, c.PooledSize())
		c.SetImage(x, 0, planes)
		offset, bias := make([]int32, c.Outputs()), make([]float32, 16)
		c.Forward(y, offset, x, bias, 1)
		for _, p := range []int{5, 6, 9, 10} {
			for o := range 16 {
				want := p/4*2*c.row() + p%4*2*c.channels
				if got := int(offset[p*16+o]); got != want || !(c.pooled(y, p)[o] > 0) {
					t.Fatalf("window %d: the maximum is at %d, want %d", p, got, want)
				}
			}
		}
		for i := range bias {
			bias[i] = -1e6
		}
		c.Forward(y, offset, x, bias, 1)
		dy := make([]float32, c.Outputs())
		dx, work := make([]float32, c.Inputs()), make([]float32, c.WorkSize())
		c.Backward(dx, dy, offset, x, work, 1)
		var powers, biasPowers [3]float64
		c.SamplePowers(powers[:], biasPowers[:], dy, offset, x, 0)
		for _, s := range [][]float32{y, dx} {
			for _, v := range s {
				near(t, "dead", float64(v), 0, 0)
			}
		}
		near(t, "powers", powers[0]+biasPowers[0], 0, 0)
	}
	for _, inC := range []int{3, 8, 16} {
		eachForward(t, func(t *testing.T) { test(t, inC) }, func(*testing.T) {})
	}
}

// TestConvPoolSampleAlone compares a sample in a batch with the sample alone,
// bit for bit.
func TestConvPoolSampleAlone(t *testing.T) {
	for _, s := range convPoolShapes {
		eachForward(t, func(t *testing.T) {
			g := rand.New(rand.NewPCG(61, 62))
			k := newBlock[float32](g, s[0], s[1], s[2], s[3], s[4])
			c := k.c
			c.Forward(k.y.data, k.offset, k.x.data, k.bias.data, k.batch)
			k.randomDelta(g)
			c.Backward(k.dx.data, k.dy.data, k.offset, k.x.data, k.work.data, k.batch)
			y, offset, dx := make([]float32, c.PooledSize()), make([]int32, c.Outputs()), make([]float32, c.Inputs())
			for b := range k.batch {
				x := k.x.data[b*c.ImageSize():][:c.ImageSize()]
				dy := k.dy.data[b*c.Outputs():][:c.Outputs()]
				c.Forward(y, offset, x, k.bias.data, 1)
				c.Backward(dx, dy, offset, x, k.work.data, 1)
				if !sameBits(y, k.y.data[b*c.PooledSize():][:len(y)]) || !sameBits(dx, k.dx.data[b*c.Inputs():][:len(dx)]) {
					t.Fatalf("%v: sample %d depends on its batch", s, b)
				}
				var alone, among [2]float64
				c.SamplePowers(alone[:], nil, dy, offset, x, 0)
				c.SamplePowers(among[:], nil, k.dy.data, k.offset, k.x.data, b)
				if alone != among {
					t.Fatalf("%v: powers of sample %d depend on its batch", s, b)
				}
			}
		}, func(*testing.T) {})
	}
}

// TestConvPoolChain goes through two blocks and back against finite differences
// in float64.
func TestConvPoolChain(t *testing.T) {
	g := rand.New(rand.NewPCG(71, 72))
	a, b := NewConvPool[float64](16, 3, 8, 8), NewConvPool[float64](16, 16, 4, 4)
	for _, c := range []*ConvPool[float64]{a, b} {
		dense := make([]float64, c.OutC*c.InC*9)
		for i := range dense {
			dense[i] = g.NormFloat64()
		}
		c.Pack(dense)
	}
	planes := make([]float64, a.Inputs())
	for i := range planes {
		planes[i] = g.NormFloat64()
	}
	x, y, z := make([]float64, a.ImageSize()), make([]float64, b.ImageSize()), make([]float64, b.PooledSize())
	if a.PooledSize() != b.ImageSize() || a.Outputs() != b.Inputs() {
		t.Fatal("blocks do not fit together")
	}
	oa, ob, bias := make([]int32, a.Outputs()), make([]int32, b.Outputs()), make([]float64, 16)
	rows := make([]float64, Stride[float64](b.Outputs()))
	// The loss is half of the squared output.
	loss := func() (sum float64) {
		a.SetImage(x, 0, planes)
		a.Forward(y, oa, x, bias, 1)
		b.Forward(z, ob, y, bias, 1)
		b.Flatten(rows, z, 1)
		for _, v := range rows {
			sum += v * v / 2
		}
		return sum
	}
	loss()
	dz, dy, dx := make([]float64, b.Outputs()), make([]float64, b.Inputs()), make([]float64, a.Inputs())
	b.Unflatten(dz, rows, 1)
	b.Backward(dy, dz, ob, y, make([]float64, b.WorkSize()), 1)
	a.Backward(dx, dy, oa, nil, make([]float64, a.WorkSize()), 1)
	gradient := make([]float64, a.Inputs())
	a.InputGradient(gradient, dx, 0)
	const h = 1e-6
	for i := range planes {
		v := planes[i]
		planes[i] = v + h
		up := loss()
		planes[i] = v - h
		down := loss()
		planes[i] = v
		near(t, fmt.Sprintf("gradient %d", i), gradient[i], (up-down)/(2*h), 1e-4*(1+math.Abs(gradient[i])))
	}
}

// TestConvPoolPowersOfSmallGradients has gradients whose sixth powers vanish in
// float32.
func TestConvPoolPowersOfSmallGradients(t *testing.T) {
	for _, s := range [][4]int{{16, 3, 4, 4}, {16, 16, 4, 4}, {16, 16, 2, 2}} {
		eachImplementation(t, func(t *testing.T) {
			g := rand.New(rand.NewPCG(81, 82))
			k := newBlock[float32](g, s[0], s[1], s[2], s[3], 1)
			k.c.Forward(k.y.data, k.offset, k.x.data, make([]float32, s[0]), 1)
			k.randomDelta(g)
			var large, small, largeBias, smallBias [3]float64
			k.c.SamplePowers(large[:], largeBias[:], k.dy.data, k.offset, k.x.data, 0)
			for i := range k.dy.data {
				k.dy.data[i] *= 0x1p-40
			}
			k.c.SamplePowers(small[:], smallBias[:], k.dy.data, k.offset, k.x.data, 0)
			for m := range large {
				scale := math.Pow(0x1p-40, float64(2*m+2))
				near(t, "weights", small[m], large[m]*scale, large[m]*scale*1e-12)
				near(t, "bias", smallBias[m], largeBias[m]*scale, largeBias[m]*scale*1e-12)
			}
		})
	}
}

func TestConvPoolDoesNotAllocate(t *testing.T) {
	if poolForgets {
		t.Skip("the race detector makes the pool forget")
	}
	eachForward(t, func(t *testing.T) {
		g := rand.New(rand.NewPCG(91, 92))
		for _, inC := range []int{3, 16} {
			k := newBlock[float32](g, 16, inC, 8, 8, 5)
			var powers, bias [3]float64
			n := testing.AllocsPerRun(20, func() {
				k.c.Forward(k.y.data, k.offset, k.x.data, k.bias.data, 5)
				k.c.Backward(k.dx.data, k.dy.data, k.offset, k.x.data, k.work.data, 5)
				k.c.Update(0, k.dy.data, k.offset, k.x.data, k.bias.data, 5)
				k.c.SamplePowers(powers[:], bias[:], k.dy.data, k.offset, k.x.data, 1)
			})
			if n != 0 {
				t.Errorf("%d channels: %v allocations", inC, n)
			}
		}
		s := ConvShape{InC: 3, InH: 8, InW: 8, OutC: 4, Kernel: 3, Stride: 1, Padding: 1}
		p := PoolShape{C: 3, H: 8, W: 8, Size: 2}
		x, patches, y := make([]float32, 192), make([]float32, 64*48), make([]float32, 48)
		where := make([]uint16, 48)
		n := testing.AllocsPerRun(20, func() {
			Im2col(s, patches, x, 3, 1)
			Col2im(s, x, patches, 3, 1)
			MaxPool(p, y, 3, where, x, 3, 1)
			MaxPoolBackward(p, x, 3, y, 3, where, 1)
			AvgPool(p, y, 3, x, 3, 1)
			AvgPoolBackward(p, x, 3, y, 3, 1)
		})
		if n != 0 {
			t.Errorf("general form: %v allocations", n)
		}
	}, func(*testing.T) {})
}

// TestConvPoolArithmetic checks Scale and Add through the forward product.
func TestConvPoolArithmetic(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		g := rand.New(rand.NewPCG(101, 102))
		k := newBlock[float32](g, 16, 8, 4, 4, 2)
		other := NewConvPool[float32](16, 8, 4, 4)
		dense := make([]float32, len(k.dense))
		for i := range dense {
			dense[i] = float32(g.NormFloat64())
		}
		other.Pack(dense)
		k.c.Scale(0.5)
		k.c.Add(-2, other)
		for i, v := range dense {
			k.dense[i] = 0.5*k.dense[i] - 2*v
		}
		k.checkForward(t)
	})
}

// TestConvPoolShowsNaN: training that has diverged must not look like zeros.
func TestConvPoolShowsNaN(t *testing.T) {
	for _, inC := range []int{3, 8} {
		eachForward(t, func(t *testing.T) {
			k := newBlock[float32](rand.New(rand.NewPCG(111, 112)), 16, inC, 4, 4, 2)
			for i := range k.dense {
				k.dense[i] = float32(math.NaN())
			}
			k.c.Pack(k.dense)
			k.c.Forward(k.y.data, k.offset, k.x.data, k.bias.data, 2)
			k.each(func(n, b, o, py, px int) {
				if v := k.c.pooled(k.y.data[b*k.c.PooledSize():], 2*py+px)[o]; v == v {
					t.Fatalf("y[%d] = %v", n, v)
				}
			})
		}, func(*testing.T) {})
	}
}
