package rundir

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// layered is the architecture of the design document, with every kind of layer.
const layered = `name: good
dataset: {name: d}
model:
  kind: layers
  input: [2, 8, 8]
  layers:
    - conv: {out: 3, kernel: 3, padding: 1, stride: 1}
    - relu
    - maxpool: 2
    - conv:
        out: 4
        kernel: 1
    - tanh
    - avgpool: 2
    - gelu
    - flatten
    - linear: 5
    - softplus
    - linear: 4
    - sigmoid
    - linear: 2
sgd: {iterations: 1e3}
grid: {learning_rate: [0.1], batch_size: [3]}
`

func TestLayersAreRead(t *testing.T) {
	c := resolved(t, layered)
	want := Model{
		Kind: "layers", Hidden: []int{}, Init: "pytorch", Input: []int{2, 8, 8},
		Layers: []Layer{
			{Kind: "conv", Conv: Conv{Out: 3, Kernel: 3, Padding: 1, Stride: 1}}, {Kind: "relu"}, {Kind: "maxpool", Size: 2},
			{Kind: "conv", Conv: Conv{Out: 4, Kernel: 1, Stride: 1}}, {Kind: "tanh"}, {Kind: "avgpool", Size: 2}, {Kind: "gelu"}, {Kind: "flatten"},
			{Kind: "linear", Size: 5}, {Kind: "softplus"}, {Kind: "linear", Size: 4}, {Kind: "sigmoid"}, {Kind: "linear", Size: 2},
		},
	}
	if diff := cmp.Diff(want, c.Model); diff != "" {
		t.Error(diff)
	}
	roundTrip(t, c)
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"  input: [2, 8, 8]\n", "  - conv: {out: 4, kernel: 1, padding: 0, stride: 1}\n", "  - relu\n", "  - maxpool: 2\n"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	var p Point
	if err := json.Unmarshal([]byte(asJSON(c.Points()[0])), &p); err != nil || p.Hash() != c.Points()[0].Hash() {
		t.Errorf("another hash after JSON: %v", err)
	}
	inOneLine := resolved(t, good, "model={kind: layers, hidden: []}", "model.layers=[conv: {out: 16, kernel: 3}, relu, maxpool: 2, flatten, linear: 2]")
	if n := len(inOneLine.Model.Layers); n != 5 || inOneLine.Model.Layers[0].Conv.Stride != 1 || inOneLine.Model.Input != nil {
		t.Errorf("%+v", inOneLine.Model)
	}
}

// Names are folders on users' disks from now on.
func TestNamesOfLayersStay(t *testing.T) {
	for _, c := range []struct {
		text, want string
	}{
		{layered, "lr=0.1,batch=3,rep=1-47e8d1bef46d"},
		{strings.Replace(layered, "sgd: {", "sgd: {momentum: 0.9, nesterov: true, weight_decay: 1e-4, ", 1), "lr=0.1,batch=3,rep=1-b22396ecd9e1"},
	} {
		if got := resolved(t, c.text).Points()[0].Name(); got != c.want {
			t.Errorf("name %s, want %s", got, c.want)
		}
	}
}

// residual is a list with every form that the layers of residual networks have.
const residual = `name: good
dataset: {name: d}
model:
  kind: layers
  frozen: 1
  layers:
    - conv: {out: 4, kernel: 3, padding: 1, bias: false}
    - batchnorm
    - relu
    - residual:
        stride: 2
        body:
          - conv: {out: 8, kernel: 3, padding: 1, stride: 2, bias: true}
          - residual: {body: [relu]}
    - flatten
    - linear: {out: 3, bias: false}
    - linear: {out: 2, bias: true}
sgd: {iterations: 1e3}
grid: {learning_rate: [0.1], batch_size: [3]}
`

