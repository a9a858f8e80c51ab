package nn

import "sobolev/internal/parallel"

// eachWindow cuts samples into blocks and calls pass with as many of them at once as
// there are lanes, then order with their numbers of rows: order adds up what the
// lanes hold, block after block, so that sums over samples have the same order for
// any number of lanes.
func eachWindow(lanes, samples, block int, pass func(lane, from, rows int), order func(rows []int)) {
	rows := make([]int, 0, lanes)
	for from := 0; from < samples; from += lanes * block {
		rows = rows[:0]
		for at := from; at < samples && len(rows) < lanes; at += block {
			rows = append(rows, min(block, samples-at))
		}
		parallel.Each(lanes, len(rows), func(_, lane int) { pass(lane, from+lane*block, rows[lane]) })
		order(rows)
	}
}

// lanes returns the number of blocks of samples that are worth passing at once, of
// those that fit into memory; at least one.
func (n *Network[T]) lanes(samples, block int, fit int64) int {
	return int(max(1, min(int64(n.Workers), int64((samples+block-1)/block), fit)))
}
