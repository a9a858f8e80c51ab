package rundirtest

import (
	"testing"
)

// What a reader is promised: as many points as asked for, each with a verdict that
// agrees with its thresholds.
func TestFinished(t *testing.T) {
	c := Grid(t, 100)
	d := Finished(t, t.TempDir(), c, nil)
	records, err := d.Records()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) < 100 || len(records) != len(c.Points()) {
		t.Fatalf("%d records of %d points", len(records), len(c.Points()))
	}
	diverged, stable := 0, 0
	for _, r := range records {
		if r.Outcome() == "diverged" {
			diverged++
			continue
		}
		if r.Outcome() != "finished" || len(r.Result.Bounds) == 0 {
			t.Fatalf("%s: %s with %d bounds", r.Name, r.Outcome(), len(r.Result.Bounds))
		}
		s := r.Result.Stability
		if !(s.EtaVar.Lower <= s.EtaVar.Value && s.EtaVar.Value <= s.EtaVar.Upper) {
			t.Errorf("%s: threshold %+v", r.Name, s.EtaVar)
		}
		if o := s.Orders[1]; o.Stable != nil && *o.Stable {
			stable++
			if !(r.Point.LearningRate <= float64(o.EtaLower)) {
				t.Errorf("%s: stable with %+v", r.Name, o)
			}
		}
	}
	if diverged != len(records)/97 || stable == 0 || stable == len(records)-diverged {
		t.Errorf("%d diverged, %d stable of %d", diverged, stable, len(records))
	}
	for _, n := range []int{1, 2, 3, 7, 40, 999} {
		if got := len(Grid(t, n).Points()); got < n || got > n+n/2+1 {
			t.Errorf("a grid of %d points for %d", got, n)
		}
	}
}
