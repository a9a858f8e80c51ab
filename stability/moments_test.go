package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// eachBatch calls visit with every batch of B samples and its probability.
func eachBatch(n, batch int, s Sampling, visit func(samples []int, probability float64)) {
	total := 0.0
	walk := func(visit func([]int)) {
		samples := make([]int, batch)
		var place func(at, from int)
		place = func(at, from int) {
			if at == batch {
				visit(samples)
				return
			}
			for i := from; i < n; i++ {
				samples[at] = i
				next := i + 1
				if s == WithReplacement {
					next = 0
				}
				place(at+1, next)
			}
		}
		place(0, 0)
	}
	walk(func([]int) { total++ })
	walk(func(samples []int) { visit(samples, 1/total) })
}

// enumeratedMoments is BatchMoments by its definition.
func enumeratedMoments(q []float64, order int, s Sampling, batch int) []float64 {
	moments := make([]float64, order+1)
	eachBatch(len(q), batch, s, func(samples []int, probability float64) {
		var mean float64
		for _, i := range samples {
			mean += q[i] / float64(batch)
		}
		for m := range moments {
			moments[m] += probability * math.Pow(mean, float64(m))
		}
	})
	return moments
}

// batchSizeMoments goes sample by sample through F[b][m], the sum over the batches of
// b samples so far of (Σ_S q)^m, divided by their number: O(n·B·m²), all terms
// positive.
func batchSizeMoments(q []float64, order, batch int) []float64 {
	f := make([][MaxOrder + 1]float64, batch+1)
	f[0][0] = 1
	var binomial [MaxOrder + 1][MaxOrder + 1]float64
	for m := range binomial {
		binomial[m][0] = 1
		for j := 1; j <= m; j++ {
			binomial[m][j] = binomial[m-1][j-1] + binomial[m-1][j]
		}
	}
	var power [MaxOrder + 1]float64
	power[0] = 1
	for i, v := range q {
		for m := 1; m <= order; m++ {
			power[m] = power[m-1] * v / float64(batch)
		}
		for b := min(batch, i+1); b >= 1; b-- {
			with := float64(b) / float64(i+1)
			for m := order; m >= 0; m-- {
				var sum float64
				for j := 0; j <= m; j++ {
					sum += binomial[m][j] * f[b-1][m-j] * power[j]
				}
				f[b][m] = (1-with)*f[b][m] + with*sum
			}
		}
	}
	return f[batch][:order+1]
}

// wideRange returns numbers over the given number of decades.
func wideRange(rng *rand.Rand, n int, decades float64) []float64 {
	q := make([]float64, n)
	for i := range q {
		q[i] = 37 * math.Pow(10, -decades*rng.Float64())
	}
	return q
}

func worstRatio(got, want []float64) float64 {
	worst := 0.0
	for m := range want {
		worst = max(worst, math.Abs(got[m]/want[m]-1))
	}
	return worst
}

func TestBatchMomentsEnumerated(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	for _, size := range []struct{ n, batch int }{{1, 1}, {2, 1}, {2, 2}, {5, 2}, {6, 3}, {9, 4}, {7, 7}, {9, 8}} {
		for _, s := range []Sampling{WithoutReplacement, WithReplacement, Epochs} {
			if s == WithReplacement && math.Pow(float64(size.n), float64(size.batch)) > 1e5 {
				continue
			}
			q := wideRange(rng, size.n, 4)
			want := enumeratedMoments(q, MaxOrder, s, size.batch)
			if worst := worstRatio(BatchMoments(q, MaxOrder, s, size.batch), want); !(worst <= 2e-13) {
				t.Errorf("n=%d B=%d %v: relative error %g", size.n, size.batch, s, worst)
			}
			sums, scale := scaledPowerSums(q, MaxOrder)
			fromSums := PowerSumMoments(sums, size.n, s, size.batch)
			for m := range fromSums {
				fromSums[m] *= math.Pow(scale, float64(m))
			}
			if worst := worstRatio(fromSums, want); !(worst <= 1e-9) {
				t.Errorf("n=%d B=%d %v: relative error from power sums %g", size.n, size.batch, s, worst)
			}
		}
	}
}

