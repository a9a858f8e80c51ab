package rundir

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sobolev/internal/fuzztest"
)

// good is a configuration to which one bad thing is added.
const good = `name: good
dataset: {name: d, classes: [0, 1]}
model: {hidden: [5, 4]}
sgd: {iterations: 1e3}
grid:
  learning_rate: [0.1, 2]
  batch_size:
    - 3
    - 5
seed: 18446744073709551615
`

func TestConfigReadsWhatIsWritten(t *testing.T) {
	want, err := Config{
		Name:    "good",
		Dataset: Dataset{Name: "d", Classes: []int{0, 1}},
		Model:   Model{Hidden: []int{5, 4}},
		SGD:     SGD{Iterations: 1000},
		Grid:    Grid{LearningRate: []float64{0.1, 2}, BatchSize: []int{3, 5}},
		Seed:    18446744073709551615,
	}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		good,
		"\ufeff" + good,
		strings.ReplaceAll(good, "\n", "\r\n"),
		"%YAML 1.2\n---\n" + good + "...\n",
		"# a comment\n" + good + "loss: null\nstop:\n",
		strings.Replace(good, "1e3", "01000", 1), // no octal numbers
	} {
		got, err := Source{Name: "f.yaml", Text: []byte(text)}.Config()
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// An error starts with the position and goes on with what is wrong.
func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "f.yaml: is empty"},
		{"# nothing\n", "f.yaml: is empty"},
		{"null\n", "f.yaml: is empty"},
		{"3\n", "f.yaml:1:1: want keys and values (name, dataset,"},
		{"- a\n", "f.yaml:1:1: want keys and values"},
		{"\x00\x01", "f.yaml: is not a text file"},
		{"name: \xff\n", "f.yaml: is not a text file"},
		{strings.Repeat("# long\n", 20000), "f.yaml: has 140000 bytes"},
		{"name: " + strings.Repeat("[", 30000), "f.yaml: has brackets nested"},
		{"name: a\n---\nname: b\n", "f.yaml:3:1: a second document"},
		{"name: a\nloss: mse\nname: b\n", `f.yaml:3:1: mapping key "name" already defined at [1:1]`},
		{"grid:\n\tlearning_rate: [1]\n", "f.yaml:2:1: found character '\t'"},
		{"grid: {learning_rate: [0.1\n", "f.yaml:1:23: sequence end token ']' not found"},
		{"name: a: b\n", "f.yaml:1:7: mapping value is not allowed"},
		{"name: \"abc\n", "f.yaml:1:7: could not find end"},

		{"sgd: {}\ngrid:\n  lerning_rate: [1]\n", `f.yaml:3:3: unknown key "lerning_rate"; the keys here are method, learning_rate, batch_size`},
		{"Name: x\n", `f.yaml:1:1: unknown key "Name"`},
		{"? a\n: b\n", "f.yaml:1:1: unknown key"},
		{"sgd: {<<: 3}\n", `f.yaml:1:7: unknown key "<<"`},

		{"repetitions: [1]\n", "f.yaml:1:14: want a whole number, not a list"},
		{"repetitions: {a: 1}\n", "f.yaml:1:14: want a whole number, not keys and values"},
		{"repetitions: 1.5\n", `f.yaml:1:14: want a whole number, not "1.5"`},
		{"repetitions: true\n", `f.yaml:1:14: want a whole number, not "true"`},
		{"repetitions: '3'\n", `f.yaml:1:14: want a whole number, not the text "3"`},
		{"repetitions: 1_0\n", `f.yaml:1:14: want a whole number, not "1_0"`},
		{"repetitions: 0x10\n", `f.yaml:1:14: want a whole number, not "0x10"`},
		{"repetitions: 9223372036854775808\n", "f.yaml:1:14: 9223372036854775808 is out of range"},
		{"repetitions: 1e300\n", `f.yaml:1:14: want a whole number, not "1e300"`},
		{"dataset: {classes: [1, -9223372036854775809]}\n", "f.yaml:1:24: -9223372036854775809 is out of range"},
		{"seed: 18446744073709551616\n", "f.yaml:1:7: 18446744073709551616 is out of range"},
		{"seed: -1\n", `f.yaml:1:7: want a whole number ≥ 0, not "-1"`},
		{"grid: {learning_rate: 0.1}\n", `f.yaml:1:23: want a list such as [0.1, 0.2], not "0.1"`},
		{"grid: {learning_rate: [0.1, x]}\n", `f.yaml:1:29: want a number, not "x"`},
		{"grid: {learning_rate: [0.1, ]\n", "f.yaml:1:"},
		{"grid: {learning_rate: [null]}\n", "f.yaml:1:24: an element of the list is empty"},
		{"grid: {learning_rate: [[1]]}\n", "f.yaml:1:24: want a number, not a list"},
		{"grid: {learning_rate: [1e400]}\n", "f.yaml:1:24: 1e400 is out of range"},
		{"grid: 3\n", `f.yaml:1:7: want keys and values (method, learning_rate, batch_size), not "3"`},
		{"name: [a]\n", "f.yaml:1:7: want text, not a list"},
		{"grid: {batch_size: &b [1], learning_rate: *b}\n", "f.yaml:1:20: anchors, aliases and tags are not read"},
		{"name: !!int 3\n", "f.yaml:1:7: anchors, aliases and tags are not read"},

		{good + "stop:\n  loss: .nan\n", "f.yaml:12:9: stop.loss: NaN is not a number ≥ 0"},
		{strings.Replace(good, "2]", "-2]", 1), "f.yaml:6:24: grid.learning_rate[1]: -2 is not a positive number\n"},
		{strings.Replace(good, "2]", ".inf]", 1), "f.yaml:6:24: grid.learning_rate[1]: +Inf is not a positive number"},
		{strings.Replace(good, "2]", "-.inf]", 1), "f.yaml:6:24: grid.learning_rate[1]: -Inf is not a positive number"},
		{strings.Replace(good, "2]", "1e-1]", 1), "f.yaml:6:24: grid.learning_rate[1]: 0.1 appears twice"},
		{strings.Replace(good, "    - 5", "    - 0", 1), "f.yaml:9:7: grid.batch_size[1]: 0 is below 1"},
		{strings.Replace(good, "[0.1, 2]", "[]", 1), "f.yaml:6:18: grid.learning_rate: missing or empty; give a list such as"},
		{strings.Replace(good, "{name: d, ", "{", 1), "f.yaml:2:10: dataset.name: missing"},
		{"dataset: {name: d}\nsgd: {iterations: 1}\n", "f.yaml: grid.learning_rate: missing or empty"},
		{strings.Replace(good, "name: good", "name: a/b", 1), `f.yaml:1:7: name: "a/b" has the character '/'`},
		{good + "loss: huber\n", `f.yaml:11:7: loss: "huber" is not known; one of ["mse" "half-mse"]`},
		{good + "loss: cross-entropy\n", `f.yaml:11:7: loss: cross-entropy is a loss of audits alone`},
		{good + "measure: {orders: [1, 17]}\n", "f.yaml:11:23: measure.orders[1]: 17 is above 16"},
		{good + "repetitions: 1000001\n", "f.yaml:11:14: repetitions: 1000001 is above 1000000"},
		{good + "repetitions: 250001\n", "f.yaml:6:3: grid: has 1000004 points with all repetitions, above 1000000"},
		{good + "repetitions: 9223372036854775807\n", "f.yaml:11:14: repetitions: 9223372036854775807 is above"},
	} {
		_, err := Source{Name: "f.yaml", Text: []byte(c.text)}.Config()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.60q: error %.200v, want %s", c.text, err, c.want)
			continue
		}
		if len(err.Error()) > 1000 {
			t.Errorf("%.60q: an error of %d bytes", c.text, len(err.Error()))
		}
	}
}

