package parallel

import (
	"slices"
	"sync/atomic"
	"testing"
)

// Every task is done once, by a worker that exists; one worker keeps their order.
func TestEach(t *testing.T) {
	for workers := -1; workers <= 5; workers++ {
		for _, tasks := range []int{0, 1, 2, 3, 100} {
			times := make([]atomic.Int64, tasks)
			var order []int
			Each(workers, tasks, func(worker, task int) {
				if worker < 0 || worker >= max(1, workers) {
					t.Errorf("%d workers: one is number %d", workers, worker)
				}
				times[task].Add(1)
				if workers <= 1 {
					order = append(order, task)
				}
			})
			for task := range times {
				if got := times[task].Load(); got != 1 {
					t.Errorf("%d workers, %d tasks: task %d was done %d times", workers, tasks, task, got)
				}
			}
			if workers <= 1 && (len(order) != tasks || !slices.IsSorted(order)) {
				t.Errorf("%d workers: order %v", workers, order)
			}
		}
	}
}
