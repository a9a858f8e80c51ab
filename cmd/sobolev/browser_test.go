package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"sobolev/internal/browsertest"
	"sobolev/rundir"
)

// Every page of a real run, from the server and from the report's file, loads
// without an error in the console or a violation of its policy: the fixture fails
// the test otherwise.
func TestBrowserShowsARealRun(t *testing.T) {
	b := browsertest.Start(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "grid")
	var out bytes.Buffer
	status := run([]string{"run", "stability", "-o", path, "--quiet",
		"--set", "dataset.per_class=4", "--set", "dataset.test_per_class=20", "--set", "model.hidden=[8]",
		"--set", "sgd.iterations=3000", "--set", "grid.learning_rate=[0.1,100]", "--set", "grid.batch_size=[5]",
		"--set", "measure.radius=0.1", "--set", "measure.probe=500", "--set", "measure.probe_samples=10"}, &out, &out)
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, out.String())
	}
	dir, err := rundir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	lines, ended := pipeLines{make(chan string, 4)}, make(chan error, 1)
	go func() {
		ended <- serve(ctx, []string{folder}, serveOptions{addr: "127.0.0.1:0"}, lines)
		close(ended)
	}()
	t.Cleanup(func() { // after the pages, which are opened later
		cancel()
		<-ended
	})
	var line string
	select {
	case line = <-lines.lines:
	case err := <-ended:
		t.Fatal(err)
	}
	address := regexp.MustCompile(`http://\S+/`).FindString(line)

	const patience = 30 * time.Second
	p := b.NewPage(t)
	p.Open(address)
	p.Wait(patience, `document.querySelector("#runs tbody a")`)
	overview := address + browsertest.Eval[string](p, `document.querySelector("#runs tbody a").getAttribute("href").replace(/^\//, "")`)
	p.Open(overview)
	p.Wait(patience, `document.documentElement.classList.contains("ready") && document.querySelector("svg.chart path.edged, svg.chart path.hollow")`)
	p.Screenshot("real-overview", 1200)
	file := b.NewPage(t)
	file.Open("file://" + filepath.Join(path, "report.html"))
	file.Wait(patience, `document.documentElement.classList.contains("ready")`)
	for i, point := range dir.Config.Points() {
		heading := []string{"Bounds", "diverged"}[i]
		p.Open(overview + "point/" + point.Name())
		p.Wait(patience, `document.body.textContent.includes("`+heading+`")`)
		p.Screenshot("real-"+heading, 1200)
		file.Open("file://" + filepath.Join(path, "report.html") + "#" + point.Name())
		file.Wait(patience, `document.querySelector("section.point:target")?.textContent.includes("`+heading+`")`)
	}
}
