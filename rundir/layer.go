package rundir

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Layer is one entry of a list of layers. In YAML it is its kind alone, or its
// kind with a size:
//
//   - conv: {out: 16, kernel: 3, padding: 1, stride: 1}
//   - relu
//   - maxpool: 2
//   - flatten
//   - linear: 10
//
// Whether the shapes of a list fit together is for those to say who know the
// shape of the data.
type Layer struct {
	// Kind is "conv", "maxpool", "avgpool", "linear", "flatten", or an activation:
	// "relu", "tanh", "gelu", "softplus", "sigmoid".
	Kind string `json:"kind"`
	// Size is the number of outputs of linear, and the window and stride of
	// maxpool and avgpool; 0 for other kinds.
	Size int `json:"size,omitzero"`
	// Conv is zero for other kinds.
	Conv Conv `json:"conv,omitzero"`
}

// Conv is a convolution by square kernels on zero-padded images, as torch's
// Conv2d with a bias: Out channels, Kernel×Kernel.
type Conv struct {
	Out     int `yaml:"out" json:"out"`
	Kernel  int `yaml:"kernel" json:"kernel"`
	Padding int `yaml:"padding" json:"padding"` // default 0
	Stride  int `yaml:"stride" json:"stride"`   // default 1
}

const convKind = "conv"

var (
	bareKinds  = []string{"relu", "tanh", "gelu", "softplus", "sigmoid", "flatten"}
	sizedKinds = []string{"maxpool", "avgpool", "linear"}
	// layerForms shows how every kind is written.
	layerForms = "conv: {out: 16, kernel: 3, padding: 1, stride: 1}, maxpool: 2, avgpool: 2, linear: 10, " + strings.Join(bareKinds, ", ")
)

// String is the entry as it is written in YAML.
func (l Layer) String() string {
	switch {
	case l.Kind == convKind:
		return fmt.Sprintf("conv: {out: %d, kernel: %d, padding: %d, stride: %d}", l.Conv.Out, l.Conv.Kernel, l.Conv.Padding, l.Conv.Stride)
	case slices.Contains(sizedKinds, l.Kind):
		return fmt.Sprintf("%s: %d", l.Kind, l.Size)
	}
	return l.Kind
}

// MarshalYAML returns the form that is read.
func (l Layer) MarshalYAML() (any, error) {
	switch {
	case l.Kind == convKind:
		return struct {
			Conv Conv `yaml:"conv,flow"`
		}{l.Conv}, nil
	case slices.Contains(sizedKinds, l.Kind):
		return yaml.MapSlice{{Key: l.Kind, Value: l.Size}}, nil
	}
	return l.Kind, nil
}

// decodeLayers reads a list of layers. Its errors name the entry, counted from 0
// as in the names of parameters: net.3.weight belongs to layers[3].
func decodeLayers(n ast.Node) ([]Layer, error) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, wrong(n, "want a list of layers, with entries such as %s; not %s", layerForms, found(n))
	}
	layers := make([]Layer, len(s.Values))
	for i, e := range s.Values {
		var err error
		if layers[i], err = decodeLayer(e); err != nil {
			var at *yaml.SyntaxError
			if errors.As(err, &at) {
				at.Message = fmt.Sprintf("layers[%d]: %s", i, at.Message)
			}
			return nil, err
		}
	}
	return layers, nil
}

func decodeLayer(n ast.Node) (Layer, error) {
	if m, ok := n.(ast.MapNode); ok {
		return decodeSizedLayer(n, m)
	}
	kind, _, ok := scalar(n)
	switch {
	case !ok:
		return Layer{}, wrong(n, "%s is no layer; want one of %s", found(n), layerForms)
	case slices.Contains(bareKinds, kind):
		return Layer{Kind: kind}, nil
	case kind == convKind:
		return Layer{}, wrong(n, "conv needs its sizes: conv: {out: 16, kernel: 3, padding: 1, stride: 1}")
	case slices.Contains(sizedKinds, kind):
		return Layer{}, wrong(n, "%s needs its size: %s", kind, Layer{Kind: kind, Size: exampleSize(kind)})
	}
	return Layer{}, wrong(n, "%q is no layer; want one of %s", kind, layerForms)
}

