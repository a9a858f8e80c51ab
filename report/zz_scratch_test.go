package report

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"testing"
)

func TestZZBaseline(t *testing.T) {
	out := ""
	runs := oddRuns()
	cfg := gridConfig([]float64{0.05, 0.1, 0.2}, []int{20}, 2)
	if r, err := Build(onDisk(t, cfg, records(cfg))); err == nil {
		runs["on disk"] = r
	}
	var names []string
	for n := range runs {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if len(n) > 9 && n[:9] == "stability" {
			continue
		}
		h, err := runs[n].HTML()
		out += fmt.Sprintf("%s page %x %v\n%x\n", n, sha256.Sum256(h), err, sha256.Sum256([]byte(runs[n].Summary())))
		for _, f := range runs[n].figures() {
			d, err := f.render("svg")
			out += fmt.Sprintf("%s %s %x %v\n", n, f.name, sha256.Sum256(d), err)
		}
	}
	os.WriteFile(os.Getenv("ZZOUT"), []byte(out), 0o644)
}
