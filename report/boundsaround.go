package report

import (
	"fmt"
	"math"
	"slices"

	"sobolev/rundir"
)

// aroundTable is what Theorems 4–7 say of the balls around the samples, beside
// what was measured there.
type aroundTable struct {
	Facts []fact
	Rows  []aroundRow
}

// aroundRow is one order. The cells are the constant of Definition 1 and what
// Theorems 4–7 bound, in this order.
type aroundRow struct {
	K     string
	Cells [5]aroundCell
}

// aroundCell is a measured value, with its bound and how it came about.
type aroundCell struct {
	Value string
	Notes []string
}

// aroundTableOf is nil where nothing was measured around the samples.
func aroundTableOf(s *solution) *aroundTable {
	res := s.Result
	if res.Geometry == nil && res.Robustness == nil && len(res.Smoothness) == 0 && len(res.Seminorms) == 0 {
		return nil
	}
	t := &aroundTable{Facts: aroundFacts(res)}
	var orders []int
	for _, v := range res.Smoothness {
		orders = append(orders, v.K)
	}
	for _, v := range res.Seminorms {
		orders = append(orders, v.K)
	}
	for _, b := range res.Bounds {
		if slices.Contains([]string{"theorem 4", "theorem 5", "theorem 6", "theorem 7"}, b.Statement) {
			orders = append(orders, b.K)
		}
	}
	slices.Sort(orders)
	for _, k := range slices.Compact(orders) {
		t.Rows = append(t.Rows, aroundRowOf(s, k))
	}
	return t
}

func aroundFacts(res *rundir.Result) []fact {
	var facts []fact
	if g := res.Geometry; g != nil {
		facts = append(facts, fact{"Radius δ", measured(float64(g.Radius)) + ", in ‖·‖₂ of the preprocessed inputs"},
			fact{"Cover", fmt.Sprintf("%s of the test samples are outside of all balls, 95%% interval [%s, %s]",
				share(g.Uncovered), share(g.UncoveredCI95[0]), share(g.UncoveredCI95[1]))},
			fact{"Overlap", overlapWords(g)},
			fact{"Volume of the balls", fmt.Sprintf("log V_X = %s, 95%% interval [%s, %s]",
				measured(float64(g.LogVolume.Value)), measured(float64(g.LogVolume.CI95[0])), measured(float64(g.LogVolume.CI95[1])))})
	}
	if a := res.Robustness; a != nil {
		facts = append(facts, fact{"Attacks", fmt.Sprintf("within %s of %s", measured(float64(a.Radius)), plural(a.Samples, "training sample", "training samples"))})
	}
	return facts
}

func overlapWords(g *rundir.Geometry) string {
	if g.OverlapLower == g.OverlapUpper {
		return fmt.Sprintf("no point is in more than %s", plural(g.OverlapUpper, "ball", "balls"))
	}
	return fmt.Sprintf("the largest number of balls that share a point is between %d and %d", g.OverlapLower, g.OverlapUpper)
}

func share(v rundir.Number) string {
	if !finite(float64(v)) {
		return "–"
	}
	return percent(float64(v))
}

func aroundRowOf(s *solution, k int) aroundRow {
	res := s.Result
	row := aroundRow{K: fmt.Sprint(k)}
	for i := range row.Cells {
		row.Cells[i].Value = "–"
	}
	constant, seminorm, gradient, testError, attack := &row.Cells[0], &row.Cells[1], &row.Cells[2], &row.Cells[3], &row.Cells[4]
	for _, c := range res.Smoothness {
		if c.K == k {
			constant.Value = measured(float64(c.Found))
			constant.Notes = []string{"certified: " + measured(float64(c.Certified)), fmt.Sprintf("‖V‖ ≤ %s, %s", measured(float64(c.Radius)), plural(c.Samples, "sample", "samples"))}
		}
	}
	seminorm.Notes = []string{"Theorem 4: " + meanSeminormBound(s, k)}
	for _, m := range res.Seminorms {
		if m.K == k {
			seminorm.Value = measured(float64(m.Balls.Value))
			seminorm.Notes = append([]string{fmt.Sprintf("[%s, %s]", measured(float64(m.Balls.CI95[0])), measured(float64(m.Balls.CI95[1])))},
				append(seminorm.Notes, "at the samples: "+measured(float64(m.Points)))...)
			if q := m.Second; q != nil && q.WhyNot == "" {
				seminorm.Notes = append(seminorm.Notes, fmt.Sprintf("second derivatives at %s: %s", plural(q.Samples, "sample", "samples"), measured(float64(q.Points))))
			}
		}
	}
	gradient.Notes = []string{"Theorem 5: " + boundCell(s.bound("theorem 5", k))}
	attack.Notes = []string{"Theorem 7: " + boundCell(s.bound("theorem 7", k))}
	if a := res.Robustness; a != nil {
		attack.Value = measured(float64(a.OutputChange))
		for _, g := range a.Gradients {
			if g.K == k {
				gradient.Value = measured(float64(g.Found))
			}
		}
	}
	testError.Notes = []string{"Theorem 6: " + boundCell(s.bound("theorem 6", k))}
	if b := s.bound("theorem 6", k); b != nil {
		testError.Value = measured(float64(b.Measured))
	}
	return row
}

// boundCell is the sharp form of a bound, or why there is none in a word.
func boundCell(b *rundir.Bound) string {
	switch {
	case b == nil:
		return "–"
	case inForce(b):
		return atMost(float64(b.Sharp))
	case b.Status == "does-not-apply":
		return "does not apply"
	}
	return "undecided"
}

func atMost(v float64) string {
	if !finite(v) {
		return "–"
	}
	return "≤ " + significant(v)
}

// meanSeminormBound is Theorem 4's bound divided by V_X^{1/2k}: that of the mean
// over the balls, which the seminorm's estimate is.
func meanSeminormBound(s *solution, k int) string {
	b, g := s.bound("theorem 4", k), s.Result.Geometry
	if b == nil || !inForce(b) || g == nil || k < 1 {
		return boundCell(b)
	}
	return atMost(math.Exp(math.Log(float64(b.Sharp)) + b.LogFactor - float64(g.LogVolume.Value)/float64(2*k)))
}
