package kernel

// Forward computes y and offset from x and bias, OutC elements. It panics if a
// slice is too short.
func (c *ConvPool[T]) Forward(y []T, offset []int32, x, bias []T, batch int) {
	if batch < 0 || len(y) < batch*c.PooledSize() || len(offset) < batch*c.Outputs() ||
		len(x) < batch*c.ImageSize() || len(bias) < c.OutC {
		panic("kernel: ConvPool.Forward: slice too short")
	}
	if batch == 0 || c.forwardVectors(y, offset, x, bias, batch) {
		return
	}
	for b := range batch {
		c.forwardSample(y[b*c.PooledSize():], offset[b*c.Outputs():], x[b*c.ImageSize():], bias)
	}
}

// WorkSize is the number of elements that Backward needs in work.
func (c *ConvPool[T]) WorkSize() int {
	records := c.chunkRows() * c.W / 2 * c.recordSize()
	if c.slice == 3 {
		records = c.placedSize()
	}
	return c.group()*c.ImageSize() + records
}

// group is the number of samples that pass Backward together.
func (c *ConvPool[T]) group() int { return 4 }

// updateGroup is the number of samples that pass Update together: what one slice
// of channels reads of them should stay in the first cache while the outputs pass
// one after the other, and many samples make a block worth loading.
func (c *ConvPool[T]) updateGroup() int {
	const cacheElements = 6000
	read := c.ImageSize()
	if c.slices() > 2 {
		read = read / c.slices() * 2 // two slices share a cache line
	}
	return max(1, cacheElements/(read+2*c.Outputs()))
}

// Backward computes dx, the gradient with respect to the input, from dy. Where
// gate is not nil it is x: elements of dx are set to zero where x is not
// positive, so that dx is the dy of the layer below. work holds WorkSize
// elements, whatever they are. It panics if a slice is too short.
func (c *ConvPool[T]) Backward(dx, dy []T, offset []int32, gate, work []T, batch int) {
	if batch < 0 || len(dx) < batch*c.Inputs() || len(dy) < batch*c.Outputs() || len(offset) < batch*c.Outputs() ||
		gate != nil && len(gate) < batch*c.ImageSize() || len(work) < c.WorkSize() {
		panic("kernel: ConvPool.Backward: slice too short")
	}
	group, image := c.group(), c.ImageSize()
	rest := work[group*image:]
	if c.slice == 3 {
		c.placeWeights(rest[:c.placedSize()])
	}
	for b := 0; b < batch; b += group {
		n := min(group, batch-b)
		clear(work[:n*image])
		at := b * c.Outputs()
		if c.slice == 3 {
			for i := range n {
				own := at + i*c.Outputs()
				c.scatterImage(work[i*image:], rest, dy[own:], offset[own:])
			}
		} else {
			c.scatter(work[:n*image], rest, dy[at:], offset[at:], n)
		}
		for i := range n {
			var open []T
			if gate != nil {
				open = gate[(b+i)*image:]
			}
			c.interior(dx[(b+i)*c.Inputs():], work[i*image:], open)
		}
	}
}

// interior copies a gradient without border and zero channels, gated.
func (c *ConvPool[T]) interior(dx, padded, gate []T) {
	for r := range c.H {
		at := (r+1)*c.row() + c.channels
		if c.InC == c.channels {
			n := c.W * c.InC
			to := dx[r*n : (r+1)*n]
			copy(to, padded[at:])
			if gate != nil {
				Gate(to, gate[at:at+n])
			}
			continue
		}
		for q := range c.W {
			for i := range c.InC {
				v := padded[at+q*c.channels+i]
				if gate != nil && !(gate[at+q*c.channels+i] > 0) {
					v = 0
				}
				dx[(r*c.W+q)*c.InC+i] = v
			}
		}
	}
}

// Update adds alpha times the gradient of the batch to the weights and, where
// bias is not nil, to the bias: with alpha = −η a whole step of SGD. It panics if
// a slice is too short.
func (c *ConvPool[T]) Update(alpha T, dy []T, offset []int32, x, bias []T, batch int) {
	if batch < 0 || len(dy) < batch*c.Outputs() || len(offset) < batch*c.Outputs() ||
		len(x) < batch*c.ImageSize() || bias != nil && len(bias) < c.OutC {
		panic("kernel: ConvPool.Update: slice too short")
	}
	if bias != nil {
		c.columnSums(bias[:c.OutC], alpha, dy, batch*c.windows())
	}
	group := c.updateGroup()
	for b := 0; b < batch; b += group {
		c.gradient(alpha, dy[b*c.Outputs():], offset[b*c.Outputs():], x[b*c.ImageSize():], min(group, batch-b))
	}
	c.pack()
}
