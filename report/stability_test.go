package report

import (
	"bytes"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sobolev/rundir"
)

// figureNamed is the SVG of one figure, "" when the report does not have it.
func figureNamed(t *testing.T, r *Report, name string) (figure, string) {
	t.Helper()
	for _, f := range r.listFigures() {
		if f.name == name {
			drawn, err := f.render("svg")
			if err != nil {
				t.Fatal(err)
			}
			svg := strings.ReplaceAll(string(drawn), "\u00a0", " ")
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
				t.Errorf("%s has a coordinate that is no number", name)
			}
			return f, svg
		}
	}
	return figure{}, ""
}

var (
	circle   = regexp.MustCompile(`<path d="M[^"]*A[^"]*"\s+style="([^"]*)"`)
	triangle = regexp.MustCompile(`<path d="M[^"LAC]*L[^"LAC]*L[^"LAC]*Z"\s+style="([^"]*)"`)
	square   = regexp.MustCompile(`<path d="M[^"LAC]*L[^"LAC]*L[^"LAC]*L[^"LAC]*Z"\s+style="([^"]*)"`)
	dashes   = regexp.MustCompile(`stroke-dasharray`)
)

// filled and rings count the markers of a shape: those that are filled, and those
// that are only stroked in a colour.
func filled(svg string, shape *regexp.Regexp) (n, rings int) {
	for _, m := range shape.FindAllStringSubmatch(svg, -1) {
		switch style := m[1]; {
		case !strings.Contains(style, "fill:none"):
			n++
		case !strings.Contains(style, "stroke:#222222"):
			rings++
		}
	}
	return n, rings
}

func TestStabilityDiagram(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2, 0.4}, []int{10, 20}, 2)
	rs := stableRecords(cfg, true)
	noInterpolation(&rs[3])
	diverge(&rs[7])
	rs[8].Result.Stability.EtaVar = rundir.Threshold{Value: rundir.Number(math.NaN())}
	f, svg := figureNamed(t, fromRecords(cfg, rs, false, 20), "stability-diagram")
	for _, shape := range []*regexp.Regexp{circle, triangle} {
		if n, rings := filled(svg, shape); n != 9 || rings != 1 {
			t.Errorf("%d filled and %d hollow markers of %s, want 9 and 1", n, rings, shape)
		}
	}
	for _, text := range []string{"hollow, not interpolating: 1", "not drawn: 2", ">sharpness<", ">2 / η<", ">unstable<", ">stable<", ">B<"} {
		if !strings.Contains(svg, text) {
			t.Errorf("no %q in the diagram", text)
		}
	}
	if !strings.Contains(f.caption, "Hollow markers") || strings.Contains(f.caption, "Vertical bars") {
		t.Errorf("caption %q", f.caption)
	}
	f, _ = figureNamed(t, fromRecords(cfg, stableRecords(cfg, false), false, 20), "stability-diagram")
	if !strings.Contains(f.caption, "Vertical bars") {
		t.Errorf("caption of brackets %q", f.caption)
	}
}

// A bar reaches from 2/upper to 2/lower around its marker; unknown ends reach the
// end of the axis.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64Range(1e-3, 1e3).Draw(t, "value")
		b := bounded(rundir.Threshold{Value: rundir.Number(value), Lower: rundir.Number(value / rapid.Float64Range(1, 9).Draw(t, "a")),
			Upper: rundir.Number(value * rapid.Float64Range(1, 9).Draw(t, "b"))})
		if !(b.lower <= b.value && b.value <= b.upper) {
			t.Fatalf("%+v", b)
		}
		if s := b.under(2); !(s.lower <= s.value && s.value <= s.upper) || !near(s.value*b.value, 2, 1e-12) || !near(s.lower*b.upper, 2, 1e-12) {
			t.Fatalf("%+v under 2 is %+v", b, s)
		}
	})
	cfg := gridConfig([]float64{0.1, 0.3}, []int{20}, 1)
	r := fromRecords(cfg, stableRecords(cfg, false), false, 20)
	for i := range r.solutions {
		s := &r.solutions[i]
		generalised := s.etaVar().under(2).value
		edge, m := generalised*s.Point.LearningRate/2, margin().of(s)
		if !near(edge*m, 1, 1e-12) || !(m > 1) {
			t.Errorf("2/η*_var is %v of 2/η at the margin %v", edge, m)
		}
		if !(sharpness().of(s) <= generalised) {
			t.Errorf("λ_max %v is above 2/η*_var %v", sharpness().of(s), generalised)
		}
	}
}

