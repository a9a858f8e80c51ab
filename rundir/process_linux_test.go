package rundir

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sobolev/internal/needs"
)

func TestClaimsOfEndedProcesses(t *testing.T) {
	if thisProcess().ended(os.Getpid()) {
		t.Fatal("this process has ended")
	}
	if processSpaceUnknown() {
		needs.Missing(t, "processes", "the system does not say which have ended")
	}
	d := create(t, t.TempDir(), resolved(t, good))
	p := d.Config.Points()[0]
	k := take(t, d.Claims(0, ""), p, 0)
	h, _, err := readClaim(k.path)
	if err != nil {
		t.Fatal(err)
	}
	h.Process.Start = "1" // another process has the number now
	write(t, k.path, asJSON(h))
	if holders, err := d.Holders(); err != nil || len(holders) != 0 {
		t.Errorf("%v, %v", holders, err)
	}
	if next := take(t, d.Claims(0, ""), p, 0); next.Attempt != 2 {
		t.Errorf("attempt %d", next.Attempt)
	}
	if holders, err := d.Holders(); err != nil || len(holders) != 1 || holders[p.Name()].PID != os.Getpid() || !d.InUse() {
		t.Errorf("%v, %v", holders, err)
	}
}

func processSpaceUnknown() bool { return thisProcess() == process{} }

// A file of a report that a killed process was writing is not somebody's who draws
// at this moment.
func TestAbandonedFilesOfAReport(t *testing.T) {
	if processSpaceUnknown() {
		needs.Missing(t, "processes", "the system does not say which have ended")
	}
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	d := create(t, t.TempDir(), resolved(t, good))
	file := func(name, space string, pid int) string {
		path := filepath.Join(d.Path, "figures", fmt.Sprintf(".%s.writing-%s-%x-0123abcd", name, space, pid))
		write(t, path, "half a")
		return path
	}
	left := file("a.svg", spaceSum(), ended.Process.Pid)
	kept := []string{file("b.svg", spaceSum(), os.Getpid()), file("c.svg", "00000000", ended.Process.Pid), temporaryName(filepath.Join(d.Path, "report.html"))}
	write(t, kept[2], "half a")
	if err := d.removeTemporary(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s: %v", left, err)
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
