package experiment

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sobolev/encoding/onnx"
	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
)

// comparable is the result without what names the files.
func comparable(t *testing.T, r *rundir.Result) string {
	t.Helper()
	c := *r
	c.MeasuredModel, c.Data.Source, c.Warnings = "", "", nil
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readTensors(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func writeTensors(t *testing.T, tensors []safetensors.Tensor) string {
	t.Helper()
	data, err := safetensors.Encode(&safetensors.File{Tensors: tensors})
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "model.safetensors", data)
}

// layersAndWeights is the fixture as ONNX's layers.
func layersAndWeights(t *testing.T, fixture string) *onnx.Network {
	t.Helper()
	f := readTensors(t, auditFixture(fixture).Model)
	v := func(name string) []float64 {
		tensor, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no tensor %s", name)
		}
		values, err := tensor.Float64s()
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	linear := func(name string) onnx.Layer {
		return onnx.Layer{Kind: onnx.Linear, Out: len(v(name + ".bias")), Weight: v(name + ".weight"), Bias: v(name + ".bias")}
	}
	conv := func(name string) onnx.Layer {
		l := linear(name)
		l.Kind, l.Kernel, l.Stride, l.Padding = onnx.Conv, 3, 1, 1
		return l
	}
	relu, pool := onnx.Layer{Kind: onnx.Activate, Activation: onnx.ReLU}, onnx.Layer{Kind: onnx.MaxPool, Kernel: 2}
	if fixture == "cnn-tiny" {
		return &onnx.Network{Input: []int{2, 8, 8}, Layers: []onnx.Layer{conv("features.0"), relu, pool, conv("features.3"), relu, pool,
			{Kind: onnx.Flatten}, linear("classifier.0"), relu, linear("classifier.2")}}
	}
	return &onnx.Network{Input: []int{6}, Layers: []onnx.Layer{linear("net.0"), relu, linear("net.2"), relu, linear("net.4")}}
}

func writeONNX(t *testing.T, n *onnx.Network) string {
	t.Helper()
	data, err := onnx.Encode(n, onnx.Double)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "model.onnx", data)
}

// The same network from ONNX is the same result, to the last bit.
func TestAuditOfONNXIsThatOfItsWeights(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "cnn-tiny"} {
		o := auditFixture(fixture)
		o.Radius, o.LearningRate = 0.01, 2e-3
		want := comparable(t, auditOf(t, o))
		o.Model, o.Architecture, o.Activation = writeONNX(t, layersAndWeights(t, fixture)), "", ""
		if got := comparable(t, auditOf(t, o)); got != want {
			t.Errorf("%s: from ONNX\n%s\nfrom safetensors\n%s", fixture, got, want)
		}
	}
}

// PyTorch's relu(max_pool2d(conv(x))) and relu(flatten(x)) are networks of package nn
// in another order, and give the same result to the last bit; what does not commute is
// refused.
func TestAuditOfActivationsBehindPoolings(t *testing.T) {
	o := auditFixture("cnn-tiny")
	o.Radius, o.LearningRate = 0.01, 2e-3
	o.Architecture, o.Activation = "", ""
	graph := layersAndWeights(t, "cnn-tiny")
	o.Model = writeONNX(t, graph)
	want := comparable(t, auditOf(t, o))
	l := graph.Layers // conv, relu, pool, conv, relu, pool, flatten, linear, …
	for _, order := range [][]int{{0, 2, 1, 3, 5, 4, 6}, {0, 1, 2, 3, 5, 6, 4}, {0, 2, 1, 3, 4, 5, 6}} {
		other := *graph
		other.Layers = nil
		for _, i := range order {
			other.Layers = append(other.Layers, l[i])
		}
		other.Layers = append(other.Layers, l[7:]...)
		o.Model = writeONNX(t, &other)
		if got := comparable(t, auditOf(t, o)); got != want {
			t.Errorf("in the order %v:\n%s\nwant\n%s", order, got, want)
		}
	}
	for _, c := range []struct {
		pool       onnx.Kind
		activation onnx.Activation
	}{{onnx.AvgPool, onnx.ReLU}, {onnx.MaxPool, onnx.GELU}} {
		other := *graph
		other.Layers = slices.Clone(l)
		other.Layers[1], other.Layers[2] = onnx.Layer{Kind: c.pool, Kernel: 2}, onnx.Layer{Kind: onnx.Activate, Activation: c.activation}
		o.Model = writeONNX(t, &other)
		if _, err := Audit(t.Context(), o); err == nil || !strings.Contains(err.Error(), "activation") {
			t.Errorf("%s behind %s: %v", c.activation, c.pool, err)
		}
	}
}

