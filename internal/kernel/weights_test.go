package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// A layer under test: random weights, a batch, and everything that the three
// products read and write.
type layer[T Float] struct {
	w                   *Weights[T]
	dense               []T // row-major copy of the weights
	x, y, dy, dx, bias  guarded[T]
	out, in, batch      int
	strideIn, strideOut int
}

func newLayer[T Float](g *rand.Rand, out, in, batch int, zeros float64) *layer[T] {
	l := &layer[T]{
		w: NewWeights[T](out, in), dense: make([]T, out*in),
		out: out, in: in, batch: batch, strideIn: Stride[T](in), strideOut: Stride[T](out),
	}
	for i := range l.dense {
		l.dense[i] = T(g.NormFloat64())
	}
	l.w.Pack(l.dense)
	l.x = randomBatch[T](g, batch, in, zeros)
	l.dy = randomBatch[T](g, batch, out, zeros)
	l.bias = randomBatch[T](g, 1, out, 0)
	l.y = newGuarded[T](batch * l.strideOut)
	l.dx = newGuarded[T](batch * l.strideIn)
	return l
}

// checkForward compares with sums in float64; the tolerance is that of a sum of
// in+1 products in any order.
func (l *layer[T]) checkForward(t *testing.T, relu bool) {
	t.Helper()
	x, bias := clone(l.x.data), clone(l.bias.data)
	l.w.Forward(l.y.data, l.x.data, l.bias.data, l.batch, relu)
	l.y.check(t, "y")
	if !sameBits(x, l.x.data) || !sameBits(bias, l.bias.data) {
		t.Fatal("Forward changed its input")
	}
	for b := range l.batch {
		for o := range l.strideOut {
			got := float64(l.y.data[b*l.strideOut+o])
			if o >= l.out {
				near(t, "padding of y", got, 0, 0)
				continue
			}
			sum := float64(bias[o])
			scale := math.Abs(sum)
			for i := range l.in {
				p := float64(x[b*l.strideIn+i]) * float64(l.dense[o*l.in+i])
				sum += p
				scale += math.Abs(p)
			}
			if relu {
				sum = max(sum, 0)
			}
			near(t, fmt.Sprintf("y[%d][%d]", b, o), got, sum, scale*float64(l.in+1)*epsilon[T]())
		}
	}
}

func (l *layer[T]) checkBackward(t *testing.T, gate []T) {
	t.Helper()
	dy, g := clone(l.dy.data), clone(gate)
	l.w.Backward(l.dx.data, l.dy.data, gate, l.batch)
	l.dx.check(t, "dx")
	if !sameBits(dy, l.dy.data) || !sameBits(g, gate) {
		t.Fatal("Backward changed its input")
	}
	for b := range l.batch {
		for i := range l.strideIn {
			at := b*l.strideIn + i
			got := float64(l.dx.data[at])
			if i >= l.in || gate != nil && !(gate[at] > 0) {
				near(t, "padding or closed gate", got, 0, 0)
				continue
			}
			var sum, scale float64
			for o := range l.out {
				p := float64(dy[b*l.strideOut+o]) * float64(l.dense[o*l.in+i])
				sum += p
				scale += math.Abs(p)
			}
			near(t, fmt.Sprintf("dx[%d][%d]", b, i), got, sum, scale*float64(l.out+1)*epsilon[T]())
		}
	}
}

// checkUpdate changes the weights of l: it comes last.
func (l *layer[T]) checkUpdate(t *testing.T, withBias bool) {
	t.Helper()
	const alpha = -0.25
	x, dy, before := clone(l.x.data), clone(l.dy.data), clone(l.bias.data)
	bias := l.bias.data
	if !withBias {
		bias = nil
	}
	l.w.Update(alpha, l.dy.data, l.x.data, bias, l.batch)
	l.bias.check(t, "bias")
	if !sameBits(x, l.x.data) || !sameBits(dy, l.dy.data) {
		t.Fatal("Update changed its input")
	}
	tol := float64(l.batch+3) * epsilon[T]()
	after := make([]T, l.out*l.in)
	l.w.Unpack(after)
	for o := range l.strideOut {
		sum, scale := float64(before[o]), math.Abs(float64(before[o]))
		for b := 0; withBias && b < l.batch; b++ {
			p := alpha * float64(dy[b*l.strideOut+o])
			sum += p
			scale += math.Abs(p)
		}
		near(t, fmt.Sprintf("bias[%d]", o), float64(l.bias.data[o]), sum, scale*tol)
		for i := 0; o < l.out && i < l.in; i++ {
			sum := float64(l.dense[o*l.in+i])
			scale := math.Abs(sum)
			for b := range l.batch {
				p := alpha * float64(dy[b*l.strideOut+o]) * float64(x[b*l.strideIn+i])
				sum += p
				scale += math.Abs(p)
			}
			near(t, fmt.Sprintf("w[%d][%d]", o, i), float64(after[o*l.in+i]), sum, scale*tol)
		}
	}
	l.checkPadding(t)
}

