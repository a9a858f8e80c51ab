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
	return shown(m.name) + ": " + strings.Join(shapes, ", ")
}

// shown is a name from a file for messages: as it is where it is plain and short,
// else quoted and cut.
func shown(name string) string {
	if quoted := fmt.Sprintf("%.80q", name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// tensorName is the name of a module's tensor, for messages.
func (m module) tensorName(part string) string {
	return shown(strings.TrimPrefix(m.name+"."+part, "."))
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
			return nil, fmt.Errorf("tensor %s belongs to no layer that is known here: names end in .weight, .bias, .running_mean or .running_var", shown(t.Name))
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

// numbersOf are the numbers in a name, without leading zeros.
func numbersOf(name string) []string {
	var list []string
	for _, n := range strings.FieldsFunc(name, func(r rune) bool { return !strings.ContainsRune(digits, r) }) {
		list = append(list, strings.TrimLeft(n, "0"))
	}
	return list
}

// compareNumbered compares names by the numbers in them, as numbers: net.2 comes
// before net.10, block1.b before block2.a.
func compareNumbered(a, b string) int {
	byNumbers := slices.CompareFunc(numbersOf(a), numbersOf(b), func(x, y string) int {
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	})
	return cmp.Or(byNumbers, cmp.Compare(a, b))
}

// tied says that the numbers of two names in the order of compareNumbered leave
// theirs open: they are equal, or those of a begin those of b.
func tied(a, b string) bool {
	x, y := numbersOf(a), numbersOf(b)
	return len(x) <= len(y) && slices.Equal(x, y[:len(x)])
}

// precedes says that the first difference of two names is a number, which a has
// the smaller of.
func precedes(a, b string) bool {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	number := func(s string) bool { return i < len(s) && strings.Contains(digits, s[i:i+1]) }
	return number(a) && number(b) && compareNumbered(a, b) < 0
}

const (
	// maxPrefixes is the largest number of prefixes whose orders are all tried, and
	// maxSteps that of layers that are tried for a place, in all orders together.
	maxPrefixes = 6
	maxSteps    = 100_000
)

// A fitting returns why list[at] is not the layer behind list[:at], and how many of
// its tensors fit; with at = len(list), why they are not all layers.
type fitting func(list []module, at int) (tensors int, err error)

// arrange returns all modules in the order that fits. asked are the prefixes in
// the order of the layers; without them the only order that fits is taken. layers
// are for messages.
func arrange(groups map[string][]module, asked []string, layers []module, fit fitting) ([]module, error) {
	prefixes := slices.Sorted(maps.Keys(groups))
	if asked != nil {
		var ok bool
		if groups, ok = regroup(groups, asked); !ok {
			return nil, &rundir.ValueError{Key: "arch", Problem: fmt.Sprintf("weights: %.80q are not the prefixes of the tensors, %.80q", asked, prefixes)}
		}
		prefixes = asked
	}
	s := search{fit: fit, layers: layers}
	switch {
	case asked != nil || len(prefixes) == 1:
		s.try(groups, prefixes)
	case len(prefixes) > maxPrefixes:
		return nil, fmt.Errorf("the tensors have %d prefixes, such as %.80q: say in which order the layers have them with the key weights of an architecture file", len(prefixes), prefixes[:maxPrefixes])
	default:
		eachOrder(prefixes, func(order []string) { s.try(groups, order) })
	}
	return s.only(prefixes, asked == nil)
}

// regroup groups the modules by the entries of the key weights: the prefix of a
// name, the name, or its beginning up to a dot; of several the longest. It is false
// where a module has none or an entry no module.
func regroup(groups map[string][]module, asked []string) (map[string][]module, bool) {
	byEntry := map[string][]module{}
	for prefix, g := range groups {
		for _, m := range g {
			entry, found := "", false
			for _, e := range asked {
				if (e == prefix || e == m.name || strings.HasPrefix(m.name, e+".")) && (!found || len(e) > len(entry)) {
					entry, found = e, true
				}
			}
			if !found {
				return nil, false
			}
			byEntry[entry] = append(byEntry[entry], m)
		}
	}
	for _, g := range byEntry {
		slices.SortFunc(g, func(a, b module) int { return compareNumbered(a.name, b.name) })
	}
	return byEntry, len(byEntry) == len(asked)
}

// search looks for the orders of modules that fit: those in which numbers decide,
// and where they do not, all.
type search struct {
	fit    fitting
	layers []module
	found  []arrangement // up to two
	steps  int
	// why is the error of the order that got furthest, to got layers and tensors.
	why   error
	order []module
	got   [2]int
}

type arrangement struct {
	prefixes []string
	modules  []module
}

// try goes through the orders of the modules with one order of the groups.
func (s *search) try(groups map[string][]module, prefixes []string) {
	var list []module
	var ends []int // of the run of tied modules that each place belongs to
	for _, p := range prefixes {
		for first := 0; first < len(groups[p]); {
			next := first + 1
			for next < len(groups[p]) && tied(groups[p][first].name, groups[p][next].name) {
				next++
			}
			ends = append(ends, slices.Repeat([]int{len(list) + next - first}, next-first)...)
			list = append(list, groups[p][first:next]...)
			first = next
		}
	}
	s.place(list, ends, prefixes, 0)
}

// place tries the rest of a run, one after the other, at a place of the list.
func (s *search) place(list []module, ends []int, prefixes []string, at int) {
	if at == len(list) {
		if s.fits(list, at) {
			s.found = append(s.found, arrangement{slices.Clone(prefixes), slices.Clone(list)})
		}
		return
	}
	for i := at; i < ends[at]; i++ {
		if len(s.found) > 1 || s.steps > maxSteps {
			return
		}
		later := func(m module) bool { return precedes(m.name, list[i].name) }
		if slices.ContainsFunc(list[at:ends[at]], later) {
			continue
		}
		chosen := list[i]
		copy(list[at+1:i+1], list[at:i])
		list[at] = chosen
		if s.fits(list, at) {
			s.place(list, ends, prefixes, at+1)
		}
		copy(list[at:i], list[at+1:i+1])
		list[i] = chosen
	}
}

func (s *search) fits(list []module, at int) bool {
	s.steps++
	tensors, err := s.fit(list, at)
	if got := [2]int{at, tensors}; err != nil && (s.why == nil || slices.Compare(got[:], s.got[:]) > 0) {
		s.why, s.order, s.got = err, slices.Clone(list), got
	}
	return err == nil
}

// failure is the error of the order that got furthest, with both lists.
func (s *search) failure() error {
	if s.layers == nil {
		return s.why
	}
	return fmt.Errorf("%w\nthe file:\n%sthe architecture:\n%s", s.why, listing(s.order), listing(s.layers))
}

// only returns the one order that was found. open says that the prefixes had more
// than one.
func (s *search) only(prefixes []string, open bool) ([]module, error) {
	const remedy = "say which one it is with the key weights of an architecture file"
	switch {
	case s.steps > maxSteps:
		return nil, fmt.Errorf("the names of the tensors leave too many orders of the layers open: %s", remedy)
	case len(s.found) == 1:
		return s.found[0].modules, nil
	case len(s.found) > 1:
		a, b := s.found[0], s.found[1]
		if slices.Equal(a.prefixes, b.prefixes) {
			x, y := difference(a.modules, b.modules)
			return nil, fmt.Errorf("more than one order of the tensors fits, such as %.80q and %.80q: %s", x, y, remedy)
		}
		return nil, fmt.Errorf("more than one order of the tensors' prefixes fits, such as %.80q and %.80q: %s", a.prefixes, b.prefixes, remedy)
	case open && len(prefixes) > 1:
		return nil, fmt.Errorf("no order of the prefixes %.80q fits; of the one that got furthest: %w", prefixes, s.failure())
	}
	return nil, s.failure()
}

// difference returns the names from the first place where two orders differ, eight
// at most.
func difference(a, b []module) (x, y []string) {
	first := 0
	for a[first].name == b[first].name {
		first++
	}
	for i := first; i < min(first+8, len(a)) && !sameNames(x, y); i++ {
		x, y = append(x, a[i].name), append(y, b[i].name)
	}
	return x, y
}

// sameNames says whether two lists, not empty, have the same names in any order.
func sameNames(x, y []string) bool {
	return len(x) > 0 && slices.Equal(slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y)))
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
