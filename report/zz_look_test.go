package report

import (
	"os"
	"testing"
)

func TestZZLook(t *testing.T) {
	lr := gridConfig([]float64{0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8}, []int{20}, 5)
	rs := stableRecords(lr, true)
	noInterpolation(&rs[3])
	noInterpolation(&rs[20])
	one := withProbes(fromRecords(lr, rs, false, fewDraws), evenly(101, 1000))
	both := gridConfig([]float64{0.05, 0.1, 0.2, 0.4}, []int{5, 20, 80}, 3)
	bs := stableRecords(both, false)
	diverge(&bs[30])
	two := withProbes(fromRecords(both, bs, false, fewDraws), []int64{0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000})
	bonly := gridConfig([]float64{0.1}, []int{5, 10, 20, 40, 80}, 3)
	three := withProbes(fromRecords(bonly, stableRecords(bonly, true), false, fewDraws), evenly(21, 5000))
	for n, r := range map[string]*Report{"lr": one, "both": two, "b": three} {
		if _, err := r.WriteFigures("/tmp/rep_scratch/"+n, []string{"png"}); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteHTML("/tmp/rep_scratch/" + n + ".html"); err != nil {
			t.Fatal(err)
		}
		os.WriteFile("/tmp/rep_scratch/"+n+".txt", []byte(r.Summary()), 0o644)
	}
}