func (l *layer[T]) checkPadding(t *testing.T) {
	t.Helper()
	repacked := NewWeights[T](l.out, l.in)
	after := make([]T, l.out*l.in)
	l.w.Unpack(after)
	repacked.Pack(after)
	if !sameBits(repacked.data, l.w.data) {
		t.Fatal("the padding of the weights is not zero")
	}
}

func checkProducts[T Float](t *testing.T, g *rand.Rand, out, in, batch int, zeros float64) {
	t.Helper()
	l := newLayer[T](g, out, in, batch, zeros)
	l.checkForward(t, g.IntN(2) == 0)
	l.checkBackward(t, nil)
	l.checkBackward(t, l.x.data)
	l.checkUpdate(t, g.IntN(3) > 0)
}

// Sizes around every edge of a tile, a block and a chunk. Each pair of out and
// in meets some of the batch sizes, and every batch size meets many pairs.
func testProducts[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	zeros := []float64{0, 0.5, 0.9, 1}
	batches := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 33, 100}
	n := 0
	for _, out := range []int{1, 5, 11, 12, 13, 23, 24, 25, 36, 37, 47, 48, 49, 73, 97} {
		for _, in := range []int{1, 2, 3, 4, 5, 7, 8, 12, 13, 24, 47, 49, 129} {
			for range 3 {
				n++
				checkProducts[T](t, g, out, in, batches[n*7%len(batches)], zeros[n/3%4])
			}
		}
	}
	for i, s := range [][3]int{{500, 784, 5}, {500, 8, 20}, {5, 500, 50}, {49, 784, 9}, {500, 130, 7}} {
		checkProducts[T](t, g, s[0], s[1], s[2], zeros[i%2])
	}
}

func TestProductsMatchNaiveSums(t *testing.T) {
	eachType(t, testProducts[float32], testProducts[float64])
}

func TestProductsOfAnyShape(t *testing.T) {
	eachType(t, propertyOfShapes[float32], propertyOfShapes[float64])
}

func propertyOfShapes[T Float](t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		out := rapid.IntRange(1, 80).Draw(r, "out")
		in := rapid.IntRange(1, 80).Draw(r, "in")
		batch := rapid.IntRange(1, 40).Draw(r, "batch")
		zeros := rapid.Float64Range(0, 1).Draw(r, "zeros")
		g := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		checkProducts[T](t, g, out, in, batch, zeros)
	})
}

// A row of a batch of a multiple of RowBlock rows must be the same as in a
// block of its own beside zero rows, and the same again in a second run.
func testRowsAreIndependent[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(3, 4))
	for _, zeros := range []float64{0, 0.2, 0.6} {
		for _, s := range [][3]int{{500, 300, 20}, {49, 784, 8}, {5, 97, 36}} {
			l := newLayer[T](g, s[0], s[1], s[2], zeros)
			// One dense row among sparse ones: choices may differ by block.
			for i := range l.in {
				l.x.data[l.strideIn+i] = T(1 + g.Float64())
			}
			l.w.Forward(l.y.data, l.x.data, l.bias.data, l.batch, true)
			l.w.Backward(l.dx.data, l.dy.data, l.x.data, l.batch)
			again := newGuarded[T](len(l.y.data))
			l.w.Forward(again.data, l.x.data, l.bias.data, l.batch, true)
			if !sameBits(l.y.data, again.data) {
				t.Fatal("Forward is not reproducible")
			}
			x, y := make([]T, RowBlock*l.strideIn), make([]T, RowBlock*l.strideOut)
			dx, dy := make([]T, RowBlock*l.strideIn), make([]T, RowBlock*l.strideOut)
			for b := range l.batch {
				clear(x)
				clear(dy)
				copy(x[b%RowBlock*l.strideIn:], l.x.data[b*l.strideIn:(b+1)*l.strideIn])
				copy(dy[b%RowBlock*l.strideOut:], l.dy.data[b*l.strideOut:(b+1)*l.strideOut])
				l.w.Forward(y, x, l.bias.data, RowBlock, true)
				l.w.Backward(dx, dy, x, RowBlock)
				if !sameBits(y[b%RowBlock*l.strideOut:][:l.out], l.y.data[b*l.strideOut:][:l.out]) {
					t.Fatalf("row %d of y depends on the other rows", b)
				}
				if !sameBits(dx[b%RowBlock*l.strideIn:][:l.in], l.dx.data[b*l.strideIn:][:l.in]) {
					t.Fatalf("row %d of dx depends on the other rows", b)
				}
			}
		}
	}
}

