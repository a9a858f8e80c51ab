package stability

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// Thresholds of a Gram matrix and brackets by products have the same bits for any number
// of workers, with rows for several chunks.
func TestWorkersChangeNoBit(t *testing.T) {
	rng := rand.New(rand.NewPCG(38, 0))
	const n, c, w = 2 * blockRows, 3, 4 * blockRows
	j := randomGradients(rng, n, c, w, w)
	k, products := gramOf(j, n, c, w), denseProducts(j, n, c, w)
	products.Frontier = []int{1, 50}
	type found struct {
		threshold   Bracket
		bounds      MeanSquareBounds
		directional float64
	}
	var first found
	for _, workers := range []int{0, 2, 3} {
		k.Workers, products.Workers = workers, workers
		var got found
		var err error
		if got.threshold, err = newSpan(t, k).MeanSquareThreshold(WithoutReplacement, 4, testMemory); err != nil {
			t.Fatal(err)
		}
		if got.bounds, err = products.MeanSquareBounds(6, WithoutReplacement, 4, testMemory, rand.New(rand.NewPCG(5, 5))); err != nil {
			t.Fatal(err)
		}
		got.directional, _ = newSpan(t, k).DirectionalThreshold(3, WithoutReplacement, 4)
		if workers == 0 {
			first = got
		}
		if !(got.threshold.Lower > 0) || !reflect.DeepEqual(got, first) {
			t.Errorf("%d workers: %+v, one worker: %+v", workers, got, first)
		}
	}
}
