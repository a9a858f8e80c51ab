package attack

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Found is a number that is attained for one sample and output.
type Found struct {
	Value          float64
	Sample, Output int
}

// Smoothness is what a search found of the constants of Definition 1 in Ma & Ying
// (2021), for one order k and ‖V‖_F ≤ Radius = δ_approx: the smallest C_s with
//
//	‖∇_W f_c(x_i, W + V)‖_{2k} ≤ C_s (‖∇_W f_c(x_i, W)‖_{2k} + 1)
//
// for all samples, outputs and V is at least Constant. A lower bound: for a bound
// that is to hold, see Certify.
type Smoothness struct {
	Perturbation Perturbation
	K            int
	Radius       float64
	// Constant is for the gradient in all parameters that train, FirstLayer for that
	// in the first layer's weights and bias on both sides.
	Constant, FirstLayer Found
	// Lipschitz is the largest ‖∇f_c(W + V) − ∇f_c(W)‖₂/‖V‖_F, in all parameters
	// that train (Remark 1: where it is bounded by L, C_s ≤ max(1, Lδ)).
	Lipschitz Found
	// V attains Constant: w elements, in the order of CopyParameters.
	V []float64
	// All are n×c, row-major: the norms at V = 0 and the largest found.
	Gradient, LargestGradient           []float64
	FirstGradient, LargestFirstGradient []float64
}

// SearchSmoothness ascends ‖∇_W f_c(x_i, W + V)‖_{2k}, and then its first layer's
// part, from V = 0 and from random V for every sample of x, n×d, and every output.
// The direction of a step is found as in Attacker.LargestGradient, by the difference
// of gradients at both sides along g^{2k−1}, and projected on the perturbations. A
// random start is the best of Steps. It works on a copy of the network in float64;
// memory limits its bytes. Cost: 8 gradients of one sample for every step, restart,
// sample and output; for rank-one perturbations of dense networks as products of
// matrices, elsewhere with vectors of w parameters.
func SearchSmoothness[T kernel.Float](net *nn.Network[T], x []T, p Perturbation, k int, radius float64, s Search, rng *rand.Rand, memory int64) (*Smoothness, error) {
	ball := Ball{Radius: radius}
	if k < 1 {
		return nil, fmt.Errorf("smoothness: order %d; need k ≥ 1", k)
	}
	if err := errors.Join(ball.check(), s.check(), checkPerturbation(net, p), checkCentres(ball, x, net.Inputs())); err != nil {
		return nil, err
	}
	search, err := newSmoothnessSearch(net, x, p, k, ball, s, rng, memory)
	if err != nil {
		return nil, err
	}
	if layers, ok := rankOneLayers(search.net); ok && p.rankOne() {
		return search.result, search.eachRankOne(layers)
	}
	return search.result, search.each()
}

// each searches one sample and output after the other.
func (l *smoothnessSearch) each() error {
	if err := l.allocate(); err != nil {
		return err
	}
	for i := range l.samples {
		l.space.input = l.inputs[i]
		for c := range l.net.Outputs() {
			if err := l.run(i, c); err != nil {
				return fmt.Errorf("sample %d, output %d: %w", i, c, err)
			}
		}
	}
	return nil
}

// eachRankOne searches for many at once; see rankOneSearch.
func (l *smoothnessSearch) eachRankOne(layers []rankOneLayer) error {
	step := max(1, rankOneRows/l.net.Outputs())
	if need := l.own + rankOneBytes(layers, min(step, l.samples)*l.net.Outputs()); need > l.memory {
		return tooLittle(need, l.memory)
	}
	for from := 0; from < l.samples; from += step {
		to := min(from+step, l.samples)
		s := l.rankOne(layers, from, to)
		if err := s.run(); err != nil {
			return err
		}
		if at := l.result.Constant.Sample; at >= from && at < to {
			l.place(s.best, l.inputs[at])
			shorten(l.result.V, l.ball.Radius) // what rounding has added
		}
	}
	return nil
}

