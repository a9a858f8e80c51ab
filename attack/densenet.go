package attack

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"sobolev/internal/kernel"
	"sobolev/nn"
)

// denseLayer is h ↦ a(W h + b) in float64, for interval propagation.
type denseLayer struct {
	in, out int
	w, b    []float64 // w is out×in; b is nil without a bias
	act     nn.Activation
	trains  bool
	// spectral is an upper value of ‖W‖₂; rows and columns are those of W in ‖·‖₂.
	spectral      float64
	rows, columns []float64
}

// denseLayers returns the layers of a network of dense layers with ReLU, tanh or no
// activation, or an error that says what else it has.
func denseLayers[T kernel.Float](net *nn.Network[T]) ([]denseLayer, error) {
	flat := make([]T, net.ParameterCount())
	net.CopyParameters(flat)
	var layers []denseLayer
	width := net.Inputs()
	for i, l := range net.Architecture.Layers {
		switch {
		case l.Kind == nn.LinearLayer:
			d := denseLayer{in: width, out: l.Out, trains: i >= net.Architecture.Frozen}
			d.w, flat = take(flat, l.Out*width)
			if !l.NoBias {
				d.b, flat = take(flat, l.Out)
			}
			d.measure()
			layers, width = append(layers, d), l.Out
		case l.Kind == nn.ActivationLayer && len(layers) > 0 && certifiable(l.Activation):
			layers[len(layers)-1].act = l.Activation
		case l.Kind == nn.FlattenLayer && len(layers) == 0:
		case l.Kind == nn.ActivationLayer:
			return nil, fmt.Errorf("certify: layer %d has the activation %v; only relu and tanh are supported", i, l.Activation)
		default:
			return nil, fmt.Errorf("certify: layer %d is %v; only dense networks are supported", i, l.Kind)
		}
	}
	return layers, nil
}

func certifiable(a nn.Activation) bool { return a == nn.ReLU || a == nn.Tanh || a == nn.Identity }

// take returns the first n elements in float64, and the rest.
func take[T kernel.Float](v []T, n int) (head []float64, rest []T) {
	head = make([]float64, n)
	for j, x := range v[:n] {
		head[j] = float64(x)
	}
	return head, v[n:]
}

// measure sets the norms, rounded up.
func (l *denseLayer) measure() {
	const up = 1 + 1e-10
	l.rows, l.columns = make([]float64, l.out), make([]float64, l.in)
	for r := range l.out {
		for j, w := range row(l.w, r, l.in) {
			l.rows[r] += w * w
			l.columns[j] += w * w
		}
	}
	for _, norms := range [][]float64{l.rows, l.columns} {
		for j, s := range norms {
			norms[j] = math.Sqrt(s) * up
		}
	}
	l.spectral = norm2(l.w) * up
	var svd mat.SVD
	if svd.Factorize(mat.NewDense(l.out, l.in, l.w), mat.SVDNone) {
		l.spectral = min(l.spectral, svd.Values(nil)[0]*up)
	}
}

// interval encloses the values v + what a perturbation does to them: element by
// element in lo … hi, and together within distance of v in ‖·‖₂.
type interval struct {
	v, lo, hi []float64
	distance  float64
}

func point(v []float64) *interval { return &interval{v: v, lo: v, hi: v} }

func newInterval(n int) *interval {
	return &interval{v: make([]float64, n), lo: make([]float64, n), hi: make([]float64, n)}
}

// norm returns an upper value of ‖·‖_{2k}: of the elements, or of v plus distance,
// since ‖·‖_{2k} ≤ ‖·‖₂.
func (a *interval) norm(k int) float64 {
	largest := make([]float64, len(a.v))
	for j := range largest {
		largest[j] = max(math.Abs(a.lo[j]), math.Abs(a.hi[j]))
	}
	return min(powerNorm(largest, k), powerNorm(a.v, k)+a.distance)
}

// tighten uses that no element is further away than all together, and the converse.
func (a *interval) tighten() {
	largest := make([]float64, len(a.v))
	for j, v := range a.v {
		a.lo[j], a.hi[j] = max(a.lo[j], v-a.distance), min(a.hi[j], v+a.distance)
		largest[j] = max(a.hi[j]-v, v-a.lo[j])
	}
	a.distance = min(a.distance, norm2(largest))
}

// times encloses (W + V) a + b, or with transposed (W + V)ᵀ a, where V adds no more
// than moved to it in ‖·‖₂.
func (l *denseLayer) times(a *interval, moved float64, transposed bool) *interval {
	n, norms := l.out, l.rows
	if transposed {
		n, norms = l.in, l.columns
	}
	z, slack := newInterval(n), make([]float64, n)
	if !transposed {
		copy(z.v, l.b)
	}
	below, above := make([]float64, n), make([]float64, n)
	add := func(r, j int, w float64) {
		z.v[r] += w * a.v[j]
		slack[r] += math.Abs(w * a.v[j])
		to, from := w*(a.lo[j]-a.v[j]), w*(a.hi[j]-a.v[j])
		below[r] += min(to, from)
		above[r] += max(to, from)
	}
	for o := range l.out {
		for i, w := range row(l.w, o, l.in) {
			if transposed {
				add(i, o, w)
			} else {
				add(o, i, w)
			}
		}
	}
	for r := range n {
		reach := norms[r] * a.distance
		slack[r] = 1e-12 * (slack[r] + math.Abs(z.v[r])) // for rounding
		z.lo[r] = z.v[r] - min(-below[r], reach) - moved - slack[r]
		z.hi[r] = z.v[r] + min(above[r], reach) + moved + slack[r]
	}
	z.distance = l.spectral*a.distance + moved + norm2(slack)
	z.tighten()
	return z
}

// activate encloses a(z).
func (l *denseLayer) activate(z *interval) *interval {
	h := newInterval(l.out)
	for j := range z.v {
		h.v[j], h.lo[j], h.hi[j] = l.act.Value(z.v[j]), l.act.Value(z.lo[j]), l.act.Value(z.hi[j])
	}
	h.distance = z.distance // a is 1-Lipschitz
	h.tighten()
	return h
}

// through encloses a′(z) p: with d for a′(z) and ′ for what perturbations make of
// them, d′p′ − d p = d′(p′ − p) + (d′ − d)p.
func (l *denseLayer) through(z, p *interval) *interval {
	delta, steepest, bound := newInterval(l.out), 0.0, make([]float64, l.out)
	for j, v := range p.v {
		d := l.act.Derivative(z.v[j])
		lo, hi := slopes(l.act, z.lo[j], z.hi[j])
		delta.v[j] = d * v
		delta.lo[j] = min(lo*p.lo[j], hi*p.lo[j])
		delta.hi[j] = max(lo*p.hi[j], hi*p.hi[j])
		bound[j] = max(hi-d, d-lo) * v
		steepest = max(steepest, hi)
	}
	delta.distance = steepest*p.distance + turned(l.act, z, p.v, bound)
	delta.tighten()
	return delta
}

// slopes returns the range of a′ on lo … hi: that of tanh rises up to 0 and falls
// from there on; that of ReLU at 0 may be anything between 0 and 1.
func slopes(a nn.Activation, lo, hi float64) (least, most float64) {
	least, most = a.Derivative(lo), a.Derivative(hi)
	if lo <= 0 && hi >= 0 && a != nn.Identity {
		most = 1
	}
	return min(least, most), max(least, most)
}
