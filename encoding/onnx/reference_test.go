package onnx

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// array is a value of the reference interpreter, which evaluates the nodes of a
// graph as the operators' documentation has them: slowly, in any rank, integers
// as float64.
type array struct {
	shape []int
	v     []float64
}

func zeros(shape ...int) array {
	n, _ := count(shape)
	return array{shape, make([]float64, n)}
}

// at returns the position of an index.
func (a array) at(index []int) int {
	p := 0
	for i, x := range index {
		p = p*a.shape[i] + x
	}
	return p
}

// each calls do with every index of a shape; do must not keep it.
func each(shape []int, do func(index []int)) {
	index := make([]int, len(shape))
	n, _ := count(shape)
	for p := range int(n) {
		for i, rest := len(shape)-1, p; i >= 0; i-- {
			index[i], rest = rest%shape[i], rest/shape[i]
		}
		do(index)
	}
}

// build fills an array from its indices.
func build(shape []int, value func(index []int) float64) array {
	a := zeros(shape...)
	each(shape, func(index []int) { a.v[a.at(index)] = value(index) })
	return a
}

func (a array) mapped(f func(float64) float64) array {
	return build(a.shape, func(i []int) float64 { return f(a.v[a.at(i)]) })
}

// broadcast applies f with the rules of NumPy.
func broadcast(a, b array, f func(x, y float64) float64) array {
	rank := max(len(a.shape), len(b.shape))
	pad := func(x array) array {
		return array{append(slices.Repeat([]int{1}, rank-len(x.shape)), x.shape...), x.v}
	}
	a, b = pad(a), pad(b)
	shape := make([]int, rank)
	for i := range shape {
		if shape[i] = max(a.shape[i], b.shape[i]); min(a.shape[i], b.shape[i]) != shape[i] && min(a.shape[i], b.shape[i]) != 1 {
			panic("shapes do not broadcast")
		}
	}
	pick := func(x array, index []int) float64 {
		own := slices.Clone(index)
		for i := range own {
			own[i] = min(own[i], x.shape[i]-1)
		}
		return x.v[x.at(own)]
	}
	return build(shape, func(i []int) float64 { return f(pick(a, i), pick(b, i)) })
}

func (a array) transposed(perm []int64) array {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = a.shape[p]
	}
	return build(shape, func(index []int) float64 {
		from := make([]int, len(index))
		for i, p := range perm {
			from[p] = index[i]
		}
		return a.v[a.at(from)]
	})
}

func matMul(a, b array) array {
	return build([]int{a.shape[0], b.shape[1]}, func(i []int) float64 {
		sum := 0.0
		for k := range a.shape[1] {
			sum += a.v[a.at([]int{i[0], k})] * b.v[b.at([]int{k, i[1]})]
		}
		return sum
	})
}

// arguments are the attributes of a node.
type arguments struct{ n *Node }

func (a arguments) find(name string) *Attribute {
	for i := range a.n.Attributes {
		if a.n.Attributes[i].Name == name {
			return &a.n.Attributes[i]
		}
	}
	return &Attribute{}
}

func (a arguments) int(name string, otherwise int64) int64 {
	if at := a.find(name); at.Name != "" {
		return at.Int
	}
	return otherwise
}

func (a arguments) float(name string, otherwise float64) float64 {
	if at := a.find(name); at.Name != "" {
		return float64(at.Float)
	}
	return otherwise
}

func (a arguments) ints(name string, otherwise ...int64) []int64 {
	if at := a.find(name); at.Name != "" {
		return at.Ints
	}
	return otherwise
}

func toArray(t *Tensor) array {
	if t.DType.real() {
		v, err := t.Float64s()
		if err != nil {
			panic(err)
		}
		return array{t.Shape, v}
	}
	ints, err := t.Int64s()
	if err != nil {
		panic(err)
	}
	a := array{t.Shape, nil}
	for _, x := range ints {
		a.v = append(a.v, float64(x))
	}
	return a
}

// evaluate returns the output of a graph.
func evaluate(g *Graph, opset int, x array) array {
	values := map[string]array{g.Inputs[0].Name: x}
	for i := range g.Initializers {
		values[g.Initializers[i].Name] = toArray(&g.Initializers[i])
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		var in []array
		for _, name := range n.Inputs {
			in = append(in, values[name])
		}
		values[n.Outputs[0]] = apply(n, opset, in)
	}
	return values[g.Outputs[0].Name]
}

