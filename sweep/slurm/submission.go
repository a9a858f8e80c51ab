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
	"regexp"
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
	// Job is the array's number, for people; empty until sbatch has said it.
	Job string `json:"job,omitempty"`

	number int
}

// arrived says that Slurm is known to have taken the submission.
func (s submission) arrived(dir *rundir.Dir) bool {
	if s.Job != "" {
		return true
	}
	logs, err := os.ReadDir(filepath.Join(submissionPath(dir, s.number), "logs"))
	return err == nil && len(logs) > 0
}

func submissionPath(dir *rundir.Dir, number int) string {
	return filepath.Join(dir.Path, folder, strconv.Itoa(number))
}

// Submissions are the job arrays of a run, in order.
type Submissions struct {
	dir *rundir.Dir
	all []submission
	// tasks are those that had a point, by its name, in order.
	tasks map[string][]place
	early map[place]bool // what endedEarly has found
}

// place is a task of the submission at that index.
type place struct{ submission, task int }

// ReadSubmissions reads those of the run.
func ReadSubmissions(dir *rundir.Dir) (Submissions, error) {
	entries, err := os.ReadDir(filepath.Join(dir.Path, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Submissions{}, err
	}
	subs := Submissions{dir: dir, tasks: map[string][]place{}, early: map[place]bool{}}
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
	for i, s := range subs.all {
		if !s.arrived(dir) {
			continue
		}
		for task, names := range s.Tasks {
			for _, name := range names {
				subs.tasks[name] = append(subs.tasks[name], place{i, task})
			}
		}
	}
	return subs, nil
}

// lastTask is the task that had the point last.
func (s Submissions) lastTask(point string) (place, bool) {
	all := s.tasks[point]
	if len(all) == 0 {
		return place{}, false
	}
	return all[len(all)-1], true
}

// LastTask names the task that had the point last as Slurm's commands do, or as a file of
// the run where the job's number was lost; ok says that there is one.
func (s Submissions) LastTask(point string) (name string, ok bool) {
	at, ok := s.lastTask(point)
	if !ok {
		return "", false
	}
	if job := s.all[at.submission].Job; job != "" {
		return fmt.Sprintf("job %s_%d", job, at.task), true
	}
	return "the job of " + s.logFile(at), true
}

// cancelled is what slurmstepd writes into the log of a task that it ends.
var cancelled = regexp.MustCompile(`^slurmstepd.*\*\*\* .* CANCELLED AT `)

// EarlyEnds counts the tasks, of those that had the point the last ones in a row, which
// ended before any of their points was begun: a command of the setup failed, or the
// program did not start. The point has to be in no task that waits or runs.
func (s Submissions) EarlyEnds(point string) int {
	n := 0
	for _, at := range slices.Backward(s.tasks[point]) {
		if !s.endedEarly(at) {
			break
		}
		n++
	}
	return n
}

// endedEarly says so of a task that has ended. One that never ran has no log, and one that
// scancel, a time limit or the like ended has Slurm's word for it there.
func (s Submissions) endedEarly(at place) bool {
	if early, known := s.early[at]; known {
		return early
	}
	last, err := lastLines(s.logPath(at), 5)
	early := err == nil && !slices.ContainsFunc(last, cancelled.MatchString) && !slices.ContainsFunc(s.all[at.submission].Tasks[at.task], s.dir.Begun)
	s.early[at] = early
	return early
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

// lastNumber is that of the last submission, 0 if there is none to be seen.
func lastNumber(dir *rundir.Dir) int {
	all, _ := os.ReadDir(filepath.Join(dir.Path, folder))
	number := 0
	for _, e := range all {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			number = max(number, n)
		}
	}
	return number
}

// newSubmission makes the folder of the next one, with that of its logs. A number is that
// of one submission, also of two processes that submit at the same time.
func newSubmission(dir *rundir.Dir) (int, error) {
	number := lastNumber(dir)
	if err := os.MkdirAll(filepath.Join(dir.Path, folder), 0o755); err != nil {
		return 0, &rundir.WriteError{Path: filepath.Join(dir.Path, folder), Err: err}
	}
	for {
		number++
		path := submissionPath(dir, number)
		err := os.Mkdir(path, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			path = filepath.Join(path, "logs")
			err = os.Mkdir(path, 0o755)
		}
		if err != nil {
			return 0, &rundir.WriteError{Path: path, Err: err}
		}
		return number, nil
	}
}

// keepProgram copies the program beside the run: `go run` deletes its own, and an
// upgrade while jobs wait would mix two versions.
func keepProgram(dir *rundir.Dir, program, name string) (string, error) {
	path, data, err := programCopy(dir, program, name)
	if err != nil {
		return "", err
	}
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

// programCopy is where the program is kept, and its content.
func programCopy(dir *rundir.Dir, program, name string) (path string, data []byte, err error) {
	if data, err = os.ReadFile(program); err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(data)
	return filepath.Join(dir.Path, folder, "program", hex.EncodeToString(sum[:6]), name), data, nil
}

// LogFiles returns the log of the task that had each point last, as a path inside the
// run directory with slashes. That there are such files is not said.
func (s Submissions) LogFiles() map[string]string {
	files := map[string]string{}
	for point := range s.tasks {
		at, _ := s.lastTask(point)
		files[point] = s.logFile(at)
	}
	return files
}

// logFile is as in LogFiles.
func (s Submissions) logFile(at place) string {
	return path.Join(folder, strconv.Itoa(s.all[at.submission].number), "logs", strconv.Itoa(at.task)+".log")
}

func (s Submissions) logPath(at place) string {
	return filepath.Join(s.dir.Path, filepath.FromSlash(s.logFile(at)))
}

// Log returns the last lines of the log of the task that had the point last, and its
// path; none if there is no such log.
func (s Submissions) Log(point string, lines int) (file string, last []string) {
	at, ok := s.lastTask(point)
	if !ok {
		return "", nil
	}
	file = s.logPath(at)
	last, _ = lastLines(file, lines)
	return file, last
}

func lastLines(file string, lines int) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return rundir.LastLines(f, lines), nil
}
