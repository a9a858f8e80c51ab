package slurm

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sobolev/rundir"
)

// lead is the time before the time limit at which a task is told to save what it
// has. Slurm may say so a minute earlier, which is at once where the limit is short:
// there only the TERM at the limit remains.
func lead(limit string) time.Duration {
	if minutes, limited := limitMinutes(limit); limited && minutes < 3 {
		return 0
	}
	return time.Minute
}

// limitMinutes reads a time limit as sbatch does, which rounds seconds up: minutes,
// minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes or
// days-hours:minutes:seconds. It returns false for 0, which is no limit, and for what
// is no number, as an empty one: the cluster's.
//
// Source: sbatch(1), --time.
func limitMinutes(limit string) (minutes int, limited bool) {
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	units := map[int][]int{1: {minute}, 2: {minute, 1}, 3: {hour, minute, 1}}
	fields := strings.Split(limit, ":")
	if days, rest, ok := strings.Cut(limit, "-"); ok {
		units = map[int][]int{2: {day, hour}, 3: {day, hour, minute}, 4: {day, hour, minute, 1}}
		fields = append([]string{days}, strings.Split(rest, ":")...)
	}
	seconds := 0
	for i, unit := range units[len(fields)] {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, false
		}
		seconds += n * unit
	}
	return (seconds + minute - 1) / minute, seconds > 0
}

// outputOption is the beginning of a value of --output, with its quotation mark, and
// without the one at the end. What sbatch gives a meaning in quotes are %, " and \, and
// there is no way to have a \ in it: see checkPath.
//
// Source: sbatch(1), filename pattern; the test on a real Slurm has odd names.
func outputOption(path string) string {
	return `"` + strings.NewReplacer("%", "%%", `"`, `\"`).Replace(path)
}

// checkPath refuses the path of a run where no log could be written.
func checkPath(path string) error {
	if strings.ContainsAny(path, "\\\n\r") {
		return fmt.Errorf("%q has a character (\\ or the end of a line) that Slurm does not take in the names of logs; choose another directory with -o", path)
	}
	return nil
}

// script is what sbatch is given for an array of so many tasks. The program takes the
// shell's place, so that Slurm's signals reach it.
func (e *Executor) script(number int, name, program string, tasks int) string {
	c := e.opt.Config
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	option := func(name, value string) {
		if value != "" {
			line("#SBATCH --%s=%s", name, value)
		}
	}
	array := fmt.Sprintf("0-%d", tasks-1)
	if c.ArrayParallelism > 0 {
		array += fmt.Sprintf("%%%d", c.ArrayParallelism)
	}
	line("#!/bin/bash")
	option("job-name", name)
	option("array", array)
	option("output", outputOption(filepath.Join(submissionPath(e.dir, number), "logs"))+`/%a.log"`)
	option("open-mode", "append")
	line("#SBATCH --requeue")
	if l := lead(c.Time); l > 0 {
		option("signal", fmt.Sprintf("B:USR1@%d", int(l.Seconds())))
	}
	option("partition", c.Partition)
	option("account", c.Account)
	option("time", c.Time)
	option("cpus-per-task", strconv.Itoa(cmp.Or(c.CPUs, 1)))
	option("mem", c.Memory)
	for _, l := range c.Lines {
		line("#SBATCH %s", l)
	}
	if len(c.Setup) > 0 {
		line("set -e")
	}
	for _, command := range c.Setup {
		line("%s", command)
	}
	words := []string{quote(program)}
	for _, w := range append(e.opt.Arguments, "--", e.dir.Path, strconv.Itoa(number)) {
		words = append(words, quote(w))
	}
	line(`exec %s "$SLURM_ARRAY_TASK_ID"`, strings.Join(words, " "))
	return b.String()
}

func names(points []rundir.Point) []string {
	all := make([]string, len(points))
	for i, p := range points {
		all[i] = p.Name()
	}
	return all
}

// quote is a word for the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// pack puts points into tasks, in order: as many as are asked for, or until each has
// work for the time that is aimed at on its cores.
func pack(points []rundir.Point, c rundir.Executor, estimate func(rundir.Point) time.Duration) [][]string {
	if c.PointsPerTask > 0 {
		var tasks [][]string
		for chunk := range slices.Chunk(points, c.PointsPerTask) {
			tasks = append(tasks, names(chunk))
		}
		return tasks
	}
	enough := time.Duration(cmp.Or(c.TaskMinutes, 10)) * time.Minute * time.Duration(cmp.Or(c.CPUs, 1))
	var tasks [][]string
	full := true
	var work time.Duration
	for _, p := range points {
		if full {
			tasks, work = append(tasks, nil), 0
		}
		last := len(tasks) - 1
		tasks[last] = append(tasks[last], p.Name())
		work += estimate(p)
		full = work >= enough
	}
	return tasks
}
