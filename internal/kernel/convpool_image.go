package kernel

// SetImage writes one sample, given as planes [InC][H][W], to its place in a
// batch x. It leaves the border and the zero channels as they are.
func (c *ConvPool[T]) SetImage(x []T, sample int, planes []T) {
	if len(planes) != c.InC*c.H*c.W || sample < 0 || len(x) < (sample+1)*c.ImageSize() {
		panic("kernel: SetImage: slice of the wrong length")
	}
	image := x[sample*c.ImageSize():][:c.ImageSize()]
	for i := range c.InC {
		for r := range c.H {
			to := image[(r+1)*c.row()+c.channels+i:]
			for q, v := range planes[(i*c.H+r)*c.W : (i*c.H+r+1)*c.W] {
				to[q*c.channels] = v
			}
		}
	}
}

// InputGradient writes the input gradient of one sample of dx as planes
// [InC][H][W].
func (c *ConvPool[T]) InputGradient(planes, dx []T, sample int) {
	if len(planes) != c.Inputs() || sample < 0 || len(dx) < (sample+1)*c.Inputs() {
		panic("kernel: InputGradient: slice of the wrong length")
	}
	image, area := dx[sample*c.Inputs():], c.H*c.W
	for p := range area {
		for i, v := range image[p*c.InC : (p+1)*c.InC] {
			planes[i*area+p] = v
		}
	}
}

// Flatten writes the pooled outputs as the rows that a dense layer takes:
// Stride(Outputs) elements a sample in PyTorch's order [OutC][H/2][W/2], zero
// padded.
func (c *ConvPool[T]) Flatten(rows, y []T, batch int) {
	stride, size := Stride[T](c.Outputs()), c.PooledSize()
	if batch < 0 || len(rows) < batch*stride || len(y) < batch*size {
		panic("kernel: ConvPool.Flatten: slice too short")
	}
	area := c.windows()
	for b := range batch {
		row := rows[b*stride : (b+1)*stride]
		clear(row[c.Outputs():])
		for p := range area {
			for o, v := range c.pooled(y[b*size:], p) {
				row[o*area+p] = v
			}
		}
	}
}

// Unflatten writes the gradient of those rows to dy.
func (c *ConvPool[T]) Unflatten(dy, rows []T, batch int) {
	stride, area := Stride[T](c.Outputs()), c.windows()
	if batch < 0 || len(rows) < batch*stride || len(dy) < batch*c.Outputs() {
		panic("kernel: ConvPool.Unflatten: slice too short")
	}
	for b := range batch {
		row, to := rows[b*stride:(b+1)*stride], dy[b*c.Outputs():]
		for p := range area {
			for o := range c.OutC {
				to[p*c.OutC+o] = row[o*area+p]
			}
		}
	}
}

// pooled returns the channels of pooled pixel p of a sample of y.
func (c *ConvPool[T]) pooled(y []T, p int) []T {
	at := ((p/(c.W/2)+1)*(c.W/2+2) + p%(c.W/2) + 1) * c.OutC
	return y[at : at+c.OutC : at+c.OutC]
}
