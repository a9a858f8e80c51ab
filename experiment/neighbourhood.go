package experiment

import (
	"context"
	"fmt"
	"math"

	"sobolev/attack"
	"sobolev/bound"
	"sobolev/geometry"
	"sobolev/internal/kernel"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/seminorm"
)

// How hard the searches around the data look. What they find is a lower bound.
var (
	outputSearch     = attack.Search{Steps: 20, Restarts: 1}
	gradientSearch   = attack.Search{Steps: 10, Restarts: 1}
	smoothnessSearch = attack.Search{Steps: 5, Restarts: 1}
)

const (
	attackedSamples   = 100 // around which outputs and gradients are searched
	smoothnessSamples = 20  // for which Definition 1's constant is
	unionDraws        = 500 // points of the union of balls
)

// around is what Theorems 4–7 and Propositions 3 and 5 need of the balls of radius
// δ around the samples, beside what is known at the samples.
type around struct {
	*study
	radius float64
	layers []bound.FirstLayer
	norms  *norms
	test   nn.Data[float64]
	// attacked are the samples of the searches, their numbers in the data and
	// themselves.
	attacked  []int
	attackedX []float64
	union     *geometry.UnionSample
	logBall   float64
}

// boundsAroundTheData evaluates what holds in the balls around the samples:
// Proposition 3, Corollary 5 and Theorems 4–7.
func (s *study) boundsAroundTheData(ctx context.Context, layers []bound.FirstLayer, g *norms) error {
	if s.Model.Frozen > 0 {
		s.warn("bounds around the data are left out: with frozen layers they are about balls of features, not of images")
		return nil
	}
	a := &around{study: s, radius: s.options.Radius, layers: layers, norms: g, test: s.test}
	a.attacked, a.attackedX = spread(s.data, attackedSamples)
	if err := a.measureGeometry(); err != nil {
		return err
	}
	target, testError, err := a.target()
	if err != nil {
		return err
	}
	attacker, err := attack.New(s.net, s.memory)
	if err != nil {
		return err
	}
	ball := attack.Ball{Norm: attack.L2, Radius: a.radius}
	change, err := attacker.OutputChange(a.attackedX, ball, outputSearch, s.rng)
	if err != nil {
		return err
	}
	s.Robustness = &rundir.Robustness{Radius: rundir.Number(a.radius), Samples: len(a.attacked), OutputChange: rundir.Number(largestOf(change.Largest))}
	if err := a.classification(attacker); err != nil {
		return err
	}
	smooth, err := a.smoothness(ctx)
	if err != nil {
		return err
	}
	for j, k := range s.MeasuredOrders {
		gradient, err := attacker.LargestGradient(a.attackedX, k, ball, gradientSearch, s.rng)
		if err != nil {
			return err
		}
		largest := largestOf(gradient.Largest)
		s.Robustness.Gradients = append(s.Robustness.Gradients, rundir.GradientInBall{K: k, Found: rundir.Number(largest)})
		x := bound.Neighbourhood{Radius: a.radius, Smoothness: smooth[j], Excess: a.excess(k)}
		cover, err := a.seminorm(k)
		if err != nil {
			return err
		}
		solution, layer := s.solution(), layers[j]
		a.boundsInOneBall(j, smooth, gradient)
		s.addBounds(bound.Theorem4(k, solution, layer, x, cover), bound.Theorem5(k, solution, layer, x, largest),
			bound.Theorem6(k, solution, layer, x, target, testError), bound.Theorem7(k, solution, layer, x, largestOf(change.Largest)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// spread returns up to count samples, evenly over the data.
func spread(data nn.Data[float64], count int) (indices []int, x []float64) {
	d := len(data.X) / data.N
	count = min(count, data.N)
	for j := range count {
		i := j * data.N / count
		indices = append(indices, i)
		x = append(x, data.X[i*d:(i+1)*d]...)
	}
	return indices, x
}

func largestOf(v []float64) float64 {
	largest := math.Inf(-1)
	for _, x := range v {
		largest = math.Max(largest, x) // keeps NaN
	}
	return largest
}

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
		Radius: rundir.Number(a.radius), Uncovered: notKnown, UncoveredCI95: [2]rundir.Number{notKnown, notKnown},
		LogVolume: rundir.Estimate{Value: rundir.Number(v.Value), SE: rundir.Number(v.SE),
			CI95: [2]rundir.Number{rundir.Number(v.CI95[0]), rundir.Number(v.CI95[1])}, Draws: v.Draws, Seed: a.seed},
		OverlapLower: scatter.Lower, OverlapUpper: scatter.Upper,
		Dimension: notKnown, DimensionCI95: [2]rundir.Number{notKnown, notKnown},
	}
	a.dimension(points)
	if a.test.N == 0 {
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

// target returns what Theorem 6 assumes, from the data, and the largest test error
// of an output.
func (a *around) target() (bound.Target, float64, error) {
	outputs, largest := a.net.Outputs(), 0.0
	for _, data := range []nn.Data[float64]{a.data, a.test} {
		for _, y := range data.Y {
			largest = math.Max(largest, math.Abs(y))
		}
	}
	testError := math.NaN()
	if a.test.N > 0 {
		diff, err := a.net.NewDifferential(a.test, nn.HalfMSE, a.memory)
		if err != nil {
			return bound.Target{}, 0, err
		}
		r := make([]float64, a.test.N*outputs)
		diff.Residuals(r)
		sums := make([]float64, outputs)
		for i, v := range r {
			sums[i%outputs] += v * v / float64(a.test.N)
			largest = math.Max(largest, math.Abs(v+a.test.Y[i]))
		}
		testError = largestOf(sums)
	}
	t := bound.Target{
		Bound:     bound.Constant{Value: largest, Condition: bound.Condition{Holds: bound.Assumed, Evidence: "the largest |f_c| and |y_c| of the data"}},
		Lipschitz: bound.Constant{Value: a.targetLipschitz(), Condition: bound.Condition{Holds: bound.Assumed, Evidence: "the largest ‖y_i − y_j‖/‖x_i − x_j‖ of the training data"}},
	}
	if upper := float64(a.Geometry.UncoveredCI95[1]); !math.IsNaN(upper) {
		t.Outside = bound.Constant{Value: upper, Condition: bound.Condition{Holds: bound.Yes,
			Evidence: fmt.Sprintf("upper end of the 95%% Clopper–Pearson interval from %d test samples", a.test.N)}}
	}
	return a.given.target(t), testError, nil
}

// targetLipschitz returns max ‖y_i − y_j‖/‖x_i − x_j‖; +Inf where equal inputs have
// different targets.
func (a *around) targetLipschitz() float64 {
	const block = 256
	n, d, c := a.data.N, a.net.Inputs(), a.net.Outputs()
	squares := make([]float64, n)
	for i := range squares {
		for _, v := range a.data.X[i*d : (i+1)*d] {
			squares[i] += v * v
		}
	}
	products, largest := make([]float64, block*n), 0.0
	for from := 0; from < n; from += block {
		rows := min(block, n-from)
		kernel.Gemm(false, true, rows, n, d, 1, a.data.X[from*d:], d, a.data.X, d, 0, products, n)
		for r := range rows {
			i := from + r
			for j := range i {
				y := 0.0
				for o := range c {
					e := a.data.Y[i*c+o] - a.data.Y[j*c+o]
					y += e * e
				}
				if y == 0 {
					continue
				}
				x := squares[i] + squares[j] - 2*products[r*n+j]
				if x <= 1e-9*(squares[i]+squares[j]) { // cancelled: look again
					x = 0
					for l := range d {
						e := a.data.X[i*d+l] - a.data.X[j*d+l]
						x += e * e
					}
				}
				largest = math.Max(largest, y/x)
			}
		}
	}
	return math.Sqrt(largest)
}

// smoothness searches for Definition 1's constant in the balls of parameters that
// the radius needs, for every measured order.
func (a *around) smoothness(ctx context.Context) ([]bound.Smoothness, error) {
	indices, x := spread(a.data, smoothnessSamples)
	var all []bound.Smoothness
	for j, k := range a.MeasuredOrders {
		layer := a.layers[j]
		// A little more than the radius asks for: it is compared with the limit.
		reach := (1 + 1e-9) * a.radius * layer.Spectral / layer.MinNorm2
		if layer.Shared || !(reach > 0) || math.IsInf(reach, 0) {
			all = append(all, bound.Smoothness{})
			continue
		}
		kind := attack.RankOne
		if layer.Bias {
			kind = attack.RankOneBias
		}
		found, err := attack.SearchSmoothness(a.net, x, kind, k, reach, smoothnessSearch, a.rng, a.memory)
		if err != nil {
			return nil, err
		}
		assumed := bound.Condition{Holds: bound.Assumed, Evidence: fmt.Sprintf("the largest found by search around %d samples", len(indices))}
		all = append(all, bound.Smoothness{Approx: reach, Bias: layer.Bias,
			Constant: bound.Constant{Value: found.Constant.Value, Condition: assumed}, FirstLayer: bound.Constant{Value: found.FirstLayer.Value, Condition: assumed}})
		out := rundir.Smoothness{K: k, Radius: rundir.Number(reach), Found: rundir.Number(found.Constant.Value), Certified: notKnown,
			Lipschitz: rundir.Number(found.Lipschitz.Value), Samples: len(indices)}
		// The proof is for dense networks of ReLU or tanh.
		if c, err := attack.Certify(a.net, x, kind, k, reach); err == nil {
			out.Certified = rundir.Number(c.Constant.Value)
		}
		a.Smoothness = append(a.Smoothness, out)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return a.given.smooth(all), nil
}

// excess returns max_c (‖∇_W f_c(x_i)‖_{2k} + 1)/‖x_i‖_{2k} of every sample.
func (a *around) excess(k int) []float64 {
	c, excess := a.net.Outputs(), make([]float64, a.data.N)
	for i := range excess {
		for _, g := range a.norms.parameters[k-1][i*c : (i+1)*c] {
			excess[i] = math.Max(excess[i], (g+1)/a.norms.inputs[k-1][i])
		}
	}
	return excess
}

// seminorm measures the left side of Theorem 4 at the points of the union.
func (a *around) seminorm(k int) (bound.Cover, error) {
	c, norms := a.net.Outputs(), make([]float64, a.union.N*a.net.Outputs())
	points := nn.Data[float64]{N: a.union.N, X: a.union.X, Y: make([]float64, a.union.N*c)}
	err := a.net.EachGradientSums(points, k, a.memory, func(i, o int, sums *nn.GradientSums) {
		norms[i*c+o] = math.Pow(sums.Input[k-1], 1/float64(2*k))
	})
	if err != nil {
		return bound.Cover{}, err
	}
	over := seminorm.OnBalls(norms, a.union.Kappa, c, k, a.data.N, a.logBall)
	a.warnAbout(fmt.Sprintf("seminorms, k = %d", k), over.Warnings)
	largest := math.Inf(-1)
	for _, e := range over.LogIntegral.PerOutput {
		largest = math.Max(largest, e.Value)
	}
	mean := over.Mean.Joint
	a.Seminorms = append(a.Seminorms, rundir.Seminorm{K: k, Points: rundir.Number(seminorm.AtPoints(a.norms.input[k-1], c, k).Joint),
		PointsSum: rundir.Number(seminorm.AtPoints(a.norms.input[k-1], c, k).Sum),
		Balls: rundir.Estimate{Value: rundir.Number(mean.Value), SE: rundir.Number(mean.SE),
			CI95: [2]rundir.Number{rundir.Number(mean.Lower), rundir.Number(mean.Upper)}, Draws: over.Draws, Seed: a.seed}})
	return bound.Cover{
		LogVolume: float64(a.Geometry.LogVolume.Value), LogMeasured: largest,
		Overlap: bound.Constant{Value: float64(a.Geometry.OverlapUpper), Condition: bound.Condition{Holds: bound.Yes, Evidence: "the largest number of samples within 2δ of one"}},
	}, nil
}

// boundsInOneBall evaluates Proposition 3 and Corollary 5 at the sample with the
// largest gradient found.
func (a *around) boundsInOneBall(j int, smooth []bound.Smoothness, found *attack.LargestGradient[float64]) {
	k, at := a.MeasuredOrders[j], 0
	for i, v := range found.Largest {
		if v > found.Largest[at] {
			at = i
		}
	}
	i, o := a.attacked[at], found.Output[at]
	ball := bound.Ball{
		Sample: i, Radius: a.radius, Norm: a.norms.inputs[k-1][i], Norm2: a.norms.inputs[0][i],
		Gradient: a.norms.parameters[k-1][i*a.net.Outputs()+o], FirstGradient: math.NaN(), Smoothness: smooth[j], Measured: found.Largest[at],
	}
	layer := a.layers[j]
	if !layer.Shared && ball.Norm2 > 0 {
		d := a.net.Inputs()
		c, err := attack.Certify(a.net, a.data.X[i*d:(i+1)*d], attack.FirstWeights, k, a.radius*layer.Spectral/ball.Norm2)
		if err == nil {
			ball.DeltaSup = bound.Constant{Value: c.UpperDelta[o], Condition: bound.Condition{Holds: bound.Yes, Evidence: "proved by interval propagation"}}
		}
	}
	a.addBounds(bound.Proposition3(k, layer, ball))
	if len(a.MeasuredOrders) > 1 {
		other := (j + 1) % len(a.MeasuredOrders)
		ball.Smoothness = smooth[other]
		a.addBounds(bound.Corollary5(k, a.MeasuredOrders[other], a.Model.Parameters, layer, ball))
	}
}
