package experiment

import (
	"fmt"

	"sobolev/geometry"
	"sobolev/rundir"
)

// measureGeometry measures the cover, the overlaps and the volume of the balls.
func (a *around) measureGeometry() error {
	d := a.net.Inputs()
	points := geometry.Points[float64]{N: a.data.N, D: d, X: a.data.X}
	scatter, err := geometry.ScatterBracket(points, a.radius, unionDraws, a.memory, a.rng)
	if err != nil {
		return err
	}
	volume, err := geometry.MeasureUnion(points, a.radius, unionDraws, a.memory, a.rng)
	if err != nil {
		return err
	}
	if a.union, err = geometry.SampleUnion(points, a.radius, unionDraws, a.memory, a.rng); err != nil {
		return err
	}
	a.logBall = volume.LogBall
	v := volume.LogVolume
	a.Geometry = &rundir.Geometry{
		Space: a.space, Radius: rundir.Number(a.radius), Uncovered: notKnown, UncoveredCI95: [2]rundir.Number{notKnown, notKnown},
		LogVolume: rundir.Estimate{Value: rundir.Number(v.Value), SE: rundir.Number(v.SE),
			CI95: [2]rundir.Number{rundir.Number(v.CI95[0]), rundir.Number(v.CI95[1])}, Draws: v.Draws, Seed: a.seed},
		OverlapLower: scatter.Lower, OverlapUpper: scatter.Upper,
		Dimension: notKnown, DimensionCI95: [2]rundir.Number{notKnown, notKnown},
	}
	a.dimension(points)
	if a.test.N == 0 {
		a.warn("geometry: uncovered is the share of test samples far from the data, and there are no test samples")
		return nil
	}
	a.rate(points)
	nearest, err := geometry.Nearest(points, geometry.Points[float64]{N: a.test.N, D: d, X: a.test.X}, 1, a.memory)
	if err != nil {
		return err
	}
	cover, err := geometry.CoverAt(nearest.Column(1), a.radius)
	if err != nil {
		return err
	}
	a.Geometry.Uncovered = rundir.Number(cover.Epsilon)
	a.Geometry.UncoveredCI95 = [2]rundir.Number{rundir.Number(cover.CI95[0]), rundir.Number(cover.CI95[1])}
	return nil
}

// dimension measures the intrinsic dimension, if the samples have one.
func (a *around) dimension(points geometry.Points[float64]) {
	if points.N < 3 {
		a.warn(fmt.Sprintf("geometry: no dimension: it needs two neighbours of a sample, and there are %d samples", points.N))
		return
	}
	neighbors, err := geometry.NearestOthers(points, 2, a.memory)
	var two geometry.TwoNNResult
	if err == nil {
		two, err = geometry.TwoNN(neighbors)
	}
	if err != nil {
		a.warn("geometry: no dimension: " + err.Error())
		return
	}
	a.Geometry.Dimension = rundir.Number(two.Value)
	a.Geometry.DimensionCI95 = [2]rundir.Number{rundir.Number(two.CI95[0]), rundir.Number(two.CI95[1])}
}

// The rate of cover is that of 90% of the test samples, on n, n/2, … training
// samples and at least leastRateSamples, for several random halvings.
const (
	rateEpsilon      = 0.1
	rateLevels       = 5
	leastRateSamples = 16
	ratePermutations = 5
)

func (a *around) rate(points geometry.Points[float64]) {
	levels := 0
	for levels < rateLevels && points.N>>(levels+1) >= leastRateSamples {
		levels++
	}
	if levels < 2 {
		return
	}
	test := geometry.Points[float64]{N: a.test.N, D: points.D, X: a.test.X}
	r, err := geometry.CoverRate(points, test, rateEpsilon, levels, ratePermutations, a.memory, a.rng)
	if err != nil {
		a.warn("geometry: no rate of cover: " + err.Error())
		return
	}
	e := r.Exponent
	out := &rundir.CoverRate{Epsilon: rateEpsilon, Exponent: rundir.Estimate{Value: rundir.Number(e.Value), SE: rundir.Number(e.SE),
		CI95: [2]rundir.Number{rundir.Number(e.CI95[0]), rundir.Number(e.CI95[1])}, Draws: e.Draws, Seed: a.seed}}
	for _, l := range r.Levels {
		out.Levels = append(out.Levels, rundir.RateLevel{N: l.N, Radius: rundir.Number(l.Radius.Value),
			CI95: [2]rundir.Number{rundir.Number(l.Radius.CI95[0]), rundir.Number(l.Radius.CI95[1])}})
	}
	a.Geometry.Rate = out
}
