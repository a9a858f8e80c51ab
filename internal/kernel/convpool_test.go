package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A block under test, with everything that it reads and writes.
type block[T Float] struct {
	c            *ConvPool[T]
	dense        []T // PyTorch's order
	planes       []T // inputs, [sample][InC][H][W]
	x, y, dy, dx guarded[T]
	work, bias   guarded[T]
	offset       []int32
	batch        int
}

func newBlock[T Float](g *rand.Rand, outC, inC, h, w, batch int) *block[T] {
	c := NewConvPool[T](outC, inC, h, w)
	k := &block[T]{c: c, batch: batch, dense: make([]T, outC*inC*9), planes: make([]T, batch*inC*h*w)}
	for i := range k.dense {
		k.dense[i] = T(g.NormFloat64())
	}
	c.Pack(k.dense)
	k.x = newGuarded[T](batch * c.ImageSize())
	clear(k.x.data)
	for i := range k.planes {
		// Images before the first layer have both signs, activations zeros.
		if v := g.NormFloat64(); inC == 3 || v > 0 {
			k.planes[i] = T(v)
		}
	}
	n := inC * h * w
	for b := range batch {
		c.SetImage(k.x.data, b, k.planes[b*n:(b+1)*n])
	}
	k.y = newGuarded[T](batch * c.PooledSize())
	clear(k.y.data)
	k.dx = newGuarded[T](batch * c.Inputs())
	k.work = newGuarded[T](c.WorkSize())
	k.offset = make([]int32, batch*c.Outputs())
	k.bias = newGuarded[T](outC)
	for i := range k.bias.data {
		k.bias.data[i] = T(g.NormFloat64() - float64(inC)/2)
	}
	k.dy = newGuarded[T](batch * c.Outputs())
	return k
}

// at is the input of a sample in column q and row r, zero outside of the image.
func (k *block[T]) at(b, i, r, q int) float64 {
	c := k.c
	if r < 0 || r >= c.H || q < 0 || q >= c.W {
		return 0
	}
	return float64(k.planes[((b*c.InC+i)*c.H+r)*c.W+q])
}

// conv is one output of the convolution in float64, with Σ|products|.
func (k *block[T]) conv(b, o, r, q int) (sum, scale float64) {
	sum = float64(k.bias.data[o])
	scale = math.Abs(sum)
	for i := range k.c.InC {
		for tap := range 9 {
			p := k.at(b, i, r+tap/3-1, q+tap%3-1) * float64(k.dense[(o*k.c.InC+i)*9+tap])
			sum += p
			scale += math.Abs(p)
		}
	}
	return sum, scale
}

// each visits every pooled output with its number in dy.
func (k *block[T]) each(visit func(n, b, o, py, px int)) {
	n := 0
	for b := range k.batch {
		for p := range k.c.windows() {
			for o := range k.c.OutC {
				visit(n, b, o, p/(k.c.W/2), p%(k.c.W/2))
				n++
			}
		}
	}
}

func (k *block[T]) checkForward(t *testing.T) {
	t.Helper()
	c := k.c
	x := clone(k.x.data)
	c.Forward(k.y.data, k.offset, k.x.data, k.bias.data, k.batch)
	k.y.check(t, "y")
	if !sameBits(x, k.x.data) {
		t.Fatal("Forward changed x")
	}
	tol := float64(9*c.InC+1) * epsilon[T]()
	k.each(func(n, b, o, py, px int) {
		best, scale := 0.0, 0.0
		for q := range 4 {
			v, s := k.conv(b, o, 2*py+q/2, 2*px+q%2)
			best, scale = max(best, v), max(scale, s)
		}
		y := float64(c.pooled(k.y.data[b*c.PooledSize():], py*(c.W/2)+px)[o])
		near(t, fmt.Sprintf("y[%d][%d,%d][%d]", b, py, px, o), y, best, scale*tol)
		r, q := int(k.offset[n])/c.row(), int(k.offset[n])%c.row()/c.channels
		if r/2 != py || q/2 != px || int(k.offset[n]) != r*c.row()+q*c.channels {
			t.Fatalf("offset %d is not in window %d,%d", k.offset[n], py, px)
		}
		if v, _ := k.conv(b, o, r, q); y > 0 {
			near(t, "value at the maximum", v, best, 2*scale*tol)
		}
	})
	k.checkBorder(t)
}

