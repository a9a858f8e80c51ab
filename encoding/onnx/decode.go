package onnx

import (
	"fmt"
	"math"
)

// decoder turns messages into a Model. No message that it enters can contain
// itself, so the depth is bounded.
type decoder struct {
	external *externalData // nil if there is no directory to read from
}

func (d *decoder) model(b []byte) (*Model, error) {
	m := &Model{}
	var graph []byte
	var producer, version string
	versioned := false
	err := eachField(b, func(f field) error {
		switch f.number {
		case 2:
			return f.text(&producer)
		case 3:
			return f.text(&version)
		case 7:
			if graph != nil {
				return fmt.Errorf("two graphs: %w", ErrMalformed)
			}
			return f.message(&graph)
		case 8:
			versioned = true
			return m.operatorSet(f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.Producer = producer
	if version != "" {
		m.Producer += " " + version
	}
	switch {
	case graph == nil:
		return nil, fmt.Errorf("there is no graph: %w", ErrMalformed)
	case !versioned:
		return nil, fmt.Errorf("no opset_import: the version of the operators is not known: %w", ErrMalformed)
	}
	if err := d.graph(&m.Graph, graph); err != nil {
		return nil, err
	}
	return m, m.Graph.check()
}

// standard says whether a domain is that of ONNX's own operators.
func standard(domain string) bool { return domain == "" || domain == "ai.onnx" }

func (m *Model) operatorSet(f field) error {
	var set []byte
	if err := f.message(&set); err != nil {
		return err
	}
	var domain string
	var version int64
	err := eachField(set, func(f field) error {
		switch f.number {
		case 1:
			return f.text(&domain)
		case 2:
			return f.integer(&version)
		}
		return nil
	})
	switch {
	case err != nil || !standard(domain):
		return err
	case version < 1 || version > math.MaxInt32:
		return fmt.Errorf("opset_import: version %d of the standard operators: %w", version, ErrMalformed)
	case m.Opset != 0:
		return fmt.Errorf("opset_import names the standard operators twice: %w", ErrMalformed)
	}
	m.Opset = int(version)
	return nil
}

func (d *decoder) graph(g *Graph, b []byte) error {
	return eachField(b, func(f field) error {
		var sub []byte
		switch f.number {
		case 1, 5, 11, 12, 15:
			if err := f.message(&sub); err != nil {
				return fmt.Errorf("graph: %w", err)
			}
		}
		switch f.number {
		case 1:
			n, err := d.node(sub)
			if err != nil {
				return fmt.Errorf("node %d (%.80q, %.40q): %w", len(g.Nodes), n.Name, n.Op, err)
			}
			g.Nodes = append(g.Nodes, n)
		case 5:
			t, err := d.tensor(sub)
			if err != nil {
				return fmt.Errorf("initializer %d (%.80q): %w", len(g.Initializers), t.Name, err)
			}
			g.Initializers = append(g.Initializers, t)
		case 11:
			return d.value(&g.Inputs, "input", sub)
		case 12:
			return d.value(&g.Outputs, "output", sub)
		case 15:
			return fmt.Errorf("a sparse initializer; store the weights densely: %w", ErrUnsupported)
		}
		return nil
	})
}

func (d *decoder) node(b []byte) (Node, error) {
	var n Node
	err := eachField(b, func(f field) error {
		var s string
		switch f.number {
		case 1:
			err := f.text(&s)
			n.Inputs = append(n.Inputs, s)
			return err
		case 2:
			err := f.text(&s)
			n.Outputs = append(n.Outputs, s)
			return err
		case 3:
			return f.text(&n.Name)
		case 4:
			return f.text(&n.Op)
		case 7:
			return f.text(&n.Domain)
		case 5:
			var sub []byte
			if err := f.message(&sub); err != nil {
				return err
			}
			a, err := d.attribute(sub)
			if err != nil {
				return fmt.Errorf("attribute %.40q: %w", a.Name, err)
			}
			n.Attributes = append(n.Attributes, a)
		}
		return nil
	})
	if err == nil && n.Op == "" {
		err = fmt.Errorf("no op_type: %w", ErrMalformed)
	}
	return n, err
}

func (d *decoder) attribute(b []byte) (Attribute, error) {
	var a Attribute
	var kind int64
	err := eachField(b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(&a.Name)
		case 2:
			return f.float(&a.Float)
		case 3:
			return f.integer(&a.Int)
		case 4:
			var s []byte
			err := f.message(&s)
			a.String = string(s)
			return err
		case 5:
			var sub []byte
			if err := f.message(&sub); err != nil {
				return err
			}
			t, err := d.tensor(sub)
			a.Tensor = &t
			return err
		case 7:
			return f.floats(&a.Floats)
		case 8:
			return f.integers(&a.Ints)
		case 20:
			return f.integer(&kind)
		}
		return nil
	})
	a.Type = AttributeType(kind)
	switch {
	case err != nil:
	case a.Name == "":
		err = fmt.Errorf("it has no name: %w", ErrMalformed)
	case kind < 1 || kind > 14:
		err = fmt.Errorf("type %d is none of the format: %w", kind, ErrMalformed)
	case a.Type == TensorAttribute && a.Tensor == nil:
		err = fmt.Errorf("it says that it is a tensor and has none: %w", ErrMalformed)
	}
	return a, err
}

// value appends an input or an output of the graph.
func (d *decoder) value(to *[]Value, what string, b []byte) error {
	var v Value
	var typ []byte
	err := eachField(b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(&v.Name)
		case 2:
			return f.message(&typ)
		}
		return nil
	})
	if err == nil {
		err = v.typed(typ)
	}
	if err != nil {
		return fmt.Errorf("%s %d (%.80q): %w", what, len(*to), v.Name, err)
	}
	*to = append(*to, v)
	return nil
}

func (v *Value) typed(b []byte) error {
	return eachField(b, func(f field) error {
		if f.number != 1 {
			return nil // a sequence or a map: DType stays 0
		}
		var tensor []byte
		if err := f.message(&tensor); err != nil {
			return err
		}
		return eachField(tensor, func(f field) error {
			switch f.number {
			case 1:
				var dtype int64
				err := f.integer(&dtype)
				v.DType = DType(dtype)
				return err
			case 2:
				var shape []byte
				if err := f.message(&shape); err != nil {
					return err
				}
				v.Shape = []int{}
				return eachField(shape, v.dimension)
			}
			return nil
		})
	})
}

func (v *Value) dimension(f field) error {
	if f.number != 1 {
		return nil
	}
	var b []byte
	if err := f.message(&b); err != nil {
		return err
	}
	size := int64(-1)
	err := eachField(b, func(f field) error {
		if f.number != 1 {
			return nil
		}
		if err := f.integer(&size); err != nil {
			return err
		}
		if size < 0 || size > math.MaxInt32 {
			return fmt.Errorf("dimension %d has size %d: %w", len(v.Shape), size, ErrMalformed)
		}
		return nil
	})
	if len(v.Shape) == maxRank {
		return fmt.Errorf("more than %d dimensions: %w", maxRank, ErrUnsupported)
	}
	v.Shape = append(v.Shape, int(size))
	return err
}
