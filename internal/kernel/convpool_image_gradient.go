package kernel

// The input gradient of a block on 3-channel images. Its patches, three rows of
// nine elements, are too short for the vectors of the other blocks. One row of
// windows at a time, the deltas are spread over the positions where the maxima
// were, and a dense product on Wᵀ, which skips their zeros, makes patches.

// imageGradient holds Wᵀ for that; scratch belongs to the caller's work.
type imageGradient[T Float] struct {
	transposed *Weights[T] // 27×OutC
	flat       []T
	noBias     []T
}

// spreadSize and patchSize are the elements of one row of windows.
func (c *ConvPool[T]) spreadSize() int { return 2 * c.W * Stride[T](c.OutC) }
func (c *ConvPool[T]) patchSize() int  { return 2 * c.W * Stride[T](9*c.InC) }

func newImageGradient[T Float](outC int) *imageGradient[T] {
	const n = 9 * 3
	return &imageGradient[T]{transposed: NewWeights[T](n, outC), flat: make([]T, n*outC), noBias: make([]T, Stride[T](n))}
}

// set transposes the weights as they are now.
func (g *imageGradient[T]) set(c *ConvPool[T]) {
	for o := range c.OutC {
		for i, v := range c.block(0, o) {
			g.flat[i*c.OutC+o] = v
		}
	}
	g.transposed.Pack(g.flat)
}

// scatter adds dy·w to the patches of dx, one image; records holds a row of
// windows' deltas and patches.
func (g *imageGradient[T]) scatter(c *ConvPool[T], dx, records, dy []T, offset []int32) {
	spread, patches := records[:c.spreadSize()], records[c.spreadSize():][:c.patchSize()]
	sp := Stride[T](27)
	for top := range c.H / 2 {
		clear(spread)
		for q := range c.W / 2 {
			p := (top*c.W/2 + q) * c.OutC
			c.spreadWindow(spread, dy[p:p+c.OutC], offset[p:p+c.OutC], top, q)
		}
		g.transposed.Forward(patches, spread, g.noBias, 2*c.W, false)
		for position := range 2 * c.W {
			from := (*[27]T)(patches[position*sp:])
			to := dx[(2*top+position/c.W)*c.row()+position%c.W*3:]
			addNine((*[9]T)(to), (*[9]T)(from[:9]))
			addNine((*[9]T)(to[c.row():]), (*[9]T)(from[9:18]))
			addNine((*[9]T)(to[2*c.row():]), (*[9]T)(from[18:]))
		}
	}
}

// spreadWindow writes the deltas of window q of a row to the rows of spread that
// belong to the positions of their maxima.
func (c *ConvPool[T]) spreadWindow(spread, dy []T, offset []int32, top, q int) {
	so, row := Stride[T](c.OutC), c.row()
	first := 2*top*row + 2*q*3
	for o, d := range dy {
		if d == 0 {
			continue
		}
		position, at := 2*q, int(offset[o])-first
		if at >= row {
			position, at = position+c.W, at-row
		}
		if at > 0 {
			position++
		}
		spread[position*so+o] = d
	}
}

// addNine is written out: this is a row of a patch of three pixels with three
// channels, and the innermost work of the whole image.
func addNine[T Float](sum, v *[9]T) {
	sum[0] += v[0]
	sum[1] += v[1]
	sum[2] += v[2]
	sum[3] += v[3]
	sum[4] += v[4]
	sum[5] += v[5]
	sum[6] += v[6]
	sum[7] += v[7]
	sum[8] += v[8]
}
