//go:build amd64 && !purego

package kernel

import "unsafe"

//go:generate go run -C _asm ./conv -out ../conv_amd64.s -stubs ../conv_stubs_amd64.go -pkg kernel

// The float32 forms of the loops of a ConvPool. Every method says whether it did
// the work; in float64, which serves tests and audits, the portable loops do.

// vectors says whether the assembly serves this type.
func (c *ConvPool[T]) vectors() bool { return simd && is32[T]() }

const (
	elementBytes = 4
	blockOut     = 8 // outputs that are transposed together
)

// packConvPanels is the same for both directions of the transposition.
func packConvPanels[T Float](c *ConvPool[T]) bool {
	if !c.vectors() || c.slice != 8 {
		return false
	}
	for s := range c.slices() {
		for o := 0; o < c.OutC; o += blockOut {
			panel := c.panels[o/panelOut*panelOut*9*c.channels+s*c.slice*panelOut+o%panelOut:]
			convTranspose8(f32(&panel[0]), f32(&c.block(s, o)[0]), c.channels*panelOut*elementBytes)
		}
	}
	c.packWinograd()
	return true
}

func (c *ConvPool[T]) forwardVectors(y []T, offset []int32, x, bias []T, batch int) bool {
	if !c.vectors() {
		return false
	}
	if winograd && c.slice == 8 {
		c.forwardWinograd(y, offset, x, bias, batch)
		return true
	}
	for b := range batch {
		c.forwardDirect(y[b*c.PooledSize():], offset[b*c.Outputs():], x[b*c.ImageSize():], bias)
	}
	return true
}

// winograd is a variable for the benchmarks alone.
var winograd = true

// spectraSize is the room for transformed weights.
func (c *ConvPool[T]) spectraSize() int {
	if !haveSIMD || !is32[T]() || c.slice != 8 {
		return 0
	}
	return c.OutC / panelOut * c.panelSpectra()
}

// forwardDirect computes rows of windows of one sample, panel by panel.
func (c *ConvPool[T]) forwardDirect(y []T, offset []int32, x, bias []T) {
	step, across := c.steps(), c.W/2
	for o := 0; o < c.OutC; o += panelOut {
		panel := &c.panels[o*9*c.channels]
		for r := range c.H / 2 {
			at := 2 * r * c.row()
			convWindows(f32(&c.pooled(y, r*across)[o]), &offset[r*across*c.OutC+o], f32(&x[at]), f32(panel), f32(&bias[o]),
				&step, c.row()*elementBytes, c.channels*elementBytes, c.OutC*elementBytes, across, at)
		}
	}
}

func (c *ConvPool[T]) patchVectors(g []T, alpha T, dy []T, offset []int32, x []T, outs, windows, samples int) bool {
	if !c.vectors() {
		return false
	}
	if c.slice == 3 {
		convPatches3(f32(&g[0]), float32(alpha), f32(&x[0]), f32(&dy[0]), &offset[0], c.OutC*elementBytes,
			c.row()*elementBytes, c.channels*elementBytes, c.ImageSize()*elementBytes, windows, samples, outs)
	} else {
		convPatches8(f32(&g[0]), float32(alpha), f32(&x[0]), f32(&dy[0]), &offset[0], c.OutC*elementBytes,
			c.row()*elementBytes, c.channels*elementBytes, c.ImageSize()*elementBytes, windows, samples, outs)
	}
	return true
}

func (c *ConvPool[T]) scatterVectors(dx, records, dy []T, offset []int32, n int) bool {
	if !c.vectors() || c.slice != 8 {
		return false
	}
	step := c.steps()
	across, down := c.W/2, c.H/2
	size, dist := c.recordSize()*elementBytes, (c.OutC+8)*elementBytes
	for first := 0; first < n*down; first += c.chunkRows() {
		rows := min(c.chunkRows(), n*down-first)
		for i := range rows {
			p := (first + i) * across * c.OutC
			inSample := (first + i) % down * 2 * c.row()
			inBatch := (first+i)/down*c.ImageSize() + inSample
			convSort((*byte)(unsafe.Pointer(&records[i*across*c.recordSize()])), size, dist, f32(&dy[p]), &offset[p],
				across, c.OutC/lanes[T](), &step, inBatch<<32|inSample, &bitPositions[0])
		}
		for s := range c.slices() {
			convSpread8(f32(&dx[s*c.slice]), f32(&c.block(s, 0)[0]), (*byte)(unsafe.Pointer(&records[0])), size, dist,
				c.row()*elementBytes, c.channels*elementBytes, rows*across)
		}
	}
	return true
}

func (c *ConvPool[T]) columnVectors(sum []T, alpha T, dy []T, n int) bool {
	if !c.vectors() {
		return false
	}
	convColumnSums(f32(&sum[0]), float32(alpha), f32(&dy[0]), c.OutC*elementBytes, n, len(sum)/lanes[T]())
	return true
}

func gateVectorsOf[T Float](dx, gate []T) int {
	n := wholeVectors[T](len(dx))
	if !simd || n == 0 {
		return 0
	}
	gateVectors(&dx[0], &gate[0], n/lanes[T]())
	return n
}
