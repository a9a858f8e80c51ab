package geometry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
	"sobolev/internal/kernel"
)

// Rate says how fast the radius of a (δ, ε)-cover shrinks with the number of
// training points, δ_ε(n) ~ n^{−1/D}. Exponent is the slope of log δ_ε over log n,
// Dimension the interval's image D = −1/slope: Ma & Ying (2021, after (49)) need
// D < 2k.
type Rate struct {
	Levels    []RateLevel
	Exponent  Estimate
	Dimension Estimate
}

// RateLevel is the radius for subsets of N training points. Radius is that of
// the first subset with the order-statistic interval; MeanLog and SDLog are the
// mean and the standard deviation of log δ_ε over all subsets.
type RateLevel struct {
	N              int
	Radius         Radius
	MeanLog, SDLog float64
}

// rateBootstraps is the number of resamples of the test points.
const rateBootstraps = 200

// CoverRate measures δ_ε on nested subsets of n, n/2, … n/2^levels training points
// at independent test points, for several random permutations of the training
// points, and fits the slope of log δ_ε over log n by least squares.
//
// Exponent.SE joins two errors: that of the test points, by a bootstrap that draws
// them jointly for all levels and permutations, and that of the training points,
// from the slopes of the permutations. CI95 has Student's quantile with the degrees of
// freedom of the sum (Welch, 1947). The whole set is in all permutations, so its
// own error is left out; it is small against that of the smallest subsets. Draws
// is the number of permutations. Systematic errors are not in the interval: at the
// edge of a support the exponent reaches −1/D only as n → ∞.
//
// It needs levels ≥ 2 (three radii), permutations ≥ 2 and 0 < ε < 1, and fails as
// Nearest does and where a radius is zero. memory limits the bytes of working
// memory; the result does not depend on it.
func CoverRate[P, Q kernel.Float](x Points[P], test Points[Q], epsilon float64, levels, permutations int, memory int64, random *rand.Rand) (Rate, error) {
	if err := checkPair(x, test, "training points", "test points"); err != nil {
		return Rate{}, err
	}
	if levels < 2 || levels > 62 || permutations < 2 || x.N>>levels < 1 {
		return Rate{}, fmt.Errorf("%d permutations of nested subsets down to %d/2^%d points; need at least 2 permutations, 2 levels and 1 point", permutations, x.N, levels)
	}
	if !(epsilon > 0 && epsilon < 1) {
		return Rate{}, fmt.Errorf("ε is %v; need 0 < ε < 1", epsilon)
	}
	kept := int64(permutations) * int64(levels+1) * int64(test.N) * 16
	if kept > memory/2 {
		return Rate{}, fmt.Errorf("the distances of %d levels and %d permutations take %d bytes; the limit is half of %d", levels+1, permutations, kept, memory)
	}
	m := rateMeter{epsilon: epsilon, logN: make([]float64, levels+1)}
	for j := range m.logN {
		m.logN[j] = math.Log(float64(x.N >> j))
	}
	if err := measureNested(&m, x, test, permutations, memory-kept, random); err != nil {
		return Rate{}, err
	}
	return m.rate(x.N, random)
}

// rateMeter holds the distances of the test points to the nested subsets:
// distances[p][j] for permutation p and level j, with the test points in
// descending order of distance in order[p][j].
type rateMeter struct {
	epsilon   float64
	logN      []float64
	distances [][][]float64
	order     [][][]int32
}

func measureNested[P, Q kernel.Float](m *rateMeter, x Points[P], test Points[Q], permutations int, memory int64, random *rand.Rand) error {
	levels := len(m.logN) - 1
	var whole []float64
	for range permutations {
		rows := random.Perm(x.N)
		byLevel := make([][]float64, levels+1)
		var distances []float64
		from := 0
		for j := levels; j >= 0; j-- {
			if j == 0 && whole != nil {
				byLevel[0] = whole
				break
			}
			part := view[P]{points: x, rows: slices.Sorted(slices.Values(rows[from : x.N>>j]))}
			near, err := nearest(part, view[Q]{points: test}, 1, false, memory)
			if err != nil {
				return err
			}
			distances = smaller(distances, near.Distance)
			byLevel[j], from = distances, x.N>>j
		}
		whole = byLevel[0]
		order := make([][]int32, levels+1)
		for j, r := range byLevel {
			order[j] = farthestFirst(r)
		}
		m.distances, m.order = append(m.distances, byLevel), append(m.order, order)
	}
	return nil
}

