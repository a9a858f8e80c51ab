package geometry

import (
	"fmt"
	"math"

	"sobolev/internal/kernel"
)

// For neighbours, only x̃·ỹ − ‖ỹ‖²/2 = (‖x̃‖² − ‖x̃ − ỹ‖²)/2 matters, where x̃
// is a query and ỹ a point in float32 after a shift and a scaling by a power of
// two that both share. The shift to the points' mean is what makes float32
// sufficient for data far from the origin; the scaling rules out overflow.

// A frame is that shift and scaling: x̃ = (x − center)·scale.
type frame struct {
	center []float64
	scale  float64
}

func newFrame[P, Q kernel.Float](x view[P], q view[Q]) frame {
	f := frame{center: make([]float64, x.points.D), scale: 1}
	share := 1 / float64(x.len())
	for i := range x.len() {
		for j, v := range x.row(i) {
			f.center[j] += float64(v) * share
		}
	}
	if reach := max(farthest(x, f.center), farthest(q, f.center)); reach > 0 {
		_, exponent := math.Frexp(reach)
		f.scale = math.Ldexp(1, min(-exponent, 1000))
	}
	return f
}

// farthest returns the largest |x_ij − center_j|.
func farthest[T kernel.Float](x view[T], center []float64) float64 {
	var reach float64
	for i := range x.len() {
		row := x.row(i)
		for j, c := range center[:len(row)] {
			if away := math.Abs(float64(row[j]) - c); away > reach {
				reach = away
			}
		}
	}
	return reach
}

// load writes rows of v to dst in float32, stride apart, and their norms.
func load[T kernel.Float](f frame, dst []float32, stride int, norm []float64, v view[T], from, rows int) {
	for i := range rows {
		to := dst[i*stride:]
		var sum float64
		for j, x := range v.row(from + i) {
			t := float32((float64(x) - f.center[j]) * f.scale)
			to[j] = t
			sum += float64(t) * float64(t)
		}
		norm[i] = math.Sqrt(sum)
	}
}

// A margin turns distances into limits on the float32 products of one query with
// a block of points, with room for every rounding error on the way. With
// a = ‖x̃‖, b the largest ‖ỹ‖ of the block and u = 2^−24:
//
//	|‖x̃ − ỹ‖ − scale·‖x − y‖| ≤ u'(a + b)          rounding x̃ and ỹ
//	|computed − exact product| ≤ γ(ab + b²/2)      γ = (d+8)u/(1 − (d+8)u)
//
// in whatever order the kernel adds (Higham, 2002, Accuracy and Stability of
// Numerical Algorithms, section 3.1). u' is a little above u, for the float64
// subtraction before; a² takes the errors of float64.
type margin struct {
	scale, grow float64
	half        float64 // a²/2
	move, slack float64
}

const (
	unit32 = 0x1p-24
	unit64 = 0x1p-53
	// underflow is above anything that d ≤ maxDimension products can lose below
	// the smallest normal float32.
	underflow = 1e-30
)

func newMargin(d int, scale, a, b float64) margin {
	e := float64(d+8) * unit32
	gamma := e / (1 - e)
	grow := 4 * float64(d+8) * unit64
	return margin{
		scale: scale, grow: grow, half: a * a / 2,
		move:  1.001 * unit32 * (a + b),
		slack: gamma*(a*b+b*b/2) + grow*a*a + underflow,
	}
}

// reached returns a limit that the product with every point within r reaches.
func (m margin) reached(r float64) float32 {
	r = r*m.scale*(1+m.grow) + m.move
	return math.Nextafter32(float32(m.half-r*r/2-m.slack), float32(math.Inf(-1)))
}

// enough returns a limit above which a product proves that the point is within r.
func (m margin) enough(r float64) float32 {
	r = r*m.scale*(1-m.grow) - m.move
	if r < 0 {
		return float32(math.Inf(1))
	}
	return math.Nextafter32(float32(m.half-r*r/2+m.slack), float32(math.Inf(1)))
}

// Block sizes: the packed points of a block take about half of a second cache of
// 2 MiB; productRows queries meet them at a time; the points are packed again for
// every maxQueries queries.
const (
	pointBytes  = 1 << 20
	maxPoints   = 528
	productRows = 64
	maxQueries  = 8192
)

// blocks are the working memory of eachProducts.
type blocks struct {
	points, queries int // rows in a block
	stride          int // of a query
	weights         *kernel.Weights[float32]
	flat, bias      []float32
	query, product  []float32
	pointNorm, norm []float64
}

// newBlocks allocates at most memory bytes.
func newBlocks(d, points, queries int, memory int64) (*blocks, error) {
	width := kernel.PanelWidth[float32]()
	b := &blocks{stride: kernel.Stride[float32](d)}
	b.points = min(max(pointBytes/(4*d)/width, 1)*width, maxPoints, kernel.Stride[float32](points))
	perQuery := int64(4*b.stride + 8)
	fixed := int64(b.points)*(2*4*int64(d)+4*productRows+16) + 1<<16
	fit := (memory - fixed) / perQuery / productRows * productRows
	if fit < productRows {
		return nil, fmt.Errorf("distances in dimension %d need at least %d bytes of memory; the limit is %d", d, fixed+productRows*perQuery, memory)
	}
	whole := (queries + productRows - 1) / productRows * productRows
	b.queries = int(min(fit, int64(min(whole, maxQueries))))
	b.weights = kernel.NewWeights[float32](b.points, d)
	b.flat, b.bias = make([]float32, b.points*d), make([]float32, kernel.Stride[float32](b.points))
	b.query, b.product = make([]float32, b.queries*b.stride), make([]float32, productRows*b.points)
	b.pointNorm, b.norm = make([]float64, b.points), make([]float64, b.queries)
	return b, nil
}

// eachProducts calls visit with the float32 products of query i and the points
// from `from` on, as many as products has, and the margin that they need. For
// every query the points come in order.
func eachProducts[P, Q kernel.Float](x view[P], q view[Q], memory int64, visit func(i, from int, products []float32, m margin)) error {
	d := x.points.D
	b, err := newBlocks(d, x.len(), q.len(), memory)
	if err != nil {
		return err
	}
	f := newFrame(x, q)
	for firstQuery := 0; firstQuery < q.len(); firstQuery += b.queries {
		queries := min(b.queries, q.len()-firstQuery)
		load(f, b.query, b.stride, b.norm, q, firstQuery, queries)
		for from := 0; from < x.len(); from += b.points {
			points := min(b.points, x.len()-from)
			load(f, b.flat, d, b.pointNorm, x, from, points)
			largest := b.pack(points)
			for c := 0; c < queries; c += productRows {
				b.weights.Forward(b.product, b.query[c*b.stride:], b.bias, productRows, false)
				for i := range min(productRows, queries-c) {
					m := newMargin(d, f.scale, b.norm[c+i], largest)
					visit(firstQuery+c+i, from, b.product[i*b.points:][:points], m)
				}
			}
		}
	}
	return nil
}

// pack packs the loaded points with their −‖ỹ‖²/2 as bias and returns the
// largest norm. What is left of an earlier block behind them is never read.
func (b *blocks) pack(points int) float64 {
	var largest float64
	for i, norm := range b.pointNorm[:points] {
		b.bias[i] = float32(-norm * norm / 2)
		largest = max(largest, norm)
	}
	b.weights.Pack(b.flat)
	return largest * (1 + 0x1p-40)
}
