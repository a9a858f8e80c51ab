package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// download brings one file from one URL.
type download struct {
	file File
	url  string
	path string // where the verified file goes
	opt  FetchOptions
}

// partState is kept beside a .part file: what the bytes in it belong to.
type partState struct {
	URL          string `json:"url"`
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

func (d *download) part() string  { return d.path + ".part" }
func (d *download) state() string { return d.path + ".part.json" }

// limit is what no packing of the file exceeds: a server that sends more sends
// something else.
func (d *download) limit() int64 {
	if d.file.Packed {
		return d.file.Bytes
	}
	return 2*max(d.file.Bytes, d.file.Raw) + 1<<20
}

// errAgain marks a failure after which the same URL is worth another try.
var errAgain = errors.New("connection broken")

// run downloads, verifies and places the file. On an interruption the .part
// file stays; content that does not verify is removed.
func (d *download) run(ctx context.Context) error {
	pause := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		resumed, err := d.transfer(ctx)
		if err == nil {
			err = d.finish(ctx)
			if err != nil && resumed && isContentError(err) && attempt < d.opt.Attempts {
				continue // the two ends did not belong together; now from the start
			}
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: stopped, %s is kept and will be resumed: %w", d.file.Name, d.part(), ctx.Err())
		}
		if !errors.Is(err, errAgain) || attempt >= d.opt.Attempts {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// finish verifies the .part file and gives it its name.
func (d *download) finish(ctx context.Context) error {
	if err := d.file.Verify(ctx, d.part()); err != nil {
		if isContentError(err) {
			err = fmt.Errorf("%s sent wrong content, removed: %w", d.url, err)
			return errors.Join(err, removeAll(d.part(), d.state()))
		}
		return err
	}
	if err := os.Rename(d.part(), d.path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(d.path))
	return removeAll(d.state())
}

// syncFolder makes a rename durable where the system can; the file is complete
// either way.
func syncFolder(folder string) {
	if f, err := os.Open(folder); err == nil {
		f.Sync()
		f.Close()
	}
}

// resumable returns the size and origin of a .part file that can be continued
// from d's URL, or zero.
func (d *download) resumable() (int64, partState) {
	var s partState
	info, err := os.Stat(d.part())
	if err != nil || info.Size() == 0 || info.Size() > d.limit() {
		return 0, partState{}
	}
	text, err := os.ReadFile(d.state())
	if err != nil || json.Unmarshal(text, &s) != nil || s.URL != d.url {
		return 0, partState{}
	}
	return info.Size(), s
}

// transfer makes one request and appends to the .part file, or writes it anew.
// resumed reports whether bytes of an earlier connection are in the file.
func (d *download) transfer(ctx context.Context) (resumed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := errors.New("idle")
	watchdog := time.AfterFunc(d.opt.Idle, func() { cancel(idle) })
	defer watchdog.Stop()

	have, state := d.resumable()
	resp, err := d.request(ctx, have, state)
	if context.Cause(ctx) == idle {
		return false, fmt.Errorf("%w %s: no answer for %v", ErrUnreachable, host(d.url), d.opt.Idle)
	}
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		have = 0
	case http.StatusPartialContent:
		if first, ok := rangeStart(resp); !ok || first != have {
			return false, d.restart("the server answered with the wrong range %q", resp.Header.Get("Content-Range"))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if resp.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", have) {
			return true, nil // it was complete
		}
		return false, d.restart("the server's file is shorter than the part that is here")
	default:
		return false, statusError(d.url, resp)
	}
	total := d.file.Bytes
	if resp.ContentLength >= 0 {
		total = have + resp.ContentLength
	}
	if total > d.limit() {
		return false, fmt.Errorf("%s: offers %d bytes, the file has %d", d.url, total, d.file.Bytes)
	}
	err = d.save(resp, have, total, func() { watchdog.Reset(d.opt.Idle) })
	if err != nil && context.Cause(ctx) == idle {
		err = fmt.Errorf("%s: no data for %v (%w)", d.url, d.opt.Idle, errAgain)
	}
	return have > 0, err
}

// request asks for the bytes from position have on.
func (d *download) request(ctx context.Context, have int64, state partState) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // the packed file itself, not an unpacked view of it
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		switch {
		case state.ETag != "" && !strings.HasPrefix(state.ETag, "W/"): // weak tags cannot prove equal bytes
			req.Header.Set("If-Range", state.ETag)
		case state.LastModified != "":
			req.Header.Set("If-Range", state.LastModified)
		}
	}
	resp, err := d.opt.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrUnreachable, host(d.url), bareURLError(err))
	}
	return resp, nil
}

// restart drops the .part file and asks for another attempt.
func (d *download) restart(format string, args ...any) error {
	if err := removeAll(d.part(), d.state()); err != nil {
		return err
	}
	return fmt.Errorf("%s: %s: %w", d.url, fmt.Sprintf(format, args...), errAgain)
}

// save writes the body behind the first have bytes of the .part file.
func (d *download) save(resp *http.Response, have, total int64, alive func()) (err error) {
	flags := os.O_CREATE | os.O_WRONLY
	if have == 0 {
		flags |= os.O_TRUNC
		state, err := json.Marshal(partState{
			URL: d.url, ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"),
		})
		if err != nil {
			return err
		}
		// Before the state changes the old bytes have to go: they must never
		// pass for a part of the new file.
		if err := removeAll(d.part()); err != nil {
			return err
		}
		if err := os.WriteFile(d.state(), state, 0o644); err != nil {
			return err
		}
	}
	out, err := os.OpenFile(d.part(), flags, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, err := out.Seek(have, io.SeekStart); err != nil {
		return err
	}
	d.opt.Progress(d.file.Name, have, total)
	buf := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			alive()
			if have += int64(n); have > d.limit() {
				return fmt.Errorf("%s: sends more than %d bytes, the file has %d", d.url, d.limit(), d.file.Bytes)
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
			d.opt.Progress(d.file.Name, have, max(total, have))
		}
		if err == io.EOF {
			return out.Sync()
		}
		if err != nil {
			return fmt.Errorf("%s: after %d bytes: %w (%w)", d.url, have, err, errAgain)
		}
	}
}

// rangeStart reads "bytes FIRST-LAST/TOTAL".
func rangeStart(resp *http.Response) (int64, bool) {
	var first, last int64
	_, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/", &first, &last)
	return first, err == nil && first >= 0 && last >= first
}

// statusError is worth another attempt if the server says that it is only busy.
func statusError(url string, resp *http.Response) error {
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("%s: %s (%w)", url, resp.Status, errAgain)
	}
	return fmt.Errorf("%s: %s", url, resp.Status)
}

func host(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}

// bareURLError drops the method and URL that the client puts in front.
func bareURLError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
