package onnx

import (
	"encoding/binary"
	"math"
	"slices"
)

// The orders of axes that change between channels-last and channels-first.
var (
	toFirst = []int64{0, 3, 1, 2}
	toLast  = []int64{0, 2, 3, 1}
)

func (c *call) flatten() (any, error) {
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	axis, err := c.axis(c.int("axis", 1), 1+len(f.dims))
	if err != nil {
		return nil, err
	}
	if axis != 1 {
		return nil, c.unsupported("axis %d; supported is 1, behind the batch", axis)
	}
	return c.reshape(f, []int{f.end.shape.size()})
}

func (c *call) reshapeNode() (any, error) {
	v, err := c.input(0)
	if err != nil {
		return nil, err
	}
	want, err := c.integers(1)
	if err != nil {
		return nil, err
	}
	keepZero := c.int("allowzero", 0) != 0
	k, ok := v.(*constant)
	if ok {
		dims, err := c.resolve(want, k.shape(), keepZero)
		if err != nil {
			return nil, err
		}
		return k.reshaped(dims)
	}
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	dims, err := c.resolveBatch(want, f.dims, keepZero)
	if err != nil {
		return nil, err
	}
	return c.reshape(f, dims)
}

// resolve returns the shape that want asks for: 0 is the size that the input has
// there, -1 what the other sizes leave.
func (c *call) resolve(want []int64, have []int, keepZero bool) ([]int, error) {
	if len(want) > maxRank {
		return nil, c.unsupported("%d dimensions", len(want))
	}
	dims, open, known := make([]int, len(want)), -1, uint64(1)
	for i, size := range want {
		switch {
		case size == 0 && !keepZero && i < len(have):
			size = int64(have[i])
		case size == -1 && open < 0:
			open = i
			continue
		}
		if size == batchSize {
			return nil, c.unsupported("the size of the batch within samples")
		}
		if size < 0 || size > math.MaxInt32 || known*uint64(size) > maxSample {
			return nil, c.malformed("the shape %v", want)
		}
		dims[i], known = int(size), known*uint64(size)
	}
	if open < 0 {
		return dims, nil
	}
	n, _ := count(have)
	if known == 0 || n%known != 0 {
		return nil, c.malformed("the shape %v of %d elements", want, n)
	}
	dims[open] = int(n / known)
	return dims, nil
}

// resolveBatch returns the shape of one sample, if the first size that want asks
// for is that of the batch: 0, computed, open, or fixed when the graph was exported.
func (c *call) resolveBatch(want []int64, have []int, keepZero bool) ([]int, error) {
	if len(want) == 0 {
		return nil, c.malformed("samples become a scalar")
	}
	first, rest := want[0], want[1:]
	dims, err := c.resolve(append([]int64{1}, rest...), append([]int{1}, have...), keepZero)
	if err != nil {
		return nil, err
	}
	n, _ := count(have)
	m, _ := count(dims)
	batch := first == batchSize || first == 0 && !keepZero || first == -1 || first > 0 && first == int64(c.batch)
	if !batch || m != n || first == -1 && slices.Contains(rest, -1) {
		return nil, c.unsupported("shape %v of samples of shape %v mixes samples; supported is the batch in front of the %d elements of a sample", want, have, n)
	}
	return dims[1:], nil
}

func (c *call) squeeze() (any, error) {
	v, err := c.input(0)
	if err != nil {
		return nil, err
	}
	dims := shapeIn(v)
	axes, err := c.axesOf("axes", 1, len(dims))
	if err != nil {
		return nil, err
	}
	var left []int
	for i, size := range dims {
		switch {
		case axes == nil && size != 1, axes != nil && !slices.Contains(axes, i):
			left = append(left, size)
		case size != 1:
			return nil, c.malformed("axis %d of shape %v has not the size 1", i, dims)
		}
	}
	return c.withShape(v, left)
}

func (c *call) unsqueeze() (any, error) {
	v, err := c.input(0)
	if err != nil {
		return nil, err
	}
	given := c.ints("axes")
	if c.has(1) {
		if given, err = c.integers(1); err != nil {
			return nil, err
		}
	}
	dims := shapeIn(v)
	rank := len(dims) + len(given)
	if rank > maxRank {
		return nil, c.unsupported("%d dimensions", rank)
	}
	axes, err := c.axesOf("axes", 1, rank)
	if err != nil {
		return nil, err
	}
	for _, axis := range slices.Sorted(slices.Values(axes)) {
		dims = slices.Insert(dims, axis, 1)
	}
	return c.withShape(v, dims)
}

// batchDim stands for the size of the batch in shapes; it is never 1.
const batchDim = -1

// shapeIn is the shape of a value in the graph.
func shapeIn(v any) []int {
	if k, ok := v.(*constant); ok {
		return k.shape()
	}
	return append([]int{batchDim}, v.(*flow).dims...)
}

