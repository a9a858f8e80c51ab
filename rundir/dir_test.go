package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// create makes a run that is closed when the test ends.
func create(t testing.TB, path string, c Config) *Dir {
	t.Helper()
	d, err := Create(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree lists all files below path, hidden ones too.
func tree(t testing.TB, path string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == path {
			return err
		}
		rel, err := filepath.Rel(path, p)
		names = append(names, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestCreateAcceptsTheSameExperiment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "run [x]*?")
	if d, err := Create(path, resolved(t, good)); err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"name=x", "repetitions=7", "grid.learning_rate=[3]", "grid.batch_size=[1, 3, 5]", "measure={orders: [1], every: 5}"} {
		want := resolved(t, good, set)
		d, err := Create(path, want)
		if err != nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		d.Close()
		there, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, there.Config); diff != "" {
			t.Errorf("%s: %s", set, diff)
		}
	}
}

func TestCreateNamesWhatDiffers(t *testing.T) {
	path := t.TempDir()
	if d, err := Create(path, resolved(t, good)); err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	before := tree(t, path)
	for _, c := range []struct{ set, want string }{
		{"seed=2", "seed is 18446744073709551615 there and 2 here;"},
		{"sgd.iterations=2000", "sgd.iterations is 1000 there and 2000 here;"},
		{"loss=half-mse", `loss is "mse" there and "half-mse" here;`},
		{"dataset.classes=[]", "dataset.classes is [0,1] there and empty here;"},
		{"dataset.preprocess.mean=[0.5]", "dataset.preprocess.mean is empty there and [0.5] here;"},
		{"model={hidden: [5], activation: tanh}", "model.hidden is [5,4] there and [5] here, and 1 more;"},
		{"stop.accuracy=0.9", "stop.accuracy is 0 there and 0.9 here;"},
	} {
		d, err := Create(path, resolved(t, good, c.set))
		if err == nil {
			d.Close()
		}
		if want := path + " holds another experiment: " + c.want; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", c.set, err, want)
		}
	}
	there, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(resolved(t, good), there.Config); diff != "" {
		t.Errorf("a refused experiment changed the one that was there: %s", diff)
	}
	if diff := cmp.Diff(before, tree(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(path string)
		want string
	}{
		{"files of somebody", func(p string) { write(t, p+"/notes.txt", "x") }, "has files (notes.txt) but no experiment.yaml"},
		{"hidden files of somebody", func(p string) { write(t, p+"/.bashrc", "x") }, "has files (.bashrc) but no experiment.yaml"},
		{"results without an experiment", func(p string) { write(t, p+"/results.csv", "x"); write(t, p+"/points/x/point.yaml", "x") }, "has files (results.csv)"},
		{"a file", func(p string) { write(t, p, "x") }, "is a file, not a run directory; choose another with -o"},
		{"below a file", func(p string) { write(t, filepath.Dir(p), "x") }, "not a directory"},
		{"a damaged experiment", func(p string) { write(t, p+"/experiment.yaml", "nmae: x\n") }, `experiment.yaml:1:1: unknown key "nmae"`},
		{"an empty experiment", func(p string) { write(t, p+"/experiment.yaml", "") }, "experiment.yaml: is empty"},
		{"an experiment of another version", func(p string) { write(t, p+"/experiment.yaml", good+"loss: new\n") }, `experiment.yaml:11:7: loss: "new" is not known`},
	} {
		path := filepath.Join(t.TempDir(), "parent", "run")
		c.make(path)
		root := filepath.Dir(filepath.Dir(path))
		before := tree(t, root)
		d, err := Create(path, resolved(t, good))
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Dir(path)) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
		if strings.Contains(c.name, "experiment") {
			continue // a run's own folder: the lock was taken to read it
		}
		if diff := cmp.Diff(before, tree(t, root)); diff != "" {
			t.Errorf("%s: the folder was changed: %s", c.name, diff)
		}
	}
}

