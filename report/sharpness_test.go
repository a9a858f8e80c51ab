package report

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sobolev/rundir"
)

func TestSharpnessFigure(t *testing.T) {
	cfg := gridConfig([]float64{0.02, 0.05, 0.1, 0.2, 0.4}, []int{20}, 2)
	r := withProbes(fromRecords(cfg, stableRecords(cfg, true), false, 20), evenly(11, 1000))
	f, svg := figureNamed(t, r, "sharpness")
	if n := len(dashes.FindAllString(svg, -1)); n != 2*maxRepresentatives {
		t.Errorf("%d lines at 2/η, want one for each of 4 curves in 2 panels", n)
	}
	for _, text := range []string{">batch sharpness<", "(Hessian)<", ">0<", ">10000<", "(dashed: 2 / η)<"} {
		if !strings.Contains(svg, text) {
			t.Errorf("no %q in the figure", text)
		}
	}
	for _, text := range []string{"on 1000 training samples", "η = 0.02, B = 20", "η = 0.4, B = 20"} {
		if !strings.Contains(f.caption, text) {
			t.Errorf("no %q in %q", text, f.caption)
		}
	}
	for _, c := range r.curves {
		for i := range c.probes {
			c.probes[i].RatioMean = math.NaN()
		}
	}
	f, svg = figureNamed(t, r, "sharpness")
	if strings.Contains(svg, "batch sharpness") || strings.Contains(f.caption, "interval") || len(dashes.FindAllString(svg, -1)) != maxRepresentatives {
		t.Error("batch sharpness is drawn without being measured")
	}
	for i := range r.curves {
		r.curves[i].probes = nil
	}
	if _, svg = figureNamed(t, r, "sharpness"); svg != "" {
		t.Error("a run without probes has the figure")
	}
}

func TestStepAxis(t *testing.T) {
	axis := func(steps []int64) stepAxis { return stepsOf([]curve{{probes: probesOf(0.1, steps)}}) }
	if a := axis(evenly(50, 100)); a.log || !a.holds(0) || !a.holds(4900) || a.at(0) != 0 {
		t.Errorf("evenly spaced: %+v", a)
	}
	geometric := []int64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256}
	a := axis(geometric)
	if !a.log || !(a.at(0) > 0 && a.at(0) <= 0.5) || !a.holds(a.at(0)) || !a.holds(256) || a.at(4) != 4 {
		t.Errorf("geometrically spaced: %+v", a)
	}
	p := centredPanel(a.scale, scale{lo: 0, hi: 1}, "", "", nil)
	if got := labels(a.withZero(p.X.Tick.Marker.Ticks(a.lo, a.hi))); !strings.HasPrefix(got, "0 1 ") {
		t.Errorf("labels %s", got)
	}
	if a := axis(geometric[1:]); !a.log || a.zero != 0 || a.at(1) != 1 {
		t.Errorf("without step 0: %+v", a)
	}
	// Of trainings of very different length the short ones must be seen.
	long, short, medium := curve{probes: probesOf(0.1, evenly(50, 100))}, curve{probes: probesOf(0.4, evenly(4, 100))}, curve{probes: probesOf(0.2, evenly(30, 100))}
	if a := stepsOf([]curve{long, short}); !a.log || a.at(0) >= 100 {
		t.Errorf("of 4900 and 300 steps: %+v", a)
	}
	if a := stepsOf([]curve{long, medium}); a.log {
		t.Errorf("of 4900 and 2900 steps: %+v", a)
	}
	for _, steps := range [][]int64{{0}, {7}, {0, 5}} {
		if a := axis(steps); a.log || !a.holds(float64(steps[0])) {
			t.Errorf("%v: %+v", steps, a)
		}
	}
}