func (k *block[T]) checkBorder(t *testing.T) {
	t.Helper()
	c := k.c
	inside := map[int]bool{}
	for p := range c.windows() {
		for o := range c.OutC {
			inside[((p/(c.W/2)+1)*(c.W/2+2)+p%(c.W/2)+1)*c.OutC+o] = true
		}
	}
	for i, v := range k.y.data {
		if !inside[i%c.PooledSize()] && v != 0 {
			t.Fatalf("border of y written at %d", i)
		}
	}
}

// randomDelta fills dy where the output is positive.
func (k *block[T]) randomDelta(g *rand.Rand) {
	k.each(func(n, b, o, py, px int) {
		k.dy.data[n] = 0
		if k.c.pooled(k.y.data[b*k.c.PooledSize():], py*(k.c.W/2)+px)[o] > 0 && g.Float64() < 0.9 {
			k.dy.data[n] = T(g.NormFloat64())
		}
	})
}

// gradients returns the gradients of one sample with Σ|products|, in PyTorch's
// order, from offset alone.
func (k *block[T]) gradients(sample int) (dw, dwScale, dx, dxScale, db, dbScale []float64) {
	c := k.c
	dw, dwScale = make([]float64, len(k.dense)), make([]float64, len(k.dense))
	dx, dxScale = make([]float64, c.InC*c.H*c.W), make([]float64, c.InC*c.H*c.W)
	db, dbScale = make([]float64, c.OutC), make([]float64, c.OutC)
	k.each(func(n, b, o, py, px int) {
		if b != sample {
			return
		}
		d := float64(k.dy.data[n])
		db[o] += d
		dbScale[o] += math.Abs(d)
		r, q := int(k.offset[n])/c.row(), int(k.offset[n])%c.row()/c.channels
		for i := range c.InC {
			for tap := range 9 {
				y, x, at := r+tap/3-1, q+tap%3-1, (o*c.InC+i)*9+tap
				p := d * k.at(b, i, y, x)
				dw[at] += p
				dwScale[at] += math.Abs(p)
				if y >= 0 && y < c.H && x >= 0 && x < c.W {
					p := d * float64(k.dense[at])
					dx[(i*c.H+y)*c.W+x] += p
					dxScale[(i*c.H+y)*c.W+x] += math.Abs(p)
				}
			}
		}
	})
	return dw, dwScale, dx, dxScale, db, dbScale
}

func (k *block[T]) checkBackward(t *testing.T, gated bool) {
	t.Helper()
	c := k.c
	var gate []T
	if gated {
		gate = k.x.data
	}
	c.Backward(k.dx.data, k.dy.data, k.offset, gate, k.work.data, k.batch)
	k.dx.check(t, "dx")
	k.work.check(t, "work")
	planes := make([]T, c.Inputs())
	for b := range k.batch {
		_, _, dx, scale, _, _ := k.gradients(b)
		c.InputGradient(planes, k.dx.data, b)
		for i, v := range planes {
			if gated && !(k.planes[b*c.Inputs()+i] > 0) {
				near(t, "closed gate", float64(v), 0, 0)
				continue
			}
			near(t, fmt.Sprintf("dx[%d][%d]", b, i), float64(v), dx[i], scale[i]*float64(9*c.OutC)*epsilon[T]())
		}
	}
}

func (k *block[T]) checkPowers(t *testing.T, order int) {
	t.Helper()
	for b := range k.batch {
		weights, bias := make([]float64, order), make([]float64, order)
		k.c.SamplePowers(weights, bias, k.dy.data, k.offset, k.x.data, b)
		dw, dwScale, _, _, db, dbScale := k.gradients(b)
		for m := range order {
			var want, scale, wantBias, biasScale float64
			for i, v := range dw {
				want += math.Pow(v, 2*float64(m+1))
				scale += math.Pow(dwScale[i], 2*float64(m+1))
			}
			for _, v := range db {
				wantBias += math.Pow(v, 2*float64(m+1))
			}
			for _, v := range dbScale {
				biasScale += math.Pow(v, 2*float64(m+1))
			}
			tol := float64(2*(m+1)*(k.c.windows()+4)) * epsilon[T]()
			near(t, "powers of the weight gradient", weights[m], want, scale*tol)
			near(t, "powers of the bias gradient", bias[m], wantBias, biasScale*tol)
		}
	}
}