// A page of aliases to aliases would be 9^10 values.
func TestConfigRefusesNestedAliases(t *testing.T) {
	text := "name: &a [x, x, x]\n"
	for c := 'b'; c <= 'k'; c++ {
		text += fmt.Sprintf("k%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9))
	}
	if _, err := ParseConfig("f.yaml", []byte(text+"loss: *k\n")); err == nil {
		t.Error("no error")
	}
}

func TestSet(t *testing.T) {
	for _, c := range []struct {
		set  string
		want func(*Config)
	}{
		{"grid.batch_size=[10, 20]", func(c *Config) { c.Grid.BatchSize = []int{10, 20} }},
		{"sgd.iterations=1e5", func(c *Config) { c.SGD.Iterations = 100000 }},
		{"sgd={momentum: 0.5}", func(c *Config) { c.SGD.Momentum = 0.5 }},
		{"name=a=b # not more", func(c *Config) { c.Name = "a=b" }},
		{"dataset.name='a: b'", func(c *Config) { c.Dataset.Name = "a: b" }},
		{"dataset.classes=null", func(c *Config) { c.Dataset.Classes = nil }},
	} {
		got, err := ParseConfig("f.yaml", []byte(good))
		if err != nil {
			t.Fatal(err)
		}
		want := got
		c.want(&want)
		if err := got.Set(c.set); err != nil {
			t.Errorf("%s: %v", c.set, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", c.set, diff)
		}
	}
}

func TestSetErrors(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"seed", "want key=value, such as grid.batch_size=[10,20]"},
		{"=3", "want key=value"},
		{"seed=", "the value is missing"},
		{"grid.batchsize=[1]", `unknown key "batchsize"; the keys here are method, learning_rate, batch_size`},
		{"..=3", `unknown key ""`},
		{"grid..a=3", `unknown key ""`},
		{"seed.x=3", `there is nothing below "seed"`},
		{"grid.batch_size=10", `want a list such as [10, 20], not "10"`},
		{"grid.batch_size=[10", "sequence end token"},
		{"name=a\nloss: x", "--set name=a\nloss: x: "},
		{"grid.learning_rate=[0.1, -1]", "grid.learning_rate[1]: -1 is not a positive number"},
		{"grid={learning_rate: [-1]}", "grid.learning_rate[0]: -1 is not a positive number"},
	} {
		_, err := Source{Name: "f.yaml", Text: []byte(good), Set: []string{"seed=2", c.set}}.Config()
		if err == nil || !strings.HasPrefix(err.Error(), "--set "+c.set+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.set, err, c.want)
		}
	}
}

