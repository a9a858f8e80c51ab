package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// randomMap fills batch·h·w pixels of c channels, pixel elements apart; what is
// between the channels and the next pixel is NaN, which nobody may read.
func randomMap[T Float](g *rand.Rand, c, h, w, pixel, batch int) guarded[T] {
	m := newGuarded[T](batch * h * w * pixel)
	for p := range batch * h * w {
		for i := range pixel {
			m.data[p*pixel+i] = T(math.NaN())
			if i < c {
				m.data[p*pixel+i] = T(g.NormFloat64())
			}
		}
	}
	return m
}

// naiveConv is one output of a convolution with weights in PyTorch's order, with
// Σ|products|.
func naiveConv[T Float](s ConvShape, x, w []T, pixel, b, o, oy, ox int) (sum, scale float64) {
	for c := range s.InC {
		for ky := range s.Kernel {
			for kx := range s.Kernel {
				y, q := oy*s.Stride+ky-s.Padding, ox*s.Stride+kx-s.Padding
				if y < 0 || y >= s.InH || q < 0 || q >= s.InW {
					continue
				}
				p := float64(x[((b*s.InH+y)*s.InW+q)*pixel+c]) * float64(w[((o*s.InC+c)*s.Kernel+ky)*s.Kernel+kx])
				sum += p
				scale += math.Abs(p)
			}
		}
	}
	return sum, scale
}

func checkConv[T Float](t rapid.TB, g *rand.Rand, s ConvShape, pixel, batch int) {
	t.Helper()
	x := randomMap[T](g, s.InC, s.InH, s.InW, pixel, batch)
	torch := make([]T, s.OutC*s.PatchSize())
	for i := range torch {
		torch[i] = T(g.NormFloat64())
	}
	dense, back := make([]T, len(torch)), make([]T, len(torch))
	FromTorch(s, dense, torch)
	ToTorch(s, back, dense)
	if !sameBits(torch, back) {
		t.Fatal("ToTorch does not invert FromTorch")
	}
	w := NewWeights[T](s.OutC, s.PatchSize())
	w.Pack(dense)
	rows := batch * s.Positions()
	patches := newGuarded[T](rows * Stride[T](s.PatchSize()))
	Im2col(s, patches.data, x.data, pixel, batch)
	if !patches.intact() {
		t.Fatal("patches: written outside")
	}
	y := newGuarded[T](rows * Stride[T](s.OutC))
	w.Forward(y.data, patches.data, make([]T, Stride[T](s.OutC)), rows, false)
	for r := range rows {
		for o := range s.OutC {
			want, scale := naiveConv(s, x.data, torch, pixel, r/s.Positions(), o, r%s.Positions()/s.OutW(), r%s.OutW())
			got := float64(y.data[r*Stride[T](s.OutC)+o])
			if tol := scale * float64(s.PatchSize()+1) * epsilon[T](); !(math.Abs(got-want) <= tol) {
				t.Fatalf("%+v: y[%d][%d]: got %v, want %v ± %.2g", s, r, o, got, want, tol)
			}
		}
	}
	checkAdjoint(t, g, s, w, x, patches, pixel, batch)
}

// checkAdjoint compares ⟨conv(x), dy⟩ with ⟨x, convᵀ(dy)⟩.
func checkAdjoint[T Float](t rapid.TB, g *rand.Rand, s ConvShape, w *Weights[T], x, patches guarded[T], pixel, batch int) {
	t.Helper()
	rows, strideOut := batch*s.Positions(), Stride[T](s.OutC)
	y := make([]T, rows*strideOut)
	w.Forward(y, patches.data, make([]T, strideOut), rows, false)
	dy := randomBatch[T](g, rows, s.OutC, 0.3)
	dp := make([]T, len(patches.data))
	w.Backward(dp, dy.data, nil, rows)
	dx := newGuarded[T](len(x.data))
	Col2im(s, dx.data, dp, pixel, batch)
	if !dx.intact() {
		t.Fatal("dx: written outside")
	}
	var left, right, scale float64
	for i, v := range y {
		left += float64(v) * float64(dy.data[i])
		scale += math.Abs(float64(v) * float64(dy.data[i]))
	}
	for i, v := range dx.data {
		if i%pixel >= s.InC {
			if v != 0 {
				t.Fatal("dx between channels and pixel is not zero")
			}
			continue
		}
		right += float64(x.data[i]) * float64(v)
		scale += math.Abs(float64(x.data[i]) * float64(v))
	}
	if tol := scale * float64(s.PatchSize()*s.OutC+10) * epsilon[T](); !(math.Abs(left-right) <= tol) {
		t.Fatalf("%+v: ⟨conv x, dy⟩ = %v, ⟨x, convᵀ dy⟩ = %v ± %.2g", s, left, right, tol)
	}
}

