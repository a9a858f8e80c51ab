package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The least limit counts: of the group of the process, of one around it, of the job.
func TestAvailableMemory(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		name, slurm string
		files       map[string]string
		want        int64
	}{
		{"machine", "", map[string]string{"proc/meminfo": "MemTotal:        8388608 kB\n"}, 8 * gib},
		{"nothing", "", nil, unknownMemory},
		{"v2", "", map[string]string{
			"proc/meminfo": "MemTotal:        8388608 kB\n", "proc/self/cgroup": "0::/slurm/job_7/step_0\n",
			"sys/fs/cgroup/slurm/memory.max": "max\n", "sys/fs/cgroup/slurm/job_7/memory.max": "2147483648\n", "sys/fs/cgroup/slurm/job_7/step_0/memory.max": "max\n",
		}, 2 * gib},
		{"v1", "", map[string]string{
			"proc/meminfo": "MemTotal:        8388608 kB\n", "proc/self/cgroup": "3:cpu,cpuacct:/x\n2:hugetlb,memory:/user\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/user/memory.limit_in_bytes": "1073741824\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1\n",
		}, gib},
		// A container of old shows the machine's name of a group whose limit is at the root.
		{"container", "", map[string]string{
			"proc/meminfo": "MemTotal:        8388608 kB\n", "proc/self/cgroup": "2:memory:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
		}, gib},
		{"outside", "", map[string]string{"proc/meminfo": "MemTotal:        8388608 kB\n", "proc/self/cgroup": "0::/../x\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, gib},
		{"job", "1024", map[string]string{"proc/meminfo": "MemTotal:        8388608 kB\n"}, gib},
		{"job with all memory", "0", map[string]string{"proc/meminfo": "MemTotal:        8388608 kB\n"}, 8 * gib},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			file := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("SLURM_MEM_PER_NODE", c.slurm)
		if got := availableBelow(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
