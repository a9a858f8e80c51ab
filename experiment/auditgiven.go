package experiment

import (
	"cmp"
	"fmt"

	"sobolev/bound"
	"sobolev/rundir"
)

// givenConstants are what the user of an audit knows of the network and of the
// target; zero where that is nothing. See AuditOptions.
type givenConstants struct {
	smoothness, approximation, bound, lipschitz float64
	tolerance                                   float64 // of interpolation
}

// tolerance is the largest relative loss that counts as interpolation.
func (s *study) tolerance() float64 { return cmp.Or(s.given.tolerance, interpolationTolerance) }

// asGiven is an upper value that was given, which holds no longer where more was found.
func asGiven(value, found float64) bound.Constant {
	if found > value {
		return bound.Constant{Value: value, Condition: bound.Condition{Holds: bound.No, Evidence: fmt.Sprintf("given, but %.6g was found", found)}}
	}
	return bound.Constant{Value: value, Condition: bound.Condition{Holds: bound.Assumed, Evidence: "given"}}
}

// target replaces what was taken from the data.
func (g givenConstants) target(t bound.Target) bound.Target {
	if g.bound > 0 {
		t.Bound = asGiven(g.bound, t.Bound.Value)
	}
	if g.lipschitz > 0 {
		t.Lipschitz = asGiven(g.lipschitz, t.Lipschitz.Value)
	}
	return t
}

// smooth replaces what a search found, in balls that may be larger than the one of the
// constant that is given. A constant for all parameters is one for the weights and bias
// of the first layer.
func (g givenConstants) smooth(assumed []bound.Smoothness, found []rundir.Smoothness) []bound.Smoothness {
	if g.smoothness == 0 {
		return assumed
	}
	given := make([]bound.Smoothness, len(assumed))
	for j := range given {
		most := 0.0
		if len(found) > 0 && float64(found[j].Radius) <= g.approximation {
			most = float64(found[j].Found)
		}
		given[j] = bound.Smoothness{Constant: asGiven(g.smoothness, most), Approx: g.approximation, Bias: true}
	}
	return given
}
