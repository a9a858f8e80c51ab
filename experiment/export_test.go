package experiment

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sbinet/npyio/npz"

	"sobolev/rundir"
)

// exportOf runs a grid and opens its export.
func exportOf(t *testing.T, cfg rundir.Config) (*rundir.Dir, *Export) {
	t.Helper()
	path := t.TempDir()
	if err := runGrid(t.Context(), path, cfg, 1, silent{}); err != nil {
		t.Fatal(err)
	}
	return reopen(t, path)
}

func reopen(t *testing.T, path string) (*rundir.Dir, *Export) {
	t.Helper()
	dir, err := rundir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewExport(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, e
}

func exportGrid() rundir.Config {
	cfg := smallGrid()
	cfg.SGD.Iterations = 30
	cfg.Measure.Orders = []int{2, 1}
	cfg.Grid.BatchSize = []int{3}
	return cfg
}

// encode fails the test unless two encodings are equal.
func encode(t *testing.T, e *Export, format string) []byte {
	t.Helper()
	data, err := e.Encode(format)
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Encode(format)
	if err != nil || !bytes.Equal(data, again) {
		t.Fatalf("%s: a second export has other bytes (%v)", format, err)
	}
	return data
}

// column returns the cells of a column of results.csv for the rows of a status.
func column(t *testing.T, table, name, status string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	header := strings.Split(lines[0], ",")
	at, statusAt := slices.Index(header, name), slices.Index(header, "status")
	if at < 0 || statusAt < 0 {
		t.Fatalf("results.csv has no column %s: %v", name, header)
	}
	var cells []string
	for _, l := range lines[1:] {
		// The point's name is quoted and has two commas of its own.
		cell := strings.Split(l, ",")
		cell = cell[len(cell)-len(header):]
		if cell[statusAt] == status {
			cells = append(cells, cell[at])
		}
	}
	return cells
}

// The arrays are columns of results.csv, for the rows that finished.
func TestNPZIsTheTable(t *testing.T) {
	dir, e := exportOf(t, exportGrid())
	data := encode(t, e, "npz")
	table := readFile(t, dir.Path, "results.csv")
	archive, err := npz.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]string{
		"gradW.npy": "g_W_1", "gradx.npy": "g_x_1", "train_loss.npy": "train_loss", "train_acc.npy": "train_accuracy",
		"test_loss.npy": "test_loss", "test_acc.npy": "test_accuracy",
	}
	if n := len(archive.Keys()); n != len(columns) {
		t.Errorf("%d arrays: %v", n, archive.Keys())
	}
	for key, name := range columns {
		var got []float64
		if err := archive.Read(key, &got); err != nil {
			t.Fatal(err)
		}
		var cells []string
		for _, v := range got {
			cells = append(cells, fmt.Sprint(v))
		}
		if diff := cmp.Diff(column(t, table, name, "finished"), cells); diff != "" || len(got) != 4 {
			t.Errorf("%s is %v: %s", key, got, diff)
		}
		if h := archive.Header(key); !slices.Equal(h.Descr.Shape, []int{4}) || h.Descr.Type != "<f8" {
			t.Errorf("%s: %+v, want <f8 of shape [4]", key, h.Descr)
		}
	}
	if e.Diverged != 2 || e.Unfinished != 0 || e.Failed != 0 {
		t.Errorf("%d diverged, %d unfinished, %d failed; want 2, 0, 0", e.Diverged, e.Unfinished, e.Failed)
	}
}

// Nothing in the archive depends on when it was written.
func TestNPZHasFixedTimes(t *testing.T) {
	data, err := encodeNPZ([]namedArray{{"a", []float64{1, math.Inf(1), math.Inf(-1)}}, {"b", []float64{}}})
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s was modified at %v", f.Name, f.Modified)
		}
	}
	r, err := z.Open("a.npy")
	if err != nil {
		t.Fatal(err)
	}
	npy, err := io.ReadAll(r)
	nan := "\x01\x00\x00\x00\x00\x00\xf8\x7f"
	if want := "\x00\x00\x00\x00\x00\x00\xf0\x3f" + nan + nan; err != nil || !strings.HasSuffix(string(npy), want) {
		t.Errorf("1, Inf and −Inf: %q, %v", npy, err)
	}
}

func TestNPZNeedsOrderOne(t *testing.T) {
	cfg := exportGrid()
	cfg.Measure.Orders = []int{2}
	_, e := exportOf(t, cfg)
	if _, err := e.NPZ(); err == nil || !strings.Contains(err.Error(), "add 1 to measure.orders") || !strings.Contains(err.Error(), "lr=0.05,batch=3") {
		t.Errorf("without order 1: %v", err)
	}
}

