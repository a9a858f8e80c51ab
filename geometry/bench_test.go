package geometry

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"sobolev/internal/kernel"
)

func gaussian[T kernel.Float](n, d int, random *rand.Rand) Points[T] {
	x := make([]T, n*d)
	for i := range x {
		x[i] = T(random.NormFloat64())
	}
	return Points[T]{N: n, D: d, X: x}
}

// peak32 is the float32 multiply-add peak of the core in FLOP/s, the best of some rounds.
func peak32() float64 {
	best := 0.0
	for range 5 {
		start := time.Now()
		flops := kernel.FMAPeakLoop32(1 << 21)
		best = max(best, float64(flops)/time.Since(start).Seconds())
	}
	return best
}

// BenchmarkNearest reports the share of the float32 peak that the search reaches,
// counted as the 2nmd operations of the product alone. SOBOLEV_BENCH_SCALE
// multiplies points and queries: 10 gives 60,000 points and 10,000 queries, 100
// times the work.
func BenchmarkNearest(b *testing.B) {
	scale, err := strconv.Atoi(os.Getenv("SOBOLEV_BENCH_SCALE"))
	if err != nil {
		scale = 1
	}
	n, m, d := 6000*scale, 1000*scale, 784
	random := rand.New(rand.NewPCG(1, 0))
	x, q := gaussian[float32](n, d, random), gaussian[float32](m, d, random)
	for _, k := range []int{1, 64} {
		b.Run("k="+strconv.Itoa(k), func(b *testing.B) {
			for b.Loop() {
				if _, err := Nearest(x, q, k, 1<<30); err != nil {
					b.Fatal(err)
				}
			}
			flops := 2 * float64(n) * float64(m) * float64(d) * float64(b.N) / b.Elapsed().Seconds()
			b.ReportMetric(flops/1e9, "GFLOP/s")
			b.ReportMetric(100*flops/peak32(), "%peak")
		})
	}
}
