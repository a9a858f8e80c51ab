package experiment

import (
	"fmt"
	"math"

	"sobolev/bound"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/seminorm"
)

// norms holds ‖·‖_{2k} of the gradients of every output c at every sample i, n×c
// row-major, for the orders k = 1 … of its index plus one.
type norms struct {
	parameters, input, delta, weights [][]float64
	// inputs holds ‖x_i‖_{2k}, n for each order.
	inputs [][]float64
}

func newNorms(n, c, orders int) *norms {
	g := &norms{}
	for range orders {
		g.parameters, g.input = append(g.parameters, make([]float64, n*c)), append(g.input, make([]float64, n*c))
		g.delta, g.weights = append(g.delta, make([]float64, n*c)), append(g.weights, make([]float64, n*c))
		g.inputs = append(g.inputs, make([]float64, n))
	}
	return g
}

// leastSum is the least sum of powers of elements of a gradient that has kept its digits.
const leastSum = 1e-290

// add takes the sums of one gradient; nil does nothing. A norm whose powers underflow
// is not known: zero would be a false bound.
func (g *norms) add(i, o int, sums *nn.GradientSums) {
	if g == nil {
		return
	}
	root := func(sum, squares float64, k int) float64 {
		if sum < leastSum && squares > 0 {
			return math.NaN()
		}
		return math.Pow(sum, 1/float64(2*k))
	}
	c := len(g.input[0]) / len(g.inputs[0])
	at := i*c + o
	for j := range g.parameters {
		k := j + 1
		g.parameters[j][at] = root(sums.Parameters(k), sums.Parameters(1), k)
		g.input[j][at], g.delta[j][at] = root(sums.Input[j], sums.Input[0], k), root(sums.Delta[j], sums.Delta[0], k)
		g.weights[j][at] = root(sums.Weight[0][j], sums.Weight[0][0], k)
	}
}

// first returns the norm of order k of the gradient in the first layer's weights, and in
// its bias if there is one, which is δ.
func (g *norms) first(at, k int, bias bool) float64 {
	if !bias {
		return g.weights[k-1][at]
	}
	return seminorm.Norm([]float64{g.weights[k-1][at], g.delta[k-1][at]}, k)
}

// gradientNorms returns the norms of the orders up to the highest. An audit has those
// of the gradients from the pass that measured the moments; a run, which measures these
// in float32, does not.
func (s *study) gradientNorms(orders int) (*norms, error) {
	if s.norms == nil {
		s.norms = newNorms(s.point.Samples(), s.point.Outputs(), orders)
		if err := s.net.EachGradientSums(s.data, orders, s.memory, s.norms.add); err != nil {
			return nil, err
		}
	}
	s.net.EachFeatures(s.data, func(i int, x []float64) {
		for j, of := range s.norms.inputs {
			of[i] = seminorm.Norm(x, j+1)
		}
	})
	return s.norms, nil
}

// boundsOfStability evaluates what follows from stability alone: Theorem 2, (34)
// and Corollary 3.
func (s *study) boundsOfStability(g *norms, sums []float64) {
	solution, n := s.solution(), s.point.Samples()
	w := s.net.ParameterCount()
	for _, k := range s.MeasuredOrders {
		largest, total := math.NaN(), 0.0
		switch {
		case !s.point.Loss().Squared():
			s.warn(fmt.Sprintf("theorem 2, k = %d: not measured: single parameters are summed for the loss, which is not squared", k))
		case k*w <= len(sums):
			largest = 0
			for _, v := range sums[(k-1)*w : k*w] {
				largest = max(largest, v/float64(n))
			}
		case k > highestOrder:
			s.warn(fmt.Sprintf("theorem 2, k = %d: not measured: single parameters are summed up to the order %d", k, highestOrder))
		}
		c, mean := s.point.Outputs(), 0.0
		for i := range n {
			sample := 0.0
			for _, v := range g.parameters[k-1][i*c : (i+1)*c] {
				sample += math.Pow(v, float64(2*k))
			}
			total += sample / float64(n)
			mean += math.Pow(sample, 1/float64(2*k)) / float64(n)
		}
		s.addBounds(bound.Theorem2(k, solution, largest), bound.Equation34(k, solution, total), bound.Corollary3(k, solution, mean))
	}
}

