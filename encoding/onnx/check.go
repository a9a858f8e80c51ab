package onnx

import (
	"fmt"
	"slices"
)

// check applies the rules of the format to the names of values: each is given
// once and before it is read. Initializers leave the list of inputs.
func (g *Graph) check() error {
	given := map[string]bool{}
	give := func(what, name string) error {
		switch {
		case name == "":
			return fmt.Errorf("%s without a name: %w", what, ErrMalformed)
		case given[name]:
			return fmt.Errorf("%s %.80q: the name is given twice: %w", what, name, ErrMalformed)
		}
		given[name] = true
		return nil
	}
	for i := range g.Initializers {
		if err := give("initializer", g.Initializers[i].Name); err != nil {
			return err
		}
	}
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v Value) bool { return given[v.Name] })
	for _, v := range g.Inputs {
		if err := give("input", v.Name); err != nil {
			return err
		}
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, in := range n.Inputs {
			if in != "" && !given[in] {
				return fmt.Errorf("%s reads %.80q, %s: %w", n, in, g.why(i, in), ErrMalformed)
			}
		}
		for _, out := range n.Outputs {
			if out == "" {
				continue
			}
			if err := give(n.String()+" makes", out); err != nil {
				return err
			}
		}
		if err := n.checkAttributes(); err != nil {
			return err
		}
	}
	for _, v := range g.Outputs {
		if !given[v.Name] {
			return fmt.Errorf("output %.80q is made by no node: %w", v.Name, ErrMalformed)
		}
	}
	return nil
}

// why says what is wrong with a value that node i reads.
func (g *Graph) why(i int, name string) string {
	for _, n := range g.Nodes[i:] {
		if slices.Contains(n.Outputs, name) {
			return fmt.Sprintf("which %s makes: nodes must be in topological order, without cycles", &n)
		}
	}
	return "which is no input, no initializer and made by no node"
}

func (n *Node) checkAttributes() error {
	seen := make(map[string]bool, len(n.Attributes))
	for _, a := range n.Attributes {
		if seen[a.Name] {
			return fmt.Errorf("%s: attribute %.40q appears twice: %w", n, a.Name, ErrMalformed)
		}
		seen[a.Name] = true
	}
	return nil
}

// String names a node in messages.
func (n *Node) String() string {
	name := n.Name
	if name == "" && len(n.Outputs) > 0 {
		name = n.Outputs[0]
	}
	return fmt.Sprintf("node %.80q (%.40s)", name, n.Op)
}
