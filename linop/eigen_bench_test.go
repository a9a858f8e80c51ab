package linop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"

	"sobolev/internal/kernel"
	"sobolev/internal/kernel/blas"
)

func randomSymmetric(n int) []float64 {
	g := rand.New(rand.NewPCG(1, uint64(n)))
	a := make([]float64, n*n)
	for i := range n {
		for j := range i + 1 {
			a[i*n+j] = g.NormFloat64()
			a[j*n+i] = a[i*n+j]
		}
	}
	return a
}

// BenchmarkEigenSym reports the best and the median time, the best time of every
// phase, and the best time's share of the core's float64 peak. It counts (4/3 + 4/3
// + 2) n³ operations: reduction, divide and conquer, and the way back. A random
// matrix deflates little: the worst case for divide and conquer.
func BenchmarkEigenSym(b *testing.B) {
	for _, n := range []int{500, 1000, 2000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := randomSymmetric(n)
			var all, reduce, divide, back []float64
			peak := 0.0
			for b.Loop() {
				start := time.Now()
				done := kernel.FMAPeakLoop64(200_000)
				peak = max(peak, float64(done)/time.Since(start).Seconds())

				start = time.Now()
				t := newTridiagonal(n, a, 1)
				t.reduce()
				reduced := time.Now()
				s := newDivided(t.diagonal, t.off)
				if err := s.solve(0, n); err != nil {
					b.Fatal(err)
				}
				divided := time.Now()
				t.transformBack(s.vectors)
				s.ascending()
				end := time.Now()
				all = append(all, end.Sub(start).Seconds())
				reduce = append(reduce, reduced.Sub(start).Seconds())
				divide = append(divide, divided.Sub(reduced).Seconds())
				back = append(back, end.Sub(divided).Seconds())
			}
			slices.Sort(all)
			size := float64(n)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e3*all[0], "min-ms")
			b.ReportMetric(1e3*all[len(all)/2], "med-ms")
			b.ReportMetric(1e3*slices.Min(reduce), "reduce-min-ms")
			b.ReportMetric(1e3*slices.Min(divide), "divide-min-ms")
			b.ReportMetric(1e3*slices.Min(back), "back-min-ms")
			b.ReportMetric(100*14/3.*size*size*size/all[0]/peak, "min-%peak")
		})
	}
}

// BenchmarkEigenSymAgainstGonum runs both on one matrix by turns, Gonum with its
// own products and with those of package kernel. Gonum's products use GOMAXPROCS
// goroutines: compare with -cpu 1.
func BenchmarkEigenSymAgainstGonum(b *testing.B) {
	defer blas.Use()
	for _, n := range []int{500, 800} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := randomSymmetric(n)
			sym := mat.NewSymDense(n, a)
			theirs := func() {
				if !new(mat.EigenSym).Factorize(sym, true) {
					b.Fatal("no convergence")
				}
			}
			best := [3]float64{}
			for b.Loop() {
				for i, run := range []func(){
					func() { _, _, _ = EigenSym(n, a) },
					func() { blas64.Use(gonum.Implementation{}); theirs() },
					func() { blas.Use(); theirs() },
				} {
					start := time.Now()
					run()
					if t := time.Since(start).Seconds(); best[i] == 0 || t < best[i] {
						best[i] = t
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e3*best[0], "min-ms")
			b.ReportMetric(best[1]/best[0], "×-gonum")
			b.ReportMetric(best[2]/best[0], "×-gonum-on-kernel")
		})
	}
}
