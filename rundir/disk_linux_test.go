package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// mountSmall mounts a file system of the given size, which needs root.
func mountSmall(t *testing.T, size string) string {
	t.Helper()
	path := t.TempDir()
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, "size="+size); err != nil {
		if strings.Contains(os.Getenv("SOBOLEV_REQUIRE"), "tmpfs") {
			t.Fatalf("no small file system to fill: %v", err)
		}
		t.Skipf("no small file system to fill: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
	return path
}

func TestFullDisk(t *testing.T) {
	path := mountSmall(t, "64k")
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
	for n := 1 << 14; n > 0; n /= 2 {
		for unix.ENOSPC != fill(path+"/fill", n) {
		}
	}
	for _, test := range []struct{ path, want string }{
		{path + "/run", "cannot write " + path + "/run/experiment.yaml: no space left on device"},
		{path + "/other", "no space left on device"},
	} {
		if _, err := Create(test.path, c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	if err := os.Remove(path + "/fill"); err != nil {
		t.Fatal(err)
	}
	create(t, path+"/run", c)
}

// fill appends n bytes.
func fill(path string, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return unix.ENOSPC
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, n)); err != nil {
		return unix.ENOSPC
	}
	return nil
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
