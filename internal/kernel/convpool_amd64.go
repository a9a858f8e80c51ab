//go:build amd64 && !purego

package kernel

import "unsafe"

//go:generate go run -C _asm ./conv -out ../conv_amd64.s -stubs ../conv_stubs_amd64.go -pkg kernel

// What amd64 does in its own way: transposing weights, Winograd's form of the
// forward product, sorting the deltas of a window.

const blockOut = 8 // outputs that are transposed together

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

// sortWindows makes the records of a row of windows that starts at the given
// offsets in dx and in its sample.
func (c *ConvPool[T]) sortWindows(records, dy []T, offset []int32, inBatch, inSample int) {
	step := c.steps()
	convSort((*byte)(unsafe.Pointer(&records[0])), c.recordSize()*elementBytes, (c.OutC+8)*elementBytes, f32(&dy[0]), &offset[0],
		c.W/2, c.OutC/lanes[T](), &step, inBatch<<32|inSample, &bitPositions[0])
}
