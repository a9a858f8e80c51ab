package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// origin is a server of one file that counts and can misbehave.
type origin struct {
	*httptest.Server
	file   File
	packed []byte

	etag      string
	cutAfter  atomic.Int64 // break the connection after this many body bytes, once; 0: never
	noRanges  bool
	replies   func(w http.ResponseWriter, r *http.Request) bool // true: handled
	requests  atomic.Int64
	bodyBytes atomic.Int64
	mu        sync.Mutex
	ranges    []string
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	rng := rand.New(rand.NewPCG(9, 9))
	raw := make([]byte, 300_000)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	sum := sha256.Sum256(raw)
	packed := gzipped(raw)
	return serve(t, packed, File{Name: "images.gz", SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(packed)), Raw: int64(len(raw))})
}

// serve is a server of one packed file; its URL is filled in.
func serve(t *testing.T, packed []byte, f File) *origin {
	t.Helper()
	o := &origin{packed: packed, file: f, etag: `"one"`}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	o.file.URLs = []string{o.URL + "/" + f.Name}
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	o.mu.Lock()
	o.ranges = append(o.ranges, r.Header.Get("Range"))
	o.mu.Unlock()
	if o.replies != nil && o.replies(w, r) {
		return
	}
	if o.noRanges {
		r.Header.Del("Range")
	}
	w.Header().Set("ETag", o.etag)
	body := &cutWriter{ResponseWriter: w, left: o.cutAfter.Swap(0), o: o}
	http.ServeContent(body, r, o.file.Name, time.Time{}, bytes.NewReader(o.packed))
}

// cutWriter aborts the connection after left bytes (if left > 0).
type cutWriter struct {
	http.ResponseWriter
	left int64
	o    *origin
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if c.left > 0 && int64(len(p)) >= c.left {
		n, _ := c.ResponseWriter.Write(p[:c.left])
		c.o.bodyBytes.Add(int64(n))
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	n, err := c.ResponseWriter.Write(p)
	c.o.bodyBytes.Add(int64(n))
	if c.left > 0 {
		c.left -= int64(n)
	}
	return n, err
}

func (o *origin) fetch(dir string, opt FetchOptions) error {
	return fetchFiles(context.Background(), []File{o.file}, dir, opt)
}

// wantPlaced checks that the file is there, verifies, and is alone.
func (o *origin) wantPlaced(t *testing.T, dir string) {
	t.Helper()
	if err := o.file.Verify(context.Background(), filepath.Join(dir, o.file.Name)); err != nil {
		t.Error(err)
	}
	wantFiles(t, dir, o.file.Name)
}

// wantFiles checks the content of a folder, the lock apart.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.Name() != ".lock" {
			got = append(got, e.Name())
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("files %v, want %v", got, want)
	}
}
