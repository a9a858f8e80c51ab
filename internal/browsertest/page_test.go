package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every kind of problem is seen; a clean page has none.
func TestProblemsAreSeen(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src *; img-src 'self' data:")
		scripts := map[string]string{"error": "console.error('a', 1)", "warning": "console.warn('b')", "throw": "throw new Error('thrown here')",
			"reject": "Promise.reject(new Error('rejected here'))", "clean": "console.log('fine')", "far": "fetch('https://example.invalid/x').catch(() => 0)"}
		name := strings.Trim(r.URL.Path, "/")
		switch script, isScript := scripts[strings.TrimSuffix(name, ".js")]; {
		case strings.HasSuffix(name, ".js") && isScript:
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, script, ";document.documentElement.dataset.ran = 'yes'")
		case isScript:
			fmt.Fprintf(w, `<!DOCTYPE html><link rel="icon" href="data:,"><script src="/%s.js"></script>`, name)
		case name == "inline":
			fmt.Fprint(w, `<!DOCTYPE html><p>inline<script>document.title = "ran"</script>`)
		case name == "image":
			fmt.Fprint(w, `<!DOCTYPE html><img src="/nothing.png">`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	b := Start(t)
	for path, want := range map[string]string{
		"error": "console.error: a 1", "warning": "console.warning: b", "throw": "thrown here", "reject": "rejected here",
		"far": "another machine: https://example.invalid/x", "inline": "Content Security Policy", "image": "404",
	} {
		t.Run(path, func(t *testing.T) {
			p := b.NewPage(t)
			p.Open(server.URL + "/" + path)
			var seen []string
			for range 100 {
				seen = append(seen, p.Problems()...)
				if slices.ContainsFunc(seen, func(s string) bool { return strings.Contains(s, want) }) {
					p.Media("dark") // a round trip: the rest of this page's problems has arrived
					p.Problems()
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("problems %q, want one with %q", seen, want)
		})
	}
	t.Run("clean", func(t *testing.T) {
		p := b.NewPage(t)
		p.Open(server.URL + "/clean")
		p.Wait(5*time.Second, "document.documentElement.dataset.ran")
		if seen := p.Problems(); len(seen) > 0 {
			t.Errorf("problems of a clean page: %q", seen)
		}
	})
}
