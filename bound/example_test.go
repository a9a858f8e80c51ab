package bound_test

import (
	"fmt"

	"sobolev/bound"
)

// The Sobolev seminorm that order-1 stability allows a network with 784 inputs.
func ExampleTheorem3() {
	solution := bound.Solution{
		Samples: 1000, Parameters: 1_150_000, Outputs: 1, Rank: 1000, LearningRate: 0.1, Batch: 20,
		Interpolates: bound.Condition{Holds: bound.Yes, Evidence: "relative loss 1e-05 <= 0.001"},
		Orders: []bound.Stability{
			{K: 1, Condition: bound.Condition{Holds: bound.Yes, Evidence: "0.1 <= 0.31"}},
			{K: 2, Condition: bound.Condition{Holds: bound.Yes, Evidence: "0.1 <= 0.12"}},
		},
	}
	layer := bound.FirstLayer{Inputs: 784, Width: 500, Bias: true, OperatorNorm: 2.5, MinNorm: 4.1, MinSample: 17}
	b := bound.Theorem3(1, solution, layer, 0.8)
	fmt.Printf("%s: %.3g <= %.4g (%s) <= %.4g\n", b.Status, b.Measured, b.Sharp, b.SharpForm, b.Printed)

	layer.Shared = true
	b = bound.Theorem3(1, solution, layer, 0.8)
	fmt.Printf("%s: %s\n", b.Status, b.WhyNot)
	// Output:
	// applies: 0.8 <= 12.2 (trace) <= 2924
	// does-not-apply: first layer without shared weights: it is a convolution: the gradients of its shared weights can cancel where ∇_x f is not zero
}
