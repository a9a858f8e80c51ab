package sgd

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestBatchesAreAFunctionOfTheStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		b := rapid.IntRange(1, n).Draw(t, "b")
		kind := Sampling(rapid.IntRange(0, 2).Draw(t, "sampling"))
		stream := rapid.Uint64().Draw(t, "stream")
		forward := NewSampler(kind, n, b, stream)
		var batches [][]int
		for step := range 30 {
			batches = append(batches, slices.Clone(forward.Batch(step)))
		}
		other := NewSampler(kind, n, b, stream)
		for range 20 {
			step := rapid.IntRange(0, 29).Draw(t, "step")
			if got := other.Batch(step); !slices.Equal(got, batches[step]) {
				t.Fatalf("%v: step %d after a jump: %v, in order: %v", kind, step, got, batches[step])
			}
		}
		for step, batch := range batches {
			if len(batch) != b || slices.Min(batch) < 0 || slices.Max(batch) >= n {
				t.Fatalf("step %d: batch %v of %d out of %d", step, batch, b, n)
			}
			if kind != WithReplacement && hasRepeats(batch) {
				t.Fatalf("%v: step %d: %v has a sample twice", kind, step, batch)
			}
		}
		if kind == Epochs {
			perEpoch := n / b
			for e := 0; (e+1)*perEpoch <= len(batches); e++ {
				if all := slices.Concat(batches[e*perEpoch : (e+1)*perEpoch]...); hasRepeats(all) {
					t.Fatalf("epoch %d: %v has a sample twice", e, all)
				}
			}
		}
	})
}

func hasRepeats(v []int) bool {
	s := slices.Clone(v)
	slices.Sort(s)
	return len(slices.Compact(s)) != len(v)
}

// Every pair of samples must appear together with the probability of theory.md:
// B(B−1)/(n(n−1)) without replacement. 60,000 draws; the tolerance is five
// standard errors.
func TestPairFrequencies(t *testing.T) {
	const n, b, draws = 7, 3, 60000
	s := NewSampler(WithoutReplacement, n, b, 12345)
	var single [n]int
	var pair [n][n]int
	for step := range draws {
		batch := s.Batch(step)
		for _, i := range batch {
			single[i]++
			for _, j := range batch {
				pair[i][j]++
			}
		}
	}
	check := func(what string, count int, p float64) {
		t.Helper()
		if se := math.Sqrt(draws * p * (1 - p)); !(math.Abs(float64(count)-draws*p) <= 5*se) {
			t.Errorf("%s: %d of %d draws, want about %.0f ± %.0f", what, count, draws, draws*p, se)
		}
	}
	for i := range n {
		check("one sample", single[i], float64(b)/n)
		for j := range i {
			check("a pair", pair[i][j], float64(b*(b-1))/(n*(n-1)))
		}
	}
}

// The position within the batch must be uniform too, and successive steps
// independent: the generator is reseeded at every step, which is where a weak
// mixing of the seed would show.
func TestSuccessiveStepsAreIndependent(t *testing.T) {
	const n, draws = 8, 64000
	s := NewSampler(WithReplacement, n, 1, 99)
	var joint [n][n]int
	last := s.Batch(0)[0]
	for step := 1; step <= draws; step++ {
		next := s.Batch(step)[0]
		joint[last][next]++
		last = next
	}
	chi2 := 0.0
	const expected = draws / (n * n)
	for i := range n {
		for j := range n {
			d := float64(joint[i][j]) - expected
			chi2 += d * d / expected
		}
	}
	// χ² with 63 degrees of freedom: mean 63, standard deviation 11.2.
	if !(chi2 > 63-5*11.2 && chi2 < 63+5*11.2) {
		t.Errorf("χ² of pairs of successive draws = %.1f, want about 63", chi2)
	}
}
