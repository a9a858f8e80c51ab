// Package disktest gives tests small file systems that can be full or read-only.
package disktest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"sobolev/internal/needs"
)

// Page is the unit in which the file systems of Mount give space to files.
const Page = 4096

// Mount mounts a file system of the given size, such as "64k", until the test ends,
// which needs root. Without it the test is skipped, unless SOBOLEV_REQUIRE lists tmpfs.
func Mount(t *testing.T, size string) string {
	t.Helper()
	path := t.TempDir()
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, "size="+size); err != nil {
		needs.Missing(t, "tmpfs", err)
	}
	t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
	return path
}

// ReadOnly makes a file system of Mount read-only.
func ReadOnly(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

// Ballast is a file that fills a file system.
type Ballast struct {
	t    *testing.T
	path string
}

// Fill leaves no byte free in a file system of Mount.
func Fill(t *testing.T, path string) Ballast {
	t.Helper()
	b := Ballast{t, filepath.Join(path, "ballast")}
	f, err := os.Create(b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, Page))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return b
}

// Free gives some pages back, and says whether the ballast had as many.
func (b Ballast) Free(pages int64) bool {
	b.t.Helper()
	info, err := os.Stat(b.path)
	if err == nil {
		err = os.Truncate(b.path, max(0, info.Size()-pages*Page))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Size() >= pages*Page
}