func TestVerdicts(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		eta, lower, upper float64
		want              verdict
	}{
		{0.1, 0.1, 0.1, stable}, {0.1, 0.2, nan, stable}, {0.1, 0.05, 0.1, undecided}, {0.1, 0.05, 0.09, unstable},
		{0.1, nan, 0.09, unstable}, {0.1, nan, 0.2, undecided}, {0.1, 0.05, inf, undecided}, {0.1, inf, inf, stable}, {0.1, nan, nan, unmeasured}, {0.1, 0, 0, unmeasured},
	} {
		if got := decide(c.eta, c.lower, c.upper); got != c.want {
			t.Errorf("η = %v against [%v, %v]: %v, want %v", c.eta, c.lower, c.upper, got, c.want)
		}
	}
	yes, no := true, false
	s := solution{Record: stableRecords(gridConfig([]float64{0.1}, []int{20}, 1), true)[0]}
	s.Result.Stability.Orders = []rundir.Order{{K: 3, Stable: &no}, {K: 4}, {K: 5, Stable: &yes}}
	for k, want := range map[int]verdict{2: stable, 3: unstable, 4: undecided, 5: stable, 6: unmeasured} {
		if got := s.stableOfOrder(k); got != want {
			t.Errorf("order %d: %v, want %v", k, got, want)
		}
	}
	s.Result.Training.Status = "diverged"
	if s.stableOfOrder(2) != unmeasured || s.stableOfAllOrders() != unmeasured || s.lyapunov() != nil {
		t.Error("a diverged training is a solution")
	}
}

func TestMarginFigures(t *testing.T) {
	names := func(r *Report) (found []string) {
		for _, f := range r.stabilityFigures() {
			found = append(found, f.name)
		}
		return found
	}
	for _, c := range []struct {
		etas    []float64
		batches []int
		want    []string
		label   string
	}{
		{[]float64{0.1, 0.2}, []int{20}, []string{"stability-diagram", "margin", "frontier"}, ">learning rate η<"},
		{[]float64{0.1}, []int{10, 20}, []string{"stability-diagram", "margin", "frontier"}, ">batch size B<"},
		{[]float64{0.1, 0.2}, []int{10, 20}, []string{"stability-diagram", "margin", "margin-batch-size", "frontier"}, ">learning rate η<"},
		{[]float64{0.1}, []int{20}, []string{"stability-diagram", "frontier"}, ""},
	} {
		cfg := gridConfig(c.etas, c.batches, 2)
		r := fromRecords(cfg, stableRecords(cfg, true), false, 20)
		if got := names(r); !slices.Equal(got, c.want) {
			t.Errorf("η %v, B %v: %v", c.etas, c.batches, got)
		}
		_, svg := figureNamed(t, r, "margin")
		if c.label == "" {
			continue
		}
		if n, rings := filled(svg, circle); n != len(r.solutions) || rings != 0 || !strings.Contains(svg, c.label) {
			t.Errorf("η %v, B %v: %d markers, %d hollow, label %s: %v", c.etas, c.batches, n, rings, c.label, strings.Contains(svg, c.label))
		}
	}
	cfg := gridConfig([]float64{0.1, 0.2}, []int{20}, 2)
	if got := names(fromRecords(cfg, records(cfg), false, 20)); got != nil {
		t.Errorf("a run without stability has the figures %v", got)
	}
}

