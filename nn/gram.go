package nn

import (
	"fmt"

	"sobolev/internal/kernel"
	"sobolev/internal/parallel"
)

// Gram returns K = R J (R J)ᵀ, nc×nc row-major, with the Jacobian J of the outputs
// with respect to the parameters that train: row i·c+o belongs to output o of
// sample i. R is the root of the loss, the identity for squared errors; the factor
// s is not in K. Products are formed in T and added up in float64.
//
// layers are indices among the layers that train, in the order of Moments.Layers,
// whose share of K is wanted; nil means all of them. With the deltas and inputs of
// a dense layer
//
//	K[(i,o),(j,p)] = Σ_layers (δ_io·δ_jp)(x_i·x_j + 1),
//
// so that no gradient is ever formed; for convolutions gradients or patches are,
// whichever is cheaper.
//
// memory limits the bytes, those of K included; where they do not suffice for all
// samples at once, blocks of them are computed several times. The result does not
// depend on it.
func (n *Network[T]) Gram(data Data[T], loss Loss, layers []int, memory int64) ([]float64, error) {
	if err := n.check(data); err != nil {
		return nil, err
	}
	if err := n.checkLoss(data, loss); err != nil {
		return nil, err
	}
	if err := n.perSample(); err != nil {
		return nil, err
	}
	g := &gramPass[T]{net: n, data: data, layers: n.layerIndices(layers)}
	if err := g.cut(memory); err != nil {
		return nil, err
	}
	meter := newFactorMeter(n, loss, g.layers, g.meterRows())
	m := data.N * n.Outputs()
	k := make([]float64, m*m)
	rows, columns := g.factors(), g.factors()
	for _, f := range rows {
		f.allocate(g.block, n.Outputs())
	}
	if g.block < data.N {
		for _, f := range columns {
			f.allocate(g.block, n.Outputs())
		}
	}
	g.allocate(rows)
	for i := 0; i < data.N; i += g.block {
		meter.fill(rows, data, i, min(g.block, data.N-i))
		for j := 0; j < i; j += g.block {
			meter.fill(columns, data, j, g.block)
			g.add(k, rows, columns, i, j)
		}
		g.add(k, rows, rows, i, i)
	}
	for r := range m {
		for s := range r {
			k[s*m+r] = k[r*m+s]
		}
	}
	return k, nil
}

// gramPass is the working memory of Gram.
type gramPass[T kernel.Float] struct {
	net    *Network[T]
	data   Data[T]
	layers []int
	block  int   // samples in a block of rows or columns of K
	left   int64 // bytes for the scratch of more workers than one
	// products of deltas or gradients, and of patches, of a strip of samples with a
	// block of them.
	deltas, patches [][]T // of every worker
}

// stripRows is about the number of rows of a product that pass together: enough
// to make the packing of its columns worth it, and scratch that stays small.
const stripRows = 256

// strip returns the number of samples in a strip of layer f.
func (g *gramPass[T]) strip(f *layerFactors[T]) int {
	return max(1, stripRows/(g.net.Outputs()*max(1, f.positions)))
}

func (g *gramPass[T]) meterRows() int { return min(evaluationBlock, wholeRows(g.block)) }

func (g *gramPass[T]) factors() []*layerFactors[T] {
	var list []*layerFactors[T]
	for _, j := range g.layers {
		list = append(list, newLayerFactors(g.net, j))
	}
	return list
}

// cut chooses the largest block that fits into memory.
func (g *gramPass[T]) cut(memory int64) error {
	m := int64(g.data.N) * int64(g.net.Outputs())
	if m > 1<<30 || 8*m*m > memory {
		return fmt.Errorf("the Gram matrix of %d samples and %d outputs needs %.3g bytes; the limit is %d", g.data.N, g.net.Outputs(), 8*float64(m)*float64(m), memory)
	}
	for blocks := 1; ; blocks++ {
		g.block = (g.data.N + blocks - 1) / blocks
		need := 8*m*m + g.bytes()
		if need <= memory {
			g.left = memory - need
			return nil
		}
		if g.block == 1 {
			return fmt.Errorf("the Gram matrix needs at least %d bytes of memory; the limit is %d", need, memory)
		}
	}
}

func (g *gramPass[T]) bytes() int64 {
	c, perSample := g.net.Outputs(), 0
	deltas, patches := 0, 0
	for _, f := range g.factors() {
		perSample += f.perSample(c)
		d, p := g.scratch(f)
		deltas, patches = max(deltas, d), max(patches, p)
	}
	copies := 1
	if g.block < g.data.N {
		copies = 2
	}
	return sizeOf[T]()*int64(copies*perSample*g.block+deltas+patches) + factorMeterBytes(g.net, g.layers, g.meterRows())
}

