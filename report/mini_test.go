package report

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sobolev/rundir"
)

// What is drawn of a long history is small and has its extremes; what the script gets
// is what was recorded, all of it where the page is that of one point.
func TestLongHistory(t *testing.T) {
	const n = 50_000
	s := &solution{Record: rundir.Record{Point: rundir.Point{LearningRate: 0.1}}}
	rows := make([]rundir.HistoryRow, n)
	for i := range rows {
		rows[i] = rundir.HistoryRow{Step: int64(i + 1), BatchLoss: 1 + 0.5*math.Sin(float64(i)*float64(i)), Probe: rundir.NoProbe()}
	}
	rows[n/3].BatchLoss, rows[n/2].BatchLoss = 7, 0.0625
	for _, whole := range []bool{true, false} {
		m := s.minis(rows, whole)[0]
		if svg := m.SVG(); strings.Count(string(svg), "L") > 4*(miniRight-miniLeft+1)+2*curveBins || !strings.Contains(string(svg), `class="line faint"`) {
			t.Errorf("drawn with %d bytes", len(svg))
		}
		var charts []struct {
			Lines []struct{ X, Y []float64 }
		}
		if err := json.Unmarshal([]byte(m.Charts), &charts); err != nil {
			t.Fatal(err)
		}
		line := charts[0].Lines[0]
		if whole != (len(line.X) == n) || len(line.X) > n || len(line.X) < 200 {
			t.Errorf("the script gets %d values of %d, whole: %t", len(line.X), n, whole)
		}
		extremes := 0
		for i, x := range line.X {
			recorded := rows[int(x)-1].BatchLoss
			if !near(line.Y[i], recorded, 1e-4) {
				t.Fatalf("step %v: %v, recorded is %v", x, line.Y[i], recorded)
			}
			if recorded == 7 || recorded == 0.0625 {
				extremes++
			}
		}
		if extremes != 2 {
			t.Errorf("%d of the two extremes are left", extremes)
		}
		if cut := strings.Contains(m.Caption, "Of 50000 values"); cut == whole {
			t.Errorf("the caption is %q, whole: %t", m.Caption, whole)
		}
	}
}

// A training that diverged at its first step has steps that are whole and not negative,
// and nothing is said of numbers that it has not.
func TestDivergedAtOnce(t *testing.T) {
	cfg := gridConfig([]float64{100}, []int{20}, 1)
	rs := records(cfg)
	diverge(&rs[0])
	nan := rundir.Number(math.NaN())
	rs[0].Result.Training.TestLoss, rs[0].Result.Training.TrainAccuracy, rs[0].Result.Training.TestAccuracy = nan, nan, nan
	rs[0].Result.Fit.MaxResidual = nan
	s := &solution{Record: rs[0]}
	for _, f := range s.facts() {
		if strings.Contains(f.Value, "–") || f.Name == "Loss" || f.Name == "Accuracy" {
			t.Errorf("%s: %s", f.Name, f.Value)
		}
	}
	rs[0].Result.Training.TrainAccuracy = 0.5
	if facts := s.facts(); !slices.Contains(facts, fact{"Accuracy", "50.00% in training"}) {
		t.Errorf("facts %v", facts)
	}
	for _, step := range []int64{0, 1} {
		minis := s.minis([]rundir.HistoryRow{{Step: step, BatchLoss: 9, Probe: rundir.Probe{ProbeSamples: 10, TrainAccuracy: 0.5, TestAccuracy: 0.5}}}, true)
		for _, m := range minis {
			for _, label := range regexp.MustCompile(`text-anchor="middle"[^>]*>([^<]*)<`).FindAllStringSubmatch(string(m.SVG()), -1) {
				if strings.ContainsAny(label[1], "−.") {
					t.Errorf("%s: the axis of steps has %s", m.Heading, label[1])
				}
			}
		}
		if len(minis) < 2 {
			t.Errorf("step %d: %d charts", step, len(minis))
		}
	}
}

// What the script gets of the figures is in order, whatever a run holds, and has the
// marks that the captions speak of.
func TestCurvesOfFigures(t *testing.T) {
	seen := map[string]bool{}
	for name, r := range oddRuns() {
		js, err := r.Curves()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var figures map[string][]struct {
			LogX  bool
			Zero  float64
			Lines []struct {
				X, Y, Lower, Upper []float64
				Limit              *float64
			}
		}
		if err := json.Unmarshal(js, &figures); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for figure, charts := range figures {
			seen[figure] = true
			for _, c := range charts {
				var x []float64
				for _, l := range c.Lines {
					if l.X != nil {
						x = l.X
					}
					if len(l.Y) == 0 || len(l.Y) != len(x) || !slices.IsSorted(x) || len(l.Lower) != len(l.Upper) || l.Lower != nil && len(l.Lower) != len(x) {
						t.Errorf("%s, %s: a line of %d and %d values, %d and %d bounds", name, figure, len(x), len(l.Y), len(l.Lower), len(l.Upper))
					}
					if figure == "sharpness" && l.Limit == nil {
						t.Errorf("%s: sharpness without 2/η", name)
					}
				}
				if figure == "sharpness" && c.LogX != (c.Zero > 0) {
					t.Errorf("%s: step 0 stands at %v of a logarithmic axis, %t", name, c.Zero, c.LogX)
				}
			}
		}
	}
	for _, figure := range []string{"training", "sharpness", "frontier", "covering"} {
		if !seen[figure] {
			t.Errorf("no run has curves of %s", figure)
		}
	}
}

// A curve has no value that is no number, and lines of equal x share it.
func TestLineChart(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	c := lineChart{X: "x", Lines: []chartLine{
		newChartLine("a", []float64{1, 2, 3, nan}, []float64{1, nan, 3, 4}, []float64{0.5, 0, nan, 0}, []float64{1.5, 0, inf, 0}),
		newChartLine("b", []float64{1, 3}, []float64{5, -6}, nil, nil),
		newChartLine("c", []float64{1}, []float64{nan}, nil, nil),
		newChartLine("d", []float64{1}, []float64{2}, nil, nil),
	}}
	want := `[{"xlabel":"x","lines":[{"label":"a","x":[1,3],"y":[1,3],"lower":[0.5,3],"upper":[1.5,3]},{"label":"b","y":[5,-6]},{"label":"d","x":[1],"y":[2]}]}]`
	if got := c.attribute(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if strings.Contains(c.attribute(), "null") || c.Lines[1].X == nil {
		t.Error("the chart has changed, or has nothing in it")
	}
}
