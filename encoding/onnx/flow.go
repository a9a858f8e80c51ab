package onnx

import (
	"fmt"
	"slices"
)

// link is a layer in a chain that leads back to the input, whose link has no
// layer. Branches share the links up to where they part.
type link struct {
	prev    *link
	layer   Layer
	body    *link // end of a residual block's body, which begins behind prev
	shape   shape // behind the layer
	depth   int
	nesting int // of residual blocks
}

// layers returns those behind the link start.
func (l *link) layers(start *link) []Layer {
	var list []Layer
	for ; l != start; l = l.prev {
		layer := l.layer
		if l.body != nil {
			layer.Body = l.body.layers(l.prev)
		}
		list = append(list, layer)
	}
	slices.Reverse(list)
	return list
}

// above returns the link of the given depth in the chain.
func (l *link) above(depth int) *link {
	for l.depth > depth {
		l = l.prev
	}
	return l
}

// flow is a value that depends on the input. The layers up to end make it in the
// order [channels][height][width]; last and flat say how the graph stores it.
type flow struct {
	end  *link
	dims []int // of one sample in the graph
	// last: the sample is an image and the graph has it as [height][width][channels].
	last bool
	// flat: the sample is a vector, and the graph has it as the channels-last
	// image of this shape in one row.
	flat shape

	// At most one of these is set; then the value is only half of something.
	softmax  string // the node
	erf      *erfForm
	shortcut *shortcut
}

// flowOf returns the value behind a link that makes an image or a vector.
func flowOf(end *link, last bool) *flow {
	f := &flow{end: end, last: last && end.shape.image()}
	f.dims = orderedDims(end.shape, f.last)
	return f
}

func orderedDims(s shape, last bool) []int {
	if last {
		return []int{s.h, s.w, s.c}
	}
	return s.dims()
}

// plain says why a value is not complete, for whoever reads it.
func (f *flow) plain() error {
	switch {
	case f.softmax != "":
		return fmt.Errorf("reads %s, which is supported as the last node alone: %w", f.softmax, ErrUnsupported)
	case f.erf != nil:
		return fmt.Errorf("reads %s; multiplying by constants and Erf are supported within GELU = x (1 + erf(x/sqrt 2))/2 alone: %w", f.erf.node, ErrUnsupported)
	case f.shortcut != nil:
		return fmt.Errorf("reads %s, which is supported within the shortcut of a residual block alone: %w", f.shortcut.node, ErrUnsupported)
	}
	return nil
}

// reordered says whether a vector's order in the graph differs from that of the
// layers.
func (f *flow) reordered() bool { return f.flat != (shape{}) }

// source returns where the graph has the layers' element i of a vector.
func (f *flow) source(i int) int {
	if !f.reordered() {
		return i
	}
	pixels := f.flat.h * f.flat.w
	return i%pixels*f.flat.c + i/pixels
}

// push appends a layer to the chain.
func (c *call) push(f *flow, l Layer) (*link, error) {
	l.Name = c.n.Name
	s, err := l.output(f.end.shape)
	if err != nil {
		return nil, c.malformed("%v", err)
	}
	return &link{prev: f.end, layer: l, shape: s, depth: f.end.depth + 1}, nil
}

// pointwise appends a layer that keeps shape and order.
func (c *call) pointwise(f *flow, l Layer) (any, error) {
	end, err := c.push(f, l)
	g := *f
	g.end, g.erf = end, nil
	return &g, err
}

// spatial appends a layer that makes images of images.
func (c *call) spatial(f *flow, l Layer) (any, error) {
	end, err := c.push(f, l)
	if err != nil {
		return nil, err
	}
	return flowOf(end, f.last), nil
}

// reshape gives a value the shape dims of one sample, where that is an order of
// storage or a flattening.
func (c *call) reshape(f *flow, dims []int) (any, error) {
	n, ok := count(dims)
	s := f.end.shape
	switch {
	case !ok || n != uint64(s.size()):
		return nil, c.malformed("%d elements of shape %v do not make shape %v", s.size(), f.dims, dims)
	case slices.Equal(dims, f.dims):
		return f, nil
	case f.end.prev == nil && !f.last && (len(dims) != 1 || !s.image()):
		return rootFlow(dims) // the input's rows in another shape
	case len(dims) == 1 && s.image():
		end, err := c.push(f, Layer{Kind: Flatten})
		if err != nil {
			return nil, err
		}
		g := flowOf(end, false)
		if f.last && !s.sameOrder() {
			g.flat = s
		}
		return g, nil
	}
	for _, last := range []bool{false, true} {
		if s.image() && s.sameOrder() && slices.Equal(dims, orderedDims(s, last)) {
			return flowOf(f.end, last), nil
		}
	}
	return nil, c.unsupported("a sample of shape %v becomes %v; supported is flattening to [%d]", f.dims, dims, s.size())
}

// sameOrder says whether an image is the same row of numbers channels-first and
// channels-last.
func (s shape) sameOrder() bool { return s.c == 1 || s.h*s.w == 1 }
