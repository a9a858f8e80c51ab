package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// ErrUnreachable: no server answered.
var ErrUnreachable = errors.New("cannot reach")

// FetchOptions change how [Fetch] downloads; the zero value is good.
type FetchOptions struct {
	// Progress is called with the bytes of a file that are there and the bytes
	// it will have; both are equal for a file that need not be fetched. Calls
	// come from one goroutine and often (every 64 KiB).
	Progress func(file string, done, total int64)
	Mirrors  []string      // base URLs to use instead of the catalogue's
	Client   *http.Client  // default: a client that respects HTTP_PROXY and so on
	Idle     time.Duration // give a connection up after this long without a byte; default 30 s
	Attempts int           // connections to one URL that broke half-way, before the next URL; default 4
}

// FetchFolder is the folder that [Fetch] fills: a subfolder of dir, or of
// [DefaultDir] if dir is empty, with the entry's name.
func FetchFolder(name, dir string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, name), nil
}

// Fetch downloads the files of a catalogue entry into [FetchFolder].
//
// A file appears under its name only when its unpacked content (for
// [File.Packed]: the file itself) has the published SHA-256; files that are
// there and verify are not fetched again, and others are replaced. A broken or
// cancelled download stays as NAME.part and is resumed by the next call; content
// that fails the check is removed. Two processes that fetch into one folder take
// turns.
//
// The error joins what every mirror said: [ErrUnreachable], [ErrChecksum],
// [FormatError] for what cannot be unpacked, or ctx's error.
func Fetch(ctx context.Context, name, dir string, opt FetchOptions) error {
	entry, err := Lookup(name)
	if err != nil {
		return err
	}
	return fetchEntry(ctx, entry, dir, opt)
}

func fetchEntry(ctx context.Context, entry Entry, dir string, opt FetchOptions) error {
	if len(entry.Files) == 0 {
		return badRequest("name", "%s is part of the program; there is nothing to fetch", entry.Name)
	}
	folder, err := FetchFolder(entry.Name, dir)
	if err != nil {
		return err
	}
	err = fetchFiles(ctx, entry.Files, folder, opt)
	var failed *fetchError
	if errors.As(err, &failed) {
		failed.entry = entry
	}
	return err
}

// fetchFiles is Fetch for a list of files.
func fetchFiles(ctx context.Context, files []File, folder string, opt FetchOptions) error {
	if opt.Client == nil {
		opt.Client = &http.Client{}
	}
	if opt.Idle <= 0 {
		opt.Idle = 30 * time.Second
	}
	if opt.Attempts <= 0 {
		opt.Attempts = 4
	}
	if opt.Progress == nil {
		opt.Progress = func(string, int64, int64) {}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("cannot make the data folder: %w; choose another with --data-dir or %s", err, EnvDataDir)
	}
	lock := flock.New(filepath.Join(folder, ".lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return fmt.Errorf("%s: waiting for another download: %w", lock.Path(), err)
	}
	defer lock.Unlock()
	for _, f := range files {
		if err := fetchFile(ctx, f, folder, opt); err != nil {
			return err
		}
	}
	return nil
}

// fetchFile brings one file into the folder unless it is there.
func fetchFile(ctx context.Context, f File, folder string, opt FetchOptions) error {
	path, err := firstFile(f.places(folder)...)
	if err != nil {
		return err
	}
	if path != "" {
		err := f.Verify(ctx, path)
		if err == nil {
			opt.Progress(f.Name, f.Bytes, f.Bytes)
			return nil
		}
		if !isContentError(err) {
			return err
		}
	}
	failed := &fetchError{file: f.Name, folder: folder}
	for _, url := range f.urls(opt.Mirrors) {
		d := &download{file: f, url: url, path: filepath.Join(folder, f.Name), opt: opt}
		err := d.run(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed.causes = append(failed.causes, err)
	}
	return failed
}

func (f File) urls(mirrors []string) []string {
	if len(mirrors) == 0 {
		return f.URLs
	}
	var urls []string
	for _, base := range mirrors {
		urls = append(urls, strings.TrimSuffix(base, "/")+"/"+f.Name)
	}
	return urls
}

// places are the paths at which f counts as being in the folder.
func (f File) places(folder string) []string {
	path := filepath.Join(folder, f.Name)
	if f.Packed {
		return []string{path}
	}
	return []string{path, strings.TrimSuffix(path, ".gz")}
}

// Verify compares the file at path with the published one, by its unpacked
// content or as it is, as [File.Packed] says: nil, or an error that is
// [ErrChecksum], a [FormatError] for what cannot be unpacked, ctx's, or one of
// the file system. It never unpacks more than the published size.
func (f File) Verify(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var src io.Reader = ctxReader{ctx, file}
	what, size := "file", f.Bytes
	if !f.Packed {
		what, size = "unpacked content", f.Raw
		if src, err = unpacked(src, path); err != nil {
			return err
		}
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(src, size+1))
	if err != nil {
		return readError(err, path, n, "compressed content")
	}
	if n != size {
		return fmt.Errorf("%s: %w: the %s has %s bytes, want %d", path, ErrChecksum, what, atLeast(n, size), size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("%s: %w: the %s has SHA-256 %s, want %s", path, ErrChecksum, what, got, f.SHA256)
	}
	return nil
}

func atLeast(n, limit int64) string {
	if n > limit {
		return "more"
	}
	return fmt.Sprint(n)
}

// isContentError tells wrong bytes from a failure to read them.
func isContentError(err error) bool {
	return errors.Is(err, ErrChecksum) || errors.Is(err, ErrMalformed)
}

// fetchError is what all mirrors of a file said, and what to do instead.
type fetchError struct {
	entry  Entry
	file   string
	folder string
	causes []error
}

func (e *fetchError) Error() string {
	parts := make([]string, len(e.causes))
	for i, cause := range e.causes {
		parts[i] = cause.Error()
	}
	msg := fmt.Sprintf("%s: %s; copy the files by hand to %s", e.file, strings.Join(parts, "; "), e.folder)
	if n := len(e.entry.Files); n > 1 {
		names := make([]string, n)
		for i, f := range e.entry.Files {
			names[i] = f.Name
		}
		msg += fmt.Sprintf(" (all %d: %s)", n, strings.Join(names, ", "))
	}
	if e.entry.Debian != "" {
		msg += ", or apt install " + e.entry.Debian
	}
	return msg
}

func (e *fetchError) Unwrap() []error { return e.causes }

// removeAll removes files that may not exist.
func removeAll(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
