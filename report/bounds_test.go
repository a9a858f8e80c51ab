package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sobolev/rundir"
)

func TestLooseness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		measured, ratio := rapid.Float64Range(1e-200, 1e100).Draw(t, "measured"), rapid.Float64Range(1, 1e20).Draw(t, "ratio")
		b := rundir.Bound{Measured: rundir.Number(measured), Status: rapid.SampledFrom([]string{applies, assumed}).Draw(t, "status")}
		if got := looseness(&b, rundir.Number(measured*ratio)); !near(got, ratio, 1e-12*ratio) {
			t.Fatalf("%v, want %v", got, ratio)
		}
		b.Status = rapid.SampledFrom([]string{"does-not-apply", "unknown", "", "Applies"}).Draw(t, "other status")
		if got := looseness(&b, rundir.Number(measured*ratio)); !math.IsNaN(got) {
			t.Fatalf("a bound that does not hold is %v times what was measured", got)
		}
	})
	for _, c := range [][2]float64{{0, 1}, {-1, 1}, {1, 0}, {1, -2}, {math.NaN(), 1}, {1, math.NaN()}, {1, math.Inf(1)}, {1e-300, 1e300}} {
		if got := looseness(&rundir.Bound{Measured: rundir.Number(c[0]), Status: applies}, rundir.Number(c[1])); !math.IsNaN(got) {
			t.Errorf("%v against %v: %v", c[1], c[0], got)
		}
	}
}

func TestBoundsInTheOrderOfTheTheory(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 1)
	s := solution{Record: boundedRecords(cfg)[0]}
	sorted := s.bounds()
	for i := range sorted[1:] {
		a, b := sorted[i], sorted[i+1]
		if rank := statementRank(a.Statement) - statementRank(b.Statement); rank > 0 || rank == 0 && a.K >= b.K {
			t.Errorf("%s, k = %d before %s, k = %d", a.Statement, a.K, b.Statement, b.K)
		}
	}
	if s.Result.Bounds[0].K != 1 || s.Result.Bounds[1].K != 1 {
		t.Error("sorting changed the result")
	}
	if s.bound("theorem 3", 2) == nil || s.bound("theorem 3", 4) != nil || s.bound("theorem 9", 1) != nil {
		t.Error("bounds are not found by statement and order")
	}
	s.Result.Training.Status = "diverged"
	if s.bounds() != nil || s.bound("theorem 3", 2) != nil {
		t.Error("a diverged training has bounds")
	}
}

func TestBoundsFigure(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2}, []int{20}, 2)
	rs := boundedRecords(cfg)
	f, svg := figureNamed(t, fromRecords(cfg, rs, false, 20), "bounds")
	// 12 statements of orders 1 and 2, and of order 3 two; 6 of them are assumed.
	for _, shape := range []*regexp.Regexp{circle, triangle} {
		if n, rings := filled(svg, shape); n != 14 || rings != 12 {
			t.Errorf("%d filled and %d hollow markers of %s, want 14 and 12", n, rings, shape)
		}
	}
	for _, text := range []string{">bound / measured<", ">Theorem 2<", ">Equation 34<", ">Proposition 3<", ">Theorem 7<", ">k<", ">1<", ">2<", ">3<", ">vacuous<", "hollow: rests on an assumption"} {
		if !strings.Contains(svg, text) {
			t.Errorf("no %q in the figure", text)
		}
	}
	if strings.Index(svg, ">Theorem 2<") > strings.Index(svg, ">Theorem 7<") {
		t.Error("statements are not in the order of the theory")
	}
	for _, text := range []string{"of median margin η*_var/η of 4 with bounds", "Not drawn, since they do not apply", "Theorem 7 (k=3)", "Hollow: it holds if"} {
		if !strings.Contains(f.caption, text) {
			t.Errorf("no %q in %q", text, f.caption)
		}
	}
	for i := range rs {
		rs[i].Result.Bounds = slices.DeleteFunc(rs[i].Result.Bounds, func(b rundir.Bound) bool { return b.Status != applies })
	}
	f, svg = figureNamed(t, fromRecords(cfg, rs, false, 20), "bounds")
	if n, rings := filled(svg, circle); n != 14 || rings != 0 || strings.Contains(svg+f.caption, "ollow") || strings.Contains(f.caption, "Not drawn") {
		t.Errorf("without assumptions: %d filled and %d hollow, caption %q", n, rings, f.caption)
	}
	for name, change := range map[string]func(*rundir.Result){
		"no bounds":        func(r *rundir.Result) { r.Bounds = nil },
		"all undecided":    func(r *rundir.Result) { each(r, func(b *rundir.Bound) { b.Status = "unknown" }) },
		"nothing measured": func(r *rundir.Result) { each(r, func(b *rundir.Bound) { b.Measured = rundir.Number(math.NaN()) }) },
	} {
		rs := boundedRecords(cfg)
		for i := range rs {
			change(rs[i].Result)
		}
		if _, svg := figureNamed(t, fromRecords(cfg, rs, false, 20), "bounds"); svg != "" {
			t.Errorf("%s: there is a figure", name)
		}
	}
}

