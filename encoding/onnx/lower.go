package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxNodes bounds the nodes between input and output, and maxNesting the depth
// of residual blocks in residual blocks.
const (
	maxNodes   = 1 << 14
	maxNesting = 64
)

// minOpset is the first version of the operators in which Add broadcasts as
// everywhere else; newestOpset is the last one that this package was written for.
const (
	minOpset    = 7
	newestOpset = 25
)

// Network returns the layers that the graph consists of. Nodes that its output
// does not depend on do not matter. Errors name the node; all are ErrMalformed
// or ErrUnsupported. A parameter that is not finite is ErrUnsupported.
func (m *Model) Network() (*Network, error) {
	n, err := m.network()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.File, err)
	}
	return n, nil
}

func (m *Model) network() (*Network, error) {
	g := &m.Graph
	switch {
	case len(g.Inputs) != 1:
		return nil, fmt.Errorf("%d inputs %.200s; a feed-forward network has 1: %w", len(g.Inputs), fmt.Sprint(names(g.Inputs)), ErrUnsupported)
	case len(g.Outputs) != 1:
		return nil, fmt.Errorf("%d outputs %.200s; a feed-forward network has 1: %w", len(g.Outputs), fmt.Sprint(names(g.Outputs)), ErrUnsupported)
	case m.Opset < minOpset:
		return nil, fmt.Errorf("operators of version %d; export with opset 7 or later, best 17: %w", m.Opset, ErrUnsupported)
	}
	lo := &lowering{opset: m.Opset, budget: g.budget(), values: map[string]any{}, floats: map[*Tensor][]float64{}, weightOf: map[*Tensor]string{}, vectorOf: map[*Tensor]string{}}
	if m.Opset > newestOpset {
		lo.warn("operators of version %d; this program knows those up to %d", m.Opset, newestOpset)
	}
	for i := range g.Initializers {
		t := &g.Initializers[i]
		lo.values[t.Name] = &constant{t: t, base: t.Shape}
	}
	nodes, err := g.needed()
	if err != nil {
		return nil, err
	}
	in, err := inputFlow(&g.Inputs[0])
	if err != nil {
		return nil, err
	}
	lo.batch = g.Inputs[0].Shape[0]
	in.last = len(in.dims) == 3 && channelsLast(nodes, g.Inputs[0].Name)
	if in.last {
		in.end.shape = shape{in.dims[2], in.dims[0], in.dims[1]}
	}
	lo.values[g.Inputs[0].Name] = in
	for _, n := range nodes {
		if err := lo.node(n); err != nil {
			return nil, err
		}
	}
	return lo.result(&g.Outputs[0], in.last)
}

// budget is what the layers of the graph may allocate, in elements: a few copies
// of its weights. A graph could demand more, with one vector in many layers.
func (g *Graph) budget() uint64 {
	n := uint64(1 << 20)
	for i := range g.Initializers {
		n += 8 * uint64(len(g.Initializers[i].Data))
	}
	for i := range g.Nodes {
		for _, a := range g.Nodes[i].Attributes {
			if a.Tensor != nil {
				n += 8 * uint64(len(a.Tensor.Data))
			}
		}
	}
	return n
}

// allocate returns n zeros on the budget.
func (lo *lowering) allocate(n int) ([]float64, error) {
	if uint64(n) > lo.budget {
		return nil, fmt.Errorf("the layers have many times the parameters of the file: %w", ErrUnsupported)
	}
	lo.budget -= uint64(n)
	return make([]float64, n), nil
}

func names(values []Value) []string {
	var list []string
	for _, v := range values {
		list = append(list, v.Name)
	}
	return list
}

// needed returns the nodes that the output depends on, in order.
func (g *Graph) needed() ([]*Node, error) {
	wanted := map[string]bool{g.Outputs[0].Name: true}
	var nodes []*Node
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := &g.Nodes[i]
		if !slices.ContainsFunc(n.Outputs, func(out string) bool { return wanted[out] }) {
			continue
		}
		for _, in := range n.Inputs {
			wanted[in] = true
		}
		nodes = append(nodes, n)
	}
	if len(nodes) > maxNodes {
		return nil, fmt.Errorf("%d nodes; up to %d are read: %w", len(nodes), maxNodes, ErrUnsupported)
	}
	slices.Reverse(nodes)
	return nodes, nil
}

