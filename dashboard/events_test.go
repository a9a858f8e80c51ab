package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sobolev/rundir"
)

// reader reads a stream of events.
type reader struct {
	t      testing.TB
	answer *http.Response
	lines  *bufio.Reader
	cancel context.CancelFunc
}

func listen(t testing.TB, address, lastID string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); answer.Body.Close() })
	return &reader{t, answer, bufio.NewReader(answer.Body), cancel}
}

// next is the next event's id and data, or its text if it is a comment; an error at the end of the stream.
func (r *reader) next() (id, data string, err error) {
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
		case "id":
			id = value
		case "data":
			return id, value, nil
		case "":
			if strings.HasPrefix(line, ":") {
				return "", value, nil
			}
		}
	}
}

// until reads events until one holds.
func (r *reader) until(what string, holds func(state) bool) (id string, s state) {
	r.t.Helper()
	for {
		id, data, err := r.next()
		if err != nil {
			r.t.Fatalf("the stream ended before %s: %v", what, err)
		}
		if id == "" {
			continue // the stream only shows that it lives
		}
		s = state{}
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			r.t.Fatalf("%v: %.300s", err, data)
		}
		if holds(s) {
			return id, s
		}
	}
}

// A reader is told all at once, then every change, and after a reconnection only
// what is new.
func TestEvents(t *testing.T) {
	folder := t.TempDir()
	c := experiment(t, "grid", "fashion-mnist-mini")
	d := makeRun(t, folder, c, 4)
	s, h := start(t, Options{}, folder)
	address := h.URL + only(t, s).home() + "events"
	r := listen(t, address, "")
	if kind := r.answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("type %q", kind)
	}
	_, now := r.until("the report", func(s state) bool { return s.Report.Edition != "" })
	if now.Points != 16 || now.Counts["finished"] != 4 || now.Counts["failed"] != 1 || now.Counts["running"] != 1 || now.Counts["pending"] != 10 {
		t.Errorf("counts %v of %d", now.Counts, now.Points)
	}
	if len(now.Running) != 1 || now.Running[0].Steps != 500 || now.Running[0].Host != "node1" || now.Iterations != 1000 {
		t.Errorf("running %+v", now.Running)
	}
	if len(now.Failed) != 1 || !strings.Contains(now.Failed[0].Error, "<script>") {
		t.Errorf("failed %+v", now.Failed)
	}
	// 2 s a point, half a point and ten to go, one at a time.
	if want := 2 * 10.5; now.Left == nil || *now.Left != want || now.Done != 5.5 {
		t.Errorf("left %v, done %v; want %v and 5.5", now.Left, now.Done, want)
	}
	edition := now.Report.Edition
	running := c.Points()[5]
	write(t, d, running, rundir.Done, "")
	_, now = r.until("the end of the point", func(s state) bool { return s.Counts["finished"] == 5 })
	if len(now.Latest) != 1 || now.Latest[0].Point != running.Name() || now.Latest[0].Outcome != "finished" || len(now.Running) != 0 || now.Left != nil {
		t.Errorf("after the end: %+v", now)
	}
	id, _ := r.until("a new report", func(s state) bool { return s.Report.Edition != edition })
	r.cancel()

	again := listen(t, address, id)
	write(t, d, c.Points()[6], rundir.Done, "")
	// The report and the table may still follow the point before.
	again.until("the end of another point", func(s state) bool { return s.Counts["finished"] == 6 })
	if _, data, err := listen(t, address, "of-another-server").next(); err != nil || !strings.Contains(data, `"points":16`) {
		t.Errorf("after a reconnection to another server: %.200s %v", data, err)
	}
}

func TestInWords(t *testing.T) {
	if words := inWords(map[string]int{"finished": 12, "running": 1, "failed": 0, "damaged": 2}); words != "1 running, 12 finished, 2 damaged" {
		t.Errorf("counts are %q", words)
	}
	for seconds, want := range map[float64]string{0.4: "0 s", 89: "89 s", 90: "2 min", 5399: "90 min", 5400: "1.5 h", 7200: "2 h", 172800: "2 days", 1e6: "11.6 days"} {
		if got := duration(seconds); got != want {
			t.Errorf("%v s are %s, want %s", seconds, got, want)
		}
	}
}

