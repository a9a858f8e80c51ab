package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// The bootstrap of every correlation.
const (
	bootstrapDraws = 10_000
	bootstrapSeed  = 1
	// A correlation of N points has bootstrapWork/N resamples if that is less, but
	// fewestDraws at least: a report should take seconds.
	bootstrapWork = 5_000_000
	fewestDraws   = 500
	minCells      = 3
)

// paired is a sample of (x, y) on a crossed design: point i belongs to grid
// cell cell[i] and repetition repetition[i], both counted from 0.
type paired struct {
	of               []int // solutions
	x, y             []float64
	cell, repetition []int
}

// interval is the 2.5% and 97.5% percentiles of a correlation over resamples,
// NaN with a reason when there is none.
type interval struct {
	lower, upper float64
	dropped      int
	reason       string
}

// bootstrap resamples grid cells and repetitions with replacement,
// independently of each other; the resampled data set is their product, so that
// a point weighs (times its cell was drawn)·(times its repetition was drawn).
// Drawing single points would take the η of one repetition, which share data
// and initialisation, for independent, and the interval would be too narrow.
// This is the pigeonhole bootstrap of Owen (2007), "The pigeonhole bootstrap",
// Annals of Applied Statistics 1(2). TestCoverage has its coverage.
//
// The seed is that of PCG(seed, 0); all statistics see the same resamples. Those in
// which a statistic is not defined are dropped for it and counted.
func bootstrap(s paired, draws int, seed uint64, statistics ...func(resampled) float64) []interval {
	return intervals(s, draws, [][][]float64{resamples(s, draws, seed, 0, 1, statistics)}, len(statistics))
}

// resamples are the values of the statistics in every of-th draw from the part-th on: a
// part takes the same draws, however many others there are.
func resamples(s paired, draws int, seed uint64, part, of int, statistics []func(resampled) float64) [][]float64 {
	values := make([][]float64, len(statistics))
	cells, repetitions := extent(s.cell), extent(s.repetition)
	if cells < minCells {
		return values
	}
	random := rand.New(rand.NewPCG(seed, 0))
	cellTimes, repetitionTimes := make([]float64, cells), make([]float64, repetitions)
	points := pointsOf(s.cell, cells)
	var drawn resampled
	for drawn.draw = 1; drawn.draw <= draws; drawn.draw++ {
		resample(random, cellTimes)
		resample(random, repetitionTimes)
		if (drawn.draw-1)%of != part {
			continue
		}
		drawn.index, drawn.times = drawn.index[:0], drawn.times[:0]
		for c, times := range cellTimes {
			if times == 0 {
				continue
			}
			for _, i := range points[c] {
				if again := repetitionTimes[s.repetition[i]]; again > 0 {
					drawn.index, drawn.times = append(drawn.index, i), append(drawn.times, times*again)
				}
			}
		}
		for i, statistic := range statistics {
			if v := statistic(drawn); !math.IsNaN(v) {
				values[i] = append(values[i], v)
			}
		}
	}
	return values
}

// intervals are those of n statistics, from all parts of their resamples.
func intervals(s paired, draws int, parts [][][]float64, n int) []interval {
	found := make([]interval, n)
	cells, repetitions := extent(s.cell), extent(s.repetition)
	for i := range found {
		if cells < minCells {
			found[i] = interval{lower: math.NaN(), upper: math.NaN(), reason: fmt.Sprintf("%s; %d are needed to resample them", plural(cells, "grid cell", "grid cells"), minCells)}
			continue
		}
		var values []float64
		for _, part := range parts {
			values = append(values, part[i]...)
		}
		found[i] = intervalOf(values, draws)
		if found[i].reason == "" {
			found[i].reason = doubts(cells, repetitions)
		}
	}
	return found
}

// intervalOf is that of the values which a statistic had in the draws.
func intervalOf(values []float64, draws int) interval {
	dropped := draws - len(values)
	if 2*dropped > draws {
		return interval{math.NaN(), math.NaN(), dropped, fmt.Sprintf("undefined in %d of %d resamples", dropped, draws)}
	}
	slices.Sort(values)
	return interval{lower: quantile(values, 0.025), upper: quantile(values, 0.975), dropped: dropped}
}

// doubts are what weakens an interval.
func doubts(cells, repetitions int) string {
	var doubts []string
	if cells == minCells {
		doubts = append(doubts, fmt.Sprintf("only %d grid cells: weak evidence", cells))
	}
	if repetitions == 1 {
		doubts = append(doubts, "one repetition: only grid cells were resampled")
	}
	return strings.Join(doubts, "; ")
}

// resample counts how often each of len(times) blocks is drawn in len(times)
// draws with replacement.
func resample(random *rand.Rand, times []float64) {
	clear(times)
	if len(times) == 1 {
		times[0] = 1
		return
	}
	for range times {
		times[random.IntN(len(times))]++
	}
}

// pointsOf lists the points of each cell.
func pointsOf(cell []int, cells int) [][]int {
	points := make([][]int, cells)
	for i, c := range cell {
		points[c] = append(points[c], i)
	}
	return points
}

// extent is one more than the largest index.
func extent(index []int) int {
	if len(index) == 0 {
		return 0
	}
	return slices.Max(index) + 1
}

// quantile interpolates linearly between the order statistics of a sorted
// sample, (n−1)p from the smallest.
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
