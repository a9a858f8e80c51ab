package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// oftenSaving is the name of a program that saves checkpoints often.
const oftenSaving = "sobolev-often-saving"

// programs is what the test binary is when it is called by one of these names.
var programs = map[string]func(){
	"sobolev":   main,
	oftenSaving: func() { checkpointInterval = 20 * time.Millisecond; main() },
}

func TestMain(m *testing.M) { testscript.Main(m, programs) }

// programNamed is the test binary under the name by which it is that program.
func programNamed(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status": exitStatus,
			"fields": countFields,
		},
		Setup: func(env *testscript.Env) error {
			// No data set of this machine may leak into a test.
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("SOBOLEV_DATA", filepath.Join(env.WorkDir, "data"))
			return nil
		},
	})
}

// exitStatus is the script command "status N COMMAND…": the command must end
// with that status. Its output goes to the files stdout and stderr.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s: exit status %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// countFields is the script command "fields FILE N TEXT": N lines of the file
// must contain the text.
func countFields(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: fields FILE N TEXT")
	}
	n := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if strings.Contains(line, args[2]) {
			n++
		}
	}
	if want := args[1]; want != strconv.Itoa(n) {
		ts.Fatalf("%s: %d lines contain %q, want %s", args[0], n, args[2], want)
	}
}

const slowConfig = `
dataset: {name: fashion-mnist-mini, classes: [0, 1], per_class: 50, test_per_class: 10}
model: {hidden: [100, 100]}
sgd: {iterations: 100000000}
grid: {learning_rate: [0.01, 0.02], batch_size: [10]}
`

// startProgram starts the program in a process of its own on a run that would
// not end by itself, and returns when the run directory is there.
func startProgram(t *testing.T, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "slow.yaml")
	if err := os.WriteFile(config, []byte(slowConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(programNamed(t, "sobolev"), "run", config, "-o", dir, "-j", "2")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for range 400 {
		if running, _ := filepath.Glob(filepath.Join(dir, "points", "*", "status.json")); len(running) == 2 {
			return cmd, &stderr
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the program did not start its points within 20 s")
	return nil, nil
}

func TestInterruptSavesAndSaysHowToGoOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	cmd, stderr := startProgram(t, dir)
	time.Sleep(300 * time.Millisecond)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != exitInterrupted {
		t.Fatalf("after Ctrl-C: %v, want exit status %d; stderr:\n%s", err, exitInterrupted, stderr)
	}
	if !strings.Contains(stderr.String(), "the same command goes on from here") {
		t.Errorf("stderr does not say how to go on:\n%s", stderr)
	}
	checkpoints, err := filepath.Glob(filepath.Join(dir, "points", "*", "checkpoint.safetensors"))
	if err != nil || len(checkpoints) != 2 {
		t.Errorf("checkpoints after Ctrl-C: %v, want two", checkpoints)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	first, _ := startProgram(t, dir)
	config := filepath.Join(t.TempDir(), "slow.yaml")
	if err := os.WriteFile(config, []byte(slowConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := run([]string{"run", config, "-o", dir}, &stdout, &stderr); status != exitFailed || !strings.Contains(stderr.String(), "in use by another sobolev process") {
		t.Errorf("exit status %d: %s", status, &stderr)
	}
	first.Process.Kill()
	first.Wait()
}
