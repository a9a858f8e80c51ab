package stability

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// In the span's coordinates a step is W ← W − (η/B) Σ_{i∈S} J_iᵀ J_i W of all w
// parameters: the residuals J W move alike, z ← z − (η/B) K[:,S] z_S.
func TestLinearisedStepInGramSpace(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 0))
	const n, c, eta = 6, 2, 0.4
	g := gramOf(randomGradients(rng, n, c, 9, 7), n, c, 9)
	s := newSpan(t, g)
	for _, samples := range [][]int{{0, 3}, {5, 1}, {2, 2}} {
		w := randomUnit(s.Rank, rng)
		z := make([]float64, n*c)
		s.project(z, w)
		want := slices.Clone(z)
		for row := range want {
			for _, i := range samples {
				for col := i * c; col < (i+1)*c; col++ {
					want[row] -= eta / 2 * g.K[row*n*c+col] * z[col]
				}
			}
		}
		s.Linearise(eta, WithReplacement, 2).move(w, samples)
		s.project(z, w)
		for row := range want {
			if !(math.Abs(z[row]-want[row]) <= 1e-13) {
				t.Fatalf("residual %d is %v, want %v", row, z[row], want[row])
			}
		}
	}
}

// Batches have the right size and frequencies, epochs use no sample twice and
// drop what is left, and a copy of a stream continues its epoch in its own order.
func TestBatchStream(t *testing.T) {
	rng := rand.New(rand.NewPCG(52, 0))
	for _, sampling := range []Sampling{WithoutReplacement, WithReplacement, Epochs} {
		const n, batch, draws = 7, 3, 30_000
		stream := newBatchStream(n, sampling, batch)
		var single [n]float64
		var pair, repeats float64
		epoch := map[int]bool{}
		for d := range draws {
			samples := stream.next(rng)
			if len(samples) != batch {
				t.Fatalf("%v: a batch of %d", sampling, len(samples))
			}
			if d%2 == 0 {
				clear(epoch)
			}
			for a, i := range samples {
				single[i]++
				if sampling == Epochs && epoch[i] {
					t.Fatalf("sample %d twice in an epoch", i)
				}
				epoch[i] = true
				if slices.Contains(samples[:a], i) {
					repeats++
				}
			}
			if slices.Contains(samples, 0) && slices.Contains(samples, 1) {
				pair++
			}
		}
		if (sampling == WithReplacement) != (repeats > 0) {
			t.Errorf("%v: %v repeats", sampling, repeats)
		}
		wantPair := 3.0 * 2 / (7 * 6)
		if sampling == WithReplacement {
			wantPair = 1 - 2*math.Pow(6.0/7, 3) + math.Pow(5.0/7, 3)
		}
		if !(math.Abs(pair/draws-wantPair) <= 5*math.Sqrt(wantPair/draws)) {
			t.Errorf("%v: a pair in %v of all batches, want %v", sampling, pair/draws, wantPair)
		}
		for i, count := range single {
			if want := 3.0 / 7; !(math.Abs(count/draws-want) <= 5*math.Sqrt(want/draws)) {
				t.Errorf("%v: sample %d has frequency %v, want %v", sampling, i, count/draws, want)
			}
		}
	}
	original := newBatchStream(40, Epochs, 4)
	first := slices.Clone(original.next(rng))
	other := newBatchStream(40, Epochs, 4)
	other.copyFrom(&original)
	same := 0
	for range 9 {
		a, b := original.next(rng), other.next(rng)
		for _, i := range first {
			if slices.Contains(a, i) || slices.Contains(b, i) {
				t.Fatalf("a copy draws sample %d of its epoch again", i)
			}
		}
		if slices.Equal(a, b) {
			same++
		}
	}
	if same > 1 {
		t.Errorf("%d of 9 batches of a copy are those of its original", same)
	}
}
