package rundir

import (
	"bytes"
	"fmt"

	"github.com/parquet-go/parquet-go"
)

// HistoryRow is one line of history.parquet: the mean loss of the batches since
// the previous row, at the weights that each batch met.
type HistoryRow struct {
	Step      int64   `parquet:"step"`
	BatchLoss float64 `parquet:"batch_loss"`
}

// WriteHistory places history.parquet.
func (d PointDir) WriteHistory(rows []HistoryRow) error {
	var buf bytes.Buffer
	if err := parquet.Write(&buf, rows); err != nil {
		return fmt.Errorf("%s: %w", d.File("history.parquet"), err)
	}
	return WriteFile(d.File("history.parquet"), buf.Bytes())
}

// ReadHistory reads history.parquet.
func (d PointDir) ReadHistory() ([]HistoryRow, error) {
	rows, err := parquet.ReadFile[HistoryRow](d.File("history.parquet"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.File("history.parquet"), err)
	}
	return rows, nil
}
