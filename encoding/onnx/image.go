package onnx

import (
	"math"
	"slices"
)

// image returns input 0, an image that the graph has channels-first.
func (c *call) image() (*flow, error) {
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	switch {
	case len(f.dims) != 3:
		return nil, c.unsupported("samples of shape %v; supported are images [channels, height, width]", f.dims)
	case f.last && !f.end.shape.sameOrder():
		return nil, c.malformed("channels-last images of shape %v; the operator takes channels first", f.dims)
	}
	return flowOf(f.end, false), nil
}

// windows are the attributes of convolutions and poolings.
type windows struct {
	kernel, stride []int64
	before, after  []int64 // padding
}

func (c *call) windows(s shape, kernel []int64) (*windows, error) {
	w := &windows{kernel: kernel, stride: c.ints("strides")}
	if w.stride == nil {
		w.stride = []int64{1, 1}
	}
	pads, dilations := c.ints("pads"), c.ints("dilations")
	if pads == nil {
		pads = make([]int64, 4)
	}
	if dilations == nil {
		dilations = []int64{1, 1}
	}
	if len(w.kernel) != 2 || len(w.stride) != 2 || len(pads) != 4 || len(dilations) != 2 {
		return nil, c.malformed("kernel_shape, strides, pads and dilations of %d, %d, %d and %d numbers on images, which need 2, 2, 4 and 2", len(w.kernel), len(w.stride), len(pads), len(dilations))
	}
	for _, v := range slices.Concat(w.kernel, w.stride) {
		if v < 1 || v > math.MaxInt32 {
			return nil, c.malformed("kernel_shape %v and strides %v; sizes are at least 1", w.kernel, w.stride)
		}
	}
	w.before, w.after = pads[:2], pads[2:]
	if err := c.autoPad(w, s); err != nil {
		return nil, err
	}
	switch {
	case slices.Min(pads) < 0 || slices.Max(pads) > math.MaxInt32:
		return nil, c.malformed("pads %v", pads)
	case dilations[0] != 1 || dilations[1] != 1:
		return nil, c.unsupported("dilations %v; supported is 1", dilations)
	case w.kernel[0] != w.kernel[1] || w.stride[0] != w.stride[1]:
		return nil, c.unsupported("kernel_shape %v with strides %v; supported are squares", w.kernel, w.stride)
	}
	return w, nil
}

// autoPad computes the padding that auto_pad asks for.
func (c *call) autoPad(w *windows, s shape) error {
	mode := c.string("auto_pad", "NOTSET")
	switch mode {
	case "NOTSET":
		return nil
	case "VALID", "SAME_UPPER", "SAME_LOWER":
	default:
		return c.malformed("auto_pad %.40q", mode)
	}
	w.before, w.after = make([]int64, 2), make([]int64, 2)
	if mode == "VALID" {
		return nil
	}
	for axis, size := range []int64{int64(s.h), int64(s.w)} {
		outputs := (size-1)/w.stride[axis] + 1
		total := max(0, (outputs-1)*w.stride[axis]+w.kernel[axis]-size)
		w.before[axis], w.after[axis] = total/2, total-total/2
		if mode == "SAME_LOWER" {
			w.before[axis], w.after[axis] = w.after[axis], w.before[axis]
		}
	}
	return nil
}

func (c *call) conv() (any, error) {
	f, err := c.image()
	if err != nil {
		return nil, err
	}
	k, err := c.constant(1)
	if err != nil {
		return nil, err
	}
	s := k.shape()
	if len(s) != 4 || slices.Min(s) < 1 {
		return nil, c.unsupported("weights of shape %v; supported are [out, in, height, width]", s)
	}
	kernel := []int64{int64(s[2]), int64(s[3])}
	if given := c.ints("kernel_shape"); given != nil && !slices.Equal(given, kernel) {
		return nil, c.malformed("kernel_shape %v and weights of shape %v", given, s)
	}
	if err := c.require("group", 1, 1); err != nil {
		return nil, err
	}
	w, err := c.windows(f.end.shape, kernel)
	if err != nil {
		return nil, err
	}
	if pads := slices.Concat(w.before, w.after); slices.Min(pads) != slices.Max(pads) {
		return nil, c.unsupported("padding %v in front and %v behind; supported is the same on all sides", w.before, w.after)
	}
	if s[1] != f.end.shape.c {
		return nil, c.malformed("weights of shape %v on images of %d channels", s, f.end.shape.c)
	}
	l := Layer{Kind: Conv, Out: s[0], Kernel: s[2], Stride: int(w.stride[0]), Padding: int(w.before[0])}
	if l.Weight, err = c.weightsOf(k, c.n); err != nil {
		return nil, err
	}
	if c.has(2) {
		if l.Bias, err = c.parameters(2, l.Out); err != nil {
			return nil, err
		}
	}
	return c.spatial(f, l)
}

// pooling lowers MaxPool and AveragePool over windows side by side.
func pooling(kind Kind) func(*call) (any, error) {
	return func(c *call) (any, error) {
		c.ignore("storage_order", "count_include_pad")
		f, err := c.image()
		if err != nil {
			return nil, err
		}
		s := f.end.shape
		w, err := c.windows(s, c.ints("kernel_shape"))
		if err != nil {
			return nil, err
		}
		size := w.kernel[0]
		switch {
		case slices.Max(w.before) > 0 || slices.Max(w.after) > 0:
			return nil, c.unsupported("padding %v in front and %v behind; supported are poolings without", w.before, w.after)
		case w.stride[0] != size:
			return nil, c.unsupported("windows of %d with stride %d; supported are windows side by side", size, w.stride[0])
		case c.int("ceil_mode", 0) != 0 && (int64(s.h)%size != 0 || int64(s.w)%size != 0):
			return nil, c.unsupported("ceil_mode with windows of %d on %d×%d pixels; supported are whole windows", size, s.h, s.w)
		}
		return c.spatial(f, Layer{Kind: kind, Kernel: int(size)})
	}
}

func (c *call) globalAveragePool() (any, error) {
	f, err := c.image()
	if err != nil {
		return nil, err
	}
	return c.averageAll(f)
}

// averageAll appends the average over all pixels of a square image.
func (c *call) averageAll(f *flow) (any, error) {
	switch s := f.end.shape; {
	case s.h != s.w:
		return nil, c.unsupported("the average over %d×%d pixels; supported are squares", s.h, s.w)
	case s.h == 1:
		return f, nil
	}
	return c.spatial(f, Layer{Kind: AvgPool, Kernel: f.end.shape.h})
}

// reduceMean is supported as an average over the pixels.
func (c *call) reduceMean() (any, error) {
	c.ignore("noop_with_empty_axes")
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	axes, err := c.axesOf("axes", 1, 1+len(f.dims))
	if err != nil {
		return nil, err
	}
	slices.Sort(axes)
	pixels := []int{2, 3}
	if f.last {
		pixels = []int{1, 2}
	}
	if len(f.dims) != 3 || !slices.Equal(axes, pixels) {
		return nil, c.unsupported("the mean over the axes %v of a batch of samples of shape %v; supported is that over the pixels of images", axes, f.dims)
	}
	v, err := c.averageAll(f)
	if err != nil || c.int("keepdims", 1) != 0 {
		return v, err
	}
	return c.reshape(v.(*flow), []int{f.end.shape.c})
}
