package nn

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestDerivativeIsFiniteDifference(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for a := Tanh; int(a) < len(activationNames); a++ {
		for range 50 {
			z := 3 * rng.NormFloat64()
			const h = 1e-5
			value, slope := make([]float64, 2), []float64{1}
			apply(a, value, []float64{z - h, z + h})
			applyDerivative(a, slope, []float64{z})
			if want := (value[1] - value[0]) / (2 * h); !(math.Abs(slope[0]-want) <= 1e-8) {
				t.Errorf("%v′(%v) = %v, finite difference %v", a, z, slope[0], want)
			}
		}
	}
}

// Values at 0 and far out, where exponentials overflow.
func TestSigmoidValues(t *testing.T) {
	y, z := make([]float64, 3), []float64{0, 1000, -1000}
	apply(Sigmoid, y, z)
	if y[0] != 0.5 || y[1] != 1 || y[2] != 0 {
		t.Errorf("sigmoid of %v = %v, want 0.5, 1, 0", z, y)
	}
	slope := []float64{1, 1, 1}
	applyDerivative(Sigmoid, slope, z)
	if slope[0] != 0.25 || slope[1] != 0 || slope[2] != 0 || Sigmoid.secondDerivative(-1000) != 0 {
		t.Errorf("sigmoid′ of %v = %v, want 0.25, 0, 0", z, slope)
	}
}

func TestActivationNames(t *testing.T) {
	for a := Identity; int(a) < len(activationNames); a++ {
		if got, err := ParseActivation(a.String()); err != nil || got != a {
			t.Errorf("ParseActivation(%q) = %v, %v", a.String(), got, err)
		}
	}
	if _, err := ParseActivation("sigmod"); err == nil {
		t.Error("ParseActivation of an unknown name: no error")
	}
}
