package kernel

// ConvPool is a 3×3 convolution with padding 1 and stride 1, followed by ReLU
// and 2×2 max-pooling with stride 2, as one operation:
//
//	y[py][px][o] = max(0, max_{q∈2×2} bias[o] + Σ_{ky,kx,c} w[o][ky][kx][c] · x[2py+qy+ky][2px+qx+kx][c]),
//
// x with its border of zeros. H and W, the size of the input map, are even; OutC
// is a multiple of 16.
//
// An image, in x and y, is NHWC with a border of one zero pixel, (H+2)×(W+2)
// pixels of InC channels; samples are ImageSize elements apart. InC is rounded up
// to a multiple of 8 with zero channels, except for 3 channels, which stay 3. So
// y of one ConvPool is x of the next one. Forward writes the interior of y only:
// whoever makes the buffer leaves its border zero.
//
// Gradients with respect to x and y are compact NHWC: dy is
// [sample][H/2][W/2][OutC], dx is [sample][H][W][InC], again without zero
// channels, so that dx of one ConvPool is dy of the one before. Forward stores
// beside y where the maximum of each window was (the first in row-major order):
// offset has the layout of dy and counts elements from the start of the sample in
// x to the first element of the 3×3 patch. Only that patch has a gradient, a
// quarter of the dense work: Backward, Update and SamplePowers go through
// patches. They take dy as the gradient with respect to the sum under the ReLU,
// which is zero where y is zero.
//
// Where the sums are formed as products of transforms (see BenchmarkConvPool for
// what that gains), they differ from direct ones by rounding, as if added in another
// order.
//
// Results are deterministic, and a sample's y, offset, dx and powers do not
// depend, bit for bit, on the other samples of a batch. A NaN in one of the
// first pixels of a window shows in y; one in the others may lose against a
// number, as it compares with nothing.
//
// Forward, Backward and SamplePowers only read the weights and may run
// concurrently; the others need exclusive access.
type ConvPool[T Float] struct {
	InC, OutC, H, W int
	channels        int // of a pixel in memory
	slice           int // channels in a block of weights: 8 or 3
	data            []T // blocks [channels/slice][OutC][3][3][slice]
	panels          []T // the same weights as [OutC/16][3][3][channels][16]
	spectra         []T // their transforms, where Forward uses them
}

// panelOut is the number of outputs in a panel.
const panelOut = 16

// bandWindows is how many windows of a large map pass an update together: their
// deltas, offsets and part of the image have to stay in the first cache.
const bandWindows = 64

// Backward in assembly sorts the deltas of up to chunkWindows windows before it
// uses them; a window has a record of recordSize elements.
const chunkWindows = 16

func (c *ConvPool[T]) recordSize() int { return 8 + 2*(c.OutC+8) }

// chunkRows is the number of rows of windows that are sorted together.
func (c *ConvPool[T]) chunkRows() int { return max(1, chunkWindows/(c.W/2)) }

// NewConvPool returns zero weights for maps of h×w pixels. It panics if h or w is
// odd or outC not a multiple of 16.
func NewConvPool[T Float](outC, inC, h, w int) *ConvPool[T] {
	if inC <= 0 || outC <= 0 || h <= 0 || w <= 0 {
		panic("kernel: NewConvPool needs positive sizes")
	}
	if h%2 != 0 || w%2 != 0 || outC%panelOut != 0 {
		panic("kernel: NewConvPool: odd map or outputs not a multiple of 16")
	}
	channels, slice := (inC+7)/8*8, 8
	if inC == 3 {
		channels, slice = 3, 3
	}
	c := &ConvPool[T]{
		InC: inC, OutC: outC, H: h, W: w, channels: channels, slice: slice,
		data:   aligned[T](outC * 9 * channels),
		panels: aligned[T](outC * 9 * channels),
	}
	c.spectra = aligned[T](c.spectraSize())
	return c
}

// imageSize is the distance between samples with a border: whole cache lines
// with room for a vector, and away from multiples of the page size, at which all
// samples would compete for the same lines of the first cache.
func imageSize(h, w, channels int) int {
	n := ((h+2)*(w+2)*channels + 15) / 16 * 16
	if n%1024 == 0 {
		n += 16
	}
	return n
}

// ImageSize is the number of elements from sample to sample in x.
func (c *ConvPool[T]) ImageSize() int { return imageSize(c.H, c.W, c.channels) }

// PooledSize is the number of elements from sample to sample in y.
func (c *ConvPool[T]) PooledSize() int { return imageSize(c.H/2, c.W/2, c.OutC) }

// Outputs is the number of pooled elements of a sample, OutC·H/2·W/2: the
// distance between samples in dy and in offset.
func (c *ConvPool[T]) Outputs() int { return c.H / 2 * c.W / 2 * c.OutC }

// Inputs is the number of elements of a sample in dx, InC·H·W.
func (c *ConvPool[T]) Inputs() int { return c.H * c.W * c.InC }

// row is the distance between rows of x.
func (c *ConvPool[T]) row() int { return (c.W + 2) * c.channels }

// windows is the number of pooled pixels.
func (c *ConvPool[T]) windows() int { return c.H / 2 * c.W / 2 }

// block returns the weights of output o for one slice of channels.
func (c *ConvPool[T]) block(slice, o int) []T {
	n := 9 * c.slice
	at := (slice*c.OutC + o) * n
	return c.data[at : at+n : at+n]
}

func (c *ConvPool[T]) slices() int { return c.channels / c.slice }

// Pack sets the weights from src in PyTorch's order, [OutC][InC][3][3].
func (c *ConvPool[T]) Pack(src []T) {
	if len(src) != c.OutC*c.InC*9 {
		panic("kernel: ConvPool.Pack: length of src is not 9·out·in")
	}
	for o := range c.OutC {
		for i := range c.InC {
			block := c.block(i/c.slice, o)
			for tap, v := range src[(o*c.InC+i)*9 : (o*c.InC+i+1)*9] {
				block[tap*c.slice+i%c.slice] = v
			}
		}
	}
	c.pack()
}

// Unpack writes the weights to dst in PyTorch's order.
func (c *ConvPool[T]) Unpack(dst []T) {
	if len(dst) != c.OutC*c.InC*9 {
		panic("kernel: ConvPool.Unpack: length of dst is not 9·out·in")
	}
	for o := range c.OutC {
		for i := range c.InC {
			block := c.block(i/c.slice, o)
			row := dst[(o*c.InC+i)*9 : (o*c.InC+i+1)*9]
			for tap := range row {
				row[tap] = block[tap*c.slice+i%c.slice]
			}
		}
	}
}

// Scale multiplies every weight by a.
func (c *ConvPool[T]) Scale(a T) {
	Scale(c.data, a)
	c.pack()
}

// Add adds a·v to the weights; v has the same shape.
func (c *ConvPool[T]) Add(a T, v *ConvPool[T]) {
	if c.OutC != v.OutC || c.InC != v.InC {
		panic("kernel: ConvPool.Add: shapes differ")
	}
	Axpy(c.data, a, v.data)
	c.pack()
}

// pack copies the weights to the panels that Forward reads.
func (c *ConvPool[T]) pack() {
	if packConvPanels(c) {
		return
	}
	for s := range c.slices() {
		for o := range c.OutC {
			block := c.block(s, o)
			panel := c.panels[o/panelOut*panelOut*9*c.channels+o%panelOut:]
			for tap := range 9 {
				for i, v := range block[tap*c.slice : (tap+1)*c.slice] {
					panel[(tap*c.channels+s*c.slice+i)*panelOut] = v
				}
			}
		}
	}
}
