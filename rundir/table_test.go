package rundir

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Scripts read these columns by name and by place.
func TestResultsTable(t *testing.T) {
	c := resolved(t, good, "repetitions=2", "grid.batch_size=[3]", "grid.learning_rate=[0.1]")
	d := create(t, t.TempDir(), c)
	finished(t, d, c.Points()[0])
	broken := d.Point(c.Points()[1])
	if err := broken.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := broken.WriteStatus(Status{State: Failed, Error: "a \"bad\",\nerror", Seconds: 1.5, Steps: 3, Attempts: 2, Host: "h", Version: "v", Kernel: "k"}); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteIndexes(); err != nil {
		t.Fatal(err)
	}
	want := `point,method,learning_rate,effective_learning_rate,batch_size,repetition,seed,status,steps,train_loss,train_accuracy,test_loss,test_accuracy,interpolates,g_W_1,g_x_1,g_W1_1,g_W_2,g_x_2,g_W1_2,trace,lambda_max,non_uniformity,eta_mean,eta_var,eta_var_lower,eta_var_upper,stable_2
"lr=0.1,batch=3,rep=1-3fd68d70192c",sgd,0.1,1.0333333333333334,3,1,18446744073709551615,finished,1000,0,1,,0.5,true,1.0666666666666667,1.1,,1.1,1.1333333333333335,,1.2,1.2666666666666668,,,,,,
"lr=0.1,batch=3,rep=2-` + c.Points()[1].Hash() + `",sgd,0.1,,3,2,18446744073709551615,failed,,,,,,,,,,,,,,,,,,,,
`
	if diff := cmp.Diff(want, read(t, d.Path+"/results.csv")); diff != "" {
		t.Error(diff)
	}
	want = "point,state,seconds,steps,attempts,host,version,kernel,error\n" +
		`"lr=0.1,batch=3,rep=1-3fd68d70192c",done,0,0,1,h,,,` + "\n" +
		`"lr=0.1,batch=3,rep=2-` + c.Points()[1].Hash() + `",failed,1.5,3,2,h,v,k,"a ""bad"",` + "\nerror\"\n"
	if diff := cmp.Diff(want, read(t, d.Path+"/runtime.csv")); diff != "" {
		t.Error(diff)
	}
}

// Frozen layers make features: the gradient with respect to the image has columns
// of its own, and only then.
func TestImageGradientsHaveColumns(t *testing.T) {
	c := resolved(t, good)
	value := Number(2.5)
	moments := []Moment{{K: 1, GX: 1, GImage: &value}, {K: 2, GX: 1}}
	for _, frozen := range []int{0, 7} {
		r := Record{Name: "p", Point: c.Points()[0], Result: &Result{Model: ModelInfo{Frozen: frozen}, Moments: moments}}
		got := map[string]any{}
		for _, col := range resultColumns([]Record{r}) {
			if strings.HasPrefix(col.name, "g_image") {
				got[col.name] = col.value(r)
			}
		}
		want := map[string]any{}
		if frozen > 0 {
			want = map[string]any{"g_image_1": 2.5, "g_image_2": nil}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d frozen parameters: %s", frozen, diff)
		}
	}
}

