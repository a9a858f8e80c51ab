package kernel

// The input gradient of a block on 3-channel images. The rows of its patches, nine
// elements, are too short for the vectors of the other blocks. Here the sixteen
// pixels of a window, windowSize elements, are summed up together; every delta
// multiplies the weights of its output, laid out among those pixels for the
// position of the maximum.

const windowSize = 4 * 4 * 3

// placedSize is the number of elements of the weights by output and position.
func (c *ConvPool[T]) placedSize() int { return c.OutC * 4 * windowSize }

// placeWeights writes the weights to placed, [OutC][4][4][4][3].
func (c *ConvPool[T]) placeWeights(placed []T) {
	clear(placed)
	for o := range c.OutC {
		block := c.block(0, o)
		for position := range 4 {
			window := placed[(4*o+position)*windowSize:][:windowSize]
			for ky := range 3 {
				copy(window[(position/2+ky)*12+position%2*3:], block[ky*9:(ky+1)*9])
			}
		}
	}
}

// scatterImage adds dy·w to the patches of dx, one image.
func (c *ConvPool[T]) scatterImage(dx, placed, dy []T, offset []int32) {
	if c.imageVectors(dx, placed, dy, offset) {
		return
	}
	for p := range c.windows() {
		var sum [windowSize]T
		at := c.windowStart(p)
		for o, d := range dy[p*c.OutC : (p+1)*c.OutC] {
			if d == 0 {
				continue
			}
			first := (4*o + c.position(int(offset[p*c.OutC+o])-at)) * windowSize
			for i, v := range placed[first : first+windowSize] {
				sum[i] += d * v
			}
		}
		for r := range 4 {
			to := dx[at+r*c.row():][:12]
			for i, v := range sum[r*12 : (r+1)*12] {
				to[i] += v
			}
		}
	}
}

// windowStart is the offset of window p in its sample.
func (c *ConvPool[T]) windowStart(p int) int {
	return p/(c.W/2)*2*c.row() + p%(c.W/2)*2*c.channels
}

// position is the number of a maximum, by rows, from its offset in its window.
func (c *ConvPool[T]) position(offset int) int {
	p := 0
	if offset >= c.row() {
		offset, p = offset-c.row(), 2
	}
	if offset > 0 {
		p++
	}
	return p
}
