package dataset

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeIDXPair writes 3×2 images of which pixel p of image i is 10·i + p.
func writeIDXPair(t *testing.T, folder, part, ending string, labels ...uint8) string {
	t.Helper()
	x := &IDX{Dims: []int{len(labels), 3, 2}}
	for i := range labels {
		for p := range 6 {
			x.Data = append(x.Data, uint8(10*i+p))
		}
	}
	path := filepath.Join(folder, part+"-images-idx3-ubyte"+ending)
	for name, data := range map[string][]byte{
		path: encodeIDX(x), filepath.Join(folder, part+"-labels-idx1-ubyte"): encodeIDX(&IDX{Dims: []int{len(labels)}, Data: labels}),
	} {
		if strings.HasSuffix(name, ".gz") {
			data = gzipped(data)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// A pair of files of any content, packed or not, with or without a test set.
func TestLoadIDX(t *testing.T) {
	folder := t.TempDir()
	path := writeIDXPair(t, folder, "train", ".gz", 0, 2, 1, 2)
	train, test, err := LoadIDX(context.Background(), Request{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	if test != nil || train.Len() != 4 || !slices.Equal(train.Shape, []int{1, 3, 2}) || !slices.Equal(train.Labels, []int{0, 1, 2, 2}) ||
		!slices.Equal(train.Index, []int{0, 2, 1, 3}) || train.X[6+1] != float32(21)/255 || train.Preprocessing.String() != "x/255" || train.Source.SHA256 == "" || train.Source.Published {
		t.Errorf("%+v, test %v", train, test)
	}
	writeIDXPair(t, folder, "t10k", "", 1, 2)
	train, test, err = LoadIDX(context.Background(), Request{Name: path, Classes: []int{2, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(train.Labels, []int{0, 0, 1}) || !slices.Equal(train.Index, []int{1, 3, 2}) || !slices.Equal(test.Labels, []int{0, 1}) || !slices.Equal(test.Classes, []string{"2", "1"}) {
		t.Errorf("classes 2 and 1: %+v, test %+v", train, test)
	}
}

// Labels may have gaps, as those of an .npz file; a class that is asked for may not
// be one.
func TestLoadIDXWithAGap(t *testing.T) {
	path := writeIDXPair(t, t.TempDir(), "train", "", 0, 3, 1)
	train, _, err := LoadIDX(context.Background(), Request{Name: path})
	if err != nil || train.Outputs != 4 || !slices.Equal(train.Labels, []int{0, 1, 3}) {
		t.Errorf("%+v, error %v", train, err)
	}
	for _, r := range []Request{{Classes: []int{0, 2}}, {PerClass: 1}} {
		r.Name = path
		_, _, err := LoadIDX(context.Background(), r)
		wantRequestError(t, err, "per_class", "class 2 (2)", "has 0 training samples")
	}
}

func TestLoadIDXErrors(t *testing.T) {
	good := func(t *testing.T) string { return writeIDXPair(t, t.TempDir(), "train", "", 0, 1) }
	for name, c := range map[string]struct {
		change  func(t *testing.T, path string)
		request Request
		reason  error
		says    string
	}{
		"no labels":       {func(t *testing.T, path string) { os.Remove(strings.Replace(path, "images-idx3", "labels-idx1", 1)) }, Request{}, fs.ErrNotExist, "train-labels-idx1-ubyte"},
		"no images":       {func(t *testing.T, path string) { os.Remove(path) }, Request{}, fs.ErrNotExist, "train-images"},
		"other number":    {func(t *testing.T, path string) { writeIDXPair(t, filepath.Dir(path), "train", ".gz", 0, 1, 1) }, Request{}, ErrMalformed, "3 labels for the 2 images"},
		"cut":             {func(t *testing.T, path string) { os.Truncate(path, 20) }, Request{}, ErrMalformed, "train-images-idx3-ubyte"},
		"a test set cut":  {func(t *testing.T, path string) { os.Truncate(writeIDXPair(t, filepath.Dir(path), "t10k", "", 0), 18) }, Request{}, ErrMalformed, "t10k-images-idx3-ubyte"},
		"a class too far": {func(*testing.T, string) {}, Request{Classes: []int{2}}, nil, "has no class 2; it has 0 to 1"},
		"labels for images": {func(t *testing.T, path string) {
			os.WriteFile(path, encodeIDX(&IDX{Dims: []int{2}, Data: []uint8{0, 1}}), 0o644)
		}, Request{}, ErrMalformed, "want [n height width]"},
	} {
		t.Run(name, func(t *testing.T) {
			c.request.Name = good(t)
			c.change(t, c.request.Name)
			_, _, err := LoadIDX(context.Background(), c.request)
			if err == nil || !strings.Contains(err.Error(), c.says) || c.reason != nil && !errors.Is(err, c.reason) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}