// scratch returns the sizes of the products for layer f.
func (g *gramPass[T]) scratch(f *layerFactors[T]) (deltas, patches int) {
	q, c := max(1, f.positions), g.net.Outputs()
	patches = g.strip(f) * q * g.block * q
	return patches * c * c, patches
}

func (g *gramPass[T]) allocate(list []*layerFactors[T]) {
	deltas, patches := 0, 0
	for _, f := range list {
		d, p := g.scratch(f)
		deltas, patches = max(deltas, d), max(patches, p)
	}
	for range g.net.lanes(g.block, 1, 1+g.left/(sizeOf[T]()*int64(deltas+patches))) {
		g.deltas, g.patches = append(g.deltas, make([]T, deltas)), append(g.patches, make([]T, patches))
	}
}

// add adds to k the products of the block of rows that begins with sample i and
// that of columns that begins with sample j ≤ i: all of them, or those up to the
// diagonal and the rest of its strip where i = j.
func (g *gramPass[T]) add(k []float64, rows, columns []*layerFactors[T], i, j int) {
	height, width := min(g.block, g.data.N-i), min(g.block, g.data.N-j)
	for l, f := range rows {
		step := g.strip(f)
		parallel.Each(len(g.deltas), (height+step-1)/step, func(worker, strip int) {
			s := strip * step
			samples, across := min(step, height-s), width
			if i == j {
				across = s + samples
			}
			if f.positions == 0 {
				g.addGradients(k, f, columns[l], g.deltas[worker], i, j, s, samples, across)
			} else {
				g.addFactors(k, f, columns[l], g.deltas[worker], g.patches[worker], i, j, s, samples, across)
			}
		})
	}
}

// addGradients adds the products of the gradients of samples s … s+samples−1 of
// the rows with those of the first across samples of the columns.
func (g *gramPass[T]) addGradients(k []float64, rows, columns *layerFactors[T], products []T, i, j, s, samples, across int) {
	c, size := g.net.Outputs(), rows.size
	width := across * c
	kernel.Gemm(false, true, samples*c, width, size, 1, rows.gradients[s*c*size:], size, columns.gradients, size, 0, products, width)
	for r := range samples * c {
		to := g.row(k, i+s, r)[j*c:]
		for q, v := range products[r*width : (r+1)*width] {
			to[q] += float64(v)
		}
	}
}

// row returns row r of K, counted from the first of sample i.
func (g *gramPass[T]) row(k []float64, i, r int) []float64 {
	m := g.data.N * g.net.Outputs()
	at := i*g.net.Outputs() + r
	return k[at*m : (at+1)*m]
}

// addFactors is addGradients by products of deltas and of patches.
func (g *gramPass[T]) addFactors(k []float64, rows, columns *layerFactors[T], deltaProducts, patchProducts []T, i, j, s, samples, across int) {
	c, q := g.net.Outputs(), rows.positions
	wide, narrow := across*c*q, across*q
	o, p := rows.outputs, rows.inputs
	kernel.Gemm(false, true, samples*c*q, wide, o, 1, rows.deltas[s*c*q*o:], o, columns.deltas, o, 0, deltaProducts, wide)
	kernel.Gemm(false, true, samples*q, narrow, p, 1, rows.patches[s*q*p:], p, columns.patches, p, 0, patchProducts, narrow)
	if rows.bias {
		for a := range patchProducts[:samples*q*narrow] {
			patchProducts[a]++
		}
	}
	for r := range samples * c {
		to := g.row(k, i+s, r)[j*c : (j+across)*c]
		for a := range q {
			deltas := deltaProducts[(r*q+a)*wide:][:wide]
			patches := patchProducts[(r/c*q+a)*narrow:][:narrow]
			if q == 1 && c == 1 {
				for b, v := range deltas {
					to[b] += float64(v) * float64(patches[b])
				}
				continue
			}
			for b := range to {
				p := patches[b/c*q:][:q]
				for e, v := range deltas[b*q : (b+1)*q] {
					to[b] += float64(v) * float64(p[e])
				}
			}
		}
	}
}

