package attack

import (
	"errors"
	"fmt"
	"math"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

// Certificate bounds from above what Smoothness bounds from below: Definition 1 of
// Ma & Ying (2021) holds for the samples with Constant, and for the gradients in the
// first layer's weights and bias on both sides with FirstLayer.
type Certificate struct {
	Perturbation         Perturbation
	K                    int
	Radius               float64
	Constant, FirstLayer Found
	// All are n×c, row-major: the norms at V = 0 and upper values of those in the
	// ball. UpperDelta is that of ‖δ‖_{2k}, the gradient in the first layer's
	// pre-activations; with FirstWeights and Radius r/‖x_i‖₂ the supremum is over all
	// u with ‖u‖₂ ≤ r that are added to them.
	Gradient, UpperGradient           []float64
	FirstGradient, UpperFirstGradient []float64
	UpperDelta                        []float64
}

// Ratio returns Constant over what a search found: how far apart the two may be.
func (c *Certificate) Ratio(s *Smoothness) float64 { return c.Constant.Value / s.Constant.Value }

// Certifier keeps the norms of a network's layers, which cost more than the bounds of a
// few samples.
type Certifier[T kernel.Float] struct {
	net    *nn.Network[T]
	layers []denseLayer
}

// NewCertifier fails for networks that Certify is not for.
func NewCertifier[T kernel.Float](net *nn.Network[T]) (*Certifier[T], error) {
	layers, err := denseLayers(net)
	if err != nil {
		return nil, err
	}
	return &Certifier[T]{net, layers}, nil
}

// Certify is Certifier.Certify of a new Certifier.
func Certify[T kernel.Float](net *nn.Network[T], x []T, p Perturbation, k int, radius float64) (*Certificate, error) {
	c, err := NewCertifier(net)
	if err != nil {
		return nil, err
	}
	return c.Certify(x, p, k, radius)
}

// Certify bounds ‖∇_W f_c(x_i, W + V)‖_{2k} for all ‖V‖_F ≤ radius = δ_approx by
// interval propagation, for every sample of x, n×d, and output of a dense network
// with ReLU or tanh; others fail.
//
// With h_0 = x, z_l = W_l h_{l−1} + b_l, h_l = a(z_l) and δ_l = ∂f_c/∂z_l =
// a′(z_l) W_{l+1}ᵀ δ_{l+1},
//
//	‖∇_W f_c‖_{2k}^{2k} = Σ_l ‖δ_l‖_{2k}^{2k} (‖h_{l−1}‖_{2k}^{2k} + 1),
//
// without the 1 in layers that have no bias.
//
// The perturbation V_l, v_l of layer l moves z_l by V_l h_{l−1} + v_l, of which
// ‖·‖₂ ≤ δ(‖h_{l−1}‖₂² + 1)^{1/2}, and W_lᵀ δ_l by V_lᵀ δ_l, ‖·‖₂ ≤ δ‖δ_l‖₂. For h_l,
// and then for δ_l downwards, two enclosures are propagated and each is tightened by
// the other: an interval for each element, by interval arithmetic or, with the rows
// w of W_l, |w·(h′ − h)| ≤ ‖w‖₂‖h′ − h‖₂; and the distance ‖h′ − h‖₂, which grows by
// ‖W_l‖₂ (tanh and ReLU are 1-Lipschitz). The intervals of z_l enclose a′(z_l), and
// its distance limits how many gates can turn, see turned. A ReLU whose z_l may be 0
// has a′ in [0, 1], so that any choice of a′(0) is included.
//
// Every layer is given the whole radius and every element the worst case of all
// others, so that the result exceeds the supremum the more the deeper the network
// and the larger δ is. Sums are in float64, with allowances for rounding that exceed
// its bounds for up to a few thousand terms, without directed rounding.
func (c *Certifier[T]) Certify(x []T, p Perturbation, k int, radius float64) (*Certificate, error) {
	net, layers, ball := c.net, c.layers, Ball{Radius: radius}
	if k < 1 {
		return nil, fmt.Errorf("certify: order %d; need k ≥ 1", k)
	}
	if err := errors.Join(ball.check(), checkCentres(ball, x, net.Inputs())); err != nil {
		return nil, err
	}
	if err := checkPerturbation(net, p); err != nil {
		return nil, err
	}
	result := &Certificate{Perturbation: p, K: k, Radius: radius}
	for i := range len(x) / net.Inputs() {
		input, _ := take(row(x, i, net.Inputs()), net.Inputs())
		e := propagate(layers, input, p, radius)
		for c := range net.Outputs() {
			e.back(c)
			if err := result.add(e, i, c); err != nil {
				return nil, err
			}
		}
	}
	return result, nil
}

// enclosure is the propagation of one sample.
type enclosure struct {
	layers []denseLayer
	first  int // the first layer that trains
	kind   Perturbation
	radius float64
	// h[l] is the input of layers[l], z[l] its pre-activations, deltas[l] the
	// gradient with respect to them.
	h, z, deltas []*interval
}

// propagate does the way up.
func propagate(layers []denseLayer, x []float64, p Perturbation, radius float64) *enclosure {
	e := &enclosure{
		layers: layers, kind: p, radius: radius, h: []*interval{point(x)}, deltas: make([]*interval, len(layers)),
	}
	for !layers[e.first].trains {
		e.first++
	}
	for l := range layers {
		z := layers[l].times(e.h[l], e.moved(l), false)
		e.z, e.h = append(e.z, z), append(e.h, layers[l].activate(z))
	}
	return e
}

// moved returns by how much V moves z of layers[l] in ‖·‖₂.
func (e *enclosure) moved(l int) float64 {
	switch {
	case (e.kind == AllParameters && e.layers[l].trains || e.kind.bias() && l == e.first) && e.layers[l].b != nil:
		return e.radius * math.Hypot(e.h[l].norm(1), 1)
	case e.kind == AllParameters && e.layers[l].trains:
		return e.radius * e.h[l].norm(1)
	case e.kind != AllParameters && l == e.first:
		return e.radius * e.h[l].norm(1)
	}
	return 0
}

// back does the way down to the first layer that trains, for output c.
func (e *enclosure) back(c int) {
	last := len(e.layers) - 1
	unit := make([]float64, e.layers[last].out)
	unit[c] = 1
	e.deltas[last] = point(unit)
	for l := last; l > e.first; l-- {
		moved := 0.0
		if e.kind == AllParameters {
			moved = e.radius * e.deltas[l].norm(1)
		}
		e.deltas[l-1] = e.layers[l-1].through(e.z[l-1], e.layers[l].times(e.deltas[l], moved, true))
	}
}

// gradient returns upper values of the norms in all parameters that train and in the
// first layer; exact ones with the radius 0 are those of v.
func (e *enclosure) gradient(norm func(a *interval) float64, k int) (all, first float64) {
	var shares []float64
	for l := e.first; l < len(e.layers); l++ {
		h := norm(e.h[l])
		if e.layers[l].b != nil {
			h = powerNorm([]float64{h, 1}, k)
		}
		shares = append(shares, norm(e.deltas[l])*h)
	}
	return powerNorm(shares, k), shares[0]
}

// add appends the norms of output c of sample i.
func (r *Certificate) add(e *enclosure, i, c int) error {
	const up = 1 + 1e-9
	all, first := e.gradient(func(a *interval) float64 { return powerNorm(a.v, r.K) }, r.K)
	upper, upperFirst := e.gradient(func(a *interval) float64 { return a.norm(r.K) }, r.K)
	if !finite(all) || !finite(upper) {
		return fmt.Errorf("certify: sample %d, output %d: the bound is not finite", i, c)
	}
	r.Gradient, r.UpperGradient = append(r.Gradient, all), append(r.UpperGradient, upper*up)
	r.FirstGradient, r.UpperFirstGradient = append(r.FirstGradient, first), append(r.UpperFirstGradient, upperFirst*up)
	r.UpperDelta = append(r.UpperDelta, e.deltas[e.first].norm(r.K)*up)
	r.Constant.raise(upper*up/(all+1), i, c)
	r.FirstLayer.raise(upperFirst*up/(first+1), i, c)
	return nil
}
