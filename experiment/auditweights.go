package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sobolev/encoding/safetensors"
	"sobolev/nn"
	"sobolev/rundir"
)

// module is what the tensors of one layer have in common: their name up to the
// last dot. parts maps what follows, such as "weight", to the tensor.
type module struct {
	name  string
	parts map[string]*safetensors.Tensor
}

// partNames are the parts of a layer, in the order in which they are listed.
var partNames = []string{"weight", "bias", "running_mean", "running_var"}

// counterPart is PyTorch's number of batches that a batch normalisation saw.
const counterPart = "num_batches_tracked"

func (m module) String() string {
	var shapes []string
	for _, p := range partNames {
		if t, ok := m.parts[p]; ok {
			shapes = append(shapes, fmt.Sprintf("%s %v", p, t.Shape))
		}
	}
	return m.name + ": " + strings.Join(shapes, ", ")
}

// modulesOf groups tensors by module and modules by prefix, and orders the
// modules of a prefix by the numbers in their names.
func modulesOf(tensors []safetensors.Tensor) (map[string][]module, error) {
	byName := map[string]module{}
	for i := range tensors {
		t := &tensors[i]
		name, part := "", t.Name
		if dot := strings.LastIndexByte(t.Name, '.'); dot >= 0 {
			name, part = t.Name[:dot], t.Name[dot+1:]
		}
		if part == counterPart {
			continue
		}
		if !slices.Contains(partNames, part) {
			return nil, fmt.Errorf("tensor %s belongs to no layer that is known here: names end in .weight, .bias, .running_mean or .running_var", t.Name)
		}
		if byName[name].parts == nil {
			byName[name] = module{name, map[string]*safetensors.Tensor{}}
		}
		byName[name].parts[part] = t
	}
	groups := map[string][]module{}
	for _, m := range byName {
		groups[prefixOf(m.name)] = append(groups[prefixOf(m.name)], m)
	}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b module) int { return compareNumbered(a.name, b.name) })
	}
	return groups, nil
}

const digits = "0123456789"

// prefixOf is what stands before the first number of a name.
func prefixOf(name string) string {
	if i := strings.IndexAny(name, digits); i >= 0 {
		name = strings.TrimRight(name[:i], "._-")
	}
	return name
}

// compareNumbered compares names with the numbers in them as numbers: net.2 comes
// before net.10.
func compareNumbered(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		s, t := run(x), run(y)
		x, y = x[len(s):], y[len(t):]
		if numbers := strings.Contains(digits, s[:1]) && strings.Contains(digits, t[:1]); numbers {
			s, t = strings.TrimLeft(s, "0"), strings.TrimLeft(t, "0")
			if c := cmp.Compare(len(s), len(t)); c != 0 {
				return c
			}
		}
		if c := cmp.Compare(s, t); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// run is the number, or the text without digits, that s begins with.
func run(s string) string {
	if i := strings.IndexAny(s, digits); i != 0 {
		if i < 0 {
			return s
		}
		return s[:i]
	}
	return s[:len(s)-len(strings.TrimLeft(s, digits))]
}

// maxPrefixes is the largest number of prefixes whose orders are all tried.
const maxPrefixes = 6

// arrange returns all modules in the order that fits. asked are the prefixes in
// the order of the layers; without them the only order that fits is taken.
func arrange(groups map[string][]module, asked []string, fit func([]module) error) ([]module, error) {
	prefixes := slices.Sorted(maps.Keys(groups))
	if asked != nil {
		if !slices.Equal(prefixes, slices.Sorted(slices.Values(asked))) {
			return nil, &rundir.ValueError{Key: "arch", Problem: fmt.Sprintf("weights: %q are not the prefixes of the tensors, %q", asked, prefixes)}
		}
		return concatenate(groups, asked), fit(concatenate(groups, asked))
	}
	if len(prefixes) == 1 {
		return groups[prefixes[0]], fit(groups[prefixes[0]])
	}
	if len(prefixes) > maxPrefixes {
		return nil, fmt.Errorf("the tensors have %d prefixes, %q: say in which order the layers have them with the key weights of an architecture file", len(prefixes), prefixes)
	}
	var fitting [][]string
	var why error
	eachOrder(prefixes, func(order []string) {
		if err := fit(concatenate(groups, order)); err != nil {
			why = err
			return
		}
		fitting = append(fitting, slices.Clone(order))
	})
	switch len(fitting) {
	case 0:
		return nil, fmt.Errorf("no order of the prefixes %q fits; of the last one tried: %w", prefixes, why)
	case 1:
		return concatenate(groups, fitting[0]), nil
	}
	return nil, fmt.Errorf("more than one order of the tensors' prefixes fits, such as %q and %q: say which one it is with the key weights of an architecture file", fitting[0], fitting[1])
}

func concatenate(groups map[string][]module, order []string) []module {
	var list []module
	for _, p := range order {
		list = append(list, groups[p]...)
	}
	return list
}

// eachOrder calls visit with every order of v.
func eachOrder(v []string, visit func([]string)) {
	var place func(int)
	place = func(i int) {
		if i == len(v) {
			visit(v)
		}
		for j := i; j < len(v); j++ {
			v[i], v[j] = v[j], v[i]
			place(i + 1)
			v[i], v[j] = v[j], v[i]
		}
	}
	place(0)
}

// readSafetensors reads weights and gives them to the layers of the architecture
// file, or of the stack of dense layers that they are.
func (m *auditedModel) readSafetensors(o AuditOptions, shape []int) error {
	var asked []string
	var err error
	if o.Architecture != "" {
		if o.Activation != "" {
			return &rundir.ValueError{Key: "activation", Problem: "is for weights without an architecture file; that has the activations among its layers"}
		}
		if m.architecture, asked, err = readArchitecture(o.Architecture, shape); err != nil {
			return err
		}
		if err := m.checkSize(); err != nil {
			return err
		}
	}
	f, err := safetensors.ReadFile(o.Model)
	if err != nil {
		return err
	}
	groups, err := modulesOf(f.Tensors)
	if err == nil && len(groups) == 0 {
		err = errors.New("has no tensors")
	}
	var modules []module
	switch {
	case err != nil:
	case o.Architecture == "":
		modules, err = m.inferDense(groups, product(shape), o.Activation)
	default:
		modules, err = m.fitArchitecture(groups, asked)
	}
	if err == nil {
		err = m.take(modules)
	}
	var option *rundir.ValueError
	if err != nil && !errors.As(err, &option) {
		return fmt.Errorf("%s: %w", o.Model, err)
	}
	return err
}

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
	return arrange(groups, asked, func(have []module) error {
		if err := matches(have, want); err != nil {
			return fmt.Errorf("%w\nthe file:\n%sthe architecture:\n%s", err, listing(have), listing(want))
		}
		return nil
	})
}

