package kernel

// The portable products: blocks of four samples, so that a weight that has
// been loaded is used four times, with the sums in registers. Every sum runs in
// the same order in blocks and in the rows that remain.

func (w *Weights[T]) forwardGeneric(y, x, bias []T, batch int, relu bool) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	for p := 0; p < sy; p += w.width {
		panel := w.data[p*w.In : (p+w.width)*w.In]
		b := 0
		for ; b+RowBlock <= batch; b += RowBlock {
			for j := 0; j < w.width; j += 2 {
				forwardBlock(y[b*sy+p+j:], sy, x[b*sx:], sx, panel[j:], w.width, w.In, bias[p+j:], 0)
			}
		}
		for ; b < batch; b++ {
			forwardRow(y[b*sy+p:b*sy+p+w.width], x[b*sx:b*sx+w.In], panel, bias[p:])
		}
	}
	if relu {
		for i, v := range y {
			y[i] = max(v, 0)
		}
	}
}

// forwardBlock computes y = init + x·w for four samples × two outputs.
func forwardBlock[T Float](y []T, sy int, x []T, sx int, panel []T, width, n int, init []T, si int) {
	x0, x1, x2, x3 := x[:n], x[sx:][:n], x[2*sx:][:n], x[3*sx:][:n]
	a0, a1, a2, a3 := init[0], init[si], init[2*si], init[3*si]
	b0, b1, b2, b3 := init[1], init[si+1], init[2*si+1], init[3*si+1]
	for i, v0 := range x0 {
		w := panel[i*width : i*width+2 : i*width+2]
		p, q := w[0], w[1]
		v1, v2, v3 := x1[i], x2[i], x3[i]
		a0, b0 = a0+v0*p, b0+v0*q
		a1, b1 = a1+v1*p, b1+v1*q
		a2, b2 = a2+v2*p, b2+v2*q
		a3, b3 = a3+v3*p, b3+v3*q
	}
	y[0], y[1] = a0, b0
	y[sy], y[sy+1] = a1, b1
	y[2*sy], y[2*sy+1] = a2, b2
	y[3*sy], y[3*sy+1] = a3, b3
}

func forwardRow[T Float](y, x, panel, bias []T) {
	copy(y, bias)
	for i, v := range x {
		w := panel[i*len(y) : (i+1)*len(y)]
		for j := range y {
			y[j] += v * w[j]
		}
	}
}

func (w *Weights[T]) backwardGeneric(dx, dy, gate []T, batch int) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	clear(dx)
	b := 0
	for ; b+RowBlock <= batch; b += RowBlock {
		for p := 0; p < sy; p += w.width {
			panel := w.data[p*w.In : (p+w.width)*w.In]
			d := dy[b*sy+p:]
			d0, d1, d2, d3 := d[:w.width], d[sy:][:w.width], d[2*sy:][:w.width], d[3*sy:][:w.width]
			for i := range w.In {
				s := dx[b*sx+i:]
				s0, s1, s2, s3 := s[0], s[sx], s[2*sx], s[3*sx]
				for j, m := range panel[i*w.width : i*w.width+w.width] {
					s0 += d0[j] * m
					s1 += d1[j] * m
					s2 += d2[j] * m
					s3 += d3[j] * m
				}
				s[0], s[sx], s[2*sx], s[3*sx] = s0, s1, s2, s3
			}
		}
	}
	for ; b < batch; b++ {
		row := dx[b*sx : b*sx+w.In]
		for p := 0; p < sy; p += w.width {
			d := dy[b*sy+p : b*sy+p+w.width]
			panel := w.data[p*w.In : (p+w.width)*w.In]
			for i, s := range row {
				for j, m := range panel[i*w.width : i*w.width+len(d)] {
					s += d[j] * m
				}
				row[i] = s
			}
		}
	}
	for i, g := range gate {
		if !(g > 0) {
			dx[i] = 0
		}
	}
}

func (w *Weights[T]) updateGeneric(alpha T, dy, x, bias []T, batch int) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	for b := 0; bias != nil && b < batch; b++ {
		for j, d := range dy[b*sy : (b+1)*sy] {
			bias[j] += alpha * d
		}
	}
	for p := 0; p < sy; p += w.width {
		panel := w.data[p*w.In : (p+w.width)*w.In]
		b := 0
		for ; b+RowBlock <= batch; b += RowBlock {
			d, v := dy[b*sy+p:], x[b*sx:]
			d0, d1, d2, d3 := d[:w.width], d[sy:][:w.width], d[2*sy:][:w.width], d[3*sy:][:w.width]
			for i := range w.In {
				v0, v1, v2, v3 := alpha*v[i], alpha*v[sx+i], alpha*v[2*sx+i], alpha*v[3*sx+i]
				row := panel[i*w.width : i*w.width+w.width]
				for j, m := range row {
					row[j] = m + v0*d0[j] + v1*d1[j] + v2*d2[j] + v3*d3[j]
				}
			}
		}
		for ; b < batch; b++ {
			d := dy[b*sy+p : b*sy+p+w.width]
			for i, v := range x[b*sx : b*sx+w.In] {
				v *= alpha
				row := panel[i*w.width : i*w.width+len(d)]
				for j, m := range d {
					row[j] += v * m
				}
			}
		}
	}
}
