package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// process says which process a number means: that of a machine since its start,
// within one namespace of numbers, begun at a moment.
type process struct {
	Space string `json:"space,omitempty"`
	Start string `json:"start,omitempty"`
}

func thisProcess() process {
	start, _ := startOf(os.Getpid()) // without it nobody knows when this process has ended
	return process{Space: processSpace(), Start: start}
}

// processSpace is empty where /proc is not there.
var processSpace = sync.OnceValue(func() string {
	boot, err1 := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, err2 := os.Readlink("/proc/self/ns/pid")
	if err1 != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
})

// gone says that no process of this machine has the number.
func gone(pid int) bool {
	_, err := startOf(pid)
	return processSpace() != "" && errors.Is(err, fs.ErrNotExist)
}

// startOf is the 22nd field of /proc/PID/stat (proc(5)), counted after the program's
// name, which may hold anything.
func startOf(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 {
		return "", errors.New("no start time")
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", fs.ErrNotExist // killed, and its parent has not looked yet
	}
	return fields[19], nil
}

// ended says that the process is known to have ended: it was one of this machine,
// and is not there.
func (p process) ended(pid int) bool {
	if p.Space == "" || p.Start == "" || p.Space != processSpace() {
		return false
	}
	start, err := startOf(pid)
	return errors.Is(err, fs.ErrNotExist) || err == nil && start != p.Start
}
