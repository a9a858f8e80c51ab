//go:build (!amd64 && !arm64) || purego

package kernel

// No assembly here: false, or no element done, lets the portable loops run.

func packConvPanels[T Float](c *ConvPool[T]) bool { return false }

func (c *ConvPool[T]) forwardVectors(y []T, offset []int32, x, bias []T, batch int) bool {
	return false
}

func (c *ConvPool[T]) spectraSize() int { return 0 }

func (c *ConvPool[T]) patchVectors(g []T, alpha T, dy []T, offset []int32, x []T, outs, windows, samples int) bool {
	return false
}

func (c *ConvPool[T]) scatterVectors(dx, records, dy []T, offset []int32, n int) bool { return false }

func (c *ConvPool[T]) imageVectors(dx, placed, dy []T, offset []int32) bool { return false }

func (c *ConvPool[T]) columnVectors(sum []T, alpha T, dy []T, n int) bool { return false }

func gateVectorsOf[T Float](dx, gate []T) int { return 0 }
