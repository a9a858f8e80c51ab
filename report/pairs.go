package report

import (
	"math"
	"runtime"
	"slices"

	"sobolev/internal/parallel"
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

// correlate computes both correlations of every pair that has a point. All have the
// same random stream, so that the order of the work does not matter.
func (r *Report) correlate() []Correlation {
	var designs []design
	n := 0
	for _, p := range r.pairs() {
		s := r.sample(p)
		if len(s.x) == 0 {
			continue
		}
		at := slices.IndexFunc(designs, func(d design) bool { return slices.Equal(d[0].of, s.of) })
		if at < 0 {
			at, designs = len(designs), append(designs, nil)
		}
		designs[at] = append(designs[at], member{n, p, s})
		n++
	}
	found := make([][]Correlation, n)
	for _, d := range designs {
		d.correlations(found, r.draws)
	}
	cs := slices.Concat(found...)
	for i := range cs {
		cs[i].Reason = remark(cs[i].Reason, r.Counted-cs[i].N)
	}
	return cs
}

// design is pairs whose samples are of the same solutions: they share the resamples,
// and the ranks of a quantity in them.
type design []member

// member is a pair, with its number among all of them.
type member struct {
	number int
	pair
	paired
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
		s.of = append(s.of, i)
		s.x, s.y = append(s.x, x), append(s.y, y)
		s.cell = append(s.cell, number(cells, sol.cell))
		s.repetition = append(s.repetition, number(repetitions, sol.repetition))
	}
	return s
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// statistics are Spearman's and Pearson's correlation of every pair, in this order, with
// memories of their own.
func (d design) statistics() []func(resampled) float64 {
	type both struct{ values, ranks *variable }
	known := map[string]both{}
	of := func(q quantity, x []float64) both {
		v, ok := known[q.column]
		if !ok {
			v = both{values(x), ranks(x)}
			known[q.column] = v
		}
		return v
	}
	var all []func(resampled) float64
	for _, m := range d {
		x, y := of(m.pair.x, m.paired.x), of(m.pair.y, m.paired.y)
		all = append(all, correlationOf(x.ranks, y.ranks), correlationOf(x.values, y.values))
	}
	return all
}

// correlations writes Spearman's and Pearson's of every pair to its number in found.
// Each core takes a share of the resamples: so what the pairs have in common is
// computed once for each of them.
func (d design) correlations(found [][]Correlation, draws int) {
	parts := make([][][]float64, runtime.GOMAXPROCS(0))
	parallel.Each(runtime.GOMAXPROCS(0), len(parts), func(_, i int) {
		parts[i] = resamples(d[0].paired, draws, bootstrapSeed, i, len(parts), d.statistics())
	})
	statistics := d.statistics()
	intervals := intervals(d[0].paired, draws, parts, len(statistics))
	whole := once(len(d[0].of))
	for i, m := range d {
		for j, method := range []string{"Spearman", "Pearson"} {
			c := Correlation{X: m.pair.x.name, Y: m.pair.y.name, Method: method, Expected: m.expected, N: len(m.of), Seed: bootstrapSeed, Value: statistics[2*i+j](whole)}
			found[m.number] = append(found[m.number], c)
		}
	}
	resampled := extent(d[0].cell) >= minCells
	for _, m := range d {
		for i := range found[m.number] {
			c, b := &found[m.number][i], intervals[0]
			intervals = intervals[1:]
			if math.IsNaN(c.Value) {
				c.Lower, c.Upper, c.Reason = math.NaN(), math.NaN(), "fewer than two different values"
				continue
			}
			c.Lower, c.Upper, c.Dropped, c.Reason = b.lower, b.upper, b.dropped, b.reason
			if resampled {
				c.Draws = draws
			}
		}
	}
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
