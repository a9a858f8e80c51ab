package slurm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sobolev/rundir"
)

// Every spelling of a limit below three minutes is without an early signal.
func TestEarlySignal(t *testing.T) {
	for limit, want := range map[string]int{
		"2": 2, "2:00": 2, "0:30": 1, "0:02:00": 2, "0:01:01": 2, "0-0:2": 2, "0-0:1:30": 2, "1:59": 2, "0:120": 2,
		"3": 3, "2:01": 3, "0:02:01": 3, "90": 90, "4:00:00": 240, "1-12": 2160, "1-0:5": 1445, "1-0:0:30": 1441,
	} {
		minutes, limited := limitMinutes(limit)
		if minutes != want || !limited {
			t.Errorf("%q is %v minutes (%v), want %v", limit, minutes, limited, want)
		}
		early := time.Minute
		if want < 3 {
			early = 0
		}
		if got := lead(limit); got != early {
			t.Errorf("%q: the signal comes %v before the limit, want %v", limit, got, early)
		}
		e := &Executor{dir: &rundir.Dir{Path: "/run"}, opt: Options{Config: rundir.Executor{Time: limit}}}
		script := e.script(1, "name", "program", 1)
		if strings.Contains(script, "--signal=B:USR1@60") != (early > 0) || !strings.Contains(script, "--time="+limit+"\n") {
			t.Errorf("%q:\n%s", limit, script)
		}
	}
	for _, unlimited := range []string{"", "0", "0:00", "0-0"} {
		if _, limited := limitMinutes(unlimited); limited || lead(unlimited) != time.Minute {
			t.Errorf("%q is no limit of its own", unlimited)
		}
	}
}

// The log of a point is that of its last submission, though a lower number sorts
// after it as text.
func TestLogOfAPoint(t *testing.T) {
	dir := &rundir.Dir{Path: t.TempDir()}
	for _, n := range []int{2, 10} {
		folder := filepath.Join(submissionPath(dir, n), "logs")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		tasks := `[["a"],["b","c"]]`
		if n == 10 {
			tasks = `[["c"]]`
		}
		for path, text := range map[string]string{
			filepath.Join(submissionPath(dir, n), "submission.json"): fmt.Sprintf(`{"format":1,"name":"x%d","tasks":%s}`, n, tasks),
			filepath.Join(folder, "0.log"):                           fmt.Sprintf("one\n%d two\nthree\n", n),
		} {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := ReadSubmissions(dir)
	if err != nil {
		t.Fatal(err)
	}
	for point, want := range map[string]string{"a": "[2 two three]", "b": "[]", "c": "[10 two three]", "d": "[]"} {
		if _, last := s.Log(point, 2); fmt.Sprint(last) != want {
			t.Errorf("%s: %v, want %s", point, last, want)
		}
	}
}
