package kernel

// PoolShape describes pooling over size×size windows that lie side by side.
// As in PyTorch's floor mode, rows and columns that do not fill a window are
// left out. Activations are NHWC as in ConvShape; the distances between pixels
// are arguments.
type PoolShape struct{ C, H, W, Size int }

// OutH is the height of the pooled map.
func (s PoolShape) OutH() int { return s.H / s.Size }

// OutW is the width of the pooled map.
func (s PoolShape) OutW() int { return s.W / s.Size }

func (s PoolShape) check(out, outPixel, in, inPixel, batch int) {
	if s.C <= 0 || s.Size <= 0 || s.H < s.Size || s.W < s.Size {
		panic("kernel: PoolShape: no output")
	}
	if batch < 0 || outPixel < s.C || inPixel < s.C ||
		out < batch*s.OutH()*s.OutW()*outPixel || in < batch*s.H*s.W*inPixel {
		panic("kernel: pooling: slice, pixel or batch too small")
	}
}

// windows calls visit for the top left corner of every window: p counts pooled
// pixels, q is the number of the corner's pixel, both over the whole batch.
func (s PoolShape) windows(batch int, visit func(p, q int)) {
	p := 0
	for b := range batch {
		for y := range s.OutH() {
			for x := range s.OutW() {
				visit(p, (b*s.H+y*s.Size)*s.W+x*s.Size)
				p++
			}
		}
	}
}

// MaxPool computes the maximum of each window. where, batch·OutH·OutW·C
// elements without gaps, receives the position of the maximum in its window,
// dy·Size + dx: the first in row-major order where several are equal. A NaN is a
// maximum. y has pixelY and x pixelX elements from pixel to pixel; what is
// between C and pixelY is set to zero. It panics if a slice is too short.
func MaxPool[T Float](s PoolShape, y []T, pixelY int, where []uint16, x []T, pixelX, batch int) {
	s.check(len(y), pixelY, len(x), pixelX, batch)
	if len(where) < batch*s.OutH()*s.OutW()*s.C || s.Size > 256 {
		panic("kernel: MaxPool: where too short or window too large")
	}
	s.windows(batch, func(p, q int) {
		top, at := y[p*pixelY:(p+1)*pixelY], where[p*s.C:(p+1)*s.C]
		clear(top[s.C:])
		copy(top[:s.C], x[q*pixelX:])
		clear(at)
		for i := 1; i < s.Size*s.Size; i++ {
			from := x[(q+i/s.Size*s.W+i%s.Size)*pixelX:][:len(at)]
			best, at := top[:len(from)], at[:len(from)]
			for c, v := range from {
				// Without branches: they would be mispredicted.
				greater := -uint16(bit(v > best[c]) | bit(v != v))
				best[c] = max(best[c], v)
				at[c] ^= (at[c] ^ uint16(i)) & greater
			}
		}
	})
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// MaxPoolBackward sets dx to dy where the maximum was and to zero elsewhere.
func MaxPoolBackward[T Float](s PoolShape, dx []T, pixelX int, dy []T, pixelY int, where []uint16, batch int) {
	s.check(len(dy), pixelY, len(dx), pixelX, batch)
	if len(where) < batch*s.OutH()*s.OutW()*s.C {
		panic("kernel: MaxPoolBackward: where too short")
	}
	clear(dx[:batch*s.H*s.W*pixelX])
	s.windows(batch, func(p, q int) {
		for c, at := range where[p*s.C : (p+1)*s.C] {
			i := int(at)
			dx[(q+i/s.Size*s.W+i%s.Size)*pixelX+c] = dy[p*pixelY+c]
		}
	})
}

// AvgPool computes the mean of each window. It panics if a slice is too short.
func AvgPool[T Float](s PoolShape, y []T, pixelY int, x []T, pixelX, batch int) {
	s.check(len(y), pixelY, len(x), pixelX, batch)
	scale := 1 / T(s.Size*s.Size)
	s.windows(batch, func(p, q int) {
		sum := y[p*pixelY : (p+1)*pixelY]
		clear(sum)
		sum = sum[:s.C]
		for i := range s.Size * s.Size {
			for c, v := range x[(q+i/s.Size*s.W+i%s.Size)*pixelX:][:s.C] {
				sum[c] += v
			}
		}
		for c := range sum {
			sum[c] *= scale
		}
	})
}

// AvgPoolBackward spreads dy over the windows and sets the rest of dx to zero.
func AvgPoolBackward[T Float](s PoolShape, dx []T, pixelX int, dy []T, pixelY int, batch int) {
	s.check(len(dy), pixelY, len(dx), pixelX, batch)
	scale := 1 / T(s.Size*s.Size)
	clear(dx[:batch*s.H*s.W*pixelX])
	s.windows(batch, func(p, q int) {
		for i := range s.Size * s.Size {
			to := dx[(q+i/s.Size*s.W+i%s.Size)*pixelX:][:s.C]
			for c, v := range dy[p*pixelY : p*pixelY+s.C] {
				to[c] = v * scale
			}
		}
	})
}

// ToCHW writes maps of h×w pixels with c channels to rows of Stride(c·h·w)
// elements in the order [c][h][w], which PyTorch's flatten gives; the padding of
// the rows is set to zero. x has pixel elements from pixel to pixel.
func ToCHW[T Float](rows, x []T, c, h, w, pixel, batch int) {
	stride, area := Stride[T](c*h*w), h*w
	for b := range batch {
		row := rows[b*stride : (b+1)*stride]
		clear(row[c*area:])
		for p := range area {
			for i, v := range x[(b*area+p)*pixel:][:c] {
				row[i*area+p] = v
			}
		}
	}
}

// FromCHW is the inverse of ToCHW; elements of x between c and pixel are set to
// zero.
func FromCHW[T Float](x, rows []T, c, h, w, pixel, batch int) {
	stride, area := Stride[T](c*h*w), h*w
	for b := range batch {
		row := rows[b*stride : (b+1)*stride]
		for p := range area {
			to := x[(b*area+p)*pixel : (b*area+p+1)*pixel]
			for i := range c {
				to[i] = row[i*area+p]
			}
			clear(to[c:])
		}
	}
}