func apply(n *Node, opset int, in []array) array {
	a := arguments{n}
	switch n.Op {
	case "Identity", "Dropout", "Cast", "Softmax", "LogSoftmax":
		return in[0] // without the softmax at the end, as the layers are
	case "Constant":
		at := n.Attributes[0]
		switch at.Name {
		case "value_float":
			return array{[]int{}, []float64{float64(at.Float)}}
		case "value_floats":
			v := zeros(len(at.Floats))
			for i, x := range at.Floats {
				v.v[i] = float64(x)
			}
			return v
		case "value_int":
			return array{[]int{}, []float64{float64(at.Int)}}
		case "value_ints":
			v := zeros(len(at.Ints))
			for i, x := range at.Ints {
				v.v[i] = float64(x)
			}
			return v
		}
		return toArray(at.Tensor)
	case "Relu":
		return in[0].mapped(func(x float64) float64 { return math.Max(0, x) })
	case "Tanh":
		return in[0].mapped(math.Tanh)
	case "Sigmoid":
		return in[0].mapped(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })
	case "Softplus":
		return in[0].mapped(func(x float64) float64 { return math.Log(1 + math.Exp(x)) })
	case "Gelu":
		return in[0].mapped(func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) })
	case "Erf":
		return in[0].mapped(math.Erf)
	case "Add":
		return broadcast(in[0], in[1], func(x, y float64) float64 { return x + y })
	case "Mul":
		return broadcast(in[0], in[1], func(x, y float64) float64 { return x * y })
	case "Div":
		return broadcast(in[0], in[1], func(x, y float64) float64 { return x / y })
	case "MatMul":
		return matMul(in[0], in[1])
	case "Gemm":
		b := in[1]
		if a.int("transB", 0) != 0 {
			b = b.transposed([]int64{1, 0})
		}
		y := matMul(in[0], b).mapped(func(x float64) float64 { return a.float("alpha", 1) * x })
		if len(in) > 2 {
			y = broadcast(y, in[2], func(x, c float64) float64 { return x + a.float("beta", 1)*c })
		}
		return y
	case "Conv":
		return convolve(a, in)
	case "MaxPool", "AveragePool":
		return pool(a, in[0])
	case "GlobalAveragePool":
		return reduceMean(in[0], []int{2, 3}, true)
	case "ReduceMean":
		var axes []int
		for _, x := range a.ints("axes") {
			axes = append(axes, (int(x)+len(in[0].shape))%len(in[0].shape))
		}
		if len(in) > 1 {
			axes = toInts(in[1])
		}
		return reduceMean(in[0], axes, a.int("keepdims", 1) != 0)
	case "BatchNormalization":
		return build(in[0].shape, func(i []int) float64 {
			c := i[1]
			return (in[0].v[in[0].at(i)]-in[3].v[c])/math.Sqrt(in[4].v[c]+a.float("epsilon", 1e-5))*in[1].v[c] + in[2].v[c]
		})
	case "Flatten":
		return array{[]int{in[0].shape[0], len(in[0].v) / in[0].shape[0]}, in[0].v}
	case "Reshape":
		shape, known := toInts(in[1]), 1
		for i := range shape {
			if shape[i] == 0 {
				shape[i] = in[0].shape[i]
			}
			if shape[i] > 0 {
				known *= shape[i]
			}
		}
		for i := range shape {
			if shape[i] < 0 {
				shape[i] = len(in[0].v) / known
			}
		}
		return array{shape, in[0].v}
	case "Squeeze":
		var shape []int
		for i, size := range in[0].shape {
			if !slices.Contains(toInts(in[1]), i) {
				shape = append(shape, size)
			}
		}
		return array{shape, in[0].v}
	case "Unsqueeze":
		shape := slices.Clone(in[0].shape)
		for _, axis := range toInts(in[1]) {
			shape = slices.Insert(shape, axis, 1)
		}
		return array{shape, in[0].v}
	case "Transpose":
		perm := a.ints("perm")
		for i := len(in[0].shape); len(perm) < len(in[0].shape); i-- {
			perm = append(perm, int64(i-1))
		}
		return in[0].transposed(perm)
	case "Shape":
		sizes := array{}
		for _, size := range in[0].shape[a.int("start", 0):a.int("end", int64(len(in[0].shape)))] {
			sizes.v = append(sizes.v, float64(size))
		}
		return array{[]int{len(sizes.v)}, sizes.v}
	case "Gather":
		return build(in[1].shape, func(i []int) float64 { return in[0].v[int(in[1].v[in[1].at(i)])] })
	case "Concat":
		all := array{}
		for _, x := range in {
			all.v = append(all.v, x.v...)
		}
		return array{[]int{len(all.v)}, all.v}
	case "Slice":
		return slice(in)
	case "Pad":
		return padded(in[0], toInts(in[1]))
	}
	panic("the reference interpreter does not know " + n.Op)
}

func toInts(a array) []int {
	var v []int
	for _, x := range a.v {
		v = append(v, int(x))
	}
	return v
}

