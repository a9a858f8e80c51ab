package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// Dir is the directory of one run.
type Dir struct {
	Path   string
	Config Config
	lock   *flock.Flock
}

// Create opens path for running cfg (resolved): it makes the directory, or
// accepts one of the same experiment, whose grid, repetitions, name and measure
// may differ. It holds a lock until Close, so that two processes never write
// the same run.
func Create(path string, cfg Config) (*Dir, error) {
	if err := os.MkdirAll(filepath.Join(path, "points"), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the run directory: %w; choose another with -o", err)
	}
	d := &Dir{Path: path, Config: cfg, lock: flock.New(filepath.Join(path, ".lock"))}
	switch ok, err := d.lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("cannot lock the run directory %s: %w; choose another with -o", path, err)
	case !ok:
		return nil, fmt.Errorf("%s is in use by another sobolev process; wait for it or choose another directory with -o", path)
	}
	if err := d.adopt(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// adopt checks the experiment that is already there, and writes ours.
func (d *Dir) adopt() error {
	there, err := Open(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := d.refuseForeign(); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if key, was, is := difference(there.Config, d.Config); key != "" {
			return fmt.Errorf("%s holds another experiment: %s is %s there and %s here; choose another directory with -o", d.Path, key, was, is)
		}
	}
	if err := d.removeTemporary(); err != nil {
		return err
	}
	out, err := yaml.Marshal(d.Config)
	if err != nil {
		return fmt.Errorf("experiment.yaml: %w", err)
	}
	return WriteFile(filepath.Join(d.Path, "experiment.yaml"), out)
}

// refuseForeign returns an error for a directory that has files but no
// experiment: somebody's home folder is not a run.
func (d *Dir) refuseForeign() error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "points" && !strings.HasPrefix(e.Name(), ".") {
			return fmt.Errorf("%s has files (%s) but no experiment.yaml: it is not a run directory; choose an empty or new one with -o", d.Path, e.Name())
		}
	}
	return nil
}

// removeTemporary deletes what an interrupted writer left. Only the holder of
// the lock may do so.
func (d *Dir) removeTemporary() error {
	for _, pattern := range []string{".*.yaml*", ".*.csv*", ".*.parquet*", "points/*/.*"} {
		left, err := filepath.Glob(filepath.Join(escapeGlob(d.Path), pattern))
		if err != nil {
			return err
		}
		for _, f := range left {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Open reads an existing run without locking it. A missing experiment.yaml is
// fs.ErrNotExist.
func Open(path string) (*Dir, error) {
	name := filepath.Join(path, "experiment.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s is not a run directory: %w", path, err)
	}
	cfg, err := ParseConfig(name, data)
	if err != nil {
		return nil, err
	}
	cfg, err = cfg.Resolve()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
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

// difference returns the first key, with both values, in which the weights of
// two experiments' points would differ at equal η, B and repetition.
func difference(a, b Config) (key, was, is string) {
	fixed := func(c Config) []any { return []any{c.Dataset, c.Model, c.Loss, c.SGD, c.Stop, c.Seed} }
	names := []string{"dataset", "model", "loss", "sgd", "stop", "seed"}
	bs := fixed(b)
	for i, v := range fixed(a) {
		was, is := asJSON(v), asJSON(bs[i])
		if was != is {
			return names[i], was, is
		}
	}
	return "", "", ""
}

func asJSON(v any) string {
	js, err := json.Marshal(v)
	if err != nil {
		panic("rundir: not JSON: " + err.Error())
	}
	return string(js)
}

// PointDir is the folder of one point.
type PointDir struct {
	Path  string
	Point Point
}

// Point returns the folder of p, which need not exist yet.
func (d *Dir) Point(p Point) PointDir {
	return PointDir{Path: filepath.Join(d.Path, "points", p.Name()), Point: p}
}

// File returns the path of a file of the point.
func (d PointDir) File(name string) string { return filepath.Join(d.Path, name) }

// Prepare makes the folder and point.yaml.
func (d PointDir) Prepare() error {
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return err
	}
	out, err := yaml.Marshal(d.Point)
	if err != nil {
		return err
	}
	return WriteFile(d.File("point.yaml"), out)
}

// WriteFile places data at path whole or not at all: temporary file beside it,
// fsync, rename.
func WriteFile(path string, data []byte) error {
	t, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer t.Cleanup()
	if _, err := t.Write(data); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := t.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// writeJSON places v as indented JSON.
func writeJSON(path string, v any) error {
	js, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteFile(path, append(js, '\n'))
}

// readJSON reads path into v; a missing file is fs.ErrNotExist.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w; delete the file to have it made again", path, err)
	}
	return nil
}