// boundsAtTheData evaluates what the first layer makes of it at the samples:
// Proposition 2, Corollary 4 and Theorem 3.
func (s *study) boundsAtTheData(layers []bound.FirstLayer, g *norms) {
	for j, k := range s.MeasuredOrders {
		layer := layers[j]
		gradients := bound.Gradients{Outputs: s.point.Outputs(), Input: g.input[k-1], Delta: g.delta[k-1], Weights: g.parameters[k-1], InputNorms: g.inputs[k-1]}
		s.addBounds(bound.Proposition2(k, layer, gradients), bound.Corollary4(k, layer, gradients),
			bound.Theorem3(k, s.solution(), layer, seminorm.AtPoints(g.input[k-1], gradients.Outputs, k).Joint))
		if layer.Shared && layer.Obstacle == "" {
			// The norms of single patches are not known: the form in delta is all there is.
			gradients.Weights, gradients.InputNorms = gradients.Delta, make([]float64, s.point.Samples())
			for i := range gradients.InputNorms {
				gradients.InputNorms[i] = math.NaN()
			}
			for _, b := range []bound.Bound{bound.Proposition2Unshared(k, layer, gradients), bound.Corollary4Unshared(k, layer, gradients)} {
				b.Warnings = b.Warnings[min(1, len(b.Warnings)):] // that the printed form does not apply is said once, below
				s.addBounds(b)
			}
			s.warn("unshared forms of a convolution: the printed ones are left out, since norms of single patches are not measured")
		}
	}
}

// firstLayers describes the first layer that trains, for every measured order.
func (s *study) firstLayers(g *norms) []bound.FirstLayer {
	operator, layer := s.firstOperator()
	search := seminorm.Search{}
	if c, ok := operator.(*seminorm.Convolution); ok {
		search.SpectralUpper = c.SpectralUpper()
	}
	orders := append([]int{1}, s.MeasuredOrders...)
	var brackets []seminorm.Bracket
	if operator != nil {
		brackets = seminorm.OperatorNorms(seminorm.Transpose(operator), orders, search, s.rng)
		layer.Spectral = brackets[0].Upper
	}
	var layers []bound.FirstLayer
	for j, k := range s.MeasuredOrders {
		if operator != nil {
			b := brackets[j+1]
			s.OperatorNorms = append(s.OperatorNorms, rundir.OperatorNorm{P: 2 * k, Lower: rundir.Number(b.Lower), Upper: rundir.Number(b.Upper)})
			layer.OperatorNorm = b.Upper
		}
		layer.MinNorm, layer.MinNorm2, layer.MinSample = math.Inf(1), math.Inf(1), 0
		for i, v := range g.inputs[k-1] {
			if v < layer.MinNorm {
				layer.MinNorm, layer.MinSample = v, i
			}
			layer.MinNorm2 = math.Min(layer.MinNorm2, g.inputs[0][i])
		}
		layers = append(layers, layer)
	}
	return layers
}

// firstOperator is the matrix of the first layer that trains, that of a convolution
// on all positions; nil where there is none. What it multiplies may be no longer x.
func (s *study) firstOperator() (seminorm.Operator, bound.FirstLayer) {
	first, flat := s.net.FirstWeight(), make([]float64, s.net.ParameterCount())
	s.net.CopyParameters(flat)
	w1, shape := flat[first.Offset:first.Offset+first.Size()], first.Shape
	layer := bound.FirstLayer{Inputs: s.net.Features(), Width: shape[0], Bias: s.net.FirstHasBias(),
		Obstacle: s.net.BeforeFirst(), OperatorNorm: math.NaN(), Spectral: math.NaN()}
	if layer.Obstacle != "" {
		s.warn("bounds: the first layer that trains is not a matrix that multiplies the inputs: " + layer.Obstacle + "; Proposition 2 and all that follows from it do not apply")
	}
	input, conv := s.net.FirstConvolution()
	switch {
	case len(shape) == 2:
		return seminorm.NewDense(shape[0], shape[1], w1), layer
	case input != nil:
		layer.Shared = true
		op := &seminorm.Convolution{Out: shape[0], In: shape[1], KernelHeight: shape[2], KernelWidth: shape[3],
			Height: input[1], Width: input[2], Stride: conv.Stride, Padding: conv.Padding, Kernel: w1}
		layer.Width, _ = op.Dims()
		return op, layer
	}
	s.warn("operator_norms: that of the first layer that trains is for dense layers and convolutions outside of residual blocks")
	return nil, layer
}

