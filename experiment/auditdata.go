package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sobolev/dataset"
	"sobolev/nn"
	"sobolev/rundir"
)

func (a *audit) testData() nn.Data[float32] {
	if a.test == nil {
		return nn.Data[float32]{}
	}
	return dataOf(a.test)
}

func isNPZ(path string) bool { return strings.EqualFold(filepath.Ext(path), ".npz") }

// dataSource names the file of the data and its SHA-256.
func (a *audit) dataSource() (string, error) {
	name, _ := splitClasses(a.Data)
	if !isNPZ(name) {
		return cmp.Or(a.train.Source.String(), name+", which is part of the program"), nil
	}
	sum, err := rundir.FileDigest(name)
	return fmt.Sprintf("%s, SHA-256 %s", filepath.Base(name), sum), err
}

// loadData reads the training and the test set, and draws the subset.
func (a *audit) loadData(ctx context.Context) error {
	request := dataset.Request{Seed: stream(a.Seed, subsetPurpose, 0), Memory: a.memory}
	request.Name, request.Classes = splitClasses(a.Data)
	if !isNPZ(request.Name) {
		request.Preprocessing = a.preprocessing()
	}
	var err error
	if a.train, a.test, err = loadSets(ctx, request); err != nil {
		return requestError("data", err)
	}
	if a.Test != "" {
		request.Name = a.Test
		request.Preprocessing = dataset.Preprocessing{}
		request.Memory = max(1, a.memory-4*int64(len(a.train.X)+len(a.train.Y)))
		if a.test, _, err = dataset.Load(ctx, request); err != nil {
			return requestError("test", err)
		}
	}
	a.available = a.train.Len()
	if p := a.train.Preprocessing; p.OfBytes() && slices.Max(slices.Concat(p.Mean, p.Std, []float64{0})) > 1 {
		a.warnings = append(a.warnings, fmt.Sprintf("inputs are %v: bytes of images are divided by 255 before --normalize, whose numbers are in units of x/255, and these are above what they can be; leave 0,255 out", p))
	}
	if a.Limit == 0 || a.Limit >= a.available {
		return nil
	}
	drawn := generator(request.Seed).Perm(a.available)[:a.Limit]
	slices.Sort(drawn)
	a.train = a.train.Select(drawn)
	a.warnings = append(a.warnings, fmt.Sprintf("%d of %d training samples, drawn with seed %d (--limit): all numbers are those of this subset, and of SGD on it", a.Limit, a.available, a.Seed))
	return nil
}

// classSuffix are the classes behind the name of a data set: fashion-mnist:0,6.
var classSuffix = regexp.MustCompile(`^(.+):([0-9]{1,9}(?:,[0-9]{1,9})*)$`)

func splitClasses(data string) (name string, classes []int) {
	found := classSuffix.FindStringSubmatch(data)
	if found == nil {
		return data, nil
	}
	for c := range strings.SplitSeq(found[2], ",") {
		class, _ := strconv.Atoi(c) // nine digits at most
		classes = append(classes, class)
	}
	return found[1], classes
}

// Inputs are the paths that the audit reads, and names of the catalogue.
func (o AuditOptions) Inputs() []string {
	data, _ := splitClasses(o.Data)
	return slices.DeleteFunc([]string{o.Model, data, o.Test, o.Architecture}, func(path string) bool { return path == "" })
}

// loadSets reads the data that the name of a request stands for: an .npz file, a pair
// of IDX files by its images or their folder, CIFAR-10's archive or the folder of its
// batches, or a name of the catalogue.
func loadSets(ctx context.Context, request dataset.Request) (train, test *dataset.Set, err error) {
	info, err := os.Stat(request.Name)
	switch folder := err == nil && info.IsDir(); {
	case dataset.IsIDXImages(request.Name):
		return dataset.LoadIDX(ctx, request)
	case folder:
		images, err := filepath.Glob(filepath.Join(request.Name, "train-images-idx3-ubyte*"))
		if err != nil {
			return nil, nil, err
		}
		if len(images) > 0 {
			request.Name = images[0]
			return dataset.LoadIDX(ctx, request)
		}
	case !strings.HasSuffix(request.Name, ".tar.gz"):
		return dataset.Load(ctx, request)
	}
	request.Name, request.DataDir = "cifar-10", request.Name
	return dataset.Load(ctx, request)
}

func largestInput(x []float32) float64 {
	largest := 0.0
	for _, v := range x {
		largest = math.Max(largest, math.Abs(float64(v)))
	}
	return largest
}

