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
	minCells       = 3
)

// paired is a sample of (x, y) on a crossed design: point i belongs to grid
// cell cell[i] and repetition repetition[i], both counted from 0.
type paired struct {
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
// The seed is that of PCG(seed, 0). Resamples in which the correlation is not
// defined are dropped and counted.
func bootstrap(s paired, statistic func(weight []float64) float64, draws int, seed uint64) interval {
	none := interval{lower: math.NaN(), upper: math.NaN()}
	cells, repetitions := extent(s.cell), extent(s.repetition)
	if cells < minCells {
		none.reason = fmt.Sprintf("%d grid cells; %d are needed to resample them", cells, minCells)
		return none
	}
	random := rand.New(rand.NewPCG(seed, 0))
	cellTimes, repetitionTimes := make([]float64, cells), make([]float64, repetitions)
	weight := make([]float64, len(s.x))
	values := make([]float64, 0, draws)
	for range draws {
		resample(random, cellTimes)
		resample(random, repetitionTimes)
		for i := range weight {
			weight[i] = cellTimes[s.cell[i]] * repetitionTimes[s.repetition[i]]
		}
		if v := statistic(weight); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	dropped := draws - len(values)
	if 2*dropped > draws {
		none.dropped = dropped
		none.reason = fmt.Sprintf("undefined in %d of %d resamples", dropped, draws)
		return none
	}
	slices.Sort(values)
	found := interval{lower: quantile(values, 0.025), upper: quantile(values, 0.975), dropped: dropped}
	var doubts []string
	if cells == minCells {
		doubts = append(doubts, fmt.Sprintf("only %d grid cells: weak evidence", cells))
	}
	if repetitions == 1 {
		doubts = append(doubts, "one repetition: only grid cells were resampled")
	}
	found.reason = strings.Join(doubts, "; ")
	return found
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

// pearsonOf and spearmanOf are the statistics to resample; the order of the
// values is the same in every resample and sorted once.

func pearsonOf(s paired) func([]float64) float64 {
	x, y := scaled(s.x), scaled(s.y)
	return func(weight []float64) float64 { return pearson(x, y, weight) }
}

func spearmanOf(s paired) func([]float64) float64 {
	byX, byY := ascending(s.x), ascending(s.y)
	var rankX, rankY []float64
	return func(weight []float64) float64 {
		rankX = midRanks(rankX, s.x, weight, byX)
		rankY = midRanks(rankY, s.y, weight, byY)
		return pearson(rankX, rankY, weight)
	}
}
