package curvature

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"sobolev/linop"
	"sobolev/nn"
)

// single is a point in float32, for what asks for few digits and decides nothing: half
// the price and half the memory of the factors.
type single struct {
	net      *nn.Network[float32]
	data     nn.Data[float32]
	jacobian *nn.Jacobian[float32] // nil before the first use, or where the network has none
	diff     *nn.Differential[float32]
	v, u     []float32
}

// float32Copies is how often something of the size of the parameters is held: they, a
// direction and a product, each as they are and packed for the kernels.
const float32Copies = 9

// rounded returns p in float32.
func (p *Point) rounded() *single {
	if p.single == nil {
		p.hold(4 * int64(len(p.data.X)+len(p.data.Y)+float32Copies*p.net.ParameterCount()))
		p.single = &single{
			net:  nn.Float32(p.net),
			data: nn.Data[float32]{N: p.data.N, X: nn.Convert[float32](p.data.X), Y: nn.Convert[float32](p.data.Y)},
			v:    make([]float32, p.net.ParameterCount()),
			u:    make([]float32, p.Samples()*p.Outputs()),
		}
	}
	return p.single
}

// LeadingResidual finds the eigenpair of largest magnitude of Residual, with products
// in float32. Steps of Lanczos on the tenth of the samples with the largest residuals
// cost a tenth, and what they find at both ends of the spectrum is a start that saves
// most of the others. A little of the gradient of the loss goes with it: all samples
// have a part in that. It fails as Leading does, and where something overflows float32.
func (p *Point) LeadingResidual(ctx context.Context, opt Options, random *rand.Rand) (*linop.LanczosResult, error) {
	r, err := p.newResidual32()
	if err != nil {
		return nil, err
	}
	start := normal(p.Parameters(), random)
	leading := func(which linop.Which, opt Options) (*linop.LanczosResult, error) {
		bytes := r.diff.Hold(p.memory - heldVectors*8*int64(p.Parameters()))
		p.hold(bytes)
		defer p.hold(-bytes)
		return p.leading(ctx, r.operator(), which, 1, opt, start)
	}
	if some := r.largest(p.Samples() / startShare); len(some) >= fewestResiduals {
		r.diff.Select(some)
		rough, err := leading(linop.BothEnds, Options{Tolerance: startTolerance})
		if err != nil {
			return nil, err
		}
		r.diff.Select(nil)
		if err := r.gradient(start); err != nil {
			return nil, err
		}
		for _, pair := range rough.Pairs {
			floats.Add(start, pair.Vector)
		}
	}
	return leading(linop.LargestMagnitude, opt)
}

const (
	// heldVectors is the number of Lanczos vectors that memory must have room for before a
	// forward pass is held: a pass costs time and a missing vector digits.
	heldVectors = 32
	// startShare: one sample of so many is for the start of LeadingResidual, unless
	// they are fewer than fewestResiduals, a block of a Differential.
	startShare      = 10
	fewestResiduals = 64
	startTolerance  = 5e-2
	// gradientPart is that of the gradient in the start; with ten times as much, twice
	// the steps were needed for a trained network.
	gradientPart = 0.1
)

// residual32 has products with the residual part in float32.
type residual32 struct {
	*single
	point *Point
	diff  *nn.Differential[float32]
	out   []float32
}

func (p *Point) newResidual32() (*residual32, error) {
	s := p.rounded()
	diff, err := s.net.NewDifferential(s.data, p.loss, p.memory)
	if err != nil {
		return nil, err
	}
	return &residual32{single: s, point: p, diff: diff, out: make([]float32, len(s.v))}, nil
}

func (r *residual32) operator() linop.Operator {
	return r.point.operator(func(dst, v []float64) {
		round(r.v, v)
		r.diff.ResidualHessian(r.out, r.v)
		widen(dst, r.out)
	})
}

// largest returns the indices of the samples with the largest ‖f(x_i) − y_i‖, also for
// cross-entropy, whose residual is another: a worse start costs steps alone.
func (r *residual32) largest(count int) []int {
	r.diff.Residuals(r.u)
	n := r.point.Samples()
	squares, order := make([]float64, n), make([]int, n)
	for i := range order {
		order[i] = i
		for _, v := range r.u[i*len(r.u)/n : (i+1)*len(r.u)/n] {
			squares[i] += float64(v) * float64(v)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(squares[j], squares[i]) })
	return order[:count]
}

