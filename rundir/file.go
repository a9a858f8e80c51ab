package rundir

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A WriteError is a file of a run that could not be written: the disk is full,
// or the folder cannot be written to.
type WriteError struct {
	Path string
	Err  error
}

func (e *WriteError) Error() string { return fmt.Sprintf("cannot write %s: %v", e.Path, e.Err) }
func (e *WriteError) Unwrap() error { return e.Err }

// writeError drops the path in err: it is that of a temporary file.
func writeError(path string, err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	return &WriteError{Path: path, Err: err}
}

// WriteFile places data at path whole or not at all: a temporary file beside it,
// fsync, rename. What is no regular file, such as /dev/stdout, is not replaced. Its
// error is a *WriteError.
func WriteFile(path string, data []byte) error {
	if err := place(path, data, true); err != nil {
		return err
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// place is WriteFile without a promise that the name outlasts a loss of power, nor,
// without sync, the content.
func place(path string, data []byte, sync bool) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return &WriteError{path, errors.New("it is not a regular file")}
	}
	temporary := temporaryName(path)
	err := writeNew(temporary, data, sync)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
		return writeError(path, err)
	}
	return nil
}

// placeOnce places data at path if there is nothing yet; fs.ErrExist otherwise. Of
// several that try, on whatever hosts, one succeeds: that is what link(2) promises.
func placeOnce(path string, data []byte, sync bool) error {
	temporary := temporaryName(path)
	defer os.Remove(temporary)
	if err := writeNew(temporary, data, sync); err != nil {
		return writeError(path, err)
	}
	err := link(temporary, path)
	if err != nil && sameFile(temporary, path) {
		err = nil // done, but the file server's answer was lost and it was asked again
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		err = renameOnce(temporary, path)
	}
	if err != nil {
		return writeError(path, err)
	}
	return nil
}

// link is os.Link, except in tests.
var link = os.Link

// abandonedAfter is far above the time between the two steps of renameOnce.
const abandonedAfter = time.Minute

// renameOnce is for file systems without links, as many of USB sticks and network drives
// are: whoever makes a file beside path, which must not exist, may look for path and
// rename. A killed process leaves that file: it counts until it is much older than the
// temporary one, by the same clock, and is removed with the other temporary files.
func renameOnce(temporary, path string) error {
	turn := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.writing-%08x-0-%08x", filepath.Base(path), 0, 0))
	err := writeNew(turn, nil, false)
	if errors.Is(err, fs.ErrExist) {
		mine, err1 := os.Stat(temporary)
		theirs, err2 := os.Stat(turn)
		if err1 != nil || err2 != nil || mine.ModTime().Sub(theirs.ModTime()) < abandonedAfter {
			return err
		}
		os.Remove(turn)
		err = writeNew(turn, nil, false)
	}
	if err != nil {
		return err
	}
	defer os.Remove(turn)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	return os.Rename(temporary, path)
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

func writeNew(path string, data []byte, sync bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncFolder makes a rename survive a loss of power where the system can; that
// the file is whole does not depend on it.
func syncFolder(path string) {
	if f, err := os.Open(path); err == nil {
		f.Sync()
		f.Close()
	}
}

// temporaryName is a new name beside path that no user gives to a file. It says which
// process writes.
func temporaryName(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.writing-%s-%x-%08x", filepath.Base(path), spaceSum(), os.Getpid(), rand.Uint32()))
}

var temporaryPattern = regexp.MustCompile(`^\.(.+)\.writing-([0-9a-f]{8})-([0-9a-f]{1,8})-[0-9a-f]{8}$`)

// temporaryOf returns the file that a temporary one was to become.
func temporaryOf(name string) (string, bool) {
	if m := temporaryPattern.FindStringSubmatch(name); m != nil {
		return m[1], true
	}
	return "", false
}

// abandoned says that the writer of a temporary file is known to have ended.
func abandoned(name string) bool {
	m := temporaryPattern.FindStringSubmatch(name)
	if m == nil || m[2] != spaceSum() {
		return false
	}
	pid, err := strconv.ParseUint(m[3], 16, 31)
	return err == nil && gone(int(pid))
}

// spaceSum stands for the numbers of this machine's processes in a file's name.
func spaceSum() string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(processSpace())))
}

// encodeJSON is v as indented JSON; path is for its error.
func encodeJSON(path string, v any) ([]byte, error) {
	js, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return append(js, '\n'), nil
}

func asJSON(v any) string {
	js, err := json.Marshal(v)
	if err != nil {
		panic("rundir: not JSON: " + err.Error())
	}
	return string(js)
}

// LastLines returns at most so many lines of the end of a text, which are looked for in
// its last 8 KiB.
func LastLines(f *os.File, lines int) []string {
	const most = 8 << 10
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	buf := make([]byte, min(most, info.Size()))
	n, _ := f.ReadAt(buf, info.Size()-int64(len(buf)))
	text := strings.TrimSpace(string(buf[:n]))
	if text == "" {
		return nil
	}
	all := strings.Split(text, "\n")
	return all[max(0, len(all)-lines):]
}

// Digest returns the SHA-256 of data, in hexadecimal.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// FileDigest returns the SHA-256 of a file's content, in hexadecimal.
func FileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
