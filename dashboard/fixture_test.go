package dashboard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sobolev/rundir"
)

// experiment is a grid of four learning rates, two batch sizes, two repetitions.
func experiment(t testing.TB, name, data string) rundir.Config {
	t.Helper()
	c, err := rundir.Config{
		Name:    name,
		Dataset: rundir.Dataset{Name: data},
		Model:   rundir.Model{Hidden: []int{8}},
		SGD:     rundir.SGD{Iterations: 1000},
		Grid:    rundir.Grid{LearningRate: []float64{0.05, 0.1, 0.2, 0.4}, BatchSize: []int{5, 20}}, Repetitions: 2, Seed: 1,
	}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trained is a result of the point in which gradients fall with η/B.
func trained(p rundir.Point) *rundir.Result {
	g := 4 / (1 + p.LearningRate/float64(p.BatchSize)*50) * (1 + 0.02*float64(p.Repetition))
	r := &rundir.Result{Model: rundir.ModelInfo{Parameters: 1000, Inputs: 16, Outputs: 2}}
	r.Data.Samples = 100
	r.Convention = rundir.Convention{Loss: p.Loss, LearningRate: rundir.Number(p.LearningRate), BatchSize: p.BatchSize, EffectiveLearningRate: rundir.Number(p.LearningRate), Sampling: p.SGD.Sampling, Preprocessing: "x/255", Precision: "float32"}
	r.Fit = rundir.Fit{Loss: 1e-5, RelativeLoss: 1e-4, Interpolates: true}
	for k := 1; k <= 2; k++ {
		r.Moments = append(r.Moments, rundir.Moment{K: k, GW: rundir.Number(g), GX: rundir.Number(g / 40)})
	}
	r.Training = &rundir.Training{Status: "finished", Steps: 1000, TrainLoss: 1e-5, TrainAccuracy: 1, TestLoss: 0.05, TestAccuracy: 0.9}
	return r
}

// write places the files of a point that stands so.
func write(t testing.TB, d *rundir.Dir, p rundir.Point, state rundir.State, problem string) {
	t.Helper()
	folder := d.Point(p)
	err := folder.Prepare()
	if err == nil && state == rundir.Done {
		err = folder.WriteHistory([]rundir.HistoryRow{{Step: 0, BatchLoss: 1, Probe: rundir.NoProbe()}, {Step: 1000, BatchLoss: 1e-5, Probe: rundir.NoProbe()}})
	}
	if err == nil && state == rundir.Done {
		err = folder.WriteResult(trained(p))
	}
	if err == nil {
		err = folder.WriteStatus(rundir.Status{State: state, Error: problem, Attempts: 1, Steps: 500, Seconds: 2, Host: "node1"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeRun writes a run at path: its first done points have ended, the next one
// failed, the next one runs, and the rest has not begun. It is in use until the test
// ends.
func makeRun(t testing.TB, path string, c rundir.Config, done int) *rundir.Dir {
	t.Helper()
	d, err := rundir.Create(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	points := c.Points()
	for _, p := range points[:done] {
		write(t, d, p, rundir.Done, "")
	}
	if done+2 <= len(points) {
		write(t, d, points[done], rundir.Failed, "out of memory <script>alert(1)</script>")
		write(t, d, points[done+1], rundir.Running, "")
	}
	return d
}

// site is a server at a port of its own.
type site struct {
	URL, addr string
	stop      func() // ends it; the end of the test does it too
}

// start serves the folders until the test ends.
func start(t testing.TB, opt Options, folders ...string) (*Server, site) {
	t.Helper()
	return startAt(t, "127.0.0.1:0", opt, folders...)
}

func startAt(t testing.TB, addr string, opt Options, folders ...string) (*Server, site) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(ctx, folders, opt)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stop := sync.OnceFunc(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Wait()
	})
	t.Cleanup(stop)
	return s, site{"http://" + l.Addr().String(), l.Addr().String(), stop}
}

// only is the one run of the server, scanned.
func only(t testing.TB, s *Server) *run {
	t.Helper()
	runs := s.all()
	if len(runs) != 1 {
		t.Fatalf("%d runs, want 1", len(runs))
	}
	<-runs[0].first
	return runs[0]
}

// grid is the run of an experiment and the server that shows it, and it alone.
type grid struct {
	site
	c    rundir.Config
	d    *rundir.Dir
	s    *Server
	home string // the address of the run's page
}

// serveGrid serves a run that makeRun makes, until the test ends.
func serveGrid(t testing.TB, done int) grid {
	t.Helper()
	g := grid{c: experiment(t, "grid", "fashion-mnist-mini")}
	g.d = makeRun(t, t.TempDir(), g.c, done)
	g.s, g.site = start(t, Options{}, g.d.Path)
	g.home = g.URL + only(t, g.s).home()
	return g
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}

// get returns status, header and body.
func get(t testing.TB, address string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(body)
}

// raw sends the text of a request as it is and returns the status and the whole answer.
func raw(t testing.TB, server site, request string) (status int, answer string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	go io.WriteString(conn, request) // a server may answer before it has read all
	head, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, _ := io.ReadAll(io.LimitReader(head.Body, 1<<20))
	return head.StatusCode, fmt.Sprint(head.Header) + string(body)
}

func writeText(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantParts(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("does not contain %q: %.2000s", part, text)
		}
	}
}
