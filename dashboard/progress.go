package dashboard

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sobolev/rundir"
)

// What a state lists at most; the rest is a number.
const (
	mostListed = 200
	mostLatest = 12
	mostLogs   = 20
	logLines   = 5
)

// state is a run as a reader sees it at a moment: the data of an event.
type state struct {
	Name   string         `json:"name"`
	Path   string         `json:"path"`
	InUse  bool           `json:"in_use"`
	Points int            `json:"points"`
	Counts map[string]int `json:"counts"` // by Record.Standing, and "damaged"
	// Done is the number of points that have ended, running ones by their share of
	// steps, and Left the seconds to the end at this pace, null when nothing tells.
	Done float64  `json:"done"`
	Left *float64 `json:"left"`
	// Standings and Remaining are Counts and Left in words.
	Standings  string      `json:"standings"`
	Remaining  string      `json:"remaining"`
	Iterations int         `json:"iterations"`
	Running    []doing     `json:"running"`
	Failed     []failure   `json:"failed"`
	Latest     []outcome   `json:"latest"`
	Files      []string    `json:"files"`
	Problem    string      `json:"problem,omitempty"`
	Report     reportState `json:"report"`
}

type label struct {
	Point        string  `json:"point"`
	Method       string  `json:"method,omitempty"`
	LearningRate float64 `json:"learning_rate"`
	BatchSize    int     `json:"batch_size"`
	Repetition   int     `json:"repetition"`
}

func labelOf(p *point) label {
	l := label{Point: p.Name, LearningRate: p.Point.LearningRate, BatchSize: p.Point.BatchSize, Repetition: p.Point.Repetition}
	if p.Point.Method != "sgd" {
		l.Method = p.Point.Method
	}
	return l
}

// doing is a point at work, or one that was interrupted.
type doing struct {
	label
	Standing string  `json:"standing"`
	Steps    int     `json:"steps"`
	Seconds  float64 `json:"seconds"`
	Attempts int     `json:"attempts"`
	Host     string  `json:"host"`
	Log      *logEnd `json:"log,omitempty"`
}

// failure is a point that an error ended, or whose files cannot be read.
type failure struct {
	label
	Standing string  `json:"standing"`
	Error    string  `json:"error"`
	Log      *logEnd `json:"log,omitempty"`
}

// logEnd is the end of what the job wrote that had a point last.
type logEnd struct {
	File string   `json:"file"`
	Last []string `json:"last"`
}

type outcome struct {
	label
	Outcome string    `json:"outcome"`
	At      time.Time `json:"at"`
}

// state sums up the run for its page.
func (r *run) state() state {
	s := r.progress()
	s.Report, s.Files = r.built.state(), r.files()
	r.addLogs(&s)
	return s
}

// addLogs shows of the first points that failed or were left what their jobs wrote.
func (r *run) addLogs(s *state) {
	if r.logs == nil {
		return
	}
	var ends []**logEnd
	var points []string
	for i := range s.Failed {
		ends, points = append(ends, &s.Failed[i].Log), append(points, s.Failed[i].Point)
	}
	for i := range s.Running {
		if s.Running[i].Standing == "interrupted" {
			ends, points = append(ends, &s.Running[i].Log), append(points, s.Running[i].Point)
		}
	}
	if len(points) == 0 {
		return
	}
	logs := r.logs(r.path)
	for i, point := range points[:min(len(points), mostLogs)] {
		if file := logs[point]; file != "" {
			*ends[i] = r.endOf(file)
		}
	}
}