// gradient sets g to the gradient of the loss, scaled to the norm gradientPart or zero.
func (r *residual32) gradient(g []float64) error {
	r.diff.Gradient(r.v)
	widen(g, r.v[r.point.from:r.point.to])
	size := floats.Norm(g, 2)
	if math.IsNaN(size) || math.IsInf(size, 0) {
		return errors.New("the gradient of the loss overflows float32")
	}
	if size > 0 {
		floats.Scale(gradientPart/size, g)
	}
	return nil
}

// Gradients32 is Gradients with products in float32, for a search whose outcome is
// weighed by Gradients. Its factors take the place of theirs: products of Gradients
// that were made before are right, but passes of the network from then on. Unless
// samples is nil, they are the gradients of these alone, with factors of their own. It
// fails where memory does not suffice.
func (p *Point) Gradients32(samples []int) (*Gradients, error) {
	p.giveWay()
	if samples != nil {
		// They are gone with what is returned: later steps have their memory again.
		few := p.rounded().some(samples)
		if _, err := p.prepare(few); err != nil {
			return nil, err
		}
		return p.gradients(few, len(samples)), nil
	}
	s, err := p.allSingle()
	if err != nil {
		return nil, err
	}
	return p.gradients(s, p.Samples()), nil
}

// allSingle returns p in float32, ready for products, and holds it.
func (p *Point) allSingle() (*single, error) {
	s := p.rounded()
	bytes, err := p.prepare(s)
	p.hold(bytes)
	return s, err
}

// Covariance32 is Covariance with the products of Gradients32.
func (p *Point) Covariance32() (linop.Operator, error) {
	if _, err := p.SampleBlocks(); err != nil {
		return nil, err
	}
	p.giveWay()
	s, err := p.allSingle()
	if err != nil {
		return nil, err
	}
	return p.covariance(s), nil
}

// some returns s on the given samples alone.
func (s *single) some(samples []int) *single {
	d, c := s.net.Inputs(), s.net.Outputs()
	few := &single{
		net:  s.net,
		data: nn.Data[float32]{N: len(samples), X: make([]float32, 0, len(samples)*d), Y: make([]float32, 0, len(samples)*c)},
		v:    s.v, u: make([]float32, len(samples)*c),
	}
	for _, i := range samples {
		few.data.X = append(few.data.X, s.data.X[i*d:(i+1)*d]...)
		few.data.Y = append(few.data.Y, s.data.Y[i*c:(i+1)*c]...)
	}
	return few
}

// giveWay releases the factors of Gradients for others in their place.
func (p *Point) giveWay() {
	if p.jacobian != nil {
		p.Release()
	}
}

// prepare makes what the products of s take, and returns the bytes of it that stay.
func (p *Point) prepare(s *single) (bytes int64, err error) {
	if s.jacobian != nil || s.diff != nil {
		return 0, nil
	}
	if s.jacobian, bytes = factors(s.net, s.data, p.loss, p.memory); s.jacobian != nil {
		return bytes, nil
	}
	s.diff, err = s.net.NewDifferential(s.data, p.loss, p.memory)
	return 0, err
}

func (s *single) jvp(dst, v []float64) {
	round(s.v, v)
	if s.jacobian != nil {
		s.jacobian.Times(s.u, s.v)
	} else {
		s.diff.JVP(s.u, s.v)
	}
	widen(dst, s.u)
}

func (s *single) vjp(dst, u []float64) {
	round(s.u, u)
	if s.jacobian != nil {
		s.jacobian.TransposedTimes(s.v, s.u)
	} else {
		s.diff.VJP(s.v, s.u)
	}
	widen(dst, s.v)
}

func round(dst []float32, v []float64) {
	for i, x := range v {
		dst[i] = float32(x)
	}
}

func widen(dst []float64, v []float32) {
	for i, x := range v {
		dst[i] = float64(x)
	}
}
