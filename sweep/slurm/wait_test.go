package slurm

import (
	"testing"
	"time"
)

func TestPauseGrowsWithTheWait(t *testing.T) {
	const poll = 5 * time.Second
	for _, c := range []struct{ waited, want time.Duration }{
		{0, 500 * time.Millisecond},
		{3 * time.Second, 500 * time.Millisecond},
		{20 * time.Second, 2 * time.Second},
		{time.Minute, poll},
		{30 * time.Hour, poll},
	} {
		if got := pause(poll, c.waited); got != c.want {
			t.Errorf("after %v a pause of %v, want %v", c.waited, got, c.want)
		}
	}
}
