// Package slurmtest starts a real Slurm on this machine, for tests: a controller, two
// slurmd for each partition and munge, on loopback addresses and in a folder of their own.
package slurmtest

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sobolev/internal/needs"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Cluster is a running Slurm.
type Cluster struct {
	t    testing.TB
	root string
	// partitions are their names, and nodes those of all nodes.
	partitions, nodes []string
}

// Start starts a cluster that ends with the test, and sets SLURM_CONF. Each partition
// has two nodes of its own, so that a test may kill one beside other tests; the first
// is the default. It needs Slurm and root's rights, and takes its time: the test is
// skipped unless SOBOLEV_REQUIRE lists slurm.
func Start(t testing.TB, partitions ...string) *Cluster {
	t.Helper()
	if !needs.Required("slurm") {
		t.Skip("a real Slurm is started where SOBOLEV_REQUIRE lists slurm")
	}
	for _, program := range []string{"munged", "slurmctld", "slurmd", "sbatch", "squeue"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("no Slurm: %v", err)
		}
	}
	if os.Getuid() != 0 {
		t.Fatal("slurmd needs root's rights")
	}
	// The path of a socket has to be short.
	root, err := os.MkdirTemp("", "slurm")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{t: t, root: root, partitions: partitions}
	for _, p := range partitions {
		c.nodes = append(c.nodes, p+"1", p+"2")
	}
	t.Cleanup(func() {
		c.stop()
		os.RemoveAll(root)
	})
	c.configure()
	c.start("munged", "--force", "--key-file="+c.path("munge/key"), "--socket="+c.path("run/munge.sock"), "--pid-file="+c.path("run/munged.pid"),
		"--log-file="+c.path("log/munged.log"), "--seed-file="+c.path("munge/seed"))
	t.Setenv("SLURM_CONF", c.path("slurm.conf"))
	c.start("slurmctld", "-c", "-f", c.path("slurm.conf"))
	for _, node := range c.nodes {
		c.start("slurmd", "-f", c.path("slurm.conf"), "-N", node)
	}
	for range 200 {
		out, err := exec.Command("sinfo", "--noheader", "--Node", "--format=%t").Output()
		if err == nil && strings.Count(string(out), "idle\n") == len(c.nodes) {
			return c
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the nodes are not idle after 20 s:\n%s", c.logs())
	return nil
}

func (c *Cluster) path(name string) string { return filepath.Join(c.root, name) }

func (c *Cluster) configure() {
	for _, f := range []string{"run", "state", "log", "spool", "munge"} {
		if err := os.MkdirAll(c.path(f), 0o700); err != nil {
			c.t.Fatal(err)
		}
	}
	key := make([]byte, 1024)
	rand.Read(key)
	if err := os.WriteFile(c.path("munge/key"), key, 0o600); err != nil {
		c.t.Fatal(err)
	}
	ports := freePorts(c.t, 1+len(c.nodes))
	settings := []string{
		"ClusterName=test", "SlurmctldHost=localhost(127.0.0.1)", "SlurmUser=root", "SlurmdUser=root",
		"AuthType=auth/munge", "CredType=cred/munge", "AuthInfo=socket=" + c.path("run/munge.sock") + ",cred_expire=5",
		fmt.Sprintf("SlurmctldPort=%d", ports[0]),
		"SlurmctldPidFile=" + c.path("run/slurmctld.pid"), "SlurmdPidFile=" + c.path("run/%n.pid"),
		"SlurmctldLogFile=" + c.path("log/slurmctld.log"), "SlurmdLogFile=" + c.path("log/%n.log"),
		"StateSaveLocation=" + c.path("state"), "SlurmdSpoolDir=" + c.path("spool/%n"),
		"ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "JobAcctGatherType=jobacct_gather/none",
		"SelectType=select/cons_tres", "SelectTypeParameters=CR_Core", "SchedulerType=sched/backfill",
		"SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0",
		"AccountingStorageType=accounting_storage/none", "MpiDefault=none", "ReturnToService=2", "SlurmdParameters=config_overrides",
		"MailProg=/bin/true", "SwitchType=switch/none", "MessageTimeout=5", "TCPTimeout=5", "SlurmctldTimeout=10", "SlurmdTimeout=5",
		"InactiveLimit=0", "KillWait=30", "MinJobAge=300", "MaxArraySize=8", "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
	}
	for i, node := range c.nodes {
		settings = append(settings, fmt.Sprintf("NodeName=%s NodeAddr=127.0.0.1 NodeHostname=localhost Port=%d CPUs=2 RealMemory=1000 State=UNKNOWN", node, ports[1+i]))
	}
	for i, p := range c.partitions {
		isDefault := "NO"
		if i == 0 {
			isDefault = "YES"
		}
		settings = append(settings, fmt.Sprintf("PartitionName=%s Nodes=%[1]s[1-2] Default=%s MaxTime=INFINITE State=UP", p, isDefault))
	}
	if err := os.WriteFile(c.path("slurm.conf"), []byte(strings.Join(settings, "\n")+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// start runs a daemon, which goes to the background by itself.
func (c *Cluster) start(program string, args ...string) {
	c.t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v: %s", program, err, out)
	}
}

// pid reads a daemon's; 0 if it does not run.
func (c *Cluster) pid(daemon string) int {
	data, err := os.ReadFile(c.path("run/" + daemon + ".pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// KillDaemon kills the node's slurmd alone: what it started goes on, and Slurm starts
// it a second time elsewhere.
func (c *Cluster) KillDaemon(node string) {
	c.t.Helper()
	pid := c.pid(node)
	if pid == 0 {
		c.t.Fatalf("%s has no slurmd", node)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
}

// Down tells the controller at once what it would find out itself after a while.
func (c *Cluster) Down(node string) {
	c.t.Helper()
	c.start("scontrol", "update", "NodeName="+node, "State=DOWN", "Reason=test")
}

// Kill kills processes by their number, with those that started them for Slurm: what
// the death of a node is to them.
func (c *Cluster) Kill(pids ...int) {
	for _, pid := range pids {
		if parent := parentOf(pid); strings.HasPrefix(commandOf(parent), "slurmstepd") {
			syscall.Kill(parent, syscall.SIGKILL)
		}
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func parentOf(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

func commandOf(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return string(data)
}

// stop ends the jobs and then the daemons, which have nothing to save.
func (c *Cluster) stop() {
	exec.Command("scancel", "--user=root").Run()
	for range 50 {
		if out, err := exec.Command("squeue", "--noheader").Output(); err != nil || len(out) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, daemon := range append(slices.Clone(c.nodes), "slurmctld", "munged") {
		if pid := c.pid(daemon); pid != 0 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// logs are the daemons'.
func (c *Cluster) logs() string {
	var all strings.Builder
	files, _ := filepath.Glob(c.path("log/*.log"))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		fmt.Fprintf(&all, "%s:\n%s\n", filepath.Base(f), data[max(0, len(data)-2000):])
	}
	return all.String()
}
