package attack

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// rankOneSearch does what smoothnessSearch does for perturbations u x_*ᵀ of the first
// layer of a dense network, without ever forming a vector of w parameters, for all
// samples and outputs at once. With h̃ = (h, 1) where a layer has a bias,
// ∇_{W_l} f_c = δ_l h̃_{l−1}ᵀ, so that
//
//	‖∇_W f_c‖_{2k}^{2k} = Σ_l ‖δ_l‖_{2k}^{2k} ‖h̃_{l−1}‖_{2k}^{2k},
//
// V moves z_1 by u‖x_*‖₂², and the direction g^{2k−1} along which gradients are
// compared is p_l q_lᵀ in layer l with p = δ^{2k−1} and q = h̃^{2k−1}: all that is
// needed of the network are products with its weights. The projection of the
// difference of two gradients on the perturbations is that of their δ_1.
type rankOneSearch struct {
	layers []rankOneLayer
	result *Smoothness
	ball   Ball
	search Search
	rng    *rand.Rand
	// A row is a sample and an output, sample by sample; x is x_* of every row, and
	// lengths ‖x_*‖₂, with 1 for the bias where that moves.
	first, rows, c int
	x              []float64
	lengths        []float64
	// u, and what the passes leave: at V = 0, at V, and at both sides of it.
	u                      []float64
	nominal, now, up, down *rankOnePass
	p, q                   [][]float64 // the direction, of every layer
	norm                   []float64   // of the direction, by row
	best                   []float64   // the u of Constant, where it is of these rows
	scratch                []float64
}

// rankOne returns the search for samples from … to−1.
func (l *smoothnessSearch) rankOne(layers []rankOneLayer, from, to int) *rankOneSearch {
	c := l.net.Outputs()
	s := &rankOneSearch{layers: layers, result: l.result, ball: l.ball, search: l.search, rng: l.rng,
		first: from, rows: (to - from) * c, c: c}
	in, m := layers[0].in(), layers[0].out()
	s.x, s.lengths = make([]float64, s.rows*in), make([]float64, s.rows)
	for r := range s.rows {
		input := l.inputs[from+r/c]
		copy(s.x[r*in:], input)
		s.lengths[r] = norm2(input)
		if l.space.kind.bias() {
			s.lengths[r] = math.Hypot(s.lengths[r], 1)
		}
	}
	s.u, s.best, s.norm = make([]float64, s.rows*m), make([]float64, m), make([]float64, s.rows)
	widest := 0
	for _, pass := range []**rankOnePass{&s.nominal, &s.now, &s.up, &s.down} {
		*pass = &rankOnePass{}
		for i, layer := range layers {
			h := s.x
			if i > 0 {
				h = make([]float64, s.rows*layer.in())
			}
			(*pass).h = append((*pass).h, h)
			(*pass).z = append((*pass).z, make([]float64, s.rows*layer.out()))
			(*pass).delta = append((*pass).delta, make([]float64, s.rows*layer.out()))
			widest = max(widest, layer.in())
		}
	}
	for _, layer := range layers {
		s.p = append(s.p, make([]float64, s.rows*layer.out()))
		s.q = append(s.q, make([]float64, s.rows*(layer.in()+1))) // the bias behind them
	}
	s.scratch = make([]float64, s.rows*widest)
	return s
}

