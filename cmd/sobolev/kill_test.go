package main

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// killConfig spends its time in equal parts on training, measuring and the report.
const killConfig = `
name: killed
dataset: {name: fashion-mnist-mini, classes: [0, 1], per_class: 10, test_per_class: 10}
model: {hidden: [10]}
sgd: {iterations: 8000}
grid: {learning_rate: [0.02, 0.05], batch_size: [5]}
repetitions: 2
measure: {orders: [1], stability: true}
`

// The program is killed at random moments until it has been killed often enough
// (12 times; SOBOLEV_KILLS gives another number). Every run that comes to its end is
// compared with one that nobody disturbed, and a new one begins.
func TestKilledRunsEndWithTheSameBytes(t *testing.T) {
	kills := 12
	if text := os.Getenv("SOBOLEV_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("SOBOLEV_KILLS: %v", err)
		}
	}
	config := filepath.Join(t.TempDir(), "killed.yaml")
	if err := os.WriteFile(config, []byte(killConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	k := &killer{t: t, program: programNamed(t, oftenSaving), config: config, random: rand.New(rand.NewPCG(7, 200)), hits: map[string]int{}}
	whole := filepath.Join(t.TempDir(), "whole")
	began := time.Now()
	k.run(whole, 0)
	k.duration = time.Since(began)
	want := runBytes(t, whole)
	if len(want["results.csv"]) == 0 || len(want["results.parquet"]) == 0 || len(want["report.html"]) == 0 {
		t.Fatalf("an undisturbed run leaves %q", slices.Sorted(maps.Keys(want)))
	}

	done, runs := 0, 0
	for done < kills && !t.Failed() {
		dir := filepath.Join(t.TempDir(), "run")
		before, began := done, time.Now()
		for after, tries := k.moment(1), 2; k.run(dir, after); tries++ {
			done++
			after = k.moment(tries)
			// Once the points are done only the report would ever be hit.
			if done == kills || k.last == "report" && k.random.IntN(2) == 0 {
				after = 0
			}
		}
		if done == before {
			k.duration = time.Since(began) // the machine is less busy than it was
		}
		runs++
		compareRuns(t, want, runBytes(t, dir))
		if out := k.status(dir); !strings.Contains(out, "finished: 4\n") {
			t.Errorf("status:\n%s", out)
		}
	}
	t.Logf("%d kills of %d runs, of %v each undisturbed; they hit %v", done, runs, k.duration.Round(time.Millisecond), k.hits)
}

// killer runs the program and kills it.
type killer struct {
	t               *testing.T
	program, config string
	duration        time.Duration // of a run that nobody disturbs
	random          *rand.Rand
	hits            map[string]int // kills by the phase that they hit
	last            string         // the phase that the last one hit
}

// moment is uniform over the time of a run, or, one time in four, within 20 ms of
// its end. It grows with the tries on one run, which on a busy machine might never
// come to an end otherwise.
func (k *killer) moment(tries int) time.Duration {
	d := k.duration * time.Duration(9+tries) / 10
	if k.random.IntN(4) == 0 {
		return max(1, d+time.Duration(k.random.IntN(41)-20)*time.Millisecond)
	}
	return 1 + time.Duration(k.random.Int64N(int64(d)))
}

// run runs the program, kills it after that time if that is not 0, and says whether
// it was killed. One that ends by itself must end well.
func (k *killer) run(dir string, after time.Duration) (killed bool) {
	k.t.Helper()
	var out strings.Builder
	cmd := exec.Command(k.program, "run", k.config, "-o", dir, "-j", "2", "--quiet")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	err := cmd.Wait()
	if after > 0 && cmd.ProcessState.ExitCode() < 0 {
		k.last = phase(dir)
		k.hits[k.last]++
		return true
	}
	if err != nil {
		k.t.Fatalf("after the kills %v: %v\n%s", k.hits, err, &out)
	}
	return false
}

func (k *killer) status(dir string) string {
	k.t.Helper()
	out, err := exec.Command(k.program, "status", dir).CombinedOutput()
	if err != nil {
		k.t.Errorf("status: %v", err)
	}
	return string(out)
}

// phase says by the files how far a run of four points was when it was killed.
func phase(dir string) string {
	has := func(pattern string) int {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			panic(err)
		}
		return len(found)
	}
	models, results := has("points/*/model.safetensors"), has("points/*/result.json")
	switch {
	case has("report.html") > 0:
		return "end"
	case has("runtime.csv") > 0:
		return "report"
	case results == 4:
		return "indexes"
	case models > results:
		return "measuring"
	case has("points/*/status.json") > 0:
		return "training"
	}
	return "start-up"
}

// runBytes reads what a run leaves, but for what says how long it took, how often it
// was begun and where its files are. There may be no temporary file and no claim.
func runBytes(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || slices.Contains([]string{"status.json", "runtime.csv", ".index", ".results", ".report"}, e.Name()) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if strings.Contains(name, ".writing-") || strings.HasPrefix(name, "claims/") {
			t.Errorf("left behind: %s", name)
		}
	}
	return files
}

func compareRuns(t *testing.T, want, got map[string]string) {
	t.Helper()
	names := maps.Clone(want)
	maps.Copy(names, got)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		w, wanted := want[name]
		g, there := got[name]
		switch {
		case !there:
			t.Errorf("%s is missing", name)
		case !wanted:
			t.Errorf("%s is there, and not after an undisturbed run", name)
		case g != w:
			t.Errorf("%s differs: %s", name, firstDifference(w, g))
		}
	}
}

func firstDifference(want, got string) string {
	i := 0
	for i < min(len(want), len(got)) && want[i] == got[i] {
		i++
	}
	around := func(s string) string { return s[max(0, i-40):min(len(s), i+40)] }
	return fmt.Sprintf("at byte %d: %q, want %q", i, around(got), around(want))
}
