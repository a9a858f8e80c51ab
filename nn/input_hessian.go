package nn

import (
	"fmt"

	"sobolev/internal/kernel"
)

// HessianSums holds, for one sample x_i and one output c, the power sums of the
// elements h_ab = ∂²f_c/∂x_a∂x_b; index k−1 is order k. As in GradientSums x is the
// input of the first layer that trains.
type HessianSums struct {
	// MultiIndex is Σ_{a ≤ b} h_ab^{2k}: a mixed derivative is one multi-index.
	// FullMatrix is Σ_{a, b} h_ab^{2k}.
	MultiIndex, FullMatrix []float64
}

// directionBlock is the number of directions of x that are differentiated at once.
// It does not depend on the memory: results should not.
const directionBlock = 64

// EachHessianSums calls visit with the power sums of orders 1 … orders of the second
// derivatives in x for every sample and output, sample by sample. They are exact, for
// dense networks of smooth activations; for others it fails, as HessianCost does, and
// where memory, a limit in bytes, is too small. s is reused between calls.
//
// For a block of unit directions e of x, with z_l the pre-activations and δ_l the
// gradients of f_c in them,
//
//	ż_1 = W_1 e,  ż_{l+1} = W_{l+1}(a′(z_l) ż_l),
//	ζ_l = a″(z_l) ż_l (W_{l+1}ᵀ δ_{l+1}) + a′(z_l)(W_{l+1}ᵀ ζ_{l+1}),   ∇²f_c e = W_1ᵀ ζ_1,
//
// the first of which all outputs share, as products of matrices. No more than a block
// of rows of a Hessian is ever held.
func (n *Network[T]) EachHessianSums(data Data[T], orders int, memory int64, visit func(i, c int, s *HessianSums)) error {
	if err := n.check(data); err != nil {
		return err
	}
	if _, err := n.HessianCost(); err != nil {
		return err
	}
	if need := n.hessianBytes(); need > memory {
		return fmt.Errorf("second derivatives in the input need %d bytes of memory; the limit is %d", need, memory)
	}
	m := newHessianMeter(n)
	sums := make([]HessianSums, n.Outputs())
	for c := range sums {
		sums[c] = HessianSums{MultiIndex: make([]float64, orders), FullMatrix: make([]float64, orders)}
	}
	diagonal := make([]float64, orders)
	for i := range data.N {
		m.at(data.input(i, n.Inputs()))
		for c := range sums {
			clear(sums[c].MultiIndex)
			clear(sums[c].FullMatrix)
		}
		m.eachRows(0, func(c, a, rows int) {
			clear(diagonal)
			for r := range rows {
				upper := m.rows[r*m.d+a+r : (r+1)*m.d] // h_ab for b ≥ a+r
				kernel.EvenPowerSums(sums[c].MultiIndex, upper)
				kernel.EvenPowerSums(diagonal, upper[:1])
			}
			kernel.Axpy(sums[c].FullMatrix, -1, diagonal)
		})
		for c := range sums {
			kernel.Axpy(sums[c].FullMatrix, 2, sums[c].MultiIndex)
			visit(i, c, &sums[c])
		}
	}
	return nil
}

// HessianCost returns the multiplications that EachHessianSums takes for one sample,
// or an error that says which layer has no second derivatives here.
func (n *Network[T]) HessianCost() (float64, error) {
	layers, err := n.smoothLayers()
	if err != nil {
		return 0, err
	}
	c, cost := float64(n.Outputs()), 0.0
	for l, layer := range layers[:len(layers)-1] {
		in, out := float64(layer.weights.In), float64(layer.weights.Out)
		d := float64(layers[0].weights.In)
		if l == 0 {
			cost += c * out * d * (d + directionBlock) / 2
		} else {
			cost += (1 + c) * d * in * out
		}
	}
	return cost, nil
}

