package nn

import (
	"math"
	"testing"
)

// mse at η takes the steps of half-mse at 2η/c: 0.4 η with five outputs, η with
// two, 2η with one.
func TestEffectiveLearningRate(t *testing.T) {
	for _, c := range []struct {
		loss    Loss
		outputs int
		want    float64
	}{{MSE, 1, 0.2}, {MSE, 2, 0.1}, {MSE, 5, 0.04}, {HalfMSE, 1, 0.1}, {HalfMSE, 5, 0.1}} {
		if got := c.loss.EffectiveLearningRate(0.1, c.outputs); !(math.Abs(got-c.want) <= 1e-15) {
			t.Errorf("%v with %d outputs: %v, want %v", c.loss, c.outputs, got, c.want)
		}
	}
}
