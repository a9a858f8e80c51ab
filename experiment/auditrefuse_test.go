package experiment

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"sobolev/encoding/onnx"
	"sobolev/encoding/safetensors"
	"sobolev/rundir"
)

// Wrong files and options say what is wrong, where, and what would be right.
func TestAuditRefuses(t *testing.T) {
	tiny, cnn := readTensors(t, auditFixture("fnn-tiny").Model).Tensors, readTensors(t, auditFixture("cnn-tiny").Model).Tensors
	without := func(name string) []safetensors.Tensor {
		return slices.DeleteFunc(slices.Clone(tiny), func(s safetensors.Tensor) bool { return s.Name == name })
	}
	nan := slices.Clone(tiny)
	for i := range nan {
		if nan[i].Name == "net.2.bias" {
			nan[i] = safetensors.F64("net.2.bias", []int{7}, []float64{0, 0, 0, math.NaN(), 0, 0, 0})
		}
	}
	square := func(prefixes ...string) []safetensors.Tensor {
		var ts []safetensors.Tensor
		for _, p := range prefixes {
			ts = append(ts, safetensors.F64(p+".0.weight", []int{6, 6}, make([]float64, 36)), safetensors.F64(p+".0.bias", []int{6}, make([]float64, 6)))
		}
		return ts
	}
	yaml := func(text string) string { return writeFile(t, "arch.yaml", []byte(text)) }
	labels := writeNPZ(t, map[string]array{"x": {[]int{2, 4}, make([]float32, 8)}, "y": {[]int{2}, []int64{0, 1}}})
	sixes := writeNPZ(t, map[string]array{"x": {[]int{2, 6}, make([]float32, 12)}, "y": {[]int{2, 6}, make([]float32, 12)}})
	images := writeNPZ(t, map[string]array{"x": {[]int{2, 1, 2, 2}, make([]float32, 8)}, "y": {[]int{2, 2}, make([]float32, 4)}})
	padded := func(padding int) string {
		return writeONNX(t, &onnx.Network{Input: []int{1, 2, 2}, Layers: []onnx.Layer{
			{Kind: onnx.Conv, Out: 1, Kernel: 1, Stride: 1, Padding: padding, Weight: []float64{1}},
			{Kind: onnx.AvgPool, Kernel: 2 + 2*padding}, {Kind: onnx.Flatten}, {Kind: onnx.Linear, Out: 2, Weight: []float64{1, 2}}}})
	}
	for _, c := range []struct {
		name, fixture string
		change        func(*AuditOptions)
		key           string // of a *rundir.ValueError; "" for other errors
		want          []string
	}{
		{"missing tensor", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Architecture = "", yaml("layers: [linear: 8, relu, linear: 7, relu, linear: 3]")
			o.Model = writeTensors(t, without("net.2.bias"))
		}, "", []string{"tensor net.2.bias is missing", "linear: {out: 7, bias: false}"}},
		{"missing tensor of an architecture", "cnn-tiny", func(o *AuditOptions) {
			o.Model = writeTensors(t, slices.DeleteFunc(slices.Clone(cnn), func(s safetensors.Tensor) bool { return s.Name == "features.0.bias" }))
		}, "", []string{"tensor features.0.bias is missing", "layers[0]", "bias: false"}},
		{"wrong shape", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("input: [2, 8, 8]\nlayers: [conv: {out: 3, kernel: 3, padding: 1}, relu, maxpool: 2, conv: {out: 4, kernel: 3, padding: 1}, relu, maxpool: 2, flatten, linear: 6, relu, linear: 2]\nweights: [features, classifier]")
		}, "", []string{"tensor classifier.0.weight has shape [5 16]: layers[7] needs [6 16]", "the architecture:"}},
		{"too few tensors", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Architecture = "", yaml("layers: [linear: 8, relu, linear: 7, relu, linear: 3, relu, linear: 3]")
		}, "", []string{"no tensors are left for layers[6]"}},
		{"too many tensors", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Architecture = "", yaml("layers: [linear: 8, relu, linear: 7]")
		}, "", []string{"tensors net.4 are left over"}},
		{"two orders", "fnn-tiny", func(o *AuditOptions) { o.Data, o.Model = sixes, writeTensors(t, square("a", "b")) }, "", []string{"more than one order", `["a" "b"]`, "key weights"}},
		{"weights without a prefix", "fnn-tiny", func(o *AuditOptions) {
			o.Data, o.Model, o.Activation = sixes, writeTensors(t, square("a", "b")), ""
			o.Architecture = yaml("layers: [linear: 6, relu, linear: 6]\nweights: [a, c]")
		}, "arch", []string{`"a" "c"`, `"a" "b"`}},
		{"not a number", "fnn-tiny", func(o *AuditOptions) { o.Model = writeTensors(t, nan) }, "", []string{"net.2.bias", "NaN", "position 3"}},
		{"foreign tensor", "fnn-tiny", func(o *AuditOptions) {
			o.Model = writeTensors(t, append(slices.Clone(tiny), safetensors.F64("lstm.weight_ih", []int{1}, []float64{1})))
		}, "", []string{"lstm.weight_ih", "belongs to no layer"}},
		{"a name with an escape", "fnn-tiny", func(o *AuditOptions) {
			o.Model = writeTensors(t, []safetensors.Tensor{safetensors.F64("\x1b[31mred.foo", []int{1}, []float64{1})})
		}, "", []string{`tensor "\x1b[31mred.foo" belongs to no layer`}},
		{"a layer with an escape", "fnn-tiny", func(o *AuditOptions) {
			o.Model = writeTensors(t, []safetensors.Tensor{safetensors.F64("\x1b[31mred.weight", []int{1, 5}, make([]float64, 5))})
		}, "", []string{`tensor "\x1b[31mred.weight" has shape [1 5]`}},
		{"a long name", "fnn-tiny", func(o *AuditOptions) {
			o.Model = writeTensors(t, []safetensors.Tensor{safetensors.F64(strings.Repeat("a", 1000)+".foo", []int{1}, []float64{1})})
		}, "", []string{`tensor "` + strings.Repeat("a", 80) + `" belongs`}},
		{"the order that got furthest", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Architecture = "", yaml("layers: [linear: 8, relu, linear: 7, relu, linear: 4]")
			renamed := slices.Clone(tiny)
			for i := range renamed {
				renamed[i].Name = strings.ReplaceAll(renamed[i].Name, "net.4", "last")
			}
			o.Model = writeTensors(t, renamed)
		}, "", []string{`no order of the prefixes ["last" "net"] fits`, "tensor last.weight has shape [3 7]: layers[4] needs [4 7]", "the file:\n  net.0:"}},
		{"unknown key", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("input: [2, 8, 8]\nlayers:\n  - conv: {out: 3, kernal: 3}\n")
		}, "arch", []string{"arch.yaml:3:20", "kernal"}},
		{"unknown section", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("# a comment\n---\ninput: [2, 8, 8]\nlayer: [linear: 3]\n")
		}, "arch", []string{`arch.yaml:4:1: unknown key "layer"; the keys here are input, layers, weights, frozen`}},
		{"weights twice", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("layers: [flatten, linear: 3]\nweights:\n- a\nweights: [b]\n")
		}, "arch", []string{"arch.yaml:4:1: weights: is there twice"}},
		{"wrong value", "cnn-tiny", func(o *AuditOptions) {
			o.Architecture = yaml("input: [2, 8, 8]\nweights:\n- a\n- b\nlayers:\n- flatten\n- linear: 0\n")
		}, "arch", []string{"arch.yaml:7:", "layers[1].linear: 0 is below 1"}},
		{"no activation", "fnn-tiny", func(o *AuditOptions) { o.Activation = "" }, "activation", []string{"missing"}},
		{"two activations", "cnn-tiny", func(o *AuditOptions) { o.Activation = "relu" }, "activation", []string{"architecture file"}},
		{"labels of one output", "fnn-scalar", func(o *AuditOptions) { o.Data = labels }, "", []string{"class labels", "one output"}},
		{"other inputs", "fnn-tiny", func(o *AuditOptions) { o.Data = labels }, "", []string{"net.0.weight has shape [8 6], but gets 4 inputs"}},
		{"large batch", "fnn-tiny", func(o *AuditOptions) { o.BatchSize = 11 }, "batch", []string{"11 is above 10"}},
		{"no rate", "fnn-tiny", func(o *AuditOptions) { o.LearningRate = math.NaN() }, "lr", []string{"not a positive number"}},
		{"order 17", "fnn-tiny", func(o *AuditOptions) { o.Orders = []int{17} }, "orders", []string{"17 is above 16"}},
		{"unknown loss", "fnn-tiny", func(o *AuditOptions) { o.Loss = "hinge" }, "loss", []string{`"hinge"`, "mse", "cross-entropy"}},
		{"no classes", "fnn-tiny", func(o *AuditOptions) { o.Loss = "cross-entropy" }, "", []string{"fnn-tiny.npz", "target of sample 0", "cross-entropy needs classes"}},
		{"one logit", "fnn-scalar", func(o *AuditOptions) { o.Loss = "cross-entropy" }, "", []string{"fnn-scalar.npz", "two outputs"}},
		{"unknown sampling", "fnn-tiny", func(o *AuditOptions) { o.Sampling = "shuffle" }, "sampling", []string{"epochs"}},
		{"constants without balls", "fnn-tiny", func(o *AuditOptions) { o.TargetBound = 1 }, "radius", []string{"--target-bound"}},
		{"unknown data", "fnn-tiny", func(o *AuditOptions) { o.Data = "mnist" }, "data", []string{`"mnist" is not known`}},
		{"unknown class", "fnn-tiny", func(o *AuditOptions) { o.Data = "fashion-mnist-mini:0,7" }, "data", []string{"no class 7"}},
		{"a class twice", "fnn-tiny", func(o *AuditOptions) { o.Data = "fashion-mnist-mini:3,3" }, "data", []string{"class 3 is listed twice"}},
		{"an empty folder", "fnn-tiny", func(o *AuditOptions) { o.Data = t.TempDir() }, "", []string{"cifar-10", "not found"}},
		{"several means", "fnn-tiny", func(o *AuditOptions) { o.Mean, o.Std = []float64{1, 2}, []float64{1, 1} }, "normalize", []string{"2 values"}},
		{"little memory", "fnn-tiny", func(o *AuditOptions) { o.Memory = 600 }, "memory", []string{"limit"}},
		{"an absurd padding", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Data, o.Memory = "", images, 64<<20
			o.Model = padded(10000)
		}, "memory", []string{"one sample", "model.onnx"}},
		{"images too large for a block of samples", "fnn-tiny", func(o *AuditOptions) {
			o.Activation, o.Data, o.Memory = "", images, 32<<20
			o.Model = padded(150)
		}, "memory", []string{"blocks of samples", "model.onnx"}},
		{"data larger than the memory", "fnn-tiny", func(o *AuditOptions) {
			o.Memory = 1 << 20
			o.Data = writeNPZ(t, map[string]array{"x": {[]int{1 << 16, 6}, make([]float32, 6<<16)}, "y": {[]int{1 << 16, 3}, make([]float32, 3<<16)}})
		}, "memory", []string{".npz", "2.36 MB", "1.05 MB"}},
		{"images larger than the memory", "fnn-tiny", func(o *AuditOptions) { o.Memory, o.Data = 1<<20, "fashion-mnist-mini" }, "memory", []string{"fashion-mnist-mini"}},
		{"unknown operator", "fnn-tiny", func(o *AuditOptions) {
			graph := readFile(t, writeONNX(t, layersAndWeights(t, "fnn-tiny")))
			o.Activation, o.Model = "", writeFile(t, "model.onnx", []byte(strings.ReplaceAll(graph, "Relu", "Celu")))
		}, "", []string{"model.onnx", "Celu"}},
		{"no such model", "fnn-tiny", func(o *AuditOptions) { o.Model = "nowhere.safetensors" }, "", []string{"nowhere.safetensors"}},
		{"no such data", "fnn-tiny", func(o *AuditOptions) { o.Data = "nowhere.npz" }, "", []string{"nowhere.npz"}},
		{"no such architecture", "cnn-tiny", func(o *AuditOptions) { o.Architecture = "nowhere.yaml" }, "", []string{"nowhere.yaml"}},
		{"test set of another shape", "fnn-tiny", func(o *AuditOptions) { o.Test = labels }, "", []string{"shape [4]", "takes [6]"}},
		{"an output behind an activation", "fnn-tiny", func(o *AuditOptions) {
			o.Activation = ""
			n := layersAndWeights(t, "fnn-tiny")
			n.Layers = append(n.Layers, onnx.Layer{Kind: onnx.Activate, Activation: onnx.Sigmoid})
			o.Model = writeONNX(t, n)
		}, "", []string{"model.onnx: the network ends in", "(sigmoid)", "dense layer"}},
		{"a large batch of a subset", "fnn-tiny", func(o *AuditOptions) { o.BatchSize, o.Limit = 4, 3 }, "batch", []string{"4 is above 3", "--limit"}},
		{"ends in neither", "fnn-tiny", func(o *AuditOptions) { o.Model = "model.pt" }, "MODEL", []string{"model.pt", ".onnx"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := auditFixture(c.fixture)
			c.change(&o)
			_, err := Audit(t.Context(), o)
			if err == nil {
				t.Fatal("no error")
			}
			var v *rundir.ValueError
			key := ""
			if errors.As(err, &v) {
				key = v.Key
			}
			if key != c.key {
				t.Errorf("key %q, want %q: %v", key, c.key, err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
		})
	}
}

// A truncated file, whatever is left of it, is an error that names it.
func TestAuditOfTruncatedFiles(t *testing.T) {
	model := []byte(readFile(t, auditFixture("fnn-tiny").Model))
	graph := []byte(readFile(t, writeONNX(t, layersAndWeights(t, "fnn-tiny"))))
	data := []byte(readFile(t, auditFixture("fnn-tiny").Data))
	for share := range 8 {
		for _, c := range []struct {
			name string
			text []byte
			set  func(o *AuditOptions, path string)
		}{
			{"cut.safetensors", model, func(o *AuditOptions, path string) { o.Model = path }},
			{"cut.onnx", graph, func(o *AuditOptions, path string) { o.Model, o.Activation = path, "" }},
			{"cut.npz", data, func(o *AuditOptions, path string) { o.Data = path }},
		} {
			o := auditFixture("fnn-tiny")
			c.set(&o, writeFile(t, c.name, c.text[:len(c.text)*share/8]))
			if _, err := Audit(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.name) {
				t.Errorf("%d/8 of %s: %v", share, c.name, err)
			}
		}
	}
}