func TestFrontierFigure(t *testing.T) {
	cfg := gridConfig([]float64{0.02, 0.05, 0.1, 0.2, 0.4, 0.8}, []int{20}, 3)
	r := fromRecords(cfg, stableRecords(cfg, true), false, 20)
	f, svg := figureNamed(t, r, "frontier")
	if n, _ := filled(svg, circle); n != 4*12 {
		t.Errorf("%d thresholds, want 12 of 4 solutions", n)
	}
	edged := 0
	for _, m := range square.FindAllStringSubmatch(svg, -1) {
		if strings.Contains(m[1], "fill:none") && strings.Contains(m[1], "stroke:#222222") {
			edged++
		}
	}
	if edged != 4 {
		t.Errorf("%d squares, want one where each solution was trained", edged)
	}
	if n := len(dashes.FindAllString(svg, -1)); n != 4 {
		t.Errorf("%d dashed lines", n)
	}
	for _, text := range []string{"η = 0.02,", "η = 0.8,", "one solution of each learning rate"} {
		if !strings.Contains(f.caption, text) {
			t.Errorf("no %q in %q", text, f.caption)
		}
	}
	if !strings.Contains(svg, ">batch size B<") || !strings.Contains(svg, ">learning rate<") {
		t.Error("axes without labels")
	}
	for i := range r.solutions {
		if r.solutions[i].Point.LearningRate == 0.8 {
			noInterpolation(&r.solutions[i].Record)
		}
	}
	f, svg = figureNamed(t, r, "frontier")
	_, rings := filled(svg, circle)
	for i, l := range f.curves()[0].Lines {
		if l.Open != (i == 3) || rings != 12 || !strings.Contains(f.caption, "Hollow") {
			t.Errorf("line %d is open: %t; %d hollow thresholds are drawn", i, l.Open, rings)
		}
	}
}

// The one of median margin; those that interpolate first.
func TestRepresentatives(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 5)
	rs := stableRecords(cfg, true)
	for i, m := range []float64{1.1, 3, 2, math.NaN(), 5} {
		rs[i].Result.Stability.EtaVar = rundir.Threshold{Value: rundir.Number(0.1 * m), Exact: true}
	}
	pick := func() int {
		r := fromRecords(cfg, rs, false, 20)
		var all []*solution
		for i := range r.solutions {
			all = append(all, &r.solutions[i])
		}
		chosen := r.representatives(all)
		if len(chosen) != 1 {
			t.Fatalf("%d chosen of one cell", len(chosen))
		}
		return chosen[0].Point.Repetition
	}
	if got := pick(); got != 3 { // of 1.1, 2, 3, 5 the one below the middle
		t.Errorf("repetition %d, want 3", got)
	}
	noInterpolation(&rs[2])
	if got := pick(); got != 2 {
		t.Errorf("repetition %d, want 2, since 3 does not interpolate", got)
	}
	for n := 1; n <= 12; n++ {
		var etas []float64
		for i := range n {
			etas = append(etas, 0.01*float64(i+1))
		}
		cfg := gridConfig(etas, []int{20}, 1)
		r := fromRecords(cfg, records(cfg), false, 1)
		var all []*solution
		for i := range r.solutions {
			all = append(all, &r.solutions[i])
		}
		chosen := r.representatives(all)
		if len(chosen) != min(n, maxRepresentatives) || chosen[0] != all[0] || chosen[len(chosen)-1] != all[n-1] && n > 1 {
			t.Errorf("%d of %d learning rates, not from the first to the last", len(chosen), n)
		}
		for i := range chosen[1:] {
			if !(chosen[i+1].Point.LearningRate > chosen[i].Point.LearningRate) {
				t.Errorf("of %d: %v after %v", n, chosen[i+1].Point.LearningRate, chosen[i].Point.LearningRate)
			}
		}
	}
}

