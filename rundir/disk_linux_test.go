package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sobolev/internal/disktest"
)

func TestFullDisk(t *testing.T) {
	path := disktest.Mount(t, "64k")
	c := resolved(t, good)
	d := create(t, path+"/run", c)
	p := d.Point(c.Points()[0])
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(p.File("model.safetensors"), []byte("old")); err != nil {
		t.Fatal(err)
	}
	before := tree(t, path)
	err := WriteFile(p.File("model.safetensors"), make([]byte, 1<<20))
	if want := "cannot write " + p.File("model.safetensors") + ": no space left on device"; err == nil || err.Error() != want || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error %v, want %s", err, want)
	}
	if got, err := os.ReadFile(p.File("model.safetensors")); err != nil || string(got) != "old" {
		t.Errorf("the file of before holds %d bytes, %v", len(got), err)
	}
	if diff := cmp.Diff(before, tree(t, path)); diff != "" {
		t.Errorf("a failed write left files: %s", diff)
	}
	d.Close()

	// Now truly full: what a run begins with fails, and says why.
	ballast := disktest.Fill(t, path)
	for _, test := range []struct{ path, want string }{
		{path + "/run", "cannot write " + path + "/run/experiment.yaml: no space left on device"},
		{path + "/other", "no space left on device"},
	} {
		if _, err := Create(test.path, c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	ballast.Free(2)
	create(t, path+"/run", c)
}

// What a run needs beside its points: a claim that cannot be written is an error
// and leaves nothing, an index is done without.
func TestFullDiskClaimsAndIndex(t *testing.T) {
	path := disktest.Mount(t, "4m")
	c := resolved(t, good)
	c.Repetitions = leastIndexed
	d := create(t, path+"/run", c)
	points := c.Points()
	for _, p := range points {
		pd := d.Point(p)
		if err := errors.Join(pd.Prepare(), pd.WriteStatus(Status{State: Done})); err != nil {
			t.Fatal(err)
		}
	}
	held := take(t, d.Claims(0, ""), points[0], 0)
	before := tree(t, path)
	ballast := disktest.Fill(t, path)
	_, err := d.Claims(0, "").Take(points[1], 0)
	want := "cannot write " + claimPath(filepath.Join(d.Path, claimsFolder), points[1].Name(), 1) + ": no space left on device"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := held.Beat(); err != nil {
		t.Errorf("a claim that is there already gives no sign of life: %v", err)
	}
	if records, err := d.Records(); err != nil || len(records) != len(points) {
		t.Errorf("%d records, %v", len(records), err)
	}
	if diff := cmp.Diff(before, slices.DeleteFunc(tree(t, path), func(name string) bool { return name == "ballast" })); diff != "" {
		t.Errorf("failed writes left files: %s", diff)
	}

	ballast.Free(64)
	if err := errors.Join(held.Release(), take(t, d.Claims(0, ""), points[1], 0).Release()); err != nil {
		t.Error(err)
	}
	if _, err := d.Records(); err != nil {
		t.Error(err)
	}
	if len(d.readIndex().entries) != len(points) {
		t.Errorf("the index has %d entries once there is space, want %d", len(d.readIndex().entries), len(points))
	}
}

// asNobody runs f with the file permissions of a user without rights. The thread
// ends with the goroutine, since it stays locked.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if os.Getuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		f()
	}()
	<-done
}

func TestReadOnlyFolder(t *testing.T) {
	base := t.TempDir()
	c := resolved(t, good)
	if d, err := Create(base+"/run", c); err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(base), 0o755); err != nil { // let others in
		t.Fatal(err)
	}
	for _, f := range []string{base, base + "/run", base + "/run/points"} {
		if err := os.Chmod(f, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(f, 0o755) })
	}
	asNobody(t, func() {
		for _, test := range []struct{ path, want string }{
			{base + "/new", "cannot make the run directory: mkdir " + base + "/new: permission denied; choose another with -o"},
			{base + "/run", "cannot write " + base + "/run/experiment.yaml: permission denied"},
		} {
			d, err := Create(test.path, c)
			if err == nil {
				d.Close()
			}
			if err == nil || err.Error() != test.want {
				t.Errorf("%s: error %v, want %s", test.path, err, test.want)
			}
		}
		// Reading it is no problem.
		d, err := Open(base + "/run")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Records(); err != nil {
			t.Error(err)
		}
		if d.InUse() {
			t.Error("in use")
		}
	})
}
