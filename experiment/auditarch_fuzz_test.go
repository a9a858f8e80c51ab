package experiment

import (
	"errors"
	"testing"

	"sobolev/internal/fuzztest"
	"sobolev/nn"
	"sobolev/rundir"
)

// Whatever an architecture file says, it is an architecture or an error of the option.
func FuzzArchitecture(f *testing.F) {
	for _, seed := range []string{
		"", "input: [6]\nlayers: [linear: 5, relu, linear: {out: 2, bias: false}]\n",
		"input: [2, 8, 8]\nlayers:\n  - conv: {out: 3, kernel: 3, padding: 1}\n  - relu\n  - maxpool: 2\n  - flatten\n  - linear: 2\nweights: [features, classifier]\n",
		"weights:\n- a\n- b\ninput: [4, 4, 4]\nlayers: [residual: {body: [conv: {out: 4, kernel: 1, bias: false}, batchnorm]}, flatten, linear: 3]",
		"layers: [linear: 999999999999]\nweights: x", "weights: [[a]]\nlayers: []", "kind: fnn\nhidden: [3]", "layers: [linear: 3]\nweights: [a]\nweights: [b]",
	} {
		f.Add(seed)
	}
	fuzztest.Run(f, func(t *testing.T, text string) {
		arch, _, err := parseArchitecture("arch.yaml", text, []int{6})
		var value *rundir.ValueError
		switch {
		case errors.As(err, &value) && value.Key == "arch" && value.Problem != "":
		case err != nil:
			t.Fatalf("%q: an error of another kind: %v", text, err)
		default:
			w, err := arch.ParameterCount()
			if err != nil || !(w >= 1) {
				t.Fatalf("%q: %v parameters, %v", text, w, err)
			}
			if w > 1e4 {
				return
			}
			if _, err := nn.New[float32](arch); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