// Every result.json is in the array as it is in its folder, with its point.
func TestJSONIsTheResults(t *testing.T) {
	dir, e := exportOf(t, exportGrid())
	var got []map[string]json.RawMessage
	if err := json.Unmarshal(encode(t, e, "json"), &got); err != nil {
		t.Fatal(err)
	}
	records, err := dir.Records()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 6 || len(records) != 6 {
		t.Fatalf("%d results of %d points, want 6", len(got), len(records))
	}
	for i, r := range records {
		var point struct {
			Name         string  `json:"name"`
			LearningRate float64 `json:"learning_rate"`
			Repetition   int     `json:"repetition"`
		}
		if err := json.Unmarshal(got[i]["point"], &point); err != nil {
			t.Fatal(err)
		}
		if point.Name != r.Name || point.LearningRate != r.Point.LearningRate || point.Repetition != r.Point.Repetition {
			t.Errorf("entry %d is of %+v, want %s", i, point, r.Name)
		}
		delete(got[i], "point")
		var want, is any
		if err := json.Unmarshal([]byte(readFile(t, dir.Point(r.Point).File("result.json"))), &want); err != nil {
			t.Fatal(err)
		}
		rest, err := json.Marshal(got[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(rest, &is); err != nil || !reflect.DeepEqual(want, is) {
			t.Errorf("%s: %s (%v)", r.Name, cmp.Diff(want, is), err)
		}
	}
}

// A run that was stopped gives what is finished, and tables that know it though
// the run's own do not.
func TestExportOfAnUnfinishedRun(t *testing.T) {
	dir, e := exportOf(t, exportGrid())
	whole := map[string][]byte{}
	for _, format := range []string{"csv", "parquet"} {
		whole[format] = encode(t, e, format)
		if own := readFile(t, dir.Path, "results."+format); own != string(whole[format]) {
			t.Errorf("%s is not the run's own file", format)
		}
	}
	trained := e.Trained()
	if err := os.Remove(dir.Point(trained[0].Point).File("result.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir.Point(trained[1].Point).Path); err != nil {
		t.Fatal(err)
	}
	if err := dir.Point(trained[2].Point).WriteStatus(rundir.Status{Format: rundir.Format, State: rundir.Failed}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir.Point(trained[2].Point).File("result.json")); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, dir.Path, "results.csv")
	dir, e = reopen(t, dir.Path)
	if e.Unfinished != 2 || e.Failed != 1 || e.Diverged != 2 {
		t.Errorf("%d unfinished, %d failed, %d diverged; want 2, 1, 2", e.Unfinished, e.Failed, e.Diverged)
	}
	if now := e.Trained(); len(now) != 1 || now[0].Name != trained[3].Name {
		t.Errorf("trained: %v", now)
	}
	if table := string(encode(t, e, "csv")); strings.Count(table, "\n") != 1+5 || len(column(t, table, "g_W_1", "finished")) != 1 {
		t.Errorf("the table of what is there:\n%s", table)
	}
	if readFile(t, dir.Path, "results.csv") != before {
		t.Error("an export changed the run's own table")
	}
	for _, r := range e.records {
		os.Remove(dir.Point(r.Point).File("result.json"))
	}
	if _, err := NewExport(dir); err == nil || !strings.Contains(err.Error(), "no point has a result yet") {
		t.Errorf("a run without results: %v", err)
	}
}

func TestExportOfDivergedTrainingsAlone(t *testing.T) {
	cfg := exportGrid()
	cfg.Grid.LearningRate = []float64{1e4}
	_, e := exportOf(t, cfg)
	if _, err := e.NPZ(); err == nil || !strings.Contains(err.Error(), "no training has finished without diverging") {
		t.Errorf("npz: %v", err)
	}
	var results []rundir.Result
	if err := json.Unmarshal(encode(t, e, "json"), &results); err != nil || len(results) != 2 || results[0].Training.Status != "diverged" {
		t.Errorf("json: %+v, %v", results, err)
	}
}

func TestExportRefusesDamage(t *testing.T) {
	dir, e := exportOf(t, exportGrid())
	r := e.Trained()[0]
	model := dir.Point(r.Point).File(modelFile)
	if err := os.WriteFile(model, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ONNX(r); err == nil || !strings.Contains(err.Error(), model+" is not the model that result.json is about") {
		t.Errorf("another model: %v", err)
	}
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ONNX(r); !os.IsNotExist(err) {
		t.Errorf("no model: %v", err)
	}
	if err := os.WriteFile(dir.Point(r.Point).File("result.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := NewExport(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(r.Name, "result.json")) {
		t.Errorf("damaged result: %v", err)
	}
}
