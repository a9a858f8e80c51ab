package rundir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"sobolev/internal/parallel"

	"github.com/goccy/go-yaml"
	"github.com/gofrs/flock"
)

const (
	experimentFile = "experiment.yaml"
	lockFile       = ".lock"
	pointsFolder   = "points"
)

// An OtherExperimentError says that a run directory holds another experiment than asked
// for.
type OtherExperimentError struct{ Path, Difference string }

func (e *OtherExperimentError) Error() string {
	return fmt.Sprintf("%s holds another experiment: %s; choose another directory with -o", e.Path, e.Difference)
}

// Dir is the directory of one run.
type Dir struct {
	Path   string
	Config Config
	lock   *flock.Flock
}

// Create opens path for running cfg (resolved): it makes the directory, or
// accepts one of the same experiment, whose grid, repetitions, name and measure
// may differ. It holds a lock until Close, so that two processes never write
// the same run. A directory that it refuses stays as it was.
func Create(path string, cfg Config) (*Dir, error) {
	if err := refuseForeign(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(path, pointsFolder), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w; choose another with -o", err)
	}
	d := &Dir{Path: path, Config: cfg, lock: flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o644))}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if err := d.adopt(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// refuseForeign returns an error for a path that has files but no experiment:
// somebody's home folder is not a run.
func refuseForeign(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if info, serr := os.Stat(path); serr == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, not a run directory; choose another with -o", path)
	}
	if err != nil {
		return fmt.Errorf("cannot read the run directory: %w; choose another with -o", err)
	}
	foreign := ""
	for _, e := range entries {
		switch _, temporary := temporaryOf(e.Name()); {
		case e.Name() == experimentFile:
			return nil
		case e.Name() != pointsFolder && e.Name() != claimsFolder && e.Name() != lockFile && !temporary:
			foreign = e.Name()
		}
	}
	if foreign != "" {
		return fmt.Errorf("%s has files (%s) but no %s: it is not a run directory; choose an empty or new one with -o", path, foreign, experimentFile)
	}
	return nil
}

// lockPatience outlasts an InUse of another process and the end of a process
// that was just interrupted.
const lockPatience = 500 * time.Millisecond

func (d *Dir) acquire() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	ok, err := d.lock.TryLockContext(ctx, lockPatience/20)
	switch {
	case errors.Is(err, context.DeadlineExceeded), err == nil && !ok:
		return fmt.Errorf("%s is in use by another sobolev process; wait for it or choose another directory with -o", d.Path)
	case err != nil:
		return fmt.Errorf("cannot lock the run directory %s: %w; choose another with -o", d.Path, err)
	}
	return nil
}

// InUse says whether a process has the run open for writing, or works on a point
// of it. A point that is Running in a directory that is not in use was interrupted.
func (d *Dir) InUse() bool {
	if holders, err := d.Holders(); err == nil && len(holders) > 0 {
		return true
	}
	probe := flock.New(filepath.Join(d.Path, lockFile), flock.SetFlag(os.O_RDONLY))
	free, err := probe.TryRLock()
	if err != nil {
		return false // no lock file: nobody has ever run it
	}
	if free {
		probe.Close()
	}
	return !free
}

// Check returns the error that Create would give because of what path holds: a
// file, somebody's files, or another experiment. It writes nothing.
func Check(path string, cfg Config) error {
	if err := refuseForeign(path); err != nil {
		return err
	}
	return refuseOther(path, cfg)
}

// refuseOther returns an error if path holds another experiment than cfg.
func refuseOther(path string, cfg Config) error {
	there, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if diff := difference(there.Config, cfg); diff != "" {
		return &OtherExperimentError{path, diff}
	}
	return nil
}

// adopt checks the experiment that is already there, and writes ours.
func (d *Dir) adopt() error {
	if err := refuseOther(d.Path, d.Config); err != nil {
		return err
	}
	if err := d.removeTemporary(); err != nil {
		return err
	}
	name := filepath.Join(d.Path, experimentFile)
	out, err := yaml.Marshal(d.Config)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case len(out) > maxText:
		return fmt.Errorf("the resolved configuration has %d bytes, above the limit of %d; make several runs of it", len(out), maxText)
	}
	return WriteFile(name, out)
}

