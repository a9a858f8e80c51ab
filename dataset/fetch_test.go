package dataset

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFetch(t *testing.T) {
	o, dir := newOrigin(t), filepath.Join(t.TempDir(), "new", "folder")
	var last, total int64
	progress := func(file string, done, of int64) {
		if file != "images.gz" || done < last || done > of {
			t.Errorf("progress %s %d of %d after %d", file, done, of, last)
		}
		last, total = done, of
	}
	if err := o.fetch(dir, FetchOptions{Progress: progress}); err != nil {
		t.Fatal(err)
	}
	o.wantPlaced(t, dir)
	if last != o.file.Bytes || total != o.file.Bytes {
		t.Errorf("progress ended at %d of %d, want %d", last, total, o.file.Bytes)
	}
	// What is there and verifies is not fetched again.
	if err := o.fetch(dir, FetchOptions{}); err != nil || o.requests.Load() != 1 {
		t.Errorf("again: %v after %d requests", err, o.requests.Load())
	}
	// The unpacked form counts too; damage does not.
	path := filepath.Join(dir, "images.gz")
	if err := os.WriteFile(path, o.packed[:1000], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := o.fetch(dir, FetchOptions{}); err != nil || o.requests.Load() != 2 {
		t.Errorf("damaged: %v after %d requests", err, o.requests.Load())
	}
	o.wantPlaced(t, dir)
}

func TestFetchAcceptsUnpackedFile(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	src, err := unpacked(bytes.NewReader(o.packed), "x")
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	raw.ReadFrom(src)
	write(t, filepath.Join(dir, "images"), raw.Bytes())
	if err := o.fetch(dir, FetchOptions{}); err != nil || o.requests.Load() != 0 {
		t.Errorf("%v after %d requests", err, o.requests.Load())
	}
}

// A connection that breaks is resumed by the same call.
func TestFetchResumesWithinACall(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.cutAfter.Store(100_000)
	if err := o.fetch(dir, FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	o.wantPlaced(t, dir)
	if n := o.bodyBytes.Load(); n > o.file.Bytes+64<<10 {
		t.Errorf("%d bytes sent for a file of %d: not resumed", n, o.file.Bytes)
	}
	if len(o.ranges) != 2 || o.ranges[0] != "" || !strings.HasPrefix(o.ranges[1], "bytes=") {
		t.Errorf("ranges asked for: %q", o.ranges)
	}
}

// leavePart breaks off a fetch so that a .part file stays behind.
func (o *origin) leavePart(t *testing.T, dir string) {
	t.Helper()
	o.cutAfter.Store(100_000)
	err := o.fetch(dir, FetchOptions{Attempts: 1})
	wantError(t, err, errAgain, "images.gz", "copy the files by hand to "+dir)
	wantFiles(t, dir, "images.gz.part", "images.gz.part.json")
	o.requests.Store(0)
	o.bodyBytes.Store(0)
	o.ranges = nil
}

func TestFetchResumesInTheNextCall(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.leavePart(t, dir)
	if err := o.fetch(dir, FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	o.wantPlaced(t, dir)
	if n := o.bodyBytes.Load(); o.requests.Load() != 1 || n >= o.file.Bytes || n == 0 {
		t.Errorf("%d requests sent %d bytes: not resumed", o.requests.Load(), n)
	}
}

func TestFetchStartsOver(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, o *origin, part string){
		"the server knows no ranges":    func(t *testing.T, o *origin, part string) { o.noRanges = true },
		"the server's file has changed": func(t *testing.T, o *origin, part string) { o.etag = `"two"` },
		"the part is too large": func(t *testing.T, o *origin, part string) {
			write(t, part, make([]byte, len(o.packed)+10))
		},
		"the part is absurdly large": func(t *testing.T, o *origin, part string) {
			write(t, part, make([]byte, 2*len(o.packed)+3<<20))
		},
		"the part has other bytes": func(t *testing.T, o *origin, part string) {
			write(t, part, bytes.Repeat([]byte("x"), 5000))
		},
		"the part is full of other bytes": func(t *testing.T, o *origin, part string) {
			write(t, part, make([]byte, len(o.packed)))
		},
		"nobody knows where the part is from": func(t *testing.T, o *origin, part string) {
			if err := os.Remove(part + ".json"); err != nil {
				t.Fatal(err)
			}
		},
		"the note beside the part is damaged": func(t *testing.T, o *origin, part string) {
			write(t, part+".json", []byte("{"))
		},
		"the answer has another range": func(t *testing.T, o *origin, part string) {
			o.replies = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("Range") == "" {
					return false
				}
				w.Header().Set("Content-Range", "bytes 0-99/300000")
				w.WriteHeader(http.StatusPartialContent)
				w.Write(o.packed[:100])
				return true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := newOrigin(t), t.TempDir()
			o.leavePart(t, dir)
			prepare(t, o, filepath.Join(dir, "images.gz.part"))
			if err := o.fetch(dir, FetchOptions{}); err != nil {
				t.Fatal(err)
			}
			o.wantPlaced(t, dir)
		})
	}
}

// A part that was complete when the program stopped only needs the check.
func TestFetchCompletePart(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.leavePart(t, dir)
	write(t, filepath.Join(dir, "images.gz.part"), o.packed)
	if err := o.fetch(dir, FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	o.wantPlaced(t, dir)
	if n := o.bodyBytes.Load(); n > 1000 {
		t.Errorf("%d bytes sent", n)
	}
}

func TestFetchWrongContent(t *testing.T) {
	for name, content := range map[string][]byte{
		"other data":      gzipped(make([]byte, 300_000)),
		"too short":       gzipped([]byte("short")),
		"a page":          []byte("<html>Please log in</html>"),
		"damaged":         append(bytes.Clone(newOriginContent), make([]byte, 100)...),
		"truncated":       newOriginContent[:len(newOriginContent)-9],
		"empty":           {},
		"a bomb":          gzipped(make([]byte, 1<<24)),
		"endless trailer": make([]byte, 3<<20),
	} {
		t.Run(name, func(t *testing.T) {
			o, dir := newOrigin(t), t.TempDir()
			o.packed = content
			err := o.fetch(dir, FetchOptions{})
			wantError(t, err, nil, o.URL, "copy the files by hand")
			if name != "endless trailer" && !isContentError(err) {
				t.Errorf("%q is not about the content", err)
			}
			wantFiles(t, dir)
		})
	}
}

var newOriginContent = gzipped([]byte(strings.Repeat("content ", 5000)))

func TestFetchStatus(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.replies = func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
	err := o.fetch(dir, FetchOptions{})
	wantError(t, err, nil, o.file.URLs[0], "404 Not Found")
	if n := o.requests.Load(); n != 1 {
		t.Errorf("%d requests; a missing file is not worth a second", n)
	}
	wantFiles(t, dir)

	// A busy server is.
	busy := true
	o.replies = func(w http.ResponseWriter, r *http.Request) bool {
		if busy {
			busy = false
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	if err := o.fetch(dir, FetchOptions{}); err != nil {
		t.Error(err)
	}
	o.wantPlaced(t, dir)
}

func TestFetchNextMirror(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	if err := o.fetch(dir, FetchOptions{Mirrors: []string{unreachable(), broken.URL + "/", o.URL}}); err != nil {
		t.Fatal(err)
	}
	o.wantPlaced(t, dir)
}

// unreachable is the address of a server that has gone.
func unreachable() string {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	return s.URL
}

func TestFetchWithoutNetwork(t *testing.T) {
	dir := t.TempDir()
	gone := unreachable()
	err := Fetch(context.Background(), "fashion-mnist", dir, FetchOptions{Mirrors: []string{gone}})
	wantError(t, err, ErrUnreachable, "cannot reach "+strings.TrimPrefix(gone, "http://"), "by hand to "+filepath.Join(dir, "fashion-mnist"),
		"t10k-labels-idx1-ubyte.gz", "apt install dataset-fashion-mnist")
	wantFiles(t, filepath.Join(dir, "fashion-mnist"))
}

func TestFetchNothingToFetch(t *testing.T) {
	for _, name := range []string{"fashion-mnist-mini", "sphere", "nothing"} {
		err := Fetch(context.Background(), name, t.TempDir(), FetchOptions{})
		wantRequestError(t, err, "name", name)
	}
}

func TestFetchUnwritableFolder(t *testing.T) {
	o := newOrigin(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	if err := o.fetch(file, FetchOptions{}); err == nil {
		t.Error("a file as the folder was accepted")
	}
}

func TestFetchCancelAndResume(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o.replies = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(o.packed)))
		w.Header().Set("ETag", o.etag)
		w.Write(o.packed[:150_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	progress := func(_ string, done, _ int64) {
		if done >= 150_000 {
			cancel()
		}
	}
	err := fetchFiles(ctx, []File{o.file}, dir, FetchOptions{Progress: progress})
	wantError(t, err, context.Canceled, "images.gz.part", "resumed")
	wantFiles(t, dir, "images.gz.part", "images.gz.part.json")

	o.replies = nil
	if err := o.fetch(dir, FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	o.wantPlaced(t, dir)
	if n := o.bodyBytes.Load(); n != o.file.Bytes-150_000 {
		t.Errorf("%d bytes sent after the cancelled 150,000 of %d", n, o.file.Bytes)
	}
}

// A server that falls silent is given up after Idle, before or in the body.
func TestFetchIdle(t *testing.T) {
	for _, started := range []bool{false, true} {
		o, dir := newOrigin(t), t.TempDir()
		o.replies = func(w http.ResponseWriter, r *http.Request) bool {
			if started {
				w.Write(o.packed[:1000])
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			return true
		}
		err := o.fetch(dir, FetchOptions{Idle: 50 * time.Millisecond, Attempts: 2})
		if started {
			wantError(t, err, errAgain, "no data for 50ms")
		} else {
			wantError(t, err, ErrUnreachable, "no answer for 50ms")
		}
	}
}

func TestFetchConcurrently(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := o.fetch(dir, FetchOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	o.wantPlaced(t, dir)
	if n := o.requests.Load(); n != 1 {
		t.Errorf("%d requests for one file", n)
	}
}

// The catalogue's sums are those of the real files, and a fetch from a mirror
// of them fills a folder in which they are found.
func TestFetchRealFiles(t *testing.T) {
	entry := fashionFull()
	paths, err := Locate(entry, "")
	if err != nil {
		loadOrSkip(t, Request{Name: "fashion-mnist"})
	}
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i, f := range entry.Files {
			if r.URL.Path == "/"+f.Name {
				http.ServeFile(w, r, paths[i])
				return
			}
		}
		http.NotFound(w, r)
	}))
	defer mirror.Close()
	dir := t.TempDir()
	if err := Fetch(context.Background(), "fashion-mnist", dir, FetchOptions{Mirrors: []string{mirror.URL}}); err != nil {
		t.Fatal(err)
	}
	if got, err := Locate(entry, dir); err != nil || len(got) != 4 {
		t.Errorf("found %v, %v", got, err)
	}
	wantFiles(t, filepath.Join(dir, "fashion-mnist"), "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
		"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
}

func TestCatalogue(t *testing.T) {
	for _, e := range Catalogue() {
		if e.Name == "" || e.Description == "" || e.Licence == "" || e.load == nil {
			t.Errorf("incomplete entry %+v", e)
		}
		var sum int64
		for _, f := range e.Files {
			sum += f.Bytes
			if len(f.SHA256) != 64 || len(f.URLs) == 0 || f.Bytes <= 0 || f.Packed != (f.Raw == 0) {
				t.Errorf("%s: incomplete file %+v", e.Name, f)
			}
		}
		if sum != e.Bytes {
			t.Errorf("%s: %d bytes, its files have %d", e.Name, e.Bytes, sum)
		}
	}
}
