package rundir

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func resolved(t testing.TB, text string, set ...string) Config {
	t.Helper()
	c, err := Source{Name: "f.yaml", Text: []byte(text), Set: set}.Config()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// These names are those of folders on users' disks: a version of the program
// that gives others trains everything again.
func TestNamesAreThoseOfEarlierVersions(t *testing.T) {
	full := Point{
		Dataset: Dataset{Name: "d", Classes: []int{1, 0}, PerClass: 10, TestPerClass: 5, Draw: "first", Preprocess: Preprocess{Scale: 0.5, Mean: []float64{1e-9}, Std: []float64{3}}},
		Model:   Model{Kind: "fnn", Hidden: []int{3}, Activation: "tanh", Init: "he"}, Loss: "half-mse",
		SGD: SGD{Iterations: 7, Sampling: "epochs", Momentum: 0.9}, Stop: Stop{Loss: 1e-4, Accuracy: 0.5},
		Method: "sam", LearningRate: 1e-5, BatchSize: 4, Repetition: 2, Seed: 18446744073709551615,
	}
	for _, c := range []struct {
		point Point
		want  string
	}{
		{resolved(t, good).Points()[0], "lr=0.1,batch=3,rep=1-3fd68d70192c"},
		{full, "method=sam,lr=1e-05,batch=4,rep=2-4fdc86db852f"},
	} {
		if got := c.point.Name(); got != c.want {
			t.Errorf("name %s, want %s", got, c.want)
		}
	}
}

func TestHashIsThatOfTheWeights(t *testing.T) {
	names := func(set ...string) []string {
		var ns []string
		for _, p := range resolved(t, good, set...).Points() {
			ns = append(ns, p.Name())
		}
		slices.Sort(ns)
		return ns
	}
	want := names()
	for _, same := range []string{
		"name=other", "measure.orders=[1]", "measure.every=3", "grid.learning_rate=[2, 1e-1]", "grid.batch_size=[5, 3]",
		"sgd.momentum=-0.0", "stop.loss=-0", "dataset.preprocess={mean: [], scale: -0.0}", "loss=mse", "grid.method=[sgd]", "stop.accuracy=0",
	} {
		if got := names(same); !slices.Equal(got, want) {
			t.Errorf("%s changes the points from %q to %q", same, want, got)
		}
	}
	for _, more := range []string{"repetitions=3", "grid.learning_rate=[2, 0.1, 5]", "grid.batch_size=[1, 3, 5]"} {
		got := names(more)
		for _, n := range want {
			if !slices.Contains(got, n) {
				t.Errorf("%s loses %s", more, n)
			}
		}
	}
	seen := map[string]string{}
	for _, other := range []string{
		"seed=1", "loss=half-mse", "dataset.name=e", "dataset.classes=[1, 0]", "dataset.per_class=3", "dataset.draw=first", "dataset.preprocess.scale=2",
		"dataset.preprocess.mean=[1]", "dataset.preprocess.std=[2]", "model.hidden=[5]", "model.activation=tanh", "model.init=he",
		"sgd.iterations=2000", "sgd.sampling=epochs", "sgd.momentum=0.5", "stop.loss=0.1", "stop.accuracy=0.5",
	} {
		for _, n := range names(other) {
			if prev, ok := seen[n]; ok || slices.Contains(want, n) {
				t.Errorf("%s gives %s, as does %q", other, n, prev)
			}
			seen[n] = other
		}
	}
}

func TestNoHiddenLayersHaveOneHash(t *testing.T) {
	a := resolved(t, strings.Replace(good, "{hidden: [5, 4]}", "{hidden: []}", 1)).Points()[0]
	b := resolved(t, strings.Replace(good, "{hidden: [5, 4]}", "{}", 1)).Points()[0]
	if a.Hash() != b.Hash() {
		t.Errorf("%s and %s", asJSON(a), asJSON(b))
	}
}

// Names go through every file system and archive.
func TestNamesAreFileNames(t *testing.T) {
	c := resolved(t, good, "grid.learning_rate=[5e-324, 1e300, 1e21, 0.1, 3]", "grid.batch_size=[9223372036854775807]")
	pattern := regexp.MustCompile(`^[-+.,=a-z0-9]{1,100}$`)
	for _, p := range c.Points() {
		if !pattern.MatchString(p.Name()) {
			t.Errorf("name %q", p.Name())
		}
		var back Point
		if err := json.Unmarshal([]byte(asJSON(p)), &back); err != nil || back.Name() != p.Name() {
			t.Errorf("%s reads back as %s: %v", p.Name(), back.Name(), err)
		}
	}
}
