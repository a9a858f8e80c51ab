package report

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"sobolev/rundir"
)

func TestData(t *testing.T) {
	cfg := gridConfig([]float64{0.1, 0.2}, []int{10, 20}, 2)
	rs := boundedRecords(cfg)
	diverge(&rs[0])
	rs[1].Result.Training.Status = "</script>"
	js, err := Data(cfg, rs[:7], false) // the last has not begun
	if err != nil {
		t.Fatal(err)
	}
	type column struct {
		Name   string
		Values []*float64
		Words  []string
		Codes  []int
	}
	var d struct {
		Points  []string
		Columns []column
	}
	if err := json.Unmarshal(js, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Points) != 8 || d.Points[2] != rs[2].Name {
		t.Errorf("points %v", d.Points)
	}
	for name, want := range map[string]float64{
		"learning_rate": 0.1, "batch_size": 20, "g_x_1": float64(rs[2].Result.Moments[0].GX), "eta_over_batch": 0.005, "two_over_eta": 20,
		"margin": margin().of(&solution{Record: rs[2]}), "corollary 4, k=1, sharp/measured": 1.9,
	} {
		at := slices.IndexFunc(d.Columns, func(c column) bool { return c.Name == name })
		if at < 0 || len(d.Columns[at].Values) != 8 || d.Columns[at].Values[2] == nil || !near(*d.Columns[at].Values[2], want, 1e-4) {
			t.Errorf("column %s of the third point: want %v in %s", name, want, js)
		}
	}
	for _, c := range d.Columns {
		switch c.Name {
		case "g_x_1":
			if c.Values[0] != nil || c.Values[7] != nil {
				t.Error("points without moments have some")
			}
		case "left_out":
			word := func(i int) string {
				if c.Codes[i] < 0 {
					return ""
				}
				return c.Words[c.Codes[i]]
			}
			if word(0) != diverged || word(1) != `training is "</script>"` || word(2) != "" || word(7) != notTrained {
				t.Errorf("left out: %v of %q", c.Codes, c.Words)
			}
		}
	}
}

// Methods are in the order of the configuration, as in the still figure; no two columns
// of one kind of value have the same heading.
func TestWordsAndLabels(t *testing.T) {
	cfg := gridConfig([]float64{0.1}, []int{20}, 1)
	cfg.Grid.Method = []string{"sgd", "gd", "label-noise"}
	cfg.SGD.LabelNoise = 0.1
	js, err := Data(cfg, boundedRecords(cfg), false)
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Columns []series }
	if err := json.Unmarshal(js, &d); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, c := range d.Columns {
		if other, ok := seen[c.Label]; ok {
			t.Errorf("%s and %s are both called %s", other, c.Name, c.Label)
		}
		seen[c.Label] = c.Name
		if c.Name == "method" && !slices.Equal(c.Words, cfg.Grid.Method) {
			t.Errorf("methods %v, want the order %v", c.Words, cfg.Grid.Method)
		}
	}
	if seen["Corollary 4  (order 2k = 4)"] != "corollary 4, k=2" {
		t.Errorf("columns %v", seen)
	}
}

func TestDecimals(t *testing.T) {
	for v, want := range map[float64]string{0.1: "0.1", 123456: "123456", 1.23456789: "1.2346", -2e-7: "-2e-07", math.Inf(1): "null", math.NaN(): "null", 0: "0", 1e300: "1e+300"} {
		if js, err := json.Marshal(decimals{v, v}); err != nil || string(js) != "["+want+","+want+"]" {
			t.Errorf("%v is %s, want %s (%v)", v, js, want, err)
		}
	}
	if n := len(seriesOf(rundir.Column{Name: "seed", Values: []any{uint64(math.MaxUint64), nil}}).Words); n != 1 {
		t.Errorf("a seed is %d words", n)
	}
}
