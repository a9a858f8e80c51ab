package rundir

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// finished writes a point with a result that depends on the point alone.
func finished(t testing.TB, d *Dir, p Point) PointDir {
	t.Helper()
	pd := d.Point(p)
	if err := pd.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := pd.WriteStatus(Status{State: Done, Attempts: 1, Host: "h"}); err != nil {
		t.Fatal(err)
	}
	if err := pd.WriteResult(exampleResult(p)); err != nil {
		t.Fatal(err)
	}
	return pd
}

func exampleResult(p Point) *Result {
	value := func(i int) Number { return Number(p.LearningRate * float64(p.BatchSize*10+p.Repetition+i) / 3) }
	r := &Result{MeasuredOrders: []int{1, 2}, Warnings: []string{"a \"quoted\", warning"}}
	r.Convention.EffectiveLearningRate = value(0)
	r.Fit.Interpolates = true
	for k := 1; k <= 2; k++ {
		r.Moments = append(r.Moments, Moment{K: k, GW: value(k), GX: value(k + 1), GW1: Number(math.NaN())})
	}
	lambda := value(7)
	r.Curvature = &Curvature{Trace: value(5), LambdaMax: &lambda}
	r.Training = &Training{Status: "finished", Steps: 1000, TrainLoss: Number(math.Copysign(0, -1)), TrainAccuracy: 1, TestLoss: Number(math.Inf(1)), TestAccuracy: 0.5}
	return r
}