func TestExperimentIsNamedAfterItsFile(t *testing.T) {
	for file, want := range map[string]string{"a/fine-1.yaml": "fine-1", "my runs/η sweep.yml": "--sweep"} {
		c, err := Source{Name: file, Text: []byte(strings.TrimPrefix(good, "name: good\n"))}.Config()
		if err != nil || c.Name != want {
			t.Errorf("%s: name %q, error %v; want %q", file, c.Name, err, want)
		}
	}
}

// Errors that only the data can show are placed by whoever finds them.
func TestLocateWrappedErrors(t *testing.T) {
	s := Source{Name: "f.yaml", Text: []byte(good)}
	err := s.Locate(fmt.Errorf("data: %w", &ValueError{"grid.batch_size[1]", "5 is above 4"}))
	if !strings.HasPrefix(err.Error(), "f.yaml:9:7: data: grid.batch_size[1]: 5 is above 4\n") {
		t.Errorf("error %v", err)
	}
	var v *ValueError
	if !errors.As(err, &v) {
		t.Error("the located error does not wrap the value's")
	}
	other := errors.New("other")
	if s.Locate(other) != other {
		t.Error("another error was changed")
	}
}

func TestResolveLeavesItsArgument(t *testing.T) {
	orders := []int{3, 1, 2}
	c, err := ParseConfig("f.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	c.Measure.Orders = orders
	if _, err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3, 1, 2}, orders); diff != "" {
		t.Error(diff)
	}
}

// roundTrip marshals a resolved configuration and reads it again.
func roundTrip(t interface{ Fatalf(string, ...any) }, c Config) {
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	again, err := Source{Name: "again.yaml", Text: text}.Config()
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	if diff := cmp.Diff(c, again); diff != "" {
		t.Fatalf("%s\n%s", text, diff)
	}
	points := c.Points()
	if len(points) == 0 || len(points) > MaxPoints {
		t.Fatalf("%d points", len(points))
	}
	for _, p := range points[len(points)-1:] {
		if text, err = yaml.Marshal(p); err != nil {
			t.Fatalf("%v", err)
		}
		var q Point
		if err := readYAML("point.yaml", text, &q); err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if p.Hash() != q.Hash() {
			t.Fatalf("%s\nthe point has another hash after it is read: %+v, %+v", text, p, q)
		}
	}
}

func TestResolvedConfigurationsAreReadBackExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		positive := rapid.Float64Range(5e-324, 1.7e308)
		c, err := Config{
			Name: rapid.StringMatching(`[-_a-zA-Z0-9][-_.a-zA-Z0-9]{0,8}`).Draw(t, "name"),
			Dataset: Dataset{
				Name:       rapid.OneOf(rapid.StringMatching(`[ -~]{1,12}`), rapid.String()).Filter(func(s string) bool { return path(s) == "" }).Draw(t, "dataset"),
				Preprocess: Preprocess{Scale: rapid.Float64Range(-1e308, 1e308).Draw(t, "scale"), Std: rapid.SliceOf(positive).Draw(t, "std")},
			},
			Model: drawModel(t),
			SGD: SGD{
				Iterations: rapid.IntRange(1, 1<<62).Draw(t, "iterations"), Momentum: rapid.Float64Range(1e-9, 0.999).Draw(t, "momentum"),
				Nesterov: rapid.Bool().Draw(t, "Nesterov"), WeightDecay: rapid.Float64Range(0, 1).Draw(t, "decay"),
				SAMRadius: positive.Draw(t, "radius"), InputPenalty: positive.Draw(t, "penalty"), LabelNoise: positive.Draw(t, "noise"),
			},
			Stop: Stop{Loss: positive.Draw(t, "stop")},
			Grid: Grid{
				Method:       rapid.SliceOfNDistinct(rapid.SampledFrom(methods), 1, 5, rapid.ID).Draw(t, "methods"),
				LearningRate: rapid.SliceOfNDistinct(positive, 1, 4, rapid.ID).Draw(t, "η"),
				BatchSize:    rapid.SliceOfNDistinct(rapid.IntRange(1, 1<<62), 1, 4, rapid.ID).Draw(t, "B"),
			},
			Repetitions: rapid.IntRange(0, 3).Draw(t, "repetitions"),
			Seed:        rapid.Uint64().Draw(t, "seed"),
		}.Resolve()
		if err != nil {
			t.Fatalf("%v", err)
		}
		roundTrip(t, c)
	})
}

func drawModel(t *rapid.T) Model {
	sizes := rapid.IntRange(1, 1<<62)
	if rapid.Bool().Draw(t, "fnn") {
		return Model{Hidden: rapid.SliceOf(sizes).Draw(t, "hidden")}
	}
	return Model{
		Kind:   "layers",
		Input:  rapid.SampledFrom([][]int{nil, {}, {7}, {3, 32, 32}}).Draw(t, "input"),
		Layers: rapid.SliceOfN(rapid.Custom(drawLayer), 1, 20).Draw(t, "layers"),
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(good, "grid.batch_size=[1]")
	f.Add(layered, "grid.method=[gd]")
	f.Add(layered, "model.layers=[conv: {out: 3, kernel: 3}, relu: , {maxpool: 2}]")
	f.Add(good, "sgd={nesterov: true, momentum: 0.9, sam_radius: 1}")
	f.Add("name: a\n---\nname: b\n", "a.b=c")
	f.Add("grid: {learning_rate: [0.1], batch_size: [1e3]}\ndataset: {name: \"x: y\"}\nsgd: {iterations: 3}\n", "dataset.name=- a")
	f.Add("a: &a [*a]\n? - b\n: !!x |\n  c\n<<: *a\n", "name=*a")
	fuzztest.Run(f, func(t *testing.T, text, set string) {
		c, err := Source{Name: "f.yaml", Text: []byte(text), Set: []string{set}}.Config()
		if err == nil {
			roundTrip(t, c)
		}
		c, err = Source{Name: "f.yaml", Text: []byte(good), Set: []string{set}}.Config()
		if err == nil {
			roundTrip(t, c)
		}
	})
}
