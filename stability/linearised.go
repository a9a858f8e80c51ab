package stability

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"sobolev/internal/kernel"
)

// Linearised is SGD on the quadratic model at the minimum (Ma & Ying, 2021,
// equation 16),
//
//	W ← W − (η/B) Σ_{i∈S} H_i W,
//
// for W in the span of the gradients, in its coordinates: what is outside never
// moves. A step takes 4·Bc·r operations.
type Linearised struct {
	span     *Span
	eta      float64
	batches  batchStream
	residual []float64
}

// Linearise returns the linearised SGD for batches of B samples.
func (s *Span) Linearise(eta float64, sampling Sampling, batch int) *Linearised {
	sampling.check(s.N, batch)
	return &Linearised{span: s, eta: eta, batches: newBatchStream(s.N, sampling, batch), residual: make([]float64, batch*s.C)}
}

// Step draws the next batch and moves w, of length r.
func (l *Linearised) Step(w []float64, rng *rand.Rand) { l.move(w, l.batches.next(rng)) }

// move applies the step of the batch to w.
func (l *Linearised) move(w []float64, samples []int) {
	s := l.span
	for b, i := range samples {
		for o := range s.C {
			row := (i*s.C + o) * s.Rank
			l.residual[b*s.C+o] = floats.Dot(s.Q[row:row+s.Rank], w)
		}
	}
	gain := -l.eta / float64(len(samples))
	for b, i := range samples {
		for o := range s.C {
			row := (i*s.C + o) * s.Rank
			kernel.Axpy(w, gain*l.residual[b*s.C+o], s.Q[row:row+s.Rank])
		}
	}
}

// batchStream draws batches. The samples of an epoch are shuffled only as they
// are drawn, so that copies of a stream part at the next step and not at the
// next epoch, each with the right conditional distribution.
type batchStream struct {
	sampling Sampling
	n, batch int
	// order is a permutation, of which the first used samples are those of the
	// epoch so far; with replacement it is the batch.
	order []int
	used  int
}

func newBatchStream(n int, sampling Sampling, batch int) batchStream {
	b := batchStream{sampling: sampling, n: n, batch: batch, order: everySample(n)}
	if sampling == WithReplacement {
		b.order = make([]int, batch)
	}
	return b
}

// next returns the next batch, valid until the next call. As in training, what
// is left of an epoch when less than a batch remains is dropped.
func (b *batchStream) next(rng *rand.Rand) []int {
	if b.sampling == WithReplacement {
		for j := range b.order {
			b.order[j] = rng.IntN(b.n)
		}
		return b.order
	}
	if b.sampling == WithoutReplacement || b.used+b.batch > b.n {
		b.used = 0
	}
	from := b.used
	for j := from; j < from+b.batch; j++ {
		other := j + rng.IntN(b.n-j)
		b.order[j], b.order[other] = b.order[other], b.order[j]
	}
	b.used += b.batch
	return b.order[from:b.used]
}

// copyFrom makes b continue from where the other stream is. Only epochs have a
// memory.
func (b *batchStream) copyFrom(other *batchStream) {
	if b.sampling == Epochs {
		copy(b.order, other.order)
		b.used = other.used
	}
}
