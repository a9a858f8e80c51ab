package slurm

import (
	"strings"
	"testing"

	"sobolev/rundir"
)

// What the user's environment says to Slurm's commands can hide no submission.
func TestEnvironment(t *testing.T) {
	for _, v := range []string{"SQUEUE_STATES=RUNNING", "SBATCH_JOB_NAME=mine", "SBATCH_ARRAY_INX=0-0", "SBATCH_WAIT=1", "SCANCEL_STATE=PENDING",
		"SBATCH_PARTITION=mine", "SBATCH_ACCOUNT=mine", "SBATCH_QOS=mine", "SLURM_CLUSTERS=mine"} {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	for _, c := range []struct {
		config rundir.Executor
		want   string
	}{
		{rundir.Executor{}, "SBATCH_ACCOUNT=mine SBATCH_PARTITION=mine SBATCH_QOS=mine SLURM_CLUSTERS=mine"},
		{rundir.Executor{Partition: "a", Account: "b"}, "SBATCH_QOS=mine SLURM_CLUSTERS=mine"},
	} {
		out, err := commandIn(t.Context(), environment(c.config), "sh", "-c", `echo $(env | grep -E '^(SQUEUE|SBATCH|SCANCEL)_|^SLURM_CLUSTERS' | sort)`)
		if err != nil || strings.TrimSpace(out) != c.want {
			t.Errorf("%+v: %q, %v; want %q", c.config, out, err, c.want)
		}
	}
}