func TestResidualBlocksAreRead(t *testing.T) {
	c := resolved(t, residual)
	want := []Layer{
		{Kind: "conv", Conv: Conv{Out: 4, Kernel: 3, Padding: 1, Stride: 1, Bias: new(bool)}}, {Kind: "batchnorm"}, {Kind: "relu"},
		{Kind: "residual", Residual: Residual{Stride: 2, Body: []Layer{
			{Kind: "conv", Conv: Conv{Out: 8, Kernel: 3, Padding: 1, Stride: 2}},
			{Kind: "residual", Residual: Residual{Stride: 1, Body: []Layer{{Kind: "relu"}}}},
		}}},
		{Kind: "flatten"}, {Kind: "linear", Size: 3, Bias: new(bool)}, {Kind: "linear", Size: 2},
	}
	if diff := cmp.Diff(want, c.Model.Layers); diff != "" {
		t.Error(diff)
	}
	roundTrip(t, c)
	if got, want := c.Model.Layers[3].String(), "residual: {stride: 2, body: [conv: {out: 8, kernel: 3, padding: 1, stride: 2}, residual: {stride: 1, body: [relu]}]}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	resnet := resolved(t, strings.Replace(good, "model:", "model: {kind: resnet, depth: 14, width: 8}\n#", 1))
	if m := resnet.Model; m.Depth != 14 || m.Width != 8 {
		t.Errorf("%+v", m)
	}
	roundTrip(t, resnet)
}

func TestModelErrors(t *testing.T) {
	for _, c := range []struct{ model, want string }{
		{"{kind: resnet, depth: 9, width: 8}", "model.depth: 9 is not of the form 6m+2: 8, 14, 20, …"},
		{"{kind: resnet, depth: 2, width: 8}", "model.depth: 2 is not of the form 6m+2"},
		{"{kind: resnet, depth: 8}", "model.width: missing or 0; give the number of channels"},
		{"{kind: resnet, depth: 8, width: 4, hidden: [3]}", "model.hidden: belongs to kind: fnn"},
		{"{kind: resnet, depth: 8, width: 4, frozen: 1}", "model.frozen: belongs to kind: layers"},
		{"{hidden: [3], depth: 8}", "model.depth: belongs to kind: resnet"},
		{"{hidden: [3], frozen: 2}", "model.frozen: 2 leaves no layer to train; at most 1"},
		{"{hidden: [3], frozen: -1}", "model.frozen: -1 is below 0"},
		{"{kind: layers, frozen: 2, layers: [linear: 3, relu, linear: 2]}", "model.frozen: 2 leaves no layer to train; at most 1"},
	} {
		_, err := Source{Name: "f.yaml", Text: []byte("dataset: {name: d}\nsgd: {iterations: 9}\ngrid: {learning_rate: [1], batch_size: [3]}\nmodel: " + c.model + "\n")}.Config()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.model, err, c.want)
		}
	}
}

