package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sobolev/encoding/safetensors"
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
