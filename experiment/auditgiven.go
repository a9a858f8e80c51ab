package experiment

import (
	"cmp"

	"sobolev/bound"
)

// givenConstants are what the user of an audit knows of the network and of the
// target; zero where that is nothing. See AuditOptions.
type givenConstants struct {
	smoothness, approximation, bound, lipschitz float64
	tolerance                                   float64 // of interpolation
}

// tolerance is the largest relative loss that counts as interpolation.
func (s *study) tolerance() float64 { return cmp.Or(s.given.tolerance, interpolationTolerance) }

var asGiven = bound.Condition{Holds: bound.Assumed, Evidence: "given"}

// target replaces what was taken from the data.
func (g givenConstants) target(t bound.Target) bound.Target {
	if g.bound > 0 {
		t.Bound = bound.Constant{Value: g.bound, Condition: asGiven}
	}
	if g.lipschitz > 0 {
		t.Lipschitz = bound.Constant{Value: g.lipschitz, Condition: asGiven}
	}
	return t
}

// smooth replaces what a search found. A constant for all parameters is one for
// the weights and bias of the first layer.
func (g givenConstants) smooth(found []bound.Smoothness) []bound.Smoothness {
	if g.smoothness == 0 {
		return found
	}
	given := make([]bound.Smoothness, len(found))
	for j := range given {
		given[j] = bound.Smoothness{Constant: bound.Constant{Value: g.smoothness, Condition: asGiven}, Approx: g.approximation, Bias: true}
	}
	return given
}
