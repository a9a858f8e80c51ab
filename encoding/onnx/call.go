package onnx

import (
	"fmt"
	"slices"
)

// call is a node that is being lowered; it notes which attributes were asked
// for, so that none is overlooked.
type call struct {
	*lowering
	n     *Node
	asked map[string]bool
	err   error // the first attribute of the wrong type
}

func (c *call) unsupported(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrUnsupported)...)
}

func (c *call) malformed(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrMalformed)...)
}

// attribute returns the attribute of that name, nil if the node has none.
func (c *call) attribute(name string, t AttributeType) *Attribute {
	c.asked[name] = true
	for i := range c.n.Attributes {
		a := &c.n.Attributes[i]
		if a.Name != name {
			continue
		}
		if a.Type == t {
			return a
		}
		if c.err == nil {
			c.err = c.malformed("attribute %.40q has type %d, the operator's has %d", name, a.Type, t)
		}
	}
	return nil
}

func (c *call) int(name string, otherwise int64) int64 {
	if a := c.attribute(name, IntAttribute); a != nil {
		return a.Int
	}
	return otherwise
}

func (c *call) float(name string, otherwise float32) float32 {
	if a := c.attribute(name, FloatAttribute); a != nil {
		return a.Float
	}
	return otherwise
}

func (c *call) string(name, otherwise string) string {
	if a := c.attribute(name, StringAttribute); a != nil {
		return a.String
	}
	return otherwise
}

func (c *call) ints(name string) []int64 {
	if a := c.attribute(name, IntsAttribute); a != nil {
		return a.Ints
	}
	return nil
}

// ignore names attributes that do not change the function in evaluation.
func (c *call) ignore(names ...string) {
	for _, name := range names {
		c.asked[name] = true
	}
}

// require reports an attribute that has another value than the supported one.
func (c *call) require(name string, otherwise, value int64) error {
	if v := c.int(name, otherwise); v != value {
		return c.unsupported("%s is %d; supported is %d", name, v, value)
	}
	return nil
}

func (c *call) checkAsked() error {
	if c.err != nil {
		return c.err
	}
	for _, a := range c.n.Attributes {
		if !c.asked[a.Name] {
			return c.unsupported("the attribute %.40q is not known", a.Name)
		}
	}
	return nil
}

// has says whether the node has input i.
func (c *call) has(i int) bool { return i < len(c.n.Inputs) && c.n.Inputs[i] != "" }

// input returns input i, a *constant or a *flow.
func (c *call) input(i int) (any, error) {
	if !c.has(i) {
		return nil, c.malformed("input %d is missing", i)
	}
	v, ok := c.values[c.n.Inputs[i]]
	if !ok {
		return nil, c.unsupported("reads %.80q, which is a further output of its node", c.n.Inputs[i])
	}
	return v, nil
}

// flow returns input i, which must be complete samples.
func (c *call) flow(i int) (*flow, error) {
	v, err := c.input(i)
	if err != nil {
		return nil, err
	}
	f, ok := v.(*flow)
	if !ok {
		return nil, c.unsupported("input %d, %.80q, is a constant where samples should be", i, c.n.Inputs[i])
	}
	return f, f.plain()
}

// constant returns input i, which must not depend on the graph's input.
func (c *call) constant(i int) (*constant, error) {
	v, err := c.input(i)
	if err != nil {
		return nil, err
	}
	k, ok := v.(*constant)
	if !ok {
		return nil, c.unsupported("input %d, %.80q, depends on the samples where a constant should be", i, c.n.Inputs[i])
	}
	return k, nil
}

func (c *call) integers(i int) ([]int64, error) {
	k, err := c.constant(i)
	if err != nil {
		return nil, err
	}
	return k.integers()
}

// vector returns input i, a constant of n elements in one row.
func (c *call) vector(i, n int) ([]float64, error) {
	k, err := c.constant(i)
	if err != nil {
		return nil, err
	}
	if s := k.shape(); len(s) != 1 || s[0] != n {
		return nil, c.malformed("input %d, %.80q, has shape %v where [%d] should be", i, c.n.Inputs[i], s, n)
	}
	return c.valuesOf(k)
}

// parameters is vector for what is trained.
func (c *call) parameters(i, n int) ([]float64, error) {
	v, err := c.vector(i, n)
	if k, ok := c.values[c.n.Inputs[i]].(*constant); err == nil && ok {
		c.warnOfShared(k)
	}
	return v, err
}

// axesOf returns the axes that a node names in input i, or in the attribute of
// older versions, as numbers from 0 to rank−1; nil if it names none.
func (c *call) axesOf(name string, i, rank int) ([]int, error) {
	given := c.ints(name)
	if c.has(i) {
		var err error
		if given, err = c.integers(i); err != nil {
			return nil, err
		}
	}
	var axes []int
	for _, a := range given {
		axis, err := c.axis(a, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(axes, axis) {
			return nil, c.malformed("axis %d is named twice", a)
		}
		axes = append(axes, axis)
	}
	return axes, nil
}

// axis returns an axis that may count from the end.
func (c *call) axis(a int64, rank int) (int, error) {
	if a < -int64(rank) || a >= int64(rank) {
		return 0, c.malformed("axis %d of %d dimensions", a, rank)
	}
	if a < 0 {
		a += int64(rank)
	}
	return int(a), nil
}
