package rundir

import (
	"bytes"
	"fmt"
	"math"
	"os"

	"github.com/parquet-go/parquet-go"
)

// HistoryRow is one line of history.parquet. BatchLoss is the mean loss of the
// batches since the previous row, at the weights that each batch met; NaN at step
// 0. Probe is what was measured after that step, where it was.
type HistoryRow struct {
	Step      int64   `parquet:"step"`
	BatchLoss float64 `parquet:"batch_loss"`
	Probe
}

// Probe is what is measured of a network in training, on ProbeSamples training samples
// spread evenly over the set: the largest eigenvalue of the Hessian of the configured
// loss, the trace of its Gauss–Newton matrix, g_W and g_x of order k = 1, and batch
// sharpness in its two definitions (Andreyev & Beneventano, 2024) with 95%
// intervals; and the share of them, and of at most as many test samples, that is
// classified right. What was not measured or is not defined is NaN; see NoProbe.
type Probe struct {
	LambdaMax         float64 `parquet:"lambda_max"`
	Trace             float64 `parquet:"trace"`
	GW                float64 `parquet:"g_W"`
	GX                float64 `parquet:"g_x"`
	RatioMean         float64 `parquet:"bs_ratio_mean"`
	RatioMeanLower    float64 `parquet:"bs_ratio_mean_lower"`
	RatioMeanUpper    float64 `parquet:"bs_ratio_mean_upper"`
	RatioOfMeans      float64 `parquet:"bs_ratio_of_means"`
	RatioOfMeansLower float64 `parquet:"bs_ratio_of_means_lower"`
	RatioOfMeansUpper float64 `parquet:"bs_ratio_of_means_upper"`
	ProbeSamples      int64   `parquet:"probe_samples"`
	TrainAccuracy     float64 `parquet:"train_accuracy"`
	TestAccuracy      float64 `parquet:"test_accuracy"`
}

// NoProbe is the Probe of a row without one: 0 samples.
func NoProbe() Probe {
	nan := math.NaN()
	return Probe{nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, 0, nan, nan}
}

// WriteHistory places history.parquet.
func (d PointDir) WriteHistory(rows []HistoryRow) error {
	var buf bytes.Buffer
	if err := parquet.Write(&buf, rows); err != nil {
		return fmt.Errorf("%s: %w", d.File(historyFile), err)
	}
	return d.WriteFile(historyFile, buf.Bytes())
}

// ReadHistory reads history.parquet; a point without one is fs.ErrNotExist.
func (d PointDir) ReadHistory() (rows []HistoryRow, err error) {
	path := d.File(historyFile)
	defer func() {
		// The library panics on some damaged files.
		if r := recover(); r != nil {
			rows, err = nil, fmt.Errorf("%s: damaged: %v", path, r)
		}
	}()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		rows, err = parquet.Read[HistoryRow](bytes.NewReader(data), int64(len(data)))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// The library reads columns that the file does not have as zeros.
	_, probed := file.Schema().Lookup("probe_samples")
	_, classified := file.Schema().Lookup("train_accuracy")
	for i := range rows {
		switch {
		case !probed:
			rows[i].Probe = NoProbe()
		case !classified:
			rows[i].TrainAccuracy, rows[i].TestAccuracy = math.NaN(), math.NaN()
		}
	}
	return rows, nil
}