// The example is the solution of median margin among those that interpolate and
// have bounds.
func TestBoundExample(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 5)
	rs := boundedRecords(cfg)
	for i, m := range []float64{1.1, 3, 2, 7, 5} {
		rs[i].Result.Stability.EtaVar = rundir.Threshold{Value: rundir.Number(0.1 * m), Exact: true}
	}
	check := func(repetition, of int) {
		t.Helper()
		s, n := fromRecords(cfg, rs, false, 1).boundExample()
		if s == nil || s.Point.Repetition != repetition || n != of {
			t.Errorf("%+v of %d, want repetition %d of %d", s, n, repetition, of)
		}
	}
	check(2, 5) // of 1.1, 2, 3, 5, 7
	rs[1].Result.Bounds = nil
	check(3, 4) // of 1.1, 2, 5, 7 the one below the middle
	noInterpolation(&rs[2])
	check(5, 4) // of 1.1, 5, 7
	if got := exampleWords(&solution{Record: rs[0]}, 1); got != "η = 0.1, B = 20, repetition 1" {
		t.Error(got)
	}
}

func each(r *rundir.Result, f func(*rundir.Bound)) {
	for i := range r.Bounds {
		f(&r.Bounds[i])
	}
}

// A marker is at the place of its ratio, between the rows of its statement, and no
// two rows meet.
func TestBoundGroups(t *testing.T) {
	bounds := []rundir.Bound{
		{Statement: "corollary 4 (unshared)", K: 1, Measured: 2, Sharp: 3, Printed: 8, Free: rundir.Number(math.NaN()), Status: applies},
		{Statement: "theorem 3", K: 1, Measured: 2, Status: "does-not-apply"},
		{Statement: "theorem 7", K: 1, Measured: 1, Sharp: 5, Printed: 5, Free: 5, Status: assumed},
		{Statement: "theorem 7", K: 2, Measured: 1e-223, Sharp: 5e-221, Printed: 5e-220, Free: 5e-221, LogFactor: -1021, Status: applies},
	}
	groups, absent := boundGroups(bounds)
	if len(groups) != 2 || !slices.Equal(absent, []string{"Theorem 3 (k=1)"}) {
		t.Fatalf("%d groups, absent %v", len(groups), absent)
	}
	first, last := groups[0], groups[1]
	if first.label() != "Corollary 4\n(unshared)" || first.top-first.bottom < twoLines || first.assumed() || !last.assumed() {
		t.Errorf("%+v", first)
	}
	if row := first.rows[0]; row.sharp != 1.5 || row.printed != 4 || !math.IsNaN(row.free) || row.hollow {
		t.Errorf("%+v", row)
	}
	if row := last.rows[1]; !near(row.sharp, 500, 1e-9) || !near(row.printed, 5000, 1e-8) || row.hollow || !last.rows[0].hollow {
		t.Errorf("%+v", row)
	}
	y := 0.0
	for _, g := range groups {
		if g.top > y || g.bottom >= g.top {
			t.Errorf("%s from %v to %v after %v", g.name, g.top, g.bottom, y)
		}
		for i, row := range g.rows {
			if !(row.y < g.top && row.y > g.bottom) || i > 0 && !near(g.rows[i-1].y-row.y, orderRow, 1e-9) {
				t.Errorf("%s, order %d at %v", g.name, row.k, row.y)
			}
		}
		y = g.bottom
	}
}

