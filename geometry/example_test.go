package geometry_test

import (
	"fmt"

	"sobolev/geometry"
)

// Five training points on a line and four test points: the share of the test
// points that balls of radius 0.5 miss, and the radius that half of them need.
func Example() {
	train := geometry.Points[float32]{N: 5, D: 1, X: []float32{0, 1, 2, 3, 4}}
	test := geometry.Points[float64]{N: 4, D: 1, X: []float64{0.25, 1.5, 2.125, 5}}
	nearest, err := geometry.Nearest(train, test, 1, 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	cover, _ := geometry.CoverAt(nearest.Distance, 0.5)
	radius, _ := geometry.RadiusAt(nearest.Distance, 0.5)
	fmt.Println(nearest.Distance, nearest.Index)
	fmt.Printf("ε = %.2f at δ = %g, between %.3f and %.3f\n", cover.Epsilon, cover.Delta, cover.CI95[0], cover.CI95[1])
	fmt.Println("δ at ε = 0.5:", radius.Value)
	// Output:
	// [0.25 0.5 0.125 1] [0 1 2 4]
	// ε = 0.25 at δ = 0.5, between 0.006 and 0.806
	// δ at ε = 0.5: 0.25
}
