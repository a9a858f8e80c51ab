package rundir_test

import (
	"os"
	"path/filepath"
	"testing"

	"sobolev/rundir/rundirtest"
)

// BenchmarkRecords reads ten thousand finished points with all bounds.
func BenchmarkRecords(b *testing.B) {
	d := rundirtest.Finished(b, b.TempDir(), rundirtest.Grid(b, 10_000), nil)
	index := filepath.Join(d.Path, ".index")
	for _, c := range []struct {
		name  string
		index bool
	}{{"indexed", true}, {"not indexed", false}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if !c.index {
					b.StopTimer()
					os.Remove(index)
					b.StartTimer()
				}
				if records, err := d.Records(); err != nil || len(records) < 10_000 {
					b.Fatal(len(records), err)
				}
			}
			if info, err := os.Stat(index); err == nil {
				b.ReportMetric(float64(info.Size())/1e6, "MB")
			}
		})
	}
}
