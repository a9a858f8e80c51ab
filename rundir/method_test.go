package rundir

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const strengths = "sgd={iterations: 1000, sam_radius: 0.05, input_penalty: 1e-3, label_noise: 0.1}"

func namesOf(c Config) []string {
	var names []string
	for _, p := range c.Points() {
		names = append(names, p.Name())
	}
	return names
}

// A method that joins the grid, and a change of its strength, leave the points of
// the others as they are.
func TestMethodsDoNotShareStrengths(t *testing.T) {
	plain := namesOf(resolved(t, good))
	all := resolved(t, good, strengths, "grid.method=[sgd, gd, sam, input-penalty, label-noise]")
	names := namesOf(all)
	for _, n := range plain {
		if !slices.Contains(names, n) {
			t.Errorf("%s is lost", n)
		}
	}
	for _, c := range []struct{ set, method string }{
		{"sgd.sam_radius=0.1", "sam"}, {"sgd.input_penalty=1", "input-penalty"}, {"sgd.label_noise=1", "label-noise"},
	} {
		for _, n := range namesOf(resolved(t, good, strengths, "grid.method=[sgd, gd, sam, input-penalty, label-noise]", c.set)) {
			if own := strings.HasPrefix(n, "method="+c.method+","); own == slices.Contains(names, n) {
				t.Errorf("%s: %s: changed %v", c.set, n, own)
			}
		}
	}
	for _, set := range []string{"sgd.weight_decay=0.1", "sgd={momentum: 0.5, nesterov: true}", "sgd.momentum=0.5"} {
		for _, n := range namesOf(resolved(t, good, strengths, "grid.method=[sgd, gd, sam, input-penalty, label-noise]", set)) {
			if slices.Contains(names, n) {
				t.Errorf("%s does not change %s", set, n)
			}
		}
	}
}

// Gradient descent has one batch, and is trained once per learning rate.
func TestFullBatchHasNoBatchSizes(t *testing.T) {
	c := resolved(t, good, "grid.method=[gd, sgd]")
	var gd []Point
	for _, p := range c.Points() {
		if p.Method == "gd" {
			gd = append(gd, p)
			if p.BatchSize != 0 || !strings.Contains(p.Name(), ",batch=all,") {
				t.Errorf("%s with B = %d", p.Name(), p.BatchSize)
			}
		}
	}
	if len(gd) != 2 || len(c.Points()) != 2+4 {
		t.Fatalf("%d of %d points are of gd", len(gd), len(c.Points()))
	}
	for _, same := range [][]string{{"grid.method=[gd]", "grid.batch_size=[]"}, {"grid.method=[gd]"}, {"grid.method=[gd]", "sgd.sampling=epochs"}} {
		if got := resolved(t, good, same...).Points(); !cmp.Equal(got, gd) {
			t.Errorf("%q: %s", same, cmp.Diff(gd, got))
		}
	}
	roundTrip(t, resolved(t, good, "grid.method=[gd]", "grid.batch_size=[]"))
}

// The table says n: whoever computes η/B from it must not divide by 0.
func TestTableHasTheFullBatch(t *testing.T) {
	c := resolved(t, good, "grid.method=[gd, sgd]", "grid.learning_rate=[0.1]", "grid.batch_size=[3]")
	d := create(t, t.TempDir(), c)
	cells := func() []string {
		t.Helper()
		if err := d.WriteIndexes(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(d.Path, "results.csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.Index(rows[0], "batch_size")
		return []string{rows[1][i], rows[2][i]}
	}
	for _, p := range c.Points() {
		if err := d.Point(p).Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	if got := cells(); !slices.Equal(got, []string{"", "3"}) {
		t.Errorf("before the results: %q", got)
	}
	for _, p := range c.Points() {
		r := exampleResult(p)
		r.Data.Samples = 77
		if err := d.Point(p).WriteResult(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := cells(); !slices.Equal(got, []string{"77", "3"}) {
		t.Errorf("with the results: %q", got)
	}
}

func TestMethodErrors(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want string
	}{
		{[]string{"grid.method=[sgd, sam]"}, "grid.method[1]: sam needs sgd.sam_radius above 0"},
		{[]string{"grid.method=[input-penalty]"}, "grid.method[0]: input-penalty needs sgd.input_penalty above 0"},
		{[]string{"grid.method=[label-noise]", "sgd.label_noise=-0.0"}, "grid.method[0]: label-noise needs sgd.label_noise above 0"},
		{[]string{"grid.method=[adam]"}, `grid.method[0]: "adam" is not known; one of ["sgd" "gd" "sam" "input-penalty" "label-noise"]`},
		{[]string{"grid.method=[sam]", "sgd.sam_radius=-1"}, "sgd.sam_radius: -1 is not a number ≥ 0"},
		{[]string{"grid.method=[sam]", "sgd.sam_radius=.inf"}, "sgd.sam_radius: +Inf is not a number ≥ 0"},
		{[]string{"sgd.weight_decay=.nan"}, "sgd.weight_decay: NaN is not a number ≥ 0"},
		{[]string{"sgd.nesterov=true"}, "sgd.nesterov: needs sgd.momentum above 0"},
		{[]string{"sgd.nesterov=yes"}, `want true or false, not "yes"`},
		{[]string{"sgd.nesterov=1"}, `want true or false, not "1"`},
		{[]string{"sgd.nesterov='true'"}, `want true or false, not the text "true"`},
		{[]string{"sgd.sam_radius=0.1"}, "sgd.sam_radius: does nothing: only the method sam uses it; add it to grid.method"},
		{[]string{"sgd.label_noise=0.1"}, "sgd.label_noise: does nothing: only the method label-noise uses it"},
		{[]string{"grid.method=[gd, sgd]", "grid.batch_size=[]"}, "grid.batch_size: missing or empty"},
		{[]string{"grid.method=[gd]", "grid.batch_size=[0]"}, "grid.batch_size[0]: 0 is below 1"},
		{[]string{"grid.method=[gd, sgd]", "repetitions=166667"}, "grid: has 1000002 points with all repetitions"},
	} {
		_, err := Source{Name: "f.yaml", Text: []byte(good), Set: c.set}.Config()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %s", c.set, err, c.want)
		}
	}
}

// A directory takes a method that joins with its strength, not another strength.
func TestMethodsJoinARun(t *testing.T) {
	path := t.TempDir()
	for _, c := range []struct {
		set  []string
		want string
	}{
		{nil, ""},
		{[]string{"grid.method=[sgd, sam]", "sgd.sam_radius=0.05"}, ""},
		{[]string{"grid.method=[sgd, sam]", "sgd.sam_radius=0.1"}, "sgd.sam_radius is 0.05 there and 0.1 here"},
		{[]string{"grid.method=[sgd]"}, "sgd.sam_radius is 0.05 there and 0 here"},
		{[]string{"grid.method=[sgd]", "sgd.sam_radius=0.05"}, ""},
		{[]string{"grid.method=[gd, label-noise]", "sgd.sam_radius=0.05", "sgd.label_noise=0.1"}, ""},
		{[]string{"grid.method=[sam]", "sgd.sam_radius=0.05", "sgd.label_noise=0.1", "sgd.weight_decay=0.1"}, "sgd.weight_decay is 0 there and 0.1 here"},
	} {
		d, err := Create(path, resolved(t, good, c.set...))
		if err == nil {
			d.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: error %v, want %s", c.set, err, c.want)
		}
	}
}
