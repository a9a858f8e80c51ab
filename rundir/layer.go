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
//   - linear: {out: 10, bias: false}
//
// Whether the shapes of a list fit together is for those to say who know the
// shape of the data.
type Layer struct {
	// Kind is "conv", "maxpool", "avgpool", "linear", "flatten", "batchnorm",
	// "residual", or an activation: "relu", "tanh", "gelu", "softplus", "sigmoid".
	Kind string `json:"kind"`
	// Size is the number of outputs of linear, and the window and stride of
	// maxpool and avgpool; 0 for other kinds.
	Size int `json:"size,omitzero"`
	// Bias is that of linear: nil for the default, true.
	Bias *bool `json:"bias,omitempty"`
	// Conv and Residual are zero for other kinds.
	Conv     Conv     `json:"conv,omitzero"`
	Residual Residual `json:"residual,omitzero"`
}

// Conv is a convolution by square kernels on zero-padded images, as torch's
// Conv2d: Out channels, Kernel×Kernel.
type Conv struct {
	Out     int `yaml:"out" json:"out"`
	Kernel  int `yaml:"kernel" json:"kernel"`
	Padding int `yaml:"padding" json:"padding"` // default 0
	Stride  int `yaml:"stride" json:"stride"`   // default 1
	// Bias is nil for the default, true.
	Bias *bool `yaml:"bias,omitempty" json:"bias,omitempty"`
}

// linear is the long form of a dense layer.
type linear struct {
	Out  int   `yaml:"out"`
	Bias *bool `yaml:"bias,omitempty"`
}

// Residual is a block y = body(x) + x with every Stride-th pixel of x, and zero
// channels where the body makes more of them (shortcut A of He et al., 2016).
type Residual struct {
	Stride int     `yaml:"stride" json:"stride"` // default 1
	Body   []Layer `yaml:"body" json:"body"`
}

const (
	convKind     = "conv"
	residualKind = "residual"
)

var (
	bareKinds  = []string{"relu", "tanh", "gelu", "softplus", "sigmoid", "flatten", "batchnorm"}
	sizedKinds = []string{"maxpool", "avgpool", "linear"}
	// layerForms shows how every kind is written.
	layerForms = convForm + ", " + residualForm + ", maxpool: 2, avgpool: 2, linear: 10, " + strings.Join(bareKinds, ", ")
)

const (
	convForm     = "conv: {out: 16, kernel: 3, padding: 1, stride: 1}"
	residualForm = "residual: {stride: 1, body: [" + convForm + "]}"
)

// form shows how a kind that takes a value is written.
func form(kind string) string {
	switch kind {
	case convKind:
		return convForm
	case residualKind:
		return residualForm
	case "linear":
		return "linear: 10"
	}
	return kind + ": 2"
}

// String is the entry as it is written in YAML.
func (l Layer) String() string {
	switch {
	case l.Kind == convKind:
		bias := ""
		if l.Conv.Bias != nil {
			bias = fmt.Sprintf(", bias: %v", *l.Conv.Bias)
		}
		return fmt.Sprintf("conv: {out: %d, kernel: %d, padding: %d, stride: %d%s}", l.Conv.Out, l.Conv.Kernel, l.Conv.Padding, l.Conv.Stride, bias)
	case l.Kind == residualKind:
		body := make([]string, len(l.Residual.Body))
		for i, b := range l.Residual.Body {
			body[i] = b.String()
		}
		return fmt.Sprintf("residual: {stride: %d, body: [%s]}", l.Residual.Stride, strings.Join(body, ", "))
	case l.Bias != nil:
		return fmt.Sprintf("linear: {out: %d, bias: %v}", l.Size, *l.Bias)
	case slices.Contains(sizedKinds, l.Kind):
		return fmt.Sprintf("%s: %d", l.Kind, l.Size)
	}
	return l.Kind
}

// HasWeights says whether the layer, or its body, has parameters.
func (l Layer) HasWeights() bool {
	return l.Kind == convKind || l.Kind == "linear" || l.Kind == "batchnorm" || slices.ContainsFunc(l.Residual.Body, Layer.HasWeights)
}