// A run that was killed before it wrote experiment.yaml can be begun again.
func TestCreateGoesOnAfterAnEarlyKill(t *testing.T) {
	path := t.TempDir()
	write(t, path+"/.lock", "")
	write(t, temporaryName(path+"/experiment.yaml"), "na")
	create(t, path, resolved(t, good))
	if diff := cmp.Diff([]string{".lock", "experiment.yaml", "points"}, tree(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestCreateThroughALink(t *testing.T) {
	base := t.TempDir()
	if err := os.Mkdir(base+"/real", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", base+"/link"); err != nil {
		if runtime.GOOS != "windows" { // where links need a privilege
			t.Fatal(err)
		}
		t.Skip(err)
	}
	create(t, base+"/link", resolved(t, good))
	if _, err := Create(base+"/real", resolved(t, good)); err == nil || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("error %v", err)
	}
	if info, err := os.Lstat(base + "/link"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	if _, err := Open(base + "/real"); err != nil {
		t.Error(err)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	path := t.TempDir() + "/run"
	if (&Dir{Path: path}).InUse() {
		t.Error("a run that does not exist is in use")
	}
	d := create(t, path, resolved(t, good))
	reader, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reader.InUse() || !d.InUse() {
		t.Error("not in use while it is open")
	}
	_, err = Create(path, resolved(t, good))
	if err == nil || !strings.Contains(err.Error(), path+" is in use by another sobolev process") {
		t.Errorf("error %v", err)
	}
	// The one that was there may end while the next one waits.
	time.AfterFunc(lockPatience/4, func() { d.Close() })
	create(t, path, resolved(t, good)).Close()
	if reader.InUse() {
		t.Error("in use after it was closed")
	}
}

// A status that is asked for again and again does not keep a run from starting.
func TestInUseDoesNotBlock(t *testing.T) {
	path := t.TempDir() + "/run"
	reader := create(t, path, resolved(t, good))
	reader.Close()
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				reader.InUse()
			}
		}
	}()
	for range 10 {
		create(t, path, resolved(t, good)).Close()
	}
	close(stop)
	<-stopped
}

func TestTemporaryFilesAreRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run [a]")
	c := resolved(t, good)
	d := create(t, path, c)
	p := d.Point(c.Points()[0])
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	before := tree(t, path)
	var left []string
	for _, target := range []string{path + "/results.csv", path + "/runtime.csv", path + "/experiment.yaml", p.File("model.safetensors"), p.File("status.json"),
		path + "/slurm/1/job.sh", path + "/slurm/program/0123/sobolev"} {
		left = append(left, temporaryName(target))
	}
	old := temporaryName(path + "/figures/old.svg")
	kept := []string{path + "/.notes.yaml", p.Path + "/.gitignore", path + "/.results.csv.writing-soon", temporaryName(path + "/figures/a.svg"),
		path + "/figures/.b.svg.writing-01234567-7fffffff-89abcdef"} // of another machine
	for _, f := range append(append(left, old), kept...) {
		write(t, f, "x")
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	create(t, path, c)
	after := tree(t, path)
	if got, want := len(after), len(before)+len(kept)+5; got != want { // and the folders of figures and slurm
		t.Errorf("%d files, want %d: %q", got, want, after)
	}
	for _, f := range kept {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
	}
}

func TestWriteFileReplacesWhole(t *testing.T) {
	path := t.TempDir() + "/f"
	for _, text := range []string{"a long first text", "b", ""} {
		if err := WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v; want %q", got, err, text)
		}
	}
	if diff := cmp.Diff([]string{"f"}, tree(t, filepath.Dir(path))); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o400 == 0 || info.Mode().Perm()&0o111 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestWriteFileErrors(t *testing.T) {
	base := t.TempDir()
	if err := os.MkdirAll(base+"/folder/x", 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		base + "/none/f": "cannot write " + base + "/none/f: no such file or directory",
		base + "/folder": "cannot write " + base + "/folder: it is not a regular file",
	} {
		err := WriteFile(path, []byte("x"))
		var w *WriteError
		if !errors.As(err, &w) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if diff := cmp.Diff([]string{"folder", "folder/x"}, tree(t, base)); diff != "" {
		t.Error(diff)
	}
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(t.TempDir())
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is not a run directory") {
		t.Errorf("error %v", err)
	}
}
