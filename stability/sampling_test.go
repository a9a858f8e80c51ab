package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// BatchVariance is the variance of a batch's mean over that of the numbers.
func TestBatchVariance(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 0))
	for n := 1; n <= 6; n++ {
		x := normalVector(rng, n)
		var mean, square float64
		for _, v := range x {
			mean += v / float64(n)
			square += v * v / float64(n)
		}
		for batch := 1; batch <= n; batch++ {
			for _, sampling := range bothSamplings {
				var second float64
				eachBatch(n, batch, sampling, func(samples []int, probability float64) {
					var sum float64
					for _, i := range samples {
						sum += x[i] / float64(batch)
					}
					second += probability * sum * sum
				})
				want := second - mean*mean
				if got := sampling.BatchVariance(n, batch) * (square - mean*mean); !(math.Abs(got-want) <= 1e-13*square) {
					t.Errorf("n=%d B=%d %v: %v, enumerated %v", n, batch, sampling, got, want)
				}
			}
			if a, b := Epochs.BatchVariance(n, batch), WithoutReplacement.BatchVariance(n, batch); a != b {
				t.Errorf("n=%d B=%d: epochs %v, without replacement %v", n, batch, a, b)
			}
		}
	}
}

func TestSamplingNames(t *testing.T) {
	for _, s := range []Sampling{WithoutReplacement, WithReplacement, Epochs} {
		if got, err := ParseSampling(s.String()); err != nil || got != s {
			t.Errorf("%v is parsed as %v, %v", s, got, err)
		}
	}
	if _, err := ParseSampling("bootstrap"); err == nil {
		t.Error("an unknown sampling was parsed")
	}
}

// Thresholds of epochs are those of WithoutReplacement, and say that they are not
// exact, unless the epoch is one batch.
func TestEpochsAreDoubtful(t *testing.T) {
	rng := rand.New(rand.NewPCG(62, 0))
	s := newSpan(t, gramOf(randomGradients(rng, 6, 1, 8, 8), 6, 1, 8))
	for _, batch := range []int{2, 6} {
		got, err := s.MeanSquareThreshold(Epochs, batch, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.MeanSquareThreshold(WithoutReplacement, batch, testMemory)
		if err != nil {
			t.Fatal(err)
		}
		if got.Value != want.Value || got.Exact != (batch == 6) || (len(got.Warnings) == 0) != (batch == 6) {
			t.Errorf("B=%d: %+v, without replacement %+v", batch, got, want)
		}
		line, err := s.Frontier(Epochs, []int{batch}, testMemory)
		if err != nil || line[0].Value != want.Value || line[0].Exact != got.Exact {
			t.Errorf("B=%d: %+v on the frontier, %v; alone %+v", batch, line, err, got)
		}
	}
}
