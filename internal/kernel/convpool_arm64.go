//go:build arm64 && !purego

package kernel

import "unsafe"

// What arm64 does in its own way: weights are transposed in Go, the forward product
// is always the direct one, and deltas are sorted in Go, for NEON has no movemask.

func packConvPanels[T Float](c *ConvPool[T]) bool { return false }

func (c *ConvPool[T]) spectraSize() int { return 0 }

func (c *ConvPool[T]) forwardVectors(y []T, offset []int32, x, bias []T, batch int) bool {
	if !c.vectors() {
		return false
	}
	for b := range batch {
		c.forwardDirect(y[b*c.PooledSize():], offset[b*c.Outputs():], x[b*c.ImageSize():], bias)
	}
	return true
}

// sortWindows makes the records of a row of windows that starts at the given
// offsets in dx and in its sample. A record lists the live outputs of a window,
// sorted by the position of their maximum:
//
//	at     int32    start of the window in dx, in bytes
//	end    [4]int32 end of the deltas of each position, in bytes from the record
//	        [3]int32 not used
//	delta  [OutC+8]float32
//	weight [OutC+8]int32, the place of the output's weights in bytes
func (c *ConvPool[T]) sortWindows(records, dy []T, offset []int32, inBatch, inSample int) {
	const header = 8
	for q := range c.W / 2 {
		record := records[q*c.recordSize():][:c.recordSize()]
		integers := unsafe.Slice((*int32)(unsafe.Pointer(&record[0])), len(record))
		delta, weight := record[header:], integers[header+c.OutC+8:]
		at := 2 * q * c.channels
		integers[0] = int32(inBatch+at) * elementBytes
		deltas, offsets := dy[q*c.OutC:(q+1)*c.OutC], offset[q*c.OutC:(q+1)*c.OutC]
		var ends [4]int
		for o, d := range deltas {
			if d != 0 {
				ends[c.position(int(offsets[o])-inSample-at)]++
			}
		}
		var next [4]int
		for p := range 3 {
			next[p+1] = next[p] + ends[p]
		}
		for p := range next {
			integers[1+p] = int32(header+next[p]+ends[p]) * elementBytes
		}
		for o, d := range deltas {
			if d != 0 {
				i := &next[c.position(int(offsets[o])-inSample-at)]
				delta[*i], weight[*i] = d, int32(o*9*c.slice*elementBytes)
				*i++
			}
		}
	}
}