// Against the recursion over batch sizes, up to n = 5,000; and the power sums lose
// no more digits than PowerSumMoments says.
func TestBatchMomentsOfManySamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	lost := [MaxOrder + 1]float64{2: 3, 4: 75, 6: 4683, 8: 545835}
	for _, c := range []struct {
		n, batch int
		decades  float64
	}{{300, 1, 12}, {300, 2, 2}, {300, 150, 8}, {300, 299, 1}, {300, 300, 12}, {1000, 40, 30}, {5000, 1, 3}, {5000, 64, 10}, {2000, 400, 0}} {
		q := wideRange(rng, c.n, c.decades)
		want := batchSizeMoments(q, MaxOrder, c.batch)
		got := BatchMoments(q, MaxOrder, WithoutReplacement, c.batch)
		if worst := worstRatio(got, want); !(worst <= 1e-12) {
			t.Errorf("%+v: relative error %g", c, worst)
		}
		sums, scale := scaledPowerSums(q, MaxOrder)
		fromSums := PowerSumMoments(sums, c.n, WithoutReplacement, c.batch)
		for m := 2; m <= MaxOrder; m += 2 {
			err := math.Abs(fromSums[m]*math.Pow(scale, float64(m))/got[m] - 1)
			if !(err <= lost[m]*1e-14+1e-13) {
				t.Errorf("%+v: order %d loses too much: %g", c, m, err)
			}
		}
	}
}

// One sample that outweighs all others, the worst case of the cancellation.
func TestPowerSumsWithOneLargeSample(t *testing.T) {
	for _, n := range []int{2, 50, 5000} {
		q := make([]float64, n)
		for i := range q {
			q[i] = 1e-9
		}
		q[n/2] = 1
		for _, batch := range []int{1, 2, n/2 + 1, n} {
			sums, _ := scaledPowerSums(q, MaxOrder)
			err := worstRatio(PowerSumMoments(sums, n, WithoutReplacement, batch), BatchMoments(q, MaxOrder, WithoutReplacement, batch))
			if !(err <= 1e-9) {
				t.Errorf("n=%d B=%d: relative error %g", n, batch, err)
			}
		}
	}
}

func TestBatchMomentsClosedForms(t *testing.T) {
	equal := []float64{3, 3, 3, 3, 3}
	for _, s := range []Sampling{WithoutReplacement, WithReplacement} {
		for m, v := range BatchMoments(equal, MaxOrder, s, 3) {
			if !(math.Abs(v/math.Pow(3, float64(m))-1) <= 1e-14) {
				t.Errorf("%v: moment %d of equal samples is %v", s, m, v)
			}
		}
		for m, v := range BatchMoments(make([]float64, 4), 3, s, 2)[1:] {
			if v != 0 {
				t.Errorf("%v: moment %d of zeros is %v", s, m+1, v)
			}
		}
	}
	// A batch larger than the data.
	want := enumeratedMoments([]float64{1, 4}, 4, WithReplacement, 5)
	if worst := worstRatio(BatchMoments([]float64{1, 4}, 4, WithReplacement, 5), want); !(worst <= 1e-14) {
		t.Errorf("B > n with replacement: relative error %g", worst)
	}
	// Scales that would overflow or vanish in their eighth powers.
	for _, scale := range []float64{1e-30, 1e30} {
		got := BatchMoments([]float64{scale, 2 * scale}, 2, WithoutReplacement, 1)
		if !(math.Abs(got[2]/(2.5*scale*scale)-1) <= 1e-14) {
			t.Errorf("scale %g: second moment %v", scale, got[2])
		}
	}
}

func BenchmarkBatchMoments(b *testing.B) {
	q := wideRange(rand.New(rand.NewPCG(4, 0)), 5000, 4)
	for b.Loop() {
		BatchMoments(q, MaxOrder, WithoutReplacement, 64)
	}
}
