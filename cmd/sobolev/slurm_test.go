package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sobolev/rundir"
	"sobolev/sweep/slurm"
	"sobolev/sweep/slurm/slurmtest"
	"sobolev/sweep/sweeptest"
)

// gridConfig has points of a second or so, each a task of its own unless set says
// otherwise.
const gridConfig = `
name: grid
dataset: {name: fashion-mnist-mini, classes: [0, 1], per_class: 50, test_per_class: 10}
model: {hidden: [30]}
sgd: {iterations: 20000}
grid: {learning_rate: [0.01, 0.02], batch_size: [10]}
repetitions: 2
executor: {time: "5", points_per_task: 1}
`

type site struct {
	t         *testing.T
	program   string
	config    string
	partition string
	want      []byte // results.csv of the local run
}

func newSite(t *testing.T, text string) *site {
	t.Helper()
	s := &site{t: t, program: programNamed(t, "sobolev"), partition: "main", config: filepath.Join(t.TempDir(), "grid.yaml")}
	if err := os.WriteFile(s.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// local runs the grid locally.
func (s *site) local() {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "local")
	s.run(0, "run", s.config, "-o", dir, "--quiet")
	s.want = s.results(dir)
}

// run runs the program, which must end with this status.
func (s *site) run(status int, args ...string) string {
	s.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(s.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != status {
		s.t.Fatalf("sobolev %s: exit status %d, want %d (%v):\n%s", strings.Join(args, " "), got, status, err, &out)
	}
	return out.String()
}

func (s *site) results(dir string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "results.csv"))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

func (s *site) submit(dir string, more ...string) string {
	s.t.Helper()
	return s.run(0, append([]string{"run", s.config, "-o", dir, "--executor", "slurm", "--set", "executor.partition=" + s.partition, "--quiet"}, more...)...)
}

// finish follows the run to its end, and compares.
func (s *site) finish(dir string) {
	s.t.Helper()
	s.submit(dir, "--wait")
	if got := s.results(dir); !bytes.Equal(got, s.want) {
		s.t.Errorf("results.csv is not that of the local run:\n%s\nwant\n%s", got, s.want)
	}
	// A task lets go of its point after the result can be seen.
	s.until("no temporary files and no claims are left", func() bool {
		left, err1 := filepath.Glob(filepath.Join(dir, "points", "*", ".*"))
		claims, err2 := filepath.Glob(filepath.Join(dir, "claims", "*"))
		return err1 == nil && err2 == nil && len(left)+len(claims) == 0
	})
}

func (s *site) open(dir string) *rundir.Dir {
	s.t.Helper()
	d, err := rundir.Open(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// running waits until n points are in work, those that were taken have a status, and
// returns who holds them.
func (s *site) running(dir string, n int) map[string]rundir.Holder {
	s.t.Helper()
	d := s.open(dir)
	for range 2400 {
		holders, err := d.Holders()
		for name := range holders {
			if !d.Begun(name) {
				err = errors.New("not begun")
			}
		}
		if err == nil && len(holders) >= n {
			return holders
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("%d points do not run within two minutes:\n%s", n, s.run(0, "status", dir))
	return nil
}

func (s *site) active(dir string) map[string]slurm.Standing {
	s.t.Helper()
	active, err := slurm.Active(context.Background(), s.open(dir))
	if err != nil {
		s.t.Fatal(err)
	}
	return active
}

// until waits until the condition holds.
func (s *site) until(what string, holds func() bool) {
	s.t.Helper()
	for range 2400 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("not within two minutes: %s", what)
}

// hold stops the points in work, so that none ends before Slurm sends its task this
// signal, and lets them go on when it has.
func (s *site) hold(holders map[string]rundir.Holder, waited syscall.Signal) (release func()) {
	s.t.Helper()
	for _, h := range holders {
		syscall.Kill(h.PID, syscall.SIGSTOP)
		s.t.Cleanup(func() { syscall.Kill(h.PID, syscall.SIGCONT) })
		s.until(fmt.Sprintf("process %d stops", h.PID), func() bool { return stopped(h.PID) || processStatus(h.PID, "State") == "" })
	}
	return func() {
		s.t.Helper()
		for _, h := range holders {
			s.until(fmt.Sprintf("Slurm sends %v to process %d", waited, h.PID), func() bool { return !stopped(h.PID) || pending(h.PID, waited) })
			syscall.Kill(h.PID, syscall.SIGCONT)
		}
	}
}

// stopped says that a signal stopped the process.
func stopped(pid int) bool { return strings.HasPrefix(processStatus(pid, "State"), "T") }

// pending says that the process was sent the signal and has not seen it.
func pending(pid int, signal syscall.Signal) bool {
	set, err := strconv.ParseUint(processStatus(pid, "ShdPnd"), 16, 64)
	return err == nil && set>>(signal-1)&1 == 1
}

// processStatus is a field of proc(5)'s status; empty if the process has ended.
func processStatus(pid int, field string) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// limit moves the end of the tasks' time, as an administrator may: Slurm's own limits
// have whole minutes. It returns the last one's name.
func (s *site) limit(holders map[string]rundir.Holder, left time.Duration) (job string) {
	s.t.Helper()
	for _, h := range holders {
		job = h.Job
		scontrol(s.t, "update", "JobId="+job, "EndTime="+time.Now().Add(left).Format("2006-01-02T15:04:05"))
	}
	return job
}

// saved checks that a point was saved in the middle.
func (s *site) saved(d string) {
	s.t.Helper()
	if files, _ := filepath.Glob(filepath.Join(d, "points", "*", "checkpoint.safetensors")); len(files) == 0 {
		s.t.Errorf("no checkpoint was saved:\n%s", s.run(0, "status", d))
	}
}

func scontrol(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("scontrol", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("scontrol %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestSlurm(t *testing.T) {
	cluster := slurmtest.Start(t, "main", "limit", "split", "dead")
	// in runs a test beside the others, most of which wait, in a partition of the cluster.
	var tests sync.WaitGroup
	defer tests.Wait()
	in := func(partition string, s *site, name string, test func(s *site, d string)) {
		tests.Go(func() {
			t.Run(name, func(t *testing.T) {
				own := *s
				own.t, own.partition = t, partition
				test(&own, filepath.Join(sweeptest.Folder(t), "run"))
			})
		})
	}
	one := newSite(t, strings.NewReplacer("repetitions: 2", "repetitions: 1", "[0.01, 0.02]", "[0.01]", "20000", "60000").Replace(gridConfig))
	in("limit", one, "signal before the time limit", func(s *site, d string) {
		s.submit(d)
		holders := s.running(d, 1)
		release := s.hold(holders, syscall.SIGUSR1)
		job := s.limit(holders, 75*time.Second)
		s.local()
		release()
		s.until("the task has left", func() bool { return len(s.active(d)) == 0 })
		if out := scontrol(s.t, "show", "job", job); strings.Contains(out, "JobState=TIMEOUT") {
			s.t.Errorf("the limit came before the signal:\n%s", out)
		}
		s.saved(d)
		s.finish(d)
	})
	in("limit", one, "time limit", func(s *site, d string) {
		s.submit(d, "--set", "executor.time=2:00")
		holders := s.running(d, 1)
		release := s.hold(holders, syscall.SIGTERM)
		job := s.limit(holders, time.Second)
		s.local()
		release()
		s.until("the task is over", func() bool { return len(s.active(d)) == 0 })
		if out := scontrol(s.t, "show", "job", job); !strings.Contains(out, "JobState=TIMEOUT") {
			s.t.Errorf("%s", out)
		}
		s.saved(d)
		s.finish(d)
	})
	many := newSite(t, strings.NewReplacer("repetitions: 2", "repetitions: 20", "20000", "500").Replace(gridConfig))
	in("main", many, "array", func(s *site, d string) {
		// 40 points, one a task, in arrays of at most 8.
		out := s.submit(d)
		if !strings.Contains(out, "40 submitted now") {
			s.t.Errorf("%s", out)
		}
		if out = s.submit(d); !strings.Contains(out, "(0 submitted now)") {
			s.t.Errorf("points were submitted twice: %s", out)
		}
		s.local()
		s.finish(d)
	})
	s := newSite(t, gridConfig)
	s.local()
	in("split", s, "split brain", func(s *site, d string) {
		s.submit(d)
		s.running(d, 1)
		first := slices.Collect(maps.Values(s.active(d)))[0]
		cluster.KillDaemon(first.Node)
		cluster.Down(first.Node)
		s.finish(d)
	})
	in("dead", s, "node killed", func(s *site, d string) {
		s.submit(d)
		h := s.running(d, 1)
		first := slices.Collect(maps.Values(s.active(d)))[0]
		cluster.KillDaemon(first.Node)
		for _, holder := range h {
			cluster.Kill(holder.PID)
		}
		cluster.Down(first.Node)
		s.finish(d)
	})
	in("main", s, "killed task", func(s *site, d string) {
		s.submit(d)
		for _, h := range s.running(d, 1) {
			syscall.Kill(h.PID, syscall.SIGKILL)
			break
		}
		s.until("the tasks are over", func() bool { return len(s.active(d)) == 0 })
		if out := s.run(0, "status", d); !strings.Contains(out, "interrupted: 1") && !strings.Contains(out, "left: ") && !strings.Contains(out, "pending") {
			s.t.Errorf("%s", out)
		}
		s.finish(d)
	})
	in("main", s, "scancel", func(s *site, d string) {
		s.submit(d)
		release := s.hold(s.running(d, 1), syscall.SIGTERM)
		if out := s.run(0, "cancel", d); !strings.Contains(out, "cancelled: job ") {
			s.t.Errorf("%s", out)
		}
		release()
		s.until("the jobs are over", func() bool { return len(s.active(d)) == 0 })
		s.saved(d)
		if out := s.run(0, "cancel", d); !strings.Contains(out, "has no jobs") {
			s.t.Errorf("%s", out)
		}
		s.finish(d)
	})
	in("main", s, "requeue", func(s *site, d string) {
		s.submit(d)
		holders := s.running(d, 1)
		release := s.hold(holders, syscall.SIGTERM)
		for _, h := range holders {
			scontrol(s.t, "requeue", h.Job)
		}
		release()
		s.finish(d)
		for name := range holders {
			if r, err := s.open(d).Records(); err != nil || !slices.ContainsFunc(r, func(r rundir.Record) bool { return r.Name == name && r.Status.Attempts > 1 }) {
				s.t.Errorf("%s was not begun again: %v", name, err)
			}
		}
	})
	in("none", s, "refused", func(s *site, d string) {
		out := s.run(1, "run", s.config, "-o", d, "--executor", "slurm", "--set", "executor.partition=none")
		if !strings.Contains(out, "sbatch: ") || !strings.Contains(out, "partition") {
			s.t.Errorf("%s", out)
		}
	})
}

// Without Slurm the message says so, and nothing is left.
func TestNoSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	config := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(config, []byte(gridConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	expectFailure(t, exitFailed, []string{"scontrol is not on PATH", "needs Slurm's commands"}, "run", config, "-o", dir, "--executor", "slurm", "--quiet")
	if _, err := os.Stat(filepath.Join(dir, "slurm")); !os.IsNotExist(err) {
		t.Errorf("left: %v", err)
	}
	expectFailure(t, exitUsage, []string{"want local or slurm"}, "run", config, "-o", dir, "--executor", "cloud")
	expectFailure(t, exitUsage, []string{"--wait is for --executor slurm"}, "run", config, "-o", dir, "--wait")
	expectFailure(t, exitFailed, []string{"is not a run directory"}, "cancel", t.TempDir())
	var out, errs bytes.Buffer
	if status := run([]string{"cancel", dir}, &out, &errs); status != 0 || !strings.Contains(out.String(), "has no jobs") {
		t.Errorf("%d %s %s", status, &out, &errs)
	}
	if status := run([]string{"run", config, "-o", dir, "--executor", "slurm", "--dry-run"}, &out, &errs); status != 0 || !strings.Contains(out.String(), "#SBATCH --array=0-") {
		t.Errorf("%d %s %s", status, &out, &errs)
	}
}
