package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// unknownMemory is assumed where the system does not say how much there is.
const unknownMemory = 4 << 30

// programText is what the process has in memory beside what it allocates: its code,
// the embedded data and what Go keeps of them.
const programText = 48 << 20

// limitMemory returns what memoryLimit leaves beside the program itself, and holds the
// process to it as far as Go's collector can: it collects more often near the limit,
// where without one it lets garbage grow to the size of what is used. A limit that the
// user gave to Go itself (GOMEMLIMIT) stays.
func limitMemory(size string) (int64, error) {
	limit, err := memoryLimit(size)
	if err != nil {
		return 0, err
	}
	limit = max(limit-programText, limit/2)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
	return limit, nil
}

// memoryLimit parses a size such as 512MiB, 2G or 1e9; empty means half of the
// memory that the process may use.
func memoryLimit(size string) (int64, error) {
	if size == "" {
		return availableMemory() / 2, nil
	}
	upper := strings.ToUpper(size)
	number := strings.TrimRight(upper, "KMGTIB")
	factor, ok := map[string]float64{
		"": 1, "K": 1e3, "KI": 1 << 10, "M": 1e6, "MI": 1 << 20, "G": 1e9, "GI": 1 << 30, "T": 1e12, "TI": 1 << 40,
	}[strings.TrimSuffix(upper[len(number):], "B")]
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(v > 0) {
		return 0, fmt.Errorf("--memory %s: give a size such as 512MiB or 8GB", size)
	}
	if have := availableMemory(); v*factor > float64(have) {
		return 0, fmt.Errorf("--memory %s: the process may use %.1f GB here", size, float64(have)/1e9)
	}
	return int64(v * factor), nil
}

// availableMemory is what the process may use of this machine.
func availableMemory() int64 { return availableBelow("/") }

// availableBelow is the least of the machine's memory, the limits of the process's
// control group and of those that it is in (v2 and v1), on Linux, and what a Slurm job
// asked for, whose cluster need not enforce it. The system's files are those below root.
func availableBelow(root string) int64 {
	limit := int64(unknownMemory)
	if total, ok := memTotal(filepath.Join(root, "proc/meminfo")); ok {
		limit = total
	}
	for _, f := range cgroupLimits(root) {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // no limit, or a group that a container does not show
		}
		if v, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil {
			limit = min(limit, v)
		}
	}
	if mib, err := strconv.ParseInt(os.Getenv("SLURM_MEM_PER_NODE"), 10, 32); err == nil && mib > 0 {
		limit = min(limit, mib<<20)
	}
	return limit
}

// cgroupLimits lists the files that may hold a limit, from the process's groups up.
//
// Source: cgroups(7), /proc/PID/cgroup.
func cgroupLimits(root string) []string {
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) // none: the whole machine's
	var files []string
	up := func(mount, group, file string) {
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			files = append(files, filepath.Join(root, mount, group, file))
			if group == "/" {
				return
			}
		}
	}
	for line := range strings.Lines(string(groups) + "0::/\n0:memory:/\n") {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(f) != 3:
		case f[1] == "":
			up("sys/fs/cgroup", f[2], "memory.max")
		case slices.Contains(strings.Split(f[1], ","), "memory"):
			up("sys/fs/cgroup/memory", f[2], "memory.limit_in_bytes")
		}
	}
	return files
}

func memTotal(file string) (int64, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(s.Text(), "MemTotal: %d kB", &kib); n == 1 {
			return kib << 10, true
		}
	}
	return 0, false
}
