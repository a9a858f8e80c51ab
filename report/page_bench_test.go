package report

import (
	"testing"

	"sobolev/rundir/rundirtest"
)

// BenchmarkReport is the page of ten thousand finished points with all bounds, from
// the run directory to the file's bytes, and the data for its charts alone.
func BenchmarkReport(b *testing.B) {
	dir := rundirtest.Finished(b, b.TempDir(), rundirtest.Grid(b, 10_000), nil)
	b.Run("page", func(b *testing.B) {
		size := 0
		for b.Loop() {
			r, err := Build(dir)
			if err != nil {
				b.Fatal(err)
			}
			page, err := r.HTML()
			if err != nil {
				b.Fatal(err)
			}
			size = len(page)
		}
		b.ReportMetric(float64(size)/1e6, "MB")
	})
	records, err := dir.Records()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("data", func(b *testing.B) {
		for b.Loop() {
			if _, err := Data(dir.Config, records, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
