package report

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// pair is a correlation to compute; expected is the sign that theory predicts.
type pair struct {
	x, y     quantity
	expected int
}

// pairs lists the correlations: g_x with g_W for each order (Figure 1 of the
// paper), then each varying axis of the grid with both, and test accuracy with
// g_x and the bounds of g_x with it as extras. Larger η and smaller B allow only solutions of smaller
// moments (Theorem 2), and small g_W forces small g_x (Corollary 4).
func (r *Report) pairs() []pair {
	var ps []pair
	for _, k := range r.orders {
		ps = append(ps, pair{gW(k), gX(k), +1})
	}
	axes := []struct {
		q    quantity
		sign int
	}{{learningRate(), -1}, {batchSize(), +1}}
	varying := 0
	for _, axis := range axes {
		// Between methods, η and B differ along with everything else.
		if len(r.Config.Grid.Method) <= 1 && r.varies(axis.q) {
			varying++
			ps = append(ps, r.against(axis.q, axis.sign)...)
		}
	}
	if varying == 2 {
		ps = append(ps, r.against(ratio(), -1)...)
	}
	if len(r.orders) > 0 {
		ps = append(ps, pair{gX(r.orders[0]), testAccuracy(), 0})
	}
	return append(ps, r.boundPairs()...)
}

func (r *Report) against(q quantity, sign int) []pair {
	var ps []pair
	for _, k := range r.orders {
		ps = append(ps, pair{q, gW(k), sign}, pair{q, gX(k), sign})
	}
	return ps
}

// boundPairs ask whether the bounds of g_x follow it.
func (r *Report) boundPairs() []pair {
	k, corollary := r.boundedOrder()
	if k == 0 {
		return nil
	}
	return []pair{{sharpBound("theorem 3", k), gX(k), 0}, {sharpBound(corollary, k), gX(k), 0}}
}

// correlate computes both correlations of every pair that has a point. Each has
// a random stream of its own, so that the order of the work does not matter.
func (r *Report) correlate() []Correlation {
	var jobs []func() Correlation
	for _, p := range r.pairs() {
		s := r.sample(p)
		if len(s.x) == 0 {
			continue
		}
		jobs = append(jobs,
			func() Correlation { return correlation(p, s, "Spearman", Spearman(s.x, s.y), spearmanOf(s), r.draws) },
			func() Correlation { return correlation(p, s, "Pearson", Pearson(s.x, s.y), pearsonOf(s), r.draws) })
	}
	cs := make([]Correlation, len(jobs))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(jobs)); i = next.Add(1) - 1 {
				cs[i] = jobs[i]()
			}
		})
	}
	workers.Wait()
	for i := range cs {
		cs[i].Reason = remark(cs[i].Reason, r.Counted-cs[i].N)
	}
	return cs
}

// remark joins what is to be said about an interval and about solutions that
// count and lack a finite value.
func remark(reason string, lacking int) string {
	if lacking == 0 {
		return reason
	}
	text := plural(lacking, "solution has", "solutions have") + " no finite value"
	if reason != "" {
		text = reason + "; " + text
	}
	return text
}

// sample collects the solutions that count and have both quantities, with cells
// and repetitions numbered anew: a cell without a point is not resampled.
func (r *Report) sample(p pair) paired {
	var s paired
	cells, repetitions := map[int]int{}, map[int]int{}
	number := func(seen map[int]int, key int) int {
		if _, ok := seen[key]; !ok {
			seen[key] = len(seen)
		}
		return seen[key]
	}
	for i := range r.solutions {
		sol := &r.solutions[i]
		x, y := p.x.of(sol), p.y.of(sol)
		if !sol.counts() || !finite(x) || !finite(y) {
			continue
		}
		s.x, s.y = append(s.x, x), append(s.y, y)
		s.cell = append(s.cell, number(cells, sol.cell))
		s.repetition = append(s.repetition, number(repetitions, sol.repetition))
	}
	return s
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func correlation(p pair, s paired, method string, value float64, statistic func([]float64) float64, draws int) Correlation {
	c := Correlation{
		X: p.x.name, Y: p.y.name, Method: method, N: len(s.x), Value: value, Expected: p.expected,
		Lower: math.NaN(), Upper: math.NaN(), Draws: draws, Seed: bootstrapSeed,
	}
	if math.IsNaN(value) {
		c.Draws, c.Reason = 0, "fewer than two different values"
		return c
	}
	b := bootstrap(s, statistic, draws, bootstrapSeed)
	c.Lower, c.Upper, c.Dropped, c.Reason = b.lower, b.upper, b.dropped, b.reason
	if extent(s.cell) < minCells {
		c.Draws = 0
	}
	return c
}

// find returns the correlation of a pair.
func (r *Report) find(x, y quantity, method string) (Correlation, bool) {
	for _, c := range r.Correlations {
		if c.X == x.name && c.Y == y.name && c.Method == method {
			return c, true
		}
	}
	return Correlation{}, false
}