// checkUpdate changes the weights: it comes last.
func (k *block[T]) checkUpdate(t *testing.T, withBias bool) {
	t.Helper()
	const alpha = -0.25
	c := k.c
	before := clone(k.bias.data)
	bias := k.bias.data
	if !withBias {
		bias = nil
	}
	want, scale := make([]float64, len(k.dense)), make([]float64, len(k.dense))
	wantBias, biasScale := make([]float64, c.OutC), make([]float64, c.OutC)
	for b := range k.batch {
		dw, dwScale, _, _, db, _ := k.gradients(b)
		for i, v := range dw {
			want[i] += alpha * v
			scale[i] += math.Abs(alpha * dwScale[i])
		}
		for o, v := range db {
			wantBias[o] += alpha * v
		}
	}
	for n, d := range k.dy.data {
		biasScale[n%c.OutC] += math.Abs(alpha * float64(d))
	}
	c.Update(alpha, k.dy.data, k.offset, k.x.data, bias, k.batch)
	k.bias.check(t, "bias")
	after := make([]T, len(k.dense))
	c.Unpack(after)
	tol := float64(k.batch*c.windows()+3) * epsilon[T]()
	for i, v := range after {
		w := float64(k.dense[i])
		near(t, fmt.Sprintf("w[%d]", i), float64(v), w+want[i], (math.Abs(w)+scale[i])*tol)
	}
	for o, v := range k.bias.data {
		w := float64(before[o])
		if !withBias {
			near(t, "bias", float64(v), w, 0)
			continue
		}
		near(t, "bias", float64(v), w+wantBias[o], (math.Abs(w)+biasScale[o])*tol)
	}
	fresh := NewConvPool[T](c.OutC, c.InC, c.H, c.W)
	fresh.Pack(after)
	if !sameBits(fresh.data, c.data) || !sameBits(fresh.panels, c.panels) {
		t.Fatal("panels or zero channels do not follow the weights")
	}
}

func checkBlock[T Float](t *testing.T, g *rand.Rand, outC, inC, h, w, batch int) {
	t.Helper()
	k := newBlock[T](g, outC, inC, h, w, batch)
	k.checkForward(t)
	k.randomDelta(g)
	k.checkBackward(t, false)
	k.checkBackward(t, true)
	k.checkPowers(t, 1+(batch+4)%6)
	k.checkUpdate(t, batch%2 == 0)
}

// convPoolShapes are out, in, h, w, batch: the layers of the VGG of the
// experiments, the edges of slices, groups and maps.
var convPoolShapes = [][5]int{
	{16, 3, 32, 32, 2}, {16, 16, 16, 16, 3}, {32, 16, 8, 8, 5}, {64, 32, 4, 4, 12}, {64, 64, 2, 2, 21},
	{16, 1, 2, 2, 1}, {16, 3, 2, 6, 3}, {32, 5, 4, 6, 4}, {48, 8, 6, 4, 2}, {16, 24, 2, 4, 13}, {32, 40, 6, 2, 1},
}

// eachForward runs a test for both types and every implementation, and once more
// for the direct form of the forward product in assembly.
func eachForward(t *testing.T, test32, test64 func(t *testing.T)) {
	t.Helper()
	eachType(t, test32, test64)
	setWinograd(false)
	t.Run("direct", test32)
	setWinograd(true)
}

func TestConvPool(t *testing.T) {
	for _, s := range convPoolShapes {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			g := rand.New(rand.NewPCG(21, uint64(s[1])))
			eachForward(t,
				func(t *testing.T) { checkBlock[float32](t, g, s[0], s[1], s[2], s[3], s[4]) },
				func(t *testing.T) { checkBlock[float64](t, g, s[0], s[1], s[2], s[3], s[4]) })
		})
	}
}

// TestConvPoolRandom draws shapes.
func TestConvPoolRandom(t *testing.T) {
	g := rand.New(rand.NewPCG(41, 42))
	eachForward(t, func(t *testing.T) {
		for range 15 {
			checkBlock[float32](t, g, 16*(1+g.IntN(3)), 1+g.IntN(20), 2+2*g.IntN(4), 2+2*g.IntN(4), 1+g.IntN(6))
		}
	}, func(t *testing.T) {
		for range 4 {
			checkBlock[float64](t, g, 16*(1+g.IntN(3)), 1+g.IntN(20), 2+2*g.IntN(4), 2+2*g.IntN(4), 1+g.IntN(6))
		}
	})
}
