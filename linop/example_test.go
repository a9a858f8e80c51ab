package linop_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"sobolev/linop"
)

// secondDifference is the matrix with 2 on the diagonal and −1 beside it, known by
// its product alone; its eigenvalues are 2 − 2·cos(jπ/(n+1)).
func secondDifference(n int) linop.Operator {
	return linop.Func{N: n, Product: func(dst, x []float64) {
		for i, v := range x {
			dst[i] = 2 * v
			if i > 0 {
				dst[i] -= x[i-1]
			}
			if i+1 < n {
				dst[i] -= x[i+1]
			}
		}
	}}
}

func ExampleLanczos() {
	a := secondDifference(2000)
	random := rand.New(rand.NewPCG(1, 0))
	start := make([]float64, a.Dim())
	for i := range start {
		start[i] = random.NormFloat64()
	}
	r, err := linop.Lanczos(context.Background(), a, start, linop.LanczosOptions{MaxSteps: 200, Tolerance: 1e-3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("λ_max = %.3f, converged: %v\n", r.Pairs[0].Value, r.Converged)
	// Output: λ_max = 4.000, converged: true
}

func ExampleHutchinson() {
	e, err := linop.Hutchinson(context.Background(), secondDifference(2000), 100, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("4000 is in the interval:", e.CI95[0] < 4000 && 4000 < e.CI95[1])
	fmt.Println("it is narrower than 1%:", e.CI95[1]-e.CI95[0] < 40)
	// Output:
	// 4000 is in the interval: true
	// it is narrower than 1%: true
}

func ExampleStochasticLanczos() {
	d, err := linop.StochasticLanczos(context.Background(), secondDifference(2000), 40, 10, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		fmt.Println(err)
		return
	}
	// A third of the eigenvalues is below 2 − 2·cos(π/3) = 1.
	for i, e := range d.Cumulative([]float64{0, 1, 2, 4}) {
		fmt.Printf("%.1f of the eigenvalues are at most %d\n", e.Value, []int{0, 1, 2, 4}[i])
	}
	// Output:
	// 0.0 of the eigenvalues are at most 0
	// 0.3 of the eigenvalues are at most 1
	// 0.5 of the eigenvalues are at most 2
	// 1.0 of the eigenvalues are at most 4
}
