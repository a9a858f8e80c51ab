package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
)

const (
	maxLabel = 9999
	// Cap on n·c for one-hot targets: a single wrong label must not cost
	// gigabytes. 50,000 samples of 1,000 classes fit.
	maxOneHot = 1 << 26
)

// ReadNPZ reads a set from an .npz file as np.savez and np.savez_compressed
// write it:
//
//   - x: n×d, or n×channels×height×width; float32, float64 or whole numbers, in
//     C or Fortran order and either byte order;
//   - y: n×c targets, or n floats (c = 1), or n whole numbers, which are class
//     labels from 0 and become one-hot with c = largest label + 1. Targets that
//     are exactly one-hot give Labels too.
//
// Samples keep their order and inputs their values (rounded to float32). Values
// that are not finite, arrays that do not fit together, object arrays and every
// damage of the file are errors that name the array and the place.
func ReadNPZ(path string) (*Set, error) {
	return readNPZFile(context.Background(), path, "x", "y", math.MaxInt64)
}

// readNPZFile reads no more than that many bytes of samples, see Request.Memory.
func readNPZFile(ctx context.Context, path, xKey, yKey string, memory int64) (*Set, error) {
	file, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readNPZ(ctx, file, info.Size(), path, xKey, yKey, memory)
}

// openRegular opens a file that is one. It looks first: to open a pipe that nobody
// writes to is to wait for ever.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: not a regular file", path)
	}
	file, err := os.Open(path)
	return file, info, err
}

// loadNPZ serves a request whose name is a path. x_test and y_test, if they are
// there, are the test set.
func loadNPZ(ctx context.Context, r Request) (train, test *Set, err error) {
	if r.Synthetic != (Synthetic{}) {
		return nil, nil, badRequest("synthetic", "%s has a fixed size; remove the section", r.Name)
	}
	memory := r.memory()
	if train, err = readNPZFile(ctx, r.Name, "x", "y", memory); err != nil {
		return nil, nil, err
	}
	test, err = readNPZFile(ctx, r.Name, "x_test", "y_test", memory-sampleBytes(len(train.X)+len(train.Y)))
	switch {
	case errors.Is(err, errNoArrays):
		test, err = nil, nil
	case err != nil:
		return nil, nil, err
	default:
		if err := fitTest(r.Name, train, test); err != nil {
			return nil, nil, err
		}
	}
	if test == nil && r.TestPerClass > 0 {
		return nil, nil, badRequest("test_per_class", "%s has no test set (arrays x_test and y_test)", r.Name)
	}
	if train, err = train.draw(r, trainPart); err != nil {
		return nil, nil, err
	}
	if test != nil {
		if test, err = test.draw(r, testPart); err != nil {
			return nil, nil, err
		}
	}
	return train, test, preprocessAll(r, []*Set{train, test})
}

// fitTest makes the test set's targets as wide as the training set's.
func fitTest(path string, train, test *Set) error {
	if !slices.Equal(train.Shape, test.Shape) {
		return malformed(path, -1, "inputs of x_test have shape %v, those of x %v", test.Shape, train.Shape)
	}
	if train.Labels != nil && test.Labels != nil && !test.Rows && test.Outputs < train.Outputs {
		if train.Outputs > maxOneHot/len(test.Labels) {
			return unsupported(path, -1, "%d test samples in %d classes make more than 2^26 one-hot targets", len(test.Labels), train.Outputs)
		}
		test.Outputs, test.Classes = train.Outputs, train.Classes
		test.Y = OneHot(test.Labels, test.Outputs)
	}
	if (train.Labels == nil) != (test.Labels == nil) && train.Outputs == test.Outputs {
		// Rows that are one-hot in one part only are targets like any other.
		train.Labels, train.Classes, test.Labels, test.Classes = nil, nil, nil, nil
	}
	if test.Outputs != train.Outputs {
		return malformed(path, -1, "y_test has %d outputs or classes, y has %d", test.Outputs, train.Outputs)
	}
	return nil
}

// draw applies the classes and numbers of a request; without any, the set
// stays as it is, in file order.
func (s *Set) draw(r Request, p part) (*Set, error) {
	if len(r.Classes) == 0 && r.PerClass == 0 && r.TestPerClass == 0 {
		return s, nil
	}
	if s.Labels == nil {
		return nil, badRequest("classes", "%s has targets and no class labels; remove classes, per_class and test_per_class", s.Name)
	}
	classes, err := r.classList(s.Outputs, s.Name)
	if err != nil {
		return nil, err
	}
	index, err := r.rule(p, classes).indices(s.Labels, s.Name, strconv.Itoa)
	if err != nil {
		return nil, err
	}
	drawn := s.Select(index)
	drawn.Classes, drawn.Rows = nil, false
	for _, class := range classes {
		drawn.Classes = append(drawn.Classes, s.Classes[class])
	}
	for i, label := range drawn.Labels {
		drawn.Labels[i] = slices.Index(classes, label)
	}
	drawn.Outputs = len(classes)
	drawn.Y = OneHot(drawn.Labels, drawn.Outputs)
	return drawn, nil
}

// errNoArrays: neither the inputs nor the targets are in the file.
var errNoArrays = errors.New("no arrays")

