package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// remote makes the claim one of a process on another machine, of which nothing is
// known but its signs of life.
func remote(t *testing.T, k *Claim, interval string) {
	t.Helper()
	k.content = []byte(`{"format": 1, "attempt": 1, "host": "elsewhere", "pid": 1, "interval": ` + interval + `}`)
	write(t, k.path, string(k.content))
	info, err := os.Stat(k.path)
	if err != nil {
		t.Fatal(err)
	}
	k.info = info
}

func take(t *testing.T, c *Claims, p Point, attempts int) *Claim {
	t.Helper()
	k, err := c.Take(p, attempts)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOneHolderAtATime(t *testing.T) {
	d := create(t, t.TempDir(), resolved(t, good))
	p := d.Config.Points()[0]
	for range 50 {
		var taken atomic.Int64
		var got *Claim
		var tries sync.WaitGroup
		for range 8 {
			tries.Go(func() {
				k, err := d.Claims(0, "").Take(p, 3)
				var held *HeldError
				switch {
				case err == nil:
					taken.Add(1)
					got = k
				case !errors.As(err, &held):
					t.Error(err)
				}
			})
		}
		tries.Wait()
		if taken.Load() != 1 || got.Attempt != 4 {
			t.Fatalf("%d hold the point, attempt %d", taken.Load(), got.Attempt)
		}
		if err := got.Check(); err != nil {
			t.Fatal(err)
		}
		if err := got.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if left := tree(t, filepath.Join(d.Path, claimsFolder)); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// A claim expires by what one sees on one's own clock, not by its date.
func TestClaimsExpireWithoutSignsOfLife(t *testing.T) {
	d := create(t, t.TempDir(), resolved(t, good))
	p := d.Config.Points()[0]
	mine, other := d.Claims(0, ""), d.Claims(0, "")
	k := take(t, other, p, 0)
	remote(t, k, "0.05") // expires after 0.3 s
	long := time.Now().Add(-1000 * time.Hour)
	var held *HeldError
	for range 4 {
		if err := os.Chtimes(k.path, long, long); err != nil {
			t.Fatal(err)
		}
		if _, err := mine.Take(p, 0); !errors.As(err, &held) || held.Holder.Host != "elsewhere" {
			t.Fatalf("a claim that was seen to change is taken: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
		if err := k.Beat(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mine.Take(p, 0); !errors.As(err, &held) {
		t.Fatal(err)
	}
	time.Sleep(400 * time.Millisecond)
	next := take(t, mine, p, 0)
	if next.Attempt != 2 {
		t.Errorf("attempt %d, want 2", next.Attempt)
	}
	// The one before is fenced, whatever it does.
	if err := k.Check(); !errors.Is(err, ErrLost) {
		t.Errorf("check: %v", err)
	}
	if err := k.Beat(); !errors.Is(err, ErrLost) {
		t.Errorf("beat: %v", err)
	}
	if err := errors.Join(k.Release(), next.Check()); err != nil {
		t.Errorf("the release of a lost claim: %v", err)
	}
}

// Who has lost a point writes nothing of it any more.
func TestLostClaimsWriteNothing(t *testing.T) {
	d := create(t, t.TempDir(), resolved(t, good))
	p := d.Config.Points()[0]
	k := take(t, d.Claims(0, ""), p, 0)
	pd := d.Point(p).Under(k)
	if err := errors.Join(pd.Prepare(), pd.WriteStatus(Status{State: Running})); err != nil {
		t.Fatal(err)
	}
	write(t, claimPath(k.folder, k.point, 2), "{}")
	before := tree(t, d.Path)
	for what, err := range map[string]error{
		"status": pd.WriteStatus(Status{State: Done}), "result": pd.WriteResult(exampleResult(p)), "history": pd.WriteHistory(nil),
		"checkpoint": pd.WriteFile("checkpoint", nil), "model": pd.Publish("model", nil), "point": pd.Prepare(),
	} {
		if !errors.Is(err, ErrLost) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := tree(t, d.Path); len(after) != len(before) {
		t.Errorf("files %q, before %q", after, before)
	}
}

// Of two that end a point at the same moment one has the result.
func TestResultsAppearOnce(t *testing.T) {
	d := create(t, t.TempDir(), resolved(t, good))
	pd := d.Point(d.Config.Points()[0])
	if err := pd.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := pd.Publish("model", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := pd.Publish("model", []byte("second")); !errors.Is(err, ErrLost) {
		t.Errorf("%v", err)
	}
	if data, err := os.ReadFile(pd.File("model")); err != nil || string(data) != "first" {
		t.Errorf("%q, %v", data, err)
	}
	if err := pd.WriteResult(exampleResult(pd.Point)); err != nil {
		t.Fatal(err)
	}
	again := exampleResult(pd.Point) // another measurement
	again.MeasuredOrders = []int{1}
	if err := pd.WriteResult(again); err != nil {
		t.Fatal(err)
	}
	if r, err := pd.ReadResult(); err != nil || len(r.MeasuredOrders) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Numbers of attempts that nobody can count on from are damage.
func TestAttemptsThatOverflow(t *testing.T) {
	c := resolved(t, good)
	d := create(t, t.TempDir(), c)
	p := c.Points()[0]
	pd := d.Point(p)
	if err := pd.Prepare(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"format": 1, "state": "failed", "attempts": 9223372036854775807}`,
		`{"format": 1, "state": "failed", "attempts": -1}`,
		`{"format": 1, "state": "failed", "attempts": 1, "failures": 9223372036854775807}`,
	} {
		if err := os.WriteFile(pd.File(statusFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := pd.ReadStatus(); err != nil || s.State != Pending || s.Attempts != 0 || s.Failures != 0 {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
	}
	folder := filepath.Join(d.Path, claimsFolder)
	if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(claimPath(folder, p.Name(), 1<<62), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if k := take(t, d.Claims(0, ""), p, 0); k.Attempt != 1 {
		t.Errorf("attempt %d", k.Attempt)
	}
}

// A file server that does not answer once or twice ends no run.
func TestClaimsOfAFlakyFolder(t *testing.T) {
	d := create(t, t.TempDir(), resolved(t, good))
	p := d.Config.Points()[0]
	failures := 0
	readDir = func(name string) ([]os.DirEntry, error) {
		if failures--; failures >= 0 {
			return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ESTALE}
		}
		return os.ReadDir(name)
	}
	defer func() { readDir = os.ReadDir }()
	failures = 2
	k := take(t, d.Claims(0, ""), p, 0)
	if failures = 3; k.Check() != nil {
		t.Error("the claim is lost")
	}
	if failures = 9; k.Check() == nil {
		t.Error("a folder that stays unreadable is no error")
	}
}
