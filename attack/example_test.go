package attack_test

import (
	"fmt"
	"math/rand/v2"

	"sobolev/attack"
	"sobolev/nn"
)

// The output 3x₁ − 4x₂ changes by 5δ within ‖x − x_i‖₂ ≤ δ, and by 7δ within
// ‖x − x_i‖_∞ ≤ δ.
func ExampleAttacker_OutputChange() {
	net, err := nn.New[float64](nn.FNN(2, nil, 1, nn.Identity))
	if err != nil {
		panic(err)
	}
	net.SetParameters([]float64{3, -4, 0})
	a, err := attack.New(net, 1<<20)
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(1, 0))
	for _, norm := range []attack.Norm{attack.L2, attack.LInf} {
		b := attack.Ball{Norm: norm, Radius: 0.1}
		change, err := a.OutputChange([]float64{1, 2}, b, attack.FGSM(b), rng)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%v: %.2f at %.2f\n", b, change.Largest[0], change.Point)
	}
	// Output:
	// l2, δ = 0.1: 0.50 at [1.06 1.92]
	// linf, δ = 0.1: 0.70 at [1.10 1.90]
}

// The search's constant is attained, the certified one is proven; what Definition 1
// needs lies between them.
func ExampleCertify() {
	net, err := nn.New[float64](nn.FNN(2, []int{2}, 1, nn.Tanh))
	if err != nil {
		panic(err)
	}
	net.SetParameters([]float64{1, 0.5, -0.5, 1, 0, 0.2, 1, -1, 0})
	x, rng := []float64{1, 2}, rand.New(rand.NewPCG(1, 0))
	const k, radius = 2, 0.05
	found, err := attack.SearchSmoothness(net, x, attack.RankOne, k, radius, attack.Search{Steps: 20, Restarts: 3}, rng, 1<<20)
	if err != nil {
		panic(err)
	}
	certificate, err := attack.Certify(net, x, attack.RankOne, k, radius)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.4f <= C_s <= %.4f, ratio %.3f\n", found.Constant.Value, certificate.Constant.Value, certificate.Ratio(found))
	// Output: 0.5628 <= C_s <= 0.5641, ratio 1.002
}
