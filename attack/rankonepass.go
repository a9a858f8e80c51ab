package attack

import (
	"math"

	"sobolev/internal/kernel"
	"sobolev/nn"
)

type rankOneLayer struct {
	weights *kernel.Weights[float64]
	bias    []float64 // padded
	hasBias bool
	act     nn.Activation
}

// rankOneBytes is the memory of the search for so many rows: four passes, the
// direction, scratch, and W.
func rankOneBytes(layers []rankOneLayer, rows int) int64 {
	perRow, weights := 0, 0
	for _, l := range layers {
		perRow += 6*(l.in()+1) + 9*l.out()
		weights += l.in() * l.out()
	}
	return 8 * int64(weights+rows*perRow)
}

func (l *rankOneLayer) in() int  { return kernel.Stride[float64](l.weights.In) }
func (l *rankOneLayer) out() int { return kernel.Stride[float64](l.weights.Out) }

// rankOnePass holds h_{l−1}, z_l and δ_l of all rows, padded as the kernels' are.
type rankOnePass struct{ h, z, delta [][]float64 }

// rankOneRows is the number of rows that are searched at once.
const rankOneRows = 256

// rankOneLayers returns the layers that train; ok is false where the network has
// others than dense ones there.
func rankOneLayers(net *nn.Network[float64]) (layers []rankOneLayer, ok bool) {
	flat, width := make([]float64, net.ParameterCount()), net.Features()
	net.CopyParameters(flat)
	flat = flat[len(flat)-net.TrainableCount():]
	arch := net.Architecture
	for _, l := range arch.Layers[arch.Frozen:] {
		switch {
		case l.Kind == nn.LinearLayer:
			layer := rankOneLayer{weights: kernel.NewWeights[float64](l.Out, width), bias: make([]float64, kernel.Stride[float64](l.Out)), hasBias: !l.NoBias}
			layer.weights.Pack(flat[:l.Out*width])
			flat = flat[l.Out*width:]
			if layer.hasBias {
				flat = flat[copy(layer.bias, flat[:l.Out]):]
			}
			layers, width = append(layers, layer), l.Out
		case l.Kind == nn.ActivationLayer && len(layers) > 0:
			layers[len(layers)-1].act = l.Activation
		case len(layers) == 0 && (l.Kind == nn.ActivationLayer || l.Kind == nn.FlattenLayer): // belongs to the features
		default:
			return nil, false
		}
	}
	return layers, len(flat) == 0
}

// pass computes the pass at W + V + h times the unit direction.
func (s *rankOneSearch) pass(to *rankOnePass, u []float64, h float64) {
	for l := range s.layers {
		layer := &s.layers[l]
		in, out := layer.in(), layer.out()
		layer.weights.Forward(to.z[l], to.h[l], layer.bias, s.rows, false)
		for r := range s.rows {
			z := row(to.z[l], r, out)
			if l == 0 && u != nil {
				kernel.Axpy(z, s.lengths[r]*s.lengths[r], row(u, r, out))
			}
			if h != 0 && s.norm[r] > 0 {
				q := row(s.q[l], r, in+1)
				kernel.Axpy(z, h/s.norm[r]*(dot(q[:in], row(to.h[l], r, in))+q[in]), row(s.p[l], r, out))
			}
			if l+1 < len(s.layers) {
				next := row(to.h[l+1], r, out)
				for j := range layer.weights.Out {
					next[j] = layer.act.Value(z[j])
				}
			}
		}
	}
	last := len(s.layers) - 1
	clear(to.delta[last])
	for r := range s.rows {
		to.delta[last][r*s.layers[last].out()+r%s.c] = 1
	}
	for l := last; l > 0; l-- {
		layer := &s.layers[l]
		in, out := layer.in(), layer.out()
		layer.weights.Backward(s.scratch, to.delta[l], nil, s.rows)
		for r := range s.rows {
			opened := row(s.scratch, r, in)
			if h != 0 && s.norm[r] > 0 {
				kernel.Axpy(opened, h/s.norm[r]*dot(row(s.p[l], r, out), row(to.delta[l], r, out)), row(s.q[l], r, in+1)[:in])
			}
			z, delta := row(to.z[l-1], r, in), row(to.delta[l-1], r, in)
			for j := range layer.weights.In {
				delta[j] = s.layers[l-1].act.Derivative(z[j]) * opened[j]
			}
		}
	}
}

// norms returns ‖∇f_c‖_{2k} of a row, and its first layer's part.
func (s *rankOneSearch) norms(pass *rankOnePass, r int) (all, first float64) {
	shares := make([]float64, len(s.layers))
	for l := range s.layers {
		h := powerNorm(row(pass.h[l], r, s.layers[l].in()), s.result.K)
		if s.layers[l].hasBias {
			h = powerNorm([]float64{h, 1}, s.result.K)
		}
		shares[l] = powerNorm(row(pass.delta[l], r, s.layers[l].out()), s.result.K) * h
	}
	return powerNorm(shares, s.result.K), shares[0]
}

// change returns ‖∇f_c − ∇f_c at V = 0‖₂ of a row, from
// δ h̃ᵀ − δ₀h̃₀ᵀ = (δ − δ₀)h̃ᵀ + δ₀(h̃ − h̃₀)ᵀ, which loses no digits where they are close.
func (s *rankOneSearch) change(pass *rankOnePass, r int) float64 {
	sum := 0.0
	for l := range s.layers {
		in, out := s.layers[l].in(), s.layers[l].out()
		h, h0, delta, delta0 := row(pass.h[l], r, in), row(s.nominal.h[l], r, in), row(pass.delta[l], r, out), row(s.nominal.delta[l], r, out)
		hh, hMoved, movedMoved := 0.0, 0.0, 0.0
		if s.layers[l].hasBias {
			hh = 1
		}
		for j, v := range h {
			e := v - h0[j]
			hh, hMoved, movedMoved = hh+v*v, hMoved+v*e, movedMoved+e*e
		}
		turned, mixed, start := 0.0, 0.0, 0.0
		for j, v := range delta {
			e := v - delta0[j]
			turned, mixed, start = turned+e*e, mixed+e*delta0[j], start+delta0[j]*delta0[j]
		}
		sum += turned*hh + 2*mixed*hMoved + start*movedMoved
	}
	return math.Sqrt(max(sum, 0))
}

func largestOf(v []float64) float64 {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(x))
	}
	return largest
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for j, x := range a {
		sum += x * b[j]
	}
	return sum
}