// A bias that is not there is no parameter; all else is as if it were zero. The three
// ways to such a network give the same result, to the last bit.
func TestAuditOfLayersWithoutBias(t *testing.T) {
	fixture := readTensors(t, auditFixture("fnn-tiny").Model).Tensors
	var without, zeros []safetensors.Tensor
	for _, s := range fixture {
		switch s.Name {
		case "net.0.bias", "net.2.bias":
			zeros = append(zeros, safetensors.F64(s.Name, s.Shape, make([]float64, s.Shape[0])))
		default:
			without, zeros = append(without, s), append(zeros, s)
		}
	}
	o := auditFixture("fnn-tiny")
	o.Model, o.InterpolationTolerance, o.Radius, o.LearningRate = writeTensors(t, without), 100, 0.01, 1e-3
	r := auditOf(t, o)
	want := comparable(t, r)

	graph := layersAndWeights(t, "fnn-tiny")
	graph.Layers[0].Bias, graph.Layers[2].Bias = nil, nil
	asONNX, asYAML := o, o
	asONNX.Model, asONNX.Activation = writeONNX(t, graph), ""
	asYAML.Activation, asYAML.Architecture = "", writeFile(t, "arch.yaml", []byte("layers: [linear: {out: 8, bias: false}, relu, linear: {out: 7, bias: false}, relu, linear: {out: 3}]"))
	for _, other := range []AuditOptions{asONNX, asYAML} {
		if got := comparable(t, auditOf(t, other)); got != want {
			t.Errorf("%s: \n%s\ninferred\n%s", other.Model, got, want)
		}
	}

	o.Model = writeTensors(t, zeros)
	z := auditOf(t, o)
	near(t, "loss", r.Fit.Loss, float64(z.Fit.Loss), 0)
	if r.Model.Parameters != z.Model.Parameters-8-7 {
		t.Errorf("%d parameters, %d with biases", r.Model.Parameters, z.Model.Parameters)
	}
	for j, m := range r.Moments {
		near(t, "sum_x", m.SumX, float64(z.Moments[j].SumX), 1e-12)
		near(t, "g_delta", m.GDelta, float64(z.Moments[j].GDelta), 1e-12)
		biases := 0.0
		for l, layer := range m.Layers {
			near(t, "sum_weight", layer.SumWeight, float64(z.Moments[j].Layers[l].SumWeight), 1e-12)
			if l < 2 {
				biases += float64(z.Moments[j].Layers[l].SumBias)
				near(t, "sum_bias", layer.SumBias, 0, 0)
			}
		}
		near(t, "sum_W", m.SumW, float64(z.Moments[j].SumW)-biases, 1e-12)
	}
	near(t, "trace", r.Curvature.Trace, float64(r.Moments[0].SumW), 1e-12)
	for _, b := range r.Bounds {
		if strings.Contains(b.SharpForm, "bias") {
			t.Errorf("%s, k = %d: form %s of a layer without bias", b.Statement, b.K, b.SharpForm)
		}
	}
}