func TestBoundsGridFigure(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2, 0.4}, []int{10, 20}, 2)
	rs := boundedRecords(cfg)
	f, svg := figureNamed(t, fromRecords(cfg, rs, false, 20), "bounds-grid")
	for _, shape := range []*regexp.Regexp{circle, triangle} {
		if n, rings := filled(svg, shape); n != 12 || rings != 0 {
			t.Errorf("%d filled and %d hollow of %s, want one for each of 12 solutions", n, rings, shape)
		}
	}
	for _, text := range []string{">learning rate η<", "Corollary 4", "Theorem 3", ">B<"} {
		if !strings.Contains(svg, text) {
			t.Errorf("no %q in the figure", text)
		}
	}
	if strings.Contains(f.caption, "Hollow") || !strings.Contains(f.caption, "order 2k = 2") {
		t.Errorf("caption %q", f.caption)
	}
	noInterpolation(&rs[0])
	for i := range rs[1].Result.Bounds {
		if b := &rs[1].Result.Bounds[i]; b.Statement == "theorem 3" {
			b.Status, b.Sharp = "does-not-apply", rundir.Number(math.NaN())
		}
	}
	f, svg = figureNamed(t, fromRecords(cfg, rs, false, 20), "bounds-grid")
	if n, rings := filled(svg, circle); n != 11 || rings != 1 || !strings.Contains(f.caption, "Hollow") || !strings.Contains(f.caption, "Theorem 3 does not apply or may not apply: 1.") {
		t.Errorf("%d filled and %d hollow, caption %q", n, rings, f.caption)
	}
	rs[2].Result.Moments[0].GX, rs[3].Result.Moments[0].GX = 0, rundir.Number(math.NaN())
	f, _ = figureNamed(t, fromRecords(cfg, rs, false, 20), "bounds-grid")
	if !strings.Contains(f.caption, " Solutions without a finite g_x: 1. Not drawn on the logarithmic axis, g_x = 0: 1.") {
		t.Errorf("one g_x is 0 and one unknown: %q", f.caption)
	}
	rs[2], rs[3] = boundedRecords(cfg)[2], boundedRecords(cfg)[3]
	for i := range rs {
		each(rs[i].Result, func(b *rundir.Bound) {
			if b.Statement == "corollary 4" {
				b.Statement += " (unshared)"
			} else {
				b.Status = "does-not-apply"
			}
		})
	}
	f, svg = figureNamed(t, fromRecords(cfg, rs, false, 20), "bounds-grid")
	if n, _ := filled(svg, triangle); n != 11 || !strings.Contains(svg, "Corollary 4 (unshared)") || strings.Contains(svg+f.caption, "Theorem 3") {
		t.Errorf("a convolution: %d triangles, caption %q", n, f.caption)
	}
	batches := gridConfig([]float64{0.1}, []int{10, 20}, 1)
	if _, svg := figureNamed(t, fromRecords(batches, boundedRecords(batches), false, 20), "bounds-grid"); !strings.Contains(svg, ">batch size B<") {
		t.Error("no figure along the batch size")
	}
	one := gridConfig([]float64{0.1}, []int{20}, 2)
	if _, svg := figureNamed(t, fromRecords(one, boundedRecords(one), false, 20), "bounds-grid"); svg != "" {
		t.Error("a figure along an axis that does not vary")
	}
}