// smoothLayers returns the layers from the first that trains on, if x enters it as it
// is and all are dense and smooth.
func (n *Network[T]) smoothLayers() ([]*dense[T], error) {
	var layers []*dense[T]
	for l := n.inputStage; l < len(n.stages); l++ {
		if _, flat := n.stages[l].(*flatten[T]); flat && len(layers) == 0 {
			continue
		}
		layer, ok := n.stages[l].(*dense[T])
		if !ok {
			return nil, fmt.Errorf("second derivatives in the input are computed for dense networks alone, and layer %d above the input is something else", l-n.inputStage+1)
		}
		if layer.act == ReLU {
			return nil, fmt.Errorf("second derivatives in the input are not defined: %s is followed by relu, whose second derivative is zero but at 0, where it has none", layer.label)
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// hessianMeter is the working memory of EachHessianSums. Slices have an element for
// every hidden layer.
type hessianMeter[T kernel.Float] struct {
	net    *Network[T]
	layers []*dense[T]
	ws     *Workspace[T] // of one sample
	d      int           // elements of x
	w1     []T           // W₁, row-major
	// slope is a′(z_l), bend[c] is a″(z_l) W_{l+1}ᵀ δ_{l+1} for output c; both are
	// padded with zeros, as the rows of the kernels are.
	slope [][]T
	bend  [][][]T
	// tangent is ż of a block of directions; adjoint and moved are scratch for ζ and
	// for what goes into a product.
	tangent        [][]T
	adjoint, moved []T
	noBias         []T
	rows           []T // of the Hessian, directionBlock×d
}

// hessianBytes is the size of a hessianMeter.
func (n *Network[T]) hessianBytes() int64 {
	layers, _ := n.smoothLayers()
	d, widest, all := layers[0].weights.In, 0, 0
	for _, layer := range layers[:len(layers)-1] {
		all += layer.out().value
		widest = max(widest, layer.out().value)
	}
	values := directionBlock*(all+2*widest+d) + (2+n.Outputs())*all + 2*widest + layers[0].weights.Out*d
	return n.workspaceBytes() + sizeOf[T]()*int64(values)
}

func newHessianMeter[T kernel.Float](n *Network[T]) *hessianMeter[T] {
	layers, _ := n.smoothLayers()
	first := layers[0].weights
	m := &hessianMeter[T]{net: n, layers: layers[:len(layers)-1], ws: n.NewWorkspace(1), d: first.In,
		w1: make([]T, first.Out*first.In), rows: make([]T, directionBlock*first.In), bend: make([][][]T, n.Outputs())}
	first.Unpack(m.w1)
	widest := kernel.Stride[T](n.Outputs())
	for _, layer := range m.layers {
		m.slope = append(m.slope, make([]T, layer.out().value))
		m.tangent = append(m.tangent, make([]T, directionBlock*layer.out().value))
		for c := range m.bend {
			m.bend[c] = append(m.bend[c], make([]T, layer.out().value))
		}
		widest = max(widest, layer.out().value)
	}
	m.adjoint, m.moved, m.noBias = make([]T, directionBlock*widest), make([]T, directionBlock*widest), make([]T, widest)
	return m
}

// at does the passes of the sample x.
func (m *hessianMeter[T]) at(x []T) {
	n, last := m.net, len(m.net.stages)-1
	n.SetInput(m.ws, 0, x)
	n.Forward(m.ws, 1)
	offset := len(n.stages) - len(m.layers) - 1 // the stage of the first layer
	for l, layer := range m.layers {
		slope := m.slope[l][:layer.weights.Out]
		for j := range slope {
			slope[j] = 1
		}
		if layer.act.smooth() {
			applyDerivative(layer.act, slope, m.ws.state[offset+l].pre[:len(slope)])
		}
	}
	for c := range n.Outputs() {
		clear(m.ws.delta[last])
		m.ws.delta[last][c] = 1
		for l := len(m.layers) - 1; l >= 0; l-- {
			opened, stage := m.moved[:m.layers[l].out().value], offset+l
			n.stages[stage+1].backward(m.ws.state[stage+1], opened, m.ws.delta[stage+1], nil, 1)
			product(m.ws.delta[stage], opened, m.slope[l])
			if act, z := m.layers[l].act, m.ws.state[stage].pre; act.smooth() {
				for j := range m.layers[l].weights.Out {
					m.bend[c][l][j] = opened[j] * T(act.secondDerivative(float64(z[j])))
				}
			}
		}
	}
}

// eachRows calls f with rows a … a+rows−1 of the Hessian of every output c, in
// m.rows with d elements each, of which those before column a are left as they are:
// the Hessian is symmetric. whole = 1 computes them too.
func (m *hessianMeter[T]) eachRows(whole int, f func(c, a, rows int)) {
	for a := 0; a < m.d; a += directionBlock {
		rows := min(directionBlock, m.d-a)
		m.tangents(a, rows)
		from := a * (1 - whole)
		for c := range m.bend {
			zeta := m.adjoints(c, rows)
			if zeta == nil {
				clear(m.rows)
			} else {
				w := m.layers[0].weights
				kernel.Gemm(false, false, rows, m.d-from, w.Out, 1, zeta, kernel.Stride[T](w.Out), m.w1[from:], m.d, 0, m.rows[from:], m.d)
			}
			f(c, a, rows)
		}
	}
}

// tangents computes ż of the directions a … a+rows−1.
func (m *hessianMeter[T]) tangents(a, rows int) {
	for l, layer := range m.layers {
		w := layer.weights
		if l == 0 {
			for r := range rows {
				to := row(m.tangent[0], r, w.Out)
				for o := range to {
					to[o] = m.w1[o*m.d+a+r]
				}
			}
			continue
		}
		for r, stride := 0, len(m.slope[l-1]); r < rows; r++ {
			product(m.moved[r*stride:], m.tangent[l-1][r*stride:(r+1)*stride], m.slope[l-1])
		}
		w.Forward(m.tangent[l], m.moved, m.noBias, rows, false)
	}
}

// adjoints returns ζ of the first layer; nil where there is no hidden one.
func (m *hessianMeter[T]) adjoints(c, rows int) []T {
	if len(m.layers) == 0 {
		return nil
	}
	for l := len(m.layers) - 1; l >= 0; l-- {
		bend, slope := m.bend[c][l], m.slope[l]
		for from := 0; from < rows*len(bend); from += len(bend) {
			zeta, tangent := m.adjoint[from:from+len(bend)], m.tangent[l][from:from+len(bend)]
			product(zeta, tangent, bend)
			if l == len(m.layers)-1 {
				continue
			}
			for j, above := range m.moved[from : from+len(bend)] {
				zeta[j] += slope[j] * above
			}
		}
		if l > 0 {
			m.layers[l].weights.Backward(m.moved, m.adjoint, nil, rows)
		}
	}
	return m.adjoint
}

// product sets dst to a·b, element by element.
func product[T kernel.Float](dst, a, b []T) {
	for j, v := range a {
		dst[j] = v * b[j]
	}
}
