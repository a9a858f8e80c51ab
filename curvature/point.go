// Package curvature measures the second derivatives of a network's loss at its
// parameters: Gauss–Newton matrix, Hessian, their difference, and the covariance
// of the curvatures of single samples, as linear operators of package linop; exact
// traces and norms from per-sample gradients; the sharpness that batches see.
//
// Everything is that of the configured loss L = (1/n) Σ_i (s/2) ‖f(x_i) − y_i‖², with
// s = 1 for half-mse and s = 2/c for mse. With J_i = ∂f(x_i)/∂W, c×w, the curvature
// of one sample is H_i = s J_iᵀ J_i, the Gauss–Newton matrix H = (1/n) Σ_i H_i, and
//
//	∇²L = H + (s/n) Σ_i Σ_o (f_o(x_i) − y_io) ∇²f_o(x_i),
//
// whose second part, the residual part, vanishes at interpolation. For cross-entropy
// the residual is p − y and H_i = J_iᵀ (diag p − p pᵀ) J_i, p = softmax(f(x_i)): with the
// root R_i of nn.CrossEntropy, R_i J_i stands wherever J_i does for squared errors.
package curvature

import (
	"strings"

	"sobolev/linop"
	"sobolev/nn"
)

// Point is a network's parameters on data: where the curvature is measured. It
// reads the parameters when it measures and keeps nothing of them but the blocks of
// SampleBlocks and the factors of Gradients; make a new one when they change. A Point and its operators, and
// those of its layers, are for one goroutine.
type Point struct {
	net    *nn.Network[float64]
	data   nn.Data[float64]
	loss   nn.Loss
	memory int64
	diff   *nn.Differential[float64]
	// from and to are the range of the parameters that count in the flat vector;
	// layers says the same to nn.
	from, to int
	layers   []int
	blocks   []float64 // nil before the first use
	// jacobian is nil before the first use, or where the network has none, and so is
	// single, the point in float32.
	jacobian *nn.Jacobian[float64]
	single   *single
	// held is what both take, and memory what they leave.
	held int64
}

// At returns the point of net's parameters that train on data. memory limits the
// bytes of every single measurement. It fails as nn.Network.NewDifferential does:
// with nn.ErrBatchStatistics in training mode, and where memory is too small.
func At(net *nn.Network[float64], data nn.Data[float64], loss nn.Loss, memory int64) (*Point, error) {
	diff, err := net.NewDifferential(data, loss, memory)
	if err != nil {
		return nil, err
	}
	w := net.ParameterCount()
	return &Point{net: net, data: data, loss: loss, memory: memory, diff: diff, from: w - net.TrainableCount(), to: w}, nil
}

// Layers returns the names of the layers that train, from the first to the last.
func (p *Point) Layers() []string {
	var names []string
	for _, l := range p.layerRanges() {
		names = append(names, l.name)
	}
	return names
}

// Layer returns p restricted to the parameters of one layer, an index in Layers:
// all curvatures are the diagonal blocks that belong to them.
func (p *Point) Layer(index int) *Point {
	l, q := p.layerRanges()[index], *p
	q.from, q.to, q.layers, q.blocks = l.from, l.to, []int{index}, nil
	return &q
}

type layerRange struct {
	name     string
	from, to int
}

// layerRanges finds the layers that train by the names of their parameters,
// "net.0.weight" and "net.0.bias".
func (p *Point) layerRanges() []layerRange {
	var ranges []layerRange
	first := p.net.ParameterCount() - p.net.TrainableCount()
	for _, param := range p.net.Parameters() {
		if param.Offset < first {
			continue
		}
		name := param.Name[:strings.LastIndexByte(param.Name, '.')]
		if n := len(ranges); n == 0 || ranges[n-1].name != name {
			ranges = append(ranges, layerRange{name: name, from: param.Offset})
		}
		ranges[len(ranges)-1].to = param.Offset + param.Size()
	}
	return ranges
}