func (c *call) withShape(v any, dims []int) (any, error) {
	if k, ok := v.(*constant); ok {
		return k.reshaped(dims)
	}
	f := v.(*flow)
	if err := f.plain(); err != nil {
		return nil, err
	}
	if len(dims) < 2 || dims[0] != batchDim {
		return nil, c.unsupported("samples of shape %v lose the batch in front", f.dims)
	}
	return c.reshape(f, dims[1:])
}

func (c *call) transpose() (any, error) {
	v, err := c.input(0)
	if err != nil {
		return nil, err
	}
	dims := shapeIn(v)
	perm := c.ints("perm")
	if perm == nil {
		for i := len(dims) - 1; i >= 0; i-- {
			perm = append(perm, int64(i))
		}
	}
	axes := make([]int, len(perm))
	for i, p := range perm {
		if p < 0 || int(p) >= len(dims) || len(perm) != len(dims) || slices.Contains(axes[:i], int(p)) {
			return nil, c.malformed("perm %v of shape %v", perm, dims)
		}
		axes[i] = int(p)
	}
	if k, ok := v.(*constant); ok {
		if k.t == nil {
			return k, nil
		}
		return k.transposed(axes), nil
	}
	return c.transposeSamples(perm)
}

// transposeSamples changes the order of storage, nothing else.
func (c *call) transposeSamples(perm []int64) (any, error) {
	f, err := c.flow(0)
	if err != nil {
		return nil, err
	}
	trivial := f.end.shape.image() && f.end.shape.sameOrder()
	switch {
	case slices.IsSorted(perm):
		return f, nil
	case len(f.dims) == 3 && slices.Equal(perm, toFirst) && (f.last || trivial):
		return flowOf(f.end, false), nil
	case len(f.dims) == 3 && slices.Equal(perm, toLast) && (!f.last || trivial):
		return flowOf(f.end, true), nil
	}
	return nil, c.unsupported("perm %v of a batch of samples of shape %v; supported are changes between channels first and channels last", perm, f.dims)
}

func (c *call) constantNode() (any, error) {
	if len(c.n.Attributes) != 1 || len(c.n.Outputs) == 0 {
		return nil, c.unsupported("%d attributes; supported is one of value, value_float, value_floats, value_int, value_ints", len(c.n.Attributes))
	}
	a := &c.n.Attributes[0]
	var t Tensor
	switch a.Name {
	case "value_int":
		return &constant{ints: []int64{c.int(a.Name, 0)}, scalar: true}, nil
	case "value_ints":
		return c.smallInts(c.ints(a.Name))
	case "value":
		if c.attribute(a.Name, TensorAttribute) != nil {
			t = *a.Tensor
		}
	case "value_float":
		t = newFloats([]float32{c.float(a.Name, 0)}, []int{})
	case "value_floats":
		c.attribute(a.Name, FloatsAttribute)
		t = newFloats(a.Floats, []int{len(a.Floats)})
	}
	t.Name = c.n.Outputs[0]
	return &constant{t: &t, base: t.Shape}, nil // checkAsked refuses other attributes
}

func newFloats(v []float32, shape []int) Tensor {
	t := Tensor{DType: Float, Shape: shape}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t
}

func (c *call) smallInts(v []int64) (any, error) {
	if len(v) > maxInts {
		return nil, c.unsupported("%d integers; up to %d are needed", len(v), maxInts)
	}
	return &constant{ints: v}, nil
}

// shapeNode returns the shape of samples, with the batch in front.
func (c *call) shapeNode() (any, error) {
	v, err := c.input(0)
	if err != nil {
		return nil, err
	}
	var sizes []int64
	for _, size := range shapeIn(v) {
		if size == batchDim {
			sizes = append(sizes, batchSize)
		} else {
			sizes = append(sizes, int64(size))
		}
	}
	start, end := c.int("start", 0), c.int("end", int64(len(sizes)))
	if start < 0 || end < start || end > int64(len(sizes)) {
		return nil, c.unsupported("the sizes from %d to %d of %d", start, end, len(sizes))
	}
	return &constant{ints: sizes[start:end]}, nil
}

// gather takes elements of a computed shape.
func (c *call) gather() (any, error) {
	if err := c.require("axis", 0, 0); err != nil {
		return nil, err
	}
	from, err := c.integers(0)
	if err != nil {
		return nil, err
	}
	k, err := c.constant(1)
	if err != nil {
		return nil, err
	}
	index, err := k.integers()
	if err != nil {
		return nil, err
	}
	taken := make([]int64, len(index))
	for i, at := range index {
		axis, err := c.axis(at, len(from))
		if err != nil {
			return nil, err
		}
		taken[i] = from[axis]
	}
	return &constant{ints: taken, scalar: len(k.shape()) == 0}, nil
}

func (c *call) concat() (any, error) {
	if axis := c.int("axis", 0); axis != 0 && axis != -1 {
		return nil, c.unsupported("axis %d; supported are shapes", axis)
	}
	var all []int64
	for i := range c.n.Inputs {
		part, err := c.integers(i)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
		if len(all) > maxInts {
			break
		}
	}
	return c.smallInts(all)
}