// run searches for all rows.
func (s *rankOneSearch) run() error {
	s.pass(s.nominal, nil, 0)
	for range s.rows {
		s.result.Gradient, s.result.LargestGradient = append(s.result.Gradient, 0), append(s.result.LargestGradient, 0)
		s.result.FirstGradient, s.result.LargestFirstGradient = append(s.result.FirstGradient, 0), append(s.result.LargestFirstGradient, 0)
	}
	for r := range s.rows {
		at := s.first*s.c + r
		s.result.Gradient[at], s.result.FirstGradient[at] = s.norms(s.nominal, r)
	}
	if err := s.visit(s.nominal); err != nil {
		return err
	}
	for _, first := range []bool{false, true} {
		for restart := range s.search.Restarts {
			if err := s.begin(first, restart); err != nil {
				return err
			}
			if err := s.climb(first); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin sets u to zero, or for a restart to the best of as many random ones as there
// are steps.
func (s *rankOneSearch) begin(first bool, restart int) error {
	clear(s.u)
	if restart == 0 {
		return nil
	}
	m := s.layers[0].out()
	most, start := make([]float64, s.rows), make([]float64, len(s.u))
	for range s.search.Steps {
		for r := range s.rows {
			s.draw(row(s.u, r, m), r, s.ball.Radius)
		}
		s.pass(s.now, s.u, 0)
		if err := s.visit(s.now); err != nil {
			return err
		}
		for r := range s.rows {
			norm, part := s.norms(s.now, r)
			if first {
				norm = part
			}
			if norm > most[r] {
				most[r] = norm
				copy(row(start, r, m), row(s.u, r, m))
			}
		}
	}
	copy(s.u, start)
	return nil
}

// draw sets u to a random direction with ‖u‖₂‖x_*‖₂ = length.
func (s *rankOneSearch) draw(u []float64, r int, length float64) {
	clear(u)
	for j := range s.layers[0].weights.Out {
		u[j] = s.rng.NormFloat64()
	}
	s.rescale(u, r, length)
}

// rescale gives V = u x_*ᵀ the norm length, unless it is zero.
func (s *rankOneSearch) rescale(u []float64, r int, length float64) {
	if s.lengths[r] == 0 {
		clear(u)
		return
	}
	rescale(u, length/s.lengths[r])
}

// climb takes the steps of one run of all rows.
func (s *rankOneSearch) climb(first bool) error {
	h, m := s.search.length(s.ball), s.layers[0].out()
	for range s.search.Steps {
		s.pass(s.now, s.u, 0)
		if err := s.visit(s.now); err != nil {
			return err
		}
		s.direct(first)
		s.pass(s.up, s.u, h)
		s.pass(s.down, s.u, -h)
		for r := range s.rows {
			u, step := row(s.u, r, m), row(s.up.delta[0], r, m)
			for j, v := range row(s.down.delta[0], r, m) {
				step[j] -= v
			}
			if norm2(step) == 0 {
				s.draw(step, r, h)
			}
			s.rescale(step, r, h)
			for j, v := range step {
				u[j] += v
			}
			if s.lengths[r] > 0 {
				shorten(u, s.ball.Radius/s.lengths[r])
			}
		}
	}
	s.pass(s.now, s.u, 0)
	return s.visit(s.now)
}

// direct sets the direction to g^{2k−1} of the gradients of now, or of their first
// layer's part.
func (s *rankOneSearch) direct(first bool) {
	exponent := s.result.K
	for r := range s.rows {
		largestDelta, largestH := 0.0, 1.0
		for l := range s.layers {
			largestDelta = max(largestDelta, largestOf(row(s.now.delta[l], r, s.layers[l].out())))
			largestH = max(largestH, largestOf(row(s.now.h[l], r, s.layers[l].in())))
		}
		square := 0.0
		for l := range s.layers {
			p, q := row(s.p[l], r, s.layers[l].out()), row(s.q[l], r, s.layers[l].in()+1)
			if clear(p); largestDelta == 0 || first && l > 0 {
				continue
			}
			for j, v := range row(s.now.delta[l], r, len(p)) {
				v /= largestDelta
				p[j] = v * power(v*v, exponent-1)
			}
			for j, v := range row(s.now.h[l], r, len(q)-1) {
				v /= largestH
				q[j] = v * power(v*v, exponent-1)
			}
			if q[len(q)-1] = 0; s.layers[l].hasBias {
				v := 1 / largestH
				q[len(q)-1] = v * power(v*v, exponent-1)
			}
			square += math.Pow(norm2(p)*norm2(q), 2)
		}
		s.norm[r] = math.Sqrt(square)
	}
}

// visit records the gradients of all rows.
func (s *rankOneSearch) visit(pass *rankOnePass) error {
	result, m := s.result, s.layers[0].out()
	for r := range s.rows {
		i, c, at := s.first+r/s.c, r%s.c, s.first*s.c+r
		all, first := s.norms(pass, r)
		if !finite(all) {
			return fmt.Errorf("sample %d, output %d: %w", i, c, errNotFinite)
		}
		result.LargestGradient[at] = max(result.LargestGradient[at], all)
		result.LargestFirstGradient[at] = max(result.LargestFirstGradient[at], first)
		u := row(s.u, r, m)
		if result.Constant.raise(all/(result.Gradient[at]+1), i, c) {
			copy(s.best, u)
		}
		result.FirstLayer.raise(first/(result.FirstGradient[at]+1), i, c)
		if moved := norm2(u) * s.lengths[r]; moved > leastMove*s.ball.Radius {
			result.Lipschitz.raise(s.change(pass, r)/moved, i, c)
		}
	}
	return nil
}
