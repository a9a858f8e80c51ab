package experiment

import (
	"fmt"
	"math"

	"sobolev/bound"
	"sobolev/internal/kernel"
	"sobolev/nn"
)

// target returns what Theorem 6 assumes, from the data, and the largest test error
// of an output.
func (a *around) target() (bound.Target, float64, error) {
	outputs, largest, testError := a.net.Outputs(), 0.0, math.NaN()
	for set, data := range []nn.Data[float64]{a.data, a.test} {
		if data.N == 0 {
			continue
		}
		diff, err := a.net.NewDifferential(data, nn.HalfMSE, a.memory)
		if err != nil {
			return bound.Target{}, 0, err
		}
		r := make([]float64, data.N*outputs)
		diff.Residuals(r)
		sums := make([]float64, outputs)
		for i, v := range r {
			sums[i%outputs] += v * v / float64(data.N)
			largest = max(largest, math.Abs(data.Y[i]), math.Abs(v+data.Y[i]))
		}
		if set == 1 && a.point.Loss().Squared() { // else outputs are logits, no estimates of y
			testError = largestOf(sums)
		}
	}
	t := bound.Target{
		Bound:     bound.Constant{Value: largest, Condition: bound.Condition{Holds: bound.Assumed, Evidence: "the largest |f_c| and |y_c| of the data"}},
		Lipschitz: bound.Constant{Value: a.targetLipschitz(), Condition: bound.Condition{Holds: bound.Assumed, Evidence: "the largest ‖y_i − y_j‖/‖x_i − x_j‖ of the training data"}},
	}
	if upper := float64(a.Geometry.UncoveredCI95[1]); !math.IsNaN(upper) {
		t.Outside = bound.Constant{Value: upper, Condition: bound.Condition{Holds: bound.Yes,
			Evidence: fmt.Sprintf("upper end of the 95%% Clopper–Pearson interval from %d test samples", a.test.N)}}
	}
	return a.given.target(t), testError, nil
}

// targetLipschitz returns max ‖y_i − y_j‖/‖x_i − x_j‖; +Inf where equal inputs have
// different targets.
func (a *around) targetLipschitz() float64 {
	const block = 64
	n, d, c := a.data.N, a.net.Inputs(), a.net.Outputs()
	squares := make([]float64, n)
	for i := range squares {
		for _, v := range a.data.X[i*d : (i+1)*d] {
			squares[i] += v * v
		}
	}
	products, largest := make([]float64, block*n), 0.0
	for from := 0; from < n; from += block {
		rows := min(block, n-from)
		kernel.Gemm(false, true, rows, from+rows, d, 1, a.data.X[from*d:], d, a.data.X, d, 0, products, n)
		for r := range rows {
			i := from + r
			for j := range i {
				y := 0.0
				for o := range c {
					e := a.data.Y[i*c+o] - a.data.Y[j*c+o]
					y += e * e
				}
				if y == 0 {
					continue
				}
				x := squares[i] + squares[j] - 2*products[r*n+j]
				if x <= 1e-9*(squares[i]+squares[j]) { // cancelled: look again
					x = 0
					for l := range d {
						e := a.data.X[i*d+l] - a.data.X[j*d+l]
						x += e * e
					}
				}
				largest = math.Max(largest, y/x)
			}
		}
	}
	return math.Sqrt(largest)
}
