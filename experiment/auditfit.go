package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
)

// expected returns the modules of the architecture in the order of its layers.
func expected(arch nn.Architecture) ([]module, error) {
	// Shapes alone: in float32, which is smaller.
	net, err := nn.New[float32](arch)
	if err != nil {
		return nil, err
	}
	var list []module
	at := map[string]int{}
	for _, t := range net.Tensors() {
		dot := strings.LastIndexByte(t.Name, '.')
		name := t.Name[:dot]
		i, ok := at[name]
		if !ok {
			i = len(list)
			at[name], list = i, append(list, module{name, map[string]*safetensors.Tensor{}})
		}
		list[i].parts[t.Name[dot+1:]] = &safetensors.Tensor{Shape: t.Shape}
	}
	return list, nil
}

func (m *auditedModel) fitArchitecture(groups map[string][]module, asked []string) ([]module, error) {
	want, err := expected(m.architecture)
	if err != nil {
		return nil, &rundir.ValueError{Key: "arch", Problem: err.Error()}
	}
	return arrange(groups, asked, want, func(have []module, at int) (int, error) { return matches(have, want, at) })
}

// matches returns an error for the first tensor of have[at] that does not fit the
// architecture, and the number of those that do.
func matches(have, want []module, at int) (fit int, err error) {
	switch {
	case at == len(have) && at < len(want):
		return 0, fmt.Errorf("no tensors are left for %s", layerName(want[at].name))
	case at == len(have):
		return 0, nil
	case at >= len(want):
		return 0, fmt.Errorf("tensors %s are left over", shown(have[at].name))
	}
	w := want[at]
	for _, p := range partNames {
		h, inFile := have[at].parts[p]
		a, inLayer := w.parts[p]
		name := have[at].tensorName(p)
		switch {
		case inLayer && !inFile:
			hint := ""
			switch {
			case p == "bias" && len(w.parts["weight"].Shape) == 4:
				hint = "; write bias: false in the conv if it has none"
			case p == "bias" && len(w.parts["weight"].Shape) == 2:
				hint = fmt.Sprintf("; write linear: {out: %d, bias: false} if it has none", a.Shape[0])
			}
			return fit, fmt.Errorf("tensor %s is missing: %s needs %v%s", name, layerName(w.name), a.Shape, hint)
		case inFile && !inLayer:
			return fit, fmt.Errorf("tensor %s %v has no place in %s", name, h.Shape, layerName(w.name))
		case inFile && !slices.Equal(h.Shape, a.Shape):
			return fit, fmt.Errorf("tensor %s has shape %v: %s needs %v", name, h.Shape, layerName(w.name), a.Shape)
		case inFile:
			fit++
		}
	}
	return fit, nil
}

// layerName turns net.3.body.0 into layers[3].body[0].
func layerName(name string) string {
	fields := strings.Split(name, ".")
	s := "layers[" + fields[1] + "]"
	for i := 3; i < len(fields); i += 2 {
		s += fmt.Sprintf(".%s[%s]", fields[i-1], fields[i])
	}
	return s
}

func listing(modules []module) string {
	const most = 40
	var b strings.Builder
	for i, m := range modules {
		if i == most {
			fmt.Fprintf(&b, "  and %d more\n", len(modules)-most)
			break
		}
		fmt.Fprintf(&b, "  %v\n", m)
	}
	return b.String()
}

// inferDense takes the modules for a stack of dense layers on inputs of the given
// size.
func (m *auditedModel) inferDense(groups map[string][]module, inputs int, activation string) ([]module, error) {
	modules, err := arrange(groups, nil, nil, func(have []module, at int) (int, error) { return 0, denseStack(have, inputs, at) })
	if err != nil {
		return nil, err
	}
	sizes := make([]int, len(modules))
	for i, l := range modules {
		sizes[i] = l.parts["weight"].Shape[0]
	}
	hidden, a := sizes[:len(sizes)-1], nn.Identity
	switch {
	case len(hidden) > 0 && activation == "":
		return nil, &rundir.ValueError{Key: "activation", Problem: "missing: the weights do not say what is between the layers; give relu, tanh, gelu, softplus, sigmoid or identity, or an architecture file (--arch)"}
	case activation != "":
		if a, err = nn.ParseActivation(activation); err != nil {
			return nil, &rundir.ValueError{Key: "activation", Problem: err.Error()}
		}
	}
	m.architecture = nn.FNN(inputs, hidden, sizes[len(sizes)-1], a)
	for i, l := range modules {
		m.architecture.Layers[2*i].NoBias = l.parts["bias"] == nil
	}
	m.warnings = append(m.warnings, fmt.Sprintf("the architecture is inferred from the shapes of the tensors: dense layers %d–%s with %v between them", inputs, strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", "–"), "[]"), a))
	return modules, nil
}

// denseStack returns an error unless have[at] is a dense layer that fits the one in
// front of it, or the inputs.
func denseStack(have []module, inputs, at int) error {
	if at == len(have) {
		return nil
	}
	if at > 0 {
		inputs = have[at-1].parts["weight"].Shape[0]
	}
	m := have[at]
	w, b := m.parts["weight"], m.parts["bias"]
	switch {
	case w == nil || len(w.Shape) != 2 || len(m.parts) > 2 || len(m.parts) == 2 && b == nil:
		return fmt.Errorf("%v is no dense layer; describe the layers in an architecture file (--arch)", m)
	case w.Shape[1] != inputs:
		return fmt.Errorf("tensor %s has shape %v, but gets %d inputs", m.tensorName("weight"), w.Shape, inputs)
	case w.Shape[0] == 0:
		return fmt.Errorf("tensor %s has shape %v: a layer without outputs", m.tensorName("weight"), w.Shape)
	case b != nil && (len(b.Shape) != 1 || b.Shape[0] != w.Shape[0]):
		return fmt.Errorf("tensor %s has shape %v, its weight %v", m.tensorName("bias"), b.Shape, w.Shape)
	}
	return nil
}

// take sets the tensors to those of the modules, under the names of the layers.
func (m *auditedModel) take(modules []module) error {
	want, err := expected(m.architecture)
	if err != nil {
		return err
	}
	for i, from := range modules {
		for _, part := range partNames {
			t, ok := from.parts[part]
			if !ok {
				continue
			}
			if err := finite(t); err != nil {
				return err
			}
			renamed := *t
			renamed.Name = want[i].name + "." + part
			m.tensors = append(m.tensors, renamed)
		}
	}
	return nil
}

// finite returns an error for a tensor with an element that is not finite, or is
// no number.
func finite(t *safetensors.Tensor) error {
	values, err := t.Float64s()
	if err != nil {
		return err
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("tensor %s %v has the value %v at flat position %d: weights are finite", shown(t.Name), t.Shape, v, i)
		}
	}
	return nil
}
