package linop

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gonum.org/v1/gonum/floats"
)

// lowRank is the product of a Gauss–Newton matrix (1/s)·Σ_i g_i·g_iᵀ of s gradients.
func lowRank(n, samples int) Operator {
	g := make([][]float64, samples)
	for i := range g {
		g[i] = gaussian(n, seeded(uint64(i)))
	}
	h := make([]float64, samples)
	return Func{n, func(dst, x []float64) {
		coefficients(h, g, x)
		clear(dst)
		addCombination(dst, 1/float64(samples), h, g)
	}}
}

// BenchmarkLanczos reports, for n = 100,000 and 50 steps, what a step takes beside its
// product, and that as a share of the product: one with 100 stored gradients (40
// Mflop; one pass of a network of this size over 100 samples and back is 60).
func BenchmarkLanczos(b *testing.B) {
	const n, samples, steps = 100_000, 100, 50
	a := lowRank(n, samples)
	var inside time.Duration
	timed := Func{n, func(dst, x []float64) {
		from := time.Now()
		a.Apply(dst, x)
		inside += time.Since(from)
	}}
	start := gaussian(n, seeded(1))
	for b.Loop() {
		if _, err := Lanczos(context.Background(), timed, start, LanczosOptions{MaxSteps: steps, Pairs: steps}); err != nil {
			b.Fatal(err)
		}
	}
	beside := b.Elapsed() - inside
	b.ReportMetric(float64(beside.Microseconds())/float64(steps*b.N), "µs-beside/step")
	b.ReportMetric(float64(beside)/float64(inside), "beside/product")
}

// BenchmarkOrthogonalise is one pass against m vectors of n = 100,000, which reads the
// basis twice, and beside it one reading alone: sums of products, the roof.
func BenchmarkOrthogonalise(b *testing.B) {
	const n = 100_000
	for _, m := range []int{10, 50} {
		basis := make([][]float64, m)
		for i := range basis {
			basis[i] = make([]float64, n)
			basis[i][i] = 1
		}
		w, h := gaussian(n, seeded(1)), make([]float64, m)
		b.Run(fmt.Sprintf("pass/m=%d", m), func(b *testing.B) {
			b.SetBytes(2 * 8 * n * int64(m))
			for b.Loop() {
				orthogonalise(w, basis, h)
			}
		})
		b.Run(fmt.Sprintf("read/m=%d", m), func(b *testing.B) {
			b.SetBytes(8 * n * int64(m))
			for b.Loop() {
				for _, v := range basis {
					floats.Dot(v, w)
				}
			}
		})
	}
}
