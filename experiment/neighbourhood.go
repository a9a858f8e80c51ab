package experiment

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"sobolev/attack"
	"sobolev/bound"
	"sobolev/geometry"
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
	attackedSamples   = 100 // around which outputs are searched
	steepSamples      = 25  // around which gradients are searched: those with the largest
	smoothnessSamples = 20  // for which Definition 1's constant is
	unionDraws        = 500 // points of the union of balls
)

// ofFeatures is the study of the layers that train on the features that frozen layers
// make of the data: they are the x of the theory (Ma & Ying, 2021, the remark after
// (7)), so that its balls are balls of features.
func (s *study) ofFeatures() (*study, error) {
	f := *s
	f.shape = nil
	var err error
	if f.net, f.data, err = s.net.Head(s.data); err != nil {
		return nil, err
	}
	if s.test.N > 0 {
		if _, f.test, err = s.net.Head(s.test); err != nil {
			return nil, err
		}
	}
	s.warn("measure.radius is a distance of features, the inputs of the first layer that trains: with frozen layers the bounds around the data, their geometry and all attacks are about balls of features, not of images")
	return &f, nil
}

// around is what Theorems 4–7 and Propositions 3 and 5 need of the balls of radius
// δ around the samples, beside what is known at the samples.
type around struct {
	*study
	radius float64
	space  string // that of the balls, where it is not the inputs'
	layers []bound.FirstLayer
	norms  *norms
	test   nn.Data[float64]
	// attacked are the samples of the searches, their numbers in the data and
	// themselves.
	attacked  []int
	attackedX []float64
	union     *geometry.UnionSample
	// certifier is nil where there is no proof of Definition 1's constant: it is for
	// dense networks of ReLU or tanh.
	certifier *attack.Certifier[float64]
	logBall   float64
}

