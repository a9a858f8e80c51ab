package dashboard

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sobolev/internal/browsertest"
	"sobolev/rundir"
	"sobolev/rundir/rundirtest"
)

// BenchmarkFirstPaint opens the page of ten thousand finished points, once its report
// is made, in a real browser: the medians of the first contentful paint and of the
// time until charts and table have their data.
func BenchmarkFirstPaint(b *testing.B) {
	browser := browsertest.Start(b)
	folder := filepath.Join(b.TempDir(), "run")
	rundirtest.Finished(b, folder, rundirtest.Grid(b, 10_000), nil)
	firstPaint(b, browser, folder)
}

func firstPaint(b *testing.B, browser *browsertest.Browser, folder string) {
	s, h := start(b, Options{}, folder)
	r := s.all()[0]
	for {
		get(b, h.URL+r.home())
		if report, _, problem := r.built.last(); report != nil {
			break
		} else if problem != "" {
			b.Fatal(problem)
		}
		time.Sleep(50 * time.Millisecond)
	}
	p := browser.NewPage(b)
	p.Open(h.URL) // the browser has the files of all pages now
	var paints, readies []float64
	for b.Loop() {
		p.Open(h.URL + r.home())
		p.Wait(soon, ready)
		readies = append(readies, browsertest.Eval[float64](p, "performance.now()"))
		paints = append(paints, browsertest.Eval[float64](p, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
	}
	b.ReportMetric(median(paints), "ms-paint")
	b.ReportMetric(median(readies), "ms-ready")
}

// BenchmarkLiveUpdate measures how long a browser takes to show that a point has ended,
// from the moment its result is written: in the progress, and in the row of the table,
// which comes with the marks of the charts.
func BenchmarkLiveUpdate(b *testing.B) {
	for _, n := range []int{16, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { liveUpdate(b, n) })
	}
}

func liveUpdate(b *testing.B, n int) {
	browser := browsertest.Start(b)
	folder := filepath.Join(b.TempDir(), "run")
	c := rundirtest.Grid(b, n)
	rundirtest.Finished(b, folder, c, nil)
	d, err := rundir.Create(folder, c) // as a process that works on it
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	point := c.Points()[0]
	path := d.Point(point).File("result.json")
	result, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	// stand makes the point running or done, as a worker does: the result first.
	stand := func(state rundir.State) {
		if state == rundir.Done {
			err = rundir.WriteFile(path, result)
		} else {
			err = os.Remove(path)
		}
		if err == nil {
			err = d.Point(point).WriteStatus(rundir.Status{State: state, Attempts: 1, Steps: 500, Seconds: 2})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	stand(rundir.Running)
	s, h := start(b, Options{}, folder)
	p := browser.NewPage(b)
	address := h.URL + only(b, s).home()
	p.Open(address)
	const patience = 2 * time.Minute
	p.Wait(patience, ready+" && "+liveSays("1 running"))
	standing := `[...document.querySelectorAll("table.points tbody tr:not(.space)")][0].textContent`
	var progress, rows []float64
	for b.Loop() {
		p.Wait(patience, "!"+standing+`.includes("finished")`)
		time.Sleep(3 * time.Second) // nothing is on its way now
		stand(rundir.Done)
		began := time.Now()
		p.Wait(patience, "!"+liveSays("1 running"))
		progress = append(progress, float64(time.Since(began).Milliseconds()))
		p.Wait(patience, standing+`.includes("finished")`)
		rows = append(rows, float64(time.Since(began).Milliseconds()))
		stand(rundir.Running)
		p.Wait(patience, liveSays("1 running"))
	}
	b.ReportMetric(median(progress), "ms-progress")
	b.ReportMetric(median(rows), "ms-row")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
