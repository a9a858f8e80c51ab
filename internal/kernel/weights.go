package kernel

import "unsafe"

// Weights is the matrix W of a dense layer, out×in, in a packed layout that it
// keeps through the whole training: column panels of PanelWidth outputs,
// [out/width][in][width], the last panel padded with zeros. All methods keep
// the padding zero.
//
// The batches that the methods take are row-major, one sample a row, with the
// row stride Stride(features); the elements between features and the stride
// are padding: zero on input, set to zero on output. Bias vectors hold
// Stride(Out) elements with zero padding.
//
// Results are deterministic. In batches whose size is a multiple of RowBlock,
// a row of y or dx does not depend, bit for bit, on the other rows or on the
// size of the batch. Products with an input or gate that is exactly zero may be
// left out: a weight that is NaN or infinite need not show in them.
//
// Forward and Backward only read the weights and may run concurrently; Update,
// Pack, Scale and Add need exclusive access.
type Weights[T Float] struct {
	Out, In int
	width   int
	data    []T

	// What Update needs: the scaled dY of some panels, and which samples of
	// each input are not zero.
	delta []T
	live  []uint32
}

// cacheLine is the alignment of packed weights in bytes.
const cacheLine = 64

// PanelWidth is the number of outputs in one panel: 24 float32 or 12 float64.
func PanelWidth[T Float]() int {
	var z T
	return 96 / int(unsafe.Sizeof(z))
}

// Stride returns the row stride of a batch of vectors with the given number of
// features: the next multiple of the panel width.
func Stride[T Float](features int) int {
	w := PanelWidth[T]()
	return (features + w - 1) / w * w
}

// NewWeights returns a zero matrix out×in.
func NewWeights[T Float](out, in int) *Weights[T] {
	if out <= 0 || in <= 0 {
		panic("kernel: NewWeights needs positive sizes")
	}
	return &Weights[T]{
		Out: out, In: in, width: PanelWidth[T](),
		data:  aligned[T](Stride[T](out) * in),
		delta: aligned[T](maskBits * maxPanels * PanelWidth[T]()),
		live:  make([]uint32, maskChunks*Stride[T](in)),
	}
}

// aligned returns n zero elements that start at a cache line.
func aligned[T Float](n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	s := make([]T, n+cacheLine/size)
	skip := 0
	if r := int(uintptr(unsafe.Pointer(&s[0])) % cacheLine); r != 0 {
		skip = (cacheLine - r) / size
	}
	return s[skip : skip+n : skip+n]
}

// Pack sets W from src, row-major [out][in].
func (w *Weights[T]) Pack(src []T) {
	if len(src) != w.Out*w.In {
		panic("kernel: Pack: length of src is not out·in")
	}
	for o := range w.Out {
		p := w.data[o/w.width*w.width*w.In+o%w.width:]
		for i, v := range src[o*w.In : (o+1)*w.In] {
			p[i*w.width] = v
		}
	}
}

// Unpack writes W to dst, row-major [out][in].
func (w *Weights[T]) Unpack(dst []T) {
	if len(dst) != w.Out*w.In {
		panic("kernel: Unpack: length of dst is not out·in")
	}
	for o := range w.Out {
		p := w.data[o/w.width*w.width*w.In+o%w.width:]
		row := dst[o*w.In : (o+1)*w.In]
		for i := range row {
			row[i] = p[i*w.width]
		}
	}
}

// Scale multiplies every weight by a.
func (w *Weights[T]) Scale(a T) { Scale(w.data, a) }

// Add adds a·v to W, element by element; v has the same shape.
func (w *Weights[T]) Add(a T, v *Weights[T]) {
	if w.Out != v.Out || w.In != v.In {
		panic("kernel: Add: shapes differ")
	}
	Axpy(w.data, a, v.data)
}

// Forward computes y = x Wᵀ + bias, followed by max(0, ·) when relu is set.
// x is batch×In, y is batch×Out; neither may overlap the other. It panics if a
// slice is too short.
func (w *Weights[T]) Forward(y, x, bias []T, batch int, relu bool) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	if batch < 0 || len(x) < batch*sx || len(y) < batch*sy || len(bias) < sy {
		panic("kernel: Forward: slice too short")
	}
	if batch == 0 {
		return
	}
	y, x, bias = y[:batch*sy], x[:batch*sx], bias[:sy]
	if simd {
		w.forwardTiled(y, x, bias, batch, relu)
	} else {
		w.forwardGeneric(y, x, bias, batch, relu)
	}
}

// Backward computes dx = dy W. dy is batch×Out, dx is batch×In. Where gate is
// not nil (batch×In, the layer's input after a ReLU), elements of dx whose gate
// is not positive are set to zero. dx must not overlap dy or gate. It panics if
// a slice is too short.
func (w *Weights[T]) Backward(dx, dy, gate []T, batch int) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	if batch < 0 || len(dx) < batch*sx || len(dy) < batch*sy || gate != nil && len(gate) < batch*sx {
		panic("kernel: Backward: slice too short")
	}
	if batch == 0 {
		return
	}
	dx, dy = dx[:batch*sx], dy[:batch*sy]
	if gate != nil {
		gate = gate[:batch*sx]
	}
	if simd {
		w.backwardTiled(dx, dy, gate, batch)
	} else {
		w.backwardGeneric(dx, dy, gate, batch)
	}
}

// Update computes W += alpha dyᵀ x and, where bias is not nil, bias += alpha Σ dy
// over the batch: with alpha = −η (dy the gradient of the batch loss) this is a
// whole step of SGD without a gradient buffer. dy is batch×Out, x is batch×In.
// It panics if a slice is too short.
func (w *Weights[T]) Update(alpha T, dy, x, bias []T, batch int) {
	sx, sy := Stride[T](w.In), Stride[T](w.Out)
	if batch < 0 || len(x) < batch*sx || len(dy) < batch*sy || bias != nil && len(bias) < sy {
		panic("kernel: Update: slice too short")
	}
	if batch == 0 {
		return
	}
	dy, x = dy[:batch*sy], x[:batch*sx]
	if simd {
		w.updateTiled(alpha, dy, x, bias, batch)
	} else {
		w.updateGeneric(alpha, dy, x, bias, batch)
	}
}
