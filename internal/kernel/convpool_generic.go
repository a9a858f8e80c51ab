package kernel

// The portable forms of what runs in assembly: a pooling window forward, and the
// two loops over patches.

func (c *ConvPool[T]) forwardSample(y []T, offset []int32, x, bias []T) {
	for p := range c.windows() {
		at := c.windowStart(p)
		out, where := c.pooled(y, p), offset[p*c.OutC:(p+1)*c.OutC]
		for o := 0; o < c.OutC; o += 2 {
			panel := c.panels[o/panelOut*panelOut*9*c.channels+o%panelOut:]
			c.window(out[o:o+2], where[o:o+2], x, panel, bias[o:o+2], at)
		}
	}
}

// window computes two outputs for the window whose first patch starts at x[at].
func (c *ConvPool[T]) window(y []T, offset []int32, x, panel, bias []T, at int) {
	row, n := c.row(), 3*c.channels
	a0, b0 := bias[0], bias[1]
	a1, a2, a3, b1, b2, b3 := a0, a0, a0, b0, b0, b0
	for ky := range 3 {
		upper, lower := x[at+ky*row:], x[at+(ky+1)*row:]
		x0, x1 := upper[:n], upper[c.channels:][:n]
		x2, x3 := lower[:n], lower[c.channels:][:n]
		for i, v0 := range x0 {
			w := panel[(ky*n+i)*panelOut:][:2:2]
			p, q := w[0], w[1]
			v1, v2, v3 := x1[i], x2[i], x3[i]
			a0, b0 = a0+v0*p, b0+v0*q
			a1, b1 = a1+v1*p, b1+v1*q
			a2, b2 = a2+v2*p, b2+v2*q
			a3, b3 = a3+v3*p, b3+v3*q
		}
	}
	y[0], offset[0] = c.pool(at, a0, a1, a2, a3)
	y[1], offset[1] = c.pool(at, b0, b1, b2, b3)
}

func (c *ConvPool[T]) pool(at int, v0, v1, v2, v3 T) (T, int32) {
	where := at
	if v1 > v0 {
		v0, where = v1, at+c.channels
	}
	if v2 > v0 {
		v0, where = v2, at+c.row()
	}
	if v3 > v0 {
		v0, where = v3, at+c.row()+c.channels
	}
	return max(v0, 0), int32(where)
}

// gradient adds alpha times the gradient of n samples to the weights.
func (c *ConvPool[T]) gradient(alpha T, dy []T, offset []int32, x []T, n int) {
	windows, samples := c.windows(), n
	if windows > bandWindows && windows%bandWindows == 0 {
		windows, samples = bandWindows, 1
	}
	for b := 0; b < n; b += samples {
		for p := b * c.windows(); p < (b+samples)*c.windows(); p += windows * samples {
			for s := range c.slices() {
				c.patches(c.data[s*c.OutC*9*c.slice:], alpha, dy[p*c.OutC:], offset[p*c.OutC:],
					x[b*c.ImageSize()+s*c.slice:], c.OutC, windows, samples)
			}
		}
	}
}

// patches adds alpha·Σ dy·patch over windows of some samples to the blocks of
// outs outputs in g. dy and offset start at the first output, x at a slice of
// channels.
func (c *ConvPool[T]) patches(g []T, alpha T, dy []T, offset []int32, x []T, outs, windows, samples int) {
	if c.patchVectors(g, alpha, dy, offset, x, outs, windows, samples) {
		return
	}
	for b := range samples {
		image := x[b*c.ImageSize():]
		for p := b * windows; p < (b+1)*windows; p++ {
			for o, d := range dy[p*c.OutC:][:outs] {
				if d *= alpha; d == 0 {
					continue
				}
				block := g[o*9*c.slice : (o+1)*9*c.slice]
				for tap := range 9 {
					from := image[int(offset[p*c.OutC+o])+tap/3*c.row()+tap%3*c.channels:][:c.slice]
					to := block[tap*c.slice : (tap+1)*c.slice]
					for i, v := range from {
						to[i] += d * v
					}
				}
			}
		}
	}
}

// scatter adds dy·w to the patches of dx, images of n samples. records is room for
// the assembly.
func (c *ConvPool[T]) scatter(dx, records, dy []T, offset []int32, n int) {
	if c.scatterVectors(dx, records, dy, offset, n) {
		return
	}
	for s := range c.slices() {
		for b := range n {
			image := dx[b*c.ImageSize()+s*c.slice:]
			for p := b * c.windows(); p < (b+1)*c.windows(); p++ {
				for o, d := range dy[p*c.OutC : (p+1)*c.OutC] {
					if d != 0 {
						c.addPatch(image[offset[p*c.OutC+o]:], d, c.block(s, o))
					}
				}
			}
		}
	}
}

// addPatch adds d times the weights of an output and slice to a patch.
func (c *ConvPool[T]) addPatch(patch []T, d T, w []T) {
	for tap := range 9 {
		to := patch[tap/3*c.row()+tap%3*c.channels:][:c.slice]
		for i, v := range w[tap*c.slice : (tap+1)*c.slice] {
			to[i] += d * v
		}
	}
}

// columnSums adds alpha·Σ dy over n windows to sum, for the outputs from the one
// on where dy starts.
func (c *ConvPool[T]) columnSums(sum []T, alpha T, dy []T, n int) {
	if n == 0 || c.columnVectors(sum, alpha, dy, n) {
		return
	}
	for p := range n {
		for o, d := range dy[p*c.OutC:][:len(sum)] {
			sum[o] += alpha * d
		}
	}
}
