package needs

import (
	"strings"
	"testing"
)

// recorder notes how a test ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatalf(string, ...any) { r.end("failed") }
func (r *recorder) Skipf(string, ...any)  { r.end("skipped") }

func (r *recorder) end(how string) {
	r.ended = how
	panic(r)
}

func TestMissing(t *testing.T) {
	for list, want := range map[string]string{"": "skipped", "chromium": "failed", "slurm,chromium": "failed", "chromium-old,slurm": "skipped"} {
		t.Setenv("SOBOLEV_REQUIRE", list)
		r := &recorder{}
		func() {
			defer func() {
				if recover() != r {
					t.Error("the test goes on")
				}
			}()
			Missing(r, "chromium", "no such program")
		}()
		if r.ended != want || Required("chromium") != strings.HasPrefix(want, "failed") {
			t.Errorf("%q: %s, want %s", list, r.ended, want)
		}
	}
}