// removeTemporary deletes what an interrupted writer left. It spares young files
// of a report, unless their writer is known to have ended: that is drawn without the
// lock, perhaps at this moment. And those of points that somebody may be working on:
// whoever takes such a point cleans it.
func (d *Dir) removeTemporary() error {
	claimed, err := d.removeEndedClaims()
	if err != nil {
		return err
	}
	left := d.hiddenInPoints()
	for _, pattern := range []string{".*", "figures/.*", "claims/.*", "slurm/*/.*", "slurm/program/*/.*"} {
		more, err := filepath.Glob(filepath.Join(escapeGlob(d.Path), pattern))
		if err != nil {
			return err
		}
		left = append(left, more...)
	}
	for _, path := range left {
		target, ok := temporaryOf(filepath.Base(path))
		if !ok {
			continue
		}
		folder := filepath.Base(filepath.Dir(path))
		if claimed[folder] || folder == claimsFolder && len(claimed) > 0 {
			continue
		}
		drawn := target == "report.html" || folder == "figures"
		if info, err := os.Stat(path); drawn && !abandoned(filepath.Base(path)) && err == nil && time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// hiddenInPoints lists the files of all points whose names begin with a dot. What cannot
// be read has none, as for filepath.Glob, which needs twice the system calls.
func (d *Dir) hiddenInPoints() []string {
	folder := filepath.Join(d.Path, pointsFolder)
	points := namesIn(folder)
	found := make([][]string, len(points))
	parallel.Each(runtime.GOMAXPROCS(0), len(points), func(_, i int) {
		for _, name := range namesIn(filepath.Join(folder, points[i])) {
			if strings.HasPrefix(name, ".") {
				found[i] = append(found[i], filepath.Join(folder, points[i], name))
			}
		}
	})
	return slices.Concat(found...)
}

// namesIn lists what is in a folder that may not be one.
func namesIn(folder string) []string {
	f, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return names
}

// removeEndedClaims deletes the claims of processes that are known to have ended,
// and returns the points that have others.
func (d *Dir) removeEndedClaims() (claimed map[string]bool, err error) {
	folder := filepath.Join(d.Path, claimsFolder)
	all, err := listClaims(folder)
	if err != nil {
		return nil, err
	}
	claimed = map[string]bool{}
	for point, attempts := range all {
		for _, n := range attempts {
			path := claimPath(folder, point, n)
			if h, _, err := readClaim(path); err == nil && h.Process.ended(h.PID) {
				if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return nil, err
				}
				continue
			}
			claimed[point] = true
		}
	}
	return claimed, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Open reads an existing run without locking it. A missing experiment.yaml is
// fs.ErrNotExist.
func Open(path string) (*Dir, error) {
	name := filepath.Join(path, experimentFile)
	data, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is not a run directory: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("cannot read the run: %w", err)
	}
	cfg, err := Source{Name: name, Text: data}.Config()
	if err != nil {
		return nil, err
	}
	return &Dir{Path: path, Config: cfg}, nil
}

// Close releases the lock of Create.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Unlock()
}

// PointDir is the folder of one point.
type PointDir struct {
	Path  string
	Point Point
	claim *Claim // nil for readers
}

// Under is d for the holder of a claim: once the claim is lost, everything that
// writes is ErrLost and writes nothing.
func (d PointDir) Under(c *Claim) PointDir {
	d.claim = c
	return d
}

func (d PointDir) check() error {
	if d.claim == nil {
		return nil
	}
	return d.claim.Check()
}

// WriteFile places a file of the point; see the function of that name.
func (d PointDir) WriteFile(name string, data []byte) error {
	if err := d.check(); err != nil {
		return err
	}
	return WriteFile(d.File(name), data)
}

// Publish places a file that appears once: if it is there already another process
// was faster, and the error is ErrLost.
func (d PointDir) Publish(name string, data []byte) error {
	if err := d.check(); err != nil {
		return err
	}
	err := placeOnce(d.File(name), data, true)
	if errors.Is(err, fs.ErrExist) {
		return ErrLost
	}
	if err == nil {
		syncFolder(d.Path)
	}
	return err
}

// Point returns the folder of p, which need not exist yet.
func (d *Dir) Point(p Point) PointDir {
	return PointDir{Path: filepath.Join(d.Path, pointsFolder, p.Name()), Point: p}
}

// File returns the path of a file of the point.
func (d PointDir) File(name string) string { return filepath.Join(d.Path, name) }

// Prepare makes the folder and point.yaml. The holder of the point's claim also
// removes what an interrupted writer left.
func (d PointDir) Prepare() error {
	if d.claim != nil {
		left, err := filepath.Glob(filepath.Join(escapeGlob(d.Path), ".*"))
		if err != nil {
			return err
		}
		for _, path := range left {
			if _, ok := temporaryOf(filepath.Base(path)); ok {
				os.Remove(path)
			}
		}
	}
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return writeError(d.Path, err)
	}
	out, err := yaml.Marshal(d.Point)
	if err != nil {
		return fmt.Errorf("%s: %w", d.File(pointFile), err)
	}
	return d.WriteFile(pointFile, out)
}
