package attack

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Perturbation says which changes V of the parameters are in the ball ‖V‖_F ≤ δ of
// Definition 1 (Ma & Ying, 2021). The first layer is the first that trains.
type Perturbation int

// Proposition 3 needs only RankOne perturbations u x_*ᵀ of W₁, where x_* is the first
// layer's input; with the bias as a weight of a further input that is 1,
// RankOneBias, b₁ moves by u too. For one sample the first layer's pre-activations
// move by u‖x_*‖₂², so that RankOne reaches all that FirstWeights does, and
// RankOneBias all that FirstLayer does.
const (
	AllParameters Perturbation = iota
	FirstWeights               // W₁
	FirstLayer                 // W₁ and b₁
	RankOne                    // u x_*ᵀ
	RankOneBias                // u x_*ᵀ and u
)

var perturbationNames = []string{"all parameters", "W1", "W1 and b1", "u x^T", "u (x, 1)^T"}

func (p Perturbation) String() string { return perturbationNames[p] }

func (p Perturbation) rankOne() bool { return p == RankOne || p == RankOneBias }
func (p Perturbation) bias() bool    { return p == FirstLayer || p == RankOneBias }

// subspace is where the V of one sample are.
type subspace struct {
	kind Perturbation
	// begin, bias, end: where W₁ and b₁ begin in the vector of parameters, and end.
	begin, bias, end int
	input            []float64 // x_* of the first layer
}

// firstLayer returns where the first layer that trains is in the parameters.
func firstLayer[T kernel.Float](net *nn.Network[T]) (begin, bias, end int) {
	w := net.FirstWeight()
	begin, bias = w.Offset, w.Offset+w.Size()
	end = bias
	for _, p := range net.Parameters() {
		if p.Offset == bias && p.Name == strings.TrimSuffix(w.Name, ".weight")+".bias" {
			end += p.Size()
		}
	}
	return begin, bias, end
}

// checkPerturbation returns an error where the network has no such perturbations.
func checkPerturbation[T kernel.Float](net *nn.Network[T], p Perturbation) error {
	if p < 0 || int(p) >= len(perturbationNames) {
		return fmt.Errorf("smoothness: unknown perturbation %d", int(p))
	}
	if p.rankOne() && !denseFirst(net) {
		return fmt.Errorf("smoothness: perturbations %v are those of a dense first layer on the inputs or on frozen layers; the first is %s", p, net.FirstWeight().Name)
	}
	if _, bias, end := firstLayer(net); p.bias() && bias == end {
		return fmt.Errorf("smoothness: perturbations %v: the first layer has no bias", p)
	}
	return nil
}

// denseFirst says whether the first layer that trains is dense, and its input is
// that of the network or what frozen layers make.
func denseFirst[T kernel.Float](net *nn.Network[T]) bool {
	if len(net.FirstWeight().Shape) != 2 {
		return false
	}
	for _, l := range net.Architecture.Layers {
		if l.Kind != nn.FlattenLayer {
			return l.Kind == nn.LinearLayer || net.TrainableCount() < net.ParameterCount()
		}
	}
	return false
}

// firstInputs returns the inputs of the first layer that trains, which denseFirst
// has said yes to.
func firstInputs(net *nn.Network[float64], data nn.Data[float64]) [][]float64 {
	inputs, d := make([][]float64, data.N), net.Inputs()
	if net.TrainableCount() == net.ParameterCount() {
		for i := range inputs {
			inputs[i] = row(data.X, i, d)
		}
		return inputs
	}
	net.EachFeatures(data, func(i int, x []float64) { inputs[i] = slices.Clone(x[:net.Features()]) })
	return inputs
}

// project sets v to its orthogonal projection on the subspace.
func (s *subspace) project(v []float64) {
	if s.kind == AllParameters {
		clear(v[:s.begin]) // frozen
		return
	}
	clear(v[:s.begin])
	clear(v[s.end:])
	if !s.kind.bias() {
		clear(v[s.bias:s.end])
	}
	if !s.kind.rankOne() {
		return
	}
	d := len(s.input)
	square := norm2(s.input) * norm2(s.input)
	if s.kind == RankOneBias {
		square++
	}
	if square == 0 {
		clear(v[s.begin:s.end])
		return
	}
	for o := range (s.bias - s.begin) / d {
		weights := v[s.begin+o*d : s.begin+(o+1)*d]
		u := 0.0
		for j, x := range s.input {
			u += x * weights[j]
		}
		if s.kind == RankOneBias {
			u += v[s.bias+o]
		}
		u /= square
		for j, x := range s.input {
			weights[j] = u * x
		}
		if s.kind == RankOneBias {
			v[s.bias+o] = u
		}
	}
}

// draw sets v to a direction of the subspace, of norm length; zero if it is empty.
func (s *subspace) draw(v []float64, length float64, rng *rand.Rand) {
	for j := range v {
		v[j] = rng.NormFloat64()
	}
	s.project(v)
	rescale(v, length)
}

// rescale gives v the norm length unless it is zero.
func rescale(v []float64, length float64) {
	norm := norm2(v)
	if norm == 0 {
		return
	}
	for j := range v {
		v[j] *= length / norm
	}
}

// shorten keeps v in the ball.
func shorten(v []float64, radius float64) {
	for shrink := 0.0; norm2(v) > radius; shrink = math.Max(0x1p-53, 4*shrink) {
		rescale(v, radius*math.Max(0, 1-shrink))
	}
}
