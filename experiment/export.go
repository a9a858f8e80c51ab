package experiment

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sbinet/npyio/npy"

	"sobolev/rundir"
)

// An Export is a run in the forms that other programs read. It takes what is
// done when it is made, and says what is not.
type Export struct {
	dir     *rundir.Dir
	records []rundir.Record // as in results.csv
	// Diverged, Failed and Unfinished count the points of the grid that ended
	// without a trained network, that an error stopped, and that are still to be
	// done.
	Diverged, Failed, Unfinished int
}

// NewExport reads the points of a run. A damaged one is an error, as is a run
// without any result.
func NewExport(dir *rundir.Dir) (*Export, error) {
	records, err := dir.Records()
	if err != nil {
		return nil, err
	}
	e := &Export{dir: dir, records: records}
	seen := map[string]bool{}
	for _, r := range records {
		seen[r.Name] = true
		switch r.Outcome() {
		case "diverged":
			e.Diverged++
		case "failed":
			e.Failed++
		case "pending":
			e.Unfinished++
		}
	}
	for _, p := range dir.Config.Points() {
		if !seen[p.Name()] {
			e.Unfinished++
		}
	}
	if !slices.ContainsFunc(records, func(r rundir.Record) bool { return r.Result != nil }) {
		return nil, fmt.Errorf("%s: no point has a result yet; sobolev status says where they stand", dir.Path)
	}
	return e, nil
}

// Trained returns the points with a trained network and a result, in the order
// of the results: not those that diverged.
func (e *Export) Trained() []rundir.Record {
	return slices.DeleteFunc(slices.Clone(e.records), func(r rundir.Record) bool { return r.Outcome() != "finished" })
}

// Encode returns the run as one file: "npz" as NPZ, "json" as JSON; "csv" and
// "parquet" are what results.csv and results.parquet hold when they are
// rebuilt from the points now. Equal runs give equal bytes.
func (e *Export) Encode(format string) ([]byte, error) {
	switch format {
	case "npz":
		return e.NPZ()
	case "json":
		return e.JSON()
	case "csv":
		return rundir.ResultsCSV(e.records), nil
	case "parquet":
		return rundir.ResultsParquet(e.records)
	}
	panic("experiment: a format that Export does not know")
}

// NPZ returns a NumPy archive with six arrays under the names that the authors'
// scripts use: gradW and gradx are g_W and g_x of order k = 1, and train_loss,
// train_acc, test_loss, test_acc the losses in the convention of the run and the
// accuracies as fractions of 1. Each is of float64 and one-dimensional, [m] for
// the m points of Trained, in that order: entry i of all six belongs to one
// network. Points without a network have no entry, because one NaN makes every
// mean and correlation NaN; NaN stands only where a set has no test samples or
// no classes. A point that was not measured for k = 1 is an error.
func (e *Export) NPZ() ([]byte, error) {
	trained := e.Trained()
	if len(trained) == 0 {
		return nil, fmt.Errorf("%s: no training has finished without diverging: nothing to put into arrays", e.dir.Path)
	}
	first := make([]rundir.Moment, len(trained))
	for i, r := range trained {
		at := slices.IndexFunc(r.Result.Moments, func(m rundir.Moment) bool { return m.K == 1 })
		if at < 0 {
			return nil, fmt.Errorf("%s: the gradients' moments of order 1 were not measured; add 1 to measure.orders and run again, which trains nothing anew", r.Name)
		}
		first[i] = r.Result.Moments[at]
	}
	array := func(value func(i int) rundir.Number) []float64 {
		v := make([]float64, len(trained))
		for i := range v {
			v[i] = float64(value(i))
		}
		return v
	}
	training := func(i int) *rundir.Training { return trained[i].Result.Training }
	return encodeNPZ([]namedArray{
		{"gradW", array(func(i int) rundir.Number { return first[i].GW })},
		{"gradx", array(func(i int) rundir.Number { return first[i].GX })},
		{"train_loss", array(func(i int) rundir.Number { return training(i).TrainLoss })},
		{"train_acc", array(func(i int) rundir.Number { return training(i).TrainAccuracy })},
		{"test_loss", array(func(i int) rundir.Number { return training(i).TestLoss })},
		{"test_acc", array(func(i int) rundir.Number { return training(i).TestAccuracy })},
	})
}

type namedArray struct {
	name   string
	values []float64
}

// zipEpoch is the first moment that a zip archive can store, which NumPy gives to
// its own members: equal arrays give equal bytes.
var zipEpoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// encodeNPZ writes numbers that are not finite as NaN, in one bit pattern.
func encodeNPZ(arrays []namedArray) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, a := range arrays {
		for i, v := range a.values {
			if math.IsInf(v, 0) || math.IsNaN(v) {
				a.values[i] = math.NaN()
			}
		}
		member, err := w.CreateHeader(&zip.FileHeader{Name: a.name + ".npy", Method: zip.Deflate, Modified: zipEpoch})
		if err != nil {
			return nil, err
		}
		if err := npy.Write(member, a.values); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// exportedResult is a result with the point it belongs to, which in a run
// directory is the folder that result.json lies in.
type exportedResult struct {
	Point exportedPoint `json:"point"`
	*rundir.Result
}

type exportedPoint struct {
	Name string `json:"name"`
	rundir.Point
}

// JSON returns an array of the result.json of all points that have one, diverged
// ones too, in the order of the results. Each has one key more, "point": its
// name and what determines its weights.
func (e *Export) JSON() ([]byte, error) {
	results := []exportedResult{}
	for _, r := range e.records {
		if r.Result != nil {
			results = append(results, exportedResult{exportedPoint{r.Name, r.Point}, r.Result})
		}
	}
	js, err := json.MarshalIndent(results, "", " ")
	return append(js, '\n'), err
}
