// Package browsertest opens pages in a real Chromium for the tests of the packages
// that make them. A page that logs an error, violates its content-security policy
// or asks for anything outside this machine fails its test.
package browsertest

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"sobolev/internal/needs"
)

// patience bounds what a page of a test does, the start of the browser included.
const patience = 3 * time.Minute

// Browser is a running Chromium, without a profile and without a window.
type Browser struct{ ctx context.Context }

// Start runs Chromium until the test ends. Where there is none the test is
// skipped, unless SOBOLEV_REQUIRE lists chromium.
func Start(t testing.TB) *Browser {
	t.Helper()
	path := find()
	if path == "" {
		needs.Missing(t, "chromium", "none in the PATH")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.WSURLReadTimeout(patience))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		chromedp.Cancel(ctx) // closes it and waits for the end of the process
		cancel()
		stop()
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return &Browser{ctx}
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