func TestLayerErrors(t *testing.T) {
	const head = "model:\n  kind: layers\n  layers:\n    - relu\n    - "
	for _, c := range []struct{ entry, want string }{
		{"rleu", `f.yaml:5:7: layers[1]: "rleu" is no layer; want one of conv: {out: 16, kernel: 3, padding: 1, stride: 1}, residual: {stride: 1,`},
		{"3", `f.yaml:5:7: layers[1]: "3" is no layer; want one of conv`},
		{"[relu]", "f.yaml:5:7: layers[1]: a list is no layer; want one of"},
		{"null", "f.yaml:5:7: layers[1]: this is no layer; want one of"},
		{"{}", "f.yaml:5:7: layers[1]: {} is no layer; want one of"},
		{"*a", "f.yaml:5:7: layers[1]: this is no layer"},
		{"conv", "f.yaml:5:7: layers[1]: conv needs its sizes: conv: {out: 16, kernel: 3, padding: 1, stride: 1}"},
		{"linear", "f.yaml:5:7: layers[1]: linear needs its size: linear: 10"},
		{"maxpool:", "f.yaml:5:15: layers[1]: maxpool needs a value: maxpool: 2"},
		{"conv:", "f.yaml:5:12: layers[1]: conv needs a value: conv: {out: 16, kernel: 3, padding: 1, stride: 1}"},
		{"relu: 2", "f.yaml:5:7: layers[1]: relu takes no value; write relu alone"},
		{"flatten:", "f.yaml:5:7: layers[1]: flatten takes no value; write flatten alone"},
		{"dropout: 0.5", `f.yaml:5:7: layers[1]: "dropout" is no layer; want one of conv`},
		{"maxpool: {kernel: 2}", "f.yaml:5:16: layers[1]: maxpool: want a whole number, not keys and values"},
		{"linear: 2.5", `f.yaml:5:15: layers[1]: linear: want a whole number, not "2.5"`},
		{"conv: 16", `f.yaml:5:13: layers[1]: conv: want keys and values (out, kernel, padding, stride, bias), not "16"`},
		{"conv: {out: 3, size: 3}", `f.yaml:5:22: layers[1]: conv: unknown key "size"; the keys here are out, kernel, padding, stride, bias`},
		{"conv: {out: x, kernel: 3}", `f.yaml:5:19: layers[1]: conv: want a whole number, not "x"`},
		{"conv:\n      out: 3\n      kernel: 3", "f.yaml:6:7: layers[1]: a second layer in one entry; begin it with a '-'"},
		{"{maxpool: 2, linear: 3}", "f.yaml:5:20: layers[1]: a second layer in one entry"},

		{"residual", "f.yaml:5:7: layers[1]: residual needs its body: residual: {stride: 1, body: [conv"},
		{"residual:", "f.yaml:5:16: layers[1]: residual needs a value: residual: {stride: 1, body: [conv"},
		{"residual: {body: [relu, x]}", `f.yaml:5:31: layers[1]: residual: layers[1]: "x" is no layer`},
		{"conv: {out: 3, kernel: 3, bias: 1}", `f.yaml:5:39: layers[1]: conv: want true or false, not "1"`},
		{"batchnorm: 3", "f.yaml:5:7: layers[1]: batchnorm takes no value"},

		{"residual: {stride: -1, body: [relu]}", "f.yaml:5:26: model.layers[1].residual.stride: -1 is below 1"},
		{"residual: {stride: 2}", "f.yaml:5:17: model.layers[1].residual.body: missing or empty; give a list of layers"},
		{"residual: {body: [relu, maxpool: 0]}", "f.yaml:5:40: model.layers[1].residual.body[1].maxpool: 0 is below 1"},
		{"maxpool: 0", "f.yaml:5:16: model.layers[1].maxpool: 0 is below 1"},
		{"linear: -3", "f.yaml:5:15: model.layers[1].linear: -3 is below 1"},
		{"conv: {out: 3}", "f.yaml:5:13: model.layers[1].conv.kernel: missing or 0; give the side of the square kernel"},
		{"conv: {kernel: 3}", "f.yaml:5:13: model.layers[1].conv.out: missing or 0; give the number of channels that come out"},
		{"conv: {out: 3, kernel: -1}", "f.yaml:5:30: model.layers[1].conv.kernel: -1 is below 1"},
		{"conv: {out: 3, kernel: 3, padding: -1}", "f.yaml:5:42: model.layers[1].conv.padding: -1 is below 0"},
		{"conv: {out: 3, kernel: 3, stride: -1}", "f.yaml:5:41: model.layers[1].conv.stride: -1 is below 1"},
	} {
		text := head + c.entry + "\ndataset: {name: d}\n"
		_, err := Source{Name: "f.yaml", Text: []byte(text)}.Config()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %.300v, want %s", c.entry, err, c.want)
		}
	}
	for _, c := range []struct{ from, to, want string }{
		{"[2, 8, 8]", "[2, 8]", "f.yaml:5:10: model.input: has 2 sizes; give [inputs], or [channels, height, width]"},
		{"[2, 8, 8]", "[2, 0, 8]", "f.yaml:5:14: model.input[1]: 0 is below 1"},
		{"kind: layers", "kind: fnn", "f.yaml:7:5: model.layers: belongs to kind: layers; set model.kind"},
		{"kind: layers", "kind: cnn", `f.yaml:4:9: model.kind: "cnn" is not known; one of ["fnn" "layers" "resnet"]`},
		{"kind: layers", "kind: layers\n  hidden: [3]", "f.yaml:5:11: model.hidden: belongs to kind: fnn; write linear: N entries"},
		{"kind: layers", "kind: layers\n  activation: relu", "f.yaml:5:15: model.activation: belongs to kind: fnn"},
	} {
		_, err := Source{Name: "f.yaml", Text: []byte(strings.Replace(layered, c.from, c.to, 1))}.Config()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %.300v, want %s", c.to, err, c.want)
		}
	}
	for _, c := range []struct{ set, want string }{
		{"model.layers=[]", "model.layers: missing or empty; give a list such as [flatten, linear: 100, relu, linear: 10]"},
		{"model.layers=relu", `want a list of layers, with entries such as conv: {out: 16, kernel: 3, padding: 1, stride: 1}, residual: {stride: 1, body: [conv: {out: 16, kernel: 3, padding: 1, stride: 1}]}, maxpool: 2, avgpool: 2, linear: 10, relu, tanh, gelu, softplus, sigmoid, flatten, batchnorm; not "relu"`},
		{"model.layers=[relu, x]", `layers[1]: "x" is no layer`},
		{"model.kind=fnn", "model.layers: belongs to kind: layers"},
	} {
		_, err := Source{Name: "f.yaml", Text: []byte(layered), Set: []string{c.set}}.Config()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.set, err, c.want)
		}
	}
}