func TestBoundCells(t *testing.T) {
	nan := rundir.Number(math.NaN())
	for _, c := range []struct {
		bound rundir.Bound
		want  string
	}{
		{rundir.Bound{Statement: "theorem 3", K: 1, Measured: 0.5, Sharp: 20, SharpForm: "trace", Printed: 1000, Free: 40, Status: applies}, "Theorem 3|1|0.500|20.0 trace|1000|40.0|40.0|applies||"},
		{rundir.Bound{Statement: "theorem 4", K: 2, Measured: 1e-223, Sharp: 5e-223, SharpForm: "tight", Printed: nan, Free: nan, Status: assumed, LogFactor: -1021}, "Theorem 4|2|1.00·10⁻²²³|5.00·10⁻²²³ tight|–|–|5.00|if assumptions hold|numbers times e^(−1021)|"},
		{rundir.Bound{Statement: "theorem 3", K: 1, Measured: 7, Sharp: 7, Status: "does-not-apply", Hypotheses: []rundir.Hypothesis{{Name: "a", Holds: "yes", Evidence: "1"}, {Name: "b", Holds: "no", Evidence: "2 > 1"}, {Name: "c", Holds: "no", Evidence: "3 > 1"}}},
			"Theorem 3|1|| |||||does not apply, because this fails: b (2 > 1); c (3 > 1)"},
		{rundir.Bound{Statement: "x", K: 1, Measured: 7, Status: "unknown", WhyNot: "of this"}, "X|1|| |||||undecided whether it applies, because of this"},
		{rundir.Bound{Statement: "x", K: 1, Measured: 7, Status: "does-not-apply"}, "X|1|| |||||does not apply; no reason was recorded"},
		{rundir.Bound{Statement: "x", K: 1, Measured: 7, Sharp: 9, Status: "maybe", Applies: true}, `X|1|| |||||not shown, because its status is "maybe"`},
	} {
		b := boundCellsOf(&c.bound)
		got := strings.Join([]string{b.Statement, b.K, b.Measured, b.Sharp.Median + " " + b.Sharp.Range, b.Printed, b.Free, b.Ratio.Median, b.Status, b.Unit}, "|") + "|" + b.Refusal
		if b.Refusal != "" {
			got = strings.Replace(got, "||"+b.Refusal, "|"+b.Refusal, 1)
		}
		if got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

func TestLoosenessRange(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 5)
	rs := records(cfg)
	for i, ratio := range []float64{7, 2, 300, 5, math.NaN()} {
		rs[i].Result.Bounds = []rundir.Bound{{Statement: "theorem 3", K: 1, Measured: 2, Sharp: rundir.Number(2 * ratio), Status: applies}}
	}
	rs[2].Result.Bounds[0].Status = "unknown"
	r := fromRecords(cfg, rs, false, 1)
	got := r.loosenessRanges([]rundir.Bound{{Statement: "theorem 3", K: 1}, {Statement: "theorem 3", K: 2}})
	if want := []string{"2.00 – 7.00 (3 solutions)", ""}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBoundSentences(t *testing.T) {
	b := func(statement string, k int, ratio float64, status string) rundir.Bound {
		return rundir.Bound{Statement: statement, K: k, Measured: 2, Sharp: rundir.Number(2 * ratio), Status: status}
	}
	said := func(bounds ...rundir.Bound) string {
		s := solution{Record: records(gridConfig([]float64{0.1}, []int{20}, 1))[0]}
		s.Result.Bounds = bounds
		return strings.Join(boundSentences(&s), " ")
	}
	for _, c := range []struct{ got, want string }{
		{said(b("theorem 3", 1, 40, applies), b("theorem 2", 2, 1, applies), b("theorem 2", 1, 9.99, assumed), b("theorem 7", 1, 10, assumed)),
			"Informative, with a sharp form below 10 times what was measured: Theorem 2 (k=1, 2). " +
				"Vacuous, with a sharp form of 10 times what was measured or more: Theorem 3 (k=1), Theorem 7 (k=1)."},
		{said(b("theorem 2", 1, 0.5, applies), b("theorem 3", 1, math.NaN(), applies), b("theorem 4", 1, 1, "does-not-apply"), b("theorem 5", 1, 1, "unknown"), b("theorem 5", 2, 1, "")),
			"No bound is informative: none has a sharp form below 10 times what was measured. " +
				"Below what was measured, so that one of the hypotheses must be false: Theorem 2 (k=1). " +
				"In force, but with nothing measured that they could be compared with: Theorem 3 (k=1). " +
				"Do not apply: Theorem 4 (k=1). Undecided whether they apply: Theorem 5 (k=1, 2)."},
	} {
		if c.got != c.want {
			t.Errorf("%s\nwant %s", c.got, c.want)
		}
	}
}

// Theorem 4's bound is divided by the volume's root, whatever its unit.
func TestAroundTable(t *testing.T) {
	s := solution{Record: boundedRecords(gridConfig([]float64{0.1}, []int{20}, 1))[0]}
	table := aroundTableOf(&s)
	if len(table.Rows) != 3 || len(table.Facts) != 5 {
		t.Fatalf("%+v", table)
	}
	s.Result.Geometry.LogVolume.Value = -4
	for _, b := range []rundir.Bound{{Sharp: 3}, {Sharp: rundir.Number(3 * math.Exp(-2)), LogFactor: 2}, {Sharp: rundir.Number(3e200), LogFactor: -200 * math.Ln10}} {
		b.Statement, b.K, b.Status = "theorem 4", 1, assumed
		s.Result.Bounds = []rundir.Bound{b}
		if got, want := meanSeminormBound(&s, 1), "≤ "+significant(3*math.Exp(2)); got != want { // V^{-1/2} = e²
			t.Errorf("%v: %s, want %s", b, got, want)
		}
	}
	cell := func(k, column int) string {
		c := aroundRowOf(&s, k).Cells[column]
		return c.Value + " | " + strings.Join(c.Notes, " | ")
	}
	gX := float64(s.Result.Moments[0].GX)
	s.Result.Bounds = []rundir.Bound{{Statement: "theorem 4", K: 2, Sharp: 1, Status: "does-not-apply"}, {Statement: "theorem 6", K: 2, Measured: 0.09, Sharp: 1, Status: "unknown"}, {Statement: "theorem 7", K: 2, Sharp: 70, Status: applies}}
	for _, c := range []struct {
		k, column int
		want      string
	}{
		{1, 0, "2.50 | certified: 9.00 | ‖V‖ ≤ 0.200, 20 samples"},
		{1, 1, fmt.Sprintf("%s | [%s, %s] | Theorem 4: – | at the samples: %s", significant(1.1*gX), significant(0.96*1.1*gX), significant(1.04*1.1*gX), significant(gX))},
		{1, 2, "1.50 | Theorem 5: –"}, {1, 3, "– | Theorem 6: –"}, {1, 4, "0.630 | Theorem 7: –"},
		{2, 3, "0.0900 | Theorem 6: undecided"}, {2, 4, "0.630 | Theorem 7: ≤ 70.0"}, {9, 0, "– | "}, {9, 1, "– | Theorem 4: –"},
	} {
		if got := cell(c.k, c.column); got != c.want {
			t.Errorf("order %d: %s, want %s", c.k, got, c.want)
		}
	}
	if got := cell(2, 1); !strings.Contains(got, "Theorem 4: does not apply") {
		t.Error(got)
	}
	s.Result.Geometry, s.Result.Seminorms, s.Result.Smoothness, s.Result.Robustness = nil, nil, nil, nil
	if aroundTableOf(&s) != nil {
		t.Error("without a radius there is a table of the balls")
	}
}

func TestBoundsOnThePage(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2, 0.4, 0.8}, []int{20}, 2)
	rs := boundedRecords(cfg)
	r := fromRecords(cfg, rs, false, fewDraws)
	data, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{">Bounds</h2>", "of 8 with bounds", "undecided whether it applies, because this is open: order-3 stable (η = 0.1 between 0.05 and 0.2)",
		"definition 1: assumed (if C_s = 2.5 is right)", "if assumptions hold", "(8 solutions)", "25.00% of the test samples", "is between 2 and 5", "strongest attack found",
		"Larger bound of Theorem 3 (<i>k</i> = 1) goes with larger <i>g</i><sub>x</sub>"} {
		if !bytes.Contains(data, []byte(text)) {
			t.Errorf("the page lacks %q", text)
		}
	}
	overview, _, _ := bytes.Cut(data, []byte("</main>"))
	if n := bytes.Count(overview, []byte(`colspan="5"`)); n != 10 {
		t.Errorf("%d bounds without numbers, want 10", n)
	}
	c, ok := r.find(sharpBound("corollary 4", 1), gX(1), "Spearman")
	if !ok || c.N != 8 || !near(c.Value, 1, 1e-12) {
		t.Errorf("Corollary 4 is 1.9 g_x, and correlates as %+v", c)
	}
	// Without them nothing changes.
	before := fromRecords(cfg, stableRecords(cfg, true), false, fewDraws)
	for i := range rs {
		res := rs[i].Result
		res.Bounds, res.Geometry, res.Seminorms, res.Smoothness, res.Robustness = nil, nil, nil, nil, nil
	}
	after := fromRecords(cfg, rs, false, fewDraws)
	a, errA := before.HTML()
	b, errB := after.HTML()
	if errA != nil || errB != nil || !bytes.Equal(a, b) || bytes.Contains(a, []byte("ounds</h2>")) || bytes.Contains(a, []byte("bound of")) {
		t.Errorf("a run without bounds speaks of them (%v, %v)", errA, errB)
	}
	if fmt.Sprint(before.Correlations) != fmt.Sprint(after.Correlations) || len(r.Correlations) != len(before.Correlations)+4 {
		t.Errorf("%d correlations with bounds, %d without", len(r.Correlations), len(before.Correlations))
	}
}

// The chart of the page has the bounds of the drawing, and says of each what it is.
func TestRatioChart(t *testing.T) {
	nan := rundir.Number(math.NaN())
	bounds := []rundir.Bound{
		{Statement: "theorem 2", K: 1, Measured: 2, Sharp: 6, Printed: 18, Free: nan, SharpForm: "trace", Status: "applies", Applies: true},
		{Statement: "theorem 3", K: 1, Measured: 2, Sharp: 6, Status: "does-not-apply"},
		{Statement: "theorem 4", K: 2, Measured: 0.5, Sharp: nan, Printed: 5, Free: 4, Status: "assumed", Applies: true},
		{Statement: "theorem 5", K: 1, Measured: 0, Sharp: 6, Printed: 18, Free: 6, Status: "applies", Applies: true},
	}
	js, err := json.Marshal(newRatioChart(bounds))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"vacuous":10,"ratios":[{"statement":"Theorem 2","k":1,"values":[2,6,18,null],"form":"trace"},{"statement":"Theorem 4","k":2,"values":[0.5,null,5,4],"assumed":true}]}`
	if string(js) != want {
		t.Errorf("got %s\nwant %s", js, want)
	}
}
