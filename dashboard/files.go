package dashboard

import (
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The files that a run and a point offer, and what browsers are told they are:
// never anything that they would run.
var (
	runFiles   = []string{"experiment.yaml", "results.csv", "results.parquet", "runtime.csv", "report.html"}
	pointFiles = []string{"point.yaml", "status.json", "result.json", "history.parquet", "model.safetensors"}
	fileTypes  = map[string]string{".csv": "text/csv; charset=utf-8", ".json": "application/json", ".yaml": "text/plain; charset=utf-8",
		".log": "text/plain; charset=utf-8", ".png": "image/png", ".pdf": "application/pdf"}
)

// offered says whether name, a path inside a run directory with slashes, is one of
// its files. Only a point that the run has is a folder of it.
func (r *run) offered(name string) bool {
	parts := strings.Split(name, "/")
	switch {
	case len(parts) == 1:
		return slices.Contains(runFiles, name)
	case len(parts) == 2 && parts[0] == "figures":
		return isFigure(parts[1])
	case len(parts) == 3 && parts[0] == "points":
		return r.has(parts[1]) && (slices.Contains(pointFiles, parts[2]) || isLog(parts[2]))
	case len(parts) == 4 && parts[0] == "slurm" && parts[2] == "logs":
		return plainName(parts[1]) && isLog(parts[3])
	}
	return false
}

// files are those of the run itself that are there.
func (r *run) files() []string {
	there := []string{}
	for _, name := range runFiles {
		if info, err := os.Lstat(filepath.Join(r.path, name)); err == nil && info.Mode().IsRegular() {
			there = append(there, name)
		}
	}
	return there
}

func isFigure(name string) bool {
	switch path.Ext(name) {
	case ".svg", ".pdf", ".png", ".csv":
		return plainName(name)
	}
	return false
}

func isLog(name string) bool { return path.Ext(name) == ".log" && plainName(name) }

// plainName is a file's name as this program makes them.
func plainName(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.,=+", c))
	})
}

// openFile opens a file that the run offers. No link that leaves the run directory
// is followed.
func (r *run) openFile(name string) (*os.File, error) {
	if !r.offered(name) {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// To open a pipe would wait for its writer otherwise.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(fs.ErrNotExist, err)
	}
	return f, nil
}

// longestDownload is how long a file may take to its reader.
const longestDownload = time.Hour

// serveFile sends a file of a run, to be saved and not to be shown.
func (s *Server) serveFile(w http.ResponseWriter, req *http.Request, r *run) {
	name := req.PathValue("file")
	f, err := r.openFile(name)
	if err != nil {
		refusal(w, http.StatusNotFound, "The run has no such file, or it is a link that leads out of the run directory.")
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		refusal(w, http.StatusNotFound, "The file cannot be read.")
		return
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longestDownload))
	kind := fileTypes[path.Ext(name)]
	if kind == "" {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": downloadName(name)}))
	http.ServeContent(w, req, "", info.ModTime(), f)
}

// downloadName tells the result.json of one point from that of another.
func downloadName(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) == 3 {
		return parts[1] + "-" + parts[2]
	}
	return parts[len(parts)-1]
}
