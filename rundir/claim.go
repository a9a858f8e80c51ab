package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// claimsFolder holds a file for every point that somebody works on: POINT@N for
// its attempt number N.
const claimsFolder = "claims"

// HeartbeatInterval is the time between two signs of life of a claim, and patience
// the number of intervals without one after which it has expired. A minute is more
// than NFS keeps what it knows about a file.
const (
	HeartbeatInterval = 10 * time.Second
	patience          = 6
)

// Holder is who holds a claim: the content of its file.
type Holder struct {
	Format  int    `json:"format"`
	Attempt int    `json:"attempt"`
	Host    string `json:"host"`
	PID     int    `json:"pid"`
	// Process identifies the process beyond its number, where the system can.
	Process process `json:"process"`
	// Job is that of a cluster; empty in a local run.
	Job string `json:"job,omitempty"`
	// Interval is the time between two heartbeats, in seconds.
	Interval float64 `json:"interval"`
}

func (h Holder) String() string {
	if h.Job != "" {
		return fmt.Sprintf("job %s on %s (attempt %d)", h.Job, h.Host, h.Attempt)
	}
	return fmt.Sprintf("process %d on %s (attempt %d)", h.PID, h.Host, h.Attempt)
}

func (h Holder) expiry() time.Duration {
	return time.Duration(patience * h.Interval * float64(time.Second))
}

// A HeldError says that somebody else works on the point.
type HeldError struct {
	Point  string
	Holder Holder
}

func (e *HeldError) Error() string { return fmt.Sprintf("%s is held by %v", e.Point, e.Holder) }

// ErrLost is the end of an attempt whose point another process has taken over,
// because this one gave no sign of life for too long.
var ErrLost = errors.New("another process has taken the point over")

// Claims takes points for one process. It remembers when it last saw another's
// claim change, by its own clock: clocks of hosts are never compared.
type Claims struct {
	dir      *Dir
	interval time.Duration
	job      string

	mu   sync.Mutex
	seen map[string]sighting // by claim file
}

type sighting struct {
	stamp stamp
	first time.Time
}

// Claims returns a taker of the run's points. interval 0 is HeartbeatInterval; job
// is that of a cluster, or empty.
func (d *Dir) Claims(interval time.Duration, job string) *Claims {
	if interval == 0 {
		interval = HeartbeatInterval
	}
	return &Claims{dir: d, interval: interval, job: job, seen: map[string]sighting{}}
}

// Claim is the right to work on a point, until Release or until it is lost.
type Claim struct {
	Attempt int
	folder  string
	point   string
	path    string
	info    fs.FileInfo
	content []byte
}

// Take returns the claim of the point's next attempt, which is above attempts, the
// number of those that its status knows. *HeldError: somebody holds it.
//
// The file appears by link(2), which fails if the name exists, on NFS too. Whoever
// holds a lower number has lost the point.
func (c *Claims) Take(p Point, attempts int) (*Claim, error) {
	name, folder := p.Name(), filepath.Join(c.dir.Path, claimsFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, writeError(folder, err)
	}
	before, err := claimsOf(folder, name)
	if err != nil {
		return nil, err
	}
	highest := 0
	if n := len(before); n > 0 {
		highest = before[n-1]
		if h, alive := c.alive(claimPath(folder, name, highest)); alive {
			return nil, &HeldError{name, h}
		}
	}
	k := &Claim{Attempt: max(highest, attempts) + 1, folder: folder, point: name}
	k.path = claimPath(folder, name, k.Attempt)
	k.content, err = json.Marshal(c.holder(k.Attempt))
	if err != nil {
		return nil, err
	}
	if err := placeOnce(k.path, k.content, false); errors.Is(err, fs.ErrExist) {
		h, _ := c.alive(k.path)
		return nil, &HeldError{name, h}
	} else if err != nil {
		return nil, err
	}
	if k.info, err = os.Stat(k.path); err != nil {
		return nil, writeError(k.path, err)
	}
	// Somebody may have gone through all this since the list was read.
	if err := k.Check(); err != nil {
		k.Release()
		return nil, &HeldError{Point: name}
	}
	for _, n := range before {
		os.Remove(claimPath(folder, name, n))
	}
	return k, nil
}

func (c *Claims) holder(attempt int) Holder {
	host, _ := os.Hostname() // an unknown host has no name
	return Holder{Format: Format, Attempt: attempt, Host: host, PID: os.Getpid(), Process: thisProcess(), Job: c.job, Interval: c.interval.Seconds()}
}