// File order means nothing, nor does how often the audit is done.
func TestAuditOrdersTensorsByTheirNumbers(t *testing.T) {
	for _, fixture := range []string{"fnn-tiny", "cnn-tiny"} {
		o := auditFixture(fixture)
		want := comparable(t, auditOf(t, o))
		f := readTensors(t, o.Model)
		// Numbers of one and two digits: as text, net.10 would come before net.2.
		renamed := strings.NewReplacer("net.4", "net.10", "features.3", "features.12", "classifier.2", "classifier.10")
		for i := range f.Tensors {
			f.Tensors[i].Name = renamed.Replace(f.Tensors[i].Name)
		}
		for range 3 {
			generator(uint64(len(f.Tensors))).Shuffle(len(f.Tensors), func(i, j int) { f.Tensors[i], f.Tensors[j] = f.Tensors[j], f.Tensors[i] })
			o.Model = writeFile(t, "model.safetensors", inThisOrder(t, f.Tensors))
			if got := comparable(t, auditOf(t, o)); got != want {
				t.Errorf("%s: permuted and renamed\n%s\nbefore\n%s", fixture, got, want)
			}
		}
	}
}

// inThisOrder encodes the tensors with header and data in the order that they have.
func inThisOrder(t *testing.T, tensors []safetensors.Tensor) []byte {
	t.Helper()
	var header, data []byte
	for i, s := range tensors {
		shape, err := json.Marshal(s.Shape)
		if err != nil {
			t.Fatal(err)
		}
		separator := byte('{')
		if i > 0 {
			separator = ','
		}
		header = append(header, separator)
		header = fmt.Appendf(header, `%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, s.Name, s.DType, shape, len(data), len(data)+len(s.Data))
		data = append(data, s.Data...)
	}
	header = append(header, '}')
	length := make([]byte, 8)
	for i := range length {
		length[i] = byte(len(header) >> (8 * i))
	}
	return slices.Concat(length, header, data)
}

// A batch normalisation of another ε is one with another variance; one of vectors
// is folded into the layer in front. Both leave the function as it is.
func TestAuditOfBatchNormalisations(t *testing.T) {
	norm := func(c int, epsilon float64) onnx.Layer {
		l := onnx.Layer{Kind: onnx.BatchNorm, Epsilon: epsilon}
		for i := range c {
			x := float64(i + 1)
			l.Weight, l.Bias = append(l.Weight, 1+x/10), append(l.Bias, x/20)
			l.Mean, l.Variance = append(l.Mean, x/30), append(l.Variance, x/5)
		}
		return l
	}
	with := func(n *onnx.Network, at int, l onnx.Layer) *onnx.Network {
		m := *n
		m.Layers = slices.Insert(slices.Clone(n.Layers), at, l)
		return &m
	}
	for _, c := range []struct {
		fixture string
		network *onnx.Network
		folded  bool
	}{
		{"cnn-tiny", with(layersAndWeights(t, "cnn-tiny"), 1, norm(3, 1e-3)), false},
		{"cnn-tiny", with(layersAndWeights(t, "cnn-tiny"), 1, norm(3, 1e-7)), false},
		{"fnn-tiny", with(layersAndWeights(t, "fnn-tiny"), 1, norm(8, 1e-3)), true},
	} {
		o := auditFixture(c.fixture)
		o.Architecture, o.Activation = "", ""
		o.Model = writeONNX(t, c.network)
		r := auditOf(t, o)
		o.Model = writeONNX(t, c.network.FoldBatchNorm())
		f := auditOf(t, o)
		near(t, "loss", r.Fit.Loss, float64(f.Fit.Loss), 1e-9)
		for i := range r.Moments { // that of the input does not depend on the parameters
			near(t, "g_x", r.Moments[i].GX, float64(f.Moments[i].GX), 1e-9)
		}
		if folded := r.Model.Parameters == f.Model.Parameters; folded != c.folded {
			t.Errorf("%s: %d parameters, %d when folded", c.fixture, r.Model.Parameters, f.Model.Parameters)
		}
		if said := strings.Contains(fmt.Sprint(r.Warnings), "are folded into"); said != c.folded {
			t.Errorf("%s: warnings %q", c.fixture, r.Warnings)
		}
		if !strings.Contains(fmt.Sprint(r.Warnings), "statistics of its batches") {
			t.Errorf("%s: warnings %q", c.fixture, r.Warnings)
		}
	}
}

// The outputs of foreign files are those that onnxruntime computes.
func TestAuditOfForeignONNX(t *testing.T) {
	folder := filepath.Join("..", "encoding", "onnx", "testdata")
	var outputs map[string][]float32
	if err := json.Unmarshal([]byte(readFile(t, folder, "onnxruntime.json")), &outputs); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, refusal string }{
		{"pytorch", ""},
		{"layers", "a batch normalisation of vectors"},
		{"keras", "a batch normalisation of vectors"}, // behind an activation
	} {
		name := c.name
		model := filepath.Join(folder, name+".onnx")
		decoded, err := onnx.ReadFile(model)
		if err != nil {
			t.Fatal(err)
		}
		shape := append([]int{3}, decoded.Graph.Inputs[0].Shape[1:]...)
		x := make([]float32, product(shape))
		for i := range x {
			x[i] = float32(float64(i*37%101)/50 - 1)
		}
		y := outputs[name]
		data := writeNPZ(t, map[string]array{"x": {shape, x}, "y": {[]int{3, len(y) / 3}, y}})
		r, err := Audit(t.Context(), AuditOptions{Model: model, Data: data, LearningRate: 0.01, BatchSize: 1})
		if c.refusal != "" {
			if err == nil || !strings.Contains(err.Error(), c.refusal) || !strings.Contains(err.Error(), name+".onnx") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !(r.Fit.MaxResidual <= 1e-5) || len(r.Moments) != 3 || r.Stability == nil {
			t.Errorf("%s: %+v, %d moments, warnings %q", name, r.Fit, len(r.Moments), r.Warnings)
		}
	}
}

// Every architecture comes back from ONNX, and its tensors from any order.
func TestAuditOfEveryArchitecture(t *testing.T) {
	all := architectures(t)
	delete(all, "identity") // which is no layer in ONNX
	for name, arch := range all {
		net := randomNetwork(t, arch, generator(uint64(len(name))))
		layers, tensors, err := layersOfONNX(graphOf(net).Layers, "net.")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := fmt.Sprint(layers), fmt.Sprint(arch.Layers); got != want {
			t.Errorf("%s: layers %s, want %s", name, got, want)
		}
		shuffled := net.Tensors()
		generator(3).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		groups, err := modulesOf(shuffled)
		if err != nil {
			t.Fatal(err)
		}
		m := &auditedModel{architecture: arch, memory: 1 << 30}
		modules, err := m.fitArchitecture(groups, nil)
		if err == nil {
			err = m.take(modules)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for from, file := range map[string][]safetensors.Tensor{"ONNX": tensors, "safetensors": m.tensors} {
			again, err := nn.New[float32](arch)
			if err == nil {
				err = again.Load(&safetensors.File{Tensors: file})
			}
			if err != nil || !reflect.DeepEqual(again.Tensors(), net.Tensors()) {
				t.Errorf("%s from %s: other parameters, error %v", name, from, err)
			}
		}
	}
}

func TestAuditComparesNamesByNumbers(t *testing.T) {
	names := []string{"0", "a.1.b", "b.1", "2", "a.02.x", "a.2", "10", "a.10.a", "a.10.b", "c.10.0"}
	shuffled := slices.Clone(names)
	for seed := range uint64(20) {
		generator(seed).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		slices.SortFunc(shuffled, compareNumbered)
		if !slices.Equal(shuffled, names) {
			t.Fatalf("%q, want %q", shuffled, names)
		}
	}
}

// Where the numbers in the names say nothing, the shapes decide, or the key weights;
// the alphabet never does.
func TestAuditOfNamesWithEqualNumbers(t *testing.T) {
	dense := func(name string, out, in int) []safetensors.Tensor {
		v := make([]float64, out*in)
		rng := generator(uint64(len(name)*100 + out))
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		return []safetensors.Tensor{safetensors.F64(name+".weight", []int{out, in}, v)}
	}
	of := func(sizes []int, names ...string) []safetensors.Tensor {
		var list []safetensors.Tensor
		for i, name := range names {
			list = append(list, dense(name, sizes[i+1], sizes[i])...)
		}
		return list
	}
	square, falling := []int{6, 6, 6, 3}, []int{6, 5, 4, 3}
	layers := func(sizes []int) string {
		return fmt.Sprintf("layers: [linear: {out: %d, bias: false}, relu, linear: {out: %d, bias: false}, relu, linear: {out: %d, bias: false}]\n", sizes[1], sizes[2], sizes[3])
	}
	for _, c := range []struct {
		name, refusal, weights string
		tensors                []safetensors.Tensor
		sizes                  []int
	}{
		{"square", `such as ["block0.down" "block0.up"] and ["block0.up" "block0.down"]: say which`, "", of(square, "block0.up", "block0.down", "block1.out"), square},
		{"square, said", "", "weights: [block0.up, block0.down, block1]", of(square, "block0.up", "block0.down", "block1.out"), square},
		{"said in part", `are not the prefixes`, "weights: [block0.up, block1]", of(square, "block0.up", "block0.down", "block1.out"), square},
		{"falling", "", "", of(falling, "block0.up", "block0.down", "block1.out"), falling},
		{"falling, against the alphabet", "", "", of(falling, "block0.down", "block0.up", "block1.out"), falling},
		{"numbers over texts", "", "", of(square, "block0.up", "block1.down", "block2.a"), square},
		{"fewer numbers", `more than one order of the tensors fits`, "", of(square, "net.0.z", "net.0.body.0", "net.1"), square},
		{"fewer numbers that fit", "", "", of(falling, "net.0.z", "net.0.body.0", "net.0.body.1"), falling},
	} {
		o := auditFixture("fnn-tiny")
		o.Activation, o.Architecture = "", writeFile(t, "arch.yaml", []byte(layers(c.sizes)+c.weights))
		want := o
		o.Model = writeTensors(t, c.tensors)
		r, err := Audit(t.Context(), o)
		if c.refusal != "" {
			if err == nil || !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		plain := slices.Clone(c.tensors)
		for i := range plain {
			plain[i].Name = fmt.Sprintf("net.%d.weight", i)
		}
		want.Model, want.Architecture = writeTensors(t, plain), writeFile(t, "arch.yaml", []byte(layers(c.sizes)))
		if got, want := comparable(t, r), comparable(t, auditOf(t, want)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
	}
}

// Names of files end in any case of letters, and an architecture file may begin as
// YAML files do.
func TestAuditOfOtherSpellings(t *testing.T) {
	o := auditFixture("cnn-tiny")
	want := comparable(t, auditOf(t, o))
	o.Architecture = writeFile(t, "arch.yaml", []byte("# layers\n\n--- \r\n"+readFile(t, o.Architecture)))
	o.Model = writeFile(t, "MODEL.SAFETENSORS", []byte(readFile(t, o.Model)))
	o.Data = writeFile(t, "DATA.NPZ", []byte(readFile(t, o.Data)))
	r := auditOf(t, o)
	if got := comparable(t, r); got != want || !strings.HasPrefix(r.Data.Source, "DATA.NPZ, SHA-256") {
		t.Errorf("%s\nof other spellings, want\n%s", got, want)
	}
}

// An architecture without input sizes takes those of the data.
func TestAuditTakesTheShapeOfTheData(t *testing.T) {
	o := auditFixture("cnn-tiny")
	want := comparable(t, auditOf(t, o))
	text := readFile(t, o.Architecture)
	o.Architecture = writeFile(t, "arch.yaml", []byte(strings.Replace(text, "input: [2, 8, 8]", "weights: [features, classifier] # in this order", 1)))
	if got := comparable(t, auditOf(t, o)); got != want {
		t.Errorf("%s\nwith an input section %s", got, want)
	}
}
