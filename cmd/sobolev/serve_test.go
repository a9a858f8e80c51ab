package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pipeLines hands what is printed to another goroutine.
type pipeLines struct {
	lines chan string
}

func (p pipeLines) Write(b []byte) (int, error) {
	p.lines <- string(b)
	return len(b), nil
}

// serve prints where it is, answers there, and ends without an error with its
// context.
func TestServe(t *testing.T) {
	for _, c := range []struct{ addr, address string }{
		{"127.0.0.1:0", `^1 run at (http://127\.0\.0\.1:\d+/) `},
		{"localhost:0", `^1 run at (http://(?:127\.0\.0\.1|\[::1\]):\d+/) `},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "experiment.yaml"), []byte("name: x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		out := pipeLines{make(chan string, 4)}
		ended := make(chan error, 1)
		go func() { ended <- serve(ctx, []string{folder}, serveOptions{addr: c.addr}, out) }()
		var line string
		select {
		case line = <-out.lines:
		case err := <-ended:
			t.Fatal(err)
		}
		m := regexp.MustCompile(c.address).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%s: printed %q", c.addr, line)
		}
		answer, err := http.Get(m[1])
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "Runs") {
			t.Errorf("%d %s", answer.StatusCode, body)
		}
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("after Ctrl-C: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("does not end")
		}
	}
}

// Which addresses want a token.
func TestServeIsLocal(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:8080": true, "127.9.9.9:1": true, "[::1]:80": true, "localhost:0": true,
		"0.0.0.0:8080": false, ":8080": false, "[::]:8080": false, "192.168.0.7:80": false, "workstation:80": false, "localhost.example:80": false} {
		if got, err := isLocal(addr); err != nil || got != want {
			t.Errorf("%s: local %v, %v; want %v", addr, got, err, want)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{"serve"}, exitUsage, []string{"takes run directories"}},
		{[]string{"serve", t.TempDir(), "--addr", "8080"}, exitUsage, []string{`--addr "8080"`, "127.0.0.1:8080"}},
		{[]string{"serve", t.TempDir(), "--token", "x"}, exitUsage, []string{"--token"}},
		{[]string{"serve", t.TempDir(), "--addr", l.Addr().String()}, exitFailed, []string{"address already in use", "--addr", "127.0.0.1:0"}},
		{[]string{"serve", filepath.Join(t.TempDir(), "none"), "--addr", "127.0.0.1:0"}, exitFailed, []string{"cannot serve", "none", "run directory"}},
	} {
		var stdout, stderr bytes.Buffer
		if status := run(c.args, &stdout, &stderr); status != c.status {
			t.Errorf("%v: exit status %d, want %d: %s", c.args, status, c.status, &stderr)
		}
		for _, w := range c.want {
			if !strings.Contains(stderr.String(), w) {
				t.Errorf("%v: %q is not in %s", c.args, w, &stderr)
			}
		}
		if stdout.Len() > 0 {
			t.Errorf("%v printed %s", c.args, &stdout)
		}
	}
}
