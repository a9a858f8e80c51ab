// Package parallel shares tasks among goroutines.
package parallel

import (
	"sync"
	"sync/atomic"
)

// Each calls f with all tasks 0 … tasks−1, on up to the given number of goroutines;
// worker, below that number, says which one it is. One worker takes them in order
// on the caller's goroutine. Results must not depend on who did what: a task owns
// what it writes.
func Each(workers, tasks int, f func(worker, task int)) {
	if workers = min(workers, tasks); workers <= 1 {
		for task := range tasks {
			f(0, task)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for task := next.Add(1) - 1; task < int64(tasks); task = next.Add(1) - 1 {
				f(worker, int(task))
			}
		})
	}
	group.Wait()
}
