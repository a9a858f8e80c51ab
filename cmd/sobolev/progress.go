package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
	"sobolev/rundir"
)

// plainInterval is the time between two lines of progress where there is no
// terminal to draw a bar on.
const plainInterval = 30 * time.Second

// observer shows the progress of a sweep: a bar on a terminal, lines otherwise.
type observer struct {
	out        io.Writer
	quiet      bool
	iterations int

	mu       sync.Mutex
	bars     *mpb.Progress // nil without a terminal
	bar      *mpb.Bar
	points   int
	ended    int
	began    time.Time
	lastLine time.Time
	first    map[string]int // steps of a running point when this sweep first heard of it
	steps    map[string]int // steps of the running points
	finished int            // steps that this sweep did on points that have ended
	share    float64        // of the iterations, done by this sweep on ended points
}

func newObserver(out io.Writer, quiet bool, iterations int) *observer {
	o := &observer{out: out, quiet: quiet, iterations: iterations, first: map[string]int{}, steps: map[string]int{}}
	if !quiet {
		o.bars = newBars(out)
	}
	return o
}

// newBars returns bars on a terminal, nil on anything else.
func newBars(out io.Writer) *mpb.Progress {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	// Some terminals do not know their width; a bar of no width shows nothing.
	if width, _, err := term.GetSize(int(f.Fd())); err != nil || width <= 0 {
		return nil
	}
	return mpb.New(mpb.WithOutput(f), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
}

// barUnits is the length of the bar for one point.
const barUnits = 1000

// The methods below change the counts under the lock and draw without it: the
// bars ask for the counts from a goroutine of their own, which would wait for
// ever for a lock that is held while waiting for the bars.

func (o *observer) Begin(points, done int) {
	o.mu.Lock()
	o.points, o.ended = points, done
	o.began = time.Now()
	o.lastLine = o.began
	o.mu.Unlock()
	if o.bars != nil {
		o.bar = o.bars.AddBar(int64(points)*barUnits,
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return o.count() })),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return o.speed() })))
		o.bar.SetCurrent(int64(done) * barUnits)
	}
	if done > 0 {
		o.line("%d of %d points are done already", done, points)
	}
}

func (o *observer) Progress(p rundir.Point, steps int) {
	name := p.Name()
	o.mu.Lock()
	if _, ok := o.first[name]; !ok {
		o.first[name] = steps
	}
	o.steps[name] = steps
	at := o.position()
	due := o.bars == nil && time.Since(o.lastLine) >= plainInterval
	text := ""
	if due {
		o.lastLine = time.Now()
		text = fmt.Sprintf("%d/%d points, %s", o.ended, o.points, o.rate())
	}
	o.mu.Unlock()
	if o.bar != nil {
		o.bar.SetCurrent(int64(at * barUnits))
	}
	if due {
		o.line("%s", text)
	}
}

func (o *observer) End(p rundir.Point, err error) {
	name := p.Name()
	o.mu.Lock()
	steps := o.steps[name]
	o.finished += steps - o.first[name]
	o.share += 1 - float64(o.first[name])/float64(o.iterations)
	delete(o.first, name)
	delete(o.steps, name)
	o.ended++
	at := o.position()
	text := fmt.Sprintf("%d/%d %s: %d steps; %s", o.ended, o.points, name, steps, o.rate())
	o.mu.Unlock()
	if o.bar != nil {
		o.bar.SetCurrent(int64(at * barUnits))
	}
	switch {
	case err != nil:
		o.line("%s failed: %v", name, err)
	case o.bars == nil:
		o.line("%s", text)
	}
}

// position is the number of points done, running ones by their share of steps.
func (o *observer) position() float64 {
	at := float64(o.ended)
	for _, s := range o.steps {
		at += float64(s) / float64(o.iterations)
	}
	return at
}

func (o *observer) count() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprintf("%d/%d points ", o.ended, o.points)
}

func (o *observer) speed() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return " " + o.rate()
}

// rate is steps per second of this sweep, and the time that is left if the
// points to come take as long as those before.
func (o *observer) rate() string {
	elapsed := time.Since(o.began)
	steps, share := o.finished, o.share
	for name, s := range o.steps {
		steps += s - o.first[name]
		share += float64(s-o.first[name]) / float64(o.iterations)
	}
	text := fmt.Sprintf("%.0f steps/s", float64(steps)/elapsed.Seconds())
	if share > 0 {
		left := time.Duration(float64(elapsed) * (float64(o.points) - o.position()) / share)
		// Until a point has ended nobody knows when the stop rules hold.
		atMost := ""
		if o.share == 0 {
			atMost = "at most "
		}
		text += fmt.Sprintf(", %s%v left", atMost, left.Round(time.Second))
	}
	return text
}

// line writes one line above the bar.
func (o *observer) line(format string, args ...any) {
	switch text := fmt.Sprintf(format+"\n", args...); {
	case o.quiet:
	case o.bars != nil:
		io.WriteString(o.bars, text)
	default:
		io.WriteString(o.out, text)
	}
}

// close leaves the terminal as a later line expects it.
func (o *observer) close() {
	if o.bars == nil {
		return
	}
	if o.bar != nil {
		o.bar.Abort(false) // where it stands: complete bars ignore this
	}
	o.bars.Wait()
}