func TestRowsAreIndependent(t *testing.T) {
	eachType(t, testRowsAreIndependent[float32], testRowsAreIndependent[float64])
}

func testNaNPasses[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(5, 6))
	l := newLayer[T](g, 30, 30, 5, 0.5)
	for b := range l.batch {
		l.x.data[b*l.strideIn+7] = T(math.NaN())
	}
	l.w.Forward(l.y.data, l.x.data, l.bias.data, l.batch, true)
	for b := range l.batch {
		for o := range l.out {
			if v := l.y.data[b*l.strideOut+o]; v == v {
				t.Fatalf("a NaN in x did not reach y[%d][%d] = %v", b, o, v)
			}
		}
	}
}

func TestNaNPassesThroughRectifier(t *testing.T) {
	eachType(t, testNaNPasses[float32], testNaNPasses[float64])
}

func testNoAllocation[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(7, 8))
	for _, batch := range []int{7, 20, 40} {
		l := newLayer[T](g, 50, 100, batch, 0.5)
		dst := make([]float64, 3)
		if n := testing.AllocsPerRun(5, func() {
			l.w.Forward(l.y.data, l.x.data, l.bias.data, batch, true)
			l.w.Backward(l.dx.data, l.dy.data, l.x.data, batch)
			l.w.Update(1, l.dy.data, l.x.data, l.bias.data, batch)
			l.w.Scale(0.5)
			l.w.Add(0.5, l.w)
			EvenPowerSums(dst, l.x.data)
		}); n != 0 {
			t.Fatalf("batch %d: %v allocations", batch, n)
		}
	}
}

func TestProductsDoNotAllocate(t *testing.T) {
	eachType(t, testNoAllocation[float32], testNoAllocation[float64])
}

func testElementwise[T Float](t *testing.T) {
	g := rand.New(rand.NewPCG(9, 10))
	l := newLayer[T](g, 49, 7, 1, 0)
	got := make([]T, len(l.dense))
	l.w.Unpack(got)
	if !sameBits(got, l.dense) {
		t.Fatal("Unpack does not invert Pack")
	}
	other := newLayer[T](g, 49, 7, 1, 0)
	l.w.Scale(0.5)
	l.w.Add(2, other.w)
	l.w.Unpack(got)
	for i, v := range got {
		want := 0.5*float64(l.dense[i]) + 2*float64(other.dense[i])
		near(t, "Scale, Add", float64(v), want, 4*epsilon[T]()*(math.Abs(want)+2))
	}
	l.checkPadding(t)
}

func TestPackScaleAdd(t *testing.T) {
	eachType(t, testElementwise[float32], testElementwise[float64])
}

func TestShortSlicesPanic(t *testing.T) {
	w := NewWeights[float32](5, 7)
	full, short := make([]float32, 48), make([]float32, 47)
	bias := make([]float32, 24)
	for name, call := range map[string]func(){
		"forward y":     func() { w.Forward(short, full, bias, 2, false) },
		"forward x":     func() { w.Forward(full, short, bias, 2, false) },
		"forward bias":  func() { w.Forward(full, full, bias[:23], 2, false) },
		"backward dx":   func() { w.Backward(short, full, nil, 2) },
		"backward dy":   func() { w.Backward(full, short, nil, 2) },
		"backward gate": func() { w.Backward(full, full, short, 2) },
		"update dy":     func() { w.Update(1, short, full, nil, 2) },
		"update x":      func() { w.Update(1, full, short, nil, 2) },
		"update bias":   func() { w.Update(1, full, full, bias[:23], 2) },
		"pack":          func() { w.Pack(full) },
		"unpack":        func() { w.Unpack(full) },
		"add":           func() { w.Add(1, NewWeights[float32](5, 8)) },
		"axpy":          func() { Axpy(full, 1, short) },
		"new":           func() { NewWeights[float64](0, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}
