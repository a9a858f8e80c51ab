package rundir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

// Merge makes one run at output of several of the same experiment: shards of a grid
// that were worked on without a common folder. Its grid is the union of theirs. A run
// that is there already takes part. Two different results for one point are an error
// that names both, and then nothing was written. When ctx is done the points that were
// copied are whole, the others are not there, and another Merge goes on.
func Merge(ctx context.Context, output string, paths []string) (*Dir, error) {
	sources := make([]*Dir, 0, len(paths)+1)
	for _, path := range paths {
		d, err := Open(path)
		if err != nil {
			return nil, err
		}
		if d.InUse() {
			return nil, fmt.Errorf("%s is in use; merge it when its points have ended", path)
		}
		sources = append(sources, d)
	}
	if d, err := Open(output); err == nil {
		if d.InUse() {
			return nil, fmt.Errorf("%s is in use; merge into it when its points have ended", output)
		}
		sources = append(sources, d)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	cfg, err := union(sources)
	if err != nil {
		return nil, err
	}
	best, err := choose(ctx, sources, cfg.Measure)
	if err != nil {
		return nil, err
	}
	d, err := Create(output, cfg)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for _, from := range best {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := copyPoint(d.Point(from.Point), from); err != nil {
			return nil, err
		}
	}
	return d, d.WriteIndexes()
}

// union is the configuration whose grid holds those of all.
func union(sources []*Dir) (Config, error) {
	if len(sources) == 0 {
		return Config{}, errors.New("there is nothing to merge")
	}
	cfg := sources[0].Config
	for _, d := range sources[1:] {
		if diff := difference(cfg, d.Config); diff != "" {
			return cfg, fmt.Errorf("%s and %s hold different experiments: %s", sources[0].Path, d.Path, diff)
		}
		if !reflect.DeepEqual(cfg.Measure, d.Config.Measure) {
			return cfg, fmt.Errorf("%s and %s measure differently (%s there and %s here): run one of them again with the other's measure",
				sources[0].Path, d.Path, asJSON(cfg.Measure), asJSON(d.Config.Measure))
		}
		cfg.Grid.Method = joined(cfg.Grid.Method, d.Config.Grid.Method)
		cfg.Grid.LearningRate = joined(cfg.Grid.LearningRate, d.Config.Grid.LearningRate)
		cfg.Grid.BatchSize = joined(cfg.Grid.BatchSize, d.Config.Grid.BatchSize)
		cfg.Repetitions = max(cfg.Repetitions, d.Config.Repetitions)
		for _, m := range methods {
			was, _ := cfg.SGD.strength(m)
			if now, _ := d.Config.SGD.strength(m); was != nil && *was == 0 {
				*was = *now
			}
		}
	}
	return cfg.Resolve()
}

// joined is a with what b has more.
func joined[T comparable](a, b []T) []T {
	a = slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

// choose returns the folder of each point that got furthest, in the order of the
// sources. Furthest is a result of what m asks for, then one of an earlier measure.
func choose(ctx context.Context, sources []*Dir, m Measure) ([]PointDir, error) {
	var best []PointDir
	at := map[string]int{}
	known := map[string]Record{}
	for _, d := range sources {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		records, err := d.Records()
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			here := d.Point(r.Point)
			i, ok := at[r.Name]
			if !ok {
				at[r.Name], known[r.Name] = len(best), r
				best = append(best, here)
				continue
			}
			before := known[r.Name]
			if before.Result != nil && r.Result != nil && mustAgree(before.Result, r.Result) {
				if err := sameResult(best[i], here); err != nil {
					return nil, err
				}
				continue
			}
			if further(before, r, m) {
				best[i], known[r.Name] = here, r
			}
		}
	}
	return best, nil
}

// further says whether b got further than a, which was not measured in the same way.
func further(a, b Record, m Measure) bool {
	switch {
	case a.Result != nil && b.Result != nil:
		return b.Result.Measures(m) && !a.Result.Measures(m)
	case a.Result != nil:
		return false
	}
	return b.Result != nil || b.Status.Steps > a.Status.Steps
}

// mustAgree says whether two results have to be the same: those of one model that was
// measured in two ways have not.
func mustAgree(a, b *Result) bool {
	return a.MeasuredModel != b.MeasuredModel ||
		slices.Equal(a.MeasuredOrders, b.MeasuredOrders) && reflect.DeepEqual(a.MeasuredStability, b.MeasuredStability)
}

func sameResult(a, b PointDir) error {
	x, err1 := os.ReadFile(a.File(resultFile))
	y, err2 := os.ReadFile(b.File(resultFile))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return fmt.Errorf("%s and %s are different results of the same point: were they made by different versions or kinds of processor? Move one of the folders away",
			a.File(resultFile), b.File(resultFile))
	}
	return nil
}

// copyPoint copies the files of a point, its result last: a point that has one is
// whole.
func copyPoint(to, from PointDir) error {
	if filepath.Clean(to.Path) == filepath.Clean(from.Path) {
		return nil
	}
	if err := to.Prepare(); err != nil {
		return err
	}
	entries, err := os.ReadDir(from.Path)
	if err != nil {
		return err
	}
	names := []string{}
	for _, e := range entries {
		if _, temporary := temporaryOf(e.Name()); e.Type().IsRegular() && !temporary && e.Name() != resultFile && e.Name() != statusFile {
			names = append(names, e.Name())
		}
	}
	if _, err := os.Stat(from.File(resultFile)); err == nil {
		names = append(names, resultFile)
	}
	for _, name := range names {
		data, err := os.ReadFile(from.File(name))
		if err != nil {
			return err
		}
		if err := to.WriteFile(name, data); err != nil {
			return err
		}
	}
	status, err := from.ReadStatus()
	if err != nil {
		return err
	}
	if status.State == Running {
		status.State = Pending
	}
	return to.WriteStatus(status)
}