// The index tells of runs that come, change and go.
func TestIndexEvents(t *testing.T) {
	folder := t.TempDir()
	s, h := start(t, Options{}, folder)
	r := listen(t, h.URL+"/events", "")
	until := func(what string, holds func(indexChange) bool) {
		t.Helper()
		for {
			id, data, err := r.next()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if id == "" {
				continue
			}
			var change indexChange
			if err := json.Unmarshal([]byte(data), &change); err != nil {
				t.Fatal(err)
			}
			if holds(change) {
				return
			}
		}
	}
	until("an empty index", func(c indexChange) bool { return c.All && len(c.Runs) == 0 })
	c := experiment(t, "later", "fashion-mnist-mini")
	d := makeRun(t, filepath.Join(folder, "deep", "er"), c, 2)
	until("a new run", func(c indexChange) bool {
		return !c.All && len(c.Runs) == 1 && c.Runs[0].Known && c.Runs[0].Counts["finished"] == 2 && strings.HasSuffix(c.Runs[0].Path, "/deep/er")
	})
	write(t, d, c.Points()[3], rundir.Done, "")
	until("a change", func(c indexChange) bool { return len(c.Runs) == 1 && c.Runs[0].Counts["finished"] == 3 })
	id := s.all()[0].id
	removeAll(t, filepath.Join(folder, "deep"))
	until("its end", func(c indexChange) bool { return len(c.Gone) == 1 && c.Gone[0] == id })
	if status, _, _ := get(t, h.URL+"/run/"+id+"/"); status != http.StatusNotFound {
		t.Errorf("a run that is gone: %d", status)
	}
}

// The number of streams is bounded, and the end of the server ends them at once.
func TestStreamsAreBounded(t *testing.T) {
	s, h := start(t, Options{}, t.TempDir())
	var open []*reader
	for range s.streaming.most {
		r := listen(t, h.URL+"/events", "")
		if _, _, err := r.next(); err != nil {
			t.Fatal(err)
		}
		open = append(open, r)
	}
	if status, header, _ := get(t, h.URL+"/events"); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", status)
	}
	if status, _, _ := get(t, h.URL+"/"); status != http.StatusOK {
		t.Errorf("a page beside them: %d", status)
	}
	open[0].cancel()
	eventually(t, "a free place", func() bool { return int(s.streams.Load()) < s.streaming.most })
	h.stop()
	for _, r := range open[1:] {
		if _, data, err := r.next(); err == nil {
			t.Fatalf("after the end: %s", data)
		}
	}
}

// A silent stream shows that it lives; a reader that takes nothing loses it.
func TestHeartbeatAndSlowReaders(t *testing.T) {
	s := &Server{streaming: streaming{most: 4, heartbeat: 20 * time.Millisecond, slowest: 300 * time.Millisecond, pause: time.Millisecond}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var large topic
	n := 0
	mux := http.NewServeMux()
	var looks atomic.Int64
	mux.HandleFunc("/small", func(w http.ResponseWriter, req *http.Request) {
		s.stream(w, req, &topic{}, func() any { looks.Add(1); return "small" })
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, req *http.Request) {
		s.stream(w, req, &large, func() any { n++; large.announce(); return fmt.Sprint(n, strings.Repeat("x", 1<<20)) })
	})
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	defer server.Close()
	r := listen(t, "http://"+l.Addr().String()+"/small", "")
	for _, want := range []string{`"small"`, "alive", "alive"} {
		if _, data, err := r.next(); err != nil || data != want {
			t.Errorf("event %q %v, want %q", data, err, want)
		}
	}
	if looks := looks.Load(); looks < 2 { // the second "alive" comes after a second look
		t.Errorf("a silent reader is noted %d times", looks)
	}
	r.cancel()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
	eventually(t, "the stream", func() bool { return s.streams.Load() > 0 })
	eventually(t, "the end of a stream that nobody reads", func() bool { return s.streams.Load() == 0 })
}
