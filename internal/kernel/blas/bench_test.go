package blas

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
)

var implementations = []struct {
	name string
	blas blas.Float64
}{{"gonum", gonum.Implementation{}}, {"kernel", Implementation{}}}

// Gonum's product runs on GOMAXPROCS goroutines: compare with -cpu 1.
func BenchmarkFactorisations(b *testing.B) {
	g := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{200, 1000} {
		x := mat.NewDense(n, n, randomMatrix(g, n, n, 0).data)
		var gram mat.SymDense
		gram.SymOuterK(1, x)
		factor := new(mat.Cholesky)
		factor.Factorize(&gram)
		for _, work := range []struct {
			name string
			do   func()
		}{
			{"product", func() { new(mat.Dense).Mul(x, x.T()) }},
			{"gram", func() { new(mat.SymDense).SymOuterK(1, x) }},
			{"cholesky", func() { new(mat.Cholesky).Factorize(&gram) }},
			{"solve", func() { factor.SolveTo(new(mat.Dense), x) }},
			{"lu", func() { new(mat.LU).Factorize(x) }},
			{"qr", func() { new(mat.QR).Factorize(x) }},
		} {
			for _, i := range implementations {
				b.Run(fmt.Sprintf("%s/n=%d/%s", work.name, n, i.name), func(b *testing.B) {
					blas64.Use(i.blas)
					defer blas64.Use(gonum.Implementation{})
					for b.Loop() {
						work.do()
					}
				})
			}
		}
	}
}

// Where the packed product begins to pay.
func BenchmarkSmallDgemm(b *testing.B) {
	for _, n := range []int{4, 8, 12, 16, 32} {
		x, y := make([]float64, n*n), make([]float64, n*n)
		for _, i := range implementations {
			b.Run(fmt.Sprintf("n=%d/%s", n, i.name), func(b *testing.B) {
				for b.Loop() {
					i.blas.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, x, n, 0, y, n)
				}
			})
		}
	}
}
