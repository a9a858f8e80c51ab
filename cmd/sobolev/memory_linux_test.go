package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"sobolev/rundir"
)

const measuringConfig = `
dataset: {name: fashion-mnist-mini, classes: [0, 1, 2], per_class: 200, test_per_class: 100}
model: {hidden: [250, 250]}
sgd: {iterations: 300}
grid: {learning_rate: [0.1], batch_size: [20]}
measure: {stability: true, bounds: true, radius: 0.1, exact_limit: 100}
`

// peakMemory is the name of a program that runs the command of its arguments and
// prints the largest number of bytes that it had in memory. Linux counts for a process
// what its parent had when it started it, so that a test, which may have had far more
// than the program under test, asks this small process to start it.
const peakMemory = "sobolev-peak-memory"

func init() {
	programs[peakMemory] = func() {
		cmd := exec.Command(os.Args[1], os.Args[2:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10)
	}
}

// The whole process stays below --memory: with enough of it for everything, and with
// so little that measurements are left out, which the result says.
func TestMemoryLimitIsThatOfTheProcess(t *testing.T) {
	folder := t.TempDir()
	config := filepath.Join(folder, "measuring.yaml")
	if err := os.WriteFile(config, []byte(measuringConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	program, watcher := programNamed(t, "sobolev"), programNamed(t, peakMemory)
	run := func(name, memory string) (peak int64, r *rundir.Result) {
		dir := filepath.Join(folder, name)
		cmd := exec.Command(watcher, program, "run", config, "-o", dir, "-j", "1", "--quiet", "--memory", memory)
		cmd.Env = append(os.Environ(), "GOGC=off") // nothing but the limit makes Go collect
		var out, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaint
		if err := cmd.Run(); err != nil {
			t.Fatalf("--memory %s: %v\n%s", memory, err, complaint.String())
		}
		if _, err := fmt.Sscan(out.String(), &peak); err != nil {
			t.Fatalf("--memory %s: the peak %q: %v", memory, out.String(), err)
		}
		d, err := rundir.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		records, err := d.Records()
		if err != nil || len(records) != 1 || records[0].Result == nil {
			t.Fatalf("--memory %s: %d results, %v", memory, len(records), err)
		}
		return peak, records[0].Result
	}
	free, all := run("free", "2GiB")
	for _, c := range []struct {
		memory string
		bytes  int64
		whole  bool
	}{{"160MiB", 160 << 20, true}, {"104MiB", 104 << 20, false}} {
		peak, r := run(c.memory, c.memory)
		t.Logf("--memory %s: %d MiB; without: %d MiB", c.memory, peak>>20, free>>20)
		if peak > c.bytes {
			t.Errorf("--memory %s: the process took %d MiB", c.memory, peak>>20)
		}
		if free <= c.bytes {
			t.Errorf("%d MiB suffice without a limit: the test shows nothing", free>>20)
		}
		if whole := len(r.Warnings) == len(all.Warnings) && len(r.Bounds) == len(all.Bounds); whole != c.whole {
			t.Errorf("--memory %s: whole = %v with the warnings %q", c.memory, whole, r.Warnings)
		}
	}
}
