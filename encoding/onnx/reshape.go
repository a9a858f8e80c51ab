package onnx

import (
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
