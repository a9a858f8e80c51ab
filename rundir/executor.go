package rundir

import (
	"fmt"
	"regexp"
	"strings"
)

// Executor says how the points of a run are worked on by a cluster. It influences
// no result, and so it is no part of a point's hash.
type Executor struct {
	// Partition, Account, Time and Memory are given to Slurm as they are; empty: the
	// cluster's defaults.
	Partition string `yaml:"partition,omitempty" json:"partition,omitzero"`
	Account   string `yaml:"account,omitempty" json:"account,omitzero"`
	Time      string `yaml:"time,omitempty" json:"time,omitzero"`
	Memory    string `yaml:"memory,omitempty" json:"memory,omitzero"`
	// CPUs is the number of points that a task works on at once; default 1.
	CPUs int `yaml:"cpus,omitempty" json:"cpus,omitzero"`
	// ArrayParallelism is the number of tasks that may run at once; 0: no limit.
	ArrayParallelism int `yaml:"array_parallelism,omitempty" json:"array_parallelism,omitzero"`
	// TaskMinutes is the time that a task's points should take together; default 10.
	TaskMinutes int `yaml:"task_minutes,omitempty" json:"task_minutes,omitzero"`
	// PointsPerTask is their number instead; 0: by TaskMinutes.
	PointsPerTask int `yaml:"points_per_task,omitempty" json:"points_per_task,omitzero"`
	// Lines are further options of sbatch, and Setup commands before the program.
	Lines []string `yaml:"lines,omitempty" json:"lines,omitzero"`
	Setup []string `yaml:"setup,omitempty" json:"setup,omitzero"`
}

func (e Executor) check() error {
	for _, err := range []error{
		one("executor.partition", e.Partition, slurmWord),
		one("executor.account", e.Account, slurmWord),
		one("executor.time", e.Time, slurmTime),
		one("executor.memory", e.Memory, slurmMemory),
		one("executor.cpus", e.CPUs, atLeast(0)),
		one("executor.array_parallelism", e.ArrayParallelism, atLeast(0)),
		one("executor.task_minutes", e.TaskMinutes, upTo(maxTaskMinutes)),
		one("executor.points_per_task", e.PointsPerTask, atLeast(0)),
		list("executor.lines", e.Lines, sbatchOption),
		list("executor.lines", e.Lines, noOwnOption),
		list("executor.setup", e.Setup, path),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// ownOptions are those of sbatch by which a submission is found again, its tasks get
// their points and its logs are read, and those with which it does not return, or
// submits nothing. The short ones may stand together, after others without a value.
var (
	ownOptions = []string{"--job-name", "--array", "--output", "--error", "--wrap", "--clusters", "--wait", "--test-only"}
	ownLetters = regexp.MustCompile(`^-[HIkOQsvV]*[JaoeMW]`)
)

// noOwnOption refuses what would take a submission away from the program. As sbatch does
// it takes the beginning of a long option for the whole.
func noOwnOption(line string) string {
	for _, word := range strings.Fields(line) {
		option, _, _ := strings.Cut(strings.Trim(word, `"'`), "=")
		own := ownLetters.MatchString(option)
		for _, o := range ownOptions {
			own = own || len(option) > 2 && strings.HasPrefix(o, option)
		}
		if own {
			return fmt.Sprintf("%q is set by sobolev itself, which would not find its jobs or their logs again", option)
		}
	}
	return ""
}

// maxTaskMinutes is a month.
const maxTaskMinutes = 31 * 24 * 60

func upTo(most int) rule[int] {
	return func(v int) string {
		if v > most {
			return fmt.Sprintf("%d is above %d", v, most)
		}
		return atLeast(0)(v)
	}
}

func matching(pattern, want string) rule[string] {
	re := regexp.MustCompile(`^(` + pattern + `)?$`)
	return func(v string) string {
		if !re.MatchString(v) {
			return fmt.Sprintf("%q is not %s", v, want)
		}
		return ""
	}
}

var (
	slurmWord    = matching(`[A-Za-z0-9_.,+-]+`, "a name of Slurm")
	slurmTime    = matching(`\d+|\d+:\d+|\d+:\d+:\d+|\d+-\d+(:\d+){0,2}`, `a time limit such as "30" (minutes), "4:00:00" or "1-12"`)
	slurmMemory  = matching(`\d+[KMGT]?`, "a size such as 4G")
	sbatchOption = matching(`--?[A-Za-z][^\n\r]*`, "an option of sbatch such as --gres=gpu:1")
)
