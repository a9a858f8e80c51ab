//go:build (amd64 || arm64) && !purego

package kernel

import "unsafe"

// The float32 forms of the loops of a ConvPool. Every method says whether it did
// the work; in float64, which serves tests and audits, the portable loops do.

// vectors says whether the assembly serves this type.
func (c *ConvPool[T]) vectors() bool { return simd && is32[T]() }

const elementBytes = 4

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
	if !c.vectors() {
		return false
	}
	size, dist := c.recordSize()*elementBytes, (c.OutC+8)*elementBytes
	across, down := c.W/2, c.H/2
	for first := 0; first < n*down; first += c.chunkRows() {
		rows := min(c.chunkRows(), n*down-first)
		for i := range rows {
			p := (first + i) * across * c.OutC
			inSample := (first + i) % down * 2 * c.row()
			inBatch := (first+i)/down*c.ImageSize() + inSample
			c.sortWindows(records[i*across*c.recordSize():], dy[p:], offset[p:], inBatch, inSample)
		}
		for s := range c.slices() {
			convSpread8(f32(&dx[s*c.slice]), f32(&c.block(s, 0)[0]), (*byte)(unsafe.Pointer(&records[0])), size, dist,
				c.row()*elementBytes, c.channels*elementBytes, rows*across)
		}
	}
	return true
}

func (c *ConvPool[T]) imageVectors(dx, placed, dy []T, offset []int32) bool {
	if !c.vectors() {
		return false
	}
	across := c.W / 2
	for p := 0; p < c.windows(); p += across {
		at := c.windowStart(p)
		convSpreadImage(f32(&dx[at]), f32(&placed[0]), f32(&dy[p*c.OutC]), &offset[p*c.OutC],
			c.row()*elementBytes, across, c.OutC, at)
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