// alive says whether the claim counts: its process is not known to have ended, and
// it changed within its holder's expiry, as far as was seen.
func (c *Claims) alive(path string) (Holder, bool) {
	h, s, err := readClaim(path)
	if err != nil || h.Process.ended(h.PID) {
		return h, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	was, ok := c.seen[path]
	if !ok || was.stamp != s {
		c.seen[path] = sighting{s, time.Now()}
		return h, true
	}
	return h, time.Since(was.first) < h.expiry()
}

// readClaim opens the file, so that NFS asks the server about it. A claim that says
// nothing, as after a loss of power, expires like any other.
func readClaim(path string) (Holder, stamp, error) {
	h := Holder{Interval: HeartbeatInterval.Seconds()}
	data, err := os.ReadFile(path)
	if err != nil {
		return h, stamp{}, err
	}
	_ = json.Unmarshal(data, &h)
	info, err := os.Stat(path)
	if err != nil {
		return h, stamp{}, err
	}
	return h, stampOf(info), nil
}

// Check returns ErrLost if the claim is no longer this process's: it is gone, or
// there is one with a higher number. It lists the folder, since NFS may remember
// for a while that a single file does not exist.
func (k *Claim) Check() error {
	attempts, err := claimsOf(k.folder, k.point)
	if err != nil {
		return err
	}
	info, err := os.Stat(k.path)
	if err != nil || !os.SameFile(info, k.info) || len(attempts) == 0 || attempts[len(attempts)-1] > k.Attempt {
		return ErrLost
	}
	return nil
}

// Beat is a sign of life. It writes the same bytes again: then the time of the
// change is the file server's.
func (k *Claim) Beat() error {
	f, err := os.OpenFile(k.path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrLost
	}
	if err != nil {
		return writeError(k.path, err)
	}
	_, err = f.WriteAt(k.content, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return writeError(k.path, err)
	}
	return k.Check()
}

// Release gives the point up.
func (k *Claim) Release() error {
	if err := os.Remove(k.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return writeError(k.path, err)
	}
	return nil
}

func claimPath(folder, point string, attempt int) string {
	return filepath.Join(folder, point+"@"+strconv.Itoa(attempt))
}

// splitClaim is the inverse of claimPath's last element.
func splitClaim(name string) (point string, attempt int, ok bool) {
	at := strings.LastIndexByte(name, '@')
	if at < 0 || strings.HasPrefix(name, ".") {
		return "", 0, false
	}
	n, err := strconv.Atoi(name[at+1:])
	return name[:at], n, err == nil && n > 0 && countable(n)
}

// claimsOf lists the attempts that have a claim on the point, in order.
func claimsOf(folder, point string) ([]int, error) {
	all, err := listClaims(folder)
	return all[point], err
}

// readDir is os.ReadDir, except in tests.
var readDir = os.ReadDir

// listClaims lists the attempts of all points that have claims, each in order.
func listClaims(folder string) (map[string][]int, error) {
	entries, err := readDir(folder)
	for range 3 {
		if !errors.Is(err, syscall.ESTALE) && !errors.Is(err, syscall.EIO) {
			break
		}
		time.Sleep(100 * time.Millisecond) // a file server that hiccups would end the whole run
		entries, err = readDir(folder)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[string][]int{}
	for _, e := range entries {
		if point, n, ok := splitClaim(e.Name()); ok {
			all[point] = append(all[point], n)
		}
	}
	for _, attempts := range all {
		slices.Sort(attempts)
	}
	return all, nil
}

// Holders returns who works on which point, by name: the claims that have not
// expired. Unlike Take it has only one look at them, and so compares the file
// server's clock with this host's, generously: what it says is for people.
func (d *Dir) Holders() (map[string]Holder, error) {
	folder := filepath.Join(d.Path, claimsFolder)
	all, err := listClaims(folder)
	if err != nil {
		return nil, err
	}
	const skew = time.Minute
	holders := map[string]Holder{}
	for point, attempts := range all {
		h, s, err := readClaim(claimPath(folder, point, attempts[len(attempts)-1]))
		if err == nil && !h.Process.ended(h.PID) && time.Since(time.Unix(0, s.Modified)) < h.expiry()+skew {
			holders[point] = h
		}
	}
	return holders, nil
}
