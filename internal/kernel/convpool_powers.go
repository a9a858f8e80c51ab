package kernel

// SamplePowers adds to weights[k−1] the sum over all weights of the 2k-th power
// of the gradient of one sample alone, and to bias[k−1] the same for the bias,
// k = 1 … len. Powers and sums are in float64: in float32 they would vanish. The
// gradient never exists as a whole. It panics if a slice is too short.
func (c *ConvPool[T]) SamplePowers(weights, bias []float64, dy []T, offset []int32, x []T, sample int) {
	if sample < 0 || len(dy) < (sample+1)*c.Outputs() || len(offset) < (sample+1)*c.Outputs() ||
		len(x) < (sample+1)*c.ImageSize() {
		panic("kernel: ConvPool.SamplePowers: slice too short")
	}
	dy, offset = dy[sample*c.Outputs():][:c.Outputs()], offset[sample*c.Outputs():][:c.Outputs()]
	x = x[sample*c.ImageSize():][:c.ImageSize()]
	c.biasPowers(bias, dy)
	if c.windows() == 1 {
		c.productPowers(weights, dy, offset, x)
	} else {
		c.weightPowers(weights, dy, offset, x)
	}
}

func (c *ConvPool[T]) biasPowers(dst []float64, dy []T) {
	var sums [panelOut]T
	for o := 0; o < c.OutC; o += panelOut {
		sums = [panelOut]T{}
		c.columnSums(sums[:], 1, dy[o:], c.windows())
		EvenPowerSums(dst, sums[:])
	}
}

// weightPowers forms the gradient of one panel of outputs and one slice of
// channels at a time.
func (c *ConvPool[T]) weightPowers(dst []float64, dy []T, offset []int32, x []T) {
	var buffer [panelOut * 9 * 8]T
	g := buffer[:panelOut*9*c.slice]
	for s := range c.slices() {
		for o := 0; o < c.OutC; o += panelOut {
			clear(g)
			c.patches(g, 1, dy[o:], offset[o:], x[s*c.slice:], panelOut, c.windows(), 1)
			EvenPowerSums(dst, g)
		}
	}
}

// productPowers serves maps with a single window. There the gradient of an
// output is its delta times one of four patches, and the powers of a product are
// products of powers:
//
//	Σ_{o,i} (d_o p_i)^{2k} = Σ_patches (Σ_{o with this patch} d_o^{2k}) (Σ_i p_i^{2k}).
func (c *ConvPool[T]) productPowers(dst []float64, dy []T, offset []int32, x []T) {
	const block = 4
	for first := 0; first < len(dst); first += block {
		part := dst[first:min(first+block, len(dst))]
		for _, at := range c.steps() {
			var deltas, inputs [block]float64
			for o, d := range dy {
				if offset[o] == at {
					addPowers(deltas[:len(part)], float64(d), first)
				}
			}
			for ky := range 3 {
				run := x[int(at)+ky*c.row():][:3*c.channels]
				if first == 0 {
					EvenPowerSums(inputs[:len(part)], run)
					continue
				}
				for _, v := range run {
					addPowers(inputs[:len(part)], float64(v), first)
				}
			}
			for k := range part {
				part[k] += deltas[k] * inputs[k]
			}
		}
	}
}

// addPowers adds v^{2(first+1)}, v^{2(first+2)}, … to dst.
func addPowers(dst []float64, v float64, first int) {
	s, p := v*v, 1.0
	for range first {
		p *= s
	}
	for k := range dst {
		p *= s
		dst[k] += p
	}
}

// steps returns the offsets of the four patches of a window.
func (c *ConvPool[T]) steps() [4]int32 {
	return [4]int32{0, int32(c.channels), int32(c.row()), int32(c.row() + c.channels)}
}
