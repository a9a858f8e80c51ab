package report

import "sobolev/rundir"

// ratioChart is how the page's script draws how loose bounds are.
type ratioChart struct {
	Vacuous float64    `json:"vacuous"` // the ratio from which a bound says little
	Rows    []ratioRow `json:"ratios"`
}

// ratioRow is one order of a statement that is in force. Values are what was measured
// and its sharp, printed and free bound.
type ratioRow struct {
	Statement string   `json:"statement"`
	K         int      `json:"k"`
	Values    decimals `json:"values"`
	Form      string   `json:"form,omitempty"` // of the sharp bound
	Assumed   bool     `json:"assumed,omitempty"`
}

// newRatioChart has the bounds that the figure draws.
func newRatioChart(bounds []rundir.Bound) *ratioChart {
	c := ratioChart{Vacuous: informative}
	for i := range bounds {
		b := &bounds[i]
		sides := []rundir.Number{b.Sharp, b.Printed, b.Free}
		row := ratioRow{Statement: statementName(b.Statement), K: b.K, Values: decimals{float64(b.Measured)}, Form: b.SharpForm, Assumed: b.Status == assumed}
		drawn := false
		for _, side := range sides {
			ratio := looseness(b, side)
			drawn = drawn || finite(ratio)
			row.Values = append(row.Values, ratio*float64(b.Measured)) // NaN where it has none
		}
		if drawn {
			c.Rows = append(c.Rows, row)
		}
	}
	return &c
}
