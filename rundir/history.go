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
		return fmt.Errorf("%s: %w", d.File(historyFile), err)
	}
	return WriteFile(d.File(historyFile), buf.Bytes())
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
	if rows, err = parquet.ReadFile[HistoryRow](path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}