func TestRecordsAreSorted(t *testing.T) {
	c := resolved(t, good, "grid.learning_rate=[10, 2, 0.1]", "repetitions=11")
	d := create(t, t.TempDir(), c)
	points := c.Points()
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	for _, p := range points {
		if err := d.Point(p).Prepare(); err != nil {
			t.Fatal(err)
		}
	}
	records, err := d.Records()
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, p := range resolved(t, good, "grid.learning_rate=[0.1, 2, 10]", "repetitions=11").Points() {
		want = append(want, p.Name())
	}
	for _, r := range records {
		got = append(got, r.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsOfDamagedFolders(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, p PointDir)
		want string // of the error; "": none
		n    int    // records
	}{
		{"nothing", func(*testing.T, PointDir) {}, "", 1},
		{"a folder without a point", func(t *testing.T, p PointDir) { write(t, filepath.Dir(p.Path)+"/empty/notes.txt", "x") }, "", 1},
		{"a file among the points", func(t *testing.T, p PointDir) { write(t, filepath.Dir(p.Path)+"/README", "x") }, "", 1},
		{"a hidden folder", func(t *testing.T, p PointDir) { write(t, filepath.Dir(p.Path)+"/.cache/point.yaml", "x") }, "", 1},
		{"other files", func(t *testing.T, p PointDir) { write(t, p.File("notes.txt"), "x") }, "", 1},
		{"renamed", func(t *testing.T, p PointDir) {
			if err := os.Rename(p.Path, p.Path+"-old"); err != nil {
				t.Fatal(err)
			}
		}, "-old/point.yaml describes the point lr=0.1,batch=3,rep=1-3fd68d70192c: the file or the folder's name was changed by hand", 0},
		{"another value", func(t *testing.T, p PointDir) {
			text, err := os.ReadFile(p.File("point.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, p.File("point.yaml"), strings.Replace(string(text), "batch_size: 3", "batch_size: 4", 1))
		}, "changed by hand; change it back or move the folder out of points", 0},
		{"another key", func(t *testing.T, p PointDir) { write(t, p.File("point.yaml"), "loss: mse\nwidth: 3\n") }, `point.yaml:2:1: unknown key "width"`, 0},
		{"an empty point", func(t *testing.T, p PointDir) { write(t, p.File("point.yaml"), "") }, "point.yaml: is empty", 0},
		{"half a result", func(t *testing.T, p PointDir) { write(t, p.File("result.json"), `{"format": 1, "mod`) }, "result.json: unexpected end of JSON input; delete the file to have the point measured again", 0},
		{"an empty result", func(t *testing.T, p PointDir) { write(t, p.File("result.json"), `{}`) }, "result.json: format 0; this program reads format 1; delete", 0},
		{"a result of the future", func(t *testing.T, p PointDir) { write(t, p.File("result.json"), `{"format": 2}`) }, "result.json: format 2; this program reads format 1", 0},
		{"a text for a number", func(t *testing.T, p PointDir) {
			write(t, p.File("result.json"), `{"format": 1, "fit": {"loss": "small"}}`)
		}, "result.json: json: cannot unmarshal string", 0},
		{"no result", func(t *testing.T, p PointDir) { os.Remove(p.File("result.json")) }, "", 1},
		{"half a status", func(t *testing.T, p PointDir) { write(t, p.File("status.json"), `{"form`) }, "", 1},
		{"a status of the future", func(t *testing.T, p PointDir) { write(t, p.File("status.json"), `{"format": 2, "state": "done"}`) }, "", 1},
		{"an unknown state", func(t *testing.T, p PointDir) { write(t, p.File("status.json"), `{"format": 1, "state": "zzz"}`) }, "", 1},
		{"no status", func(t *testing.T, p PointDir) { os.Remove(p.File("status.json")) }, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := resolved(t, good)
			d := create(t, t.TempDir(), cfg)
			p := finished(t, d, cfg.Points()[0])
			c.do(t, p)
			records, err := d.Records()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), p.Path)) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if len(records) != c.n {
				t.Fatalf("%d records, want %d", len(records), c.n)
			}
			if strings.Contains(c.name, "stat") && records[0].Status.State != Pending {
				t.Errorf("state %q, want pending", records[0].Status.State)
			}
			// What a run goes on with fails or not as the table does.
			if c.want == "" {
				if err := d.WriteIndexes(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// People move big points to another disk.
func TestRecordsFollowLinks(t *testing.T) {
	c := resolved(t, good)
	d := create(t, t.TempDir(), c)
	p := finished(t, d, c.Points()[0])
	elsewhere := t.TempDir() + "/moved"
	if err := os.Rename(p.Path, elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, p.Path); err != nil {
		if runtime.GOOS != "windows" { // where links need a privilege
			t.Fatal(err)
		}
		t.Skip(err)
	}
	records, err := d.Records()
	if err != nil || len(records) != 1 || records[0].Result == nil {
		t.Errorf("%v, %v", records, err)
	}
}

func TestStanding(t *testing.T) {
	result := &Result{Training: &Training{Status: "diverged"}}
	for _, c := range []struct {
		record        Record
		outcome       string
		used, notUsed string
	}{
		{Record{Status: Status{State: Pending}}, "pending", "pending", "pending"},
		{Record{Status: Status{State: Running}}, "pending", "running", "interrupted"},
		{Record{Status: Status{State: Failed}}, "failed", "failed", "failed"},
		{Record{Status: Status{State: Running}, Result: result}, "diverged", "diverged", "diverged"},
		{Record{Status: Status{State: Done}, Result: result}, "diverged", "diverged", "diverged"},
		{Record{Status: Status{State: Done}}, "pending", "pending", "pending"}, // the result was deleted
	} {
		if o, u, n := c.record.Outcome(), c.record.Standing(true), c.record.Standing(false); o != c.outcome || u != c.used || n != c.notUsed {
			t.Errorf("%+v: %s, %s, %s; want %s, %s, %s", c.record, o, u, n, c.outcome, c.used, c.notUsed)
		}
	}
}

func TestHistoryIsReadBack(t *testing.T) {
	d := PointDir{Path: t.TempDir()}
	if _, err := d.ReadHistory(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(func(t *rapid.T) HistoryRow {
			row := HistoryRow{Probe: NoProbe(), Step: rapid.Int64().Draw(t, "step"), BatchLoss: rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN())).Draw(t, "loss")}
			if rapid.Bool().Draw(t, "probed") {
				v, n := rapid.Float64().Draw(t, "sharpness"), rapid.Int64().Draw(t, "samples")
				row.LambdaMax, row.RatioOfMeansUpper, row.ProbeSamples = v, v, n
			}
			return row
		})).Draw(rt, "rows")
		bytes := make([]string, 2)
		for i := range bytes {
			if err := d.WriteHistory(rows); err != nil {
				rt.Fatalf("%v", err)
			}
			data, err := os.ReadFile(d.File(historyFile))
			if err != nil {
				rt.Fatalf("%v", err)
			}
			bytes[i] = string(data)
		}
		if bytes[0] != bytes[1] {
			rt.Fatalf("the same rows give other bytes")
		}
		got, err := d.ReadHistory()
		if err != nil || len(got) != len(rows) {
			rt.Fatalf("%d rows, %v; want %d", len(got), err, len(rows))
		}
		for i := range rows {
			if got[i].Step != rows[i].Step || math.Float64bits(got[i].BatchLoss) != math.Float64bits(rows[i].BatchLoss) {
				rt.Fatalf("row %d is %v, want %v", i, got[i], rows[i])
			}
			if diff := cmp.Diff(rows[i].Probe, got[i].Probe, cmpopts.EquateNaNs()); diff != "" {
				rt.Fatalf("row %d: %s", i, diff)
			}
		}
	})
}

// Histories from before there were probes have two columns.
func TestHistoriesOfEarlierVersions(t *testing.T) {
	type earlier struct {
		Step      int64   `parquet:"step"`
		BatchLoss float64 `parquet:"batch_loss"`
	}
	d := PointDir{Path: t.TempDir()}
	if err := parquet.WriteFile(d.File(historyFile), []earlier{{500, 0.25}, {1000, 0.125}}); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadHistory()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]HistoryRow{{500, 0.25, NoProbe()}, {1000, 0.125, NoProbe()}}, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}