// place sets V to u x_*ᵀ, and to u in the bias where that moves.
func (l *smoothnessSearch) place(u, input []float64) {
	v, d := l.result.V, len(input)
	for o := range (l.space.bias - l.space.begin) / d {
		for j, x := range input {
			v[l.space.begin+o*d+j] = u[o] * x
		}
		if l.space.kind.bias() {
			v[l.space.bias+o] = u[o]
		}
	}
}

// smoothnessSearch is the working memory of SearchSmoothness.
type smoothnessSearch struct {
	net          *nn.Network[float64]
	data         nn.Data[float64]
	memory, own  int64                     // the limit, and what is used of it
	differential *nn.Differential[float64] // of each alone, as the vectors are
	result       *Smoothness
	ball         Ball
	search       Search
	rng          *rand.Rand
	samples      int
	space        subspace
	inputs       [][]float64 // of the first layer, where it is dense
	unit         []float64   // c
	// w elements: the parameters, V, a point, gradients, a direction.
	start, v, point, nominal, gradient, up, down, direction []float64
}

func newSmoothnessSearch[T kernel.Float](net *nn.Network[T], x []T, p Perturbation, k int, ball Ball, s Search, rng *rand.Rand, memory int64) (*smoothnessSearch, error) {
	n, w := len(x)/net.Inputs(), int64(net.ParameterCount())
	// The copy, its weights in another order, and V.
	own := 8 * (3*w + int64(len(x)) + int64(n*(net.Features()+6*net.Outputs())))
	if own > memory {
		return nil, tooLittle(own, memory)
	}
	wide := nn.Float64(net)
	data := nn.Data[float64]{N: n, X: make([]float64, len(x)), Y: make([]float64, n*net.Outputs())}
	for j, v := range x {
		data.X[j] = float64(v)
	}
	l := &smoothnessSearch{
		net: wide, data: data, memory: memory, own: own, ball: ball, search: s, rng: rng, samples: n,
		inputs: make([][]float64, n),
		result: &Smoothness{Perturbation: p, K: k, Radius: ball.Radius, V: make([]float64, w)},
	}
	l.space = subspace{kind: p}
	l.space.begin, l.space.bias, l.space.end = firstLayer(wide)
	if p.rankOne() {
		l.inputs = firstInputs(wide, data)
	}
	return l, nil
}

func tooLittle(need, limit int64) error {
	return fmt.Errorf("smoothness: the search needs more than %d bytes of memory; the limit is %d", need, limit)
}

// allocate makes what each needs: vectors of parameters, and gradients as such.
func (l *smoothnessSearch) allocate() error {
	w := l.net.ParameterCount()
	own := l.own + 8*9*int64(w)
	if own > l.memory {
		return tooLittle(own, l.memory)
	}
	var err error
	if l.differential, err = l.net.NewDifferential(l.data, nn.HalfMSE, l.memory-own); err != nil {
		return fmt.Errorf("smoothness: %w", err)
	}
	l.unit = make([]float64, l.net.Outputs())
	for _, v := range []*[]float64{&l.start, &l.v, &l.point, &l.nominal, &l.gradient, &l.up, &l.down, &l.direction} {
		*v = make([]float64, w)
	}
	l.net.CopyParameters(l.start)
	return nil
}

