package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// One direction has Λ = E log|1 − ηs|.
func TestLyapunovOfOneDirection(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 0))
	q := []float64{2.5, 0.9, 0.2, 3.3}
	s := oneDirection(t, q)
	etas := []float64{0.2, 0.7, 1, 1.5}
	held, runs := 0, 0
	for _, sampling := range []Sampling{WithoutReplacement, WithReplacement, Epochs} {
		for i, got := range s.LyapunovExponents(etas, sampling, 2, LyapunovOptions{}, rng) {
			var want float64
			eachBatch(len(q), 2, sampling, func(samples []int, probability float64) {
				want += probability * math.Log(math.Abs(1-etas[i]*(q[samples[0]]+q[samples[1]])/2))
			})
			runs++
			if got.CI95[0] <= want && want <= got.CI95[1] {
				held++
			}
			if !(math.Abs(got.Value-want) <= 5*got.SE) {
				t.Errorf("%v η=%v: Λ = %v ± %v, want %v", sampling, etas[i], got.Value, got.SE, want)
			}
		}
	}
	if held < runs-3 {
		t.Errorf("only %d of %d intervals hold Λ", held, runs)
	}
}

// M in {−1.5, 0.1} with equal chances: the second moment explodes while W goes to
// zero, so that moments do not decide convergence.
func TestUnstableMomentsOfWhatConverges(t *testing.T) {
	rng := rand.New(rand.NewPCG(72, 0))
	s := oneDirection(t, []float64{2.5, 0.9})
	lambda := s.LyapunovExponents([]float64{1}, WithoutReplacement, 1, LyapunovOptions{}, rng)[0]
	if want := math.Log(0.15) / 2; !(math.Abs(lambda.Value-want) <= 5*lambda.SE) {
		t.Errorf("Λ = %v ± %v, want %v", lambda.Value, lambda.SE, want)
	}
	growth := s.GrowthRate(2, 1, WithoutReplacement, 1, CloningOptions{Steps: 1000}, rng)
	if want := math.Log(1.13); !(math.Abs(growth.Value-want) <= 5*growth.SE) {
		t.Errorf("growth %v ± %v, want %v", growth.Value, growth.SE, want)
	}
}

// B = n is deterministic, Λ = log max|1 − ηh|; a step to zero is −∞.
func TestLyapunovOfGradientDescent(t *testing.T) {
	rng := rand.New(rand.NewPCG(73, 0))
	s := newSpan(t, gramOf(randomGradients(rng, 6, 1, 4, 3), 6, 1, 4))
	h := func(j int) float64 { return s.Lambda[j] / 6 }
	for _, eta := range []float64{0.5 / h(0), 1 / h(0), 1.9 / h(0), 2.5 / h(0)} {
		want := math.Inf(-1)
		for j := range s.Rank {
			want = max(want, math.Log(math.Abs(1-eta*h(j))))
		}
		got := s.LyapunovExponents([]float64{eta}, WithoutReplacement, 6, LyapunovOptions{BurnIn: 3000, Steps: 640}, rng)[0]
		if !(math.Abs(got.Value-want) <= 1e-9) || !(got.SE <= 1e-9) {
			t.Errorf("η=%v: Λ = %v ± %v, want %v", eta, got.Value, got.SE, want)
		}
	}
	one := newSpan(t, Gram{N: 1, C: 1, K: []float64{4}})
	if got := one.LyapunovExponents([]float64{0.25}, WithoutReplacement, 1, LyapunovOptions{}, rng)[0]; !math.IsInf(got.Value, -1) {
		t.Errorf("a step to zero has Λ = %v", got.Value)
	}
}

// Λ ≤ ½ log ρ(T_2), and Λ ≤ 0 at the mean-square threshold.
func TestLyapunovIsBelowTheSecondMoment(t *testing.T) {
	rng := rand.New(rand.NewPCG(74, 0))
	for range 8 {
		s, _, _, sampling, batch := smallProblem(t, rng)
		threshold := secondMomentThreshold(t, s, sampling, batch)
		etas := []float64{0.5 * threshold, threshold, 1.2 * threshold, 2 * threshold}
		for i, got := range s.LyapunovExponents(etas, sampling, batch, LyapunovOptions{Steps: 5000}, rng) {
			limit := math.Log(secondMomentRadius(t, s, etas[i], sampling, batch)) / 2
			if !(got.Value <= limit+4*got.SE+1e-9) {
				t.Errorf("η=%v: Λ = %v ± %v, ½ log ρ(T_2) = %v", etas[i], got.Value, got.SE, limit)
			}
		}
	}
}

func TestLyapunovIsThatOfItsSeed(t *testing.T) {
	s := newSpan(t, gramOf(randomGradients(rand.New(rand.NewPCG(75, 0)), 10, 2, 6, 6), 10, 2, 6))
	run := func(seed uint64, etas ...float64) []Estimate {
		return s.LyapunovExponents(etas, Epochs, 3, LyapunovOptions{Steps: 300}, rand.New(rand.NewPCG(seed, 0)))
	}
	a, b, other := run(1, 0.1, 0.7), run(1, 0.7), run(2, 0.7)
	if a[1].Value != b[0].Value || a[1].SE != b[0].SE || b[0].Value == other[0].Value {
		t.Errorf("exponents %v, %v of one seed, %v of another", a[1].Value, b[0].Value, other[0].Value)
	}
}

// The intervals hold the mean of an autoregressive series in about 95% of cases;
// a series that remembers longer than a stretch is marked.
func TestBatchMeansCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(76, 0))
	series := func(memory float64, length int) []float64 {
		x, v := make([]float64, length), 0.0
		for i := range x {
			v = memory*v + rng.NormFloat64()
			x[i] = 3 + v
		}
		return x
	}
	held, marked := 0, 0
	const runs = 400
	for range runs {
		e := batchMeans(series(0.8, 3200))
		if e.CI95[0] <= 3 && 3 <= e.CI95[1] {
			held++
		}
		if len(e.Warnings) > 0 {
			marked++
		}
	}
	if !(held >= 0.91*runs && held <= 0.985*runs) {
		t.Errorf("%d of %d intervals hold the mean", held, runs)
	}
	if marked > runs/40 {
		t.Errorf("%d of %d good series are marked", marked, runs)
	}
	marked = 0
	for range 50 {
		if e := batchMeans(series(0.999, 3200)); len(e.Warnings) > 0 {
			marked++
		}
	}
	if marked < 40 {
		t.Errorf("%d of 50 series with a long memory are marked", marked)
	}
	if e := batchMeans(series(0, 5)); !math.IsNaN(e.SE) || len(e.Warnings) == 0 {
		t.Errorf("five steps have the error %v", e.SE)
	}
}