// endOf is nil where the run offers no such file.
func (r *run) endOf(file string) *logEnd {
	f, err := r.openFile(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	return &logEnd{file, rundir.LastLines(f, logLines)}
}

// progress is what of a state needs no look at the disk.
func (r *run) progress() state {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := state{Name: r.name(), Path: r.label, InUse: r.inUse, Counts: map[string]int{}, Iterations: r.cfg.SGD.Iterations,
		Running: []doing{}, Failed: []failure{}, Latest: []outcome{}, Problem: cmp.Or(r.problem, r.unread)}
	s.Points = r.total()
	s.Counts["pending"] = s.Points - len(r.points)
	for _, p := range r.points {
		standing := p.standing(r.inUse)
		s.Counts[standing]++
		switch standing {
		case "running", "interrupted":
			s.Running = append(s.Running, doing{labelOf(p), standing, p.Status.Steps, p.Status.Seconds, p.Status.Attempts, p.Status.Host, nil})
		case "failed":
			s.Failed = append(s.Failed, failure{labelOf(p), standing, p.Status.Error, nil})
		case "damaged":
			s.Failed = append(s.Failed, failure{labelOf(p), standing, p.problem, nil})
		}
	}
	s.Standings = inWords(s.Counts)
	s.estimate(r)
	slices.SortFunc(s.Running, func(a, b doing) int { return cmp.Compare(a.Point, b.Point) })
	slices.SortFunc(s.Failed, func(a, b failure) int { return cmp.Compare(a.Point, b.Point) })
	s.Running = s.Running[:min(len(s.Running), mostListed)]
	s.Failed = s.Failed[:min(len(s.Failed), mostListed)]
	for _, e := range r.latest {
		if p := r.points[e.name]; p != nil {
			s.Latest = append(s.Latest, outcome{labelOf(p), e.outcome, e.at})
		}
	}
	return s
}

func (p *point) standing(inUse bool) string {
	switch {
	case p.problem != "":
		return "damaged"
	case p.outcome == "finished", p.outcome == "diverged":
		return p.outcome
	}
	return p.Standing(inUse)
}

// name is that of the experiment, or of the folder while that is not known.
func (r *run) name() string {
	if r.cfg.Name != "" {
		return r.cfg.Name
	}
	return r.label
}

// total counts the points of the grid and those that have left it but are there.
func (r *run) total() int {
	n := len(r.grid)
	for name := range r.points {
		if !r.grid[name] {
			n++
		}
	}
	return n
}

// standings are the keys of Counts, in the order in which a reader is told of them.
var standings = []string{"running", "finished", "diverged", "failed", "damaged", "interrupted", "pending"}

// inWords says how many points stand how: "1 running, 4 finished".
func inWords(counts map[string]int) string {
	var words []string
	for _, standing := range standings {
		if n := counts[standing]; n > 0 {
			words = append(words, fmt.Sprint(n, " ", standing))
		}
	}
	return strings.Join(words, ", ")
}

// duration is a time as short as it is known; live.js writes it so, too.
func duration(seconds float64) string {
	number := func(in float64) string { return strconv.FormatFloat(in, 'f', -1, 64) }
	switch {
	case seconds < 90:
		return number(math.Round(seconds)) + " s"
	case seconds < 90*60:
		return number(math.Round(seconds/60)) + " min"
	case seconds < 48*3600:
		return number(math.Round(seconds/360)/10) + " h"
	}
	return number(math.Round(seconds/8640)/10) + " days"
}

// estimate sets Done, Left and Remaining: a point takes as long as those that have
// ended did on average, and as many go on at once as are running now. Until one has
// ended nobody knows when the stop rules hold: it is an upper bound.
func (s *state) estimate(r *run) {
	var seconds, share float64 // of the points that ended; of those that run
	var ended, running, rate float64
	for _, p := range r.points {
		switch p.standing(r.inUse) {
		case "finished", "diverged":
			seconds += p.Status.Seconds
			ended++
		case "failed", "damaged":
			s.Done++
		case "running":
			part := 0.0
			if r.cfg.SGD.Iterations > 0 {
				part = min(1, float64(p.Status.Steps)/float64(r.cfg.SGD.Iterations))
			}
			running++
			share += part
			if part > 0 {
				rate = max(rate, p.Status.Seconds/part)
			}
		}
	}
	left := float64(s.Points) - s.Done - ended - share
	s.Done += ended + share
	each, about := seconds/ended, "about " // NaN without any
	if ended == 0 {
		each, about = rate, "at most "
	}
	if estimate := each * left / running; running > 0 && each > 0 && !math.IsInf(estimate, 0) {
		s.Left, s.Remaining = &estimate, about+duration(estimate)+" left"
	}
}

// summary is a run as a row of the index.
type summary struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Path   string         `json:"path"`
	Known  bool           `json:"known"`
	Points int            `json:"points"`
	Counts map[string]int `json:"counts"`
	Done   float64        `json:"done"`
	// State says how the points stand, and Remaining how long they take.
	State     string `json:"state"`
	Remaining string `json:"remaining"`
	Error     string `json:"error,omitempty"`
}

func (r *run) summary() summary {
	s := r.progress()
	sum := summary{ID: r.id, Name: s.Name, Path: s.Path, Points: s.Points, Counts: s.Counts, Done: s.Done, State: s.Standings, Remaining: s.Remaining, Error: s.Problem}
	r.mu.Lock()
	sum.Known = r.known
	r.mu.Unlock()
	if !sum.Known {
		sum.State = "being read"
	}
	return sum
}

// Ended is the number of points that have ended, however.
func (s summary) Ended() int {
	return s.Counts["finished"] + s.Counts["diverged"] + s.Counts["failed"] + s.Counts["damaged"]
}
