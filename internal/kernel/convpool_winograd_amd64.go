//go:build amd64 && !purego

package kernel

import "sync"

// Winograd's minimal filtering F(2×2, 3×3): the output tile of the transform is
// a pooling window, and 16 products of a channel take the place of 36. Lavin and
// Gray (2016), Fast algorithms for convolutional neural networks. Sums of regions
// that are constant, where a window has equal pixels, stay exactly equal: the
// first of them wins as in the direct form.

// A chunk of windows has its transforms in the second cache together, a tile is
// what one call multiplies.
const (
	winogradChunk = 4 * winogradRows
	winogradRows  = 6
	winogradSize  = 16
	winogradGap   = 64 / elementBytes
)

// transformSize is the distance between transformed windows, panelSpectra that
// between panels of transformed weights. The gaps are those of the assembly.
func (c *ConvPool[T]) transformSize() int { return winogradSize*c.channels + winogradGap }

func (c *ConvPool[T]) panelSpectra() int { return winogradSize * (c.channels*panelOut + winogradGap) }

type winogradScratch struct {
	v     []float32 // winogradChunk transforms
	m     []float32 // [16][winogradRows][panelOut]
	table [winogradChunk][3]int32
}

var winogradPool sync.Pool

func getWinograd(transform int) *winogradScratch {
	s, ok := winogradPool.Get().(*winogradScratch)
	if !ok {
		s = &winogradScratch{m: aligned[float32](winogradRows * winogradSize * panelOut)}
	}
	if n := winogradChunk * transform; len(s.v) < n {
		s.v = aligned[float32](n)
	}
	return s
}

// packWinograd transforms the panels; c.spectra holds [OutC/16][16][channels][16]
// with gaps.
func (c *ConvPool[T]) packWinograd() {
	half := float32(0.5)
	for o := 0; o < c.OutC; o += panelOut {
		winogradWeights(f32(&c.spectra[o/panelOut*c.panelSpectra()]), f32(&c.panels[o*9*c.channels]), &half,
			c.channels*panelOut/lanes[T]())
	}
}

func (c *ConvPool[T]) forwardWinograd(y []T, offset []int32, x, bias []T, batch int) {
	s := getWinograd(c.transformSize())
	step := c.steps()
	for first := 0; first < batch*c.windows(); first += winogradChunk {
		n := min(winogradChunk, batch*c.windows()-first)
		c.locate(s.table[:n], first)
		winogradInput(&s.v[0], f32(&x[0]), &s.table[0][0], c.row()*elementBytes, c.channels*elementBytes, n)
		for o := 0; o < c.OutC; o += panelOut {
			for q := 0; q < n; q += winogradRows {
				winogradTile(&s.m[0], &s.v[q*c.transformSize()], f32(&c.spectra[o/panelOut*c.panelSpectra()]), c.channels*elementBytes)
				winogradOutput(f32(&y[o]), &offset[(first+q)*c.OutC+o], &s.m[0], f32(&bias[o]), &s.table[q][0], &step,
					c.OutC*elementBytes, min(winogradRows, n-q))
			}
		}
	}
	winogradPool.Put(s)
}

// locate says for windows from first on where they start in x, in y and in their
// sample.
func (c *ConvPool[T]) locate(table [][3]int32, first int) {
	across, down := c.W/2, c.H/2
	b := first / (across * down)
	r, q := first/across%down, first%across
	for i := range table {
		at := 2*r*c.row() + 2*q*c.channels
		table[i] = [3]int32{int32(b*c.ImageSize() + at), int32(b*c.PooledSize() + ((r+1)*(across+2)+q+1)*c.OutC), int32(at)}
		if q++; q == across {
			q = 0
			if r++; r == down {
				r = 0
				b++
			}
		}
	}
}