// boundsAroundTheData evaluates what holds in the balls around the samples:
// Proposition 3, Corollary 5 and Theorems 4–7.
func (s *study) boundsAroundTheData(ctx context.Context, layers []bound.FirstLayer, g *norms) error {
	space := ""
	if s.Model.Frozen > 0 {
		features, err := s.ofFeatures()
		if err != nil {
			s.warn("bounds around the data are left out: " + err.Error())
			return nil
		}
		s, space = features, "features"
	}
	own := *s // its memory shrinks by what is held
	s = &own
	a := &around{study: s, radius: s.options.Radius, space: space, layers: layers, norms: g, test: s.test}
	a.attacked, a.attackedX = spread(s.data, attackedSamples)
	if err := a.measureGeometry(); err != nil {
		return err
	}
	// The points of the union; the attacked samples, where they went, and copies.
	a.memory -= 8 * int64(len(a.union.X)+5*len(a.attackedX))
	target, testError, err := a.target()
	if err != nil {
		return err
	}
	found, err := a.attacks()
	if err != nil {
		return err
	}
	if a.certifier, err = attack.NewCertifier(a.net); err != nil {
		a.warn("smoothness: certified is left out: " + err.Error())
	} else {
		a.memory -= 8 * int64(a.net.ParameterCount()) // it holds the weights
	}
	smooth, err := a.smoothness(ctx, found)
	if err != nil {
		return err
	}
	second := a.secondOrder()
	for j, k := range s.MeasuredOrders {
		largest, change := float64(s.Robustness.Gradients[j].Found), float64(s.Robustness.OutputChange)
		balls := bound.Neighbourhood{Radius: a.radius, Smoothness: smooth[j], Excess: a.excess(k)}
		cover, err := a.seminorm(k, second(k))
		if err != nil {
			return err
		}
		solution, layer := s.solution(), layers[j]
		a.boundsInOneBall(j, smooth, found[j])
		s.addBounds(bound.Theorem4(k, solution, layer, balls, cover), bound.Theorem5(k, solution, layer, balls, largest),
			bound.Theorem6(k, solution, layer, balls, target, testError), bound.Theorem7(k, solution, layer, balls, change))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// steepBall is where the largest gradient of one order was found.
type steepBall struct {
	sample, output int
	gradient       float64
}

// attacks searches the balls, and returns the steepest of every order.
func (a *around) attacks() ([]steepBall, error) {
	// Both hold memory at once.
	attacker, err := attack.New(a.net, a.memory/2)
	if err != nil {
		return nil, err
	}
	gradients, err := a.net.NewInputGradients(a.memory / 2)
	if err != nil {
		return nil, err
	}
	ball := attack.Ball{Norm: attack.L2, Radius: a.radius}
	change, err := attacker.OutputChange(a.attackedX, ball, outputSearch, a.rng)
	if err != nil {
		return nil, err
	}
	a.Robustness = &rundir.Robustness{Space: a.space, Radius: rundir.Number(a.radius), Samples: len(a.attacked), OutputChange: rundir.Number(largestOf(change.Largest))}
	turned, err := a.classification(attacker, gradients)
	if err != nil {
		return nil, err
	}
	a.examples(gradients, turned, change)
	var found []steepBall
	for _, k := range a.MeasuredOrders {
		samples, x := a.steepest(k)
		g, err := attacker.LargestGradient(x, k, ball, gradientSearch, a.rng)
		if err != nil {
			return nil, err
		}
		largest := largestOf(g.Largest)
		at := max(0, slices.Index(g.Largest, largest))
		found = append(found, steepBall{samples[at], g.Output[at], largest})
		a.Robustness.Gradients = append(a.Robustness.Gradients, rundir.GradientInBall{K: k, Found: rundir.Number(largest), Samples: len(samples)})
	}
	return found, nil
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

// steepest returns the samples with the largest ‖∇_x f_c‖_{2k}, and themselves.
func (a *around) steepest(k int) (indices []int, x []float64) {
	c, d := a.net.Outputs(), a.net.Inputs()
	norms := make([]float64, a.data.N)
	for i := range norms {
		norms[i] = largestOf(a.norms.input[k-1][i*c : (i+1)*c])
		indices = append(indices, i)
	}
	slices.SortStableFunc(indices, func(i, j int) int { return cmp.Compare(norms[j], norms[i]) })
	indices = indices[:min(steepSamples, len(indices))]
	for _, i := range indices {
		x = append(x, a.data.X[i*d:(i+1)*d]...)
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

// reach is the radius of the ball of parameters that Definition 1 has to hold in so
// that a ball of radius δ around every sample is reached, see bound.Smoothness; why says
// what keeps it from being one. A sample that is zero needs no more than the bias gives.
func (a *around) reach(layer bound.FirstLayer) (reach float64, why string) {
	if layer.Obstacle != "" || layer.Shared {
		return 0, "Proposition 2 needs a first layer that multiplies the inputs and shares no weights"
	}
	least, zero := math.Inf(1), -1
	for i, norm := range a.norms.inputs[0] {
		if norm > 0 {
			least = min(least, norm)
		} else {
			zero = i
		}
	}
	if zero >= 0 && layer.Bias {
		least = min(least, 1)
	}
	// A little more than the radius asks for: it is compared with the limit.
	reach = (1 + 1e-9) * a.radius * layer.Spectral / least
	if !(reach > 0) || math.IsInf(reach, 0) {
		return 0, fmt.Sprintf("with ‖W₁‖₂ = %.3g and the smallest ‖x‖₂ = %.3g there is no ball of parameters to search", layer.Spectral, least)
	}
	return reach, ""
}

// implied is what a gradient found in the ball of inputs says of Definition 1's
// constant, by (41) read backwards: C_s ≥ ‖∇_x f(x)‖ ‖x_*‖/(N_k (‖∇_W f(x_*)‖ + 1)), and
// the same of the first layer's gradients. With a bias x_* has one more coordinate.
func (a *around) implied(j int, ball steepBall) (constant, first float64) {
	k, layer := a.MeasuredOrders[j], a.layers[j]
	at, norm := ball.sample*a.net.Outputs()+ball.output, a.norms.inputs[a.MeasuredOrders[j]-1][ball.sample]
	if layer.Bias {
		norm = seminorm.Norm([]float64{norm, 1}, k)
	}
	least := ball.gradient * norm / layer.OperatorNorm
	return least / (a.norms.parameters[k-1][at] + 1), least / (a.norms.first(at, k, layer.Bias) + 1)
}

// smoothness searches for Definition 1's constant in the balls of parameters that
// the radius needs, for every measured order.
func (a *around) smoothness(ctx context.Context, steep []steepBall) ([]bound.Smoothness, error) {
	all := make([]bound.Smoothness, len(a.MeasuredOrders))
	reach, why := a.reach(a.layers[0])
	if why != "" {
		a.warn("smoothness is left out: " + why)
		return a.given.smooth(all, nil), nil
	}
	indices, x := spread(a.data, smoothnessSamples)
	kind, lipschitz := attack.RankOne, 0.0
	if a.layers[0].Bias {
		kind = attack.RankOneBias
	}
	for j, k := range a.MeasuredOrders {
		found, err := attack.SearchSmoothness(a.net, x, kind, k, reach, smoothnessSearch, a.rng, a.memory)
		if err != nil {
			return nil, err
		}
		constant, first := found.Constant.Value, found.FirstLayer.Value
		if all, own := a.implied(j, steep[j]); all > constant || own > first { // false for NaN
			constant, first = max(constant, all), max(first, own)
		}
		assumed := bound.Condition{Holds: bound.Assumed, Evidence: fmt.Sprintf("the largest found by search around %d samples", len(indices))}
		all[j] = bound.Smoothness{Approx: reach, Bias: a.layers[j].Bias,
			Constant: bound.Constant{Value: constant, Condition: assumed}, FirstLayer: bound.Constant{Value: first, Condition: assumed}}
		out := rundir.Smoothness{K: k, Radius: rundir.Number(reach), Found: rundir.Number(constant), Certified: notKnown, Samples: len(indices)}
		if a.certifier != nil {
			if c, err := a.certifier.Certify(x, kind, k, reach); err != nil {
				a.warn(fmt.Sprintf("smoothness, k = %d: certified is left out: %v", k, err))
			} else {
				out.Certified = rundir.Number(c.Constant.Value)
			}
		}
		lipschitz = max(lipschitz, found.Lipschitz.Value)
		a.Smoothness = append(a.Smoothness, out)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	for j := range a.Smoothness {
		a.Smoothness[j].Lipschitz = rundir.Number(lipschitz) // of ‖·‖₂, whatever the order of the search
	}
	given := a.given.smooth(all, a.Smoothness)
	for j, k := range a.MeasuredOrders {
		if c := given[j].Constant; c.Holds == bound.No {
			a.warn(fmt.Sprintf("smoothness, k = %d: C_s = %g is wrong: %s; what rests on it does not hold", k, c.Value, c.Evidence))
		}
	}
	return given, nil
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
func (a *around) seminorm(k int, second *rundir.SecondSeminorm) (bound.Cover, error) {
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
	a.Seminorms = append(a.Seminorms, rundir.Seminorm{K: k, Second: second, Points: rundir.Number(seminorm.AtPoints(a.norms.input[k-1], c, k).Joint),
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
func (a *around) boundsInOneBall(j int, smooth []bound.Smoothness, found steepBall) {
	k, i, o := a.MeasuredOrders[j], found.sample, found.output
	ball := bound.Ball{
		Sample: i, Radius: a.radius, Norm: a.norms.inputs[k-1][i], Norm2: a.norms.inputs[0][i],
		Gradient: a.norms.parameters[k-1][i*a.net.Outputs()+o], FirstGradient: a.norms.first(i*a.net.Outputs()+o, k, a.layers[j].Bias),
		Smoothness: smooth[j], Measured: found.gradient,
	}
	layer := a.layers[j]
	if a.certifier != nil && ball.Norm2 > 0 {
		d := a.net.Inputs()
		c, err := a.certifier.Certify(a.data.X[i*d:(i+1)*d], attack.FirstWeights, k, a.radius*layer.Spectral/ball.Norm2)
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
