package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// checkPools compares both poolings with their definitions and their backward
// passes with the adjoint.
func checkPools[T Float](t rapid.TB, g *rand.Rand, s PoolShape, pixelX, pixelY, batch int) {
	t.Helper()
	x := randomMap[T](g, s.C, s.H, s.W, pixelX, batch)
	for i := range x.data { // few values, so that there are ties
		x.data[i] = T(math.Round(float64(x.data[i])))
	}
	pooled := batch * s.OutH() * s.OutW()
	y, avg := newGuarded[T](pooled*pixelY), newGuarded[T](pooled*pixelY)
	where := make([]uint16, pooled*s.C)
	MaxPool(s, y.data, pixelY, where, x.data, pixelX, batch)
	AvgPool(s, avg.data, pixelY, x.data, pixelX, batch)
	dy := randomMap[T](g, s.C, s.OutH(), s.OutW(), pixelY, batch)
	dx, davg := newGuarded[T](len(x.data)), newGuarded[T](len(x.data))
	MaxPoolBackward(s, dx.data, pixelX, dy.data, pixelY, where, batch)
	AvgPoolBackward(s, davg.data, pixelX, dy.data, pixelY, batch)
	for _, m := range []guarded[T]{y, avg, dx, davg} {
		if !m.intact() {
			t.Fatal("written outside")
		}
	}
	wantDX, wantDAvg := make([]float64, len(x.data)), make([]float64, len(x.data))
	for p := range pooled {
		b, py, px := p/(s.OutH()*s.OutW()), p/s.OutW()%s.OutH(), p%s.OutW()
		for c := range s.C {
			best, sum, at, position := math.Inf(-1), 0.0, 0, 0
			for i := range s.Size * s.Size {
				q := ((b*s.H+py*s.Size+i/s.Size)*s.W+px*s.Size+i%s.Size)*pixelX + c
				v := float64(x.data[q])
				if sum += v; v > best {
					best, at, position = v, q, i
				}
				wantDAvg[q] += float64(dy.data[p*pixelY+c]) / float64(s.Size*s.Size)
			}
			wantDX[at] += float64(dy.data[p*pixelY+c])
			if float64(y.data[p*pixelY+c]) != best || int(where[p*s.C+c]) != position {
				t.Fatalf("%+v: maximum of window %d: %v at %d, want %v at %d", s, p, y.data[p*pixelY+c], where[p*s.C+c], best, position)
			}
			mean := sum / float64(s.Size*s.Size)
			if got := float64(avg.data[p*pixelY+c]); !(math.Abs(got-mean) <= 20*epsilon[T]()*(1+math.Abs(mean))) {
				t.Fatalf("%+v: mean of window %d: got %v, want %v", s, p, got, mean)
			}
		}
	}
	for i := range wantDX {
		if a, b := float64(dx.data[i]), float64(davg.data[i]); a != wantDX[i] || !(math.Abs(b-wantDAvg[i]) <= 4*epsilon[T]()*math.Abs(wantDAvg[i])) {
			t.Fatalf("%+v: dx[%d]: max %v, want %v; mean %v, want %v", s, i, a, wantDX[i], b, wantDAvg[i])
		}
	}
}

func TestPools(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 4).Draw(t, "size")
		s := PoolShape{
			C: rapid.IntRange(1, 6).Draw(t, "c"), Size: size,
			H: rapid.IntRange(size, 9).Draw(t, "h"), W: rapid.IntRange(size, 9).Draw(t, "w"),
		}
		pixelX, pixelY := s.C+rapid.IntRange(0, 3).Draw(t, "gapX"), s.C+rapid.IntRange(0, 3).Draw(t, "gapY")
		g := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		batch := rapid.IntRange(1, 3).Draw(t, "batch")
		checkPools[float32](t, g, s, pixelX, pixelY, batch)
		checkPools[float64](t, g, s, pixelX, pixelY, batch)
	})
}

func TestMaxPoolKeepsNaN(t *testing.T) {
	s := PoolShape{C: 1, H: 2, W: 2, Size: 2}
	for i := range 4 {
		x := []float64{1, 2, 3, 4}
		x[i] = math.NaN()
		y, where := make([]float64, 1), make([]uint16, 1)
		MaxPool(s, y, 1, where, x, 1, 1)
		if y[0] == y[0] || int(where[0]) != i {
			t.Errorf("NaN at %d: %v at %d", i, y[0], where[0])
		}
	}
}

func TestCHW(t *testing.T) {
	const c, h, w, pixel, batch = 5, 2, 3, 7, 2
	x := randomMap[float32](rand.New(rand.NewPCG(3, 4)), c, h, w, pixel, batch)
	stride := Stride[float32](c * h * w)
	rows := newGuarded[float32](batch * stride)
	ToCHW(rows.data, x.data, c, h, w, pixel, batch)
	back := newGuarded[float32](len(x.data))
	FromCHW(back.data, rows.data, c, h, w, pixel, batch)
	if !rows.intact() || !back.intact() {
		t.Fatal("written outside")
	}
	for b := range batch {
		for i := range stride {
			want := float32(0)
			if i < c*h*w {
				want = x.data[(b*h*w+i%(h*w))*pixel+i/(h*w)]
			}
			if rows.data[b*stride+i] != want {
				t.Fatalf("rows[%d][%d]", b, i)
			}
		}
	}
	for i, v := range back.data {
		if i%pixel < c && v != x.data[i] || i%pixel >= c && v != 0 {
			t.Fatalf("back[%d] = %v", i, v)
		}
	}
}
