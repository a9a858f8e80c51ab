package sgd

import (
	"fmt"
	"math/rand/v2"
)

// Sampling says how the B samples of a step are drawn from n.
type Sampling int

const (
	// WithoutReplacement draws a uniform subset of B samples, independently at
	// every step: equation (13) of Ma & Ying (2021).
	WithoutReplacement Sampling = iota
	// WithReplacement draws B independent samples: equation (8).
	WithReplacement
	// Epochs goes through a random permutation of the data in batches of B; the
	// n mod B samples that are left over at the end of an epoch are not used in
	// it, so that every batch has B samples. Batches of one epoch are dependent:
	// the theory's moments are not exact for it.
	Epochs
)

var samplingNames = []string{"without-replacement", "with-replacement", "epochs"}

func (s Sampling) String() string { return samplingNames[s] }

// ParseSampling is the inverse of String.
func ParseSampling(name string) (Sampling, error) {
	for i, s := range samplingNames {
		if s == name {
			return Sampling(i), nil
		}
	}
	return 0, fmt.Errorf("sampling %q is not known; one of %q", name, samplingNames)
}

// Sampler draws batches. The batch of a step is a function of the stream and
// the step alone, so a training resumes from its step number.
type Sampler struct {
	n, b     int
	sampling Sampling
	*generator
	// order is the identity between steps, or the permutation of an epoch.
	order []int
	epoch int
	batch []int
}

// NewSampler returns a sampler of batches of b out of n samples, 1 ≤ b ≤ n.
func NewSampler(sampling Sampling, n, b int, stream uint64) *Sampler {
	if b < 1 || b > n {
		panic("sgd: NewSampler needs 1 ≤ b ≤ n")
	}
	s := &Sampler{n: n, b: b, sampling: sampling, generator: newGenerator(stream), order: make([]int, n), epoch: -1, batch: make([]int, b)}
	for i := range s.order {
		s.order[i] = i
	}
	return s
}

// Batch returns the indices of step t = 0, 1, …; the slice is overwritten by the
// next call.
func (s *Sampler) Batch(t int) []int {
	switch s.sampling {
	case WithReplacement:
		s.seed(t)
		for i := range s.batch {
			s.batch[i] = s.rng.IntN(s.n)
		}
	case Epochs:
		perEpoch := s.n / s.b
		if e := t / perEpoch; e != s.epoch {
			s.permute(e)
		}
		copy(s.batch, s.order[t%perEpoch*s.b:])
	default:
		s.subset(t)
	}
	return s.batch
}

// subset draws by the first b swaps of a Fisher–Yates shuffle of the identity,
// which it then takes back: O(b) a step, whatever came before.
func (s *Sampler) subset(t int) {
	s.seed(t)
	swaps := s.batch // holds swap partners on the way, then the batch
	for i := range s.b {
		j := i + s.rng.IntN(s.n-i)
		s.order[i], s.order[j] = s.order[j], s.order[i]
		swaps[i] = j
	}
	for i := s.b - 1; i >= 0; i-- {
		j := swaps[i]
		chosen := s.order[i]
		s.order[i], s.order[j] = s.order[j], s.order[i]
		s.batch[i] = chosen
	}
}

func (s *Sampler) permute(epoch int) {
	s.seed(epoch)
	for i := range s.order {
		s.order[i] = i
	}
	s.rng.Shuffle(s.n, func(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] })
	s.epoch = epoch
}

// generator draws the random numbers of a step, which are a function of the
// stream and the step alone.
type generator struct {
	stream uint64
	pcg    rand.PCG
	rng    *rand.Rand
}

func newGenerator(stream uint64) *generator {
	g := &generator{stream: stream}
	g.rng = rand.New(&g.pcg)
	return g
}

// noisePurpose makes the stream of the noise on targets from that of the batches.
const noisePurpose = 0x6c6162656c73 // "labels"

// seed starts step t. Both words of the state pass through a mixing function,
// since neighbouring states of a PCG are correlated.
func (g *generator) seed(t int) {
	h := mix(g.stream + uint64(t)*0x9e3779b97f4a7c15)
	g.pcg.Seed(h, mix(h^g.stream))
}

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood, 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
