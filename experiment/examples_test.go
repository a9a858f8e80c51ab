package experiment

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"sobolev/dataset"
	"sobolev/nn"
	"sobolev/rundir"
	"sobolev/stability"
)

// exampleStudy is the golden network on its data, which are taken for images. At the
// test samples its classes are right, and within reach of an attack.
func exampleStudy(t *testing.T, shape []int, preprocessing dataset.Preprocessing) *study {
	t.Helper()
	s := goldenStudy(t, nn.MSE, 0.01, 2, stability.WithoutReplacement)
	s.options.Radius, s.shape, s.preprocessing = 0.5, shape, preprocessing
	c := s.net.Outputs()
	s.test = nn.Data[float64]{N: s.data.N, X: s.data.X, Y: make([]float64, s.data.N*c), Classification: true}
	gradients, err := s.net.NewInputGradients(s.memory)
	if err != nil {
		t.Fatal(err)
	}
	f := make([]float64, s.data.N*c)
	gradients.Outputs(f, s.data.X)
	for i := range s.data.N {
		s.test.Y[i*c+classOf(f[i*c:(i+1)*c], -1)] = 1
	}
	if err := s.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// What an example shows is what was attacked: the pixels are those of the sample,
// and the network says of pixels plus difference what the example says it does.
func TestExamplesAreTheAttacks(t *testing.T) {
	preprocessing := dataset.Preprocessing{Scale: 0.5, Mean: []float64{0.25}, Std: []float64{2}}
	s := exampleStudy(t, []int{1, 2, 3}, preprocessing)
	examples := s.Robustness.Examples
	if len(examples) != exampleCount {
		t.Fatalf("%d examples, want %d", len(examples), exampleCount)
	}
	lo, hi := slices.Min(s.data.X), slices.Max(s.data.X)
	gradients, err := s.net.NewInputGradients(s.memory)
	if err != nil {
		t.Fatal(err)
	}
	turned := 0
	for _, e := range examples {
		data := s.data
		if e.Set == testSet {
			data = s.test
		}
		x, c := data.X[6*e.Sample:6*e.Sample+6], s.net.Outputs()
		moved, distance := slices.Clone(x), 0.0
		for j, b := range e.Original {
			if want := 255 * (x[j] - lo) / (hi - lo); !(math.Abs(float64(b)-want) <= 0.5+1e-9) {
				t.Errorf("pixel %d is %d, want %v", j, b, want)
			}
			step := (float64(e.Difference[j]) - 128) * float64(e.DifferenceScale) * (hi - lo)
			moved[j] += step
			distance += step * step
		}
		// A byte of the difference is wrong by up to a half.
		rounding := math.Sqrt(6) / 2 * float64(e.DifferenceScale) * (hi - lo)
		if distance := math.Sqrt(distance); !(distance <= float64(e.Radius)+rounding) || distance == 0 {
			t.Errorf("moved by %v within %v", distance, e.Radius)
		}
		before, after := make([]float64, c), make([]float64, c)
		gradients.Outputs(before, x)
		gradients.Outputs(after, moved)
		change := 0.0
		for o := range c {
			change = math.Max(change, math.Abs(after[o]-before[o]))
		}
		if !(math.Abs(change-float64(e.Change)) <= 0.02*float64(e.Change)) || !(e.Change > 0) {
			t.Errorf("an output changes by %v, the example says %v", change, e.Change)
		}
		if classOf(before, -1) != *e.Before || *e.Label != classOf(data.Y[e.Sample*c:(e.Sample+1)*c], -1) {
			t.Errorf("%+v is not sample %d", e, e.Sample)
		}
		if e.Set == testSet {
			turned++
			if *e.Before != *e.Label || *e.After == *e.Label {
				t.Errorf("no class turned in %+v", e)
			}
		}
	}
	if turned == 0 {
		t.Error("no class turned at all, so that the order of examples is not tested")
	}
	again := exampleStudy(t, []int{1, 2, 3}, preprocessing).Robustness.Examples
	a, _ := json.Marshal(examples)
	b, _ := json.Marshal(again)
	if string(a) != string(b) {
		t.Error("the same solution gives other examples")
	}
	var back []rundir.AttackExample
	if err := json.Unmarshal(a, &back); err != nil || !slices.Equal(back[0].Original, examples[0].Original) {
		t.Errorf("read back: %v", err)
	}
}

func TestExamplesAreImages(t *testing.T) {
	for _, shape := range [][]int{{6}, {2, 1, 3}} {
		if s := exampleStudy(t, shape, dataset.Preprocessing{Scale: 1}); s.Robustness.Examples != nil {
			t.Errorf("inputs of shape %v: %+v", shape, s.Robustness.Examples)
		}
	}
	s := exampleStudy(t, []int{3, 1, 2}, dataset.Preprocessing{Scale: 1. / 255})
	if a := (&around{study: s}); len(s.Robustness.Examples) == 0 {
		t.Error("no examples of three channels")
	} else if lo, hi := a.displayed(); lo != 0 || hi != 255 {
		t.Errorf("bytes are shown from %v to %v", lo, hi)
	}
}
