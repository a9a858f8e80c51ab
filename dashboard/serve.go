package dashboard

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/hex"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"sobolev/report"
)

//go:embed live.js live.css
var webFiles embed.FS

// static are the files that all pages share, by name.
var static = map[string]*resource{
	"report.css": newResource(report.Style()), "report.js": newResource(report.Script()),
	"live.css": newResource(embedded("live.css")), "live.js": newResource(embedded("live.js")),
}

func embedded(name string) []byte {
	data, err := webFiles.ReadFile(name)
	if err != nil {
		panic("dashboard: " + err.Error())
	}
	return data
}

// address is that of a static file, with its content's hash: it may be kept for ever.
func address(name string) string {
	return "/static/" + name + "?v=" + static[name].version()
}

func (r *resource) version() string { return hex.EncodeToString(digest(r.etag)[:6]) }

func serveStatic(w http.ResponseWriter, req *http.Request) {
	name := req.PathValue("name")
	r, ok := static[name]
	if !ok {
		refusal(w, http.StatusNotFound, "There is no such file.")
		return
	}
	if req.URL.Query().Get("v") == r.version() {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	kind := "text/javascript; charset=utf-8"
	if path.Ext(name) == ".css" {
		kind = "text/css; charset=utf-8"
	}
	serve(w, req, r, kind)
}

// longestPage is how long a page may take to its reader.
const longestPage = time.Minute

// serve sends a resource, compressed where the browser takes that, or says that it
// has not changed.
func serve(w http.ResponseWriter, req *http.Request, r *resource, kind string) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longestPage))
	h := w.Header()
	h.Set("ETag", r.etag)
	h.Set("Vary", "Accept-Encoding")
	for tag := range strings.SplitSeq(req.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == r.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", kind)
	if acceptsGzip(req) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(r.gzip)))
		if req.Method != http.MethodHead {
			w.Write(r.gzip)
		}
		return
	}
	if plain, err := gzip.NewReader(bytes.NewReader(r.gzip)); err == nil && req.Method != http.MethodHead {
		io.Copy(w, plain)
	}
}

func acceptsGzip(req *http.Request) bool {
	for coding := range strings.SplitSeq(req.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" {
			return !strings.Contains(quality, "q=0") || strings.Contains(quality, "q=0.")
		}
	}
	return false
}
