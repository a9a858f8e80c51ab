package onnx

import (
	"fmt"
	"math"
	"slices"
)

// constant is a value that does not depend on the input: a tensor in another
// shape, then with its axes permuted; or integers, as shapes are computed from.
type constant struct {
	t    *Tensor
	base []int // its shape before perm
	perm []int // axis i is axis perm[i] of base; nil for the identity
	// ints are the elements if t is nil; they may have batchSize among them.
	ints   []int64
	scalar bool // of ints: one element without a shape
}

// batchSize stands for the number of samples in a computed shape.
const batchSize = math.MinInt64

// maxInts bounds the integers that describe shapes, axes and paddings.
const maxInts = 64

func (k *constant) shape() []int {
	if k.t == nil {
		if k.scalar {
			return []int{}
		}
		return []int{len(k.ints)}
	}
	s := slices.Clone(k.base)
	for i, p := range k.perm {
		s[i] = k.base[p]
	}
	return s
}

func (k *constant) elements() int {
	n, _ := count(k.shape())
	return int(n)
}

func (k *constant) transposed(perm []int) *constant {
	t := &constant{t: k.t, base: k.base, perm: slices.Clone(perm)}
	for i, p := range perm {
		if k.perm != nil {
			t.perm[i] = k.perm[p]
		}
	}
	return t
}

func (k *constant) reshaped(shape []int) (*constant, error) {
	switch n, ok := count(shape); {
	case k.t == nil:
		return &constant{ints: k.ints, scalar: len(shape) == 0}, nil
	case !ok || int(n) != k.elements():
		return nil, fmt.Errorf("the constant %.80q of shape %v does not make shape %v: %w", k.t.Name, k.shape(), shape, ErrMalformed)
	case k.perm != nil:
		return nil, fmt.Errorf("the constant %.80q is transposed, then reshaped; let the exporter fold constants: %w", k.t.Name, ErrUnsupported)
	}
	return &constant{t: k.t, base: shape}, nil
}

// integers returns the elements of a small constant.
func (k *constant) integers() ([]int64, error) {
	if k.t == nil {
		return k.ints, nil
	}
	if n, _ := count(k.base); n > maxInts {
		return nil, fmt.Errorf("the constant %.80q has %d integers; up to %d are needed: %w", k.t.Name, n, maxInts, ErrUnsupported)
	}
	return k.t.Int64s()
}

// valuesOf returns the elements of k, row-major. They are finite and belong to
// everyone who asks.
func (lo *lowering) valuesOf(k *constant) ([]float64, error) {
	if k.t == nil {
		return nil, fmt.Errorf("integers where floating-point numbers should be: %w", ErrUnsupported)
	}
	v, ok := lo.floats[k.t]
	if !ok {
		var err error
		if v, err = k.t.Float64s(); err != nil {
			return nil, err
		}
		for i, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("the parameter %.80q is not finite: element %d of shape %v is %v: %w", k.t.Name, i, k.t.Shape, x, ErrUnsupported)
			}
		}
		lo.floats[k.t] = v
	}
	if k.perm == nil || len(v) == 0 {
		return v, nil
	}
	to, err := lo.allocate(len(v))
	if err == nil {
		permute(to, v, k.base, k.perm)
	}
	return to, err
}

// permute writes the elements v of an array of the given shape, axis i taken from
// axis perm[i].
func permute(to, v []float64, shape, perm []int) {
	stride := make([]int, len(shape))
	for i, s := len(shape)-1, 1; i >= 0; i-- {
		stride[i], s = s, s*shape[i]
	}
	index := make([]int, len(perm))
	for i, at := 0, 0; i < len(to); i++ {
		to[i] = v[at]
		for axis := len(perm) - 1; axis >= 0; axis-- {
			p := perm[axis]
			index[axis]++
			at += stride[p]
			if index[axis] < shape[p] {
				break
			}
			at -= stride[p] * shape[p]
			index[axis] = 0
		}
	}
}

// weightsOf returns the elements of k as the weights of a node. Layers here have
// their own: a tensor with two uses has one gradient, which no list of layers says.
func (lo *lowering) weightsOf(k *constant, n *Node) ([]float64, error) {
	if other, ok := lo.weightOf[k.t]; ok && k.t != nil {
		return nil, fmt.Errorf("its weights %.80q are those of %s too; shared weights are not supported: %w", k.t.Name, other, ErrUnsupported)
	}
	v, err := lo.valuesOf(k)
	if err == nil {
		lo.weightOf[k.t] = n.String()
	}
	return v, err
}

// warnOfShared warns of a bias, or another vector of parameters, that a node before
// has too. That is no error: exporters store equal tensors once, and a trained bias
// may well be all zeros.
func (c *call) warnOfShared(k *constant) {
	if k.t == nil {
		return
	}
	if other, ok := c.vectorOf[k.t]; ok {
		c.warn("%v: its parameters %.80q are those of %s too: they count as separate parameters, whose gradients are those of each layer alone", c.n, k.t.Name, other)
	}
	c.vectorOf[k.t] = c.n.String()
}