// run searches for one sample and output.
func (l *smoothnessSearch) run(i, c int) error {
	l.differential.Select([]int{i})
	clear(l.unit)
	l.unit[c] = 1
	r := l.result
	l.gradientAt(l.nominal, nil)
	all, first := l.norms(l.nominal)
	r.Gradient, r.LargestGradient = append(r.Gradient, all), append(r.LargestGradient, all)
	r.FirstGradient, r.LargestFirstGradient = append(r.FirstGradient, first), append(r.LargestFirstGradient, first)
	clear(l.v)
	if err := l.visit(i, c, l.v, l.nominal); err != nil {
		return err
	}
	for _, first := range []bool{false, true} {
		for restart := range l.search.Restarts {
			if err := l.begin(i, c, first, restart); err != nil {
				return err
			}
			if err := l.climb(i, c, first); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin sets v to zero, or for a restart to the best of as many random V of the
// norm radius as there are steps.
func (l *smoothnessSearch) begin(i, c int, first bool, restart int) error {
	clear(l.v)
	if restart == 0 {
		return nil
	}
	best := math.Inf(-1)
	for range l.search.Steps {
		l.space.draw(l.direction, l.ball.Radius, l.rng)
		shorten(l.direction, l.ball.Radius)
		l.gradientAt(l.gradient, l.direction)
		if err := l.visit(i, c, l.direction, l.gradient); err != nil {
			return err
		}
		if norm := powerNorm(l.part(l.gradient, first), l.result.K); norm > best {
			best = norm
			copy(l.v, l.direction)
		}
	}
	return nil
}

// climb takes the steps of one run from v.
func (l *smoothnessSearch) climb(i, c int, first bool) error {
	h := l.search.length(l.ball)
	for range l.search.Steps {
		l.gradientAt(l.gradient, l.v)
		if err := l.visit(i, c, l.v, l.gradient); err != nil {
			return err
		}
		l.ascend(first, h)
		for j, d := range l.direction {
			l.v[j] += d
		}
		shorten(l.v, l.ball.Radius)
	}
	l.gradientAt(l.gradient, l.v)
	return l.visit(i, c, l.v, l.gradient)
}

// ascend sets direction to a step of length h along which the norm of gradient, or
// of its first layer's part, grows.
func (l *smoothnessSearch) ascend(first bool, h float64) {
	oddPower(l.direction, l.part(l.gradient, first), l.result.K)
	rescale(l.direction, h)
	for j, d := range l.direction {
		l.point[j] = l.v[j] + d
	}
	l.gradientAt(l.up, l.point)
	for j, d := range l.direction {
		l.point[j] = l.v[j] - d
	}
	l.gradientAt(l.down, l.point)
	for j := range l.direction {
		l.direction[j] = l.up[j] - l.down[j]
	}
	l.space.project(l.direction)
	if norm2(l.direction) == 0 {
		l.space.draw(l.direction, h, l.rng)
	}
	rescale(l.direction, h)
}

// part returns g, or with zeros beyond the first layer.
func (l *smoothnessSearch) part(g []float64, first bool) []float64 {
	if !first {
		return g
	}
	copy(l.point, g)
	clear(l.point[:l.space.begin])
	clear(l.point[l.space.end:])
	return l.point
}

// gradientAt sets dst to ∇_W f_c at W + v; nil is zero.
func (l *smoothnessSearch) gradientAt(dst, v []float64) {
	copy(dst, l.start)
	for j, d := range v {
		dst[j] += d
	}
	l.net.SetParameters(dst)
	l.differential.VJP(dst, l.unit)
}

func (l *smoothnessSearch) norms(g []float64) (all, first float64) {
	return powerNorm(g, l.result.K), powerNorm(g[l.space.begin:l.space.end], l.result.K)
}

// leastMove is the share of the radius below which a change of the gradient counts as
// one of rounding.
const leastMove = 1e-6

// visit records the gradient g at W + v.
func (l *smoothnessSearch) visit(i, c int, v, g []float64) error {
	r := l.result
	all, first := l.norms(g)
	if !finite(all) {
		return errNotFinite
	}
	at := len(r.Gradient) - 1
	r.LargestGradient[at] = max(r.LargestGradient[at], all)
	r.LargestFirstGradient[at] = max(r.LargestFirstGradient[at], first)
	if r.Constant.raise(all/(r.Gradient[at]+1), i, c) {
		copy(r.V, v)
	}
	r.FirstLayer.raise(first/(r.FirstGradient[at]+1), i, c)
	if moved := norm2(v); moved > leastMove*l.ball.Radius {
		square := 0.0
		for j, x := range g {
			square += (x - l.nominal[j]) * (x - l.nominal[j])
		}
		r.Lipschitz.raise(math.Sqrt(square)/moved, i, c)
	}
	return nil
}

// raise takes value if it is larger.
func (f *Found) raise(value float64, sample, output int) bool {
	if !(value > f.Value) {
		return false
	}
	*f = Found{value, sample, output}
	return true
}