// solution is what the bounds know of the minimum and its SGD. Their learning rate
// is the effective one.
func (s *study) solution() bound.Solution {
	sol := bound.Solution{
		Samples: s.point.Samples(), Parameters: s.Model.Parameters, Outputs: s.point.Outputs(),
		LearningRate: s.eta * s.point.Scale(), Batch: s.batch,
		WithReplacement: s.sampling.String() == "with-replacement", Epochs: s.sampling.String() == "epochs",
		Interpolates: bound.Condition{Holds: verdict(s.Fit.Interpolates),
			Evidence: fmt.Sprintf("relative loss %.3g, at most %g", float64(s.Fit.RelativeLoss), s.tolerance())},
	}
	if !s.point.Loss().Squared() {
		sol.Interpolates = bound.Condition{Holds: bound.No, Evidence: "cross-entropy: " + notInterpolating}
	}
	if s.Curvature.Rank != nil {
		sol.Rank = *s.Curvature.Rank
	}
	for _, o := range s.Stability.Orders {
		v := bound.Stability{K: o.K, Condition: bound.Condition{Holds: bound.Unknown,
			Evidence: fmt.Sprintf("η = %.4g between %.4g and %.4g", s.eta, float64(o.EtaLower), float64(o.EtaUpper))}}
		if o.Stable != nil && *o.Stable {
			v.Condition = bound.Condition{Holds: bound.Yes, Evidence: fmt.Sprintf("η = %.4g <= %.4g", s.eta, float64(o.EtaLower))}
		} else if o.Stable != nil {
			v.Condition = bound.Condition{Holds: bound.No, Evidence: fmt.Sprintf("η = %.4g > %.4g", s.eta, float64(o.EtaUpper))}
		}
		sol.Orders = append(sol.Orders, v)
	}
	if lower := float64(s.Stability.EtaAllOrders.Lower); s.eta <= lower {
		for _, k := range s.MeasuredOrders {
			if k > len(s.Stability.Orders) {
				sol.Orders = append(sol.Orders, bound.Stability{K: k, Condition: bound.Condition{Holds: bound.Yes,
					Evidence: fmt.Sprintf("η = %.4g <= %.4g, where all orders are stable", s.eta, lower)}})
			}
		}
	}
	return sol
}

func verdict(holds bool) bound.Verdict {
	if holds {
		return bound.Yes
	}
	return bound.No
}

func (s *study) addBounds(bounds ...bound.Bound) {
	for _, b := range bounds {
		out := rundir.Bound{
			Statement: b.Statement, K: b.K, Measured: rundir.Number(b.Measured), Printed: rundir.Number(b.Printed), Sharp: rundir.Number(b.Sharp),
			SharpForm: b.SharpForm, Free: rundir.Number(b.Free), Status: string(b.Status), Applies: b.Status == bound.Applies || b.Status == bound.IfAssumed,
			WhyNot: b.WhyNot, LogFactor: b.LogFactor,
		}
		for _, h := range b.Hypotheses {
			out.Hypotheses = append(out.Hypotheses, rundir.Hypothesis{Name: h.Name, Holds: string(h.Holds), Evidence: h.Evidence})
		}
		s.Bounds = append(s.Bounds, out)
		s.warnAbout(fmt.Sprintf("%s, k = %d", b.Statement, b.K), b.Warnings)
	}
}