// padding returns the zeros in front and the size behind windows along an axis.
func padding(a arguments, axis, size, kernel, stride int) (before, outputs int) {
	pads := a.ints("pads", 0, 0, 0, 0)
	switch a.find("auto_pad").String {
	case "SAME_UPPER", "SAME_LOWER":
		outputs = (size + stride - 1) / stride
		total := max((outputs-1)*stride+kernel-size, 0)
		if a.find("auto_pad").String == "SAME_UPPER" {
			return total / 2, outputs
		}
		return total - total/2, outputs
	case "VALID":
		return 0, (size-kernel)/stride + 1
	}
	return int(pads[axis]), (size+int(pads[axis])+int(pads[axis+2])-kernel)/stride + 1
}

func convolve(a arguments, in []array) array {
	x, w := in[0], in[1]
	stride := a.ints("strides", 1, 1)
	py, h := padding(a, 0, x.shape[2], w.shape[2], int(stride[0]))
	px, width := padding(a, 1, x.shape[3], w.shape[3], int(stride[1]))
	return build([]int{x.shape[0], w.shape[0], h, width}, func(i []int) float64 {
		sum := 0.0
		if len(in) > 2 {
			sum = in[2].v[i[1]]
		}
		each(w.shape[1:], func(k []int) {
			r, s := i[2]*int(stride[0])+k[1]-py, i[3]*int(stride[1])+k[2]-px
			if r >= 0 && r < x.shape[2] && s >= 0 && s < x.shape[3] {
				sum += x.v[x.at([]int{i[0], k[0], r, s})] * w.v[w.at([]int{i[1], k[0], k[1], k[2]})]
			}
		})
		return sum
	})
}

func pool(a arguments, x array) array {
	kernel, stride := a.ints("kernel_shape"), a.ints("strides", 1, 1)
	_, h := padding(a, 0, x.shape[2], int(kernel[0]), int(stride[0]))
	_, w := padding(a, 1, x.shape[3], int(kernel[1]), int(stride[1]))
	return build([]int{x.shape[0], x.shape[1], h, w}, func(i []int) float64 {
		most, sum := math.Inf(-1), 0.0
		each([]int{int(kernel[0]), int(kernel[1])}, func(k []int) {
			v := x.v[x.at([]int{i[0], i[1], i[2]*int(stride[0]) + k[0], i[3]*int(stride[1]) + k[1]})]
			most, sum = math.Max(most, v), sum+v
		})
		if a.n.Op == "MaxPool" {
			return most
		}
		return sum / float64(kernel[0]*kernel[1])
	})
}

func reduceMean(x array, axes []int, keep bool) array {
	shape, count := slices.Clone(x.shape), 1
	for _, axis := range axes {
		count *= shape[axis]
		shape[axis] = 1
	}
	y := zeros(shape...)
	each(x.shape, func(i []int) {
		to := slices.Clone(i)
		for _, axis := range axes {
			to[axis] = 0
		}
		y.v[y.at(to)] += x.v[x.at(i)] / float64(count)
	})
	if !keep {
		y.shape = nil
		for i, size := range shape {
			if !slices.Contains(axes, i) {
				y.shape = append(y.shape, size)
			}
		}
	}
	return y
}

func slice(in []array) array {
	shape, step := slices.Clone(in[0].shape), slices.Repeat([]int{1}, len(in[0].shape))
	for i, axis := range toInts(in[3]) {
		step[axis] = int(in[4].v[i])
		shape[axis] = (shape[axis] + step[axis] - 1) / step[axis]
	}
	return build(shape, func(i []int) float64 {
		from := slices.Clone(i)
		for axis := range from {
			from[axis] *= step[axis]
		}
		return in[0].v[in[0].at(from)]
	})
}

func padded(x array, pads []int) array {
	shape, rank := slices.Clone(x.shape), len(x.shape)
	for i := range shape {
		shape[i] += pads[i] + pads[rank+i]
	}
	y := zeros(shape...)
	each(x.shape, func(i []int) {
		to := slices.Clone(i)
		for axis := range to {
			to[axis] += pads[axis]
		}
		y.v[y.at(to)] = x.v[x.at(i)]
	})
	return y
}

// runLayers evaluates layers on one sample, without a look at the graph.
func runLayers(layers []Layer, s shape, x []float64) (shape, []float64) {
	for i := range layers {
		s, x = runLayer(&layers[i], s, x)
	}
	return s, x
}

