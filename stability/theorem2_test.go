package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

func mean(q []float64, f func(float64) float64) float64 {
	var sum float64
	for _, v := range q {
		sum += f(v) / float64(len(q))
	}
	return sum
}

// Theorem 2 in all its forms at the last stable learning rate, k = 1 … 4.
func TestTheorem2AtTheThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 0))
	largest := map[string]float64{}
	for range 25 {
		s, j, w, sampling, batch := smallProblem(t, rng)
		for k := 1; k <= 4; k++ {
			eta := lastStable(t, s, k, sampling, batch)
			checkTheorem2(t, s, j, w, k, eta, sampling, batch, rng, largest)
		}
	}
	// A test that never comes near a bound would not find a wrong constant.
	for name, least := range map[string]float64{"30": 0.9, "30v": 0.9, "30b": 0.99, "30m": 0.9, "34''": 0.9, "second": 0.9, "34'": 0.5} {
		if !(largest[name] >= least) {
			t.Errorf("(%s) came to %v of its bound only", name, largest[name])
		}
	}
}

func checkTheorem2(t *testing.T, s *Span, j []float64, w, k int, eta float64, sampling Sampling, batch int, rng *rand.Rand, largest map[string]float64) {
	t.Helper()
	n, c := s.N, s.C
	check := func(name string, left, right float64) {
		t.Helper()
		if !(left <= right*(1+1e-9)) {
			t.Errorf("n=%d c=%d w=%d B=%d %v k=%d: (%s) %v > %v", n, c, w, batch, sampling, k, name, left, right)
		}
		largest[name] = max(largest[name], left/right)
	}
	power := func(x float64) float64 { return math.Pow(x, float64(k)) }
	one, _, sum := Theorem2Left(coordinateSums(j, n, c, w, k), w, k, n)
	check("30", one, Theorem2Limit(k, batch, eta))
	check("34", sum, Theorem2SumLimit(k, batch, w, eta))
	check("34'", sum, Theorem2SumLimitByGradients(k, batch, w, n, c, eta))
	check("35", meanOfNorms(j, n, c, w, k), Corollary3Limit(k, batch, w, eta))
	check("30m", s.LargestNorm(), Theorem2NormLimit(k, n, sampling, batch, eta))
	for _, v := range append((&directionSearch{Span: s}).axes(3), append(s.topRightVectors(n), randomUnit(s.Rank, rng))...) {
		q := s.Curvatures(v)
		check("30v", mean(q, power), Theorem2Limit(k, batch, eta))
		check("30b", BatchMoments(q, k, sampling, batch)[k], Theorem2BatchLimit(k, eta))
		if k == 2 {
			p := sampling.BatchVariance(n, batch)
			first := mean(q, func(x float64) float64 { return x })
			check("second exact", p*mean(q, power)+(1-p)*first*first, 2*first/eta)
			check("second", mean(q, power), Theorem2SecondLimit(n, sampling, batch, eta))
		}
	}
	if k == 2 {
		trace := 0.0
		for _, l := range s.Lambda {
			trace += l / float64(n)
		}
		check("34''", trace, Theorem2TraceLimit(n, c, s.Rank, sampling, batch, eta))
	}
}

// meanOfNorms is (1/n) Σ_i (Σ_o ‖J_io‖_{2k}^{2k})^{1/2k}.
func meanOfNorms(j []float64, n, c, w, k int) float64 {
	var total float64
	for i := range n {
		var sum float64
		for _, v := range j[i*c*w : (i+1)*c*w] {
			sum += math.Pow(v, float64(2*k))
		}
		total += math.Pow(sum, 1/float64(2*k)) / float64(n)
	}
	return total
}

// B = n with one sample that has a gradient, a² = 2n/η, has equality in (30) and
// in its forms for every k; samples that are all alike, in the second-order form
// with p ≥ ½.
func TestTheorem2Equality(t *testing.T) {
	const n, eta = 6, 0.3
	q := make([]float64, n)
	q[2] = 2 * n / eta
	for k := 1; k <= MaxOrder; k++ {
		power := func(x float64) float64 { return math.Pow(x, float64(k)) }
		for name, ratio := range map[string]float64{
			"30":        mean(q, power) / Theorem2Limit(k, n, eta),
			"30b":       BatchMoments(q, k, WithoutReplacement, n)[k] / Theorem2BatchLimit(k, eta),
			"30m":       q[2] / Theorem2NormLimit(k, n, WithoutReplacement, n, eta),
			"34":        mean(q, power) / Theorem2SumLimit(k, n, 1, eta),
			"threshold": ScalarThreshold(q, k, WithoutReplacement, n) / eta,
		} {
			if !(math.Abs(ratio-1) <= 1e-12) {
				t.Errorf("k=%d: (%s) %v of equality", k, name, ratio)
			}
		}
	}
	if ratio := mean(q, func(x float64) float64 { return x * x }) / Theorem2SecondLimit(n, WithoutReplacement, n, eta); !(math.Abs(ratio-1) <= 1e-14) {
		t.Errorf("second order, B = n: %v of equality", ratio)
	}
	alike := 2 / eta
	if ratio := alike * alike / Theorem2SecondLimit(7, WithReplacement, 2, eta); !(math.Abs(ratio-1) <= 1e-14) {
		t.Errorf("second order, p = ½: %v of equality", ratio)
	}
}

// Lemma 2 pointwise, and (31)–(33): E(1−ηs)^k within ±1 bounds E s^k; s^k is at
// least the sum of the samples' powers over B^k; and the mean over batches of a
// batch mean is the mean over samples.
func TestTheorem2Steps(t *testing.T) {
	least := math.Inf(1)
	for k := 1; k <= 6; k++ {
		for x := 0.0; x < 10; x += 1.0 / 64 {
			slack := math.Pow(2, float64(k-1))*(math.Pow(x-1, float64(k))+1) - math.Pow(x, float64(k))
			least = min(least, slack)
		}
	}
	if least != 0 {
		t.Errorf("least slack of Lemma 2 is %v, want 0", least)
	}
	rng := rand.New(rand.NewPCG(22, 0))
	for range 300 {
		n := 1 + rng.IntN(6)
		batch, k, sampling := 1+rng.IntN(n), 1+rng.IntN(6), Sampling(rng.IntN(2))
		q := wideRange(rng, n, 2)
		eta := ScalarThreshold(q, k, sampling, batch)
		moments := BatchMoments(q, k, sampling, batch)
		if !(moments[k] <= Theorem2BatchLimit(k, eta)*(1+1e-11)) {
			t.Fatalf("(31): E s^%d = %v at η = %v", k, moments[k], eta)
		}
		var overBatches float64
		eachBatch(n, batch, sampling, func(samples []int, probability float64) {
			var sum, powers float64
			for _, i := range samples {
				sum += q[i] / float64(batch)
				powers += math.Pow(q[i]/float64(batch), float64(k))
			}
			if !(math.Pow(sum, float64(k)) >= powers*(1-1e-13)) {
				t.Fatalf("(32): %v < %v", math.Pow(sum, float64(k)), powers)
			}
			overBatches += probability * powers
		})
		want := mean(q, func(x float64) float64 { return math.Pow(x, float64(k)) }) * math.Pow(float64(batch), float64(1-k))
		if !(math.Abs(overBatches/want-1) <= 1e-12) {
			t.Fatalf("(33): %v, want %v", overBatches, want)
		}
	}
}