func TestStabilitySentences(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 4)
	rs := stableRecords(cfg, true)
	for i, m := range []float64{1.02, 4.1, 1.6, 0.9} {
		s := rs[i].Result.Stability
		s.EtaVar, s.Orders = rundir.Threshold{Value: rundir.Number(0.1 * m), Lower: rundir.Number(0.1 * m), Upper: rundir.Number(0.1 * m), Exact: true}, nil
	}
	said := func() string {
		return strings.Join(fromRecords(cfg, rs, false, 20).stabilitySentences(), " ")
	}
	check := func(want string) {
		t.Helper()
		if got := said(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	check("3 of 4 solutions are mean-square stable at their own η and B, 1 not; the margin η*_var/η lies between 0.900 and 4.10 (median 1.31).")
	rs[3].Result.Stability.EtaVar = rundir.Threshold{Value: 0.11, Lower: 0.09, Upper: 0.12}
	check("3 of 4 solutions are mean-square stable at their own η and B, 1 undecided; the margin η*_var/η lies between 1.02 and 4.10 (median 1.35).")
	noInterpolation(&rs[3])
	diverge(&rs[2])
	const further = " 1 further solution does not interpolate: not counted here, since the Gauss–Newton matrix is not the Hessian there."
	check("2 of 2 solutions are mean-square stable at their own η and B; the margin η*_var/η lies between 1.02 and 4.10 (median 2.56)." + further)
	rs[1].Result.Stability = nil
	check("1 of 1 solution is mean-square stable at its own η and B; the margin η*_var/η is 1.02." + further)
	noInterpolation(&rs[0])
	check("Stability was measured of 2 solutions, and none interpolates: the thresholds are those of the Gauss–Newton matrix, which is not the Hessian there.")
	rs[0].Result.Stability, rs[3].Result.Stability = nil, nil
	check("")
}

func TestStabilityTable(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 3)
	rs := stableRecords(cfg, true)
	share, largest, no := rundir.Number(0.0123), rundir.Number(8), false
	rs[0].Result.Curvature = &rundir.Curvature{LambdaMax: &largest, ResidualShare: &share}
	rs[0].Result.Stability = &rundir.Stability{
		EtaMean: 0.25, EtaVar: rundir.Threshold{Value: 0.15, Lower: 0.12, Upper: 0.16}, EtaAllOrders: rundir.Bracket{Lower: 0.05, Upper: 0.09},
		Orders: []rundir.Order{{K: 4}, {K: 3, Stable: &no}},
		Lyapunov: []rundir.LyapunovExponent{{LearningRate: 0.05, Estimate: rundir.Estimate{Value: 7}},
			{LearningRate: 0.1, Estimate: rundir.Estimate{Value: -0.02, CI95: [2]rundir.Number{-0.03, -0.01}}}},
	}
	noInterpolation(&rs[0])
	rs[0].Result.Fit.RelativeLoss = 0.02
	rs[1].Result.Stability = nil
	rs[2].Result.Stability = &rundir.Stability{EtaMean: rundir.Number(math.NaN()), EtaVar: rundir.Threshold{Value: rundir.Number(math.Inf(1)), Lower: 0.3, Upper: rundir.Number(math.NaN())}}
	rs[2].Result.Curvature = nil
	r := fromRecords(cfg, rs, false, 20)
	table := r.stabilityTable()
	if !slices.Equal(table.Orders, []int{2, 3, 4}) || len(table.Rows) != 2 || table.Absent != 1 {
		t.Fatalf("%+v", table)
	}
	first, last := table.Rows[0], table.Rows[1]
	if first.Sharpness != "8.00" || first.EtaMean != "0.250" || first.Margin != "1.50" || first.ResidualShare != "0.0123" ||
		first.EtaVar != (spreadOf{"0.150", "[0.120, 0.160]"}) || first.Lyapunov != (spreadOf{"−0.0200", "[−0.0300, −0.0100]"}) ||
		first.RelativeLoss != (spreadOf{"0.0200", "not interpolating"}) || !slices.Equal(first.Verdicts, []string{"yes", "no", "undecided", "no"}) {
		t.Errorf("%+v", first)
	}
	if last.Sharpness != "–" || last.EtaMean != "–" || last.Margin != "–" || last.ResidualShare != "–" || last.EtaVar != (spreadOf{"–", "[0.300, –]"}) ||
		last.Lyapunov != (spreadOf{Median: "–"}) || !slices.Equal(last.Verdicts, []string{"yes", "–", "–", "–"}) {
		t.Errorf("%+v", last)
	}
	data, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`<h2 id="stability">`, "configured loss (mse)", "drawn without replacement", "not interpolating", "[−0.0300, −0.0100]",
		"Finished trainings without this measurement: 1.", "η*<sub>var</sub>/η", "null in the point’s"} {
		if !bytes.Contains(data, []byte(text)) {
			t.Errorf("the page lacks %q", text)
		}
	}
	plain, err := fromRecords(cfg, records(cfg), false, 20).HTML()
	if err != nil || bytes.Contains(plain, []byte("tability</h2>")) || bytes.Contains(plain, []byte("Gauss")) {
		t.Errorf("a run without stability has that section (%v)", err)
	}
	cfg.SGD.Momentum = 0.9
	if data, err = fromRecords(cfg, rs, false, 20).HTML(); err != nil || !bytes.Contains(data, []byte("this run trains with momentum 0.9.")) {
		t.Errorf("the page is silent about momentum (%v)", err)
	}
}
