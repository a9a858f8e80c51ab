package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"sobolev/rundir"
)

// Standing is what Slurm says about a task that has not ended.
type Standing struct {
	// State is Slurm's word: PENDING, RUNNING, COMPLETING, …
	State string
	// Node is where it runs, and Reason why it does not.
	Node, Reason string
	// Job is the array's number.
	Job string
}

// Running says that the task was given a node.
func (s Standing) Running() bool { return s.State == "RUNNING" || s.State == "COMPLETING" }

type taskKey struct {
	name string // of the submission
	task int
}

// queue asks Slurm for the tasks of the submissions that have not ended.
func queue(ctx context.Context, all []submission) (map[taskKey]Standing, error) {
	tasks := map[taskKey]Standing{}
	if len(all) == 0 {
		return tasks, nil
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	out, err := command(ctx, "squeue", "--all", "--noheader", "--array", "--format=%j|%F|%K|%T|%N|%r", "--name="+strings.Join(names, ","))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 6 {
			return nil, fmt.Errorf("squeue says %q, which is not what it was asked for", line)
		}
		task, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("squeue says %q, which has no task's number", line)
		}
		tasks[taskKey{f[0], task}] = Standing{Job: f[1], State: f[3], Node: f[4], Reason: f[5]}
	}
	return tasks, nil
}

// defaultArraySize is Slurm's own default of MaxArraySize.
const defaultArraySize = 1001

// maxArraySize is the number of tasks that an array may have.
func maxArraySize(ctx context.Context) (int, error) {
	out, err := command(ctx, "scontrol", "show", "config")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == "MaxArraySize" {
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n > 0 {
				return n, nil
			}
		}
	}
	return defaultArraySize, nil
}

// chosen are the variables of sbatch's with which users choose where their jobs run.
var chosen = []string{"SBATCH_PARTITION", "SBATCH_ACCOUNT", "SBATCH_QOS", "SBATCH_RESERVATION", "SBATCH_CONSTRAINT", "SBATCH_EXPORT"}

// environment is that of Slurm's commands, with those of the chosen variables that the
// script leaves open. The others would count more than the script: an array of another
// name, or a choice of what squeue shows, hides a submission, which is then made again.
func environment(c rundir.Executor) []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		switch {
		case name == "SBATCH_PARTITION" && c.Partition != "", name == "SBATCH_ACCOUNT" && c.Account != "":
			return true
		case slices.Contains(chosen, name):
			return false
		}
		return strings.HasPrefix(name, "SBATCH_") || strings.HasPrefix(name, "SQUEUE_") || strings.HasPrefix(name, "SCANCEL_")
	})
}

// queryTime is the longest time that squeue may take, whose controller may be silent.
const queryTime = time.Minute

// grace is the time that a command gets to end after it was told to: what it has started
// may hold its output open for ever.
const grace = time.Second

// command runs a program of Slurm.
func command(ctx context.Context, name string, args ...string) (string, error) {
	return commandIn(ctx, environment(rundir.Executor{}), name, args...)
}

// commandIn runs a program of Slurm in an environment. Its error holds what the program
// said.
func commandIn(ctx context.Context, environment []string, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.WaitDelay = &stdout, &stderr, environment, grace
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not on PATH: --executor slurm needs Slurm's commands on this machine: %w", name, err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("%s did not answer in time", name)
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