func TestResolveLeavesLayers(t *testing.T) {
	c := resolved(t, layered)
	c.Model.Layers[0].Conv.Stride = 0
	r, err := c.Resolve()
	if err != nil || r.Model.Layers[0].Conv.Stride != 1 || c.Model.Layers[0].Conv.Stride != 0 {
		t.Errorf("stride %d, in the argument %d; %v", r.Model.Layers[0].Conv.Stride, c.Model.Layers[0].Conv.Stride, err)
	}
}

func TestDifferenceNamesTheLayer(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"    - tanh\n", "    - sigmoid\n", "model.layers[4] is tanh there and sigmoid here"},
		{"stride: 1", "stride: 2", "model.layers[0] is conv: {out: 3, kernel: 3, padding: 1, stride: 1} there and conv: {out: 3, kernel: 3, padding: 1, stride: 2} here"},
		{"    - linear: 2\n", "", "model.layers[12] is linear: 2 there and missing here"},
		{"    - linear: 2\n", "    - linear: 2\n    - relu\n", "model.layers[13] is missing there and relu here"},
		{"  input: [2, 8, 8]\n", "", "model.input is [2,8,8] there and empty here"},
	} {
		if got := difference(resolved(t, layered), resolved(t, strings.Replace(layered, c.from, c.to, 1))); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// drawLayer draws a layer that Resolve leaves as it is.
func drawLayer(t *rapid.T) Layer {
	positive := rapid.IntRange(1, 1<<62)
	switch kind := rapid.SampledFrom(slices.Concat(bareKinds, sizedKinds, []string{convKind, residualKind})).Draw(t, "kind"); {
	case kind == convKind:
		l := Layer{Kind: kind, Conv: Conv{positive.Draw(t, "out"), positive.Draw(t, "kernel"), positive.Draw(t, "padding") - 1, positive.Draw(t, "stride"), nil}}
		if rapid.Bool().Draw(t, "without bias") {
			l.Conv.Bias = new(bool)
		}
		return l
	case kind == residualKind:
		return Layer{Kind: kind, Residual: Residual{positive.Draw(t, "stride"), rapid.SliceOfN(rapid.Custom(drawLayer), 1, 2).Draw(t, "body")}}
	case slices.Contains(sizedKinds, kind):
		return Layer{Kind: kind, Size: positive.Draw(t, "size")}
	default:
		return Layer{Kind: kind}
	}
}
