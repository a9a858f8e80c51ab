package onnx

import (
	"encoding/binary"
	"math"
)

// The operators here make constants: parameters, and the shapes that exporters
// compute at run time.

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