// smaller returns the element-wise minimum, b where a is nil.
func smaller(a, b []float64) []float64 {
	for i, v := range a {
		b[i] = min(b[i], v)
	}
	return b
}

func farthestFirst(r []float64) []int32 {
	order := make([]int32, len(r))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		switch {
		case r[a] > r[b]:
			return -1
		case r[a] < r[b]:
			return 1
		}
		return int(a) - int(b)
	})
	return order
}

// slope returns the slope of permutation p where test point i counts times[i]
// times, and log δ_ε of every level in logs.
func (m *rateMeter) slope(p int, times []int, logs []float64) float64 {
	allowed := len(times) - radiusRank(len(times), m.epsilon)
	for j, order := range m.order[p] {
		seen := 0
		for _, i := range order {
			if seen += times[i]; seen > allowed {
				logs[j] = math.Log(m.distances[p][j][i])
				break
			}
		}
	}
	return slopeOf(m.logN, logs)
}

// slopeOf is the least-squares slope of y over x.
func slopeOf(x, y []float64) float64 {
	meanX, meanY := total(x)/float64(len(x)), total(y)/float64(len(y))
	var xy, xx float64
	for i := range x {
		xy += (x[i] - meanX) * (y[i] - meanY)
		xx += (x[i] - meanX) * (x[i] - meanX)
	}
	return xy / xx
}

func (m *rateMeter) rate(n int, random *rand.Rand) (Rate, error) {
	tests := len(m.distances[0][0])
	once := make([]int, tests)
	for i := range once {
		once[i] = 1
	}
	logs := make([]float64, len(m.logN))
	var slopes running
	levels := make([]running, len(m.logN))
	for p := range m.distances {
		slopes.add(m.slope(p, once, logs))
		for j, v := range logs {
			if math.IsInf(v, -1) {
				return Rate{}, fmt.Errorf("the radius of %d training points for ε = %v is zero: test points are among them", n>>j, m.epsilon)
			}
			levels[j].add(v)
		}
	}
	r := Rate{}
	for j := range levels {
		radius, err := RadiusAt(m.distances[0][j], m.epsilon)
		if err != nil {
			return Rate{}, err
		}
		r.Levels = append(r.Levels, RateLevel{N: n >> j, Radius: radius, MeanLog: levels[j].mean, SDLog: levels[j].sd()})
	}
	r.Exponent = m.exponent(slopes, m.testError(tests, random))
	r.Dimension = dimensionOf(r.Exponent)
	return r, nil
}

// testError is the bootstrap standard error of the mean slope over test points.
func (m *rateMeter) testError(tests int, random *rand.Rand) float64 {
	times, logs := make([]int, tests), make([]float64, len(m.logN))
	var means running
	for range rateBootstraps {
		clear(times)
		for range tests {
			times[random.IntN(tests)]++
		}
		var sum float64
		for p := range m.distances {
			sum += m.slope(p, times, logs)
		}
		means.add(sum / float64(len(m.distances)))
	}
	return means.sd()
}

func (m *rateMeter) exponent(slopes running, testError float64) Estimate {
	training := slopes.sd() / math.Sqrt(float64(slopes.n))
	variance := training*training + testError*testError
	se := math.Sqrt(variance)
	width := normal95 * se
	if training > 0 {
		nu := variance * variance / (math.Pow(training, 4)/float64(slopes.n-1) + math.Pow(testError, 4)/(rateBootstraps-1))
		width = distuv.StudentsT{Sigma: 1, Nu: nu}.Quantile(1-tail) * se
	}
	return Estimate{Value: slopes.mean, SE: se, CI95: [2]float64{slopes.mean - width, slopes.mean + width}, Draws: slopes.n}
}

// dimensionOf maps the exponent s to D = −1/s; an interval of s that reaches zero
// leaves D without an upper end.
func dimensionOf(s Estimate) Estimate {
	d := Estimate{Value: -1 / s.Value, SE: s.SE / (s.Value * s.Value), CI95: [2]float64{-1 / s.CI95[0], -1 / s.CI95[1]}, Draws: s.Draws}
	if !(s.Value < 0) {
		d.Value, d.SE = math.Inf(1), math.NaN()
	}
	if !(s.CI95[0] < 0) {
		d.CI95[0] = math.Inf(1)
	}
	if !(s.CI95[1] < 0) {
		d.CI95[1] = math.Inf(1)
	}
	return d
}