func exampleSize(kind string) int {
	if kind == "linear" {
		return 10
	}
	return 2
}

// decodeSizedLayer reads "kind: size".
func decodeSizedLayer(n ast.Node, m ast.MapNode) (Layer, error) {
	var l Layer
	var value ast.Node
	for it := m.MapRange(); it.Next(); {
		if value != nil {
			return l, wrong(it.Key(), "a second layer in one entry; begin it with a '-' of its own, and write the sizes of conv in braces")
		}
		l.Kind, value = it.Key().GetToken().Value, it.Value()
		switch {
		case slices.Contains(bareKinds, l.Kind):
			return l, wrong(it.Key(), "%s takes no value; write %s alone", l.Kind, l.Kind)
		case l.Kind != convKind && !slices.Contains(sizedKinds, l.Kind):
			return l, wrong(it.Key(), "%q is no layer; want one of %s", l.Kind, layerForms)
		}
	}
	target := reflect.ValueOf(&l.Size)
	if l.Kind == convKind {
		l.Conv.Stride = 1
		target = reflect.ValueOf(&l.Conv)
	}
	switch {
	case value == nil:
		return l, wrong(n, "{} is no layer; want one of %s", layerForms)
	case value.Type() == ast.NullType:
		return l, wrong(value, "%s needs a value: %s", l.Kind, Layer{Kind: l.Kind, Size: exampleSize(l.Kind), Conv: Conv{16, 3, 1, 1}})
	}
	if err := decode(value, target.Elem()); err != nil {
		var at *yaml.SyntaxError
		if errors.As(err, &at) {
			at.Message = l.Kind + ": " + at.Message
		}
		return l, err
	}
	return l, nil
}

// check returns a *ValueError for a layer that no network could have; key is
// that of the entry.
func (l Layer) check(key string) error {
	key += "." + l.Kind
	if slices.Contains(sizedKinds, l.Kind) {
		return one(key, l.Size, atLeast(1))
	}
	if l.Kind != convKind {
		return one(key, l.Kind, among(bareKinds...))
	}
	for _, err := range []error{
		one(key+".out", l.Conv.Out, size("the number of channels that come out")),
		one(key+".kernel", l.Conv.Kernel, size("the side of the square kernel")),
		one(key+".padding", l.Conv.Padding, atLeast(0)),
		one(key+".stride", l.Conv.Stride, atLeast(1)),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// size is atLeast(1) for a value without a default.
func size(what string) rule[int] {
	return func(v int) string {
		if v == 0 {
			return "missing or 0; give " + what
		}
		return atLeast(1)(v)
	}
}

// check returns a *ValueError for a model that no data could be given to.
func (m Model) check() error {
	if m.Kind != "layers" {
		return m.checkFNN()
	}
	switch {
	case len(m.Layers) == 0:
		return &ValueError{"model.layers", "missing or empty; give a list such as [flatten, linear: 100, relu, linear: 10]"}
	case len(m.Hidden) > 0:
		return &ValueError{"model.hidden", "belongs to kind: fnn; write linear: N entries in model.layers"}
	case m.Activation != "":
		return &ValueError{"model.activation", "belongs to kind: fnn; write activations as entries of model.layers"}
	case len(m.Input) != 0 && len(m.Input) != 1 && len(m.Input) != 3:
		return &ValueError{"model.input", fmt.Sprintf("has %d sizes; give [inputs], or [channels, height, width], or leave it out for the shape of the data", len(m.Input))}
	}
	if err := list("model.input", m.Input, atLeast(1)); err != nil {
		return err
	}
	for i, l := range m.Layers {
		if err := l.check(fmt.Sprintf("model.layers[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (m Model) checkFNN() error {
	switch {
	case len(m.Layers) > 0:
		return &ValueError{"model.layers", "belongs to kind: layers; set model.kind"}
	case len(m.Input) > 0:
		return &ValueError{"model.input", "belongs to kind: layers; the inputs of fnn are those of the data"}
	}
	if err := list("model.hidden", m.Hidden, atLeast(1)); err != nil {
		return err
	}
	return one("model.activation", m.Activation, among("relu", "tanh", "gelu", "softplus", "identity"))
}