// matches returns an error for the first tensor that does not fit the
// architecture.
func matches(have, want []module) error {
	for i, w := range want {
		if i == len(have) {
			return fmt.Errorf("no tensors are left for %s", layerName(w.name))
		}
		for _, p := range partNames {
			h, inFile := have[i].parts[p]
			a, inLayer := w.parts[p]
			name := strings.TrimPrefix(have[i].name+"."+p, ".")
			switch {
			case inLayer && !inFile:
				hint := ""
				if p == "bias" && len(w.parts["weight"].Shape) == 4 {
					hint = "; write bias: false in the conv if it has none"
				}
				return fmt.Errorf("tensor %s is missing: %s needs %v%s", name, layerName(w.name), a.Shape, hint)
			case inFile && !inLayer:
				return fmt.Errorf("tensor %s %v has no place in %s", name, h.Shape, layerName(w.name))
			case inFile && !slices.Equal(h.Shape, a.Shape):
				return fmt.Errorf("tensor %s has shape %v: %s needs %v", name, h.Shape, layerName(w.name), a.Shape)
			}
		}
	}
	if len(have) > len(want) {
		return fmt.Errorf("tensors %s are left over", have[len(want)].name)
	}
	return nil
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
	modules, err := arrange(groups, nil, func(have []module) error { return denseStack(have, inputs) })
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
	m.warnings = append(m.warnings, fmt.Sprintf("the architecture is inferred from the shapes of the tensors: dense layers %d–%s with %v between them", inputs, strings.Trim(strings.ReplaceAll(fmt.Sprint(sizes), " ", "–"), "[]"), a))
	return modules, nil
}

// denseStack returns an error unless the modules are dense layers that fit each
// other.
func denseStack(have []module, inputs int) error {
	for _, m := range have {
		w, b := m.parts["weight"], m.parts["bias"]
		name := strings.TrimPrefix(m.name+".", ".")
		switch {
		case w == nil || len(w.Shape) != 2 || len(m.parts) > 2 || len(m.parts) == 2 && b == nil:
			return fmt.Errorf("%v is no dense layer; describe the layers in an architecture file (--arch)", m)
		case b == nil:
			return fmt.Errorf("tensor %sbias is missing: a linear layer without bias is not supported", name)
		case w.Shape[1] != inputs:
			return fmt.Errorf("tensor %sweight has shape %v, but gets %d inputs", name, w.Shape, inputs)
		case len(b.Shape) != 1 || b.Shape[0] != w.Shape[0] || b.Shape[0] == 0:
			return fmt.Errorf("tensor %sbias has shape %v, its weight %v", name, b.Shape, w.Shape)
		}
		inputs = w.Shape[0]
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
			return fmt.Errorf("tensor %s %v has the value %v at flat position %d: weights are finite", t.Name, t.Shape, v, i)
		}
	}
	return nil
}
