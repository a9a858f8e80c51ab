package dataset

import (
	"context"
	"math"
	"slices"
	"strings"
)

// Request says which data to load: a configuration's dataset section.
type Request struct {
	Name         string // name in the catalogue, or a path that ends in .npz
	Classes      []int  // original labels; their order gives the output index; empty: all
	PerClass     int    // training samples of each class; 0: all
	TestPerClass int    // test samples of each class; 0: all
	Draw         string // DrawSeed (also ""), or DrawFirst
	Seed         uint64 // of the stream that draws the subset, or makes synthetic data

	Preprocessing Preprocessing
	Synthetic     Synthetic // sizes of the synthetic sets; the others refuse it

	// Memory limits the bytes of the inputs and targets that are read; 0: no limit.
	Memory int64

	// DataDir is the only folder that is searched if it is not empty;
	// otherwise see [DataDirs]. For cifar-10 it may also be the archive or the
	// folder of the unpacked batches itself.
	DataDir string
}

// Load returns the training and the test set of a request. test is nil where
// there is none (an .npz file without x_test and y_test).
//
// The result is a pure function of the files and the request. Errors are
// [RequestError], [ErrMissing], [ErrChecksum], [FormatError], ctx's error or
// one of the file system.
func Load(ctx context.Context, r Request) (train, test *Set, err error) {
	if err := r.check(); err != nil {
		return nil, nil, err
	}
	if isNPZ(r.Name) {
		return loadNPZ(ctx, r)
	}
	entry, err := Lookup(r.Name)
	if err != nil {
		return nil, nil, err
	}
	if !entry.synthetic && r.Synthetic != (Synthetic{}) {
		return nil, nil, badRequest("synthetic", "%s has a fixed size; remove the section", r.Name)
	}
	return entry.load(ctx, r)
}

func (r Request) memory() int64 {
	if r.Memory == 0 {
		return math.MaxInt64
	}
	return r.Memory
}

// sampleBytes is the memory of inputs and targets in float32.
func sampleBytes(values int) int64 { return 4 * int64(values) }

// fits refuses more values of inputs and targets than the memory holds.
func fits(name string, values int, memory int64) error {
	if need := sampleBytes(values); need > memory {
		return badRequest("memory", "%s: inputs and targets take %.3g MB, and the limit leaves %.3g MB", name, float64(need)/1e6, float64(max(memory, 0))/1e6)
	}
	return nil
}

func isNPZ(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".npz") }

// check refuses what is wrong for every data set.
func (r Request) check() error {
	if r.Draw != "" && r.Draw != DrawSeed && r.Draw != DrawFirst {
		return badRequest("draw", "%q is not known; use %q or %q", r.Draw, DrawSeed, DrawFirst)
	}
	if r.PerClass < 0 {
		return badRequest("per_class", "%d is negative; 0 means all", r.PerClass)
	}
	if r.TestPerClass < 0 {
		return badRequest("test_per_class", "%d is negative; 0 means all", r.TestPerClass)
	}
	for i, class := range r.Classes {
		if slices.Contains(r.Classes[:i], class) {
			return badRequest("classes", "class %d is listed twice", class)
		}
	}
	return nil
}

// classList returns the requested original labels, by default 0…count−1, after
// checking them. name is the data set's, for errors.
func (r Request) classList(count int, name string) ([]int, error) {
	if len(r.Classes) == 0 {
		return ramp(count), nil
	}
	for _, class := range r.Classes {
		if class < 0 || class >= count {
			return nil, badRequest("classes", "%s has no class %d; it has 0 to %d", name, class, count-1)
		}
	}
	return r.Classes, nil
}

func (r Request) rule(p part, classes []int) drawRule {
	rule := drawRule{part: p, classes: classes, perClass: r.PerClass, draw: r.Draw, seed: r.Seed}
	if p == testPart {
		rule.perClass = r.TestPerClass
	}
	return rule
}

// refuseClasses is for sets without classes to choose from.
func (r Request) refuseClasses() error {
	switch {
	case len(r.Classes) > 0:
		return badRequest("classes", "%s has no classes to choose from; remove the key", r.Name)
	case r.PerClass > 0:
		return badRequest("per_class", "%s has no classes to draw from; remove the key", r.Name)
	case r.TestPerClass > 0:
		return badRequest("test_per_class", "%s has no classes to draw from; remove the key", r.Name)
	}
	return nil
}