func TestConvShapes(t *testing.T) {
	eachImplementation(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			s := ConvShape{
				InC: rapid.IntRange(1, 20).Draw(t, "inC"), OutC: rapid.IntRange(1, 20).Draw(t, "outC"),
				InH: rapid.IntRange(1, 9).Draw(t, "h"), InW: rapid.IntRange(1, 9).Draw(t, "w"),
				Kernel: rapid.IntRange(1, 5).Draw(t, "kernel"), Stride: rapid.IntRange(1, 3).Draw(t, "stride"),
				Padding: rapid.IntRange(0, 2).Draw(t, "padding"),
			}
			if s.OutH() < 1 || s.OutW() < 1 {
				t.Skip("no output")
			}
			pixel, batch := s.InC, rapid.IntRange(1, 3).Draw(t, "batch")
			if rapid.Bool().Draw(t, "padded") {
				pixel = Stride[float32](s.InC)
			}
			g := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
			checkConv[float32](t, g, s, pixel, batch)
			checkConv[float64](t, g, s, pixel, batch)
		})
	})
}

// TestConvShapeSizes has the sizes that PyTorch gives.
func TestConvShapeSizes(t *testing.T) {
	for _, c := range [][6]int{ // in, kernel, stride, padding, out
		{32, 3, 1, 1, 32}, {32, 3, 2, 1, 16}, {7, 3, 2, 0, 3}, {8, 5, 3, 2, 3}, {4, 5, 1, 0, 0}, {5, 1, 3, 0, 2},
	} {
		s := ConvShape{InC: 1, OutC: 1, InH: c[0], InW: 99, Kernel: c[1], Stride: c[2], Padding: c[3]}
		if s.OutH() != c[4] {
			t.Errorf("%v: OutH %d", c, s.OutH())
		}
	}
}

func TestConvPanics(t *testing.T) {
	s := ConvShape{InC: 2, InH: 4, InW: 4, OutC: 3, Kernel: 3, Stride: 1, Padding: 1}
	x, patches := make([]float32, 32), make([]float32, 16*Stride[float32](18))
	big := s
	big.Kernel = 7
	c := NewConvPool[float32](16, 3, 4, 4)
	for name, f := range map[string]func(){
		"short x":       func() { Im2col(s, patches, x[:31], 2, 1) },
		"short patches": func() { Col2im(s, x, patches[1:], 2, 1) },
		"pixel":         func() { Im2col(s, patches, x, 1, 1) },
		"kernel":        func() { Im2col(big, patches, x, 2, 1) },
		"torch":         func() { FromTorch(s, x, x) },
		"odd map":       func() { NewConvPool[float32](16, 3, 5, 4) },
		"outputs":       func() { NewConvPool[float32](15, 3, 4, 4) },
		"pack":          func() { c.Pack(x) },
		"forward":       func() { c.Forward(x, nil, x, x, 1) },
		"backward":      func() { c.Backward(x, x, nil, nil, nil, 1) },
		"update":        func() { c.Update(1, x, nil, x, nil, 1) },
		"image":         func() { c.SetImage(x, 0, x) },
		"pool":          func() { MaxPool(PoolShape{C: 2, H: 2, W: 2, Size: 3}, x, 2, nil, x, 2, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

// intact says whether nobody touched the zones of NaN.
func (g guarded[T]) intact() bool {
	for i := range guardZone {
		if a, b := g.all[i], g.all[len(g.all)-1-i]; a == a || b == b {
			return false
		}
	}
	return true
}

func ExampleConvShape() {
	s := ConvShape{InC: 3, InH: 32, InW: 32, OutC: 8, Kernel: 5, Stride: 2, Padding: 2}
	fmt.Println(s.OutH(), s.OutW(), s.PatchSize())
	// Output: 16 16 75
}
