package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeSlurm makes commands of Slurm out of shell scripts, in front of those on PATH.
func fakeSlurm(t *testing.T, scripts map[string]string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

// expect runs the program and returns what it said.
func expect(t *testing.T, status int, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if got := run(args, &out, &out); got != status {
		t.Fatalf("sobolev %s: exit status %d, want %d:\n%s", strings.Join(args, " "), got, status, &out)
	}
	return out.String()
}

func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("want %q in:\n%s", w, text)
		}
	}
}

// A grid whose tasks die before their first point is seen by status, with the logs, and
// is not submitted for ever.
func TestSlurmTasksThatDieEarly(t *testing.T) {
	fakeSlurm(t, map[string]string{"scontrol": "", "squeue": "", "sbatch": "echo 12"})
	folder := t.TempDir()
	config, dir := filepath.Join(folder, "grid.yaml"), filepath.Join(folder, "run")
	if err := os.WriteFile(config, []byte(strings.Replace(gridConfig, "points_per_task: 1", "points_per_task: 2", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, submission := range []string{"1", "2"} {
		contains(t, expect(t, 0, "run", config, "-o", dir, "--executor", "slurm", "--quiet"), "0 of 4 points are done; 4 are with Slurm (4 submitted now)")
		for _, task := range []string{"0", "1"} {
			if err := os.WriteFile(filepath.Join(dir, "slurm", submission, "logs", task+".log"), []byte("module: command not found\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out := expect(t, 0, "status", dir)
		contains(t, out, "left: 4", "left by job 12_0", "left by job 12_1", "slurm/"+submission+"/logs/1.log:")
		if n := strings.Count(out, "module: command not found"); n != 2 {
			t.Errorf("%d logs of 2 are shown:\n%s", n, out)
		}
	}
	contains(t, expect(t, exitPartial, "run", config, "-o", dir, "--executor", "slurm", "--quiet"),
		"4 of 4 points failed", "its task ended before it began any point, 2 times", "module: command not found", "--retry-failed")
	plan := []string{"run", config, "-o", dir, "--executor", "slurm", "--dry-run"}
	out := expect(t, 0, plan...)
	if contains(t, out, "0 of 4 points to do", "failed (--retry-failed)"); strings.Contains(out, "#SBATCH") {
		t.Errorf("a script for nothing:\n%s", out)
	}
	contains(t, expect(t, 0, append(plan, "--retry-failed")...), "4 of 4 points to do", "#SBATCH --array=0-1\n", dir+"/slurm/3/logs", "exec '"+dir+"/slurm/program/")
	contains(t, expect(t, 0, "run", config, "-o", dir, "--executor", "slurm", "--quiet", "--retry-failed"), "(4 submitted now)")

	script, err := os.ReadFile(filepath.Join(dir, "slurm", "3", "job.sh"))
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(string(script), "--job-name=")
	name, _, _ = strings.Cut(name, "\n")
	fakeSlurm(t, map[string]string{"squeue": "echo '" + name + "|12|0|PENDING||Resources'"})
	contains(t, expect(t, 0, append(plan, "--retry-failed")...), "2 of 4 points to do", "waiting (job 12: Resources)")
}

// A command of Slurm that does not end, nor what it has started, holds neither the table
// of status up nor a signal. Who leaves before anything was submitted is not told of jobs.
func TestSlurmDoesNotAnswer(t *testing.T) {
	folder := t.TempDir()
	asked := filepath.Join(folder, "asked")
	silent := "touch " + asked + "; sleep 100"
	fakeSlurm(t, map[string]string{"scontrol": "", "squeue": "", "sbatch": "echo 12"})
	config, dir := filepath.Join(folder, "grid.yaml"), filepath.Join(folder, "run")
	if err := os.WriteFile(config, []byte(gridConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	submit := []string{"run", config, "-o", dir, "--executor", "slurm", "--quiet"}
	expect(t, 0, submit...)
	fakeSlurm(t, map[string]string{"squeue": silent})
	defer func(was time.Duration) { answerTime = was }(answerTime)
	answerTime = 100 * time.Millisecond
	contains(t, expect(t, 0, "status", dir), "pending: 4", "Slurm does not say what waits: squeue did not answer in time")

	program := programNamed(t, "sobolev")
	for _, c := range []struct {
		scripts map[string]string
		args    []string
		want    string
	}{
		{map[string]string{"squeue": silent}, []string{"status", dir}, ""},
		{map[string]string{"squeue": "", "scontrol": silent}, submit, "interrupted; the run has no jobs that wait or run"},
	} {
		os.Remove(asked)
		fakeSlurm(t, c.scripts)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, c.args...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range 600 {
			if _, err := os.Stat(asked); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != exitInterrupted || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: exit status %d: %s", c.args, got, &out)
		}
	}
}