// MarshalYAML returns the form that is read.
func (l Layer) MarshalYAML() (any, error) {
	switch {
	case l.Kind == convKind:
		return struct {
			Conv Conv `yaml:"conv,flow"`
		}{l.Conv}, nil
	case l.Kind == residualKind:
		return yaml.MapSlice{{Key: residualKind, Value: l.Residual}}, nil
	case l.Bias != nil:
		return struct {
			Linear linear `yaml:"linear,flow"`
		}{linear{l.Size, l.Bias}}, nil
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
		return Layer{}, wrong(n, "conv needs its sizes: %s", convForm)
	case kind == residualKind:
		return Layer{}, wrong(n, "residual needs its body: %s", residualForm)
	case slices.Contains(sizedKinds, kind):
		return Layer{}, wrong(n, "%s needs its size: %s", kind, form(kind))
	}
	return Layer{}, wrong(n, "%q is no layer; want one of %s", kind, layerForms)
}

// decodeSizedLayer reads "kind: size".
func decodeSizedLayer(n ast.Node, m ast.MapNode) (Layer, error) {
	var l Layer
	var value ast.Node
	for it := m.MapRange(); it.Next(); {
		if value != nil {
			return l, wrong(it.Key(), "a second layer in one entry; begin it with a '-' of its own, and write the values of conv and residual in braces")
		}
		l.Kind, value = it.Key().GetToken().Value, it.Value()
		switch {
		case slices.Contains(bareKinds, l.Kind):
			return l, wrong(it.Key(), "%s takes no value; write %s alone", l.Kind, l.Kind)
		case l.Kind != convKind && l.Kind != residualKind && !slices.Contains(sizedKinds, l.Kind):
			return l, wrong(it.Key(), "%q is no layer; want one of %s", l.Kind, layerForms)
		}
	}
	target, long := reflect.ValueOf(&l.Size), linear{}
	if _, ok := value.(ast.MapNode); ok && l.Kind == "linear" {
		target = reflect.ValueOf(&long)
	}
	switch l.Kind {
	case convKind:
		l.Conv.Stride = 1
		target = reflect.ValueOf(&l.Conv)
	case residualKind:
		l.Residual.Stride = 1
		target = reflect.ValueOf(&l.Residual)
	}
	switch {
	case value == nil:
		return l, wrong(n, "{} is no layer; want one of %s", layerForms)
	case value.Type() == ast.NullType:
		return l, wrong(value, "%s needs a value: %s", l.Kind, form(l.Kind))
	}
	if err := decode(value, target.Elem()); err != nil {
		var at *yaml.SyntaxError
		if errors.As(err, &at) {
			at.Message = l.Kind + ": " + at.Message
		}
		return l, err
	}
	if long.Out != 0 || long.Bias != nil {
		l.Size, l.Bias = long.Out, long.Bias
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
	switch l.Kind {
	case convKind:
	case residualKind:
		return l.Residual.check(key)
	default:
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

func (r Residual) check(key string) error {
	if err := one(key+".stride", r.Stride, atLeast(1)); err != nil {
		return err
	}
	if len(r.Body) == 0 {
		return &ValueError{key + ".body", "missing or empty; give a list of layers"}
	}
	return checkLayers(key+".body", r.Body)
}

func checkLayers(key string, layers []Layer) error {
	for i, l := range layers {
		if err := l.check(fmt.Sprintf("%s[%d]", key, i)); err != nil {
			return err
		}
	}
	return nil
}

// canonicalLayers returns the layers with their defaults, in one form for what
// means the same.
func canonicalLayers(layers []Layer) []Layer {
	layers = slices.Clone(noneIfEmpty(layers))
	for i := range layers {
		switch l := &layers[i]; l.Kind {
		case convKind:
			orDefault(&l.Conv.Stride, 1)
			if l.Conv.Bias != nil && *l.Conv.Bias {
				l.Conv.Bias = nil
			}
		case "linear":
			if l.Bias != nil && *l.Bias {
				l.Bias = nil
			}
		case residualKind:
			orDefault(&l.Residual.Stride, 1)
			l.Residual.Body = canonicalLayers(l.Residual.Body)
		}
	}
	return layers
}