// readNPZ reads the arrays xKey and yKey from a zip archive of the given size.
func readNPZ(ctx context.Context, r io.ReaderAt, size int64, name, xKey, yKey string, memory int64) (*Set, error) {
	archive, err := openZip(r, size, name)
	if err != nil {
		return nil, err
	}
	xFile, err := archive.member(xKey)
	if err != nil {
		return nil, err
	}
	yFile, err := archive.member(yKey)
	if err != nil {
		return nil, err
	}
	switch {
	case xFile == nil && yFile == nil:
		return nil, malformed(name, -1, "%w %q and %q; there are [%s] (want np.savez(x=..., y=...))", errNoArrays, xKey, yKey, archive.keys())
	case xFile == nil:
		return nil, malformed(name, -1, "no array %q beside %q; there are [%s]", xKey, yKey, archive.keys())
	case yFile == nil:
		return nil, malformed(name, -1, "no array %q beside %q; there are [%s]", yKey, xKey, archive.keys())
	}
	s := &Set{Name: name, Preprocessing: Preprocessing{Scale: 1}}
	// Both headers come before any element: x may be large, and y not fit it.
	err = archive.withArray(ctx, xFile, func(x *npyArray) error {
		return archive.withArray(ctx, yFile, func(y *npyArray) error { return s.read(ctx, x, y, xKey, yKey, memory) })
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// read fills the set from two arrays whose headers were read.
func (s *Set) read(ctx context.Context, x, y *npyArray, xKey, yKey string, memory int64) error {
	if err := x.checkInputs(xKey); err != nil {
		return err
	}
	if err := y.checkTargets(yKey, x.shape[0]); err != nil {
		return err
	}
	if err := fits(s.Name, x.total+y.total, memory); err != nil {
		return err
	}
	var err error
	if s.X, err = x.floats(ctx, xKey); err != nil {
		return err
	}
	s.Shape, s.Index = x.shape[1:], ramp(x.shape[0])
	return s.readTargets(ctx, y, yKey, memory-sampleBytes(x.total))
}

func (a *npyArray) checkInputs(key string) error {
	switch len(a.shape) {
	case 2, 4:
		return nil
	case 1:
		return unsupported(a.name, -1, "%s has shape %v; want n×d, for scalars %s[:, None]", key, a.shape, key)
	case 3:
		return unsupported(a.name, -1, "%s has shape %v; want n×d or n×channels×height×width, for grey images %s[:, None]", key, a.shape, key)
	}
	return unsupported(a.name, -1, "%s has shape %v; want n×d or n×channels×height×width", key, a.shape)
}

func (a *npyArray) checkTargets(key string, n int) error {
	switch {
	case len(a.shape) == 0 || len(a.shape) > 2:
		return unsupported(a.name, -1, "%s has shape %v; want n×c targets or n labels", key, a.shape)
	case a.shape[0] != n:
		return malformed(a.name, -1, "%s has %d samples, the inputs have %d", key, a.shape[0], n)
	case len(a.shape) == 2 && a.shape[1] == 1 && a.typ.whole():
		return unsupported(a.name, -1, "%s is a column of whole numbers; for class labels save %s.ravel(), for targets %s.astype(np.float32)", key, key, key)
	}
	return nil
}

// readTargets fills Y, Outputs, Labels and Classes.
func (s *Set) readTargets(ctx context.Context, a *npyArray, key string, memory int64) error {
	if len(a.shape) == 1 && a.typ.whole() {
		return s.readLabels(ctx, a, key, memory)
	}
	s.Outputs = 1
	if len(a.shape) == 2 {
		s.Outputs = a.shape[1]
	}
	var err error
	if s.Y, err = a.floats(ctx, key); err != nil {
		return err
	}
	if s.Labels = oneHotLabels(s.Y, s.Outputs); s.Labels != nil {
		s.Classes, s.Rows = numberNames(s.Outputs), true
	}
	return nil
}

func (s *Set) readLabels(ctx context.Context, a *npyArray, key string, memory int64) error {
	s.Labels = make([]int, a.total)
	err := a.values(ctx, func(at int, v float64) error {
		if v < 0 || v > maxLabel {
			return malformed(a.name, -1, "%s is %v; class labels are 0 to %d", a.indexOf(key, at), v, maxLabel)
		}
		s.Labels[at] = int(v)
		return nil
	})
	if err != nil {
		return err
	}
	s.Outputs = slices.Max(s.Labels) + 1
	if s.Outputs > maxOneHot/len(s.Labels) {
		return unsupported(a.name, -1, "%d samples with labels up to %d make more than 2^26 one-hot targets; number the classes from 0 without gaps", len(s.Labels), s.Outputs-1)
	}
	if err := fits(a.name, len(s.Labels)*s.Outputs, memory); err != nil {
		return err
	}
	s.Classes = numberNames(s.Outputs)
	s.Y = OneHot(s.Labels, s.Outputs)
	return nil
}

func numberNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// floats reads all elements, in row-major order; each must be finite in float32.
// Memory grows with what is really there: a few damaged bytes may declare 2³⁰
// elements.
func (a *npyArray) floats(ctx context.Context, key string) ([]float32, error) {
	out := make([]float32, 0, min(a.total, max(a.reserve, 1<<12))) // in file order
	err := a.values(ctx, func(at int, v float64) error {
		f := float32(v)
		if !(math.Abs(float64(f)) <= math.MaxFloat32) {
			return malformed(a.name, -1, "%s is %v; want finite numbers in the range of float32", a.indexOf(key, at), v)
		}
		if len(out) == cap(out) {
			grown := make([]float32, len(out), min(a.total, 2*len(out)))
			copy(grown, out)
			out = grown
		}
		out = append(out, f)
		return nil
	})
	if err != nil || !a.fortran {
		return out, err
	}
	ordered := make([]float32, a.total)
	walk := newFortranWalk(a.shape)
	for _, f := range out {
		ordered[walk.next()] = f
	}
	return ordered, nil
}
