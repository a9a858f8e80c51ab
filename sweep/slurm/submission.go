package slurm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"sobolev/rundir"
)

const folder = "slurm"

// submission is one job array of a run.
type submission struct {
	Format int `json:"format"`
	// Name is the array's, which no other has: it finds the array again even if its
	// number was lost.
	Name string `json:"name"`
	// Tasks are the names of each task's points.
	Tasks [][]string `json:"tasks"`

	number int
}

func submissionPath(dir *rundir.Dir, number int) string {
	return filepath.Join(dir.Path, folder, strconv.Itoa(number))
}

// Submissions are the job arrays of a run, in order.
type Submissions struct {
	dir  *rundir.Dir
	all  []submission
	last map[string]place
}

// place is the task that had a point last.
type place struct{ submission, task int }

// ReadSubmissions reads those of the run.
func ReadSubmissions(dir *rundir.Dir) (Submissions, error) {
	entries, err := os.ReadDir(filepath.Join(dir.Path, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Submissions{}, err
	}
	subs := Submissions{dir: dir, last: map[string]place{}}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		s, err := readSubmission(dir, n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // never submitted
		}
		if err != nil {
			return Submissions{}, err
		}
		subs.all = append(subs.all, s)
	}
	slices.SortFunc(subs.all, func(a, b submission) int { return a.number - b.number })
	for _, s := range subs.all {
		for task, names := range s.Tasks {
			for _, name := range names {
				subs.last[name] = place{s.number, task}
			}
		}
	}
	return subs, nil
}

func readSubmission(dir *rundir.Dir, number int) (submission, error) {
	path := filepath.Join(submissionPath(dir, number), "submission.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return submission{}, err
	}
	s := submission{number: number}
	if err := json.Unmarshal(data, &s); err != nil || s.Format != rundir.Format {
		return s, fmt.Errorf("%s: damaged, or of another version (%v); cancel its jobs with scancel and delete its folder", path, err)
	}
	return s, nil
}

// TaskPoints returns the points of a task that are still in the grid.
func TaskPoints(dir *rundir.Dir, number, task int) ([]rundir.Point, error) {
	s, err := readSubmission(dir, number)
	if err != nil {
		return nil, err
	}
	if task < 0 || task >= len(s.Tasks) {
		return nil, fmt.Errorf("submission %d of %s has the tasks 0 to %d, not %d", number, dir.Path, len(s.Tasks)-1, task)
	}
	mine := map[string]bool{}
	for _, name := range s.Tasks[task] {
		mine[name] = true
	}
	return slices.DeleteFunc(dir.Config.Points(), func(p rundir.Point) bool { return !mine[p.Name()] }), nil
}

// newSubmission makes the folder of the next one, with that of its logs.
func newSubmission(dir *rundir.Dir) (int, error) {
	all, err := os.ReadDir(filepath.Join(dir.Path, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	number := 0
	for _, e := range all {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			number = max(number, n)
		}
	}
	number++
	path := filepath.Join(submissionPath(dir, number), "logs")
	if err := os.MkdirAll(path, 0o755); err != nil {
		return 0, &rundir.WriteError{Path: path, Err: err}
	}
	return number, nil
}

// keepProgram copies the program beside the run: `go run` deletes its own, and an
// upgrade while jobs wait would mix two versions.
func keepProgram(dir *rundir.Dir, program, name string) (string, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	path := filepath.Join(dir.Path, folder, "program", hex.EncodeToString(sum[:6]), name)
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(data)) && info.Mode()&0o100 != 0 {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", &rundir.WriteError{Path: path, Err: err}
	}
	if err := rundir.WriteFile(path, data); err != nil {
		return "", err
	}
	return path, os.Chmod(path, 0o755)
}

// LogFiles returns the log of the task that had each point last, as a path inside the
// run directory with slashes. That there are such files is not said.
func (s Submissions) LogFiles() map[string]string {
	files := map[string]string{}
	for point, at := range s.last {
		files[point] = at.logFile()
	}
	return files
}

func (p place) logFile() string {
	return path.Join(folder, strconv.Itoa(p.submission), "logs", strconv.Itoa(p.task)+".log")
}

// Log returns the last lines of the log of the task that had the point last, and its
// path; none if there is no such log.
func (s Submissions) Log(point string, lines int) (file string, last []string) {
	at, ok := s.last[point]
	if !ok {
		return "", nil
	}
	file = filepath.Join(s.dir.Path, filepath.FromSlash(at.logFile()))
	f, err := os.Open(file)
	if err != nil {
		return file, nil
	}
	defer f.Close()
	return file, rundir.LastLines(f, lines)
}
