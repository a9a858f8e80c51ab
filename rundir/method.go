package rundir

import (
	"fmt"
	"slices"
)

// fullBatch is the method whose batch is the whole training set: the grid's
// batch sizes are not for it.
const fullBatch = "gd"

var methods = []string{"sgd", fullBatch, "sam", "input-penalty", "label-noise"}

// strength returns the value that a method alone uses, and its key; nil if the
// method has none.
func (s *SGD) strength(method string) (*float64, string) {
	switch method {
	case "sam":
		return &s.SAMRadius, "sgd.sam_radius"
	case "input-penalty":
		return &s.InputPenalty, "sgd.input_penalty"
	case "label-noise":
		return &s.LabelNoise, "sgd.label_noise"
	}
	return nil, ""
}

// of is what a point of the method depends on: without the strengths of other
// methods, so that a method which joins the grid leaves the hashes of the rest
// as they are.
func (s SGD) of(method string) SGD {
	for _, m := range methods {
		if p, _ := s.strength(m); p != nil && m != method {
			*p = 0
		}
	}
	if method == fullBatch {
		s.Sampling = "without-replacement" // n of n samples, whatever the others do
	}
	return s
}

// checkMethods returns a *ValueError for a method without its strength.
func (c Config) checkMethods() error {
	for i, m := range c.Grid.Method {
		if p, key := c.SGD.strength(m); p != nil && *p == 0 {
			return &ValueError{fmt.Sprintf("grid.method[%d]", i), fmt.Sprintf("%s needs %s above 0", m, key)}
		}
	}
	if c.SGD.Nesterov && c.SGD.Momentum == 0 {
		return &ValueError{"sgd.nesterov", "needs sgd.momentum above 0"}
	}
	return nil
}

// checkUnused returns a *ValueError for a strength in a configuration that lists
// no methods: whoever sets it wants it to act. Where methods are listed, some may
// have been left out on purpose.
func (c Config) checkUnused() error {
	for _, m := range methods {
		if p, key := c.SGD.strength(m); p != nil && *p != 0 && len(c.Grid.Method) == 0 {
			return &ValueError{key, fmt.Sprintf("does nothing: only the method %s uses it; add it to grid.method", m)}
		}
	}
	return nil
}

// usesBatches says whether some method takes the grid's batch sizes.
func (g Grid) usesBatches() bool {
	return slices.ContainsFunc(g.Method, func(m string) bool { return m != fullBatch })
}

// batchSizes returns those of the points of a method: 0, all samples, for gd.
func (g Grid) batchSizes(method string) []int {
	if method == fullBatch {
		return []int{0}
	}
	return g.BatchSize
}

// BatchSize returns B. That of gd is the number of training samples, which is
// known from the result; 0 before there is one.
func (r Record) BatchSize() int {
	if r.Point.BatchSize == 0 && r.Result != nil {
		return r.Result.Data.Samples
	}
	return r.Point.BatchSize
}