// GramBlocks returns the n diagonal blocks K_ii = R_i J_i (R_i J_i)ᵀ of Gram, n×c×c
// row-major, for any n: with H_i = J_iᵀ R_iᵀR_i J_i, ‖H_i‖ is the largest eigenvalue of
// K_ii, ‖H_i‖_F its Frobenius norm and Tr H_i its trace. layers is as in Gram.
// memory limits the bytes; the result does not depend on it.
func (n *Network[T]) GramBlocks(data Data[T], loss Loss, layers []int, memory int64) ([]float64, error) {
	meter, factors, err := n.newBlockMeter(data, loss, layers, memory, func(f *layerFactors[T]) int { return f.perSample(n.Outputs()) })
	if err != nil {
		return nil, err
	}
	c := n.Outputs()
	for _, f := range factors {
		f.allocate(meter.block, c)
	}
	blocks := make([]float64, data.N*c*c)
	for from := 0; from < data.N; from += meter.block {
		count := min(meter.block, data.N-from)
		meter.fill(factors, data, from, count)
		for i := range count {
			for _, f := range factors {
				f.addBlock(blocks[(from+i)*c*c:(from+i+1)*c*c], i, c)
			}
		}
	}
	return blocks, nil
}

// newBlockMeter returns a meter for one block of samples at a time and the layers'
// factors, not allocated. elements says how many elements a layer takes for every
// sample. As for a Differential, the block does not depend on memory.
func (n *Network[T]) newBlockMeter(data Data[T], loss Loss, layers []int, memory int64, elements func(*layerFactors[T]) int) (*factorMeter[T], []*layerFactors[T], error) {
	if err := n.check(data); err != nil {
		return nil, nil, err
	}
	if err := n.checkLoss(data, loss); err != nil {
		return nil, nil, err
	}
	if err := n.perSample(); err != nil {
		return nil, nil, err
	}
	indices := n.layerIndices(layers)
	var factors []*layerFactors[T]
	perRow := factorMeterBytes(n, indices, 1) - factorMeterBytes(n, indices, 0)
	for _, j := range indices {
		f := newLayerFactors(n, j)
		perRow += 8 * int64(elements(f))
		factors = append(factors, f)
	}
	block := min(differentialBlock(perRow), wholeRows(data.N))
	need := factorMeterBytes(n, indices, 0) + perRow*int64(block) + 8*int64(data.N)*int64(n.Outputs())*int64(n.Outputs())
	if need > memory {
		return nil, nil, fmt.Errorf("products of per-sample gradients need %d bytes of memory; the limit is %d", need, memory)
	}
	return newFactorMeter(n, loss, indices, block), factors, nil
}

// addBlock adds the share of the layer in K_ii of sample i of the block.
func (f *layerFactors[T]) addBlock(to []float64, i, c int) {
	q := f.positions
	for o := range c {
		for p := range o + 1 {
			var v float64
			if q == 0 {
				v = innerProduct(f.gradients[(i*c+o)*f.size:][:f.size], f.gradients[(i*c+p)*f.size:][:f.size])
			} else {
				v = f.factorProduct(i, i*c+o, i*c+p)
			}
			to[o*c+p] += v
			if p < o {
				to[p*c+o] += v
			}
		}
	}
}

// factorProduct returns the product of the gradients of sample i with the deltas
// of rows o and p.
func (f *layerFactors[T]) factorProduct(i, o, p int) float64 {
	q, sum := f.positions, 0.0
	for a := range q {
		for b := range q {
			patches := innerProduct(f.patches[(i*q+a)*f.inputs:][:f.inputs], f.patches[(i*q+b)*f.inputs:][:f.inputs])
			if f.bias {
				patches++
			}
			sum += patches * innerProduct(f.deltas[(o*q+a)*f.outputs:][:f.outputs], f.deltas[(p*q+b)*f.outputs:][:f.outputs])
		}
	}
	return sum
}

// innerProduct adds up in float64, in four sums.
func innerProduct[T kernel.Float](x, y []T) float64 {
	var s [4]float64
	i := 0
	for ; i+4 <= len(x) && i+4 <= len(y); i += 4 {
		a, b := x[i:i+4:i+4], y[i:i+4:i+4]
		s[0] += float64(a[0]) * float64(b[0])
		s[1] += float64(a[1]) * float64(b[1])
		s[2] += float64(a[2]) * float64(b[2])
		s[3] += float64(a[3]) * float64(b[3])
	}
	for ; i < len(x); i++ {
		s[0] += float64(x[i]) * float64(y[i])
	}
	return s[0] + s[1] + (s[2] + s[3])
}
