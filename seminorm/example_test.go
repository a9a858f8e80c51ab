package seminorm_test

import (
	"fmt"
	"math/rand/v2"

	"sobolev/seminorm"
)

// The norms that take gradients of a first layer with two inputs and three
// outputs to input gradients.
func ExampleOperatorNorms() {
	weights := seminorm.NewDense(3, 2, []float64{1, 2, -1, 1, 0, 3})
	random := rand.New(rand.NewPCG(1, 0))
	for _, b := range seminorm.OperatorNorms(seminorm.Transpose(weights), []int{1, 2}, seminorm.Search{}, random) {
		fmt.Printf("%.3f <= ‖W₁ᵀ‖_%d <= %.3f\n", b.Lower, 2*b.K, b.Upper)
	}
	// Output:
	// 3.753 <= ‖W₁ᵀ‖_2 <= 3.753
	// 4.688 <= ‖W₁ᵀ‖_4 <= 4.696
}

func ExampleAtPoints() {
	// ‖∇f_c(x_i)‖_2 of two outputs at two samples.
	s := seminorm.AtPoints([]float64{3, 0, 3, 4}, 2, 1)
	fmt.Printf("paper %.3f, published code %.3f\n", s.Sum, s.Joint)
	// Output: paper 5.828, published code 4.123
}
