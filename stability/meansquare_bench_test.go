package stability

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"sobolev/internal/kernel"
)

// powerLawSpan returns nc gradients whose Gram matrix has the eigenvalues
// j^{−a} with cond(K) = 1e6 and random eigenvectors.
func powerLawSpan(rng *rand.Rand, n, c int) *Span {
	m := n * c
	s := &Span{N: n, C: c, Rank: m, Lambda: make([]float64, m), Q: normalVector(rng, m*m)}
	gram := make([]float64, m*m)
	for range 2 {
		kernel.Gemm(true, false, m, m, m, 1, s.Q, m, s.Q, m, 0, gram, m)
		if !positiveDefinite(m, gram) {
			panic("a random matrix is singular")
		}
		// Q U⁻¹ has orthonormal columns, but for rounding that a second turn removes.
		blas64.Trsm(blas.Right, blas.NoTrans, 1,
			blas64.Triangular{N: m, Stride: m, Data: gram, Uplo: blas.Upper, Diag: blas.NonUnit},
			blas64.General{Rows: m, Cols: m, Stride: m, Data: s.Q})
	}
	for j := range m {
		s.Lambda[j] = math.Pow(float64(j+1), -6/math.Log10(float64(m)))
		for i := range m {
			s.Q[i*m+j] *= math.Sqrt(s.Lambda[j])
		}
	}
	return s
}

// BenchmarkMomentMap measures one application of C⁻¹D as a share of the core's
// float64 peak, counting the 2·nc·r² operations that symmetry leaves.
func BenchmarkMomentMap(b *testing.B) {
	for _, size := range []int{500, 1000, 2000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := powerLawSpan(rand.New(rand.NewPCG(1, 0)), size, 1)
			a := s.newMomentMap(WithoutReplacement, 10)
			v, dst := a.identity(), a.identity()
			var seconds, peaks []float64
			for b.Loop() {
				start := time.Now()
				done := kernel.FMAPeakLoop64(2_000_000)
				peaks = append(peaks, float64(done)/time.Since(start).Seconds())
				start = time.Now()
				a.apply(dst, v)
				seconds = append(seconds, time.Since(start).Seconds())
			}
			slices.Sort(seconds)
			flops := 2 * float64(size) * float64(size) * float64(size)
			b.ReportMetric(100*flops/seconds[0]/slices.Max(peaks), "best-%peak")
			b.ReportMetric(100*flops/seconds[len(seconds)/2]/slices.Max(peaks), "median-%peak")
		})
	}
}

// BenchmarkMeanSquareThreshold measures the whole threshold from the span on.
func BenchmarkMeanSquareThreshold(b *testing.B) {
	for _, size := range []int{500, 1000, 2000} {
		for _, batch := range []int{1, 20} {
			b.Run(fmt.Sprintf("%d/B=%d", size, batch), func(b *testing.B) {
				s := powerLawSpan(rand.New(rand.NewPCG(1, 0)), size, 1)
				var found Bracket
				for b.Loop() {
					var err error
					if found, err = s.MeanSquareThreshold(WithoutReplacement, batch, 8<<30); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(found.Applications), "applications")
				b.ReportMetric(found.Upper/found.Lower-1, "gap")
			})
		}
	}
}
