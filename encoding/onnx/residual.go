package onnx

import (
	"math"
	"slices"
)

// shortcut is what Slice and Pad make of a block's input: every step-th pixel,
// with before and after zero channels around the own ones.
type shortcut struct {
	node          string
	step          [2]int // of rows and of columns
	before, after int
}

func (c *call) add() (any, error) {
	a, err := c.input(0)
	if err != nil {
		return nil, err
	}
	b, err := c.input(1)
	if err != nil {
		return nil, err
	}
	if k, ok := a.(*constant); ok {
		a, b = b, k
	}
	x, ok := a.(*flow)
	if !ok {
		return nil, c.unsupported("a sum of constants; let the exporter fold constants")
	}
	if y, ok := b.(*flow); ok {
		return c.residual(x, y)
	}
	k := b.(*constant)
	if x.erf != nil && x.erf.p == 0 && k.elements() == 1 {
		return c.addToErf(x, k)
	}
	if err := x.plain(); err != nil {
		return nil, err
	}
	return c.biased(x, k, 1)
}

func (c *call) addToErf(x *flow, k *constant) (any, error) {
	v, err := c.valuesOf(k)
	if err != nil {
		return nil, err
	}
	p := *x.erf
	p.a += v[0] / p.scale
	return c.pending(x, p)
}

// residual adds a branch and the value that it begins with.
func (c *call) residual(x, y *flow) (any, error) {
	if x.shortcut != nil || x.end.depth < y.end.depth && y.shortcut == nil {
		x, y = y, x
	}
	if err := x.plain(); err != nil {
		return nil, err
	}
	s := shortcut{step: [2]int{1, 1}}
	if y.shortcut != nil {
		s = *y.shortcut
	} else if err := y.plain(); err != nil {
		return nil, err
	}
	start := y.end
	if x.end == start || x.end.above(start.depth) != start {
		return nil, c.unsupported("adds two branches, neither of which is the other's input; supported are residual blocks whose shortcut is the input itself, or every n-th pixel of it with zero channels on both sides, not a projection")
	}
	if !slices.Equal(x.dims, y.dims) || x.last != y.last || x.flat != y.flat {
		return nil, c.unsupported("adds samples of shapes %v and %v, in other orders or broadcast", x.dims, y.dims)
	}
	if more := s.before + s.after; s.step[0] != s.step[1] || s.before != more/2 {
		return nil, c.unsupported("a shortcut with strides %v, %d zero channels in front and %d behind; supported are one stride and as many in front as behind", s.step, s.before, s.after)
	}
	nesting := 0
	for l := x.end; l != start; l = l.prev {
		nesting = max(nesting, l.nesting)
	}
	if nesting == maxNesting {
		return nil, c.unsupported("more than %d residual blocks in one another", maxNesting)
	}
	f := *x
	f.end = &link{
		prev: start, body: x.end, shape: x.end.shape, depth: start.depth + 1, nesting: nesting + 1,
		layer: Layer{Kind: Residual, Name: c.n.Name, Stride: s.step[0]},
	}
	return &f, nil
}

// shortcutOf returns input 0 as a shortcut, and a copy of what it is so far.
func (c *call) shortcutOf() (*flow, *shortcut, error) {
	v, err := c.input(0)
	if err != nil {
		return nil, nil, err
	}
	f, ok := v.(*flow)
	if !ok {
		return nil, nil, c.unsupported("of a constant")
	}
	s := shortcut{step: [2]int{1, 1}}
	if f.shortcut != nil {
		s = *f.shortcut
	} else if err := f.plain(); err != nil {
		return nil, nil, err
	}
	if len(f.dims) != 3 {
		return nil, nil, c.unsupported("samples of shape %v; supported are images", f.dims)
	}
	s.node = c.n.String()
	g := *f
	g.dims = slices.Clone(f.dims)
	g.shortcut = &s
	return &g, &s, nil
}

// pixelAxis says which of rows and columns an axis of the graph is.
func (f *flow) pixelAxis(axis int) (int, bool) {
	first := 2
	if f.last {
		first = 1
	}
	return axis - first, axis == first || axis == first+1
}

// slice takes every n-th row and column, as a shortcut with a stride does.
func (c *call) slice() (any, error) {
	f, s, err := c.shortcutOf()
	if err != nil {
		return nil, err
	}
	starts, ends := c.ints("starts"), c.ints("ends")
	if c.has(1) {
		if starts, err = c.integers(1); err != nil {
			return nil, err
		}
		if ends, err = c.integers(2); err != nil {
			return nil, err
		}
	}
	axes, err := c.axesOf("axes", 3, 4)
	if err != nil {
		return nil, err
	}
	steps := slices.Repeat([]int64{1}, len(starts))
	if c.has(4) {
		if steps, err = c.integers(4); err != nil {
			return nil, err
		}
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		return nil, c.unsupported("starts, ends, axes and steps of %d, %d, %d and %d numbers; as many of each are needed", len(starts), len(ends), len(axes), len(steps))
	}
	for i, axis := range axes {
		which, ok := f.pixelAxis(axis)
		if !ok || starts[i] != 0 || axis == 0 || ends[i] < int64(f.dims[axis-1]) || steps[i] < 1 || steps[i] > math.MaxInt32 {
			return nil, c.unsupported("from %d to %d in steps of %d of axis %d; supported is every n-th row and column from the first to the last", starts[i], ends[i], steps[i], axis)
		}
		if s.step[which] != 1 || s.before+s.after > 0 {
			return nil, c.unsupported("of what is sliced or padded")
		}
		s.step[which] = int(steps[i])
		f.dims[axis-1] = (f.dims[axis-1]-1)/int(steps[i]) + 1
	}
	return f, nil
}

// pad adds zero channels, as a shortcut to more channels does.
func (c *call) pad() (any, error) {
	if mode := c.string("mode", "constant"); mode != "constant" {
		return nil, c.unsupported("mode %.40q; supported is %q", mode, "constant")
	}
	if v := c.float("value", 0); v != 0 {
		return nil, c.unsupported("with %v; supported is 0", v)
	}
	if c.has(2) {
		if err := c.zero(2); err != nil {
			return nil, err
		}
	}
	pads := c.ints("pads")
	if c.has(1) {
		var err error
		if pads, err = c.integers(1); err != nil {
			return nil, err
		}
	}
	if c.has(3) {
		return nil, c.unsupported("with axes; supported are pads of all axes")
	}
	if len(pads) > 0 && slices.Min(pads) == 0 && slices.Max(pads) == 0 {
		return c.input(0)
	}
	return c.padChannels(pads)
}

func (c *call) zero(i int) error {
	k, err := c.constant(i)
	if err != nil {
		return err
	}
	v, err := c.valuesOf(k)
	if err == nil && (len(v) != 1 || v[0] != 0) {
		err = c.unsupported("with %v; supported is 0", v)
	}
	return err
}

func (c *call) padChannels(pads []int64) (any, error) {
	f, s, err := c.shortcutOf()
	if err != nil {
		return nil, err
	}
	channel := 1
	if f.last {
		channel = 3
	}
	for i, p := range pads {
		if len(pads) != 8 || p != 0 && i%4 != channel || p < 0 || p > math.MaxInt32 {
			return nil, c.unsupported("pads %v; supported are zero channels, 8 numbers for images", pads)
		}
	}
	if s.before+s.after > 0 || len(pads) != 8 {
		return nil, c.unsupported("pads %v of what is padded", pads)
	}
	s.before, s.after = int(pads[channel]), int(pads[4+channel])
	f.dims[channel-1] += s.before + s.after
	return f, nil
}
