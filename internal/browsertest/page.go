package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is one tab.
type Page struct {
	Context context.Context // for chromedp.Run
	t       testing.TB
	close   func()
	mu      sync.Mutex
	wrong   []string
}

// NewPage opens an empty tab and forgets all cookies. The end of the test closes it.
func (b *Browser) NewPage(t testing.TB) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	ctx, stop := context.WithTimeout(ctx, patience)
	p := &Page{Context: ctx, t: t}
	chromedp.ListenTarget(ctx, p.listen)
	p.close = sync.OnceFunc(func() {
		for _, w := range p.Problems() {
			t.Errorf("the page: %s", w)
		}
		stop()
		cancel()
	})
	t.Cleanup(p.close)
	p.Do(runtime.Enable(), log.Enable(), network.Enable(), network.ClearBrowserCookies(),
		emulation.SetFocusEmulationEnabled(true)) // else all tabs but one count as hidden
	return p
}

// listen notes what no page of ours should do.
func (p *Page) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning || e.Type == runtime.APITypeAssert {
			var words []string
			for _, a := range e.Args {
				words = append(words, strings.Trim(string(a.Value), `"`)+a.Description)
			}
			p.note("console.%s: %s", e.Type, strings.Join(words, " "))
		}
	case *runtime.EventExceptionThrown:
		p.note("exception: %v", e.ExceptionDetails)
	case *log.EventEntryAdded: // failed requests, violations of the policy
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			p.note("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !onThisMachine(e.Request.URL) {
			p.note("request to another machine: %s", e.Request.URL)
		}
	}
}

func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "file", "data", "blob", "about":
		return true
	}
	host := u.Hostname()
	return host == "127.0.0.1" || host == "::1" || host == "localhost"
}

func (p *Page) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	p.wrong = append(p.wrong, text[:min(len(text), 1000)])
}

// Close closes the tab; the problems that nobody asked for are errors of the test. A server
// that began after the tab ends before it, and must not cut off what it is asking for.
func (p *Page) Close() { p.close() }

// Problems returns what went wrong on the page since the last call.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	wrong := p.wrong
	p.wrong = nil
	return wrong
}

// Do runs the actions; an error ends the test.
func (p *Page) Do(actions ...chromedp.Action) {
	p.t.Helper()
	if err := chromedp.Run(p.Context, actions...); err != nil {
		p.t.Fatalf("%v; the page: %q", err, p.Problems())
	}
}

// Open navigates to the address and waits until the page is loaded.
func (p *Page) Open(address string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(address))
}

// Eval evaluates JavaScript in p and returns its value.
func Eval[T any](p *Page, script string) T {
	p.t.Helper()
	var v T
	p.Do(chromedp.Evaluate(script, &v))
	return v
}

// Wait returns when the JavaScript condition holds, and how long that took; an error
// in it, as in the middle of a navigation, is not yet. After limit the test ends.
// (chromedp.Poll builds a function from text in the page, which a strict policy
// forbids.)
func (p *Page) Wait(limit time.Duration, condition string) time.Duration {
	p.t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var holds bool
		err := chromedp.Run(p.Context, chromedp.Evaluate("Boolean("+condition+")", &holds))
		if err == nil && holds {
			return time.Since(began)
		}
		if time.Since(began) > limit || p.Context.Err() != nil {
			p.t.Fatalf("after %v still not: %s (%v); the page: %q", limit, condition, err, p.Problems())
		}
	}
}

// Media emulates the "light" or "dark" colour scheme, or "print" on paper.
func (p *Page) Media(name string) {
	p.t.Helper()
	media := emulation.SetEmulatedMedia()
	if name == "print" {
		media = media.WithMedia(name)
	} else {
		media = media.WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}})
	}
	p.Do(media)
}

// Screenshot writes the whole page, width CSS pixels wide, as name.png into the
// folder SOBOLEV_SCREENSHOTS; without that it does nothing.
func (p *Page) Screenshot(name string, width int) {
	p.t.Helper()
	folder := os.Getenv("SOBOLEV_SCREENSHOTS")
	if folder == "" {
		return
	}
	var png []byte
	p.Do(page.BringToFront(), chromedp.EmulateViewport(int64(width), 900), chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
