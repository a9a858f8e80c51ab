package geometry

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Dimension is an estimate of the intrinsic dimension of n points. Points is the
// number that it is from and Dropped that of the points left out because the
// nearer of the two distances is zero: duplicates.
//
// Points in each other's neighbourhoods do not have independent ratios. Inflation
// ≥ 1 is the factor by which that raises the variance, as estimated from the data;
// CI95 takes it into account. It knows nothing of a bias by curvature, edges and
// varying density, which grows with the neighbourhoods.
type Dimension struct {
	Value     float64
	CI95      [2]float64
	Inflation float64
	Points    int
	Dropped   int
}

// TwoNNResult holds the forms of the TwoNN estimator. Value is the unbiased one,
// (n−1)/Σ log μ_i; MLE is n/Σ log μ_i; Linear is the slope through the origin of
// −log(1 − i/n) over the i-th smallest log μ, without the last tenth.
type TwoNNResult struct {
	Dimension
	MLE    float64
	Linear float64
}

// linearShare is the share of the ratios, from the smallest, that the line is
// fitted to: Facco et al. (2017) leave out the tenth with the largest.
const linearShare = 0.9

// TwoNN estimates the dimension from the ratios μ_i = r_i2/r_i1 of the distances
// to the two nearest neighbours, which follow P(μ > t) = t^{−D} where the density
// is constant as far as the second neighbour (Facco et al., 2017, "Estimating the
// intrinsic dimension of datasets by a minimal neighborhood information").
// Neighbors are those of NearestOthers with k ≥ 2. For independent ratios,
// D Σ log μ is Gamma distributed with shape n; CI95 is from that with shape
// n/Inflation. It fails where fewer than two points stay or all ratios are 1.
func TwoNN(neighbors *Neighbors) (TwoNNResult, error) {
	r, err := logRatios(neighbors, 1, 2)
	if err != nil {
		return TwoNNResult{}, err
	}
	n, sum := float64(len(r.logs)), total(r.logs)
	score := make([]float64, len(r.logs))
	for i, s := range r.logs {
		score[i] = 1 - n/sum*s
	}
	inflation := r.inflation(neighbors, 2, score)
	ratio := distuv.Gamma{Alpha: n / inflation, Beta: sum / inflation}
	return TwoNNResult{
		Dimension: Dimension{
			Value:     (n - 1) / sum,
			CI95:      [2]float64{ratio.Quantile(tail), ratio.Quantile(1 - tail)},
			Inflation: inflation, Points: len(r.logs), Dropped: neighbors.M - len(r.logs),
		},
		MLE: n / sum, Linear: linearFit(r.logs),
	}, nil
}

// ratios holds log(r_i,far/r_i,near) of the points with r_i,near > 0, and which
// points these are.
type ratios struct {
	logs   []float64
	points []int
}

func logRatios(neighbors *Neighbors, near, far int) (ratios, error) {
	if near < 1 || far <= near || far > neighbors.K {
		return ratios{}, fmt.Errorf("neighbours %d and %d of %d; need 1 ≤ near < far ≤ %[3]d", near, far, neighbors.K)
	}
	var r ratios
	nearer, farther := neighbors.Column(near), neighbors.Column(far)
	for i, distance := range nearer {
		if distance > 0 {
			r.logs, r.points = append(r.logs, math.Log(farther[i]/distance)), append(r.points, i)
		}
	}
	if len(r.logs) < 2 {
		return ratios{}, fmt.Errorf("%d of %d points have a neighbour %d at a distance above zero; need two", len(r.logs), neighbors.M, near)
	}
	if total(r.logs) == 0 {
		return ratios{}, fmt.Errorf("neighbours %d and %d of all points are at equal distances: no dimension", near, far)
	}
	return r, nil
}

// inflation estimates Var(Σ u)/Σ Var(u) of the scores u_i by
//
//	1 + Σ_{i≠j linked} u_i u_j / Σ u_i²,
//
// where two points are linked if one is among the first far neighbours of the
// other: the variance of a sum under local dependence.
func (r ratios) inflation(neighbors *Neighbors, far int, score []float64) float64 {
	u := make([]float64, neighbors.M)
	for l, i := range r.points {
		u[i] = score[l]
	}
	around := func(i int) []int32 { return neighbors.Index[i*neighbors.K:][:far] }
	var squares, pairs float64
	for i := range u {
		squares += u[i] * u[i]
		for _, j := range around(i) {
			times := 2.0
			if slices.Contains(around(int(j)), int32(i)) {
				times = 1 // the pair is met from j as well
			}
			pairs += times * u[i] * u[j]
		}
	}
	if !(pairs > 0) {
		return 1
	}
	return 1 + pairs/squares
}

func total(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum
}

// linearFit returns Σxy/Σx² of x = the ascending logs and y = −log(1 − i/n); NaN
// where all x that are kept are zero.
func linearFit(logs []float64) float64 {
	sorted := slices.Sorted(slices.Values(logs))
	n := float64(len(sorted))
	var xy, xx float64
	for i, x := range sorted[:int(linearShare*n)] {
		xy -= x * math.Log1p(-float64(i+1)/n)
		xx += x * x
	}
	return xy / xx
}