// inputFlow is the graph's input, with the batch in front of one sample.
func inputFlow(v *Value) (*flow, error) {
	if !v.DType.real() {
		return nil, fmt.Errorf("input %.80q is no tensor of floating-point numbers: %w", v.Name, ErrUnsupported)
	}
	if len(v.Shape) < 2 || slices.Min(v.Shape[1:]) < 1 {
		return nil, fmt.Errorf("input %.80q has shape %v; fixed sizes behind a batch dimension are needed, [batch, d] or [batch, channels, height, width]: %w", v.Name, v.Shape, ErrUnsupported)
	}
	return rootFlow(v.Shape[1:])
}

// rootFlow is an input with samples of the given shape. One that is neither a
// vector nor an image is the vector of its elements.
func rootFlow(dims []int) (*flow, error) {
	s, err := shapeOf(dims)
	if n, ok := count(dims); err != nil && ok && n >= 1 && n <= maxSample {
		s, err = shape{c: int(n)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("input: %v: %w", err, ErrUnsupported)
	}
	return &flow{end: &link{shape: s}, dims: dims}, nil
}

// channelsLast says whether a graph takes its input channels-last: it transposes
// it to channels-first before anything else.
func channelsLast(nodes []*Node, input string) bool {
	direct := map[string]bool{input: true}
	for _, n := range nodes {
		if len(n.Inputs) == 0 || len(n.Outputs) == 0 || !direct[n.Inputs[0]] {
			continue
		}
		switch n.Op {
		case "Identity", "Cast", "Dropout":
			direct[n.Outputs[0]] = true
		case "Transpose":
			if len(n.Attributes) == 1 && slices.Equal(n.Attributes[0].Ints, toFirst) {
				return true
			}
		}
	}
	return false
}

// lowering goes through the nodes and knows of every value what it is: a
// *constant, or a *flow of samples through the layers so far.
type lowering struct {
	opset    int
	batch    int    // number of samples if the input has a fixed one, else -1
	budget   uint64 // elements that the layers may still allocate
	values   map[string]any
	floats   map[*Tensor][]float64
	weightOf map[*Tensor]string // the node that has the tensor for its weights
	vectorOf map[*Tensor]string // the last one that has it for a bias, a scale or a shift
	warnings []string
}

func (lo *lowering) warn(format string, args ...any) {
	lo.warnings = append(lo.warnings, fmt.Sprintf(format, args...))
}

func (lo *lowering) node(n *Node) error {
	operator, ok := operators[n.Op]
	if !ok || !standard(n.Domain) {
		domain := ""
		if !standard(n.Domain) {
			domain = fmt.Sprintf(" of the domain %.40q", n.Domain)
		}
		return fmt.Errorf("%s: the operator%s is not supported; supported are %s: %w", n, domain, strings.Join(slices.Sorted(maps.Keys(operators)), ", "), ErrUnsupported)
	}
	c := &call{lowering: lo, n: n, asked: map[string]bool{}}
	v, err := operator(c)
	if err == nil {
		err = c.checkAsked()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n, err)
	}
	if len(n.Outputs) > 0 && n.Outputs[0] != "" {
		lo.values[n.Outputs[0]] = v
	}
	return nil
}

func (lo *lowering) result(output *Value, channelsLast bool) (*Network, error) {
	f, ok := lo.values[output.Name].(*flow)
	if !ok {
		return nil, fmt.Errorf("output %.80q does not depend on the input: %w", output.Name, ErrUnsupported)
	}
	if f.softmax != "" {
		lo.warn("the %s at the end is left out: the layers make its input, the logits", f.softmax)
		f.softmax = ""
	}
	if err := f.plain(); err != nil {
		return nil, fmt.Errorf("output %.80q: %w", output.Name, err)
	}
	if f.flat != (shape{}) || f.last {
		return nil, fmt.Errorf("output %.80q is channels-last; end in a dense layer: %w", output.Name, ErrUnsupported)
	}
	root := f.end
	for root.prev != nil {
		root = root.prev
	}
	return &Network{Input: root.shape.dims(), ChannelsLast: channelsLast, Layers: f.end.layers(root), Warnings: lo.warnings}, nil
}