// Parameters returns the dimension of the operators: the number of parameters that
// train, or of those of the layer.
func (p *Point) Parameters() int { return p.to - p.from }

// Samples returns n, Outputs c.
func (p *Point) Samples() int { return p.data.N }
func (p *Point) Outputs() int { return p.net.Outputs() }

// Memory returns the bytes that the factors of Gradients leave of the limit.
func (p *Point) Memory() int64 { return p.memory }

// Loss returns the loss whose curvature it is, and Scale s.
func (p *Point) Loss() nn.Loss  { return p.loss }
func (p *Point) Scale() float64 { return p.loss.Scale(p.Outputs()) }

// GaussNewton returns H = (s/n) (RJ)ᵀRJ, Hessian ∇²L, and Residual ∇²L − H, which is not
// computed as a difference. A Hessian is that of the linear piece of ReLU and
// max-pooling that the parameters are in.
func (p *Point) GaussNewton() linop.Operator { return p.operator(p.diff.GaussNewton) }
func (p *Point) Hessian() linop.Operator     { return p.operator(p.diff.Hessian) }
func (p *Point) Residual() linop.Operator    { return p.operator(p.diff.ResidualHessian) }

// operator restricts a product with vectors of all w parameters.
func (p *Point) operator(product func(dst, v []float64)) linop.Operator {
	w := p.net.ParameterCount()
	v, out := make([]float64, w), make([]float64, w) // v stays zero outside
	return linop.Func{N: p.Parameters(), Product: func(dst, x []float64) {
		copy(v[p.from:p.to], x)
		product(out, v)
		copy(dst, out[p.from:p.to])
	}}
}

// Covariance returns Σ = (1/n) Σ_i H_i² − H², the covariance of the curvatures
// of single samples (Wu, Ma & E, 2018). With K_ii = J_i J_iᵀ, H_i² = s² J_iᵀ K_ii J_i, so
// that with u = J v, where J is R J for cross-entropy,
//
//	Σ v = Jᵀ z,   z_i = (s/n) (s K_ii u_i − J_i H v):
//
// two products each with J and with Jᵀ. It fails as SampleBlocks does.
func (p *Point) Covariance() (linop.Operator, error) {
	if _, err := p.SampleBlocks(); err != nil {
		return nil, err
	}
	p.holdFactors()
	return p.covariance(p), nil
}

// covariance is Covariance by some products with J.
func (p *Point) covariance(j products) linop.Operator {
	n, c, w, blocks := p.Samples(), p.Outputs(), p.net.ParameterCount(), p.blocks
	u, z, hv := make([]float64, n*c), make([]float64, n*c), make([]float64, w)
	scale := p.Scale() / float64(n)
	return p.operator(func(dst, v []float64) {
		j.jvp(u, v)
		for i, x := range u {
			z[i] = scale * x
		}
		j.vjp(hv, z)
		p.mask(hv)
		j.jvp(z, hv)
		for i := range n {
			for o := range c {
				sum := 0.0
				for q, x := range u[i*c : (i+1)*c] {
					sum += blocks[(i*c+o)*c+q] * x
				}
				z[i*c+o] = scale * (sum - z[i*c+o])
			}
		}
		j.vjp(dst, z)
	})
}

// mask sets v to zero outside of the parameters that count.
func (p *Point) mask(v []float64) {
	clear(v[:p.from])
	clear(v[p.to:])
}

// DirectionalCurvatures computes dst[i] = vᵀ H_i v = s ‖R_i J_i v‖² of all n samples for
// v of Parameters elements: what the thresholds of SGD along a direction depend on.
func (p *Point) DirectionalCurvatures(dst, v []float64) {
	if len(dst) != p.Samples() {
		panic("curvature: dst must have n elements")
	}
	c := p.Outputs()
	u := make([]float64, len(dst)*c)
	p.Gradients().Times(u, v)
	for i := range dst {
		dst[i] = squares(u[i*c : (i+1)*c])
	}
}