func runLayer(l *Layer, s shape, x []float64) (shape, []float64) {
	out, err := l.output(s)
	if err != nil {
		panic(err)
	}
	y := make([]float64, out.size())
	pixels := max(1, s.h*s.w)
	switch l.Kind {
	case Flatten:
		return out, x
	case Activate:
		for i, v := range x {
			y[i] = map[Activation]func(float64) float64{
				ReLU: func(v float64) float64 { return math.Max(v, 0) }, Tanh: math.Tanh,
				GELU:     func(v float64) float64 { return v * (1 - math.Erfc(v/math.Sqrt2)/2) },
				Softplus: func(v float64) float64 { return math.Log1p(math.Exp(v)) },
				Sigmoid:  func(v float64) float64 { return (1 + math.Tanh(v/2)) / 2 },
			}[l.Activation](v)
		}
	case BatchNorm:
		for i, v := range x {
			c := i / pixels
			y[i] = l.Weight[c]*(v-l.Mean[c])/math.Sqrt(l.Variance[c]+l.Epsilon) + l.Bias[c]
		}
	case Residual:
		_, body := runLayers(l.Body, s, x)
		copy(y, body)
		margin := (out.c - s.c) / 2
		for c := range s.c {
			for r := range max(1, out.h) {
				for q := range max(1, out.w) {
					y[((margin+c)*max(1, out.h)+r)*max(1, out.w)+q] += x[(c*max(1, s.h)+r*l.Stride)*max(1, s.w)+q*l.Stride]
				}
			}
		}
	case Linear:
		for o := range y {
			for i, v := range x {
				y[o] += l.Weight[o*len(x)+i] * v
			}
			if l.Bias != nil {
				y[o] += l.Bias[o]
			}
		}
	default:
		window(l, s, out, x, y)
	}
	return out, y
}

// window evaluates a convolution or a pooling.
func window(l *Layer, s, out shape, x, y []float64) {
	stride := l.Kernel
	if l.Kind == Conv {
		stride = l.Stride
	}
	each([]int{out.c, out.h, out.w}, func(i []int) {
		sum, most := 0.0, math.Inf(-1)
		each([]int{s.c, l.Kernel, l.Kernel}, func(k []int) {
			r, q := i[1]*stride+k[1]-l.Padding, i[2]*stride+k[2]-l.Padding
			if r < 0 || q < 0 || r >= s.h || q >= s.w || l.Kind != Conv && k[0] != i[0] {
				return
			}
			v := x[(k[0]*s.h+r)*s.w+q]
			most = math.Max(most, v)
			if l.Kind == Conv {
				v *= l.Weight[((i[0]*s.c+k[0])*l.Kernel+k[1])*l.Kernel+k[2]]
			}
			sum += v
		})
		switch {
		case l.Kind == MaxPool:
			sum = most
		case l.Kind == AvgPool:
			sum /= float64(l.Kernel * l.Kernel)
		case l.Bias != nil:
			sum += l.Bias[i[0]]
		}
		y[(i[0]*out.h+i[1])*out.w+i[2]] = sum
	})
}

// compare lowers a model and requires that the layers compute what the graph
// does on random samples; it returns the network.
func compare(t testing.TB, m *Model, rng *rand.Rand) *Network {
	t.Helper()
	net, err := m.Network()
	if err != nil {
		t.Fatal(err)
	}
	const samples = 2
	x := build(append([]int{samples}, m.Graph.Inputs[0].Shape[1:]...), func([]int) float64 { return rng.NormFloat64() })
	want := evaluate(&m.Graph, m.Opset, x)
	compareOutputs(t, net, x, want)
	return net
}

func compareOutputs(t testing.TB, net *Network, x, want array) {
	t.Helper()
	samples := x.shape[0]
	in, err := shapeOf(net.Input)
	if err != nil {
		t.Fatal(err)
	}
	if net.ChannelsLast {
		x = x.transposed([]int64{0, 3, 1, 2})
	}
	for i := range samples {
		size := len(x.v) / samples
		out, y := runLayers(net.Layers, in, x.v[i*size:(i+1)*size])
		row := want.v[i*len(want.v)/samples : (i+1)*len(want.v)/samples]
		if out.size() != len(row) {
			t.Fatalf("%d outputs, want %d", out.size(), len(row))
		}
		for j := range row {
			if diff := math.Abs(y[j] - row[j]); !(diff <= 1e-9*(1+math.Abs(row[j]))) {
				t.Fatalf("sample %d, output %d: %v, the graph makes %v; layers %s", i, j, y[j], row[j], kinds(net.Layers))
			}
		}
	}
}

// kinds writes the kinds of layers in one line.
func kinds(layers []Layer) string {
	var list []string
	for _, l := range layers {
		s := string(l.Kind)
		if l.Kind == Activate {
			s = string(l.Activation)
		}
		if l.Kind == Residual {
			s += "(" + kinds(l.Body) + ")"
		}
		list = append(list, s)
	}
	return strings.Join(list, " ")
}