// The Parquet file says the same as the CSV file, in typed columns.
func TestParquetIsTheCSV(t *testing.T) {
	c := resolved(t, good, "repetitions=3")
	d := create(t, t.TempDir(), c)
	for i, p := range c.Points() {
		if i%3 != 0 {
			finished(t, d, p)
		} else if err := d.Point(p).Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.WriteIndexes(); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(read(t, d.Path+"/results.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table := read(t, d.Path+"/results.parquet")
	f, err := parquet.OpenFile(strings.NewReader(table), int64(len(table)))
	if err != nil {
		t.Fatal(err)
	}
	var names, kinds []string
	for _, field := range f.Schema().Fields() {
		names = append(names, field.Name())
		if kind := field.Type().String(); !field.Optional() || !slices.Contains([]string{"STRING", "DOUBLE", "INT(64,true)", "INT(64,false)", "BOOLEAN"}, kind) {
			t.Errorf("%s: %s, optional %v", field.Name(), kind, field.Optional())
		} else {
			kinds = append(kinds, kind)
		}
	}
	if diff := cmp.Diff(lines[0], names); diff != "" {
		t.Error(diff)
	}
	wantKinds := []string{"STRING", "STRING", "DOUBLE", "DOUBLE", "INT(64,true)", "INT(64,true)", "INT(64,false)", "STRING", "INT(64,true)"}
	if diff := cmp.Diff(wantKinds, kinds[:len(wantKinds)]); diff != "" {
		t.Error(diff)
	}
	type named struct {
		Point     string   `parquet:"point"`
		Seed      *uint64  `parquet:"seed"`
		Steps     *int64   `parquet:"steps"`
		TrainLoss *float64 `parquet:"train_loss"`
		GW1       *float64 `parquet:"g_W_1"`
		Truth     *bool    `parquet:"interpolates"`
	}
	rows, err := parquet.Read[named](strings.NewReader(table), int64(len(table)))
	if err != nil {
		t.Fatal(err)
	}
	text := func(p any) string {
		if v := reflect.ValueOf(p); !v.IsNil() {
			return CSVCell(v.Elem().Interface())
		}
		return ""
	}
	if len(rows) != len(lines)-1 {
		t.Fatalf("%d rows, want %d", len(rows), len(lines)-1)
	}
	for i, r := range rows {
		line := lines[i+1]
		at := func(name string) string { return line[slices.Index(lines[0], name)] }
		got := []string{r.Point, text(r.Seed), text(r.Steps), text(r.TrainLoss), text(r.GW1), text(r.Truth)}
		want := []string{at("point"), at("seed"), at("steps"), at("train_loss"), at("g_W_1"), at("interpolates")}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("row %d: %s", i, diff)
		}
	}
}

// Bytes depend on the results alone: not on the order, attempts, hosts, times.
func TestResultsDoNotTellTheirHistory(t *testing.T) {
	c := resolved(t, good, "repetitions=3")
	var first [2]string
	for round := range 3 {
		d := create(t, t.TempDir(), c)
		points := c.Points()
		if round > 0 {
			slices.Reverse(points)
		}
		for _, p := range points {
			pd := finished(t, d, p)
			state := []State{Done, Running, Failed}[round]
			if err := pd.WriteStatus(Status{State: state, Attempts: round, Seconds: float64(round), Host: strings.Repeat("h", round)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.WriteIndexes(); err != nil {
			t.Fatal(err)
		}
		got := [2]string{read(t, d.Path+"/results.csv"), read(t, d.Path+"/results.parquet")}
		if round == 0 {
			first = got
		} else if got != first {
			t.Errorf("round %d: other bytes", round)
		}
	}
}

func TestIndexesOfAnEmptyRun(t *testing.T) {
	d := create(t, t.TempDir(), resolved(t, good))
	if err := d.WriteIndexes(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(read(t, filepath.Join(d.Path, "results.csv")), "\n"); n != 1 {
		t.Errorf("%d lines, want the header", n)
	}
	table := []byte(read(t, d.Path+"/results.parquet"))
	if f, err := parquet.OpenFile(bytes.NewReader(table), int64(len(table))); err != nil || f.NumRows() != 0 {
		t.Errorf("%v", err)
	}
}

func BenchmarkWriteIndexes(b *testing.B) {
	c := resolved(b, good, "repetitions=2500")
	d := create(b, b.TempDir(), c)
	for _, p := range c.Points() {
		finished(b, d, p)
	}
	for b.Loop() {
		if err := d.WriteIndexes(); err != nil {
			b.Fatal(err)
		}
	}
}

// A spreadsheet runs what looks like a formula.
func TestCSVCellsAreNoFormulas(t *testing.T) {
	for v, want := range map[any]string{
		`=HYPERLINK("x")`: `'=HYPERLINK("x")`, "+1": "'+1", "-cmd": "'-cmd", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx",
		-0.5: "-0.5", int64(-3): "-3", "lr=0.1": "lr=0.1", "": "",
	} {
		if got := CSVCell(v); got != want {
			t.Errorf("%#v becomes %q, want %q", v, got, want)
		}
	}
}