// requestError turns an error in what is asked of the data into one of an option.
func requestError(option string, err error) error {
	var r *dataset.RequestError
	if !errors.As(err, &r) {
		return err
	}
	if flag, ok := auditFlags[r.Key]; ok {
		option = flag
	}
	return &rundir.ValueError{Key: option, Problem: r.Problem}
}

func (a *audit) preprocessing() dataset.Preprocessing {
	return dataset.Preprocessing{Mean: a.Mean, Std: a.Std}
}

// fit makes the inputs of s those of the model, normalised, and its targets as wide
// as the outputs. The channels of an .npz file are known when it is seen whether
// images are turned; bytes were normalised as they were read, channels first.
func (a *audit) fit(s *dataset.Set) error {
	normalise := func() error {
		if !isNPZ(s.Name) {
			return nil
		}
		return requestError("normalize", s.Preprocess(a.preprocessing()))
	}
	if !a.model.channelsLast {
		if err := normalise(); err != nil {
			return err
		}
		normalise = func() error { return nil }
	}
	if err := a.fitInputs(s); err != nil {
		return err
	}
	if err := normalise(); err != nil {
		return err
	}
	return a.fitTargets(s)
}

// fitInputs checks the inputs of s against those of the model. Images that the
// model takes channels-last become channels-first.
func (a *audit) fitInputs(s *dataset.Set) error {
	want, declared := a.model.architecture.Input, a.inputShape()
	if s.Inputs() != product(want) {
		return fmt.Errorf("%s: inputs have shape %v; %s takes %v", s.Name, s.Shape, a.Model, declared)
	}
	switch {
	case len(s.Shape) == 1 || slices.Equal(s.Shape, declared): // rows in the order of the model's file
		if a.model.channelsLast {
			s.X = channelsFirst(s.X, want)
		}
	case slices.Equal(s.Shape, want):
		if a.model.channelsLast {
			a.warnings = append(a.warnings, fmt.Sprintf("%s takes images of shape %v and %s has them as %v: they are taken as channels-first", a.Model, declared, s.Name, s.Shape))
		}
	case len(want) == 3 && !sameRows(s.Shape, want) && !sameRows(s.Shape, declared):
		return fmt.Errorf("%s: inputs have shape %v; %s takes %v", s.Name, s.Shape, a.Model, declared)
	}
	s.Shape = want
	return nil
}

// sameRows says whether two shapes are those of images of one channel with as many
// rows and columns: wherever the channel stands, the order of the pixels is the same.
func sameRows(a, b []int) bool {
	x, y := pixels(a), pixels(b)
	return x != nil && slices.Equal(x, y)
}

// pixels are the rows and columns of an image of one channel, first or last.
func pixels(shape []int) []int {
	switch {
	case len(shape) == 3 && shape[0] == 1:
		return shape[1:]
	case len(shape) == 3 && shape[2] == 1:
		return shape[:2]
	}
	return nil
}

// inputShape is the shape of an input as the model's file has it.
func (a *audit) inputShape() []int {
	in := a.model.architecture.Input
	switch {
	case a.model.declared != nil:
		return a.model.declared
	case a.model.channelsLast:
		return []int{in[1], in[2], in[0]}
	}
	return in
}

// channelsFirst turns images [height][width][channels] into
// [channels][height][width]; shape is [channels, height, width].
func channelsFirst(x []float32, shape []int) []float32 {
	channels, pixels := shape[0], shape[1]*shape[2]
	y := make([]float32, len(x))
	for image := 0; image < len(x); image += channels * pixels {
		for p := range pixels {
			for c := range channels {
				y[image+c*pixels+p] = x[image+p*channels+c]
			}
		}
	}
	return y
}

// fitTargets makes the targets of s as wide as the model's outputs.
func (a *audit) fitTargets(s *dataset.Set) error {
	outputs := a.model.architecture.Outputs()
	given := s.Labels != nil && !s.Rows
	switch {
	case given && outputs == 1:
		return fmt.Errorf("%s: y holds class labels, but %s has one output; save the values that it was trained to return, as y[:, None].astype(np.float32)", s.Name, a.Model)
	case given && s.Outputs > outputs:
		return fmt.Errorf("%s: class labels go up to %d, but %s has %d outputs", s.Name, s.Outputs-1, a.Model, outputs)
	case given && s.Outputs < outputs:
		a.warnings = append(a.warnings, fmt.Sprintf("%s: class labels go up to %d; targets are one-hot in the model's %d outputs", s.Name, s.Outputs-1, outputs))
		s.Outputs, s.Y = outputs, dataset.OneHot(s.Labels, outputs)
	case s.Outputs != outputs:
		return fmt.Errorf("%s: y has %d columns, but %s has %d outputs", s.Name, s.Outputs, a.Model, outputs)
	}
	return nil
}