// Probes of files from before accuracies were measured keep their other values.
func TestHistoryWithoutAccuracies(t *testing.T) {
	type earlier struct {
		Step         int64   `parquet:"step"`
		LambdaMax    float64 `parquet:"lambda_max"`
		ProbeSamples int64   `parquet:"probe_samples"`
	}
	d := PointDir{Path: t.TempDir()}
	if err := parquet.WriteFile(d.File(historyFile), []earlier{{500, 0.25, 10}}); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadHistory()
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if r := got[0]; r.LambdaMax != 0.25 || r.ProbeSamples != 10 || !math.IsNaN(r.TrainAccuracy) || !math.IsNaN(r.TestAccuracy) {
		t.Errorf("%+v", r)
	}
}

// A damaged file is an error or other numbers, never a panic.
func TestDamagedHistory(t *testing.T) {
	d := PointDir{Path: t.TempDir()}
	var rows []HistoryRow
	for i := range 50 {
		rows = append(rows, HistoryRow{Step: int64(i * 500), BatchLoss: 1 / float64(i+1)})
	}
	if err := d.WriteHistory(rows); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(d.File(historyFile))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 7 {
		write(t, d.File(historyFile), string(whole[:n]))
		if _, err := d.ReadHistory(); err == nil || !strings.Contains(err.Error(), d.File(historyFile)) {
			t.Errorf("the first %d bytes: error %v", n, err)
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		data := []byte(string(whole))
		data[random.IntN(len(data))] = byte(random.Uint32())
		write(t, d.File(historyFile), string(data))
		d.ReadHistory()
	}
}

func TestWriteFileSparesWhatIsNoFile(t *testing.T) {
	folder := t.TempDir()
	err := WriteFile(folder, []byte("x"))
	var w *WriteError
	if !errors.As(err, &w) || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("onto a folder: %v", err)
	}
	if err := WriteFile(os.DevNull, nil); err == nil {
		t.Error("a device was replaced")
	}
}