// A line at 2/η ends with its training, also the only one and that of a single step.
func TestEdgesEndWithTheirTrainings(t *testing.T) {
	lengths := func(steps ...[]int64) (found []float64) {
		cfg := gridConfig([]float64{0.1, 0.4}[:len(steps)], []int{20}, 1)
		r := fromRecords(cfg, stableRecords(cfg, true), false, 20)
		for i := range r.solutions {
			rows := probesOf(r.solutions[i].Point.LearningRate, steps[i])
			for j := range rows {
				rows[j].RatioMean = math.NaN() // one panel
			}
			r.curves = append(r.curves, curve{of: &r.solutions[i], probes: rows})
		}
		_, svg := figureNamed(t, r, "sharpness")
		for _, m := range regexp.MustCompile(`d="M([-0-9.]+),[-0-9.]+L([-0-9.]+),[-0-9.]+"\s+style="[^"]*stroke-dasharray`).FindAllStringSubmatch(svg, -1) {
			from, errFrom := strconv.ParseFloat(m[1], 64)
			to, errTo := strconv.ParseFloat(m[2], 64)
			if errFrom != nil || errTo != nil {
				t.Fatal(m)
			}
			if n := strings.Count(svg, "L"+m[2]+","); n < 2 && len(steps[len(found)]) > 1 {
				t.Errorf("%d lines end where the training does, want its own and that at 2/η", n)
			}
			found = append(found, to-from)
		}
		return found
	}
	got := lengths(evenly(11, 100), evenly(6, 100))
	if len(got) != 2 || !near(got[1]/got[0], 0.51, 0.02) {
		t.Errorf("lines of lengths %v for trainings of 1000 and 500 steps", got)
	}
	lengths(evenly(11, 100))
	if once := lengths(evenly(11, 100), []int64{100}); len(once) != 2 || !(once[1] < 0.3*once[0]) {
		t.Errorf("lines of lengths %v for trainings of 1000 steps and of one record", once)
	}
}

// A training that diverged at once has a single record, which is a dot.
func TestSingleRecordsAreDrawn(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2, 0.4}, []int{20}, 1)
	r := fromRecords(cfg, records(cfg), false, 20)
	for i, loss := range [][]float64{{3, 2, 1}, {3, 1, 0.5}, {9}} {
		r.curves = append(r.curves, curve{of: &r.solutions[i], steps: []float64{1, 10, 100}[:len(loss)], loss: loss})
	}
	if _, svg := figureNamed(t, r, "training"); !circle.MatchString(svg) {
		t.Error("the record of a training that diverged at once is not drawn")
	}
}

func TestProbed(t *testing.T) {
	rows := probesOf(0.1, evenly(5000, 3))
	rows = slices.Insert(rows, 1, rundir.HistoryRow{Step: 1, BatchLoss: 1, Probe: rundir.NoProbe()})
	kept := probed(rows)
	if len(kept) != maxProbes || kept[0].Step != 0 || kept[len(kept)-1].Step != 3*4999 {
		t.Errorf("%d rows from %d to %d", len(kept), kept[0].Step, kept[len(kept)-1].Step)
	}
	for i, row := range kept {
		if row.ProbeSamples == 0 || i > 0 && row.Step <= kept[i-1].Step {
			t.Errorf("row %d: %+v", i, row)
		}
	}
	if got := probed([]rundir.HistoryRow{{Step: 1, Probe: rundir.NoProbe()}}); len(got) != 0 {
		t.Errorf("%d rows without a probe", len(got))
	}
}

// From disk, where what is infinite is null and unmeasured columns are NaN.
func TestStabilityFromDisk(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2}, []int{20}, 1)
	rs := stableRecords(cfg, false)
	rs[0].Result.Stability.EtaVar.Upper = rundir.Number(math.Inf(1))
	dir := onDisk(t, cfg, rs)
	for _, r := range rs {
		if err := dir.Point(r.Point).WriteHistory(probesOf(r.Point.LearningRate, evenly(6, 500))); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stability-diagram", "margin", "frontier", "sharpness"} {
		if _, svg := figureNamed(t, r, name); svg == "" {
			t.Errorf("no figure %s", name)
		}
	}
	if rows := r.stabilityTable().Rows; len(rows) != 2 || !strings.HasSuffix(rows[0].EtaVar.Range, ", –]") {
		t.Errorf("%+v", rows)
	}
}
