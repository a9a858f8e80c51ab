package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
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
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return &WriteError{path, errors.New("it is not a regular file")}
	}
	temporary := temporaryName(path)
	err := writeSynced(temporary, data)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
		return writeError(path, err)
	}
	syncFolder(filepath.Dir(path))
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
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

// temporaryName is a new name beside path that no user gives to a file.
func temporaryName(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.writing-%016x", filepath.Base(path), rand.Uint64()))
}

var temporaryPattern = regexp.MustCompile(`^\.(.+)\.writing-[0-9a-f]{16}$`)

// temporaryOf returns the file that a temporary one was to become.
func temporaryOf(name string) (string, bool) {
	if m := temporaryPattern.FindStringSubmatch(name); m != nil {
		return m[1], true
	}
	return "", false
}

// writeJSON places v as indented JSON.
func writeJSON(path string, v any) error {
	js, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteFile(path, append(js, '\n'))
}

func asJSON(v any) string {
	js, err := json.Marshal(v)
	if err != nil {
		panic("rundir: not JSON: " + err.Error())
	}
	return string(js)
}
