package stability

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The frontier is the thresholds one by one, does not fall with B and ends at
// 2/λ_max(H).
func TestFrontier(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 0))
	for range 8 {
		n, c := 5+rng.IntN(10), 1+rng.IntN(3)
		w := 2 + rng.IntN(3*n)
		s := newSpan(t, gramOf(randomGradients(rng, n, c, w, w), n, c, w))
		batches := []int{n, 1, 3, 2, n - 1}
		for _, sampling := range bothSamplings {
			found, err := s.Frontier(sampling, batches, testMemory)
			if err != nil {
				t.Fatal(err)
			}
			for j, b := range found {
				alone, err := s.MeanSquareThreshold(sampling, batches[j], testMemory)
				if err != nil {
					t.Fatal(err)
				}
				if !(math.Abs(b.Value/alone.Value-1) <= 1e-8) || !b.Exact || !(b.Lower <= b.Upper) {
					t.Errorf("B=%d: %+v on the frontier, %+v alone", batches[j], b, alone)
				}
			}
			for _, pair := range [][2]int{{1, 3}, {3, 2}, {2, 4}, {4, 0}} {
				if a, b := found[pair[0]], found[pair[1]]; !(a.Value <= b.Value*(1+1e-9)) || !(a.Lower <= b.Lower) {
					t.Errorf("η* falls from B=%d to B=%d: %v, %v", batches[pair[0]], batches[pair[1]], a, b)
				}
			}
			if mean := s.MeanThreshold(); sampling == WithoutReplacement && found[0].Value != mean {
				t.Errorf("full batch: %v, 2/λ_max %v", found[0].Value, mean)
			}
		}
	}
}
